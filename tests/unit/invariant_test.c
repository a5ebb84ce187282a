/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: what holds compiles, its nearest violation is refused with a test that
 * shows it, and what is too large is not passed over in silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 65536 };

static char text[TEXT_MAX], pasted[TEXT_MAX];
static struct arena arena;
static struct diag_list *diags;

static int open_findings(void **state)
{
    (void)state;
    diags = malloc(sizeof *diags);
    arena_init(&arena, 1 << 24);
    if (diags)
        diag_list_init(diags, &arena);
    return diags ? 0 : -1;
}

static int close_findings(void **state)
{
    (void)state;
    arena_free(&arena);
    free(diags);
    return 0;
}

static enum err build(const char *source, struct policy **out)
{
    struct policy_source one = {VIEW("invariant.yaml"), view_of(source)};
    *out = NULL;
    diag_list_init(diags, &arena);
    return policy_build(&one, 1, diags, out);
}

/* The policy with its invariants' lines taken out and the finding's test put in. */
static void paste(const char *with)
{
    struct view test = diags->items[0].hint, marker = VIEW("under tests: ");
    const char *begin = strstr(with, "  invariants:\n"), *end = strstr(with, "  rules:\n");
    struct policy *policy;
    assert_non_null(begin);
    assert_true(end && end > begin);
    assert_true(view_starts_with(test, marker));
    const char *tests = strstr(end, "  tests:\n");
    size_t rules = tests ? (size_t)(tests - end) : strlen(end);
    int size = snprintf(pasted, sizeof pasted, "%.*s%.*s  tests:\n    %.*s\n", (int)(begin - with), with, (int)rules,
                        end, VIEW_ARG(view_slice(test, marker.size, test.size)));
    assert_true(size > 0 && (size_t)size < sizeof pasted);
    if (build(pasted, &policy) != ERR_NONE) {
        diag_list_print(diags, stderr);
        fail_msg("%s", pasted);
    }
    if (policy_test(policy, NULL, NULL) != 0)
        fail_msg("the test does not show it:\n%s", pasted);
    policy_free(policy);
}

static void holds(const char *source)
{
    struct policy *policy;
    if (build(source, &policy) != ERR_NONE) {
        diag_list_print(diags, stderr);
        fail_msg("%s", source);
    }
    policy_free(policy);
}

static void is_violated(const char *source, const char *rule)
{
    struct policy *policy;
    assert_int_equal(build(source, &policy), ERR_INVALID);
    if (!view_equals(diags->items[0].code, VIEW("E0511")) || !strstr(diags->items[0].message.data, rule)) {
        diag_list_print(diags, stderr);
        fail_msg("not violated by %s:\n%s", rule, source);
    }
    paste(source);
}

/* ---- each kind, and its nearest neighbour ------------------------------------------------- */

static const char HEAD[] =
    "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: t}\nspec:\n"
    "  issuers: {sso: {url: \"https://sso\", audiences: [api], stepUp: {twoFactors: [mfa]}}}\n"
    "  assurance: {fresh: {factors: 2, maxAge: 5m}}\n"
    "  roles: {app: {members: [{workload: {spiffe: \"spiffe://a/ns/*/sa/app\"}}]}, "
    "staff: {members: [{user: {issuer: sso, claims: {groups: {anyOf: [staff, lead]}}}}]}, "
    "boss: {inherits: [staff], members: [{user: {issuer: sso, claims: {groups: {containsAll: [staff, boss]}}}}]}}\n"
    "  actions: {read: {http: {methods: [GET], paths: \"/i/{item}\"}}, "
    "write: {http: {methods: [PUT], paths: [\"/i/{item}\", \"/j/{item}:go\"]}}}\n"
    "  resourceTypes: {item: {id: path.item}}\n"
    "  resources: [{type: item, id: one, labels: {data: secret}}, {type: item, id: \"two-*\", labels: {data: open}}]\n";

static const char *with(const char *invariant, const char *rules)
{
    int size =
        snprintf(text, sizeof text, "%s  invariants:\n    - {name: i, %s}\n  rules:\n%s", HEAD, invariant, rules);
    assert_true(size > 0 && (size_t)size < sizeof text);
    return text;
}

struct pair_of_policies {
    const char *invariant;
    const char *good;
    const char *bad;
    const char *rule;
};

