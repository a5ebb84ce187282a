/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arena.h"

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    (void)arena_take(&arena, 3);
    char *memory = arena_take(&arena, 100);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 16, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(memory[i], 0);
    arena_free(&arena);
}

static void arena_refuses_past_its_ceiling(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    assert_non_null(arena_take(&arena, 1000));
    assert_null(arena_take(&arena, 64 * 1024));
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_null(arena_take_array(&arena, SIZE_MAX / 2, 4));
    arena_free(&arena);
}

static void a_fixed_arena_never_allocates(void **state)
{
    (void)state;
    char memory[256];
    struct arena arena;
    arena_init_fixed(&arena, memory, sizeof memory);
    char *first = arena_take(&arena, 128);
    assert_in_range((uintptr_t)first, (uintptr_t)memory, (uintptr_t)memory + sizeof memory);
    assert_null(arena_take(&arena, 192));
    assert_int_equal(arena.used, 0);
}

static void arena_print_formats_a_view(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct view text = arena_print(&arena, "%s-%d", "a", 7);
    assert_true(view_equals(text, VIEW("a-7")));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_refuses_past_its_ceiling),
        cmocka_unit_test(a_fixed_arena_never_allocates),
        cmocka_unit_test(arena_print_formats_a_view),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
