/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "decision_compare.h"

static const struct header_obligation HEADER = {.action = HEADER_SET, .name = {"x-a", 3}, .value = {"a", 1}};
static const struct header_obligation APPENDED = {.action = HEADER_APPEND, .name = {"x-a", 3}, .value = {"a", 1}};
static const struct header_obligation RENAMED = {.action = HEADER_SET, .name = {"x-b", 3}, .value = {"a", 1}};
static const struct header_obligation CHANGED = {.action = HEADER_SET, .name = {"x-a", 3}, .value = {"b", 1}};
static const struct view NAME = {"x-c", 3};
static const struct view OTHER = {"x-d", 3};

/* Every list has one element, so that both its length and what it holds can change. */
static struct decision whole(void)
{
    struct decision decision = {
        .obligations = {.request_headers = &HEADER,
                        .request_header_count = 1,
                        .remove_headers = &NAME,
                        .remove_header_count = 1,
                        .response_headers = &HEADER,
                        .response_header_count = 1,
                        .metadata = &HEADER,
                        .metadata_count = 1,
                        .query_params = &HEADER,
                        .query_param_count = 1,
                        .remove_queries = &NAME,
                        .remove_query_count = 1},
        .challenge = {.acr_values = &NAME, .acr_count = 1},
        .resource_label_count = 1,
    };
    decision.resource_labels[0].name = VIEW("tier");
    return decision;
}

/* The two differ in this one thing, whichever is asked first. */
#define DIFFERS(part, change)                                                                                          \
    do {                                                                                                               \
        struct decision a = whole(), b = whole();                                                                      \
        assert_null(decisions_differ(&a, &b));                                                                         \
        (change);                                                                                                      \
        assert_string_equal(decisions_differ(&a, &b), part);                                                           \
        assert_string_equal(decisions_differ(&b, &a), part);                                                           \
    } while (0)

static void each_part_of_an_answer_is_compared(void **state)
{
    (void)state;
    DIFFERS("verdict", b.verdict = VERDICT_CHALLENGE);
    DIFFERS("reason", b.reason = REASON_DENY_RULE);
    DIFFERS("rule", b.rule = VIEW("p/r"));
    DIFFERS("challenge", b.challenge.has_max_age = true);
    DIFFERS("challenge", b.challenge.max_age = 1);
    DIFFERS("challenge", b.challenge.acr_values = &OTHER);
    DIFFERS("challenge", b.challenge.acr_count = 0);
    DIFFERS("denial", b.denial.status = 404);
    DIFFERS("denial", b.denial.body = VIEW("no"));
    DIFFERS("denial", b.denial.grpc_message = VIEW("no"));
    DIFFERS("audit", b.audit = AUDIT_FULL);
}

static void each_obligation_is_compared(void **state)
{
    (void)state;
    DIFFERS("obligations", b.obligations.request_headers = &APPENDED);
    DIFFERS("obligations", b.obligations.request_headers = &RENAMED);
    DIFFERS("obligations", b.obligations.request_headers = &CHANGED);
    DIFFERS("obligations", b.obligations.request_header_count = 0);
    DIFFERS("obligations", b.obligations.response_headers = &CHANGED);
    DIFFERS("obligations", b.obligations.response_header_count = 0);
    DIFFERS("obligations", b.obligations.metadata = &CHANGED);
    DIFFERS("obligations", b.obligations.metadata_count = 0);
    DIFFERS("obligations", b.obligations.query_params = &CHANGED);
    DIFFERS("obligations", b.obligations.query_param_count = 0);
    DIFFERS("obligations", b.obligations.remove_headers = &OTHER);
    DIFFERS("obligations", b.obligations.remove_header_count = 0);
    DIFFERS("obligations", b.obligations.remove_queries = &OTHER);
    DIFFERS("obligations", b.obligations.remove_query_count = 0);
    DIFFERS("obligations", b.obligations.has_max_stream = true);
    DIFFERS("obligations", b.obligations.max_stream = 1);
    DIFFERS("obligations", b.obligations.max_stream_by_credentials = true);
}

static void each_part_of_a_record_is_compared(void **state)
{
    (void)state;
    DIFFERS("closest", b.closest = VIEW("p/r"));
    DIFFERS("missing", b.missing = VIEW("no user"));
    DIFFERS("attribute", b.attribute = VIEW("header"));
    DIFFERS("scope", b.scope = VIEW("read"));
    DIFFERS("action", b.action = VIEW("read"));
    DIFFERS("action", b.path = VIEW("/"));
    DIFFERS("purpose", b.purpose = VIEW("care"));
    DIFFERS("resource", b.resource_type = VIEW("item"));
    DIFFERS("resource", b.resource_id = VIEW("one"));
    DIFFERS("resource", b.resource_label_count = 0);
    DIFFERS("labels", b.resource_labels[0].name = VIEW("team"));
    DIFFERS("labels", b.resource_labels[0].value = VIEW("low"));
}

static void the_work_counter_is_no_part(void **state)
{
    struct decision a = whole(), b = whole();
    (void)state;
    b.candidate_tests = 1;
    assert_null(decisions_differ(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_an_answer_is_compared),
        cmocka_unit_test(each_obligation_is_compared),
        cmocka_unit_test(each_part_of_a_record_is_compared),
        cmocka_unit_test(the_work_counter_is_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
