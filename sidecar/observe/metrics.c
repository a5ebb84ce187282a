/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <inttypes.h>

static const struct metric_row {
    const char *kind, *name, *label, *help;
} rows[METRIC_COUNT] = {
#define METRIC_ROW(symbol, kind_, name_, label_, help_) [METRIC_##symbol] = {kind_, name_, label_, help_},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

/* Upper bounds: a warm check takes microseconds, a cold certificate a few hundred, a parked one milliseconds. */
static const struct {
    uint64_t nanoseconds;
    const char *seconds;
} bounds[METRIC_BUCKETS] = {
    {5000, "0.000005"},  {10000, "0.00001"},  {25000, "0.000025"}, {50000, "0.00005"},
    {100000, "0.0001"},  {250000, "0.00025"}, {500000, "0.0005"},  {1000000, "0.001"},
    {2500000, "0.0025"}, {10000000, "0.01"},  {100000000, "0.1"},  {1000000000, "1"},
};

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void add(atomic_uint_fast64_t *value, uint64_t n)
{
    atomic_fetch_add_explicit(value, n, memory_order_relaxed);
}

void metrics_decided(struct metrics *metrics, enum verdict verdict, enum reason reason, uint64_t nanoseconds)
{
    size_t v = (size_t)verdict < METRIC_VERDICTS ? (size_t)verdict : (size_t)VERDICT_DENY;
    size_t r = (size_t)reason < REASON_COUNT ? (size_t)reason : (size_t)REASON_INTERNAL;
    size_t bucket = 0;
    while (bucket < METRIC_BUCKETS && nanoseconds > bounds[bucket].nanoseconds)
        bucket++;
    add(&metrics->decisions[v][r], 1);
    add(&metrics->buckets[bucket], 1);
    add(&metrics->check_nanoseconds, nanoseconds);
}

uint64_t metrics_decisions(const struct metrics *metrics, enum verdict verdict, enum reason reason)
{
    if ((size_t)verdict >= METRIC_VERDICTS || (size_t)reason >= REASON_COUNT)
        return 0;
    return load(&metrics->decisions[verdict][reason]);
}

static void write_rows(const struct metrics *metrics, FILE *out)
{
    const char *previous = "";
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &rows[i];
        if (strcmp(previous, row->name) != 0)
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->kind);
        fprintf(out, "%s%s %" PRIu64 "\n", row->name, row->label, load(&metrics->values[i]));
        previous = row->name;
    }
}

static void write_decisions(const struct metrics *metrics, FILE *out)
{
    fputs("# HELP bartizan_decisions_total checks answered, as judged\n# TYPE bartizan_decisions_total counter\n", out);
    for (size_t v = 0; v < METRIC_VERDICTS; v++) {
        for (size_t r = 0; r < REASON_COUNT; r++) {
            const struct reason_info *info = reason_info((enum reason)r);
            uint64_t n = load(&metrics->decisions[v][r]);
            /* A series that can occur is there from the start, so that its first increase is seen. */
            if (n == 0 && (info->verdict != (enum verdict)v || r == REASON_NONE))
                continue;
            fprintf(out, "bartizan_decisions_total{verdict=\"%s\",reason=\"%.*s\"} %" PRIu64 "\n",
                    verdict_text((enum verdict)v), VIEW_ARG(info->name), n);
        }
    }
}

static void write_histogram(const struct metrics *metrics, FILE *out)
{
    uint64_t sum = load(&metrics->check_nanoseconds), count = 0;
    fputs("# HELP bartizan_check_seconds time from a check's arrival to its answer\n"
          "# TYPE bartizan_check_seconds histogram\n",
          out);
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        count += load(&metrics->buckets[i]);
        fprintf(out, "bartizan_check_seconds_bucket{le=\"%s\"} %" PRIu64 "\n", bounds[i].seconds, count);
    }
    count += load(&metrics->buckets[METRIC_BUCKETS]);
    fprintf(out,
            "bartizan_check_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\nbartizan_check_seconds_sum %" PRIu64 ".%09" PRIu64
            "\nbartizan_check_seconds_count %" PRIu64 "\n",
            count, sum / 1000000000U, sum % 1000000000U, count);
}

void metrics_write(const struct metrics *metrics, const char *version, FILE *out)
{
    fprintf(out,
            "# HELP bartizan_build_info the build that answers\n# TYPE bartizan_build_info gauge\n"
            "bartizan_build_info{version=\"%s\"} 1\n",
            version);
    write_decisions(metrics, out);
    write_histogram(metrics, out);
    write_rows(metrics, out);
}
