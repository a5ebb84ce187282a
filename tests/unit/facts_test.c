/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "facts.h"

static const struct view names[] = {{.data = "sub", .size = 3}, {.data = "", .size = 0}, {.data = "su", .size = 2}};
static const struct value items[] = {
    {.kind = VALUE_STRING, .text = {.data = "amy", .size = 3}}, {.kind = VALUE_NULL}, {.kind = VALUE_BOOL}};

static void a_member_is_found_by_its_whole_name_only(void **state)
{
    (void)state;
    const struct value map = {.kind = VALUE_MAP, .names = names, .items = items, .count = 3};
    assert_ptr_equal(value_get(&map, VIEW("sub")), &items[0]);
    assert_ptr_equal(value_get(&map, VIEW("")), &items[1]);
    assert_ptr_equal(value_get(&map, VIEW("su")), &items[2]);
    assert_null(value_get(&map, VIEW("subs")));
    assert_null(value_get(&map, VIEW("Sub")));
    assert_null(value_get(&map, VIEW("s")));
    assert_null(value_get(&map, VIEW("sub\0")));
}

static void only_a_map_has_members(void **state)
{
    (void)state;
    struct value value = {.kind = VALUE_MAP, .names = names, .items = items, .count = 3};
    assert_non_null(value_get(&value, VIEW("sub")));
    value.kind = VALUE_LIST;
    assert_null(value_get(&value, VIEW("sub")));
    value.kind = VALUE_ABSENT;
    assert_null(value_get(&value, VIEW("sub")));
    assert_null(value_get(NULL, VIEW("sub")));
}

static void a_header_is_found_by_its_whole_name_in_lower_case_only(void **state)
{
    (void)state;
    const struct pair headers[] = {{.name = VIEW("x-a"), .value = VIEW("1")},
                                   {.name = VIEW("x-ab"), .value = VIEW("2")}};
    const struct facts facts = {.headers = headers, .header_count = 2};
    assert_ptr_equal(facts_header(&facts, VIEW("x-a")), &headers[0]);
    assert_ptr_equal(facts_header(&facts, VIEW("x-ab")), &headers[1]);
    assert_null(facts_header(&facts, VIEW("x-")));
    assert_null(facts_header(&facts, VIEW("X-A")));
    assert_null(facts_header(&facts, VIEW("x-abc")));
    assert_null(facts_header(&(struct facts){0}, VIEW("x-a")));
}

static void facts_of_zeroes_carry_failures_and_prove_nobody(void **state)
{
    (void)state;
    const struct facts facts = {0};
    assert_int_equal(facts.request_failure, REASON_INTERNAL);
    assert_int_equal(facts.workload_failure, REASON_INTERNAL);
    assert_int_equal(facts.user_failure, REASON_INTERNAL);
    assert_int_equal(facts.workload.proof, PROOF_NONE);
    assert_int_equal(facts.user.state, USER_ABSENT);
    assert_int_equal(facts.body.state, BODY_ABSENT);
}

static void what_proxies_say_of_a_request_is_hearsay(void **state)
{
    (void)state;
    const struct view hearsay[] = {VIEW("connection"),
                                   VIEW("forwarded"),
                                   VIEW("host"),
                                   VIEW("x-http-method-override"),
                                   VIEW("x-real-ip"),
                                   VIEW("x-rewrite-url"),
                                   VIEW("x-forwarded-for"),
                                   VIEW("x-forwarded-client-cert"),
                                   VIEW("x-original-url"),
                                   VIEW("x-envoy-original-path"),
                                   VIEW("x-envoy-")};
    for (size_t i = 0; i < sizeof hearsay / sizeof *hearsay; i++)
        assert_true(facts_is_hearsay(hearsay[i]));
}

static void a_header_that_is_only_near_to_hearsay_is_a_fact(void **state)
{
    (void)state;
    const struct view facts[] = {VIEW(""),
                                 VIEW("connections"),
                                 VIEW("hos"),
                                 VIEW("hosts"),
                                 VIEW("x-envoy"),
                                 VIEW("x-forwarded"),
                                 VIEW("x-real-ip2"),
                                 VIEW("x-original"),
                                 VIEW("my-x-forwarded-for"),
                                 VIEW("x-rewrite-urls"),
                                 VIEW("authorization")};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        assert_false(facts_is_hearsay(facts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_by_its_whole_name_only),
        cmocka_unit_test(only_a_map_has_members),
        cmocka_unit_test(a_header_is_found_by_its_whole_name_in_lower_case_only),
        cmocka_unit_test(facts_of_zeroes_carry_failures_and_prove_nobody),
        cmocka_unit_test(what_proxies_say_of_a_request_is_hearsay),
        cmocka_unit_test(a_header_that_is_only_near_to_hearsay_is_a_fact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
