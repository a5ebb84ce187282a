/* SPDX-License-Identifier: Apache-2.0 */
/* A deny list as lines, for what a program writes: a million entries are read in a
 * fraction of a second, and a change to one of them is one line of a diff.
 *
 *   file     = "bartizan-revocations v1" LF "sequence " DECIMAL LF *( entry LF ) "end" LF
 *   entry    = KIND TAB VALUE *( TAB NAME "=" TEXT )
 *   KIND     = a kind of revocation_kind_keys
 *   NAME     = "issuer" / "issuedBefore" / "created" / "expires" / "reason" / "author" ; each at most once
 *
 * VALUE and TEXT are what they are in a RevocationList (VALUE: its subject, id or number where it
 * has an issuer), as they stand: nothing is quoted or escaped, so that no tab, no line feed and
 * nothing else that is hidden can be in them. Nothing follows the last line; a file that was cut
 * off anywhere has no such end, and is refused. */
#ifndef BARTIZAN_REVOCATION_LINES_H
#define BARTIZAN_REVOCATION_LINES_H

#include "diag.h"
#include "revocation_entry.h"

enum { REVOCATION_LINES_BYTES_MAX = 128 * 1024 * 1024 };

/* True for a text that begins as this form does, of some version. */
bool revocation_lines_is(struct view text);

/* At least as many as there are entries. */
size_t revocation_lines_count(struct view text);

/* Where entries go, one by one: views borrow from the text, and the entry goes after the call. */
struct revocation_sink {
    enum err (*take)(void *context, const struct revocation_entry *entry);
    void *context;
};

/* ERR_INVALID with diags, for one line or for several; what `take` said. What was taken of a list that is then
 * refused is the caller's to forget. */
MUST_CHECK enum err revocation_lines_parse(struct view file, struct view text, const struct revocation_sink *sink,
                                           struct diag_list *diags, uint64_t *sequence);

#endif
