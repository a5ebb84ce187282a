/* SPDX-License-Identifier: Apache-2.0 */
#include "decider_state.h"

#include "bundle_status.h"
#include "feed_status.h"
#include "policy_status.h"
#include "rfc3339.h"
#include "shadow_status.h"
#include "utf8.h"
#include "wiring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { REASON_TEXT = 8 * 1024 /* an issuer's URL and a path */ };

void decider_state_init(struct decider_state *state, const struct config *config, const char *version)
{
    memset(state, 0, sizeof(*state));
    state->config = config;
    state->version = version;
    state->started_at = (int64_t)time(NULL);
    refusal_log_init(&state->refusals);
    shadow_log_init(&state->shadow);
    policy_watch_init(&state->watch, config);
    state->revocation_watch = (struct revocation_watch){.config = config};
    (void)pthread_mutex_init(&state->lock, NULL);
    metrics_set(&state->metrics, METRIC_START_TIME, (uint64_t)state->started_at);
    metrics_set(&state->metrics, METRIC_ENFORCING, config->policy.enforcement == ENFORCE);
    metrics_set(&state->metrics, METRIC_BELIEVES_TEXT, config_believes_text(config));
}

static void set_gauges(struct decider_state *state, const struct snapshot *snapshot)
{
    struct metrics *m = &state->metrics;
    metrics_set(m, METRIC_READY, snapshot->is_ready);
    metrics_set(m, METRIC_SNAPSHOT_GENERATION, snapshot->generation);
    metrics_set(m, METRIC_SNAPSHOT_TIME, (uint64_t)snapshot->built_at);
    metrics_set(m, METRIC_REVOCATION_SEQUENCE, revocations_sequence(snapshot->revocations));
    metrics_set(m, METRIC_RULES, policy_rule_count(snapshot->policy));
}

void decider_state_note(struct decider_state *state, const struct reload_outcome *outcome)
{
    pthread_mutex_lock(&state->lock);
    if (!outcome->is_under_way)
        state->error_at = 0;
    if (outcome->error != ERR_NONE) {
        state->error_at = outcome->at;
        memcpy(state->error, outcome->message, sizeof(state->error));
        metrics_add(&state->metrics, METRIC_RELOAD_FAILURES, 1);
    }
    if (outcome->snapshot != NULL && outcome->snapshot != state->snapshot) {
        if (state->snapshot != NULL)
            metrics_add(&state->metrics, METRIC_RELOADS, 1);
        snapshot_drop(state->snapshot);
        state->snapshot = snapshot_hold(outcome->snapshot);
        set_gauges(state, outcome->snapshot);
    }
    pthread_mutex_unlock(&state->lock);
}

struct snapshot *decider_state_snapshot(struct decider_state *state)
{
    pthread_mutex_lock(&state->lock);
    struct snapshot *snapshot = snapshot_hold(state->snapshot);
    pthread_mutex_unlock(&state->lock);
    return snapshot;
}

bool decider_state_is_ready(struct decider_state *state)
{
    struct snapshot *snapshot = decider_state_snapshot(state);
    bool is_ready = snapshot != NULL && snapshot->is_ready && !atomic_load(&state->is_stopping) &&
                    !policy_standing_has_expired(&snapshot->standing, (int64_t)time(NULL));
    snapshot_drop(snapshot);
    return is_ready;
}

/* ---- JSON ---------------------------------------------------------------- */

static void write_time(int64_t seconds, FILE *out)
{
    char text[RFC3339_BYTES];
    if (rfc3339_write(seconds, text))
        (void)fprintf(out, "\"%.*s\"", RFC3339_BYTES, text);
    else
        (void)fputs("null", out);
}

struct json_list {
    FILE *out;
    bool has_items;
};

static void next_item(struct json_list *list)
{
    (void)fputs(list->has_items ? ", " : "", list->out);
    list->has_items = true;
}

/* ---- why not ready ------------------------------------------------------- */

static struct view reason_text(const struct missing_file *file, char text[REASON_TEXT])
{
    const char *how = file->is_stale ? "was not confirmed by the Workload API within max_age" : "is not there yet";
    int size = snprintf(text, REASON_TEXT, "%s of %.*s %s: %s", file->what, VIEW_ARG(file->of), how, file->path);
    return (struct view){.data = text, .size = size < REASON_TEXT ? (size_t)size : REASON_TEXT - 1};
}

static void reason_json(void *context, const struct missing_file *file)
{
    struct json_list *list = context;
    char text[REASON_TEXT];
    next_item(list);
    utf8_print_json(reason_text(file, text), list->out);
}

static void reason_line(void *context, const struct missing_file *file)
{
    char text[REASON_TEXT];
    (void)fprintf(context, "%.*s\n", VIEW_ARG(reason_text(file, text)));
}

