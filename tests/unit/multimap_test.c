/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "multimap.h"

enum { MANY = 2000 };

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 22);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_none(const struct multimap *map, uint32_t space, struct view key)
{
    size_t count = 99;
    (void)multimap_find(map, space, key, &count);
    assert_int_equal(count, 0);
}

static void assert_one(const struct multimap *map, uint32_t space, struct view key, uint32_t value)
{
    size_t count = 0;
    const uint32_t *values = multimap_find(map, space, key, &count);
    assert_int_equal(count, 1);
    assert_int_equal(values[0], value);
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct multimap map;
    assert_int_equal(multimap_build(NULL, 0, &arena, &map), ERR_NONE);
    assert_none(&map, 0, VIEW(""));
    assert_none(&map, 1, VIEW("a"));
}

static void a_key_gives_its_values_once_each_and_ascending(void **state)
{
    (void)state;
    struct multimap_pair pairs[] = {
        {1, VIEW("k"), 9}, {1, VIEW("k"), 2}, {1, VIEW("j"), 4}, {1, VIEW("k"), 9}, {1, VIEW("k"), 5}};
    struct multimap map;
    size_t count = 0;
    assert_int_equal(multimap_build(pairs, 5, &arena, &map), ERR_NONE);
    const uint32_t *values = multimap_find(&map, 1, VIEW("k"), &count);
    assert_int_equal(count, 3);
    assert_int_equal(values[0], 2);
    assert_int_equal(values[1], 5);
    assert_int_equal(values[2], 9);
    assert_one(&map, 1, VIEW("j"), 4);
}

static void the_same_key_of_another_space_is_another_key(void **state)
{
    (void)state;
    struct multimap_pair pairs[] = {{1, VIEW("k"), 1}, {2, VIEW("k"), 2}};
    struct multimap map;
    assert_int_equal(multimap_build(pairs, 2, &arena, &map), ERR_NONE);
    assert_one(&map, 1, VIEW("k"), 1);
    assert_one(&map, 2, VIEW("k"), 2);
    assert_none(&map, 0, VIEW("k"));
    assert_none(&map, 3, VIEW("k"));
}

/* Keys of every length that the hash treats in its own way, and their neighbours. */
static void a_key_is_found_by_all_its_bytes_and_no_others(void **state)
{
    (void)state;
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    struct multimap_pair pairs[26];
    struct multimap map;
    for (size_t i = 0; i < 26; i++)
        pairs[i] = (struct multimap_pair){7, {text, i}, (uint32_t)i};
    assert_int_equal(multimap_build(pairs, 26, &arena, &map), ERR_NONE);
    for (size_t i = 0; i < 26; i++) {
        assert_one(&map, 7, (struct view){text, i}, (uint32_t)i);
        for (size_t at = 0; at < i; at++) {
            char other[sizeof text];
            memcpy(other, text, sizeof text);
            other[at] = '_';
            assert_none(&map, 7, (struct view){other, i});
        }
    }
    assert_none(&map, 7, (struct view){text, 26});
}

static void many_keys_keep_apart(void **state)
{
    (void)state;
    static char texts[MANY][8];
    static struct multimap_pair pairs[MANY];
    struct multimap map;
    for (uint32_t i = 0; i < MANY; i++) {
        int size = snprintf(texts[i], sizeof texts[i], "k%u", i);
        pairs[i] = (struct multimap_pair){0, {texts[i], (size_t)size}, i};
    }
    assert_int_equal(multimap_build(pairs, MANY, &arena, &map), ERR_NONE);
    for (uint32_t i = 0; i < MANY; i++)
        assert_one(&map, 0, view_of(texts[i]), i);
    assert_none(&map, 0, VIEW("k2000"));
    assert_none(&map, 0, VIEW("k"));
}

static void a_map_without_room_is_refused_and_stays_empty(void **state)
{
    (void)state;
    _Alignas(max_align_t) char room[16], enough[1024];
    struct multimap_pair pairs[] = {{1, VIEW("a"), 1}, {1, VIEW("b"), 2}};
    struct arena fixed;
    struct multimap map;
    arena_init_fixed(&fixed, room, sizeof room);
    assert_int_equal(multimap_build(pairs, 2, &fixed, &map), ERR_NO_MEMORY);
    assert_none(&map, 1, VIEW("a"));
    arena_init_fixed(&fixed, enough, sizeof enough);
    assert_int_equal(multimap_build(pairs, 2, &fixed, &map), ERR_NONE);
    assert_one(&map, 1, VIEW("a"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_map_has_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_gives_its_values_once_each_and_ascending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_key_of_another_space_is_another_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_found_by_all_its_bytes_and_no_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys_keep_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_map_without_room_is_refused_and_stays_empty, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
