/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "rfc3339.h"

static void instants_are_read_strictly(void **state)
{
    (void)state;
    int64_t seconds;
    assert_true(rfc3339_parse(VIEW("2027-01-15T08:00:00Z"), &seconds));
    assert_int_equal(seconds, 1800000000);
    assert_true(rfc3339_parse(VIEW("2027-01-15T09:30:00+01:30"), &seconds));
    assert_int_equal(seconds, 1800000000);
    assert_true(rfc3339_parse(VIEW("2027-01-15T00:00:00-08:00"), &seconds));
    assert_int_equal(seconds, 1800000000);
    assert_true(rfc3339_parse(VIEW("2028-02-29T00:00:00Z"), &seconds));
    const struct view bad[] = {
        VIEW(""),
        VIEW("2027-01-15"),
        VIEW("2027-01-15T08:00:00"),
        VIEW("2027-01-15 08:00:00Z"),
        VIEW("2027-01-15T08:00:00.5Z"),
        VIEW("2027-01-15T08:00:60Z"),
        VIEW("2027-01-15T24:00:00Z"),
        VIEW("2027-02-29T00:00:00Z"),
        VIEW("2027-13-01T00:00:00Z"),
        VIEW("2027-00-01T00:00:00Z"),
        VIEW("2027-01-00T00:00:00Z"),
        VIEW("2027-01-15T08:00:00z"),
        VIEW("2027-01-15T08:00:00+1:00"),
        VIEW("2027-01-15T08:00:00+24:00"),
        VIEW("2027-01-15T08:00:00Z "),
        VIEW("-027-01-15T08:00:00Z"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rfc3339_parse(bad[i], &seconds));
    char text[RFC3339_BYTES];
    assert_true(rfc3339_write(1800000000, text));
    assert_memory_equal(text, "2027-01-15T08:00:00Z", RFC3339_BYTES);
    assert_false(rfc3339_write(INT64_MAX, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
