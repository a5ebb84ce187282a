/* SPDX-License-Identifier: Apache-2.0 */
/* The last refusals, for `status`: a fixed ring; and whether the log is to tell of one, once an interval for each
 * reason. Safe from any thread. */
#ifndef BARTIZAN_REFUSAL_LOG_H
#define BARTIZAN_REFUSAL_LOG_H

#include "reason.h"

#include <pthread.h>

enum {
    REFUSAL_LOG_ENTRIES = 16,
    REFUSAL_LOG_INTERVAL = 60 /* seconds */,
    REFUSAL_ID_MAX = 40,
    REFUSAL_CALLER_MAX = 256
};

struct refusal {
    int64_t at; /* unix seconds */
    enum reason reason;
    char decision_id[REFUSAL_ID_MAX]; /* NUL-terminated */
    char caller[REFUSAL_CALLER_MAX];  /* a verified SPIFFE ID, cut to fit; empty when there was none */
};

struct refusal_log {
    pthread_mutex_t lock;
    uint64_t count; /* since the start */
    struct refusal entries[REFUSAL_LOG_ENTRIES];
    int64_t told_at[REASON_COUNT]; /* unix seconds */
    uint64_t untold[REASON_COUNT]; /* since then; while told_at is 0: none so far */
};

void refusal_log_init(struct refusal_log *log);

void refusal_log_add(struct refusal_log *log, int64_t at, enum reason reason, struct view decision_id,
                     struct view caller);

/* True when REFUSAL_LOG_INTERVAL has gone by since this reason was told last, or the clock stands before that:
 * *untold is the number of its refusals in between. Else false, and this one is counted. */
bool refusal_log_tells(struct refusal_log *log, int64_t at, enum reason reason, uint64_t *untold);

/* Copies the newest first; returns their number. */
size_t refusal_log_read(struct refusal_log *log, struct refusal out[REFUSAL_LOG_ENTRIES]);

#endif
