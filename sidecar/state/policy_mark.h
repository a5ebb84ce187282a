/* SPDX-License-Identifier: Apache-2.0 */
/* What a sidecar remembers about signed policies: two small files beside the journal's segments.
 *
 * `policy.revision`, written by the decider: the revision of the last policy in force,
 * below which none is taken again.
 *
 *   "bartizan policy revision v1" LF "revision " N LF CHECKSUM
 *
 * `policy.accept`, written by `bartizan policy accept`: an operator's leave to take one
 * revision although it is older, or its time has run out, until `until` (unix seconds).
 *
 *   "bartizan policy accept v1" LF "revision " N LF "until " N LF "author " TEXT LF "reason " TEXT LF CHECKSUM
 *
 * CHECKSUM is "sha256 ", 64 lower-case hex digits of every byte before it, LF. TEXT is 1 to
 * POLICY_LEAVE_TEXT_MAX bytes of UTF-8 without anything hidden. The parsers are total. */
#ifndef BARTIZAN_POLICY_MARK_H
#define BARTIZAN_POLICY_MARK_H

#include "arena.h"

enum { POLICY_LEAVE_TEXT_MAX = 500 };

#define POLICY_MARK_FILE "policy.revision"
#define POLICY_LEAVE_FILE "policy.accept"

struct policy_leave {
    uint64_t revision;          /* from 1; 0: no leave */
    int64_t until;              /* unix seconds: from then on it says nothing */
    struct view author, reason; /* for the record */
};

/* ERR_MALFORMED: anything that policy_mark_write or policy_leave_write would not have written. */
MUST_CHECK enum err policy_mark_parse(struct view text, uint64_t *revision);
MUST_CHECK enum err policy_leave_parse(struct view text, struct policy_leave *out);

/* Of the journal's folder. ERR_NOT_FOUND: the file, or the folder, is not there; ERR_MALFORMED, ERR_LIMIT: it is not
 * what was written; ERR_IO, ERR_NO_MEMORY. Texts live in `arena`. */
MUST_CHECK enum err policy_mark_read(const char *folder, uint64_t *revision);
MUST_CHECK enum err policy_leave_read(const char *folder, struct arena *arena, struct policy_leave *out);

/* Whole or not at all, and on the disk. Whoever writes the mark holds the journal's lock. ERR_NOT_FOUND:
 * no such folder; ERR_CONFLICT: the same command is writing; ERR_INVALID: what does not fit the grammar; ERR_IO. */
MUST_CHECK enum err policy_mark_write(const char *folder, uint64_t revision);
MUST_CHECK enum err policy_leave_write(const char *folder, const struct policy_leave *leave);

/* True when the folder holds segments of a journal: a decider has run here; also when that cannot be told. */
bool policy_mark_has_journal(const char *folder);

#endif
