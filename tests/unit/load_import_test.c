/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a set that refer to each other. */
#include "policy_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD(kind, name) "apiVersion: bartizan.dev/v1alpha1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n"
#define NEXT "---\n"
#define ISSUERS HEAD("IssuerCatalog", "idps") "  issuers: {sso: {url: \"https://sso.ex\", audiences: [a]}}\n"
#define STAFF                                                                                                          \
    HEAD("RoleSet", "staff")                                                                                           \
    "  imports: [{kind: IssuerCatalog, name: idps}]\n"                                                                 \
    "  roles:\n    op: {members: [{user: {issuer: sso, subject: ada}}]}\n    app: {members: [{workload: {namespace: "  \
    "a}}]}\n"
#define THINGS                                                                                                         \
    HEAD("ResourceCatalog", "things")                                                                                  \
    "  resourceTypes: {item: {id: [path.item]}}\n  resources: [{type: item, id: one, labels: {tier: low}}]\n"
#define DOINGS                                                                                                         \
    HEAD("OperationCatalog", "doings") "  actions: {read: {http: [{methods: [GET], paths: [\"/i/{item}\"]}]}}\n"
#define POLICY                                                                                                         \
    HEAD("AccessPolicy", "main")                                                                                       \
    "  imports:\n    - {kind: RoleSet, name: staff}\n    - {kind: ResourceCatalog, name: things}\n"                    \
    "    - {kind: OperationCatalog, name: doings}\n"
#define RULES                                                                                                          \
    "  rules:\n    - {allow: apps, subjects: {workload: [app]}, actions: [read], resources: {labels: {tier: low}}}\n"

static struct arena arena;
static struct diag_list diags;
static struct policy *policy;

static enum err build(const char *text)
{
    struct policy_source source = {VIEW("set.yaml"), view_of(text)};
    arena_init(&arena, 1 << 22);
    diag_list_init(&diags, &arena);
    return policy_build(&source, 1, &diags, &policy);
}

static int tear_down(void **state)
{
    (void)state;
    policy_free(policy);
    policy = NULL;
    arena_free(&arena);
    return 0;
}

static void refuses(const char *text, const char *code, const char *words)
{
    assert_int_equal(build(text), ERR_INVALID);
    if (diags.count != 1 || !view_equals(diags.items[0].code, view_of(code)) ||
        strstr(diags.items[0].message.data, words) == NULL) {
        diag_list_print(&diags, stderr);
        fail_msg("wanted %s: %s", code, words);
    }
    (void)tear_down(NULL);
}

static void builds(const char *text)
{
    if (build(text) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        fail_msg("does not build:\n%s", text);
    }
}

static void a_policy_rests_on_what_it_imports(void **state)
{
    (void)state;
    static const char *const sets[] = {ISSUERS NEXT STAFF NEXT THINGS NEXT DOINGS NEXT POLICY RULES,
                                       POLICY RULES NEXT DOINGS NEXT THINGS NEXT STAFF NEXT ISSUERS};
    for (size_t i = 0; i < 2; i++) {
        char scratch_memory[65536];
        struct arena scratch;
        struct decision out;
        struct facts facts = {.request_failure = REASON_NONE,
                              .workload_failure = REASON_NONE,
                              .user_failure = REASON_NONE,
                              .method = VIEW("GET"),
                              .host = VIEW("h"),
                              .path = VIEW("/i/one"),
                              .workload = {PROOF_CERTIFICATE, VIEW("spiffe://d.ex/ns/a/sa/b"), VIEW("d.ex")}};
        builds(sets[i]);
        arena_init_fixed(&scratch, scratch_memory, sizeof scratch_memory);
        policy_decide(policy, &facts, &scratch, &out);
        assert_int_equal(out.verdict, VERDICT_ALLOW);
        facts.path = VIEW("/i/two");
        policy_decide(policy, &facts, &scratch, &out);
        assert_int_equal(out.verdict, VERDICT_DENY);
        (void)tear_down(NULL);
    }
}

static void blocks_are_local_without_an_import(void **state)
{
    (void)state;
    refuses(ISSUERS NEXT STAFF NEXT HEAD("AccessPolicy", "main") "  rules: [{allow: a, subjects: {workload: [app]}}]\n",
            "E0214", "unknown role `app`");
}

