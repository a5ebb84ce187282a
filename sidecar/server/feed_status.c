/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_status.h"

#include "feed_stamp.h"
#include "rfc3339.h"
#include "utf8.h"

#include <inttypes.h>

enum { NANOSECONDS = 1000000000 };

struct look {
    struct feed_stamp stamp; /* all zero when it cannot be read */
    char boot_id[FEED_BOOT_ID_MAX];
    int64_t now_ns, max_age_ns;
    bool is_needed[WORKLOAD_KINDS];
};

/* False where nothing comes from the Workload API. */
static bool look_at(const struct config *config, struct look *look)
{
    *look = (struct look){
        .max_age_ns = (int64_t)config->workload_api.max_age * NANOSECONDS,
        .is_needed = {
            [WORKLOAD_X509] = config->workload_api.needs_x509, [WORKLOAD_JWT] = config->workload_api.needs_jwt}};
    if (!config->workload_api.needs_x509 && !config->workload_api.needs_jwt)
        return false;
    if (feed_stamp_read(config, &look->stamp) != ERR_NONE)
        look->stamp = (struct feed_stamp){0};
    feed_boot_id(look->boot_id);
    look->now_ns = feed_clock_ns();
    return true;
}

static bool read_age(const struct look *look, enum workload_kind kind, uint64_t *seconds)
{
    int64_t age_ns = 0;
    bool is_known = feed_stamp_age(&look->stamp, kind, look->boot_id, look->now_ns, &age_ns);
    *seconds = (uint64_t)age_ns / NANOSECONDS;
    return is_known;
}

static bool is_stale(const struct look *look, enum workload_kind kind)
{
    return feed_stamp_left(&look->stamp, kind, look->boot_id, look->now_ns, look->max_age_ns) == 0;
}

static void write_stream(const struct look *look, enum workload_kind kind, FILE *out)
{
    const struct feed_stream_stamp *stream = &look->stamp.streams[kind];
    uint64_t age = 0;
    char when[RFC3339_BYTES];
    (void)fprintf(out,
                  "{\"stream\": \"%s\", \"state\": \"%s\", \"stale\": %s, \"age_seconds\": ", workload_kind_text(kind),
                  feed_state_text(stream->state), is_stale(look, kind) ? "true" : "false");
    if (read_age(look, kind, &age))
        (void)fprintf(out, "%" PRIu64, age);
    else
        (void)fputs("null", out);
    (void)fprintf(out, ", \"messages\": %" PRIu64 ", \"failures\": %" PRIu64 ", \"last_error\": ", stream->messages,
                  stream->failures);
    if (stream->error_at > 0 && rfc3339_write(stream->error_at, when)) {
        (void)fprintf(out, "{\"time\": \"%.*s\", \"message\": ", RFC3339_BYTES, when);
        utf8_print_json(view_of(stream->error), out);
        (void)fputs("}}", out);
    } else {
        (void)fputs("null}", out);
    }
}

void feed_status_write(const struct config *config, FILE *out)
{
    struct look look;
    if (!look_at(config, &look)) {
        (void)fputs(", \"feed\": null", out);
        return;
    }
    const char *comma = "";
    (void)fputs(", \"feed\": {\"folder\": ", out);
    utf8_print_json(view_of(config->workload_api.folder), out);
    (void)fprintf(out, ", \"max_age_seconds\": %" PRIu32 ", \"streams\": [", config->workload_api.max_age);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        if (!look.is_needed[i])
            continue;
        (void)fputs(comma, out);
        write_stream(&look, (enum workload_kind)i, out);
        comma = ", ";
    }
    (void)fputs("]}", out);
}

static void write_metric(const struct look *look, const char *head, const char *name,
                         bool (*read)(const struct look *look, enum workload_kind kind, uint64_t *value), FILE *out)
{
    (void)fputs(head, out);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        uint64_t value = 0;
        if (look->is_needed[i] && read(look, (enum workload_kind)i, &value))
            (void)fprintf(out, "%s{stream=\"%s\"} %" PRIu64 "\n", name, workload_kind_text((enum workload_kind)i),
                          value);
    }
}

static bool read_stale(const struct look *look, enum workload_kind kind, uint64_t *value)
{
    *value = is_stale(look, kind);
    return true;
}

static bool read_messages(const struct look *look, enum workload_kind kind, uint64_t *value)
{
    *value = look->stamp.streams[kind].messages;
    return true;
}

static bool read_failures(const struct look *look, enum workload_kind kind, uint64_t *value)
{
    *value = look->stamp.streams[kind].failures;
    return true;
}

void feed_status_write_metrics(const struct config *config, FILE *out)
{
    struct look look;
    if (!look_at(config, &look))
        return;
    write_metric(&look,
                 "# HELP bartizan_feed_age_seconds since the Workload API last confirmed what is trusted\n"
                 "# TYPE bartizan_feed_age_seconds gauge\n",
                 "bartizan_feed_age_seconds", read_age, out);
    write_metric(&look,
                 "# HELP bartizan_feed_stale 1 when that is longer ago than workload_api.max_age\n"
                 "# TYPE bartizan_feed_stale gauge\n",
                 "bartizan_feed_stale", read_stale, out);
    write_metric(&look,
                 "# HELP bartizan_feed_messages_total messages of the Workload API that were taken\n"
                 "# TYPE bartizan_feed_messages_total counter\n",
                 "bartizan_feed_messages_total", read_messages, out);
    write_metric(&look,
                 "# HELP bartizan_feed_failures_total streams that broke or were refused, and messages discarded\n"
                 "# TYPE bartizan_feed_failures_total counter\n",
                 "bartizan_feed_failures_total", read_failures, out);
}
