/* SPDX-License-Identifier: Apache-2.0 */
/* What a sidecar remembers of signed deny lists, in a small file beside the journal's
 * segments: the sequence of each list in force, below which it is not taken again, also
 * after a restart. A list that is gone may be gone when another has a higher sequence than all had.
 *
 *   "bartizan deny lists v1" LF *( "list " SEQUENCE " " 64HEXDIG LF ) CHECKSUM
 *
 * The digits are the SHA-256 of the list's path as it is configured; CHECKSUM: checked_text.h. */
#ifndef BARTIZAN_REVOCATION_MARK_H
#define BARTIZAN_REVOCATION_MARK_H

#include "diag.h"
#include "revocation.h"

#define REVOCATION_MARK_FILE "revocations.sequences"

struct revocation_mark_list {
    uint64_t sequence;
    uint8_t path_sha256[SHA256_BYTES];
};

struct revocation_mark {
    const struct revocation_mark_list *lists;
    size_t count;
};

/* Everything lives in `arena`. ERR_MALFORMED: anything that revocation_mark_write would not have
 * written; ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_mark_parse(struct view text, struct arena *arena, struct revocation_mark *out);

/* Of the journal's folder. ERR_NOT_FOUND: the file, or the folder, is not there; ERR_MALFORMED, ERR_LIMIT: it is
 * not what was written; ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_mark_read(const char *folder, struct arena *arena, struct revocation_mark *out);

/* Of as many as may be in force. Whole or not at all, and on the disk. Whoever writes holds the journal's lock.
 * ERR_NOT_FOUND: no such folder. */
MUST_CHECK enum err revocation_mark_write(const char *folder, const struct revocations *revocations);

/* ERR_STALE with a diag: a list is older than the mark has it, or gone. ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_mark_check(const struct revocation_mark *mark, const struct revocations *revocations,
                                          struct diag_list *diags);

#endif
