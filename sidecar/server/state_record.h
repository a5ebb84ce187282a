/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the decider's own life: the start and end of an epoch, and each
 * change of what it decides by, with the digests before and after. Used by the
 * thread that writes the journal. */
#ifndef BARTIZAN_STATE_RECORD_H
#define BARTIZAN_STATE_RECORD_H

#include "audit_event.h"
#include "reload.h"

struct state_record {
    const struct config *config;
    struct journal_writer *journal;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    struct audit_event event;         /* scratch */
    char refused[RELOAD_MESSAGE_MAX]; /* the refusal that stands; empty: none */
};

/* The first record of the epoch, which names the last one of the epoch before. */
void state_record_start(struct state_record *record);
void state_record_close(struct state_record *record);

/* One record for each part that differs, and one more where an operator's leave let the policy pass, none when both are
 * the same; `before` is NULL at the start. */
void state_record_change(struct state_record *record, const struct snapshot *before, const struct snapshot *after);

/* Every file was taken: a refusal that stood has ended. */
void state_record_mended(struct state_record *record);

/* Says that nothing is refused, where enforcement is `report`. */
void state_record_enforcement(struct state_record *record);

/* Files that were not taken; once, however often they are tried. */
void state_record_refusal(struct state_record *record, const struct snapshot *in_force,
                          const struct reload_outcome *outcome);

#endif