static void write_each_reason(const struct decider_state *state, const struct snapshot *snapshot, FILE *out)
{
    char text[POLICY_STANDING_TEXT];
    struct view objection = policy_status_objection(&snapshot->standing, state->config, (int64_t)time(NULL), text);
    if (view_is_present(objection))
        (void)fprintf(out, "%.*s\n", VIEW_ARG(objection));
    snapshot_each_missing(snapshot, state->config, reason_line, out);
}

void decider_state_write_reasons(struct decider_state *state, FILE *out)
{
    struct snapshot *snapshot = decider_state_snapshot(state);
    if (atomic_load(&state->is_stopping))
        (void)fputs("the decider is stopping\n", out);
    if (snapshot != NULL)
        write_each_reason(state, snapshot, out);
    snapshot_drop(snapshot);
}

/* ---- status -------------------------------------------------------------- */

static void write_head(struct decider_state *state, const struct snapshot *snapshot, int64_t now, FILE *out)
{
    struct json_list list = {.out = out};
    (void)fprintf(out, "{\"ready\": %s, \"not_ready_reasons\": [", decider_state_is_ready(state) ? "true" : "false");
    if (atomic_load(&state->is_stopping)) {
        next_item(&list);
        utf8_print_json(VIEW("the decider is stopping"), out);
    }
    char text[POLICY_STANDING_TEXT];
    struct view objection = policy_status_objection(&snapshot->standing, state->config, now, text);
    if (view_is_present(objection)) {
        next_item(&list);
        utf8_print_json(objection, out);
    }
    snapshot_each_missing(snapshot, state->config, reason_json, &list);
    (void)fprintf(out, "], \"pid\": %d, \"version\": \"%s\", \"time\": ", (int)getpid(), state->version);
    write_time(now, out);
    (void)fprintf(out, ", \"uptime_seconds\": %" PRId64 ", \"instance\": ", now - state->started_at);
    utf8_print_json(state->config->instance, out);
    (void)fprintf(out, ", \"enforcement\": \"%s\", \"xfcc_text\": %s, \"config\": ",
                  state->config->policy.enforcement == REPORT ? "report" : "enforce",
                  config_believes_text(state->config) ? "true" : "false");
    utf8_print_json(view_of(state->config->file), out);
}

static void write_issuers(const struct decider_state *state, const struct snapshot *snapshot, FILE *out)
{
    struct json_list list = {.out = out};
    for (size_t i = 0; i < state->config->tokens.issuer_count; i++) {
        struct view url = state->config->tokens.issuers[i].url;
        const struct jwks *keys = jwks_sets_find(snapshot->keys, url);
        bool is_available = keys != NULL && jwks_is_available(keys);
        next_item(&list);
        (void)fputs("{\"url\": ", out);
        utf8_print_json(url, out);
        (void)fprintf(out, ", \"keys\": %zu, \"available\": %s}", is_available ? jwks_count(keys) : 0,
                      is_available ? "true" : "false");
    }
}

static void write_snapshot(const struct decider_state *state, const struct snapshot *snapshot, int64_t now, FILE *out)
{
    (void)fprintf(out, ", \"snapshot\": {\"generation\": %" PRIu64 ", \"age_seconds\": %" PRId64, snapshot->generation,
                  now - snapshot->built_at);
    (void)fprintf(out, ", \"policy\": {\"generation\": %" PRIu64 ", \"digest\": \"%.*s\", \"rules\": %zu, \"path\": ",
                  snapshot->policy_generation, VIEW_ARG(policy_digest(snapshot->policy)),
                  policy_rule_count(snapshot->policy));
    utf8_print_json(view_of(state->config->policy.path), out);
    policy_status_write(&snapshot->standing, now, out);
    (void)fprintf(out, "}, \"bundles\": {\"generation\": %" PRIu64 ", \"digest\": \"%.*s\", \"domains\": ",
                  snapshot->bundle_generation, VIEW_ARG(trust_bundles_digest(snapshot->bundles)));
    bundle_status_write(snapshot->bundles, out);
    (void)fprintf(out, "}, \"keys\": {\"generation\": %" PRIu64 ", \"issuers\": [", snapshot->key_generation);
    write_issuers(state, snapshot, out);
    (void)fprintf(out,
                  "]}, \"revocations\": {\"generation\": %" PRIu64 ", \"sequence\": %" PRIu64 ", \"entries\": %zu}}",
                  snapshot->revocation_generation, revocations_sequence(snapshot->revocations),
                  revocations_count(snapshot->revocations));
}

