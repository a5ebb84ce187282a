/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule reads in a query, and what it refuses to guess. */
#include "query.h"

#include "match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum answer { ABSENT, KNOWN, UNKNOWN };

static const struct {
    const char *target, *name;
    enum answer answer;
    const char *value;
} CASES[] = {
    {"/x", "a", ABSENT, NULL},
    {"/x?", "a", ABSENT, NULL},
    {"/x?a=1", "a", KNOWN, "1"},
    {"/x?a", "a", KNOWN, ""},
    {"/x?a=", "a", KNOWN, ""},
    {"/x?&&a=1&", "a", KNOWN, "1"},
    {"/x?b=2&a=1=2", "a", KNOWN, "1=2"},
    {"/x?aa=2&ba=3", "a", ABSENT, NULL},
    {"/x?A=1", "a", ABSENT, NULL},
    {"/x?%61=%31", "a", KNOWN, "1"},
    {"/x?a=%2F%26%3D%3b%20", "a", KNOWN, "/&=; "},
    {"/x?a=%c3%a9", "a", KNOWN, "\xc3\xa9"},
    {"/x?a=1?b=2", "a", KNOWN, "1?b=2"},
    {"/x?a=100%25", "a", KNOWN, "100%"},
    /* twice */
    {"/x?a=1&a=1", "a", UNKNOWN, NULL},
    {"/x?a=1&%61=2", "a", UNKNOWN, NULL},
    {"/x?a&a=2", "a", UNKNOWN, NULL},
    /* a plus or a space */
    {"/x?a=1+2", "a", UNKNOWN, NULL},
    {"/x?a=1&b=1+2", "a", KNOWN, "1"},
    {"/x?a+b=1", "a b", UNKNOWN, NULL},
    {"/x?a+b=1", "a+b", UNKNOWN, NULL},
    {"/x?a%20b=1", "a b", KNOWN, "1"},
    {"/x?a+b=1", "a", ABSENT, NULL},
    /* a separator to some */
    {"/x?b=1;a=2", "a", UNKNOWN, NULL},
    {"/x?a=1;b=2", "a", UNKNOWN, NULL},
    {"/x?a=1&b=1;c=2", "a", KNOWN, "1"},
    {"/x?b=1;c=2", "a", ABSENT, NULL},
    /* what does not decode, or not once */
    {"/x?a=%", "a", UNKNOWN, NULL},
    {"/x?a=%4", "a", UNKNOWN, NULL},
    {"/x?a=%zz", "a", UNKNOWN, NULL},
    {"/x?a=%u0061", "a", UNKNOWN, NULL},
    {"/x?a=%00", "a", UNKNOWN, NULL},
    {"/x?a=1%0a", "a", UNKNOWN, NULL},
    {"/x?a=%7F", "a", UNKNOWN, NULL},
    {"/x?a=%2541", "a", UNKNOWN, NULL},
    {"/x?a=%2540", "a", UNKNOWN, NULL},
    {"/x?a=%2504", "a", UNKNOWN, NULL},
    {"/x?a=%254", "a", KNOWN, "%4"},
    {"/x?a=%254g", "a", KNOWN, "%4g"},
    {"/x?a=%25g4", "a", KNOWN, "%g4"},
    {"/x?a=%ff", "a", UNKNOWN, NULL},
    {"/x?a=%c0%af", "a", UNKNOWN, NULL},
    {"/x?a=\xc3\xa9", "a", UNKNOWN, NULL},
    {"/x?a=1!", "a", UNKNOWN, NULL},
    /* a piece that could be any parameter */
    {"/x?%u0061=2", "a", UNKNOWN, NULL},
    {"/x?a=1&%=2", "a", UNKNOWN, NULL},
    {"/x?a=1&!=2", "a", UNKNOWN, NULL},
    {"/x?a=1&b=%", "a", KNOWN, "1"},
};

static void a_query_is_read_in_one_way_or_not_at_all(void **state)
{
    (void)state;
    struct query_param param;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        query_find(view_of(CASES[i].target), false, view_of(CASES[i].name), &param);
        enum answer got = param.is_unknown ? UNKNOWN : param.count > 0 ? KNOWN : ABSENT;
        if (got != CASES[i].answer || (got == KNOWN && !view_equals(param.value, view_of(CASES[i].value))) ||
            (got != KNOWN && view_is_present(param.value)))
            fail_msg("%s: %s is %d \"%.*s\"", CASES[i].target, CASES[i].name, (int)got, VIEW_ARG(param.value));
    }
}

