/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_case.h"

#include "decision_compare.h"
#include "policy_internal.h"
#include "test_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct policy *current;
static char scratch_memory[2][POLICY_CASE_SCRATCH];

static struct policy *build(struct view text)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("case.yaml"), .text = text};
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        fail_msg("the policy does not build:\n%.*s", VIEW_ARG(text));
    }
    arena_free(&arena);
    return policy;
}

static void current_free(void)
{
    if (current)
        policy_free(current);
    current = NULL;
}

int policy_case_close(void **state)
{
    (void)state;
    current_free();
    return 0;
}

bool policy_case_rule_is(struct view rule, const char *name)
{
    const struct view document = VIEW("case/");
    if (!view_is_present(rule))
        return name == NULL || *name == '\0';
    return view_starts_with(rule, document) && view_equals(view_slice(rule, document.size, rule.size), view_of(name));
}

const struct policy *policy_case_policy(void)
{
    return current;
}

void policy_case(const char *spec, const char *given, struct decision *out)
{
    static char text[65536];
    int size = snprintf(text, sizeof text,
                        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: case}\nspec:\n%s"
                        "  tests:\n    - {name: one, given: %s, expect: deny}\n",
                        spec, given);
    assert_true(size > 0 && (size_t)size < sizeof text);
    current_free();
    current = build((struct view){.data = text, .size = (size_t)size});
    assert_int_equal(current->test_count, 1);
    struct arena scratch;
    struct decision other;
    arena_init_fixed(&scratch, scratch_memory[0], sizeof scratch_memory[0]);
    policy_decide(current, &current->tests[0].facts, &scratch, out);
    arena_init_fixed(&scratch, scratch_memory[1], sizeof scratch_memory[1]);
    policy_interpret(current, &current->tests[0].facts, &scratch, &other);
    const char *what = decisions_differ(out, &other);
    if (what)
        fail_msg("%s: the evaluators differ in %s", given, what);
}

struct decision policy_case_ask(const char *common, const char *rules, const char *given)
{
    static char spec[65536], flow[4096];
    struct decision out;
    int spec_size = snprintf(spec, sizeof spec, "%s  rules:\n%s", common, rules);
    int flow_size = snprintf(flow, sizeof flow, "{%s}", given);
    assert_true(spec_size > 0 && (size_t)spec_size < sizeof spec);
    assert_true(flow_size > 0 && (size_t)flow_size < sizeof flow);
    policy_case(spec, flow, &out);
    return out;
}

void policy_case_within(size_t size, struct decision *out)
{
    struct arena scratch;
    assert_true(current && size <= POLICY_CASE_SCRATCH);
    arena_init_fixed(&scratch, scratch_memory[1], size);
    policy_decide(current, &current->tests[0].facts, &scratch, out);
}
