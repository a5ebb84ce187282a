/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct shadow_log table;
static struct shadow_counts counts;

static int setup(void **state)
{
    (void)state;
    shadow_log_init(&table);
    return 0;
}

static struct decision decided(enum verdict verdict, const char *rule)
{
    return (struct decision){.verdict = verdict, .rule = rule != NULL ? view_of(rule) : (struct view){0}};
}

static void add(struct decision enforced, struct decision shadow, const char *id)
{
    shadow_log_add(&table, 7, &enforced, &shadow, view_of(id));
}

static void agreement_is_no_difference(void **state)
{
    (void)state;
    add(decided(VERDICT_ALLOW, "a"), decided(VERDICT_ALLOW, "a"), "1");
    add(decided(VERDICT_DENY, NULL), decided(VERDICT_DENY, NULL), "2");
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.checks, 2);
    assert_int_equal(counts.differences, 0);
    assert_int_equal(counts.pair_count, 0);
}

static void another_verdict_or_another_rule_is_one(void **state)
{
    (void)state;
    add(decided(VERDICT_ALLOW, "a"), decided(VERDICT_ALLOW, "b"), "1");
    add(decided(VERDICT_ALLOW, "a"), decided(VERDICT_CHALLENGE, "a"), "2");
    add(decided(VERDICT_DENY, NULL), decided(VERDICT_DENY, "a"), "3");
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.differences, 3);
    assert_int_equal(counts.pair_count, 3);
}

static void pairs_are_counted_apart_with_their_latest_decision_the_most_frequent_first(void **state)
{
    (void)state;
    add(decided(VERDICT_ALLOW, "a"), decided(VERDICT_DENY, NULL), "1");
    add(decided(VERDICT_DENY, NULL), decided(VERDICT_ALLOW, "a"), "2"); /* the other direction */
    add(decided(VERDICT_DENY, NULL), decided(VERDICT_ALLOW, "a"), "3");
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.pair_count, 2);
    assert_int_equal(counts.pairs[0].count, 2);
    assert_int_equal(counts.pairs[0].from.verdict, VERDICT_DENY);
    assert_string_equal(counts.pairs[0].from.rule, "");
    assert_string_equal(counts.pairs[0].to.rule, "a");
    assert_string_equal(counts.pairs[0].decision_id, "3");
    assert_int_equal(counts.pairs[1].count, 1);
}

static void a_full_table_counts_the_rest_together(void **state)
{
    char name[32];
    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SHADOW_PAIRS_MAX + 5; i++) {
            (void)snprintf(name, sizeof(name), "rule-%d", i);
            add(decided(VERDICT_ALLOW, name), decided(VERDICT_DENY, NULL), "1");
        }
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.differences, 2 * (SHADOW_PAIRS_MAX + 5));
    assert_int_equal(counts.pair_count, SHADOW_PAIRS_MAX);
    assert_int_equal(counts.others, 10);
    for (size_t i = 0; i < counts.pair_count; i++)
        assert_int_equal(counts.pairs[i].count, 2);
}

static void a_name_that_is_too_long_is_cut_and_still_one_pair(void **state)
{
    char name[4 * SHADOW_RULE_MAX];
    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    add(decided(VERDICT_ALLOW, name), decided(VERDICT_DENY, NULL), name);
    add(decided(VERDICT_ALLOW, name), decided(VERDICT_DENY, NULL), name);
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.pair_count, 1);
    assert_int_equal(strlen(counts.pairs[0].from.rule), SHADOW_RULE_MAX - 1);
    assert_int_equal(strlen(counts.pairs[0].decision_id), SHADOW_ID_MAX - 1);
}

static void a_restart_forgets(void **state)
{
    (void)state;
    add(decided(VERDICT_ALLOW, "a"), decided(VERDICT_DENY, NULL), "1");
    const struct shadow_era era = {.policy_generation = 2, .shadow_generation = 3, .since = 42};
    shadow_log_restart(&table, &era);
    shadow_log_read(&table, &counts);
    assert_int_equal(counts.era.since, 42);
    assert_int_equal(counts.era.shadow_generation, 3);
    assert_int_equal(counts.checks + counts.differences + counts.pair_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(agreement_is_no_difference, setup),
        cmocka_unit_test_setup(another_verdict_or_another_rule_is_one, setup),
        cmocka_unit_test_setup(pairs_are_counted_apart_with_their_latest_decision_the_most_frequent_first, setup),
        cmocka_unit_test_setup(a_full_table_counts_the_rest_together, setup),
        cmocka_unit_test_setup(a_name_that_is_too_long_is_cut_and_still_one_pair, setup),
        cmocka_unit_test_setup(a_restart_forgets, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
