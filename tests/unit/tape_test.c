/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "document.h"

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)1 << 28);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct tape read_tape(struct view text)
{
    struct tape tape;
    assert_int_equal(tape_read(VIEW("f.yaml"), text, &diags, &tape), ERR_NONE);
    return tape;
}

static bool is_of(struct view part, struct view whole)
{
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

static void a_scalar_is_copied_only_where_the_text_does_not_hold_it(void **state)
{
    (void)state;
    static const struct {
        const char *written, *value;
        bool is_copied;
    } scalars[] = {
        {"plain", "plain", false},
        {"\"quoted\"", "quoted", false},
        {"'single'", "single", false},
        {"'it''s'", "it's", true},
        {"\"a\\tb\"", "a\tb", true},
        {"two\n  lines", "two lines", true},
        {"|\n  block\n", "block\n", true},
        {"\"\\u00e9\"", "\xc3\xa9", true},
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", false},
        {"'\xc3\xa9'", "\xc3\xa9", false},
        {"\"\"", "", false},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        /* The letters before it are of two bytes: libyaml counts characters. */
        struct view text = arena_print(&arena, "\xc3\xa9\xc3\xa9: %s\n", scalars[i].written);
        struct tape tape = read_tape(text);
        assert_int_equal(tape.count, 3);
        struct view value = tape_text(&tape, 2);
        assert_true(view_equals(value, view_of(scalars[i].value)));
        assert_true(scalars[i].value[0] == '\0' || is_of(value, text) != scalars[i].is_copied);
        assert_int_equal(tape.written_size, scalars[i].is_copied ? value.size : 0);
        tape_free(&tape);
    }
}

static void assert_same(const struct node *a, const struct node *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->is_plain, b->is_plain);
    assert_true(view_equals(a->text, b->text));
    assert_int_equal(a->span.line, b->span.line);
    assert_int_equal(a->span.column, b->span.column);
    assert_int_equal(a->span.end_column, b->span.end_column);
    for (size_t i = 0; i < a->count; i++) {
        assert_same(a->items[i], b->items[i]);
        if (a->kind == NODE_MAP)
            assert_same(a->keys[i], b->keys[i]);
    }
}

static const char text[] = "kind: x\n"
                           "spec:\n"
                           "  short: {a: [1, {b: 2}]}\n"
                           "  long: {k1: {v: [1, 2]}, k2: v2}\n"
                           "  many: [{n: 1}, two, []]\n"
                           "---\n"
                           "spec: {many: alone, long: []}\n";

static void a_walk_of_a_closed_block_gives_what_the_open_one_has(void **state)
{
    (void)state;
    static const struct view names[] = {{"long", 4}, {"many", 4}};
    static const struct string_set closed = {.items = names, .count = 2};
    struct tape tape = read_tape(view_of(text));
    const struct node *whole = document_node(&tape, 0, NULL, &arena),
                      *folded = document_node(&tape, 0, &closed, &arena);
    assert_non_null(whole);
    assert_same(node_get(node_get(whole, VIEW("spec")), VIEW("short")),
                node_get(node_get(folded, VIEW("spec")), VIEW("short")));
    for (size_t n = 0; n < 2; n++) {
        const struct node *open = node_get(node_get(whole, VIEW("spec")), names[n]);
        const struct node *shut = node_get(node_get(folded, VIEW("spec")), names[n]);
        struct document_walk walk = document_walk(&tape, shut);
        struct node *key, *item;
        size_t at = 0;
        assert_true(shut->is_closed);
        assert_int_equal(shut->count, open->count);
        assert_null(shut->items);
        for (; document_walk_next(&walk, &arena, &key, &item); at++) {
            assert_same(item, open->items[at]);
            assert_true((key != NULL) == (open->kind == NODE_MAP));
            if (key != NULL)
                assert_same(key, open->keys[at]);
        }
        assert_int_equal(at, open->count);
        assert_int_equal(walk.left, 0);
    }
    tape_free(&tape);
}

static void only_lists_and_maps_are_closed_and_only_two_levels_down(void **state)
{
    (void)state;
    static const struct view names[] = {{"spec", 4}, {"many", 4}, {"a", 1}};
    static const struct string_set closed = {.items = names, .count = 3};
    struct tape tape = read_tape(view_of(text));
    const struct node *first = document_node(&tape, 0, &closed, &arena);
    const struct node *second = document_node(&tape, tape_after(&tape, 0), &closed, &arena);
    assert_int_equal(tape.root_count, 2);
    assert_false(node_get(first, VIEW("spec"))->is_closed);
    assert_false(node_get(node_get(node_get(first, VIEW("spec")), VIEW("short")), VIEW("a"))->is_closed);
    assert_true(view_equals(node_get(node_get(second, VIEW("spec")), VIEW("many"))->text, VIEW("alone")));
    assert_false(node_get(node_get(second, VIEW("spec")), VIEW("many"))->is_closed);
    tape_free(&tape);
}

