/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts for records: which are missing, by their sequence numbers, per
 * (instance, epoch). Records may come twice (delivery is at least once) but come in
 * the order of their epoch.
 *
 * Missing is what lies between two records that were seen. What lies before the
 * first of an epoch is missing only when `is_whole` says that the source should
 * have all. A `loss` record with reason `capped` accounts for what was removed
 * from the head of an epoch: that is not missing. The first record of an epoch
 * names the last of the epoch before: a cut tail shows there. */
#ifndef BARTIZAN_SEQUENCE_CHECK_H
#define BARTIZAN_SEQUENCE_CHECK_H

#include "audit_event.h"
#include "journal_reader.h"

struct sequence_check;

/* What a check needs of a record; audit_event_parse or a line of JSON gives it. */
struct sequence_mark {
    struct view instance;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t sequence;
    bool is_capped; /* a loss record: [removed_first, removed_last] of removed_epoch was removed on purpose */
    uint8_t removed_epoch[JOURNAL_EPOCH_BYTES];
    uint64_t removed_first, removed_last;
    bool has_previous; /* the first record of an epoch, which names the one before */
    struct journal_position previous;
};

/* The mark of a record; borrows its instance. */
void sequence_check_mark(const struct audit_event *event, struct sequence_mark *out);

/* ERR_NO_MEMORY. */
MUST_CHECK enum err sequence_check_open(bool is_whole, struct sequence_check **out);
void sequence_check_close(struct sequence_check *check);

/* ERR_LIMIT: more epochs than can be followed (10,000); ERR_NO_MEMORY. */
MUST_CHECK enum err sequence_check_take(struct sequence_check *check, const struct sequence_mark *mark);

/* A run of missing records, both inclusive. */
struct sequence_gap {
    struct view instance;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t first, last;
    bool is_tail; /* the epoch's end is cut: the next epoch names a later record */
};

/* Calls `each` (may be NULL) for every gap, epochs in order of appearance; the
 * number of records missing in all. `removed` (may be NULL) is what capped losses
 * account for. */
uint64_t sequence_check_report(const struct sequence_check *check,
                               void (*each)(void *context, const struct sequence_gap *gap), void *context,
                               uint64_t *removed);

uint64_t sequence_check_records(const struct sequence_check *check); /* taken, each once */
uint64_t sequence_check_repeats(const struct sequence_check *check); /* that came again */

#endif
