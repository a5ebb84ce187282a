/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* The text stands in memory of exactly its size, so that a sanitizer sees a byte too far. */
static enum err parse(struct view text, struct json *out)
{
    char *copy = malloc(text.size + (text.size == 0));
    assert_non_null(copy);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    struct json ignored;
    enum err e = json_parse((struct view){copy, text.size}, &arena, &ignored);
    free(copy);
    if (out != NULL && e == ERR_NONE)
        assert_int_equal(json_parse(text, &arena, out), ERR_NONE);
    return e;
}

#define ACCEPT(literal) assert_int_equal(parse(VIEW(literal), NULL), ERR_NONE)
#define REFUSE(literal) assert_int_equal(parse(VIEW(literal), NULL), ERR_MALFORMED)

static void json_reads_every_kind(void **state)
{
    (void)state;
    struct json value;
    ACCEPT("null");
    ACCEPT(" true ");
    ACCEPT("\t\r\nfalse");
    assert_int_equal(parse(VIEW("{\"a\":[1,-2.5e3,\"x\",null,true,{}],\"b\":{\"c\":[]}}"), &value), ERR_NONE);
    assert_int_equal(value.kind, JSON_OBJECT);
    assert_int_equal(value.count, 2);
    const struct json *a = json_get(&value, VIEW("a"));
    assert_int_equal(a->kind, JSON_ARRAY);
    assert_int_equal(a->count, 6);
    assert_true(view_equals(a->items[1].text, VIEW("-2.5e3")));
    assert_int_equal(a->items[3].kind, JSON_NULL);
    assert_true(view_equals(a->text, VIEW("[1,-2.5e3,\"x\",null,true,{}]")));
    assert_true(view_equals(a->items[5].text, VIEW("{}")));
    assert_int_equal(a->items[5].count, 0);
    assert_int_equal(json_get(json_get(&value, VIEW("b")), VIEW("c"))->kind, JSON_ARRAY);
    assert_null(json_get(&value, VIEW("c")));
    assert_null(json_get(a, VIEW("c")));
    assert_null(json_get(NULL, VIEW("c")));
}

static void json_refuses_what_is_no_whole_value(void **state)
{
    (void)state;
    REFUSE("");
    REFUSE(" ");
    REFUSE("nul");
    REFUSE("nulll");
    REFUSE("True");
    REFUSE("[1,]");
    REFUSE("[,1]");
    REFUSE("[1 2]");
    REFUSE("[1");
    REFUSE("[1}");
    REFUSE("{\"a\":1]");
    REFUSE("{\"a\":1,}");
    REFUSE("{\"a\" 1}");
    REFUSE("{a:1}");
    REFUSE("{'a':1}");
    REFUSE("{\"a\"}");
    REFUSE("{");
    REFUSE("{\"");
    REFUSE("]");
    REFUSE("[]]");
    REFUSE("{} {}");
    REFUSE("{}\0");
    REFUSE("[1]/*x*/");
    REFUSE("\xef\xbb\xbf{}"); /* a byte order mark, RFC 8259 section 8.1 */
    REFUSE("\v1");
}

/* RFC 8259 section 6. */
static void json_holds_numbers_to_the_grammar(void **state)
{
    (void)state;
    ACCEPT("0");
    ACCEPT("-0");
    ACCEPT("10.25E-7");
    ACCEPT("1e+9");
    REFUSE("01");
    REFUSE("-01");
    REFUSE("+1");
    REFUSE("-");
    REFUSE("1.");
    REFUSE(".5");
    REFUSE("1e");
    REFUSE("1e+");
    REFUSE("0x10");
    REFUSE("NaN");
    REFUSE("Infinity");
}

static void json_unescapes_strings(void **state)
{
    (void)state;
    struct json value;
    assert_int_equal(parse(VIEW("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00z\""), &value),
                     ERR_NONE);
    assert_true(view_equals(value.text, VIEW("a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")));
    assert_int_equal(parse(VIEW("\"\\uD7FF\\ue000\""), &value), ERR_NONE);
    REFUSE("\"\\x41\"");
    REFUSE("\"\\u004\"");
    REFUSE("\"\\u004g\"");
    REFUSE("\"\\");
    REFUSE("\"\\\"");
    REFUSE("\"abc");
    REFUSE("\"abc\\u00");
}

static void json_refuses_control_bytes_and_nul_in_strings(void **state)
{
    (void)state;
    ACCEPT("\"\x7f\"");
    REFUSE("\"a\nb\"");
    REFUSE("\"a\0b\"");
    REFUSE("\"\x1f\"");
    REFUSE("\"\\u0000\"");
    ACCEPT("\"\\u0001\""); /* escaped it is well formed; who must not have it says so */
}

