/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical form of a policy: what it looks like, what it keeps, what it refuses. */
#include "fmt.h"
#include "policy.h"
#include "policy_generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MEMORY = 1 << 26, POLICIES = 300 };

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, MEMORY);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void becomes(const char *text, const char *expected)
{
    struct view out = {0};
    assert_int_equal(fmt(VIEW("p.yaml"), view_of(text), &arena, &diags, &out), ERR_NONE);
    if (!view_equals(out, view_of(expected)))
        fail_msg("expected\n%s\ngot\n%.*s", expected, VIEW_ARG(out));
}

static void keys_of_the_language_come_in_the_order_of_the_reference(void **state)
{
    (void)state;
    becomes("spec:\n  rules:\n  -   actions: [a]\n      allow: x\nkind: AccessPolicy\napiVersion: v\n",
            "apiVersion: v\nkind: AccessPolicy\nspec:\n  rules:\n    - allow: x\n      actions: [a]\n");
}

static void names_of_the_writer_stay_in_the_writers_order(void **state)
{
    (void)state;
    becomes("spec:\n  roles:\n    b: {members: []}\n    a: {members: []}\n  unknown: 1\n  paths: strict\n",
            "spec:\n  paths: strict\n  roles:\n    b: {members: []}\n    a: {members: []}\n  unknown: 1\n");
}

static void every_kind_of_document_is_ordered(void **state)
{
    (void)state;
    becomes("spec:\n  actions:\n    z:\n      http: [{paths: [/x], methods: [GET]}]\nkind: OperationCatalog\n",
            "kind: OperationCatalog\nspec:\n  actions:\n    z:\n      http: [{methods: [GET], paths: [/x]}]\n");
}

static void a_matrix_of_a_test_is_ordered_inside_too(void **state)
{
    (void)state;
    becomes("spec: {tests: [{expect: deny, given: {body: [{call: c, model: m}], path: /}, name: n}]}\n",
            "spec: {tests: [{name: n, given: {path: /, body: [{model: m, call: c}]}, expect: deny}]}\n");
}

static void flow_style_stays_while_it_fits_its_line(void **state)
{
    (void)state;
    becomes("a: {b:   c,  d: [ e,f ]}\n", "a: {b: c, d: [e, f]}\n");
    becomes("a: {bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: cccccccccccccccccccccccccccccccccccccccc, "
            "d: eeeeeeeeeeeeeeeeeeeeeeeeeeeeee}\n",
            "a:\n  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: cccccccccccccccccccccccccccccccccccccccc\n"
            "  d: eeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n");
    becomes("a: {b: c,\n  d: e}\n", "a: {b: c, d: e}\n");
    becomes("a: {}\nb: []\n", "a: {}\nb: []\n");
}

static void comments_stay_with_what_they_stand_at(void **state)
{
    (void)state;
    becomes(
        "# top\n\na:   1   # one\n# two\nb: {c: 2, d: 3}    # both\ne:  # below\n    # inner\n    f: 4\n    # end\ng: "
        "5\n# "
        "last\n",
        "# top\n\na: 1 # one\n# two\nb: {c: 2, d: 3} # both\ne: # below\n  # inner\n  f: 4\n  # end\ng: 5\n# last\n");
}

static void a_comment_inside_a_flow_collection_makes_it_a_block(void **state)
{
    (void)state;
    becomes("a: {b: 1, # one\n  # two\n  c: 2\n  # three\n  }\n", "a:\n  b: 1 # one\n  # two\n  c: 2\n  # three\n");
}

static void a_hash_inside_a_scalar_is_no_comment(void **state)
{
    (void)state;
    becomes("a: \"x # y\"\nb: 'it''s # z'\nc: d#e\n", "a: \"x # y\"\nb: 'it''s # z'\nc: d#e\n");
}

static void a_comment_moves_with_its_key(void **state)
{
    (void)state;
    becomes("spec:\n  rules:\n    # a rule\n    - actions: [a]\n      # its name\n      allow: x # x\n",
            "spec:\n  rules:\n    # a rule\n    # its name\n    - allow: x # x\n      actions: [a]\n");
}

