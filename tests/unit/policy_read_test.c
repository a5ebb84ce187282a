/* SPDX-License-Identifier: Apache-2.0 */
/* Policies from files and folders, several documents as one set, the digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT(name, spec)                                                                                           \
    "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: " name "}\nspec:\n" spec
#define SSO "  issuers: {sso: {url: \"https://sso\", audiences: [a]}}\n"

struct folder {
    char path[64];
    struct arena arena;
    struct diag_list diags;
    struct policy *policy;
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (folder == NULL)
        return -1;
    (void)snprintf(folder->path, sizeof(folder->path), P_tmpdir "/policy_read_test.XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        return -1;
    arena_init(&folder->arena, 1 << 22);
    diag_list_init(&folder->diags, &folder->arena);
    *state = folder;
    return 0;
}

static const char *path_of(struct folder *folder, const char *name)
{
    return arena_print(&folder->arena, "%s/%s", folder->path, name).data;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"a.yaml", "b.yml", ".hidden.yaml", "readme.txt", "..data"};
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(path_of(folder, names[i]));
    (void)rmdir(folder->path);
    policy_free(folder->policy);
    arena_free(&folder->arena);
    free(folder);
    return 0;
}

static void write_file(struct folder *folder, const char *name, const char *text)
{
    FILE *file = fopen(path_of(folder, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum err read_policy(struct folder *folder, const char *path)
{
    policy_free(folder->policy);
    folder->policy = NULL;
    diag_list_init(&folder->diags, &folder->arena);
    return policy_read(path, &folder->diags, &folder->policy);
}

static void a_folder_is_one_set_of_its_yaml_files(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml", DOCUMENT("a", SSO "  rules: [{allow: one}]\n"));
    write_file(folder, "b.yml",
               DOCUMENT("b", SSO "  rules: [{allow: two}]\n") "---\n" DOCUMENT("c", "  rules: [{deny: three}]\n"));
    write_file(folder, ".hidden.yaml", "not: [a policy\n");
    write_file(folder, "readme.txt", "not: [a policy\n");
    assert_int_equal(symlink("nowhere", path_of(folder, "..data")), 0);
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_int_equal(policy_rule_count(folder->policy), 3);
}

static void two_documents_may_use_one_rule_name_but_not_one_document_name(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml", DOCUMENT("a", "  rules: [{allow: one}]\n"));
    write_file(folder, "b.yml", DOCUMENT("b", "  rules: [{deny: one}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_int_equal(policy_rule_count(folder->policy), 2);
    policy_free(folder->policy);
    folder->policy = NULL;
    write_file(folder, "b.yml", DOCUMENT("a", "  rules: [{deny: two}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 1);
    assert_non_null(strstr(folder->diags.items[0].span.file.data, "b.yml"));
    assert_non_null(strstr(folder->diags.items[0].hint.data, "a.yaml:1:1"));
}

static void a_rule_name_stands_once_in_a_document(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml", DOCUMENT("a", "  rules:\n  - allow: one\n  - deny: one\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 1);
    assert_non_null(strstr(folder->diags.items[0].hint.data, "a.yaml:6:12"));
}

/* Of equal rules the one with the smaller qualified name decides: b/a is behind a/z. */
static void a_test_names_a_rule_of_its_document_or_of_any(void **state)
{
    struct folder *folder = *state;
#define EXPECTS(expect) "  tests: [{name: t, given: {path: /x}, expect: {allow: " expect "}}]\n"
    write_file(folder, "a.yaml", DOCUMENT("a", "  rules: [{allow: z}]\n" EXPECTS("z")));
    write_file(folder, "b.yml", DOCUMENT("b", "  rules: [{allow: a}]\n" EXPECTS("a/z")));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_int_equal(policy_test(folder->policy, NULL, NULL), 0);
    policy_free(folder->policy);
    folder->policy = NULL;
    write_file(folder, "b.yml", DOCUMENT("b", "  rules: [{allow: a}]\n" EXPECTS("z")));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    write_file(folder, "b.yml",
               DOCUMENT("b", "  rules: [{allow: a}]\n" EXPECTS("a/a") "---\n" DOCUMENT(
                                 "c", "  rules: [{allow: a}]\n" EXPECTS("d/a"))));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 2);
#undef EXPECTS
}

#define OWNED(owner, spec)                                                                                             \
    "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: " owner ", owner: " owner "}\nspec:"      \
    "\n" spec

