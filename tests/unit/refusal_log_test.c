/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "refusal_log.h"

static void add(struct refusal_log *log, int64_t at)
{
    refusal_log_add(log, at, REASON_DEFAULT, VIEW("id"), VIEW("spiffe://a.example/b"));
}

static void a_fresh_log_is_empty(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    refusal_log_init(&log);
    assert_int_equal(refusal_log_read(&log, out), 0);
    add(&log, 1);
    assert_int_equal(refusal_log_read(&log, out), 1);
}

static void a_refusal_reads_as_it_was_added(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    refusal_log_init(&log);
    refusal_log_add(&log, 1800000000, REASON_XFCC_HOPS, VIEW("0190-1"), VIEW("spiffe://a.example/b"));
    assert_int_equal(refusal_log_read(&log, out), 1);
    assert_int_equal(out[0].at, 1800000000);
    assert_int_equal(out[0].reason, REASON_XFCC_HOPS);
    assert_string_equal(out[0].decision_id, "0190-1");
    assert_string_equal(out[0].caller, "spiffe://a.example/b");
}

static void the_newest_refusal_comes_first(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    refusal_log_init(&log);
    add(&log, 1);
    add(&log, 2);
    assert_int_equal(refusal_log_read(&log, out), 2);
    assert_int_equal(out[0].at, 2);
    assert_int_equal(out[1].at, 1);
}

static void a_full_log_keeps_all_and_one_more_forgets_the_oldest(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    refusal_log_init(&log);
    for (int i = 0; i < REFUSAL_LOG_ENTRIES; i++)
        add(&log, i);
    assert_int_equal(refusal_log_read(&log, out), REFUSAL_LOG_ENTRIES);
    assert_int_equal(out[REFUSAL_LOG_ENTRIES - 1].at, 0);
    add(&log, REFUSAL_LOG_ENTRIES);
    assert_int_equal(refusal_log_read(&log, out), REFUSAL_LOG_ENTRIES);
    for (int i = 0; i < REFUSAL_LOG_ENTRIES; i++)
        assert_int_equal(out[i].at, REFUSAL_LOG_ENTRIES - i);
}

static void a_text_that_fits_is_whole_and_one_byte_more_is_cut(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    char text[REFUSAL_CALLER_MAX];
    memset(text, 'a', sizeof text);
    refusal_log_init(&log);
    refusal_log_add(&log, 1, REASON_DEFAULT, (struct view){text, REFUSAL_ID_MAX - 1},
                    (struct view){text, REFUSAL_CALLER_MAX - 1});
    refusal_log_add(&log, 2, REASON_DEFAULT, (struct view){text, REFUSAL_ID_MAX},
                    (struct view){text, REFUSAL_CALLER_MAX});
    assert_int_equal(refusal_log_read(&log, out), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(strlen(out[i].decision_id), REFUSAL_ID_MAX - 1);
        assert_int_equal(strlen(out[i].caller), REFUSAL_CALLER_MAX - 1);
    }
}

static void nobody_leaves_no_trace_of_the_caller_before(void **state)
{
    (void)state;
    struct refusal_log log;
    struct refusal out[REFUSAL_LOG_ENTRIES];
    refusal_log_init(&log);
    for (int i = 0; i < REFUSAL_LOG_ENTRIES; i++)
        add(&log, i);
    refusal_log_add(&log, 99, REASON_CERTIFICATE_NONE, VIEW("id"), (struct view){0});
    assert_int_equal(refusal_log_read(&log, out), REFUSAL_LOG_ENTRIES);
    assert_string_equal(out[0].caller, "");
    assert_string_equal(out[1].caller, "spiffe://a.example/b");
}

static void a_reason_is_told_once_an_interval_and_then_how_often_it_was_not(void **state)
{
    (void)state;
    struct refusal_log log;
    uint64_t untold = 9;
    refusal_log_init(&log);
    assert_true(refusal_log_tells(&log, 1000, REASON_CERTIFICATE_EXPIRED, &untold));
    assert_int_equal(untold, 0);
    for (int i = 0; i < 999; i++)
        assert_false(refusal_log_tells(&log, 1000 + i % REFUSAL_LOG_INTERVAL, REASON_CERTIFICATE_EXPIRED, &untold));
    assert_true(refusal_log_tells(&log, 1000, REASON_XFCC_HOPS, &untold)); /* another reason has its own */
    assert_int_equal(untold, 0);
    assert_true(refusal_log_tells(&log, 1000 + REFUSAL_LOG_INTERVAL, REASON_CERTIFICATE_EXPIRED, &untold));
    assert_int_equal(untold, 999);
    assert_false(refusal_log_tells(&log, 1000 + REFUSAL_LOG_INTERVAL, REASON_CERTIFICATE_EXPIRED, &untold));
}

static void a_clock_that_steps_back_silences_no_reason(void **state)
{
    (void)state;
    struct refusal_log log;
    uint64_t untold;
    refusal_log_init(&log);
    assert_true(refusal_log_tells(&log, 1800000000, REASON_CERTIFICATE_EXPIRED, &untold));
    assert_true(refusal_log_tells(&log, 1700000000, REASON_CERTIFICATE_EXPIRED, &untold));
    assert_false(refusal_log_tells(&log, 1700000001, REASON_CERTIFICATE_EXPIRED, &untold));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_log_is_empty),
        cmocka_unit_test(a_refusal_reads_as_it_was_added),
        cmocka_unit_test(the_newest_refusal_comes_first),
        cmocka_unit_test(a_full_log_keeps_all_and_one_more_forgets_the_oldest),
        cmocka_unit_test(a_text_that_fits_is_whole_and_one_byte_more_is_cut),
        cmocka_unit_test(a_reason_is_told_once_an_interval_and_then_how_often_it_was_not),
        cmocka_unit_test(a_clock_that_steps_back_silences_no_reason),
        cmocka_unit_test(nobody_leaves_no_trace_of_the_caller_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
