/* SPDX-License-Identifier: Apache-2.0 */
/* E0417 by walking the trie against itself, against the comparison of every two templates. */
#include "path_pattern.h"
#include "policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { POLICIES = 20000, TEMPLATES_MAX = 7, SEGMENTS_MAX = 3 };

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % limit;
}

/* One to three segments of few words, `item` at most once. */
static struct view template_make(uint64_t *state, struct arena *arena)
{
    static const char *const words[] = {"a", "b", "a:go", "{*}", "{item}", "{item}"};
    uint32_t count = 1 + random_below(state, SEGMENTS_MAX);
    struct view text = VIEW("");
    bool has_item = false;
    for (uint32_t i = 0; i < count; i++) {
        const char *word = words[random_below(state, 6)];
        if (word[0] == '{' && word[1] == 'i') {
            word = has_item ? "{*}" : word;
            has_item = true;
        }
        bool is_last = i + 1 == count;
        uint32_t end = is_last ? random_below(state, 6) : 9;
        if (!is_last && word[1] == ':')
            word = "a";
        text = arena_print(arena, "%.*s/%s%s", VIEW_ARG(text), word,
                           end == 0                    ? "/{**}"
                           : end < 3 && word[0] == '{' ? (end == 1 ? ":go" : ":stop")
                                                       : "");
    }
    return text;
}

/* Where the id stands, or -1; with the bytes behind it. */
static int item_place(const struct path_pattern *pattern)
{
    for (size_t i = 0; i < pattern->segment_count; i++)
        if (pattern->segments[i].kind == PATTERN_VARIABLE)
            return (int)(100 * i + (i + 1 == pattern->segment_count ? pattern->verb.size : 0));
    return -1;
}

static size_t pairs_count(const struct path_pattern *patterns, size_t count)
{
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            pairs += item_place(&patterns[i]) >= 0 && item_place(&patterns[k]) >= 0 &&
                     item_place(&patterns[i]) != item_place(&patterns[k]) &&
                     path_pattern_overlaps(&patterns[i], &patterns[k]);
    return pairs;
}

/* The findings of one policy whose action has these templates. */
static size_t findings_count(const struct view *templates, size_t count, struct arena *arena)
{
    struct view text = VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n"
                            "  resourceTypes: {thing: {id: [path.item]}}\n  actions:\n    use:\n      http:\n");
    struct policy *policy = NULL;
    struct diag_list diags;
    for (size_t i = 0; i < count; i++)
        text = arena_print(arena, "%.*s        - {paths: [\"%.*s\"]}\n", VIEW_ARG(text), VIEW_ARG(templates[i]));
    text = arena_print(arena, "%.*s  rules: [{allow: all, subjects: any, actions: [use]}]\n", VIEW_ARG(text));
    struct policy_source source = {.name = VIEW("p.yaml"), .text = text};
    diag_list_init(&diags, arena);
    enum err err = policy_build(&source, 1, &diags, &policy);
    if (diags.count > 0 && !view_equals(diags.items[0].code, VIEW("E0417")))
        diag_list_print(&diags, stderr);
    for (size_t i = 0; i < diags.count; i++)
        assert_true(view_equals(diags.items[i].code, VIEW("E0417")));
    assert_int_equal(err, diags.errors > 0 ? ERR_INVALID : ERR_NONE);
    policy_free(policy);
    return diags.errors;
}

static void two_ids_are_found_just_where_two_templates_can_fit_one_path(void **test)
{
    uint64_t state = 1;
    size_t refused = 0;
    (void)test;
    for (size_t round = 0; round < POLICIES; round++) {
        struct arena arena;
        struct view templates[TEMPLATES_MAX];
        struct path_pattern patterns[TEMPLATES_MAX];
        size_t count = 2 + random_below(&state, TEMPLATES_MAX - 1);
        arena_init(&arena, 1 << 20);
        for (size_t i = 0; i < count; i++) {
            const char *problem = NULL;
            do
                templates[i] = i == 0 ? VIEW("/a/{item}") : template_make(&state, &arena);
            while (path_pattern_parse(templates[i], &arena, &patterns[i], &problem) != ERR_NONE);
        }
        size_t wanted = pairs_count(patterns, count);
        if (findings_count(templates, count, &arena) != wanted)
            for (size_t i = 0; i < count; i++)
                print_error("%.*s\n", VIEW_ARG(templates[i]));
        assert_int_equal(findings_count(templates, count, &arena), wanted);
        refused += wanted > 0;
        arena_free(&arena);
    }
    assert_in_range(refused, POLICIES / 10, POLICIES - POLICIES / 10); /* it tells apart */
}

