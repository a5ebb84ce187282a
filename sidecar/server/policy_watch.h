/* SPDX-License-Identifier: Apache-2.0 */
/* Looks after the standing of the policy in force: keeps its revision beside the
 * journal, and notices when its time runs out. */
#ifndef BARTIZAN_POLICY_WATCH_H
#define BARTIZAN_POLICY_WATCH_H

#include "config.h"
#include "policy_gate.h"

#include <pthread.h>

/* Whoever looks holds `lock` from taking the policy in force on: who took it earlier must
 * not put back the mark of one that has followed. */
struct policy_watch {
    const struct config *config;
    pthread_mutex_t lock;
    uint64_t marked; /* the revision that the file has; 0: not written yet */
    bool is_failing; /* the last attempt to write it failed, and was told */
    bool has_told;   /* that the policy in force has expired */
};

void policy_watch_init(struct policy_watch *watch, const struct config *config);

/* Sees to it that no revision below that of `standing` is taken after a restart. Where
 * nobody signs, a mark of 0 tells that no signed policy was in force. What cannot be
 * written is told once, and written by a later call. ERR_STALE: the first call, and
 * another decider has kept a higher one since the gate looked; ERR_IO and so on. */
MUST_CHECK enum err policy_watch_mark(struct policy_watch *watch, const struct policy_standing *standing);

/* Tells once, on the log, that the time of the policy in force has run out. */
void policy_watch_look(struct policy_watch *watch, const struct policy_standing *standing, int64_t now);

#endif