static void an_import_brings_nothing_that_it_imports_itself(void **state)
{
    (void)state;
    refuses(ISSUERS NEXT STAFF NEXT HEAD(
                "AccessPolicy",
                "main") "  imports: [{kind: RoleSet, name: staff}]\n"
                        "  roles: {me: {members: [{user: {issuer: sso, subject: eve}}]}}\n  rules: [{allow: a}]\n",
            "E0211", "unknown issuer `sso`");
    builds(ISSUERS NEXT STAFF NEXT HEAD(
        "AccessPolicy",
        "main") "  imports: [{kind: RoleSet, name: staff}, {kind: IssuerCatalog, name: idps}]\n"
                "  roles: {me: {members: [{user: {issuer: sso, subject: eve}}]}}\n  rules: [{allow: a}]\n");
}

static void imports_do_not_go_in_a_circle(void **state)
{
    (void)state;
    refuses(HEAD("RoleSet", "a") "  imports: [{kind: RoleSet, name: b}]\n  roles: {}\n" NEXT HEAD(
                "RoleSet",
                "b") "  imports: [{kind: RoleSet, name: a}]\n  roles: {}\n" NEXT HEAD("AccessPolicy",
                                                                                      "main") "  rules: [{allow: a}]\n",
            "E0222", "leads back");
    refuses(HEAD("RoleSet", "a") "  imports: [{kind: RoleSet, name: a}]\n  roles: {}\n" NEXT HEAD(
                "AccessPolicy", "main") "  rules: [{allow: a}]\n",
            "E0222", "leads back");
}

static void a_name_means_one_thing_in_a_document(void **state)
{
    (void)state;
    static const char other[] = HEAD("RoleSet", "other") "  roles: {app: {members: [{workload: {namespace: b}}]}}\n";
    static char set[4096];
    (void)snprintf(
        set, sizeof set, "%s%s%s%s", ISSUERS NEXT STAFF NEXT, other,
        NEXT HEAD("AccessPolicy", "main") "  imports: [{kind: RoleSet, name: staff}, {kind: RoleSet, name: other}]\n",
        "  rules: [{allow: a}]\n");
    refuses(set, "E0210", "comes from two imports");
    refuses(ISSUERS NEXT STAFF NEXT HEAD("AccessPolicy", "main") "  imports: [{kind: RoleSet, name: staff}]\n  roles: "
                                                                 "{app: {members: [{workload: {namespace: b}}]}}\n"
                                                                 "  rules: [{allow: a}]\n",
            "E0210", "`app` is defined twice");
    refuses(
        THINGS NEXT HEAD("AccessPolicy",
                         "main") "  imports: [{kind: ResourceCatalog, name: things}]\n"
                                 "  resources: [{type: item, id: one, labels: {tier: high}}]\n  rules: [{allow: a}]\n",
        "E0210", "listed twice");
}

static void an_imported_role_is_not_given_holders(void **state)
{
    (void)state;
    refuses(
        ISSUERS NEXT STAFF NEXT HEAD("AccessPolicy", "main") "  imports: [{kind: RoleSet, name: staff}]\n"
                                                             "  roles: {mine: {inherits: [app], members: [{workload: "
                                                             "{namespace: evil}}]}}\n  rules: [{allow: a}]\n",
        "E0222", "is imported");
}

static void a_document_of_a_kind_and_name_is_there_once(void **state)
{
    (void)state;
    refuses(THINGS NEXT THINGS NEXT HEAD("AccessPolicy", "main") "  rules: [{allow: a}]\n", "E0210", "called `things`");
    builds(HEAD("RoleSet", "main") "  roles: {}\n" NEXT HEAD("AccessPolicy", "main") "  rules: [{allow: a}]\n");
}

static void a_catalog_holds_its_own_block_only(void **state)
{
    (void)state;
    refuses(
        HEAD("RoleSet", "a") "  roles: {}\n  rules: []\n" NEXT HEAD("AccessPolicy", "main") "  rules: [{allow: a}]\n",
        "E0203", "`rules`");
    refuses(HEAD("IssuerCatalog", "a") "  imports: []\n" NEXT HEAD("AccessPolicy", "main") "  rules: [{allow: a}]\n",
            "E0204", "`issuers`");
    refuses(THINGS, "E0220", "catalogs alone");
    refuses(HEAD("RollSet", "a") "  roles: {}\n", "E0202", "RollSet");
}

