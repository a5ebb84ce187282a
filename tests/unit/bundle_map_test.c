/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bundle_map.h"

static struct arena arena;
static struct bundle_map map;
static struct bundle_document_error error;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err parse(struct view text)
{
    error = (struct bundle_document_error){0};
    map = (struct bundle_map){0};
    return bundle_map_parse(text, &arena, &map, &error);
}

static void assert_refused(struct view text, uint32_t line)
{
    assert_int_equal(parse(text), ERR_MALFORMED);
    assert_non_null(error.message);
    assert_int_equal(error.line, line);
    assert_int_equal(map.count, 0);
}

static void each_domain_has_its_document_as_it_stands_in_the_text(void **state)
{
    (void)state;
    assert_int_equal(
        parse(VIEW(" {\"trust_domains\": {\"a.example\": { \"keys\": [] },\n \"b\": {\"keys\":[{\"x\":\"}\"}]}}}\n")),
        ERR_NONE);
    assert_int_equal(map.count, 2);
    assert_true(view_equals(bundle_map_find(&map, VIEW("a.example"))->document, VIEW("{ \"keys\": [] }")));
    assert_true(view_equals(bundle_map_find(&map, VIEW("b"))->document, VIEW("{\"keys\":[{\"x\":\"}\"}]}")));
    assert_null(bundle_map_find(&map, VIEW("a")));
    assert_null(bundle_map_find(&map, VIEW("")));
}

static void what_stands_beside_the_domains_is_ignored_and_a_map_may_be_empty(void **state)
{
    (void)state;
    assert_int_equal(parse(VIEW("{\"more\": {\"a\": 1}, \"trust_domains\": {}, \"x\": null}")), ERR_NONE);
    assert_int_equal(map.count, 0);
    assert_null(bundle_map_find(&map, VIEW("a")));
    assert_refused(VIEW("{\"more\": {\"a\": {}}}"), 0);
    assert_refused(VIEW("{\"trust_domains\": []}"), 0);
    assert_refused(VIEW("{\"trust_domains\": null}"), 0);
    assert_refused(VIEW("{\"Trust_Domains\": {}}"), 0);
    assert_refused(VIEW("[]"), 0);
}

static void a_domain_named_twice_is_refused_however_it_is_written(void **state)
{
    (void)state;
    assert_int_equal(parse(VIEW("{\"trust_domains\":{\"a\":{},\"b\":{}}}")), ERR_NONE);
    assert_refused(VIEW("{\"trust_domains\":{\"a\":{},\n\"a\":{}}}"), 2);
    assert_refused(VIEW("{\"trust_domains\":{\"a\":{},\"\\u0061\":{}}}"), 1);
    assert_refused(VIEW("{\"trust_domains\":{\"a\":{}},\"trust_domains\":{}}"), 1);
    assert_refused(VIEW("{\"trust_domains\":{\"a\":{\"keys\":[],\"keys\":[]}}}"), 1);
}

static void a_name_that_is_none_of_a_trust_domain_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse(VIEW("{\"trust_domains\":{\"\\u0061.b-c_9\":{}}}")), ERR_NONE);
    assert_non_null(bundle_map_find(&map, VIEW("a.b-c_9")));
    assert_refused(VIEW("{\"trust_domains\":{\n\"spiffe://a\":{}}}"), 2);
    assert_refused(VIEW("{\"trust_domains\":{\"A\":{}}}"), 1);
    assert_refused(VIEW("{\"trust_domains\":{\"\":{}}}"), 1);
    assert_refused(VIEW("{\"trust_domains\":{\"a/b\":{}}}"), 1);
}

static void a_value_that_is_no_document_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "7", "\"{}\"", "\"\\u007b}\"", "[]", "[{}]", "true"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "{\"trust_domains\":{\"a\":%s}}", values[i]);
        assert_refused(view_of(text), 0);
    }
}

static void a_cut_map_is_none_at_every_length(void **state)
{
    (void)state;
    const struct view text = VIEW("{\"x\":[1],\"trust_domains\":{\"a\":{\"keys\":[{\"x5c\":[\"YWJj\"]}]},\"b\":{}}}");
    assert_int_equal(parse(text), ERR_NONE);
    for (size_t size = 0; size < text.size; size++)
        assert_int_equal(parse(view_slice(text, 0, size)), ERR_MALFORMED);
}

static void a_map_has_at_most_256_domains_and_16_levels(void **state)
{
    (void)state;
    char *text = calloc(1, 1 << 16);
    for (int count = BUNDLE_MAP_DOMAINS_MAX; count <= BUNDLE_MAP_DOMAINS_MAX + 1; count++) {
        int size = sprintf(text, "{\"trust_domains\":{");
        for (int i = 0; i < count; i++)
            size += sprintf(text + size, "%s\"d%d\":{}", i > 0 ? "," : "", i);
        (void)sprintf(text + size, "}}");
        assert_int_equal(parse(view_of(text)), count == BUNDLE_MAP_DOMAINS_MAX ? ERR_NONE : ERR_LIMIT);
    }
    assert_non_null(error.message);
    for (int levels = 13; levels <= 14; levels++) {
        int size = sprintf(text, "{\"trust_domains\":{\"a\":{\"keys\":");
        for (int i = 0; i < levels; i++)
            text[size++] = '[';
        for (int i = 0; i < levels; i++)
            text[size++] = ']';
        (void)strcpy(text + size, "}}}");
        assert_int_equal(parse(view_of(text)), levels == 13 ? ERR_NONE : ERR_LIMIT);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_domain_has_its_document_as_it_stands_in_the_text),
        cmocka_unit_test(what_stands_beside_the_domains_is_ignored_and_a_map_may_be_empty),
        cmocka_unit_test(a_domain_named_twice_is_refused_however_it_is_written),
        cmocka_unit_test(a_name_that_is_none_of_a_trust_domain_is_refused),
        cmocka_unit_test(a_value_that_is_no_document_is_refused),
        cmocka_unit_test(a_cut_map_is_none_at_every_length),
        cmocka_unit_test(a_map_has_at_most_256_domains_and_16_levels),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