static void priorities_from_8_on_want_a_platform_owner(void **state)
{
    struct folder *folder = *state;
    const struct view platform[] = {VIEW("security"), VIEW("platform")};
    write_file(folder, "a.yaml",
               OWNED("platform", "  rules: [{deny: z, priority: 15}, {deny: y, priority: 8}]\n") "---\n" OWNED(
                   "team", "  rules: [{allow: y, priority: 7}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_int_equal(policy_check_owners(folder->policy, platform, 2, &folder->diags), ERR_NONE);
    assert_int_equal(folder->diags.errors, 0);
    assert_int_equal(policy_check_owners(folder->policy, platform, 1, &folder->diags), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 2);
    assert_int_equal(policy_check_owners(folder->policy, NULL, 0, &folder->diags), ERR_INVALID);
    policy_free(folder->policy);
    folder->policy = NULL;
    folder->diags.errors = folder->diags.count = 0;
    write_file(folder, "a.yaml",
               OWNED("team", "  rules: [{allow: y, priority: 8}]\n") "---\n" DOCUMENT(
                   "platform", "  rules: [{allow: y, priority: 9}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_int_equal(policy_check_owners(folder->policy, platform, 2, &folder->diags), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 2);
    assert_int_equal(folder->diags.items[0].span.line, 5);
    assert_string_equal(folder->diags.items[0].code.data, "E0223");
}

static void blocks_are_local_to_their_document(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml",
               DOCUMENT("a", "  roles: {r: {members: [{workload: {namespace: n}}]}}\n  rules: [{allow: one}]\n"));
    write_file(folder, "b.yml", DOCUMENT("b", "  rules: [{allow: two, subjects: {workload: [r]}}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_string_equal(folder->diags.items[0].code.data, "E0214");
    write_file(folder, "b.yml",
               DOCUMENT("b", "  roles: {r: {members: [{workload: {namespace: m}}]}}\n  rules: [{allow: two, subjects: "
                             "{workload: [r]}}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
}

static void an_issuer_means_one_thing_in_a_set(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml", DOCUMENT("a", SSO "  rules: [{allow: one}]\n"));
    write_file(folder, "b.yml",
               DOCUMENT("b", "  issuers: {idp: {audiences: [a], url: \"https://sso\"}}\n  rules: [{allow: two}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_NONE);
    assert_non_null(policy_issuer(folder->policy, VIEW("https://sso")));
    write_file(folder, "b.yml",
               DOCUMENT("b", "  issuers: {idp: {audiences: [b], url: \"https://sso\"}}\n  rules: [{allow: two}]\n"));
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_string_equal(folder->diags.items[0].code.data, "E0219");
}

static void every_file_reports_its_errors_at_once(void **state)
{
    struct folder *folder = *state;
    write_file(folder, "a.yaml", "a: [\n");
    write_file(folder, "b.yml", "b: &x 1\n");
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_int_equal(folder->diags.errors, 2);
}

static void what_cannot_be_read_is_named(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(read_policy(folder, path_of(folder, "a.yaml")), ERR_IO);
    assert_string_equal(folder->diags.items[0].code.data, "E0601");
    assert_int_equal(read_policy(folder, folder->path), ERR_IO); /* an empty folder */
    assert_non_null(strstr(folder->diags.items[0].message.data, "no *.yaml"));
    write_file(folder, "a.yaml", "");
    assert_int_equal(read_policy(folder, folder->path), ERR_INVALID);
    assert_null(folder->policy);
}

static void the_digest_is_of_the_meaning(void **state)
{
    struct folder *folder = *state;
    static const char *const same[] = {
        DOCUMENT("a", "  rules: [{allow: one, when: {port: 1}}]\n"),
        "# a comment\n" DOCUMENT("a", "  rules:\n    - allow: \"one\"\n      when: {port: 1}\n"),
        DOCUMENT("a", "  rules: [{when: {port: 1}, allow: one}]\n"),
    };
    static const char *const other[] = {
        DOCUMENT("a", "  rules: [{allow: one}]\n"),
        DOCUMENT("a", "  rules: [{allow: one, when: {port: 2}}]\n"),
        DOCUMENT("a", "  rules: [{allow: ones}]\n"),
        DOCUMENT("a", "  rules: [{deny: one}]\n"),
        DOCUMENT("a", "  rules: [{allow: one}, {allow: two}]\n"),
    };
    char digest[64];
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        write_file(folder, "a.yaml", same[i]);
        assert_int_equal(read_policy(folder, path_of(folder, "a.yaml")), ERR_NONE);
        assert_int_equal(policy_digest(folder->policy).size, 64);
        if (i == 0)
            memcpy(digest, policy_digest(folder->policy).data, 64);
        assert_memory_equal(digest, policy_digest(folder->policy).data, 64);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        write_file(folder, "a.yaml", other[i]);
        assert_int_equal(read_policy(folder, path_of(folder, "a.yaml")), ERR_NONE);
        assert_memory_not_equal(digest, policy_digest(folder->policy).data, 64);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_folder_is_one_set_of_its_yaml_files),
        CASE(two_documents_may_use_one_rule_name_but_not_one_document_name),
        CASE(a_rule_name_stands_once_in_a_document),
        CASE(a_test_names_a_rule_of_its_document_or_of_any),
        CASE(priorities_from_8_on_want_a_platform_owner),
        CASE(blocks_are_local_to_their_document),
        CASE(an_issuer_means_one_thing_in_a_set),
        CASE(every_file_reports_its_errors_at_once),
        CASE(what_cannot_be_read_is_named),
        CASE(the_digest_is_of_the_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
