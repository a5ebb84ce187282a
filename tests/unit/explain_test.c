/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator is told of a refusal: the closest rule and the fact it lacked. */
#include "policy_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char spec[] =
    "  issuers:\n"
    "    sso: {url: \"https://sso.ex\", audiences: [a], profile: generic, stepUp: {twoFactors: [mfa]}}\n"
    "  assurance:\n"
    "    fresh: {factors: 2, maxAge: 5m, bound: workload}\n"
    "  roles:\n"
    "    app: {members: [{workload: {namespace: apps}}]}\n"
    "    operator: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [op]}}}}]}\n"
    "  actions:\n"
    "    use: {http: [{methods: [GET], paths: [\"/use\"]}]}\n"
    "    list: {http: [{methods: [GET], paths: [\"/list\"]}]}\n"
    "    office: {http: [{methods: [GET], paths: [\"/office\"]}]}\n"
    "    other: {http: [{methods: [GET], paths: [\"/other\"]}]}\n"
    "  rules:\n"
    "    - allow: main\n"
    "      subjects: {workload: [app], user: [operator]}\n"
    "      actions: [use]\n"
    "      assurance: fresh\n"
    "      purpose: {from: claim.purpose, anyOf: [incident, evaluation]}\n"
    "      when: {claim: {name: scope, containsAll: [\"m:use\"]}}\n"
    "      obligations: {requestHeaders: {set: {x-mail: \"$claim.mail\"}}}\n"
    "    - {allow: office, subjects: {workload: [app]}, actions: [office],"
    " when: {time: {tz: Europe/Paris, between: [\"08:00\", \"18:00\"]}}}\n"
    "    - {allow: list, subjects: {workload: [app]}, actions: [list], when: {query: {name: scope, equals: mine}}}\n"
    "    - {allow: delegated, subjects: {workload: [app], user: [operator], delegation: {actor: peer, maxDepth: 1}},"
    " actions: [other]}\n";

#define USE "{method: GET, host: h, path: /use"
#define APP ", workload: \"spiffe://d.ex/ns/apps/sa/a\""
#define JWT ", jwt: {iss: \"https://sso.ex\", sub: u1, cnf: peer, "
#define GOOD "roles: [op], amr: [pwd, otp], auth_time: \"-1m\", purpose: incident, scope: \"m:use\", mail: ada"

static void says(const char *given, enum reason reason, const char *closest, const char *missing)
{
    struct decision out;
    policy_case(spec, given, &out);
    if (out.reason != reason || !policy_case_rule_is(out.closest, closest) ||
        !view_equals(out.missing, view_of(missing)))
        fail_msg("%s\n got %.*s, closest %.*s: %.*s", given, VIEW_ARG(reason_info(out.reason)->name),
                 VIEW_ARG(out.closest), VIEW_ARG(out.missing));
}

static void a_challenge_says_how_old_the_login_is(void **state)
{
    (void)state;
    says(USE APP JWT "roles: [op], amr: [pwd], auth_time: \"-20m\", purpose: incident, scope: \"m:use\", mail: ada}}",
         REASON_ASSURANCE, NULL,
         "1 factor proved, the rule wants 2; auth_time is 1200 s old, the rule allows 300 s (+30 s clock skew)");
    says(USE APP JWT "roles: [op], purpose: incident, scope: \"m:use\", mail: ada}}", REASON_ASSURANCE, NULL,
         "amr and acr are absent, the rule wants 2 factors; auth_time is absent, the rule allows 300 s");
}

static void the_first_test_that_fails_gives_the_reason(void **state)
{
    (void)state;
    says(USE "}", REASON_CERTIFICATE_NONE, "main", "no certificate was presented");
    says(USE ", workload: \"spiffe://d.ex/ns/x/sa/y\"" JWT GOOD "}}", REASON_WORKLOAD, "main",
         "workload role app not held by spiffe://d.ex/ns/x/sa/y");
    says(USE APP "}", REASON_NO_USER, "main", "no user token was presented");
    says(USE APP JWT "roles: [x], purpose: incident}}", REASON_USER, "main", "user role operator not held");
    says(USE APP ", jwt: {iss: \"https://sso.ex\", sub: u1, " GOOD "}}", REASON_TOKEN_NOT_BOUND, "main",
         "the token is not bound to the calling workload");
    says(USE APP JWT "roles: [op], scope: \"m:use\", mail: ada}}", REASON_PURPOSE, "main",
         "purpose is absent; the rule allows incident, evaluation");
    says(USE APP JWT "roles: [op], purpose: fun, scope: \"m:use\", mail: ada}}", REASON_PURPOSE, "main",
         "purpose is \"fun\"; the rule allows incident, evaluation");
    says(USE APP JWT "roles: [op], purpose: incident, scope: \"m:see\", mail: ada}}", REASON_SCOPE, "main",
         "claim scope is \"m:see\", which the rule's condition does not accept");
    says(USE APP JWT "roles: [op], purpose: incident, scope: \"m:use\"}}", REASON_OBLIGATION, "main",
         "$claim.mail is absent or cannot stand in a header");
    says(USE APP JWT GOOD "}}", REASON_RULE, NULL, NULL);
}

static void delegation_names_both_parties(void **state)
{
    (void)state;
    says("{method: GET, host: h, path: /other" APP
         ", jwt: {iss: \"https://sso.ex\", sub: u1, roles: [op], act: {sub: \"spiffe://d.ex/ns/apps/sa/b\"}}}",
         REASON_DELEGATION_ACTOR, "delegated",
         "the token's actor is spiffe://d.ex/ns/apps/sa/b, the caller is spiffe://d.ex/ns/apps/sa/a");
    says("{method: GET, host: h, path: /other" APP ", jwt: {iss: \"https://sso.ex\", sub: u1, roles: [op]}}",
         REASON_DELEGATION, "delegated", "the token is not delegated (no act), the rule wants one that is");
}

static void a_time_is_told_by_the_clock_of_its_zone(void **state)
{
    (void)state;
    says("{method: GET, host: h, path: /office, now: \"2026-07-01T16:30:00Z\"" APP "}", REASON_CONDITION, "office",
         "time is \"Wed 18:30 Europe/Paris\", which the rule's condition does not accept");
    says("{method: GET, host: h, path: /office, now: \"2026-07-01T15:30:00Z\"" APP "}", REASON_RULE, NULL, NULL);
}

static void a_query_is_told_as_it_was_read(void **state)
{
    (void)state;
    says("{method: GET, host: h, path: \"/list?scope=a%20ll\"" APP "}", REASON_CONDITION, "list",
         "query scope is \"a ll\", which the rule's condition does not accept");
    says("{method: GET, host: h, path: \"/list?scope=mine&scope=mine\"" APP "}", REASON_INDETERMINATE, "list",
         "query scope cannot be judged");
    says("{method: GET, host: h, path: \"/list?scope=m%69ne\"" APP "}", REASON_RULE, NULL, NULL);
}

static void nothing_near_has_no_closest_rule(void **state)
{
    (void)state;
    says("{method: GET, host: h, path: /none" APP "}", REASON_DEFAULT, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_challenge_says_how_old_the_login_is),
        cmocka_unit_test(the_first_test_that_fails_gives_the_reason),
        cmocka_unit_test(delegation_names_both_parties),
        cmocka_unit_test(a_time_is_told_by_the_clock_of_its_zone),
        cmocka_unit_test(a_query_is_told_as_it_was_read),
        cmocka_unit_test(nothing_near_has_no_closest_rule),
    };
    return cmocka_run_group_tests(tests, NULL, policy_case_close);
}