static const struct pair_of_policies PAIRS[] = {
    /* never allow, by subject */
    {"never: {verdict: allow, notSubjects: {workload: [app]}}", "    - {allow: r, subjects: {workload: [app]}}\n",
     "    - {allow: r, subjects: {workload: {spiffe: \"spiffe://a/ns/*/sa/ap*\"}}}\n", "`t/r`"},
    {"never: {verdict: allow, notSubjects: {user: [boss]}}", "    - {allow: r, subjects: {user: [boss]}}\n",
     "    - {allow: r, subjects: {user: [staff]}}\n", "`t/r`"},
    {"never: {verdict: allow, subjects: {user: none}}", "    - {allow: r, subjects: {user: any}}\n",
     "    - {allow: r}\n", "`t/r`"},
    {"never: {verdict: allow, subjects: {delegation: any}}", "    - {allow: r, subjects: {user: [staff]}}\n",
     "    - {allow: r, subjects: {workload: any, user: [staff], delegation: {actor: peer}}}\n", "`t/r`"},
    /* by operation and resource */
    {"never: {verdict: allow, actions: [write]}", "    - {allow: r, actions: [read]}\n",
     "    - {allow: r, actions: [read]}\n    - {allow: w, actions: [write], when: {port: 8443}}\n", "`t/w`"},
    {"never: {verdict: allow, resources: {labels: {data: secret}}}",
     "    - {allow: r, resources: {labels: {data: open}}}\n", "    - {allow: r, resources: {ids: [two-x, one]}}\n",
     "`t/r`"},
    {"never: {verdict: allow, resources: {labels: {data: secret}}}", /* an unlisted id may be secret */
     "    - {allow: r, resources: {ids: [\"two-*\"]}}\n", "    - {allow: r, resources: {ids: [\"t*\"]}}\n", "`t/r`"},
    /* by assurance */
    {"never: {verdict: allow, assurance: none}", "    - {allow: r, assurance: fresh}\n",
     "    - {allow: r, subjects: {user: [boss]}}\n", "`t/r`"},
    {"always: {verdict: allow, actions: [read], subjects: {user: [staff], delegation: none}, assurance: fresh}",
     "    - {allow: r, subjects: {user: [staff]}, actions: [read], assurance: fresh}\n",
     "    - {allow: r, subjects: {user: [boss]}, actions: [read], assurance: fresh}\n", ""},
    /* always, never deny, never challenge */
    {"always: {verdict: deny, actions: [write], subjects: {workload: [app]}}",
     "    - {allow: r}\n    - {deny: w, actions: [write], subjects: {workload: [app]}}\n",
     "    - {allow: r}\n    - {deny: w, actions: [write], subjects: {workload: [app]}, when: {header: {name: x, "
     "prefix: "
     "a}}}\n",
     "`t/r`"},
    {"never: {verdict: deny, actions: [read], subjects: {delegation: none}}", "    - {allow: r, actions: [read]}\n",
     "    - {allow: r, actions: [read]}\n    - {deny: d, when: {sourceIP: {in: [10.0.0.0/8]}}}\n", "`t/d`"},
    {"never: {verdict: challenge, actions: [read]}", "    - {allow: w, actions: [write], assurance: fresh}\n",
     "    - {allow: w, actions: [read, write], assurance: fresh}\n", "`t/w`"},
    /* conditions: time, header, context, metadata, claim, query, sni, port, tiers */
    {"never: {verdict: allow, actions: [write]}", "    - {allow: r}\n    - {deny: w, actions: [write], priority: 1}\n",
     "    - {allow: r}\n    - {deny: w, actions: [write], priority: 1, when: {not: {time: {tz: UTC, days: [sun], "
     "between: "
     "[\"03:07\", \"03:08\"]}}}}\n",
     "`t/r`"},
    {"never: {verdict: allow, actions: [write]}", "    - {allow: r}\n    - {deny: w, actions: [write]}\n",
     "    - {allow: r}\n    - {deny: w, actions: [write], unless: {all: [{context: {name: c, equals: v}}, {metadata: "
     "{filter: "
     "f, path: [k], equals: v}}, {claim: {name: a.b, prefix: v}}, {sni: [\"*.x\"]}, {port: [5, 6]}]}}\n",
     "`t/r`"},
    {"never: {verdict: allow, actions: [write]}", "    - {allow: r}\n    - {deny: w, actions: [write]}\n",
     "    - {allow: r}\n    - {deny: w, actions: [write], unless: {all: [{query: {name: q, equals: v}}, {header: "
     "{name: n, "
     "intRange: [5, 7]}}, {remoteIP: {in: [\"2001:db8::/32\"]}}]}}\n",
     "`t/r`"},
};

