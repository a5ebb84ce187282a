/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "header_names.h"

#define HEAD "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: names}\nspec:\n  rules:\n"

static struct policy *build(struct view text)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    const struct policy_source source = {.name = VIEW("names.yaml"), .text = text};
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE)
        diag_list_print(&diags, stderr);
    arena_free(&arena);
    assert_non_null(policy);
    return policy;
}

static struct policy *build_usual(void)
{
    return build(VIEW(HEAD
                      "    - {allow: a, obligations: {requestHeaders: {set: {x-two: v, x-one: w}, remove: [x-drop]}}}\n"
                      "    - {allow: b, obligations: {requestHeaders: {set: {x-one: w}}}}\n"));
}

static void a_policy_relies_on_what_it_sets_and_removes_each_once_and_in_order(void **state)
{
    (void)state;
    struct policy *policy = build_usual();
    struct header_names names;
    assert_int_equal(header_names_build(policy, &names), ERR_NONE);
    assert_int_equal(names.count, 3);
    for (size_t i = 1; i < names.count; i++)
        assert_true(view_compare(names.items[i - 1], names.items[i]) < 0);
    assert_true(header_names_has(&names, VIEW("x-one")));
    assert_true(header_names_has(&names, VIEW("x-two")));
    assert_true(header_names_has(&names, VIEW("x-drop")));
    header_names_free(&names);
    policy_free(policy);
}

static void what_is_only_removed_is_not_settable(void **state)
{
    (void)state;
    struct policy *policy = build_usual();
    struct header_names names;
    assert_int_equal(header_names_build_settable(policy, &names), ERR_NONE);
    assert_int_equal(names.count, 2);
    assert_true(header_names_has(&names, VIEW("x-one")));
    assert_true(header_names_has(&names, VIEW("x-two")));
    assert_false(header_names_has(&names, VIEW("x-drop")));
    header_names_free(&names);
    policy_free(policy);
}

static void a_name_is_found_by_all_its_bytes_only(void **state)
{
    (void)state;
    const struct view near[] = {VIEW(""), VIEW("x-on"), VIEW("x-ones"), VIEW("X-one"), VIEW("x-onf"), VIEW("x-a")};
    struct policy *policy = build_usual();
    struct header_names names;
    assert_int_equal(header_names_build(policy, &names), ERR_NONE);
    for (size_t i = 0; i < sizeof near / sizeof *near; i++)
        assert_false(header_names_has(&names, near[i]));
    header_names_free(&names);
    policy_free(policy);
}

static void the_quick_way_passes_no_size_that_a_name_has(void **state)
{
    (void)state;
    struct policy *policy = build_usual();
    struct header_names names;
    assert_int_equal(header_names_build(policy, &names), ERR_NONE);
    for (size_t size = 0; size < 64; size++)
        assert_int_equal(header_names_has_size(&names, size), size == 5 || size == 6);
    assert_true(header_names_has_size(&names, 64 + 5)); /* may err that way only */
    header_names_free(&names);
    policy_free(policy);
}

static void a_policy_without_headers_has_none(void **state)
{
    (void)state;
    struct policy *policy = build(VIEW(HEAD "    - {allow: a}\n"));
    struct header_names names;
    assert_int_equal(header_names_build(policy, &names), ERR_NONE);
    assert_int_equal(names.count, 0);
    assert_false(header_names_has(&names, VIEW("")));
    assert_false(header_names_has(&names, VIEW("x-one")));
    header_names_free(&names);
    header_names_free(&names);
    policy_free(policy);
}

static void more_names_than_the_first_room_are_all_kept(void **state)
{
    (void)state;
    static char text[4096];
    int size = snprintf(text, sizeof text, "%s", HEAD);
    for (int i = 0; i < 40; i++)
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "    - {allow: r%d, obligations: {requestHeaders: {set: {x-%d: v}}}}\n", i, i * 7 % 40);
    struct policy *policy = build((struct view){text, (size_t)size});
    struct header_names names;
    assert_int_equal(header_names_build(policy, &names), ERR_NONE);
    assert_int_equal(names.count, 40);
    for (int i = 0; i < 41; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "x-%d", i);
        assert_int_equal(header_names_has(&names, view_of(name)), i < 40);
    }
    header_names_free(&names);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_relies_on_what_it_sets_and_removes_each_once_and_in_order),
        cmocka_unit_test(what_is_only_removed_is_not_settable),
        cmocka_unit_test(a_name_is_found_by_all_its_bytes_only),
        cmocka_unit_test(the_quick_way_passes_no_size_that_a_name_has),
        cmocka_unit_test(a_policy_without_headers_has_none),
        cmocka_unit_test(more_names_than_the_first_room_are_all_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
