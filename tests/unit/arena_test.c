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

static void what_is_taken_in_words_stands_closer_and_what_follows_is_aligned_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *first = arena_take_words(&arena, 3, 8), *second = arena_take_words(&arena, 1, 3);
    char *third = arena_take_words(&arena, 1, 8), *wide = arena_take(&arena, 1);
    assert_non_null(first);
    assert_int_equal(second - first, 24);
    assert_int_equal(third - second, 8);
    assert_int_equal((uintptr_t)wide % 16, 0);
    assert_in_range(wide - third, 8, 16);
    for (int i = 0; i < 40; i++)
        assert_int_equal(first[i], 0);
    assert_null(arena_take_words(&arena, SIZE_MAX / 2, 4));
    assert_null(arena_take_words(&arena, 1, 1 << 20));
    arena_free(&arena);
    char memory[64];
    arena_init_fixed(&arena, memory, 16 * 3);
    assert_non_null(arena_take_words(&arena, 1, 8));
    assert_null(arena_take(&arena, 48));
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

static void a_long_block_is_zeroed_too_and_a_reused_one_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 24);
    for (int round = 0; round < 3; round++) {
        char *shorter = arena_take(&arena, 1000), *longer = arena_take(&arena, 1 << 20);
        char *unset = arena_take_unset(&arena, 100);
        assert_non_null(shorter);
        assert_non_null(longer);
        assert_non_null(unset);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(shorter[i], 0);
        for (size_t i = 0; i < 1 << 20; i++)
            assert_int_equal(longer[i], 0);
        memset(shorter, 1, 1000);
        memset(longer, 1, 1 << 20);
        memset(unset, 1, 100);
        arena_reuse(&arena);
        assert_in_range(arena.used, 1000, 64 * 1024);
    }
    arena_free(&arena);
    assert_int_equal(arena.used, 0);
    arena_reuse(&arena); /* nothing to keep */
    assert_non_null(arena_take(&arena, 1));
    arena_free(&arena);
}

/* A block is an eighth of what is taken already: few blocks, and little that lies idle. */
static void an_arena_takes_larger_blocks_as_it_grows_up_to_its_ceiling(void **state)
{
    (void)state;
    enum { CEILING = 1 << 26, PIECE = 1000 };
    struct arena arena;
    size_t taken = 0;
    char *piece;
    arena_init(&arena, CEILING);
    while ((piece = arena_take(&arena, PIECE))) {
        for (size_t i = 0; i < PIECE; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 1, PIECE);
        taken += PIECE;
        assert_in_range(arena.used, taken, taken + taken / 7 + 64 * 1024);
    }
    assert_in_range(taken, CEILING - CEILING / 20, CEILING);
    assert_in_range(arena.used, taken, CEILING);
    arena_free(&arena);
}

static void what_is_long_has_a_block_of_its_own_and_leaves_no_gap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 24);
    char *before = arena_take(&arena, 16), *longer = arena_take(&arena, 1 << 20), *behind = arena_take(&arena, 16);
    assert_ptr_equal(behind, before + 16);
    for (size_t i = 0; i < 1 << 20; i++)
        assert_int_equal(longer[i], 0);
    memset(longer, 1, 1 << 20);
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

static void a_text_is_written_where_it_fits_and_not_where_it_does_not(void **state)
{
    (void)state;
    _Alignas(max_align_t) char memory[64];
    struct arena arena;
    arena_init_fixed(&arena, memory, 16);
    assert_false(view_is_present(arena_print(&arena, "%s", "0123456789abcdef")));
    assert_true(view_equals(arena_print(&arena, "%s", "0123456789abcde"), VIEW("0123456789abcde")));
    assert_false(view_is_present(arena_print(&arena, "%s", "")));
    arena_init_fixed(&arena, memory, 32);
    struct view first = arena_print(&arena, "%s", "a"), second = arena_print(&arena, "%s", "b");
    assert_true(view_equals(first, VIEW("a")) && view_equals(second, VIEW("b")));
}

static void what_follows_a_text_that_did_not_fit_is_zeroed(void **state)
{
    (void)state;
    enum { MAPPED = 4 * 1024 * 1024, ROOM = 20 * 1000, LONG = 300 * 1000 };
    static char letters[LONG + 1];
    struct arena arena;
    memset(letters, 'x', LONG);
    arena_init(&arena, 64 * 1024 * 1024);
    while (arena.used < MAPPED)
        assert_non_null(arena_take(&arena, 1024)); /* until blocks are so long that the system gives them, zeroed */
    while ((size_t)(arena.end - arena.next) > ROOM)
        assert_non_null(arena_take(&arena, 1024));
    const char *next = arena.next;
    assert_int_equal(arena_print(&arena, "%s", letters).size, LONG);
    assert_ptr_equal(arena.next, next); /* in a block of its own: the room is still there */
    const char *bytes = arena_take(&arena, 1024);
    assert_ptr_equal(bytes, next);
    for (size_t i = 0; i < 1024; i++)
        assert_int_equal(bytes[i], 0);
    arena_free(&arena);
}

static void arena_join_puts_views_behind_one_another_or_gives_none(void **state)
{
    (void)state;
    _Alignas(max_align_t) char memory[16];
    struct arena arena;
    const struct view parts[] = {VIEW("01234567"), {0}, VIEW(""), VIEW("89abcde")};
    arena_init_fixed(&arena, memory, sizeof memory);
    struct view text = arena_join(&arena, parts, 4);
    assert_true(view_equals(text, VIEW("0123456789abcde")));
    assert_int_equal(text.data[text.size], '\0');
    assert_false(view_is_present(arena_join(&arena, parts, 0)));
    arena_init_fixed(&arena, memory, sizeof memory - 1);
    assert_false(view_is_present(arena_join(&arena, parts, 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(what_is_taken_in_words_stands_closer_and_what_follows_is_aligned_again),
        cmocka_unit_test(arena_refuses_past_its_ceiling),
        cmocka_unit_test(a_long_block_is_zeroed_too_and_a_reused_one_again),
        cmocka_unit_test(an_arena_takes_larger_blocks_as_it_grows_up_to_its_ceiling),
        cmocka_unit_test(what_is_long_has_a_block_of_its_own_and_leaves_no_gap),
        cmocka_unit_test(a_fixed_arena_never_allocates),
        cmocka_unit_test(arena_print_formats_a_view),
        cmocka_unit_test(a_text_is_written_where_it_fits_and_not_where_it_does_not),
        cmocka_unit_test(what_follows_a_text_that_did_not_fit_is_zeroed),
        cmocka_unit_test(arena_join_puts_views_behind_one_another_or_gives_none),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
