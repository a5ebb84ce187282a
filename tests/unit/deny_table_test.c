/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deny_table.h"

#include <string.h>

#define NOW INT64_C(1800000000)

/* Spread as digests are, from a number. */
static struct deny_row row_of(uint64_t number)
{
    struct deny_row row = {.expires = DENY_TABLE_ALWAYS, .issued_before = DENY_TABLE_ALWAYS};
    for (int i = 0; i < DENY_PRINT_BYTES; i++) {
        number = number * 6364136223846793005u + 1442695040888963407u;
        row.print[i] = (uint8_t)(number >> 56);
    }
    return row;
}

static struct deny_table *table_of(const struct deny_row *rows, size_t count)
{
    struct deny_table *table = NULL;
    assert_int_equal(deny_table_open(count, &table), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(deny_table_add(table, &rows[i]), ERR_NONE);
    assert_int_equal(deny_table_add(table, &rows[0]), ERR_LIMIT);
    assert_int_equal(deny_table_close(table), ERR_NONE);
    return table;
}

static bool has(const struct deny_row *rows, size_t count, const uint8_t *print, int64_t now, int64_t issued_at)
{
    struct deny_table *table = table_of(rows, count);
    bool is_there = deny_table_has(table, print, now, issued_at);
    deny_table_free(table);
    return is_there;
}

static void an_empty_table_has_nobody(void **state)
{
    (void)state;
    struct deny_row row = row_of(1);
    struct deny_table *table = NULL;
    assert_int_equal(deny_table_open(0, &table), ERR_NONE);
    assert_int_equal(deny_table_close(table), ERR_NONE);
    assert_false(deny_table_has(table, row.print, NOW, 0));
    deny_table_free(table);
    deny_table_free(NULL);
    assert_int_equal(deny_table_open((size_t)DENY_TABLE_ROWS_MAX + 1, &table), ERR_LIMIT);
}

static void every_row_is_found_and_none_that_differs_in_a_bit(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct deny_table *table = NULL;
    assert_int_equal(deny_table_open(MANY, &table), ERR_NONE);
    for (uint64_t i = 0; i < MANY; i++) {
        struct deny_row row = row_of(i);
        assert_int_equal(deny_table_add(table, &row), ERR_NONE);
    }
    assert_int_equal(deny_table_close(table), ERR_NONE);
    for (uint64_t i = 0; i < MANY; i++) {
        struct deny_row row = row_of(i);
        assert_true(deny_table_has(table, row.print, NOW, 0));
        row.print[i % DENY_PRINT_BYTES] ^= (uint8_t)(1u << i % 8);
        assert_false(deny_table_has(table, row.print, NOW, 0));
    }
    deny_table_free(table);
}

static void times_are_kept_to_the_second(void **state)
{
    (void)state;
    struct deny_row row = row_of(1);
    row.expires = NOW + 1;
    row.issued_before = NOW - 5;
    assert_true(has(&row, 1, row.print, NOW, NOW - 6));
    assert_false(has(&row, 1, row.print, NOW + 1, NOW - 6));
    assert_false(has(&row, 1, row.print, NOW, NOW - 5));
    assert_true(has(&row, 1, row.print, NOW, INT64_MIN));
}

static void a_time_past_2105_is_always_and_one_before_1970_is_over(void **state)
{
    (void)state;
    struct deny_row row = row_of(1);
    row.expires = UINT32_MAX;
    assert_true(has(&row, 1, row.print, INT64_MAX - 1, 0));
    row.expires = (int64_t)UINT32_MAX - 1;
    assert_true(has(&row, 1, row.print, (int64_t)UINT32_MAX - 2, 0));
    assert_false(has(&row, 1, row.print, (int64_t)UINT32_MAX - 1, 0));
    row.expires = -1;
    assert_false(has(&row, 1, row.print, 0, 0));
}

static void of_several_rows_for_one_print_each_holds(void **state)
{
    (void)state;
    struct deny_row rows[3] = {row_of(1), row_of(1), row_of(2)};
    rows[0].expires = NOW - 1;
    rows[1].expires = NOW + 1;
    rows[2].expires = NOW - 1;
    assert_true(has(rows, 3, rows[0].print, NOW, 0));
    assert_false(has(rows, 3, rows[0].print, NOW + 1, 0));
    assert_false(has(rows, 3, rows[2].print, NOW, 0));
}

/* Values that somebody chose to fall into one bucket. */
static void rows_that_share_their_first_bits_are_each_found(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct deny_table *table = NULL;
    assert_int_equal(deny_table_open(MANY, &table), ERR_NONE);
    for (uint64_t i = 0; i < MANY; i++) {
        struct deny_row row = row_of(i);
        memset(row.print, 0xff, 4);
        assert_int_equal(deny_table_add(table, &row), ERR_NONE);
    }
    assert_int_equal(deny_table_close(table), ERR_NONE);
    for (uint64_t i = 0; i < MANY; i++) {
        struct deny_row row = row_of(i);
        assert_false(deny_table_has(table, row.print, NOW, 0));
        memset(row.print, 0xff, 4);
        assert_true(deny_table_has(table, row.print, NOW, 0));
    }
    deny_table_free(table);
}

static void a_million_rows_take_at_most_24_bytes_each(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    struct deny_table *table = NULL;
    assert_int_equal(deny_table_open(MANY, &table), ERR_NONE);
    for (uint64_t i = 0; i < MANY; i++) {
        struct deny_row row = row_of(i);
        assert_int_equal(deny_table_add(table, &row), ERR_NONE);
    }
    assert_int_equal(deny_table_close(table), ERR_NONE);
    assert_int_equal(deny_table_count(table), MANY);
    assert_true(deny_table_bytes(table) <= (size_t)24 * MANY);
    deny_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nobody),
        cmocka_unit_test(every_row_is_found_and_none_that_differs_in_a_bit),
        cmocka_unit_test(times_are_kept_to_the_second),
        cmocka_unit_test(a_time_past_2105_is_always_and_one_before_1970_is_over),
        cmocka_unit_test(of_several_rows_for_one_print_each_holds),
        cmocka_unit_test(rows_that_share_their_first_bits_are_each_found),
        cmocka_unit_test(a_million_rows_take_at_most_24_bytes_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