static void json_refuses_a_lone_surrogate(void **state)
{
    (void)state;
    REFUSE("\"\\ud800\"");
    REFUSE("\"\\udc00\"");
    REFUSE("\"\\ud800\\ud800\"");
    REFUSE("\"\\ud800\\u0041\"");
    REFUSE("\"\\ud800x\"");
    REFUSE("\"\\ude00\\ud83d\"");
}

/* Unicode 15 table 3-7, its corners. */
static void json_validates_utf8(void **state)
{
    (void)state;
    ACCEPT("\"\xc2\x80\xdf\xbf\"");
    ACCEPT("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"");
    ACCEPT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    REFUSE("\"\x80\"");
    REFUSE("\"\xc0\x80\"");
    REFUSE("\"\xc1\xbf\"");
    REFUSE("\"\xe0\x9f\xbf\"");
    REFUSE("\"\xed\xa0\x80\"");
    REFUSE("\"\xf0\x8f\xbf\xbf\"");
    REFUSE("\"\xf4\x90\x80\x80\"");
    REFUSE("\"\xf5\x80\x80\x80\"");
    REFUSE("\"\xff\"");
    REFUSE("\"\xe2\x82\"");
    REFUSE("\"\xe2\x82");
    REFUSE("{\"\xc0\x80\":1}");
}

static void json_refuses_a_name_given_twice(void **state)
{
    (void)state;
    ACCEPT("{\"a\":1,\"A\":2,\"\":3}");
    REFUSE("{\"a\":1,\"a\":1}");
    REFUSE("{\"a\":1,\"b\":2,\"\\u0061\":3}");
    REFUSE("{\"x\":{\"a\":1,\"a\":2}}");
    ACCEPT("{\"x\":{\"a\":1},\"a\":2}");
}

static void nest(char *out, size_t depth)
{
    memset(out, '[', depth);
    memset(out + depth, ']', depth);
}

static void json_refuses_more_than_its_depth(void **state)
{
    (void)state;
    char text[200];
    nest(text, JSON_DEPTH_MAX);
    assert_int_equal(parse((struct view){text, 2 * JSON_DEPTH_MAX}, NULL), ERR_NONE);
    nest(text, JSON_DEPTH_MAX + 1);
    assert_int_equal(parse((struct view){text, 2 * (JSON_DEPTH_MAX + 1)}, NULL), ERR_LIMIT);
    REFUSE("[[[[[[[[[[[[[[[[");
}

static void json_refuses_more_than_its_members(void **state)
{
    (void)state;
    char text[4096];
    for (int members = JSON_MEMBERS_MAX; members <= JSON_MEMBERS_MAX + 1; members++) {
        size_t size = 0;
        text[size++] = '{';
        for (int i = 0; i < members; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, "%s\"%d\":0", i > 0 ? "," : "", i);
        text[size++] = '}';
        assert_int_equal(parse((struct view){text, size}, NULL), members == JSON_MEMBERS_MAX ? ERR_NONE : ERR_LIMIT);
    }
}

static void json_reports_an_arena_that_is_too_small(void **state)
{
    (void)state;
    char memory[256];
    struct arena small;
    struct json value;
    arena_init_fixed(&small, memory, sizeof memory);
    assert_int_equal(json_parse(VIEW("[1,2]"), &small, &value), ERR_NONE);
    assert_int_equal(json_parse(VIEW("[1,2,3,4,5,6,7,8]"), &small, &value), ERR_NO_MEMORY);
}

static void every_prefix_of_a_document_is_refused(void **state)
{
    (void)state;
    struct view text = VIEW("{\"a\":[1,\"\\u20acx\\\\\",{\"b\":null}],\"\xc3\xa9\":\"\\ud83d\\ude00\"}");
    assert_int_equal(parse(text, NULL), ERR_NONE);
    for (size_t i = 0; i < text.size; i++)
        assert_int_equal(parse((struct view){text.data, i}, NULL), ERR_MALFORMED);
}

static void json_says_where_reading_stopped(void **state)
{
    (void)state;
    struct json value;
    size_t offset = 0;
    assert_int_equal(json_parse_located(VIEW("{\"a\":1,\n \"b\":x}"), &arena, &value, &offset), ERR_MALFORMED);
    assert_int_equal(offset, 13);
    assert_int_equal(json_parse_located(VIEW("{\"a\":1,\n \"b\":2}"), &arena, &value, &offset), ERR_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(json_reads_every_kind),
        TEST(json_refuses_what_is_no_whole_value),
        TEST(json_holds_numbers_to_the_grammar),
        TEST(json_unescapes_strings),
        TEST(json_refuses_control_bytes_and_nul_in_strings),
        TEST(json_refuses_a_lone_surrogate),
        TEST(json_validates_utf8),
        TEST(json_refuses_a_name_given_twice),
        TEST(json_refuses_more_than_its_depth),
        TEST(json_refuses_more_than_its_members),
        TEST(json_reports_an_arena_that_is_too_small),
        TEST(every_prefix_of_a_document_is_refused),
        TEST(json_says_where_reading_stopped),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
