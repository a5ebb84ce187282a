/* SPDX-License-Identifier: Apache-2.0 */
/* Where the policy of policy.shadow differs from the one in force: counts by pair of
 * verdict and rule, with the id of the latest decision of each. A fixed table, safe
 * from any thread. It holds names that the policies have, none that a request made up,
 * and starts over when either policy changes: what counts is what these two say. */
#ifndef BARTIZAN_SHADOW_LOG_H
#define BARTIZAN_SHADOW_LOG_H

#include "decision.h"

#include <pthread.h>

enum { SHADOW_PAIRS_MAX = 64, SHADOW_RULE_MAX = 260, SHADOW_ID_MAX = 40 };

struct shadow_side {
    enum verdict verdict;
    char rule[SHADOW_RULE_MAX]; /* NUL-terminated; empty: no rule decided */
};

struct shadow_pair {
    struct shadow_side from; /* the policy in force */
    struct shadow_side to;   /* the shadow */
    uint64_t count;
    int64_t at;                      /* of the latest, unix seconds */
    char decision_id[SHADOW_ID_MAX]; /* of the latest; NUL-terminated */
};

/* The two policies that are compared. */
struct shadow_era {
    uint64_t policy_generation, shadow_generation;
    int64_t since; /* when they stood beside each other first, unix seconds; 0: never yet */
};

struct shadow_counts {
    struct shadow_era era;
    uint64_t checks;      /* judged by both */
    uint64_t differences; /* of these */
    uint64_t others;      /* differences of pairs beyond the table */
    struct shadow_pair pairs[SHADOW_PAIRS_MAX];
    size_t pair_count;
};

struct shadow_log {
    pthread_mutex_t lock;
    struct shadow_counts counts;
};

void shadow_log_init(struct shadow_log *log);

/* Forgets everything. */
void shadow_log_restart(struct shadow_log *log, const struct shadow_era *era);

/* True when verdict or deciding rule differ. */
bool shadow_log_differs(const struct decision *enforced, const struct decision *shadow);

void shadow_log_add(struct shadow_log *log, int64_t at, const struct decision *enforced, const struct decision *shadow,
                    struct view decision_id);

/* The most frequent first. */
void shadow_log_read(struct shadow_log *log, struct shadow_counts *out);

#endif