static void the_neighbours_of_hexadecimal_digits_are_none(void **state)
{
    (void)state;
    static const char digits[] = "09afAF", others[] = "/:`g@G";
    struct query_param param;
    char target[] = "/?a=%30";
    for (size_t i = 0; i < sizeof digits - 1; i++) {
        target[5] = '6';
        target[6] = digits[i];
        query_find(view_of(target), false, VIEW("a"), &param);
        /* %6a to %6f are j to o, %60 and %69 are ` and i */
        assert_true(param.is_unknown == false && param.value.data[0] == "`ijojo"[i]);
    }
    for (size_t i = 0; i < sizeof others - 1; i++)
        for (size_t at = 5; at <= 6; at++) {
            memcpy(target + 5, "44", 2);
            target[at] = others[i];
            query_find(view_of(target), false, VIEW("a"), &param);
            assert_true(param.is_unknown);
        }
}

static void what_stands_behind_a_query_is_not_read(void **state)
{
    (void)state;
    static const struct {
        const char *whole;
        size_t size;
        enum answer answer;
    } cases[] = {{"/?a=%41", 7, KNOWN},   {"/?a=%41", 6, UNKNOWN}, {"/?a=%41", 5, UNKNOWN},   {"/?a=%2541", 9, UNKNOWN},
                 {"/?a=%2541", 8, KNOWN}, {"/?a=%2541", 7, KNOWN}, {"/?a=1&a=2", 8, UNKNOWN}, {"/?a=1&a=2", 6, KNOWN},
                 {"/?ab", 3, KNOWN},      {"/?ab", 4, ABSENT},     {"/?a", 1, ABSENT}};
    struct query_param param;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        query_find((struct view){cases[i].whole, cases[i].size}, false, VIEW("a"), &param);
        enum answer got = param.is_unknown ? UNKNOWN : param.count > 0 ? KNOWN : ABSENT;
        if (got != cases[i].answer)
            fail_msg("%.*s: a is %d", (int)cases[i].size, cases[i].whole, (int)got);
    }
}

static void an_exclamation_mark_is_data_in_raw_bytes(void **state)
{
    (void)state;
    struct query_param param;
    query_find(VIEW("/x?a=1!"), true, VIEW("a"), &param);
    assert_false(param.is_unknown);
    assert_true(view_equals(param.value, VIEW("1!")));
}

static void a_value_has_a_limit(void **state)
{
    (void)state;
    char target[QUERY_VALUE_MAX + 8] = "/?a=";
    struct query_param param;
    memset(target + 4, 'x', sizeof target - 4);
    query_find((struct view){target, 4 + QUERY_VALUE_MAX}, false, VIEW("a"), &param);
    assert_false(param.is_unknown);
    assert_int_equal(param.value.size, QUERY_VALUE_MAX);
    query_find((struct view){target, 5 + QUERY_VALUE_MAX}, false, VIEW("a"), &param);
    assert_true(param.is_unknown);
}

static enum tri test_of(enum value_test_kind kind, bool present, const char *path)
{
    const struct view values[] = {VIEW("1"), VIEW("2")};
    struct value_test test = {.kind = kind, .values = {values, 2}, .present = present};
    struct facts facts = {.path = view_of(path)};
    return match_query(&test, VIEW("a"), &facts);
}

static void absent_is_false_and_doubtful_is_unknown_but_presence_always_known(void **state)
{
    (void)state;
    assert_int_equal(test_of(TEST_ANY_OF, false, "/x?a=2"), TRI_TRUE);
    assert_int_equal(test_of(TEST_ANY_OF, false, "/x?a=3"), TRI_FALSE);
    assert_int_equal(test_of(TEST_ANY_OF, false, "/x"), TRI_FALSE);
    assert_int_equal(test_of(TEST_ANY_OF, false, "/x?a=1&a=2"), TRI_UNKNOWN);
    assert_int_equal(test_of(TEST_PRESENT, true, "/x?a=1&a=2"), TRI_TRUE);
    assert_int_equal(test_of(TEST_PRESENT, true, "/x?b=1;a"), TRI_TRUE);
    assert_int_equal(test_of(TEST_PRESENT, true, "/x?%=1"), TRI_FALSE);
    assert_int_equal(test_of(TEST_PRESENT, false, "/x"), TRI_TRUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_read_in_one_way_or_not_at_all),
        cmocka_unit_test(the_neighbours_of_hexadecimal_digits_are_none),
        cmocka_unit_test(what_stands_behind_a_query_is_not_read),
        cmocka_unit_test(an_exclamation_mark_is_data_in_raw_bytes),
        cmocka_unit_test(a_value_has_a_limit),
        cmocka_unit_test(absent_is_false_and_doubtful_is_unknown_but_presence_always_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
