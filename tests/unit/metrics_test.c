/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *text_of(const struct metrics *metrics)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    metrics_write(metrics, "1.2.3", out);
    fclose(out);
    return text;
}

/* Reads `text` as the exposition format and counts lines that are not of it. */
static size_t bad_lines(const char *text)
{
    size_t bad = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t size = (size_t)(strchr(line, '\n') - line);
        if (strncmp(line, "# HELP bartizan_", 16) == 0 || strncmp(line, "# TYPE bartizan_", 16) == 0)
            continue;
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        size_t label = line[name] == '{' ? strcspn(line + name, "}") + 1 : 0;
        size_t value = name + label + 1;
        if (strncmp(line, "bartizan_", 9) != 0 || line[name + label] != ' ' || value >= size ||
            strspn(line + value, "0123456789.") != size - value)
            bad++;
    }
    return bad;
}

static void metrics_count_decisions_by_verdict_and_reason(void **state)
{
    (void)state;
    static struct metrics metrics;
    metrics_decided(&metrics, VERDICT_ALLOW, REASON_RULE, 7000);
    metrics_decided(&metrics, VERDICT_DENY, REASON_DEFAULT, 7000);
    metrics_decided(&metrics, VERDICT_DENY, REASON_DEFAULT, 7000);
    assert_int_equal(metrics_decisions(&metrics, VERDICT_DENY, REASON_DEFAULT), 2);
    assert_int_equal(metrics_decisions(&metrics, VERDICT_ALLOW, REASON_DEFAULT), 0);
    char *text = text_of(&metrics);
    assert_non_null(strstr(text, "\nbartizan_decisions_total{verdict=\"allow\",reason=\"rule\"} 1\n"));
    assert_non_null(strstr(text, "\nbartizan_decisions_total{verdict=\"deny\",reason=\"default\"} 2\n"));
    assert_non_null(strstr(text, "\nbartizan_decisions_total{verdict=\"deny\",reason=\"overload\"} 0\n"));
    assert_null(strstr(text, "{verdict=\"allow\",reason=\"default\"}"));
    free(text);
}

static void metrics_count_a_verdict_outside_the_enum_as_a_denial(void **state)
{
    (void)state;
    static struct metrics metrics;
    metrics_decided(&metrics, (enum verdict)77, (enum reason)777, 1);
    assert_int_equal(metrics_decisions(&metrics, VERDICT_DENY, REASON_INTERNAL), 1);
}

static void metrics_histogram_is_cumulative_and_in_seconds(void **state)
{
    (void)state;
    static struct metrics metrics;
    metrics_decided(&metrics, VERDICT_ALLOW, REASON_RULE, 5000);
    metrics_decided(&metrics, VERDICT_ALLOW, REASON_RULE, 5001);
    metrics_decided(&metrics, VERDICT_ALLOW, REASON_RULE, 2000000000);
    char *text = text_of(&metrics);
    assert_non_null(strstr(text, "_bucket{le=\"0.000005\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.00001\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"1\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "bartizan_check_seconds_sum 2.000010001\n"));
    assert_non_null(strstr(text, "bartizan_check_seconds_count 3\n"));
    free(text);
}

static void metrics_exposition_is_well_formed_and_declares_each_metric_once(void **state)
{
    (void)state;
    static struct metrics metrics;
    metrics_add(&metrics, METRIC_JOURNAL_LOST, 3);
    metrics_set(&metrics, METRIC_SNAPSHOT_GENERATION, 8);
    char *text = text_of(&metrics);
    assert_int_equal(bad_lines(text), 0);
    assert_non_null(strstr(text, "\nbartizan_journal_lost_total 3\n"));
    assert_non_null(strstr(text, "\nbartizan_snapshot_generation 8\n"));
    char *first = strstr(text, "# TYPE bartizan_cache_hits_total counter\n");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# TYPE bartizan_cache_hits_total"));
    free(text);
}

static void metrics_counters_end_in_total_and_gauges_do_not(void **state)
{
    (void)state;
    static struct metrics metrics;
    char *text = text_of(&metrics);
    for (char *line = strstr(text, "# TYPE "); line; line = strstr(line + 1, "# TYPE ")) {
        size_t name = strcspn(line + 7, " ");
        bool is_counter = strncmp(line + 7 + name, " counter\n", 9) == 0;
        bool is_total = name > 6 && strncmp(line + 7 + name - 6, "_total", 6) == 0;
        assert_int_equal(is_counter, is_total);
    }
    free(text);
}

/* docs/metrics.md lists by hand what the table holds; docs/reasons.md is printed by `bartizan reasons`. */
static void metrics_are_all_documented(void **state)
{
    (void)state;
    static char manual[64 * 1024];
    static struct metrics metrics;
    FILE *in = fopen("../docs/metrics.md", "r");
    assert_non_null(in);
    manual[fread(manual, 1, sizeof manual - 1, in)] = '\0';
    fclose(in);
    char *text = text_of(&metrics), name[128];
    for (char *line = strstr(text, "# TYPE "); line; line = strstr(line + 1, "# TYPE ")) {
        snprintf(name, sizeof name, "| `%.*s", (int)strcspn(line + 7, " "), line + 7);
        if (strstr(manual, name) == NULL)
            fail_msg("docs/metrics.md lacks %s", name + 3);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_count_decisions_by_verdict_and_reason),
        cmocka_unit_test(metrics_count_a_verdict_outside_the_enum_as_a_denial),
        cmocka_unit_test(metrics_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(metrics_exposition_is_well_formed_and_declares_each_metric_once),
        cmocka_unit_test(metrics_counters_end_in_total_and_gauges_do_not),
        cmocka_unit_test(metrics_are_all_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
