/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "document.h"

#include <stdlib.h>
#include <time.h>

struct reading {
    struct arena arena;
    struct diag_list diags;
    struct document document;
    enum err err;
};

static int set_up(void **state)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    if (reading == NULL)
        return -1;
    arena_init(&reading->arena, (size_t)1 << 28);
    diag_list_init(&reading->diags, &reading->arena);
    *state = reading;
    return 0;
}

static int tear_down(void **state)
{
    struct reading *reading = *state;
    arena_free(&reading->arena);
    free(reading);
    return 0;
}

static void parse(struct reading *reading, struct view text)
{
    diag_list_init(&reading->diags, &reading->arena);
    reading->document = (struct document){0};
    reading->err = document_parse(VIEW("file.yaml"), text, &reading->arena, &reading->diags, &reading->document);
}

static void assert_refused(struct reading *reading, struct view text, const char *code, uint32_t line, uint32_t column)
{
    parse(reading, text);
    assert_int_equal(reading->err, ERR_INVALID);
    assert_true(reading->diags.count > 0);
    assert_string_equal(reading->diags.items[0].code.data, code);
    assert_int_equal(reading->diags.items[0].span.line, line);
    assert_int_equal(reading->diags.items[0].span.column, column);
    assert_int_equal(reading->document.count, 0);
}

static void assert_scalar(const struct node *node, const char *text, bool is_plain)
{
    assert_non_null(node);
    assert_int_equal(node->kind, NODE_SCALAR);
    assert_true(view_equals(node->text, view_of(text)));
    assert_int_equal(node->is_plain, is_plain);
}

static void a_document_keeps_every_scalar_as_text(void **state)
{
    struct reading *reading = *state;
    parse(reading, VIEW("a: no\nb: 08:00\nc: 1e3\nd: \"on\"\ne: ~\nf:\ng: 0o17\nh: |\n  two\n  lines\n"));
    assert_int_equal(reading->err, ERR_NONE);
    assert_int_equal(reading->document.count, 1);
    const struct node *root = reading->document.roots[0];
    assert_int_equal(root->kind, NODE_MAP);
    assert_int_equal(root->count, 8);
    assert_scalar(node_get(root, VIEW("a")), "no", true);
    assert_scalar(node_get(root, VIEW("b")), "08:00", true);
    assert_scalar(node_get(root, VIEW("c")), "1e3", true);
    assert_scalar(node_get(root, VIEW("d")), "on", false);
    assert_scalar(node_get(root, VIEW("e")), "~", true);
    assert_scalar(node_get(root, VIEW("f")), "", true);
    assert_scalar(node_get(root, VIEW("g")), "0o17", true);
    assert_scalar(node_get(root, VIEW("h")), "two\nlines\n", false);
    assert_null(node_get(root, VIEW("i")));
    assert_null(node_get(node_get(root, VIEW("a")), VIEW("a")));
    assert_null(node_get(NULL, VIEW("a")));
}

static void a_node_knows_where_it_stands_in_characters(void **state)
{
    struct reading *reading = *state;
    parse(reading, VIEW("top:\n  - {n\xc3\xa9: [one, two]}\n"));
    assert_int_equal(reading->err, ERR_NONE);
    const struct node *map = node_get(reading->document.roots[0], VIEW("top"))->items[0];
    assert_int_equal(map->span.line, 2);
    assert_int_equal(map->span.column, 5);
    assert_int_equal(map->span.end_column, 21);
    const struct node *two = map->items[0]->items[1];
    assert_int_equal(two->span.column, 16);
    assert_int_equal(two->span.end_column, 19);
    struct view path = node_path(reading->document.roots[0], two, &reading->arena);
    assert_true(view_equals(path, VIEW("top[0].n\xc3\xa9[1]")));
    assert_true(
        view_equals(node_path(reading->document.roots[0], map->keys[0], &reading->arena), VIEW("top[0].n\xc3\xa9")));
    struct node stranger = {0};
    assert_false(view_is_present(node_path(reading->document.roots[0], &stranger, &reading->arena)));
}

