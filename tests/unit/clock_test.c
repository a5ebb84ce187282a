/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clock.h"

static void a_clock_in_nanoseconds_lies_between_two_readings_of_the_system(void **state)
{
    (void)state;
    struct timespec before, after;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    assert_true(now >= (int64_t)before.tv_sec * 1000000000 + before.tv_nsec);
    assert_true(now <= (int64_t)after.tv_sec * 1000000000 + after.tv_nsec);
}

static void a_clock_in_milliseconds_is_the_one_in_nanoseconds_rounded_down(void **state)
{
    (void)state;
    int64_t before = clock_ns(CLOCK_MONOTONIC), now = clock_ms(CLOCK_MONOTONIC), after = clock_ns(CLOCK_MONOTONIC);
    assert_true(now >= before / 1000000);
    assert_true(now <= after / 1000000);
}

static void the_wall_clock_is_unix_time(void **state)
{
    (void)state;
    time_t before = time(NULL);
    int64_t now = clock_ms(CLOCK_REALTIME);
    assert_true(now / 1000 >= before); /* time() may lag the clock, and is never before it */
    assert_true(now / 1000 <= before + 60);
}

static void a_clock_that_is_none_reads_zero(void **state)
{
    (void)state;
    assert_true(clock_ns(CLOCK_MONOTONIC) > 0);
    assert_int_equal(clock_ns((clockid_t)9999), 0);
    assert_int_equal(clock_ms((clockid_t)9999), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_in_nanoseconds_lies_between_two_readings_of_the_system),
        cmocka_unit_test(a_clock_in_milliseconds_is_the_one_in_nanoseconds_rounded_down),
        cmocka_unit_test(the_wall_clock_is_unix_time),
        cmocka_unit_test(a_clock_that_is_none_reads_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
