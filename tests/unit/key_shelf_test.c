/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "key_shelf.h"

enum { SLOTS = 4, KEY_BYTES = 2000, ROOMY = 1 << 16 };

static const struct hash_key HASH_KEY = {{1, 2}};
static char bytes[KEY_BYTES + 1];
static struct key_shelf *shelf;

static int set_up(void **state)
{
    (void)state;
    const struct key_shelf_config config = {.slots = SLOTS, .key_bytes = KEY_BYTES, .memory = ROOMY};
    memset(bytes, 'k', sizeof bytes);
    return key_shelf_open(&config, &HASH_KEY, &shelf) == ERR_NONE ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    key_shelf_close(shelf);
    return 0;
}

static uint32_t put(struct svid_key key)
{
    uint32_t slot = SLOTS;
    assert_true(key_shelf_put(shelf, &key, key_shelf_hash(shelf, &key), &slot));
    assert_true(slot < SLOTS);
    return slot;
}

static bool has(struct svid_key key)
{
    uint32_t slot = SLOTS;
    return key_shelf_find(shelf, &key, key_shelf_hash(shelf, &key), &slot);
}

static struct svid_key leaf(const char *text)
{
    return (struct svid_key){.leaf = view_of(text)};
}

static void a_key_is_found_in_its_slot_and_its_neighbour_is_not(void **state)
{
    (void)state;
    struct svid_key key = leaf("abc");
    uint32_t slot = put(key), found = SLOTS;
    assert_true(key_shelf_find(shelf, &key, key_shelf_hash(shelf, &key), &found));
    assert_int_equal(found, slot);
    assert_false(has(leaf("abd")));
    assert_false(has(leaf("ab")));
    assert_false(has(leaf("abcd")));
}

static void a_key_put_twice_keeps_its_slot(void **state)
{
    (void)state;
    uint32_t slot = put(leaf("a"));
    assert_int_not_equal(put(leaf("b")), slot);
    assert_int_equal(put(leaf("a")), slot);
}

static void the_same_bytes_split_elsewhere_are_another_key(void **state)
{
    (void)state;
    struct svid_key key = {VIEW("ab"), VIEW("c")}, other = {VIEW("a"), VIEW("bc")};
    uint32_t slot = SLOTS;
    uint64_t hash = key_shelf_hash(shelf, &key);
    (void)put(key);
    assert_true(key_shelf_find(shelf, &key, hash, &slot));
    assert_false(key_shelf_find(shelf, &other, hash, &slot));
}

static void an_absent_part_and_an_empty_one_are_different_keys(void **state)
{
    (void)state;
    const struct svid_key absent = leaf("a"), empty = {VIEW("a"), VIEW("")};
    uint32_t first, second, found = SLOTS;
    assert_true(key_shelf_put(shelf, &absent, 7, &first));
    assert_false(key_shelf_find(shelf, &empty, 7, &found));
    assert_true(key_shelf_put(shelf, &empty, 7, &second));
    assert_true(key_shelf_find(shelf, &absent, 7, &found));
    assert_int_equal(found, first);
    assert_true(key_shelf_find(shelf, &empty, 7, &found));
    assert_int_equal(found, second);
}

/* The hash spreads; the whole compare decides. */
static void keys_of_one_hash_are_told_apart(void **state)
{
    (void)state;
    struct svid_key one = leaf("one"), two = leaf("two"), three = leaf("three");
    uint32_t first, second, found = SLOTS;
    assert_true(key_shelf_put(shelf, &one, 7, &first));
    assert_true(key_shelf_put(shelf, &two, 7, &second));
    assert_int_not_equal(first, second);
    assert_true(key_shelf_find(shelf, &one, 7, &found));
    assert_int_equal(found, first);
    assert_true(key_shelf_find(shelf, &two, 7, &found));
    assert_int_equal(found, second);
    assert_false(key_shelf_find(shelf, &three, 7, &found));
}

static void the_longest_key_is_kept_and_a_byte_more_is_not(void **state)
{
    (void)state;
    const struct svid_key longest = {.leaf = {bytes, KEY_BYTES - 10}, .chain = {bytes, 10}};
    const struct svid_key over[] = {{.leaf = {bytes, KEY_BYTES - 10}, .chain = {bytes, 11}},
                                    {.leaf = {bytes, KEY_BYTES + 1}},
                                    {.chain = {bytes, KEY_BYTES + 1}},
                                    {.leaf = {bytes, 1}, .chain = {bytes, SIZE_MAX}}};
    uint32_t slot = SLOTS;
    (void)put(longest);
    assert_true(has(longest));
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        assert_false(key_shelf_put(shelf, &over[i], 1, &slot));
    assert_true(has(longest));
}

