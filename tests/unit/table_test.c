/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "table.h"

static void a_table_finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    struct arena arena;
    struct table table;
    size_t value = 0;
    arena_init(&arena, 1 << 24);
    table_init(&table, &arena);
    assert_false(table_find(&table, VIEW("one"), &value));
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(table_put(&table, arena_print(&arena, "key-%zu", i), i), ERR_NONE);
    for (size_t i = 0; i < 5000; i++) {
        assert_true(table_find(&table, arena_print(&arena, "key-%zu", i), &value));
        assert_int_equal(value, i);
    }
    assert_false(table_find(&table, VIEW("key-5000"), &value));
    assert_false(table_find(&table, VIEW("key"), &value));
    assert_false(table_find(&table, (struct view){0}, &value));
    arena_free(&arena);
}

static void a_table_refuses_a_second_value_and_keeps_the_first(void **state)
{
    (void)state;
    struct arena arena;
    struct table table;
    size_t value = 0;
    arena_init(&arena, 1 << 20);
    table_init(&table, &arena);
    assert_int_equal(table_put(&table, VIEW(""), 7), ERR_NONE);
    assert_int_equal(table_put(&table, VIEW(""), 8), ERR_CONFLICT);
    assert_true(table_find(&table, VIEW(""), &value));
    assert_int_equal(value, 7);
    arena_free(&arena);
}

static void a_table_says_when_its_arena_is_full(void **state)
{
    (void)state;
    char memory[64];
    struct arena arena;
    struct table table;
    arena_init_fixed(&arena, memory, sizeof(memory));
    table_init(&table, &arena);
    assert_int_equal(table_put(&table, VIEW("one"), 1), ERR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_finds_what_was_put_and_nothing_else),
        cmocka_unit_test(a_table_refuses_a_second_value_and_keeps_the_first),
        cmocka_unit_test(a_table_says_when_its_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
