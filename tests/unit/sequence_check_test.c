/* SPDX-License-Identifier: Apache-2.0 */
#include "sequence_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct seen {
    struct sequence_gap gaps[16];
    size_t count;
};

static void keep(void *context, const struct sequence_gap *gap)
{
    struct seen *seen = context;
    assert_true(seen->count < 16);
    seen->gaps[seen->count++] = *gap;
}

static struct sequence_check *open_check(bool is_whole)
{
    struct sequence_check *check = NULL;
    assert_int_equal(sequence_check_open(is_whole, &check), ERR_NONE);
    return check;
}

static struct sequence_mark mark_of(uint8_t epoch, uint64_t sequence)
{
    struct sequence_mark mark = {.instance = VIEW("pod-1"), .sequence = sequence};
    memset(mark.epoch, epoch, sizeof(mark.epoch));
    return mark;
}

static void take(struct sequence_check *check, uint8_t epoch, uint64_t sequence)
{
    struct sequence_mark mark = mark_of(epoch, sequence);
    assert_int_equal(sequence_check_take(check, &mark), ERR_NONE);
}

static void nothing_is_missing_from_a_run_without_gaps(void **state)
{
    struct sequence_check *check = open_check(true);
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        take(check, 1, i);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 0);
    assert_int_equal(sequence_check_records(check), 100);
    sequence_check_close(check);
}

static void one_removed_record_is_missing_and_named(void **state)
{
    struct sequence_check *check = open_check(true);
    struct seen seen = {0};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        if (i != 41)
            take(check, 1, i);
    }
    assert_int_equal(sequence_check_report(check, keep, &seen, NULL), 1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.gaps[0].first, 41);
    assert_int_equal(seen.gaps[0].last, 41);
    assert_true(view_equals(seen.gaps[0].instance, VIEW("pod-1")));
    sequence_check_close(check);
}

static void a_late_start_is_missing_only_of_a_whole_source(void **state)
{
    (void)state;
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        struct sequence_check *check = open_check(is_whole == 1);
        take(check, 1, 5);
        take(check, 1, 6);
        assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), is_whole == 1 ? 5 : 0);
        sequence_check_close(check);
    }
}

static void a_record_that_comes_again_counts_once(void **state)
{
    struct sequence_check *check = open_check(true);
    static const uint64_t order[] = {0, 1, 2, 1, 2, 3, 0, 5, 4, 5};
    (void)state;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        take(check, 1, order[i]);
    assert_int_equal(sequence_check_records(check), 6);
    assert_int_equal(sequence_check_repeats(check), 4);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 0);
    sequence_check_close(check);
}

static void late_records_close_a_gap_piece_by_piece(void **state)
{
    struct sequence_check *check = open_check(true);
    struct seen seen = {0};
    (void)state;
    take(check, 1, 0);
    take(check, 1, 10);
    take(check, 1, 5);
    assert_int_equal(sequence_check_report(check, keep, &seen, NULL), 8);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.gaps[0].first, 1);
    assert_int_equal(seen.gaps[0].last, 4);
    assert_int_equal(seen.gaps[1].first, 6);
    assert_int_equal(seen.gaps[1].last, 9);
    for (uint64_t i = 1; i < 10; i++)
        take(check, 1, i);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 0);
    sequence_check_close(check);
}

static void instances_and_epochs_are_counted_apart(void **state)
{
    struct sequence_check *check = open_check(true);
    struct sequence_mark other = mark_of(1, 0);
    (void)state;
    take(check, 1, 0);
    take(check, 2, 0);
    other.instance = VIEW("pod-2");
    assert_int_equal(sequence_check_take(check, &other), ERR_NONE);
    take(check, 1, 1);
    assert_int_equal(sequence_check_records(check), 4);
    assert_int_equal(sequence_check_repeats(check), 0);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 0);
    sequence_check_close(check);
}

static void what_a_capped_record_accounts_for_is_not_missing(void **state)
{
    struct sequence_check *check = open_check(true);
    struct sequence_mark mark = mark_of(1, 200);
    struct seen seen = {0};
    uint64_t removed = 0;
    (void)state;
    for (uint64_t i = 100; i < 200; i++)
        take(check, 1, i);
    mark.is_capped = true;
    memset(mark.removed_epoch, 1, sizeof(mark.removed_epoch));
    mark.removed_first = 0;
    mark.removed_last = 97;
    assert_int_equal(sequence_check_take(check, &mark), ERR_NONE);
    assert_int_equal(sequence_check_report(check, keep, &seen, &removed), 2);
    assert_int_equal(removed, 98);
    assert_int_equal(seen.gaps[0].first, 98);
    assert_int_equal(seen.gaps[0].last, 99);
    sequence_check_close(check);
}

static void a_cut_tail_shows_in_the_epoch_behind_it(void **state)
{
    struct sequence_check *check = open_check(true);
    struct sequence_mark mark = mark_of(2, 0);
    struct seen seen = {0};
    (void)state;
    for (uint64_t i = 0; i < 8; i++)
        take(check, 1, i);
    mark.has_previous = true;
    memset(mark.previous.epoch, 1, sizeof(mark.previous.epoch));
    mark.previous.sequence = 9;
    assert_int_equal(sequence_check_take(check, &mark), ERR_NONE);
    assert_int_equal(sequence_check_report(check, keep, &seen, NULL), 2);
    assert_true(seen.gaps[0].is_tail);
    assert_int_equal(seen.gaps[0].first, 8);
    assert_int_equal(seen.gaps[0].last, 9);
    take(check, 1, 8);
    take(check, 1, 9);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 0);
    sequence_check_close(check);
}

static void an_epoch_that_is_gone_altogether_shows_in_a_whole_source(void **state)
{
    (void)state;
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        struct sequence_check *check = open_check(is_whole == 1);
        struct sequence_mark mark = mark_of(2, 0);
        mark.has_previous = true;
        memset(mark.previous.epoch, 1, sizeof(mark.previous.epoch));
        mark.previous.sequence = 9;
        assert_int_equal(sequence_check_take(check, &mark), ERR_NONE);
        assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), is_whole);
        sequence_check_close(check);
    }
}

static void sequences_at_the_end_of_their_range_do_not_wrap(void **state)
{
    struct sequence_check *check = open_check(false);
    (void)state;
    take(check, 1, UINT64_MAX);
    take(check, 1, UINT64_MAX - 2);
    take(check, 1, UINT64_MAX);
    assert_int_equal(sequence_check_report(check, NULL, NULL, NULL), 1);
    sequence_check_close(check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missing_from_a_run_without_gaps),
        cmocka_unit_test(one_removed_record_is_missing_and_named),
        cmocka_unit_test(a_late_start_is_missing_only_of_a_whole_source),
        cmocka_unit_test(a_record_that_comes_again_counts_once),
        cmocka_unit_test(late_records_close_a_gap_piece_by_piece),
        cmocka_unit_test(instances_and_epochs_are_counted_apart),
        cmocka_unit_test(what_a_capped_record_accounts_for_is_not_missing),
        cmocka_unit_test(a_cut_tail_shows_in_the_epoch_behind_it),
        cmocka_unit_test(an_epoch_that_is_gone_altogether_shows_in_a_whole_source),
        cmocka_unit_test(sequences_at_the_end_of_their_range_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