/* Every length on both sides of a chunk's end, and a wrong byte at each end of the key. */
static void a_long_key_is_compared_to_its_last_byte(void **state)
{
    (void)state;
    for (size_t size = 500; size < 1100; size++) {
        struct svid_key key = {.leaf = {bytes, size / 3}, .chain = {bytes, size - size / 3}};
        uint32_t slot = SLOTS;
        assert_true(key_shelf_put(shelf, &key, 5, &slot));
        assert_true(key_shelf_find(shelf, &key, 5, &slot));
        char other[KEY_BYTES];
        memcpy(other, bytes, sizeof other);
        key.chain.data = other;
        assert_true(key_shelf_find(shelf, &key, 5, &slot));
        other[key.chain.size - 1] = 'x';
        assert_false(key_shelf_find(shelf, &key, 5, &slot));
        other[key.chain.size - 1] = 'k';
        other[0] = 'x';
        assert_false(key_shelf_find(shelf, &key, 5, &slot));
    }
}

static void a_full_shelf_gives_up_what_was_not_found_lately(void **state)
{
    (void)state;
    static const char *const texts[SLOTS] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < SLOTS; i++)
        (void)put(leaf(texts[i]));
    for (size_t i = 0; i < SLOTS; i++)
        assert_true(i == 2 || has(leaf(texts[i])));
    (void)put(leaf("e"));
    assert_false(has(leaf("c")));
    assert_true(has(leaf("e")));
    for (size_t i = 0; i < SLOTS; i++)
        assert_true(i == 2 || has(leaf(texts[i])));
}

static size_t least_memory(uint32_t slots, uint32_t key_bytes)
{
    for (size_t memory = 0; memory < ROOMY; memory++) {
        const struct key_shelf_config config = {.slots = slots, .key_bytes = key_bytes, .memory = memory};
        struct key_shelf *opened = NULL;
        enum err e = key_shelf_open(&config, &HASH_KEY, &opened);
        key_shelf_close(opened);
        if (e == ERR_NONE)
            return memory;
        assert_int_equal(e, ERR_LIMIT);
    }
    return ROOMY;
}

static void the_least_memory_holds_one_longest_key_at_a_time(void **state)
{
    (void)state;
    const size_t memory = least_memory(SLOTS, KEY_BYTES);
    const struct key_shelf_config config = {.slots = SLOTS, .key_bytes = KEY_BYTES, .memory = memory};
    const struct svid_key longest = {.leaf = {bytes, KEY_BYTES}};
    assert_true(memory > KEY_BYTES && memory < ROOMY);
    assert_true(least_memory(2 * SLOTS, KEY_BYTES) > memory);
    key_shelf_close(shelf);
    assert_int_equal(key_shelf_open(&config, &HASH_KEY, &shelf), ERR_NONE);
    (void)put(leaf("short"));
    (void)put(longest);
    assert_true(has(longest));
    assert_false(has(leaf("short")));
    (void)put(leaf("short"));
    assert_true(has(leaf("short")));
    assert_false(has(longest));
}

static void shelves_of_one_hash_key_hash_alike_and_others_do_not(void **state)
{
    (void)state;
    const struct key_shelf_config config = {.slots = 2, .key_bytes = 10, .memory = ROOMY};
    const struct svid_key key = {VIEW("a"), VIEW("b")};
    const struct hash_key other_key = {{3, 4}};
    struct key_shelf *same = NULL, *other = NULL;
    assert_int_equal(key_shelf_open(&config, &HASH_KEY, &same), ERR_NONE);
    assert_int_equal(key_shelf_open(&config, &other_key, &other), ERR_NONE);
    assert_true(key_shelf_hash(same, &key) == key_shelf_hash(shelf, &key));
    assert_false(key_shelf_hash(other, &key) == key_shelf_hash(shelf, &key));
    key_shelf_close(same);
    key_shelf_close(other);
    key_shelf_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_found_in_its_slot_and_its_neighbour_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_put_twice_keeps_its_slot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_bytes_split_elsewhere_are_another_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_absent_part_and_an_empty_one_are_different_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_of_one_hash_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_key_is_kept_and_a_byte_more_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_key_is_compared_to_its_last_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_shelf_gives_up_what_was_not_found_lately, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_memory_holds_one_longest_key_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shelves_of_one_hash_key_hash_alike_and_others_do_not, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
