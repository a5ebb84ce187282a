/* SPDX-License-Identifier: Apache-2.0 */
/* Files read whole, as one set: a file, or the *.yaml and *.yml of a folder in
 * name order; of a policy also a compiled one, of deny lists also those of lines. Entries that begin with a dot are
 * passed over, so that a mounted ConfigMap reads as what it shows. */
#ifndef BARTIZAN_FILE_SET_H
#define BARTIZAN_FILE_SET_H

#include "diag.h"
#include "digest.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024, FILE_SET_MAX = 1024 };

struct file_text {
    struct view file; /* its path */
    struct view text;
};

struct file_set {
    struct file_text items[FILE_SET_MAX];
    size_t count;
};

/* Reads `path` whole into `arena`; again when it changed meanwhile, so that a
 * half-written file is not taken. ERR_NOT_FOUND, ERR_IO, ERR_LIMIT, ERR_NO_MEMORY,
 * and ERR_CONFLICT for a file that kept changing. */
MUST_CHECK enum err file_read(const char *path, struct arena *arena, struct view *out);

/* Appends what `path` names to `set`. Errors come with a diag. */
MUST_CHECK enum err file_set_read(const char *path, struct arena *arena, struct diag_list *diags, struct file_set *set);

/* The same for a policy: a folder may hold one *.bzpl, a compiled policy, instead of YAML; with anything
 * beside it, it is refused (ERR_CONFLICT). A compiled policy may be larger than other files. */
MUST_CHECK enum err file_set_read_policy(const char *path, struct arena *arena, struct diag_list *diags,
                                         struct file_set *set);

/* The same for deny lists: also *.revocations, which may be larger than other files when it is one of lines
 * (revocation_lines.h). */
MUST_CHECK enum err file_set_read_revocations(const char *path, struct arena *arena, struct diag_list *diags,
                                              struct file_set *set);

/* SHA-256 over names, sizes and texts: equal sets have equal fingerprints. */
MUST_CHECK enum err file_set_fingerprint(const struct file_set *set, struct arena *arena, uint8_t out[SHA256_BYTES]);

#endif
