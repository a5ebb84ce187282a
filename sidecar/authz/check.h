/* SPDX-License-Identifier: Apache-2.0 */
/* One check from request bytes to reply bytes: decode, identify, prove, decide, record.
 *
 * A policy under policy.shadow judges the same facts after the answer is written, in
 * memory of its own: nothing about it can reach the answer.
 *
 * A check either is answered at once, from what is known already, or it is parked:
 * a certificate or token that was never seen costs hundreds of microseconds of
 * OpenSSL, and the deciding thread does not wait for them. The life of a check:
 *
 *   check_begin ──────────────────────────────▶ answered
 *        ├─▶ parked ─▶ check_work (any thread) ─▶ check_resume ─▶ answered, or parked
 *        │                                         again when the files changed meanwhile
 *        └─▶ waiting for a parked one that brings the same proof: check_next_released
 *            hands it back when that one was resumed or has ended, to be begun again
 *   check_refuse ends one at any point with a denial; check_drop ends one without an
 *   answer.
 *
 * Everything but check_work belongs to one thread. A warm check allocates nothing. */
#ifndef BARTIZAN_CHECK_H
#define BARTIZAN_CHECK_H

#include "check_request.h"
#include "check_response.h"
#include "journal_writer.h"
#include "metrics.h"
#include "proof_flights.h"
#include "refusal_log.h"
#include "shadow_log.h"
#include "snapshot.h"

struct check_context;

/* How many a cache of `bytes` holds: a power of two, some 8 KiB for each. */
uint32_t check_cache_entries(uint64_t bytes);

struct check_context_config {
    const struct config *config;
    struct snapshot *snapshot;      /* in force; a reference is taken */
    const uint8_t *epoch;           /* JOURNAL_EPOCH_BYTES, random per start */
    struct journal_writer *journal; /* NULL: nothing is recorded; the caller closes it later */
    struct metrics *metrics;
    struct refusal_log *refusals; /* NULL: none is kept */
    struct shadow_log *shadow;    /* where a shadow policy differs; NULL: none is kept */
    struct view subject_key;      /* HMAC key for subjects in records; absent: they are plain; copied */
    struct hash_key hash_key;     /* random */
};

/* Caches, scratch memory and everything that a check reads. ERR_NO_MEMORY. */
MUST_CHECK enum err check_context_open(const struct check_context_config *config, struct check_context **out);
void check_context_close(struct check_context *context);

/* From the next check on this snapshot is in force; a reference is taken.
 * ERR_NO_MEMORY: the one before stays. */
MUST_CHECK enum err check_context_replace(struct check_context *context, struct snapshot *snapshot);
const struct snapshot *check_context_snapshot(const struct check_context *context);

struct check_clock {
    int64_t realtime_ns;
    int64_t boottime_ns;
    int64_t (*boottime_now)(void); /* asked once more at the end, for the duration; NULL: no time passes */
};

struct check_proof;

struct check {
    struct view bytes;         /* the CheckRequest; stays where it is until the check has ended */
    struct view asking_peer;   /* "uid:1337", for the record */
    int64_t started_ns;        /* CLOCK_BOOTTIME */
    bool is_late;              /* whoever asked has gone */
    bool is_again;             /* it was begun before, over bytes that went away: no cache is counted twice */
    struct check_proof *proof; /* what is to be verified; NULL unless parked */
    struct proof_waiter waiter;
    bool has_waited; /* it does not wait a second time */
};

struct check_reply {
    size_t size; /* never 0 when answered */
    char bytes[CHECK_RESPONSE_BYTES_MAX];
};

enum check_step { CHECK_ANSWERED = 0, CHECK_PARKED, CHECK_WAITING };

/* `check` has bytes, asking_peer, started_ns and is_again set and the rest zero, or was released. */
enum check_step check_begin(struct check_context *context, struct check *check, const struct check_clock *clock,
                            struct check_reply *reply);

/* The costly part of a parked check. Safe from any thread; touches this check only. */
void check_work(struct check *check);

/* Goes on with a check whose work is done. */
enum check_step check_resume(struct check_context *context, struct check *check, const struct check_clock *clock,
                             struct check_reply *reply);

/* A check that waited and is to be begun again, its bytes as they were; NULL: no more.
 * To be asked until then after each check_resume and check_refuse of a parked check. */
struct check *check_next_released(struct check_context *context);

/* Answers with the denial of `reason`, whatever the request says. `bytes` need not hold. */
void check_refuse(struct check_context *context, struct check *check, enum reason reason,
                  const struct check_clock *clock, struct check_reply *reply);

/* Forgets a check that is parked or waiting. */
void check_drop(struct check_context *context, struct check *check);

/* All of it on this thread: for `bartizan check` and tests. */
void check_run(struct check_context *context, struct check *check, const struct check_clock *clock,
               struct check_reply *reply);

#endif
