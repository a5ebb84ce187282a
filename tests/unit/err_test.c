/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int steps, cleanups;

static void count_cleanup(const int *value)
{
    cleanups += *value;
}

static enum err answer(enum err e)
{
    return e;
}

static enum err try_then_step(enum err e)
{
    TRY(answer(e));
    steps++;
    return ERR_NONE;
}

static void every_error_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (int i = ERR_NONE; i <= ERR_INVALID; i++) {
        assert_true(err_text((enum err)i)[0] != '\0');
        assert_string_not_equal(err_text((enum err)i), "unknown error");
        for (int j = ERR_NONE; j < i; j++)
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
    }
}

static void a_number_past_the_last_error_is_an_unknown_error(void **state)
{
    (void)state;
    assert_string_equal(err_text((enum err)(ERR_INVALID + 1)), "unknown error");
}

static void try_goes_on_without_an_error_and_returns_any_other(void **state)
{
    (void)state;
    steps = 0;
    assert_int_equal(try_then_step(ERR_NONE), ERR_NONE);
    assert_int_equal(steps, 1);
    for (int i = ERR_NONE + 1; i <= ERR_INVALID; i++)
        assert_int_equal(try_then_step((enum err)i), i);
    assert_int_equal(steps, 1);
}

static enum err hold_then_try(enum err e)
{
    AUTO(count_cleanup) int held = 1;
    TRY(answer(e));
    return held == 1 ? ERR_NONE : ERR_CONFLICT;
}

static void auto_cleans_up_on_the_good_and_on_the_early_way_out(void **state)
{
    (void)state;
    cleanups = 0;
    assert_int_equal(hold_then_try(ERR_NONE), ERR_NONE);
    assert_int_equal(cleanups, 1);
    assert_int_equal(hold_then_try(ERR_IO), ERR_IO);
    assert_int_equal(cleanups, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_phrase_of_its_own),
        cmocka_unit_test(a_number_past_the_last_error_is_an_unknown_error),
        cmocka_unit_test(try_goes_on_without_an_error_and_returns_any_other),
        cmocka_unit_test(auto_cleans_up_on_the_good_and_on_the_early_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