static void write_error(struct decider_state *state, FILE *out)
{
    (void)fputs(", \"last_reload_error\": ", out);
    pthread_mutex_lock(&state->lock);
    if (state->error_at == 0) {
        (void)fputs("null", out);
    } else {
        (void)fputs("{\"time\": ", out);
        write_time(state->error_at, out);
        (void)fputs(", \"message\": ", out);
        utf8_print_json(view_of(state->error), out);
        (void)fputc('}', out);
    }
    pthread_mutex_unlock(&state->lock);
}

static void write_compile(struct decider_state *state, int64_t now, FILE *out)
{
    int64_t since = reload_under_way_since(state->reload);
    (void)fputs(", \"policy_under_way\": ", out);
    if (since == 0) {
        (void)fputs("null", out);
        return;
    }
    (void)fputs("{\"since\": ", out);
    write_time(since, out);
    (void)fprintf(out, ", \"seconds\": %" PRId64 "}", now > since ? now - since : 0);
}

struct reason_count {
    enum reason reason;
    uint64_t count;
};

static int most_first(const void *a, const void *b)
{
    uint64_t x = ((const struct reason_count *)a)->count, y = ((const struct reason_count *)b)->count;
    return x < y ? 1 : -(x > y);
}

static void write_decisions(const struct decider_state *state, FILE *out)
{
    struct reason_count counts[REASON_COUNT];
    uint64_t totals[METRIC_VERDICTS] = {0};
    for (size_t i = 0; i < REASON_COUNT; i++) {
        counts[i] = (struct reason_count){.reason = (enum reason)i};
        for (size_t v = 0; v < METRIC_VERDICTS; v++) {
            uint64_t n = metrics_decisions(&state->metrics, (enum verdict)v, (enum reason)i);
            totals[v] += n;
            counts[i].count += v == VERDICT_ALLOW ? 0 : n;
        }
    }
    (void)fprintf(out,
                  ", \"decisions\": {\"allow\": %" PRIu64 ", \"challenge\": %" PRIu64 ", \"deny\": %" PRIu64
                  "}, \"refusals\": [",
                  totals[VERDICT_ALLOW], totals[VERDICT_CHALLENGE], totals[VERDICT_DENY]);
    qsort(counts, REASON_COUNT, sizeof(counts[0]), most_first);
    for (size_t i = 0; i < REASON_COUNT && counts[i].count > 0; i++)
        (void)fprintf(out, "%s{\"reason\": \"%.*s\", \"count\": %" PRIu64 "}", i > 0 ? ", " : "",
                      VIEW_ARG(reason_info(counts[i].reason)->name), counts[i].count);
    (void)fprintf(out, "], \"report_only\": {\"would_deny\": %" PRIu64 ", \"would_challenge\": %" PRIu64 "}",
                  metrics_get(&state->metrics, METRIC_WOULD_DENY),
                  metrics_get(&state->metrics, METRIC_WOULD_CHALLENGE));
}