/* Names of a policy are gone with it, unless a test may ask for them later. */
static void two_policies_define_the_same_names(void **state)
{
    (void)state;
#define TWIN(name) HEAD("AccessPolicy", name) "  roles: {own: {members: [{workload: {namespace: " name "}}]}}\n" RULE
#define RULE "  rules: [{allow: a, subjects: {workload: [own]}}]\n"
#define NAMED "  tests: [{name: t, given: {path: /, workload: \"spiffe://d/ns/one/sa/x\"}, expect: {allow: one/a}}]\n"
    builds(TWIN("one") NEXT TWIN("two"));
    assert_ptr_equal(policy->model.rules[1].subjects->workload_roles[0], &policy->model.roles[1]);
    (void)tear_down(NULL);
    builds(TWIN("one") NEXT TWIN("two") NAMED);
    (void)tear_down(NULL);
    refuses(TWIN("one") NEXT TWIN("two") "  tests: [{name: t, given: {path: /}, expect: {allow: one/b}}]\n", "E0502",
            "has no rule `b`");
}

/* A policy whose long blocks do not stand in the order in which they are read. */
static char *many_written(size_t count, size_t near)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    (void)fprintf(out, HEAD("AccessPolicy", "many") "  rules:\n");
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "    - {allow: r%zu, actions: [a%zu], resources: {labels: {l: [v%zu]}}}\n", i, count - 1 - i,
                      i % 10);
    (void)fprintf(out, "    - {deny: last, actions: [operatr]}\n  resources:\n");
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "    - {type: item, id: x%zu, labels: {l: v%zu}}\n", i, i % 10);
    (void)fprintf(out, "  actions:\n");
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "    a%zu: {http: [{methods: [GET], paths: [\"/a%zu/{item}\"]}]}\n", i, i);
    (void)fprintf(out, "    %s: {http: [{paths: [/o]}]}\n", near == 0 ? "operatr" : "operator");
    (void)fprintf(out, "    operatar: {http: [{paths: [/p]}]}\n  resourceTypes: {item: {id: [path.item]}}\n");
    (void)fclose(out);
    return text;
}

static void long_blocks_are_read_in_whatever_order_they_stand(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    char *text = many_written(MANY, 0);
    builds(text);
    assert_int_equal(policy->model.rule_count, MANY + 1);
    for (size_t i = 0; i < MANY; i++) {
        const struct rule *rule = &policy->model.rules[i];
        char name[32];
        (void)snprintf(name, sizeof name, "many/r%zu", i);
        assert_true(view_equals(rule->name, view_of(name)));
        assert_ptr_equal(rule->actions[0], &policy->model.actions[MANY - 1 - i]);
        assert_int_equal(rule->resources->labels[0].values.items[0].data[1], '0' + (char)(i % 10));
        (void)snprintf(name, sizeof name, "x%zu", i);
        assert_true(view_equals(policy->model.resources[i].id.text, view_of(name)));
    }
    free(text);
}

static void the_first_of_the_nearest_names_is_found_among_many(void **state)
{
    (void)state;
    char *text = many_written(200, 1);
    assert_int_equal(build(text), ERR_INVALID);
    assert_int_equal(diags.count, 1);
    assert_non_null(strstr(diags.items[0].hint.data, "did you mean `operator`? (defined at set.yaml:609:5)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_policies_define_the_same_names, tear_down),
        cmocka_unit_test_teardown(long_blocks_are_read_in_whatever_order_they_stand, tear_down),
        cmocka_unit_test_teardown(the_first_of_the_nearest_names_is_found_among_many, tear_down),
        cmocka_unit_test_teardown(a_policy_rests_on_what_it_imports, tear_down),
        cmocka_unit_test_teardown(blocks_are_local_without_an_import, tear_down),
        cmocka_unit_test_teardown(an_import_brings_nothing_that_it_imports_itself, tear_down),
        cmocka_unit_test_teardown(imports_do_not_go_in_a_circle, tear_down),
        cmocka_unit_test_teardown(a_name_means_one_thing_in_a_document, tear_down),
        cmocka_unit_test_teardown(an_imported_role_is_not_given_holders, tear_down),
        cmocka_unit_test_teardown(a_document_of_a_kind_and_name_is_there_once, tear_down),
        cmocka_unit_test_teardown(a_catalog_holds_its_own_block_only, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
