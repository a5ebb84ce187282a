/* SPDX-License-Identifier: Apache-2.0 */
/* What a running decider can say about itself, from any thread. */
#ifndef BARTIZAN_DECIDER_STATE_H
#define BARTIZAN_DECIDER_STATE_H

#include "check.h"
#include "policy_watch.h"
#include "reload.h"
#include "revocation_watch.h"
#include "rpc_server.h"

struct decider_state {
    const struct config *config;
    const char *version;
    struct metrics metrics;
    struct refusal_log refusals;
    struct shadow_log shadow;
    struct policy_watch watch;
    struct revocation_watch revocation_watch; /* under the lock of `watch` */
    struct check_context *context;
    struct journal_writer *journal; /* NULL: none */
    struct rpc_server *server;
    struct reload *reload;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    int64_t started_at; /* unix seconds */

    pthread_mutex_t lock;
    struct snapshot *snapshot; /* the newest one handed over; held */
    int64_t error_at;          /* of the last refused reload; 0: none since the last good one */
    char error[RELOAD_MESSAGE_MAX];
    atomic_bool is_stopping;
};

void decider_state_init(struct decider_state *state, const struct config *config, const char *version);

/* Takes note of a reload's outcome. The outcome's snapshot stays the caller's. */
void decider_state_note(struct decider_state *state, const struct reload_outcome *outcome);

/* The newest snapshot; the caller drops it. */
struct snapshot *decider_state_snapshot(struct decider_state *state);

bool decider_state_is_ready(struct decider_state *state);

/* Why not, one a line; nothing when it is ready. */
void decider_state_write_reasons(struct decider_state *state, FILE *out);

/* GET /status; GET /metrics. */
void decider_state_write_status(struct decider_state *state, FILE *out);
void decider_state_write_metrics(struct decider_state *state, FILE *out);

/* What POST /reload answers when the files were taken; `is_under_way`: but for a policy. */
void decider_state_write_generations(struct decider_state *state, bool is_under_way, FILE *out);

#endif
