/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_internal.h"
#include "test_case.h"

enum { SCRATCH_MAX = 4 * 1024 * 1024 };

/* ---- comparing --------------------------------------------------------------------------- */

static bool same_views(const struct view *a, size_t a_count, const struct view *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!view_equals(a[i], b[i]))
            return false;
    return true;
}

static bool same_headers(const struct header_obligation *a, size_t a_count, const struct header_obligation *b,
                         size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (a[i].action != b[i].action || !view_equals(a[i].name, b[i].name) || !view_equals(a[i].value, b[i].value))
            return false;
    return true;
}

static bool same_obligations(const struct obligations *a, const struct obligations *b)
{
    return same_headers(a->request_headers, a->request_header_count, b->request_headers, b->request_header_count) &&
           same_headers(a->response_headers, a->response_header_count, b->response_headers, b->response_header_count) &&
           same_headers(a->metadata, a->metadata_count, b->metadata, b->metadata_count) &&
           same_headers(a->query_params, a->query_param_count, b->query_params, b->query_param_count) &&
           same_views(a->remove_queries, a->remove_query_count, b->remove_queries, b->remove_query_count) &&
           same_views(a->remove_headers, a->remove_header_count, b->remove_headers, b->remove_header_count) &&
           a->has_max_stream == b->has_max_stream && a->max_stream == b->max_stream &&
           a->max_stream_by_credentials == b->max_stream_by_credentials;
}

/* Everything that leaves the evaluator; the work counter differs by design. */
static bool same_decision(const struct decision *a, const struct decision *b)
{
    return a->verdict == b->verdict && a->reason == b->reason && view_equals(a->rule, b->rule) &&
           view_equals(a->closest, b->closest) && view_equals(a->attribute, b->attribute) && a->audit == b->audit &&
           a->challenge.has_max_age == b->challenge.has_max_age && a->challenge.max_age == b->challenge.max_age &&
           same_views(a->challenge.acr_values, a->challenge.acr_count, b->challenge.acr_values,
                      b->challenge.acr_count) &&
           view_equals(a->scope, b->scope) && view_equals(a->purpose, b->purpose) &&
           view_equals(a->resource_type, b->resource_type) && view_equals(a->resource_id, b->resource_id) &&
           view_equals(a->action, b->action) && same_obligations(&a->obligations, &b->obligations) &&
           a->denial.status == b->denial.status && view_equals(a->denial.body, b->denial.body) &&
           view_equals(a->denial.grpc_message, b->denial.grpc_message);
}

/* ---- running ------------------------------------------------------------------------------ */

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
        bool is_same = same_decision(&compiled, &reference);
        struct policy_test_result result = {.name = test->name,
                                            .passed = is_same && expectation_is_met(&test->expected, &compiled),
                                            .expected = expectation_words(&test->expected, &scratch),
                                            .got = expectation_answer(&compiled, &scratch),
                                            .span = test->span,
                                            .facts = &test->facts,
                                            .decision = &compiled};
        if (!is_same)
            result.got = arena_print(&scratch, "%.*s; the reference interpreter says %.*s: this is a bug",
                                     VIEW_ARG(result.got), VIEW_ARG(expectation_answer(&reference, &scratch)));
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
