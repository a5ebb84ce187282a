/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's half of the deny list: one list file, changed by one entry at a
 * time. Does I/O; for commands only, never for the deciding process.
 *
 * A file is written whole: temporary file beside it, fsync, rename, fsync of the
 * folder; readers see the old list or the new one. The folder is locked (flock)
 * from reading to renaming, so that two writers never lose an entry. */
#ifndef BARTIZAN_REVOCATION_FILE_H
#define BARTIZAN_REVOCATION_FILE_H

#include "policy_seal.h"
#include "revocation_list.h"

/* For a list that stands in an envelope (policy_seal.h). */
struct revocation_signing {
    const struct policy_key *key;      /* private: signs what is written */
    struct policy_key *const *trusted; /* whose signature is believed beside its own, on what is there */
    size_t trusted_count;
    int64_t now; /* unix seconds */
};

/* Reads `path`; a file that is not there is an empty list of sequence 0.
 * ERR_INVALID with diags, ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_file_read(const char *path, struct arena *arena, struct diag_list *diags,
                                         struct revocation_list *out);

enum revocation_edit_kind { REVOCATION_ADD = 0, REVOCATION_REMOVE };

struct revocation_edit {
    enum revocation_edit_kind kind;
    struct revocation_entry entry; /* REMOVE looks at kind, value, issuer and issuedBefore alone */
    uint64_t expected_sequence;    /* the file's, as the caller saw it; 0: whatever it is */
    uint64_t floor;                /* the new sequence is above it too: the highest of the other files of the folder */
    const struct revocation_signing *signing; /* NULL: the file is not signed */
};

/* `list`, in an envelope of its sequence that does not run out. ERR_LIMIT: its sequence is 0 or above
 * POLICY_SEAL_REVISION_MAX; ERR_INVALID: the key is only public; ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_file_seal(struct view list, uint64_t sequence, const struct revocation_signing *signing,
                                         struct arena *arena, struct view *out);

/* Adds or removes one entry; the new sequence goes to *sequence. The file is made
 * (mode 0644) when it is not there; its folder must be.
 * A file that is signed otherwise than `signing` has it is ERR_INVALID: nobody's list is signed over.
 * ERR_CONFLICT: the entry is there already, or another writer holds the lock.
 * ERR_NOT_FOUND: nothing to remove. ERR_STALE: the file has another sequence than
 * expected. ERR_INVALID with diags: the file or the entry is not valid (nothing is
 * written). ERR_LIMIT: too many entries. ERR_IO: errno says why. */
MUST_CHECK enum err revocation_file_edit(const char *path, const struct revocation_edit *edit, struct diag_list *diags,
                                         uint64_t *sequence);

#endif