static void each_kind_holds_and_its_nearest_violation_is_found_and_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        holds(with(PAIRS[i].invariant, PAIRS[i].good));
        is_violated(with(PAIRS[i].invariant, PAIRS[i].bad), PAIRS[i].rule);
    }
}

/* ---- the policies of the documentation ------------------------------------------------------ */

static const char *file_with(const char *path, const char *from, const char *to)
{
    static char file[TEXT_MAX];
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    size_t size = fread(file, 1, sizeof file - 1, in);
    (void)fclose(in);
    file[size] = '\0';
    const char *at = strstr(file, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - file), file, to, at + strlen(from));
    return text;
}

static void moves(const char *source, const char *rule)
{
    struct policy *policy;
    assert_int_equal(build(source, &policy), ERR_INVALID);
    assert_true(view_equals(diags->items[0].code, VIEW("E0511")));
    assert_non_null(strstr(diags->items[0].message.data, rule));
}

static void phi_needs_mfa_holds_and_breaks_when_a_rule_is_loosened(void **state)
{
    const char *path = "policy/training-data.yaml", *recent = "      assurance: recent\n";
    (void)state;
    holds(file_with(path, recent, recent));
    moves(file_with(path, recent, ""), "`training-data-phi/stewards-read-phi`");
    moves(file_with(path, "recent:    {factors: 2, ", "recent:    {factors: 1, "),
          "`training-data-phi/stewards-read-phi`");
    moves(file_with(path, "labels: {data: deidentified}}\n      when", "ids: [\"icu-*\"]}\n      when"),
          "`training-data-phi/trainers-read-deidentified`");
}

static void only_finance_pays_holds_and_breaks_when_a_rule_is_loosened(void **state)
{
    const char *path = "policy/agent-on-behalf-of-user.yaml";
    (void)state;
    holds(file_with(path, "user: [finance], delegation", "user: [finance], delegation"));
    moves(file_with(path, "user: [finance], delegation", "user: [employee], delegation"),
          "`agent-on-behalf-of-user/agent-pays-with-step-up`");
    moves(file_with(path, "    - deny: no-agent", "    - {allow: more, actions: [pay]}\n    - deny: no-agent"),
          "`agent-on-behalf-of-user/more`");
}

/* ---- what is not checked ---------------------------------------------------------------------- */

static void is_not_checked(const char *source, const char *why)
{
    struct policy *policy;
    assert_int_equal(build(source, &policy), ERR_INVALID);
    assert_true(view_equals(diags->items[0].code, VIEW("E0512")));
    if (!strstr(diags->items[0].message.data, why)) {
        diag_list_print(diags, stderr);
        fail_msg("not because of %s", why);
    }
}

static void more_than_a_million_combinations_are_an_error_that_says_so(void **state)
{
    static char rule[8192];
    size_t at = (size_t)snprintf(rule, sizeof rule, "    - {allow: r, actions: [read], when: {all: [{port: 1}");
    (void)state;
    for (int i = 0; i < 13; i++)
        at += (size_t)snprintf(rule + at, sizeof rule - at, ", {header: {name: h%d, prefix: v}}", i);
    (void)snprintf(rule + at, sizeof rule - at, "]}}\n    - {deny: d}\n");
    is_not_checked(with("never: {verdict: allow, actions: [read]}", rule), "1000000 combinations");
    holds(with("never: {verdict: allow, actions: [write]}", rule));
}

static void what_cannot_be_enumerated_is_an_error_that_says_so(void **state)
{
    (void)state;
    is_not_checked(with("never: {verdict: allow}",
                        "    - {allow: r, subjects: {user: any}, when: {claim: {name: exp, intRange: [1, 2]}}}\n"),
                   "reads iss, aud, exp");
    is_not_checked(
        with("never: {verdict: allow}",
             "    - {allow: r, when: {any: [{claim: {name: a, equals: b}}, {claim: {name: a.c, equals: d}}]}}\n"),
        "what stands below it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_holds_and_its_nearest_violation_is_found_and_shown, open_findings,
                                        close_findings),
        cmocka_unit_test_setup_teardown(phi_needs_mfa_holds_and_breaks_when_a_rule_is_loosened, open_findings,
                                        close_findings),
        cmocka_unit_test_setup_teardown(only_finance_pays_holds_and_breaks_when_a_rule_is_loosened, open_findings,
                                        close_findings),
        cmocka_unit_test_setup_teardown(more_than_a_million_combinations_are_an_error_that_says_so, open_findings,
                                        close_findings),
        cmocka_unit_test_setup_teardown(what_cannot_be_enumerated_is_an_error_that_says_so, open_findings,
                                        close_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
