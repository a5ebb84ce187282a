/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codes.h"

static void every_code_is_written_once_and_says_what_it_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODE_COUNT; i++) {
        enum code found;
        const char *text = code_text((enum code)i);
        assert_int_equal(strlen(text), 5);
        assert_int_equal(text[0], 'E');
        assert_true(strlen(code_title((enum code)i)) > 10);
        assert_true(code_parse(view_of(text), &found)); /* finds the first of two that are the same */
        assert_int_equal(found, i);
    }
}

static void a_code_that_nothing_has_is_not_found(void **state)
{
    enum code found;
    (void)state;
    assert_false(code_parse(VIEW("E9999"), &found));
    assert_false(code_parse(VIEW(""), &found));
    assert_false(code_parse(VIEW("E020"), &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_written_once_and_says_what_it_means),
        cmocka_unit_test(a_code_that_nothing_has_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
