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
        const char *text = code_text((enum code)i);
        assert_int_equal(strlen(text), 5);
        assert_int_equal(text[0], 'E');
        assert_true(strlen(code_title((enum code)i)) > 10);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(code_text((enum code)j), text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_written_once_and_says_what_it_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