static void a_walk_says_when_its_arena_is_full(void **state)
{
    (void)state;
    struct tape tape = read_tape(view_of(text));
    const struct node *root = document_node(&tape, 0, NULL, &arena);
    struct arena small;
    char memory[64];
    struct node *key, *item;
    arena_init_fixed(&small, memory, sizeof memory);
    struct document_walk walk = document_walk(&tape, root);
    assert_false(document_walk_next(&walk, &small, &key, &item));
    assert_int_equal(walk.left, 2);
    assert_null(document_node(&tape, 0, NULL, &small));
    tape_free(&tape);
}

static void texts_and_spans_outlive_the_entries(void **state)
{
    (void)state;
    struct tape tape = read_tape(VIEW("a: \"x\\ty\"\n"));
    struct view value = tape_text(&tape, 2);
    tape_drop(&tape);
    assert_int_equal(tape.count, 0);
    assert_true(view_equals(value, VIEW("x\ty")));
    tape_free(&tape);
}

/* Pages that held nothing else are given back; not a byte beside them changes. */
static void what_is_forgotten_leaves_the_rest_as_it_was(void **state)
{
    (void)state;
    enum { MANY = 20000, FROM = 1000, TO = 19000 };
    static const struct tape_entry gone;
    char *bytes = arena_take(&arena, 2 * MANY + 2);
    assert_non_null(bytes);
    for (size_t i = 0; i < MANY; i++)
        memcpy(bytes + 2 * i, i == 0 ? "[a" : ",a", 2);
    bytes[2 * MANY] = ']';
    struct tape tape = read_tape((struct view){.data = bytes, .size = 2 * MANY + 1});
    struct tape_entry *before = arena_take_array(&arena, tape.count, sizeof *before);
    size_t zeros = 0;
    memcpy(before, tape.entries, tape.count * sizeof *before);
    tape_forget(&tape, 5, 5);
    tape_forget(&tape, 5, 6); /* less than a page */
    assert_memory_equal(before, tape.entries, tape.count * sizeof *before);
    tape_forget(&tape, FROM, TO);
    assert_memory_equal(before, tape.entries, FROM * sizeof *before);
    assert_memory_equal(before + TO, tape.entries + TO, (tape.count - TO) * sizeof *before);
    for (size_t i = FROM; i < TO; i++)
        zeros += memcmp(&tape.entries[i], &gone, sizeof gone) == 0;
    assert_in_range(zeros, (TO - FROM) * 9 / 10, TO - FROM);
    tape_free(&tape);
}

/* Lines, columns and widths that need every bit they have. */
static void far_places_are_exact(void **state)
{
    (void)state;
    enum { WIDE = 3000000, DEEP = 4000000 };
    char *bytes = arena_take(&arena, DOCUMENT_MAX);
    assert_non_null(bytes);
    memset(bytes, '\n', DEEP);
    memset(bytes + DEEP, ' ', WIDE);
    memcpy(bytes + DEEP + WIDE, "[", 1);
    memset(bytes + DEEP + WIDE + 1, 'x', 1000000);
    memcpy(bytes + DEEP + WIDE + 1000001, ",y]", 3);
    struct tape tape = read_tape((struct view){.data = bytes, .size = DEEP + WIDE + 1000004});
    struct span list = tape_span(&tape, 0), last = tape_span(&tape, 2);
    assert_int_equal(list.line, DEEP + 1);
    assert_int_equal(list.column, WIDE + 1);
    assert_int_equal(list.end_column, WIDE + 1000005);
    assert_int_equal(last.column, WIDE + 1000003);
    assert_int_equal(last.end_column, WIDE + 1000004);
    assert_int_equal(tape_text(&tape, 1).size, 1000000);
    tape_free(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_forgotten_leaves_the_rest_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scalar_is_copied_only_where_the_text_does_not_hold_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_walk_of_a_closed_block_gives_what_the_open_one_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_lists_and_maps_are_closed_and_only_two_levels_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_walk_says_when_its_arena_is_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_and_spans_outlive_the_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(far_places_are_exact, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("tape", tests, NULL, NULL);
}
