/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_internal.h"
#include "test_case.h"

enum { SCRATCH_MAX = 4 * 1024 * 1024 };

/* ---- in words ------------------------------------------------------------------------ */

static struct view words_of_list(struct arena *arena, struct view text, const struct view *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text = arena_print(arena, "%.*s%s%.*s", VIEW_ARG(text), i > 0 ? " " : "", VIEW_ARG(items[i]));
    return text;
}

static struct view words_of_expectation(struct arena *arena, const struct expectation *expected)
{
    struct view text = arena_print(arena, "%s", verdict_text(expected->verdict));
    if (expected->is_default)
        text = arena_print(arena, "%.*s by default", VIEW_ARG(text));
    if (view_is_present(expected->rule))
        text = arena_print(arena, "%.*s by `%.*s`", VIEW_ARG(text), VIEW_ARG(expected->rule));
    if (view_is_present(expected->reason))
        text = arena_print(arena, "%.*s, reason %.*s", VIEW_ARG(text), VIEW_ARG(expected->reason));
    if (expected->has_acr_values) {
        text = arena_print(arena, "%.*s, acr_values ", VIEW_ARG(text));
        text = words_of_list(arena, text, expected->acr_values.items, expected->acr_values.count);
    }
    if (expected->has_max_age)
        text = arena_print(arena, "%.*s, max_age %u", VIEW_ARG(text), expected->max_age);
    for (size_t i = 0; i < expected->header_count; i++)
        text = arena_print(arena, "%.*s, %.*s: %.*s", VIEW_ARG(text), VIEW_ARG(expected->headers[i].key),
                           VIEW_ARG(expected->headers[i].value));
    return text;
}

static struct view words_of_decision(struct arena *arena, const struct decision *decision)
{
    struct view text = arena_print(arena, "%s", verdict_text(decision->verdict));
    if (view_is_present(decision->rule))
        text = arena_print(arena, "%.*s by `%.*s`", VIEW_ARG(text), VIEW_ARG(decision->rule));
    else
        text = arena_print(arena, "%.*s by default", VIEW_ARG(text));
    text = arena_print(arena, "%.*s, reason %.*s", VIEW_ARG(text), VIEW_ARG(reason_info(decision->reason)->name));
    if (decision->verdict == VERDICT_CHALLENGE) {
        text = arena_print(arena, "%.*s, acr_values ", VIEW_ARG(text));
        text = words_of_list(arena, text, decision->challenge.acr_values, decision->challenge.acr_count);
        if (decision->challenge.has_max_age)
            text = arena_print(arena, "%.*s, max_age %u", VIEW_ARG(text), decision->challenge.max_age);
    }
    if (view_is_present(decision->closest))
        text = arena_print(arena, "%.*s, closest `%.*s`", VIEW_ARG(text), VIEW_ARG(decision->closest));
    if (view_is_present(decision->missing))
        text = arena_print(arena, "%.*s: %.*s", VIEW_ARG(text), VIEW_ARG(decision->missing));
    for (size_t i = 0; i < decision->obligations.request_header_count; i++)
        text = arena_print(arena, "%.*s, %.*s: %.*s", VIEW_ARG(text),
                           VIEW_ARG(decision->obligations.request_headers[i].name),
                           VIEW_ARG(decision->obligations.request_headers[i].value));
    return text;
}

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
           a->denial.status == b->denial.status && view_equals(a->denial.body, b->denial.body);
}

static bool sets_header(const struct obligations *obligations, const struct label *header)
{
    for (size_t i = 0; i < obligations->request_header_count; i++)
        if (view_equals(obligations->request_headers[i].name, header->key) &&
            view_equals(obligations->request_headers[i].value, header->value))
            return true;
    return false;
}

static bool is_expected(const struct expectation *expected, const struct decision *decision)
{
    bool is_met = decision->verdict == expected->verdict;
    if (expected->is_default)
        is_met = is_met && !view_is_present(decision->rule);
    if (view_is_present(expected->rule))
        is_met = is_met && view_equals(decision->rule, expected->rule);
    if (view_is_present(expected->reason))
        is_met = is_met && reason_is_named(decision->reason, expected->reason);
    if (expected->has_acr_values)
        is_met = is_met && same_views(expected->acr_values.items, expected->acr_values.count,
                                      decision->challenge.acr_values, decision->challenge.acr_count);
    if (expected->has_max_age)
        is_met = is_met && decision->challenge.has_max_age && decision->challenge.max_age == expected->max_age;
    for (size_t i = 0; i < expected->header_count; i++)
        is_met = is_met && sets_header(&decision->obligations, &expected->headers[i]);
    return is_met;
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
                                            .passed = is_same && is_expected(&test->expected, &compiled),
                                            .expected = words_of_expectation(&scratch, &test->expected),
                                            .got = words_of_decision(&scratch, &compiled),
                                            .span = test->span,
                                            .facts = &test->facts,
                                            .decision = &compiled};
        if (!is_same)
            result.got = arena_print(&scratch, "%.*s; the reference interpreter says %.*s: this is a bug",
                                     VIEW_ARG(result.got), VIEW_ARG(words_of_decision(&scratch, &reference)));
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