static void a_text_can_hold_several_documents_or_none(void **state)
{
    struct reading *reading = *state;
    parse(reading, VIEW("a: 1\n---\n- b\n---\nc\n"));
    assert_int_equal(reading->err, ERR_NONE);
    assert_int_equal(reading->document.count, 3);
    assert_int_equal(reading->document.roots[1]->kind, NODE_LIST);
    parse(reading, VIEW(""));
    assert_int_equal(reading->err, ERR_NONE);
    assert_int_equal(reading->document.count, 0);
    parse(reading, VIEW("# only a comment\n"));
    assert_int_equal(reading->document.count, 0);
}

static void a_document_refuses_anchors_aliases_tags_directives_and_merge_keys(void **state)
{
    struct reading *reading = *state;
    assert_refused(reading, VIEW("a: &x 1\n"), "E0105", 1, 4);
    assert_refused(reading, VIEW("a: 1\nb: &x [1]\n"), "E0105", 2, 4);
    assert_refused(reading, VIEW("a: &x {b: *x}\n"), "E0105", 1, 4);
    assert_refused(reading, VIEW("a: !!str 1\n"), "E0106", 1, 4);
    assert_refused(reading, VIEW("a: ! 1\n"), "E0106", 1, 4);
    assert_refused(reading, VIEW("%YAML 1.1\n---\na: 1\n"), "E0106", 1, 1);
    assert_refused(reading, VIEW("<<: {a: 1}\n"), "E0107", 1, 1);
    parse(reading, VIEW("\"<<\": 1\n"));
    assert_int_equal(reading->err, ERR_NONE);
}

static void a_document_refuses_a_key_that_occurs_twice(void **state)
{
    struct reading *reading = *state;
    assert_refused(reading, VIEW("a: 1\nb: 2\n'a': 3\n"), "E0108", 3, 1);
    assert_non_null(strstr(reading->diags.items[0].hint.data, "line 1"));
    assert_refused(reading, VIEW("a: {x: 1, x: 1}\n"), "E0108", 1, 11);
    struct view text = VIEW("");
    for (int i = 0; i < 40; i++)
        text = arena_print(&reading->arena, "%.*sk%d: 1\n", VIEW_ARG(text), i);
    parse(reading, text);
    assert_int_equal(reading->err, ERR_NONE);
    assert_refused(reading, arena_print(&reading->arena, "%.*sk7: 1\n", VIEW_ARG(text)), "E0108", 41, 1);
}

static void a_document_reports_every_refusal_of_a_text(void **state)
{
    struct reading *reading = *state;
    parse(reading, VIEW("a: &x 1\nb: !!int 2\na: 3\n"));
    assert_int_equal(reading->err, ERR_INVALID);
    assert_int_equal(reading->diags.errors, 3);
}

static void a_document_refuses_keys_that_are_no_scalars(void **state)
{
    assert_refused(*state, VIEW("? [a, b]\n: 1\n"), "E0109", 1, 3);
    assert_refused(*state, VIEW("{{a: b}: 1}\n"), "E0109", 1, 2);
}

static void a_document_refuses_other_encodings_marks_and_nul(void **state)
{
    struct reading *reading = *state;
    assert_refused(reading,
                   VIEW("\xef\xbb\xbf"
                        "a: 1\n"),
                   "E0104", 1, 1);
    assert_refused(reading,
                   VIEW("a: 1\n\xef\xbb\xbf"
                        "b: 1\n"),
                   "E0104", 2, 1);
    assert_refused(reading,
                   VIEW("\xff\xfe"
                        "a\0:\0 \0001\0"),
                   "E0104", 0, 0);
    assert_refused(reading, VIEW("\xfe\xff\0a\0:\0 \0001"), "E0104", 0, 0);
    assert_refused(reading, VIEW("a: 1\nb: x\0y\n"), "E0104", 2, 1);
    assert_refused(reading, VIEW("a: \"x\\0y\"\n"), "E0104", 1, 4);
    assert_refused(reading, VIEW("a: 1\nb: \xff\n"), "E0104", 2, 1);
    assert_refused(reading, VIEW("a: \x01\n"), "E0104", 1, 1);
}

