/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "header_name.h"

/* RFC 9110 section 5.6.2. */
static void exactly_the_bytes_of_a_token_without_capitals_are_taken(void **state)
{
    (void)state;
    static const char taken[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[] = {'x', (char)byte, 'y'};
        bool is_taken = memchr(taken, (int)byte, sizeof taken - 1) != NULL;
        assert_int_equal(header_name_is_valid((struct view){text, sizeof text}), is_taken);
        assert_int_equal(header_name_is_valid((struct view){text + 1, 1}), is_taken);
    }
}

static void a_name_of_one_byte_is_valid_and_an_empty_one_is_not(void **state)
{
    (void)state;
    assert_true(header_name_is_valid(VIEW("a")));
    assert_false(header_name_is_valid(VIEW("")));
    assert_false(header_name_is_valid((struct view){0}));
}

static void a_pseudo_header_is_no_header_name(void **state)
{
    (void)state;
    assert_true(header_name_is_valid(VIEW("authority")));
    assert_false(header_name_is_valid(VIEW(":authority")));
}

static void a_bad_byte_at_either_end_makes_the_name_invalid(void **state)
{
    (void)state;
    assert_true(header_name_is_valid(VIEW("x-request-id")));
    assert_false(header_name_is_valid(VIEW(" x-request-id")));
    assert_false(header_name_is_valid(VIEW("x-request-id ")));
    assert_false(header_name_is_valid(VIEW("x-request-id\0")));
    assert_false(header_name_is_valid(VIEW("x-request-iD")));
    assert_false(header_name_is_valid(VIEW("x-request\r\nid")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_bytes_of_a_token_without_capitals_are_taken),
        cmocka_unit_test(a_name_of_one_byte_is_valid_and_an_empty_one_is_not),
        cmocka_unit_test(a_pseudo_header_is_no_header_name),
        cmocka_unit_test(a_bad_byte_at_either_end_makes_the_name_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