static void write_recent(struct decider_state *state, FILE *out)
{
    struct refusal recent[REFUSAL_LOG_ENTRIES];
    struct json_list list = {.out = out};
    size_t count = refusal_log_read(&state->refusals, recent);
    (void)fputs(", \"recent_refusals\": [", out);
    for (size_t i = 0; i < count; i++) {
        next_item(&list);
        (void)fputs("{\"time\": ", out);
        write_time(recent[i].at, out);
        (void)fputs(", \"decision_id\": ", out);
        utf8_print_json(view_of(recent[i].decision_id), out);
        (void)fprintf(out, ", \"reason\": \"%.*s\", \"caller\": ", VIEW_ARG(reason_info(recent[i].reason)->name));
        if (recent[i].caller[0] == '\0')
            (void)fputs("null", out);
        else
            utf8_print_json(view_of(recent[i].caller), out);
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

static void write_wiring(const struct decider_state *state, FILE *out)
{
    struct json_list list = {.out = out};
    (void)fputs(", \"wiring\": [", out);
    for (enum wiring_fault fault = 0; fault < WIRING_FAULTS; fault++) {
        const struct wiring_info *info = wiring_info(fault);
        uint64_t count = metrics_get(&state->metrics, info->metric);
        if (count == 0)
            continue;
        next_item(&list);
        (void)fprintf(out, "{\"code\": \"%s\", \"count\": %" PRIu64 ", \"meaning\": ", info->code, count);
        utf8_print_json(view_of(info->meaning), out);
        (void)fputs(", \"do\": ", out);
        utf8_print_json(view_of(info->advice), out);
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

static void write_journal(const struct decider_state *state, FILE *out)
{
    char hex[2 * JOURNAL_EPOCH_BYTES];
    if (state->journal == NULL) {
        (void)fputs(", \"journal\": null", out);
        return;
    }
    hex_encode(state->epoch, sizeof(state->epoch), hex);
    (void)fputs(", \"journal\": {\"path\": ", out);
    utf8_print_json(view_of(state->config->audit.journal.path), out);
    (void)fprintf(out, ", \"epoch\": \"%.*s\", \"next_sequence\": %" PRIu64 ", \"lost\": %" PRIu64 "}",
                  (int)sizeof(hex), hex, journal_writer_next_sequence(state->journal),
                  metrics_get(&state->metrics, METRIC_JOURNAL_LOST));
}

/* How many a cache holds is known to the deciding thread alone. */
static void write_cache(const struct decider_state *state, const char *name, uint64_t bytes, enum metric hits,
                        enum metric misses, FILE *out)
{
    (void)fprintf(
        out, "\"%s\": {\"entries\": null, \"capacity\": %" PRIu32 ", \"hits\": %" PRIu64 ", \"misses\": %" PRIu64 "}",
        name, check_cache_entries(bytes), metrics_get(&state->metrics, hits), metrics_get(&state->metrics, misses));
}

static void write_listeners(const struct decider_state *state, FILE *out)
{
    struct json_list list = {.out = out};
    (void)fprintf(out, ", \"parked\": %" PRIu64 ", \"listeners\": [", metrics_get(&state->metrics, METRIC_PARKED));
    for (size_t i = 0; i < state->config->listener_count; i++) {
        const struct listener_config *listener = &state->config->listeners[i];
        char address[512];
        if (listener->kind == LISTENER_UNIX)
            (void)snprintf(address, sizeof(address), "unix://%s", listener->path);
        else
            (void)snprintf(address, sizeof(address), strchr(listener->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                           listener->host, listener->port);
        next_item(&list);
        (void)fputs("{\"address\": ", out);
        utf8_print_json(view_of(address), out);
        (void)fprintf(out, ", \"connections\": %u}",
                      state->server != NULL ? rpc_server_connections(state->server, i) : 0);
    }
    (void)fputc(']', out);
}

void decider_state_write_status(struct decider_state *state, FILE *out)
{
    int64_t now = (int64_t)time(NULL);
    struct snapshot *snapshot = decider_state_snapshot(state);
    write_head(state, snapshot, now, out);
    write_snapshot(state, snapshot, now, out);
    write_error(state, out);
    write_compile(state, now, out);
    feed_status_write(state->config, out);
    shadow_status_write(&state->shadow, state->config, snapshot, out);
    write_decisions(state, out);
    write_recent(state, out);
    write_wiring(state, out);
    write_journal(state, out);
    (void)fputs(", \"caches\": {", out);
    write_cache(state, "certificates", state->config->limits.caller_cache, METRIC_CERTIFICATE_HITS,
                METRIC_CERTIFICATE_MISSES, out);
    (void)fputs(", ", out);
    write_cache(state, "tokens", state->config->limits.token_cache, METRIC_TOKEN_HITS, METRIC_TOKEN_MISSES, out);
    (void)fputc('}', out);
    write_listeners(state, out);
    (void)fputs("}\n", out);
    snapshot_drop(snapshot);
}

void decider_state_write_metrics(struct decider_state *state, FILE *out)
{
    metrics_set(&state->metrics, METRIC_READY, decider_state_is_ready(state));
    if (state->journal != NULL)
        metrics_set(&state->metrics, METRIC_JOURNAL_RECORDS, journal_writer_next_sequence(state->journal));
    metrics_write(&state->metrics, state->version, out);
    struct snapshot *snapshot = decider_state_snapshot(state);
    if (snapshot != NULL)
        policy_status_write_metrics(&snapshot->standing, out);
    snapshot_drop(snapshot);
    feed_status_write_metrics(state->config, out);
    if (state->config->policy.shadow != NULL)
        shadow_status_write_metrics(&state->shadow, out);
}

void decider_state_write_generations(struct decider_state *state, bool is_under_way, FILE *out)
{
    struct snapshot *s = decider_state_snapshot(state);
    (void)fprintf(out,
                  "{\"generation\": %" PRIu64 ", \"policy_generation\": %" PRIu64 ", \"bundle_generation\": %" PRIu64
                  ", \"key_generation\": %" PRIu64 ", \"revocation_generation\": %" PRIu64
                  ", \"shadow_generation\": %" PRIu64 ", \"revocation_sequence\": %" PRIu64
                  ", \"policy_digest\": \"%.*s\", \"policy_under_way\": %s}\n",
                  s->generation, s->policy_generation, s->bundle_generation, s->key_generation,
                  s->revocation_generation, s->shadow_generation, revocations_sequence(s->revocations),
                  VIEW_ARG(policy_digest(s->policy)), is_under_way ? "true" : "false");
    snapshot_drop(s);
}
