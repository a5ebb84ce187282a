/* SPDX-License-Identifier: Apache-2.0 */
/* What analysis says of a policy, held against what the policy decides, on generated pairs. */
#include "coverage.h"
#include "lint_covers.h"
#include "policy.h"
#include "policy_generator.h"
#include "why_not.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { POLICIES = 150, REQUESTS = 60, MEMORY = 1 << 24 };

static char text_buffer[2 * GENERATED_TEXT_MAX];

static struct policy *build(struct view text)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("generated.yaml"), .text = text};
    arena_init(&arena, MEMORY);
    diag_list_init(&diags, &arena);
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        fail_msg("a generated policy does not build:\n%.*s", VIEW_ARG(text));
    }
    arena_free(&arena);
    return policy;
}

/* Calls `look` for every generated policy and request. */
static void each_pair(uint64_t first, size_t policies,
                      void (*look)(const struct policy *policy, const struct facts *facts, struct arena *arena))
{
    for (uint64_t seed = first; seed < first + policies; seed++) {
        struct random random = random_of(seed);
        static struct generated_policy generated;
        generate_policy(&random, &generated);
        struct policy *policy = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        for (size_t i = 0; i < REQUESTS; i++) {
            struct arena arena;
            struct facts facts;
            arena_init(&arena, MEMORY);
            generate_facts(&random, &arena, &facts);
            look(policy, &facts, &arena);
            arena_free(&arena);
        }
        policy_free(policy);
    }
}

/* How often the interesting thing came: a run that tests nothing shows. */
static size_t lacking, challenged, allowed, covered, decided;

static void look_why_not(const struct policy *policy, const struct facts *facts, struct arena *arena)
{
    struct why_not why;
    struct decision decision;
    policy_decide(policy, facts, arena, &decision);
    assert_int_equal(why_not(policy_model(policy), facts, arena, &why), ERR_NONE);
    if (why.refused != REASON_NONE) {
        assert_int_equal(decision.reason, why.refused);
        assert_int_equal(why.rule_count, 0);
        return;
    }
    assert_int_equal(why.rule_count + why.other_count, policy_rule_count(policy));
    for (size_t i = 0; i < why.rule_count; i++) {
        const struct rule_view *view = &why.rules[i];
        bool is_first_lack = view_equals(view->rule->name, decision.closest) && view_is_present(decision.closest);
        if (view->rule->effect == RULE_DENY || view->outcome == OUTCOME_ALLOW) {
            assert_int_equal(view->lack_count, 0);
            allowed += view->outcome == OUTCOME_ALLOW;
        } else if (view->outcome == OUTCOME_CHALLENGE) {
            assert_int_equal(view->lack_count, 1);
            assert_true(view_equals(view->lacks[0].what, VIEW("assurance")));
            challenged++;
        } else {
            assert_true(view->lack_count > 0);
            assert_true(view->lacks[0].words.size > 0);
            lacking++;
        }
        if (is_first_lack)
            assert_true(view_equals(view->lacks[0].words, decision.missing));
    }
}

static void why_not_finds_a_lack_exactly_where_a_rule_does_not_allow(void **state)
{
    (void)state;
    each_pair(1, POLICIES, look_why_not);
    print_message("%zu rules lack something, %zu assurance alone, %zu nothing\n", lacking, challenged, allowed);
    assert_true(lacking > 1000 && challenged > 10 && allowed > 100);
}

static void look_never(const struct policy *policy, const struct facts *facts, struct arena *arena)
{
    const struct model *model = policy_model(policy);
    struct decision decision;
    policy_decide(policy, facts, arena, &decision);
    for (size_t i = 0; i < model->rule_count; i++)
        for (size_t k = 0; k < model->rule_count; k++) {
            if (!lint_covers(&model->rules[i], &model->rules[k]))
                continue;
            covered++;
            decided += view_equals(decision.rule, model->rules[i].name) && view_is_present(decision.rule);
            if (view_is_present(decision.rule) && view_equals(decision.rule, model->rules[k].name))
                fail_msg("`%.*s` decides though `%.*s` covers it:\n%s", VIEW_ARG(model->rules[k].name),
                         VIEW_ARG(model->rules[i].name), text_buffer);
        }
}

static void a_rule_that_is_covered_never_decides(void **state)
{
    (void)state;
    each_pair(1000, 4 * (size_t)POLICIES, look_never);
    print_message("%zu times a covered rule, %zu times the covering one decided\n", covered, decided);
    assert_true(covered > 100 && decided > 10);
}

static void look_coverage(const struct policy *policy, const struct facts *facts, struct arena *arena)
{
    const struct model *model = policy_model(policy);
    struct coverage coverage;
    struct decision decision;
    policy_decide(policy, facts, arena, &decision);
    assert_int_equal(coverage_init(&coverage, model, arena), ERR_NONE);
    assert_int_equal(coverage_add(&coverage, facts, &decision), ERR_NONE);
    assert_int_equal(coverage_seen(&coverage, COVERAGE_RULES), view_is_present(decision.rule) ? 1 : 0);
    if (view_is_present(decision.rule) && view_is_present(decision.action))
        assert_true(coverage_seen(&coverage, COVERAGE_ACTIONS) > 0);
    if (decision.verdict == VERDICT_CHALLENGE)
        assert_true(coverage_seen(&coverage, COVERAGE_ASSURANCES) > 0);
    for (size_t part = 0; part < COVERAGE_PARTS; part++)
        assert_true(coverage_seen(&coverage, (enum coverage_part)part) <= coverage.total[part]);
}

static void coverage_counts_what_a_decision_names(void **state)
{
    (void)state;
    each_pair(5000, POLICIES / 3, look_coverage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(why_not_finds_a_lack_exactly_where_a_rule_does_not_allow),
        cmocka_unit_test(a_rule_that_is_covered_never_decides),
        cmocka_unit_test(coverage_counts_what_a_decision_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
