/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow_status.h"

#include "rfc3339.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>

static void write_time(int64_t seconds, FILE *out)
{
    char text[RFC3339_BYTES];
    if (seconds != 0 && rfc3339_write(seconds, text))
        (void)fprintf(out, "\"%.*s\"", RFC3339_BYTES, text);
    else
        (void)fputs("null", out);
}

static void write_side(const char *name, const struct shadow_side *side, FILE *out)
{
    (void)fprintf(out, "\"%s\": {\"verdict\": \"%s\", \"rule\": ", name, verdict_text(side->verdict));
    if (side->rule[0] == '\0')
        (void)fputs("null", out);
    else
        utf8_print_json(view_of(side->rule), out);
    (void)fputc('}', out);
}

static void write_pair(const struct shadow_pair *pair, FILE *out)
{
    (void)fputc('{', out);
    write_side("from", &pair->from, out);
    (void)fputs(", ", out);
    write_side("to", &pair->to, out);
    (void)fprintf(out, ", \"count\": %" PRIu64 ", \"decision_id\": ", pair->count);
    utf8_print_json(view_of(pair->decision_id), out);
    (void)fputs(", \"time\": ", out);
    write_time(pair->at, out);
    (void)fputc('}', out);
}

static void write_counts(const struct shadow_counts *counts, FILE *out)
{
    (void)fputs(", \"since\": ", out);
    write_time(counts->era.since, out);
    (void)fprintf(out, ", \"checks\": %" PRIu64 ", \"differences\": %" PRIu64 ", \"others\": %" PRIu64 ", \"pairs\": [",
                  counts->checks, counts->differences, counts->others);
    for (size_t i = 0; i < counts->pair_count; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        write_pair(&counts->pairs[i], out);
    }
    (void)fputs("]}", out);
}

void shadow_status_write(struct shadow_log *log, const struct config *config, const struct snapshot *snapshot,
                         FILE *out)
{
    const struct policy *shadow = snapshot->shadow;
    struct shadow_counts *counts = config->policy.shadow != NULL ? calloc(1, sizeof(*counts)) : NULL;
    if (counts == NULL) {
        (void)fputs(", \"shadow\": null", out);
        return;
    }
    shadow_log_read(log, counts);
    /* The deciding thread takes a snapshot with its next check, and then starts over. */
    if (counts->era.policy_generation != snapshot->policy_generation ||
        counts->era.shadow_generation != snapshot->shadow_generation)
        *counts = (struct shadow_counts){.era.since = shadow != NULL ? snapshot->built_at : 0};
    (void)fputs(", \"shadow\": {\"path\": ", out);
    utf8_print_json(view_of(config->policy.shadow), out);
    if (shadow != NULL)
        (void)fprintf(out, ", \"loaded\": true, \"generation\": %" PRIu64 ", \"digest\": \"%.*s\", \"rules\": %zu",
                      snapshot->shadow_generation, VIEW_ARG(policy_digest(shadow)), policy_rule_count(shadow));
    else
        (void)fputs(", \"loaded\": false, \"generation\": 0, \"digest\": null, \"rules\": 0", out);
    write_counts(counts, out);
    free(counts);
}

/* A label's value: exposition format 0.0.4 escapes backslash, quote and line feed. */
static void write_label(const char *name, const struct shadow_side *side, FILE *out)
{
    (void)fprintf(out, "%s=\"%s:", name, verdict_text(side->verdict));
    for (const char *at = side->rule[0] != '\0' ? side->rule : "default"; *at != '\0'; at++) {
        if (*at == '\n') {
            (void)fputs("\\n", out);
            continue;
        }
        if (*at == '\\' || *at == '"')
            (void)fputc('\\', out);
        (void)fputc(*at, out);
    }
    (void)fputc('"', out);
}

void shadow_status_write_metrics(struct shadow_log *log, FILE *out)
{
    struct shadow_counts *counts = calloc(1, sizeof(*counts));
    if (counts == NULL)
        return;
    shadow_log_read(log, counts);
    (void)fprintf(out,
                  "# HELP bartizan_shadow_checks_total checks that the shadow policy judged too\n"
                  "# TYPE bartizan_shadow_checks_total counter\nbartizan_shadow_checks_total %" PRIu64
                  "\n# HELP bartizan_shadow_differences_total checks where its verdict or rule is another\n"
                  "# TYPE bartizan_shadow_differences_total counter\n",
                  counts->checks);
    for (size_t i = 0; i < counts->pair_count; i++) {
        (void)fputs("bartizan_shadow_differences_total{", out);
        write_label("from", &counts->pairs[i].from, out);
        (void)fputc(',', out);
        write_label("to", &counts->pairs[i].to, out);
        (void)fprintf(out, "} %" PRIu64 "\n", counts->pairs[i].count);
    }
    (void)fprintf(out, "bartizan_shadow_differences_total{from=\"other\",to=\"other\"} %" PRIu64 "\n", counts->others);
    free(counts);
}
