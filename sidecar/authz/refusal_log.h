/* SPDX-License-Identifier: Apache-2.0 */
/* The last refusals, for `status`: a fixed ring, safe from any thread. */
#ifndef BARTIZAN_REFUSAL_LOG_H
#define BARTIZAN_REFUSAL_LOG_H

#include "reason.h"

#include <pthread.h>

enum { REFUSAL_LOG_ENTRIES = 16, REFUSAL_ID_MAX = 40, REFUSAL_CALLER_MAX = 256 };

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
};

void refusal_log_init(struct refusal_log *log);

void refusal_log_add(struct refusal_log *log, int64_t at, enum reason reason, struct view decision_id,
                     struct view caller);

/* Copies the newest first; returns their number. */
size_t refusal_log_read(struct refusal_log *log, struct refusal out[REFUSAL_LOG_ENTRIES]);

#endif