static void a_document_says_where_the_syntax_breaks(void **state)
{
    assert_refused(*state, VIEW("a: [1, 2\nb: 3\n"), "E0101", 2, 2);
    assert_refused(*state, VIEW("a: 1\n b: 2\n"), "E0101", 2, 3);
    assert_refused(*state, VIEW("a: 'x\n"), "E0101", 2, 1);
}

/* `text` repeated, between a head and a tail. */
static struct view repeat(struct reading *reading, const char *head, const char *text, size_t count, const char *tail)
{
    size_t size = strlen(text);
    char *bytes = arena_take(&reading->arena, strlen(head) + size * count + strlen(tail) + 1);
    assert_non_null(bytes);
    size_t at = strlen(head);
    memcpy(bytes, head, at);
    for (size_t i = 0; i < count; i++, at += size)
        memcpy(bytes + at, text, size);
    memcpy(bytes + at, tail, strlen(tail));
    return (struct view){bytes, at + strlen(tail)};
}

static void a_document_nests_up_to_its_limit_and_no_deeper(void **state)
{
    struct reading *reading = *state;
    char text[2 * DOCUMENT_DEPTH_MAX + 3];
    for (size_t depth = DOCUMENT_DEPTH_MAX; depth <= DOCUMENT_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        parse(reading, (struct view){text, 2 * depth});
        assert_int_equal(reading->err, depth == DOCUMENT_DEPTH_MAX ? ERR_NONE : ERR_INVALID);
    }
    assert_string_equal(reading->diags.items[0].code.data, "E0103");
}

/* libyaml 0.2.5 is quadratic in nesting and aliases multiply: neither may cost time. */
static void a_hostile_document_is_refused_quickly(void **state)
{
    struct reading *reading = *state;
    struct view texts[] = {
        repeat(reading, "", "[", 100000, ""),
        repeat(reading, "", "{a: ", 100000, ""),
        repeat(reading, "", "- ", 100000, ""),
        repeat(reading, "a: &a [", "*a,", 100000, "]"),
        repeat(reading, "a: ", "x", 10 * 1024 * 1024, ""),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        clock_t start = clock();
        parse(reading, texts[i]);
        assert_int_equal(reading->err, ERR_INVALID);
        assert_true(clock() - start < CLOCKS_PER_SEC); /* 50 ms when nothing else runs; sanitizers are slower */
    }
    assert_string_equal(reading->diags.items[0].code.data, "E0102");
}

static void a_document_says_when_its_arena_is_full(void **state)
{
    struct reading *reading = *state;
    static char memory[4096];
    struct arena small;
    struct document document = {0};
    struct view text = repeat(reading, "", "- a\n", 1000, "");
    arena_init_fixed(&small, memory, sizeof(memory));
    assert_int_equal(document_parse(VIEW("f"), text, &small, &reading->diags, &document), ERR_NO_MEMORY);
    arena_init(&small, 64 * 1024);
    assert_int_equal(document_parse(VIEW("f"), text, &small, &reading->diags, &document), ERR_NO_MEMORY);
    arena_free(&small);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_document_keeps_every_scalar_as_text),
        CASE(a_node_knows_where_it_stands_in_characters),
        CASE(a_text_can_hold_several_documents_or_none),
        CASE(a_document_refuses_anchors_aliases_tags_directives_and_merge_keys),
        CASE(a_document_refuses_a_key_that_occurs_twice),
        CASE(a_document_reports_every_refusal_of_a_text),
        CASE(a_document_refuses_keys_that_are_no_scalars),
        CASE(a_document_refuses_other_encodings_marks_and_nul),
        CASE(a_document_says_where_the_syntax_breaks),
        CASE(a_document_nests_up_to_its_limit_and_no_deeper),
        CASE(a_hostile_document_is_refused_quickly),
        CASE(a_document_says_when_its_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
