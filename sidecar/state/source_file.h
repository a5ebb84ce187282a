/* SPDX-License-Identifier: Apache-2.0 */
/* A file of one trust domain or issuer, and whether it changed since the load before. */
#ifndef BARTIZAN_SOURCE_FILE_H
#define BARTIZAN_SOURCE_FILE_H

#include "diag.h"
#include "digest.h"

/* Its own generation, so that verdicts cached under an unchanged text stay. Zeroed first and copied as memory, since
 * its bytes are digested. */
struct source_state {
    bool is_there;
    bool is_stale; /* then it is not there, whatever is; set by the caller */
    uint8_t fingerprint[SHA256_BYTES];
    uint64_t generation;
};

/* What reads: the same for every file of a load. */
struct source_reader {
    struct arena *arena; /* holds the texts */
    struct diag_list *diags;
    uint64_t generation; /* of the snapshot that is built */
};

/* The text of a file, or the absent view for one that is missing and may be. Errors come with a diag. */
MUST_CHECK enum err source_file_read(const struct source_reader *reader, const char *path, bool may_be_missing,
                                     struct view *text);

/* Reports that the file cannot be read; gives `error` back. */
MUST_CHECK enum err source_file_complain(const struct source_reader *reader, const char *path, enum err error);

/* True when both stand for the same text, or for none in the same way. */
bool source_file_is_same(const struct source_state *a, const struct source_state *b);

/* Fills *state for `text`, of which an absent one is a file that is not there. What is the same as `before` (or NULL)
 * keeps its generation. */
MUST_CHECK enum err source_file_mark(const struct source_reader *reader, struct view text,
                                     const struct source_state *before, struct source_state *state);

#endif
