/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_compare.h"
#include "policy_internal.h"
#include "test_case.h"

enum { SCRATCH_MAX = 4 * 1024 * 1024 };

size_t policy_test(const struct policy *policy, void (*each)(void *context, const struct policy_test_result *result),
                   void *context)
{
    size_t failures = 0;
    for (size_t i = 0; i < policy->test_count; i++) {
        const struct test_case *test = &policy->tests[i];
        struct arena scratch;
        struct decision compiled, reference;
        arena_init(&scratch, SCRATCH_MAX);
        policy_decide(policy, &test->facts, &scratch, &compiled);
        policy_interpret(policy, &test->facts, &scratch, &reference);
        const char *difference = decisions_differ(&compiled, &reference);
        struct policy_test_result result = {.name = test->name,
                                            .passed =
                                                difference == NULL && expectation_is_met(&test->expected, &compiled),
                                            .expected = expectation_words(&test->expected, &scratch),
                                            .got = expectation_answer(&compiled, &scratch),
                                            .span = test->span,
                                            .facts = &test->facts,
                                            .decision = &compiled};
        if (difference != NULL) {
            struct view other = expectation_answer(&reference, &scratch);
            result.got = arena_print(&scratch, "%.*s; the reference interpreter says %.*s (%s): this is a bug",
                                     VIEW_ARG(result.got), VIEW_ARG(other), difference);
        }
        failures += !result.passed;
        if (each != NULL)
            each(context, &result);
        arena_free(&scratch);
    }
    return failures;
}

const struct facts *policy_test_facts(const struct policy *policy, size_t index)
{
    return index < policy->test_count ? &policy->tests[index].facts : NULL;
}
