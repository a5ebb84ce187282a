/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void pauses_double_from_one_second_to_thirty(void **state)
{
    (void)state;
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    struct backoff backoff = {0};
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++)
        assert_int_equal(backoff_next(&backoff, 0), pauses[i]);
    backoff = (struct backoff){0};
    assert_int_equal(backoff_next(&backoff, 0), 1000);
}

static void up_to_a_fifth_is_left_off_at_random_and_never_more(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 100000; random += 7) {
        struct backoff backoff = {0};
        int64_t first = backoff_next(&backoff, random), second = backoff_next(&backoff, UINT32_MAX - random);
        assert_in_range(first, 800, 1000);
        assert_in_range(second, 1600, 2000);
    }
    struct backoff backoff = {0};
    assert_int_equal(backoff_next(&backoff, 200), 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_from_one_second_to_thirty),
        cmocka_unit_test(up_to_a_fifth_is_left_off_at_random_and_never_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