static void at_most_one_empty_line_stays(void **state)
{
    (void)state;
    becomes("\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n");
}

static void scalars_keep_their_quotes_and_lines(void **state)
{
    (void)state;
    becomes("a: '42'\nb: 42\nc: |\n      x\n        y\n\n      z\nd: >-\n   one\n   two\n",
            "a: '42'\nb: 42\nc: |\n  x\n    y\n\n  z\nd: >-\n  one\n  two\n");
    becomes("a: one\n   two\nb: \"three\n   four\"\n", "a: one two\nb: \"three four\"\n");
    becomes("- a\n-\n  - b\n  - c: 1\n    d:\n- \n", "- a\n- - b\n  - c: 1\n    d:\n-\n");
}

static void documents_of_one_file_stay_apart(void **state)
{
    (void)state;
    becomes("---\na: 1\n---\n# two\nb: 2\n...\n", "a: 1\n---\n# two\nb: 2\n");
}

static void line_ends_become_newlines(void **state)
{
    (void)state;
    becomes("a: 1 # x\r\n\r\nb: |\r\n  y\r\n  z\r\n", "a: 1 # x\n\nb: |\n  y\n  z\n");
}

static void what_cannot_be_laid_out_faithfully_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: |2\n   x\n", "a: |+\n  x\n\n\nb: 1\n", "a\n", "{}\n", "a: b\n\n  c\n", ""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct view out = {0};
        assert_int_equal(fmt(VIEW("p.yaml"), view_of(texts[i]), &arena, &diags, &out), ERR_UNSUPPORTED);
        assert_false(view_is_present(out));
    }
}

static void what_is_no_policys_yaml_is_invalid_and_says_why(void **state)
{
    (void)state;
    struct view out = {0};
    assert_int_equal(fmt(VIEW("p.yaml"), VIEW("a: &x 1\nb: *x\n"), &arena, &diags, &out), ERR_INVALID);
    assert_true(diags.errors > 0);
}

static void digest_of(struct view text, char digest[64])
{
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("p.yaml"), .text = text};
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        fail_msg("does not build:\n%.*s", VIEW_ARG(text));
    }
    memcpy(digest, policy_digest(policy).data, 64);
    policy_free(policy);
}

static void generated_policies_keep_their_digest_and_are_done_after_once(void **state)
{
    static char buffer[2 * GENERATED_TEXT_MAX];
    static struct generated_policy generated;
    for (uint64_t seed = 1; seed <= POLICIES; seed++) {
        struct random random = random_of(seed);
        struct view once = {0}, twice = {0};
        char before[64], after[64];
        tear_down(state);
        set_up(state);
        generate_policy(&random, &generated);
        struct view text = generated_text(&generated, NULL, buffer, sizeof buffer);
        assert_int_equal(fmt(VIEW("p.yaml"), text, &arena, &diags, &once), ERR_NONE);
        assert_int_equal(fmt(VIEW("p.yaml"), once, &arena, &diags, &twice), ERR_NONE);
        assert_true(view_equals(once, twice));
        digest_of(text, before);
        digest_of(once, after);
        assert_memory_equal(before, after, 64);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(keys_of_the_language_come_in_the_order_of_the_reference),
        CASE(names_of_the_writer_stay_in_the_writers_order),
        CASE(every_kind_of_document_is_ordered),
        CASE(a_matrix_of_a_test_is_ordered_inside_too),
        CASE(flow_style_stays_while_it_fits_its_line),
        CASE(comments_stay_with_what_they_stand_at),
        CASE(a_comment_inside_a_flow_collection_makes_it_a_block),
        CASE(a_hash_inside_a_scalar_is_no_comment),
        CASE(a_comment_moves_with_its_key),
        CASE(at_most_one_empty_line_stays),
        CASE(scalars_keep_their_quotes_and_lines),
        CASE(documents_of_one_file_stay_apart),
        CASE(line_ends_become_newlines),
        CASE(what_cannot_be_laid_out_faithfully_is_refused),
        CASE(what_is_no_policys_yaml_is_invalid_and_says_why),
        CASE(generated_policies_keep_their_digest_and_are_done_after_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
