/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and gauges of a decider, and their Prometheus text form.
 *
 * A fixed set: no allocation, no lock, no label that a request can invent.
 * Writers add with relaxed atomics from any thread. Names end in _total for
 * counters and are in base units. Source: Prometheus text exposition format
 * 0.0.4. docs/metrics.md lists the same table. */
#ifndef BARTIZAN_METRICS_H
#define BARTIZAN_METRICS_H

#include "reason.h"

#include <stdatomic.h>
#include <stdio.h>

/* symbol, kind, metric name with its label, help. Rows of one metric stand together. */
/* clang-format off */
#define METRIC_TABLE(X) \
    X(RELOADS,             "counter", "bartizan_reloads_total", "", "snapshots taken") \
    X(RELOAD_FAILURES,     "counter", "bartizan_policy_reload_failures_total", "", "reloads refused; the snapshot before stays in force") \
    X(LATE_ANSWERS,        "counter", "bartizan_late_answers_total", "", "checks whose caller had gone before the answer") \
    X(WOULD_DENY,          "counter", "bartizan_report_only_total", "{verdict=\"deny\"}", "checks allowed only because enforcement is report") \
    X(WOULD_CHALLENGE,     "counter", "bartizan_report_only_total", "{verdict=\"challenge\"}", "") \
    X(JOURNAL_RECORDS,     "counter", "bartizan_journal_records_total", "", "records written to the journal") \
    X(JOURNAL_LOST,        "counter", "bartizan_journal_lost_total", "", "records the journal could not take") \
    X(CERTIFICATE_HITS,    "counter", "bartizan_cache_hits_total", "{cache=\"certificates\"}", "verifications answered from a cache") \
    X(TOKEN_HITS,          "counter", "bartizan_cache_hits_total", "{cache=\"tokens\"}", "") \
    X(CERTIFICATE_MISSES,  "counter", "bartizan_cache_misses_total", "{cache=\"certificates\"}", "verifications that had to be computed") \
    X(TOKEN_MISSES,        "counter", "bartizan_cache_misses_total", "{cache=\"tokens\"}", "") \
    X(UNSENT_CERTIFICATES, "counter", "bartizan_unsent_proofs_total", "{source=\"certificate\"}", "checks in which Envoy saw a client's certificate and did not send what identity.sources expects") \
    X(UNSENT_XFCC,         "counter", "bartizan_unsent_proofs_total", "{source=\"xfcc\"}", "") \
    X(BELIEVED_CALLERS,    "counter", "bartizan_xfcc_text_checks_total", "", "checks whose caller is known by the text of x-forwarded-client-cert alone") \
    X(CHECKS_PARKED,       "counter", "bartizan_checks_parked_total", "", "checks handed to a verifying worker") \
    X(CHECKS_SHARED,       "counter", "bartizan_checks_shared_total", "", "checks that waited for another's verification of the same certificate or token") \
    X(PARKED,              "gauge",   "bartizan_parked_checks", "", "checks that wait for a verifying worker now") \
    X(CONNECTIONS,         "gauge",   "bartizan_connections", "", "open connections to the check listeners") \
    X(READY,               "gauge",   "bartizan_ready", "", "1 when the snapshot in force can decide") \
    X(ENFORCING,           "gauge",   "bartizan_enforcing", "", "1 when refusals are enforced, 0 under enforcement: report") \
    X(BELIEVES_TEXT,       "gauge",   "bartizan_xfcc_text", "", "1 when identity.sources is xfcc-text, the weaker mode") \
    X(SNAPSHOT_GENERATION, "gauge",   "bartizan_snapshot_generation", "", "generation of the snapshot in force") \
    X(SNAPSHOT_TIME,       "gauge",   "bartizan_snapshot_timestamp_seconds", "", "when the snapshot in force was taken, Unix time") \
    X(REVOCATION_SEQUENCE, "gauge",   "bartizan_revocation_sequence", "", "sequence of the deny list in force") \
    X(RULES,               "gauge",   "bartizan_policy_rules", "", "rules of the policy in force") \
    X(START_TIME,          "gauge",   "bartizan_start_timestamp_seconds", "", "when the decider started, Unix time")
/* clang-format on */

enum metric {
#define METRIC_ENUM(symbol, ...) METRIC_##symbol,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

enum { METRIC_VERDICTS = 3, METRIC_BUCKETS = 12 };

/* All zero is a good start. */
struct metrics {
    atomic_uint_fast64_t values[METRIC_COUNT];
    atomic_uint_fast64_t decisions[METRIC_VERDICTS][REASON_COUNT];
    atomic_uint_fast64_t buckets[METRIC_BUCKETS + 1]; /* checks by duration; the last is everything slower */
    atomic_uint_fast64_t check_nanoseconds;           /* sum over all checks */
};

static inline void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n)
{
    atomic_fetch_add_explicit(&metrics->values[metric], n, memory_order_relaxed);
}

/* For gauges, and for counters that are kept elsewhere. */
static inline void metrics_set(struct metrics *metrics, enum metric metric, uint64_t value)
{
    atomic_store_explicit(&metrics->values[metric], value, memory_order_relaxed);
}

static inline uint64_t metrics_get(const struct metrics *metrics, enum metric metric)
{
    return atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
}

/* Counts one answered check. */
void metrics_decided(struct metrics *metrics, enum verdict verdict, enum reason reason, uint64_t nanoseconds);

/* Checks answered with this verdict for this reason since the start. */
uint64_t metrics_decisions(const struct metrics *metrics, enum verdict verdict, enum reason reason);

/* The whole exposition. `version` names the build in bartizan_build_info. */
void metrics_write(const struct metrics *metrics, const char *version, FILE *out);

#endif