/* Is a policy with these entries refused for two ids? `ids` are the sources of a type's ids. */
static bool is_refused(const char *ids, const char *first, const char *second)
{
    char text[1024];
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    (void)snprintf(text, sizeof text,
                   "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n"
                   "  resourceTypes: {thing: {id: [%s]}}\n  actions:\n    use:\n      http:\n"
                   "        - {paths: [\"/a/{item}%s}\n        - {paths: [\"%s}\n"
                   "  rules: [{allow: all, subjects: any, actions: [use]}]\n",
                   ids, first, second);
    struct policy_source source = {.name = VIEW("p.yaml"), .text = view_of(text)};
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    bool refused = policy_build(&source, 1, &diags, &policy) != ERR_NONE;
    if (refused && !view_equals(diags.items[0].code, VIEW("E0417"))) {
        diag_list_print(&diags, stderr);
        fail_msg("%s", text);
    }
    arena_free(&arena);
    policy_free(policy);
    return refused;
}

/* Two entries that capture unlike, with what else they say. */
static bool meet(const char *first, const char *second)
{
    char one[256], other[256];
    (void)snprintf(one, sizeof one, "\"], %s", first);
    (void)snprintf(other, sizeof other, "/a/{item}:go\"], %s", second);
    return is_refused("path.item", one, other);
}

static void an_operation_that_captures_more_for_a_type_is_compared_both_ways(void **state)
{
    (void)state;
    assert_true(is_refused("path.item, path.other", "\"]", "/{other}/{item}\"]"));
    assert_true(is_refused("path.item, path.other", ":x\", \"/{other}/{item}\"]", "/a/{item}\"]"));
    assert_false(is_refused("path.item, path.other", "\"]", "/b/{other}\"]"));
    assert_false(is_refused("path.item", "\"]", "/{other}/{item}\"]"));
}

static void operations_meet_only_where_method_host_port_and_call_do(void **state)
{
    static const struct {
        const char *first, *second;
        bool meet;
    } cases[] = {
        {"methods: [GET]", "methods: [GET]", true},
        {"methods: [GET]", "methods: [POST]", false},
        {"methods: [GET, PUT]", "methods: [POST, PUT]", true},
        {"methods: [GET]", "encodedSlash: refuse", true},
        {"hosts: [a.ex]", "hosts: [a.ex]", true},
        {"hosts: [a.ex]", "hosts: [b.ex]", false},
        {"hosts: [a.ex]", "encodedSlash: refuse", true},
        {"hosts: [a.ex, b.ex]", "hosts: [c.ex, b.ex]", true},
        {"hosts: [a.ex, b.ex]", "hosts: [c.ex, d.ex]", false},
        {"hosts: [\"*.ex\"]", "hosts: [a.ex]", true},
        {"hosts: [\"*.ex\"]", "hosts: [ex]", false},
        {"hosts: [\"*.ex\"]", "hosts: [a.xex]", false},
        {"hosts: [\"*.ex\"]", "hosts: [\"*.ex\"]", true},
        {"hosts: [\"*.ex\"]", "hosts: [\"*.a.ex\"]", true},
        {"hosts: [\"*.ex\"]", "hosts: [\"*.xex\"]", false},
        {"hosts: [\"*.a.ex\"]", "hosts: [\"*.b.ex\"]", false},
        {"hosts: [\"a.ex:80\"]", "hosts: [\"a.ex:80\"]", true},
        {"hosts: [\"a.ex:80\"]", "hosts: [\"a.ex:81\"]", false},
        {"hosts: [\"a.ex:80\"]", "hosts: [a.ex]", true},
        {"hosts: [\"*.ex:80\"]", "hosts: [\"a.ex:81\"]", false},
        {"hosts: [\"*.ex:80\"]", "hosts: [\"a.ex:80\"]", true},
        {"hosts: [\"*.ex:80\"]", "hosts: [a.ex]", true},
        {"hosts: [\"*.ex:80\"]", "hosts: [\"*.ex:81\"]", false},
        {"body: mcp, call: tools/call", "body: mcp, call: tools/call", true},
        {"body: mcp, call: tools/call", "body: mcp, call: tools/list", false},
        {"body: mcp, call: tools/call", "body: mcp", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (meet(cases[i].first, cases[i].second) != cases[i].meet ||
            meet(cases[i].second, cases[i].first) != cases[i].meet)
            fail_msg("%s and %s %s", cases[i].first, cases[i].second, cases[i].meet ? "meet" : "do not meet");
}

static void more_findings_than_there_is_room_for_are_cut_off(void **state)
{
    static const char *const templates[] = {"/{item}/{*}/{*}", "/{*}/{item}/{*}", "/{*}/{*}/{item}"};
    struct view all[3 * 12];
    struct arena arena;
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        all[i] = view_of(templates[i % 3]);
    arena_init(&arena, 1 << 22);
    /* 3 pairs of templates, 144 pairs of entries each */
    assert_in_range(findings_count(all, sizeof all / sizeof all[0], &arena), 50, 3 * 144 - 1);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ids_are_found_just_where_two_templates_can_fit_one_path),
        cmocka_unit_test(more_findings_than_there_is_room_for_are_cut_off),
        cmocka_unit_test(an_operation_that_captures_more_for_a_type_is_compared_both_ways),
        cmocka_unit_test(operations_meet_only_where_method_host_port_and_call_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
