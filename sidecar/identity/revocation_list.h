/* SPDX-License-Identifier: Apache-2.0 */
/* A RevocationList document (its form: revocation.h) as entries, and back.
 * print then parse gives the same entries. The other form, revocation_lines.h, is
 * read alike. */
#ifndef BARTIZAN_REVOCATION_LIST_H
#define BARTIZAN_REVOCATION_LIST_H

#include "diag.h"
#include "revocation_entry.h"

enum { REVOCATION_ENTRIES_MAX = 100000 };

struct revocation_list {
    uint64_t sequence;
    const struct revocation_entry *entries;
    size_t count;
};

/* Everything lives in `arena` or borrows from `text`. ERR_INVALID with diags,
 * ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_list_parse(struct view file, struct view text, struct arena *arena,
                                          struct diag_list *diags, struct revocation_list *out);

/* The document as YAML, every text quoted; the absent view at the arena's
 * ceiling or where an instant has no RFC 3339 form. */
struct view revocation_list_print(const struct revocation_list *list, struct arena *arena);

#endif
