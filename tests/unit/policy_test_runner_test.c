/* SPDX-License-Identifier: Apache-2.0 */
/* The runner of embedded tests: it passes what holds, and fails what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

#include <stdlib.h>

struct seen {
    size_t count, passed;
    char last_name[256], last_got[1024], last_expected[256];
    bool is_verbose;
};

static void see(void *context, const struct policy_test_result *result)
{
    struct seen *seen = context;
    seen->count++;
    seen->passed += result->passed;
    (void)snprintf(seen->last_name, sizeof(seen->last_name), "%.*s", VIEW_ARG(result->name));
    (void)snprintf(seen->last_got, sizeof(seen->last_got), "%.*s", VIEW_ARG(result->got));
    (void)snprintf(seen->last_expected, sizeof(seen->last_expected), "%.*s", VIEW_ARG(result->expected));
    if (seen->is_verbose && !result->passed)
        (void)fprintf(stderr, "line %u: %s\n  expected %s\n  got %s\n", result->span.line, seen->last_name,
                      seen->last_expected, seen->last_got);
}

static const char HEAD[] =
    "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: t}\nspec:\n"
    "  issuers: {sso: {url: \"https://sso\", audiences: [api], maxLifetime: 10m, stepUp: {twoFactors: [mfa]}, "
    "clients: {web: \"spiffe://a/web\"}}}\n"
    "  assurance: {fresh: {factors: 2, maxAge: 5m}, bound: {bound: workload}, dpop: {bound: dpop}}\n"
    "  roles: {u: {members: [{user: {issuer: sso}}]}, n: {members: [{user: {issuer: sso, claims: {n: {equals: \"42\"}, "
    "b: {equals: \"true\"}, d.e: {anyOf: [x]}}}}]}}\n"
    "  actions:\n"
    "    open: {http: {paths: /open}}\n"
    "    fresh: {http: {paths: /fresh}}\n"
    "    bound: {http: {paths: /bound}}\n"
    "    dpop: {http: {paths: /dpop}}\n"
    "    typed: {http: {paths: /typed}}\n"
    "    lan: {http: {paths: /lan}}\n"
    "    seen: {http: {paths: /seen}}\n"
    "    rich: {http: {paths: /rich}}\n"
    "    shut: {http: {paths: /shut}}\n"
    "    long: {http: {paths: /long}}\n"
    "  rules:\n"
    "    - {allow: open, actions: [open], obligations: {requestHeaders: {set: {x-decision: $decision.id}}}}\n"
    "    - {allow: fresh, actions: [fresh], subjects: {user: [u]}, assurance: fresh}\n"
    "    - {allow: bound, actions: [bound], subjects: {user: [u]}, assurance: bound}\n"
    "    - {allow: dpop, actions: [dpop], subjects: {user: [u]}, assurance: dpop}\n"
    "    - {allow: typed, actions: [typed], subjects: {user: [n]}}\n"
    "    - {allow: lan, actions: [lan], when: {all: [{sourceIP: {in: [10.0.0.0/8]}}, {port: 8443}]}}\n"
    "    - {allow: seen, actions: [seen], when: {all: [{header: {name: x-a, equals: b}}, {context: {name: c, equals: "
    "d}}, "
    "{metadata: {filter: f, path: [g, h], equals: i}}]}}\n"
    "    - {allow: rich, actions: [rich], obligations: {audit: full, maxStream: 15m, metadata: {class: high, n: "
    "\"1\"}, "
    "requestHeaders: {set: {x-a: a}, append: {x-b: b}, remove: [x-c]}, responseHeaders: {set: {cache-control: "
    "no-store}}, queryParams: {set: {who: \"a b\"}, remove: [raw]}}}\n"
    "    - {deny: shut, actions: [shut], obligations: {audit: full, deny: {status: 451, body: shut, grpcMessage: "
    "no}}}\n"
    "    - {allow: long, actions: [long], obligations: {maxStream: credentials}}\n"
    "  tests:\n";

/* Runs one test of that policy; true when it passes. */
static bool passes(struct seen *seen, const char *given, const char *expect)
{
    struct arena arena;
    struct diag_list *diags = malloc(sizeof(*diags));
    struct policy *policy = NULL;
    assert_non_null(diags);
    arena_init(&arena, 1 << 22);
    diag_list_init(diags, &arena);
    struct view text = arena_print(&arena, "%s    - {name: case, given: {%s}, expect: %s}\n", HEAD, given, expect);
    struct policy_source source = {VIEW("policy.yaml"), text};
    if (policy_build(&source, 1, diags, &policy) != ERR_NONE) {
        diag_list_print(diags, stderr);
        fail();
    }
    *seen = (struct seen){0};
    size_t failures = policy_test(policy, see, seen);
    assert_int_equal(failures, seen->count - seen->passed);
    policy_free(policy);
    arena_free(&arena);
    free(diags);
    return failures == 0;
}

static void a_test_fails_when_any_part_of_its_expectation_does(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "path: /open", "allow"));
    assert_true(passes(&seen, "path: /open", "{allow: open, reason: rule}"));
    assert_true(passes(&seen, "path: /open", "{allow: open, obligations: {requestHeaders: {x-decision: test}}}"));
    assert_false(passes(&seen, "path: /open", "deny"));
    assert_string_equal(seen.last_expected, "deny");
    assert_non_null(strstr(seen.last_got, "allow by `t/open`"));
    assert_false(passes(&seen, "path: /open", "challenge"));
    assert_false(passes(&seen, "path: /open", "{allow: lan}"));
    assert_false(passes(&seen, "path: /open", "{allow: open, reason: default}"));
    assert_false(passes(&seen, "path: /open", "{allow: open, obligations: {requestHeaders: {x-decision: other}}}"));
    assert_false(passes(&seen, "path: /open", "{allow: open, obligations: {requestHeaders: {x-other: test}}}"));
}

static bool rich(struct seen *seen, const char *obligations)
{
    char expect[256];
    (void)snprintf(expect, sizeof expect, "{allow: rich, obligations: {%s}}", obligations);
    return passes(seen, "path: /rich", expect);
}

static void every_obligation_of_an_allow_can_be_expected(void **state)
{
    static const char *const pairs[][2] = {
        {"requestHeaders: {x-a: a, X-B: b}", "requestHeaders: {x-a: a, x-b: a}"},
        {"removeRequestHeaders: [X-C]", "removeRequestHeaders: [x-c, x-a]"},
        {"responseHeaders: {Cache-Control: no-store}", "responseHeaders: {cache-control: no-cache}"},
        {"queryParams: {who: a b}", "queryParams: {who: a%20b}"},
        {"removeQueryParams: raw", "removeQueryParams: Raw"},
        {"metadata: {class: high}", "metadata: {class: high, N: 1}"},
        {"audit: full", "audit: summary"},
        {"maxStream: 15m", "maxStream: 901s"},
        {"maxStream: 900s", "maxStream: credentials"},
    };
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!rich(&seen, pairs[i][0]) || rich(&seen, pairs[i][1]))
            fail_msg("%s", pairs[i][0]);
    }
    assert_non_null(strstr(seen.last_expected, "maxStream credentials"));
    assert_non_null(
        strstr(seen.last_got, "request header x-a: a, request header x-b: b, without request headers x-decision x-c"));
    assert_non_null(strstr(seen.last_got, "response header cache-control: no-store, query parameter who: a b, without "
                                          "query parameters raw, metadata class: high"));
    assert_non_null(strstr(seen.last_got, "maxStream 900s, audit full"));
    assert_true(passes(&seen, "path: /long", "{allow: long, obligations: {maxStream: credentials}}"));
    assert_false(passes(&seen, "path: /long", "{allow: long, obligations: {maxStream: 15m}}"));
    assert_false(passes(&seen, "path: /open", "{allow: open, obligations: {metadata: {class: high}}}"));
}

static void how_a_denial_looks_can_be_expected(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(
        passes(&seen, "path: /shut",
               "{deny: shut, obligations: {audit: full, deny: {status: 451, body: shut, grpcMessage: \"no\"}}}"));
    assert_false(passes(&seen, "path: /shut", "{deny: shut, obligations: {deny: {status: 403}}}"));
    assert_non_null(strstr(seen.last_got, "status 451, body `shut`, grpcMessage `no`"));
    assert_false(passes(&seen, "path: /shut", "{deny: shut, obligations: {deny: {body: open}}}"));
    assert_false(passes(&seen, "path: /shut", "{deny: shut, obligations: {deny: {grpcMessage: shut}}}"));
    assert_false(passes(&seen, "path: /shut", "{deny: shut, obligations: {audit: summary}}"));
    assert_true(passes(&seen, "path: /none", "{deny: default, obligations: {audit: summary, deny: {status: 403}}}"));
    assert_false(passes(&seen, "path: /none", "{deny: default, obligations: {deny: {status: 401}}}"));
    assert_true(passes(&seen, "path: /fresh", "{deny: default, obligations: {deny: {status: 401}}}"));
    assert_false(passes(&seen, "path: /none", "{deny: default, obligations: {deny: {body: shut}}}"));
}

#define FRESH "path: /fresh, jwt: {iss: \"https://sso\", sub: a, amr: [pwd, otp], auth_time: "
#define STALE FRESH "\"-6m\"}"

static void a_challenge_is_compared_with_what_it_asks(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, STALE, "{challenge: fresh, acr_values: mfa, max_age: 300}"));
    assert_true(passes(&seen, STALE, "{challenge: fresh, acr_values: [mfa], max_age: 5m}"));
    assert_false(passes(&seen, STALE, "{challenge: fresh, acr_values: mfa, max_age: 301}"));
    assert_false(passes(&seen, STALE, "{challenge: fresh, acr_values: \"mfa phr\"}"));
    assert_false(passes(&seen, STALE, "{challenge: fresh, acr_values: phr}"));
    assert_true(passes(&seen, FRESH "\"-1m\"}", "{allow: fresh}"));
    assert_true(passes(&seen, STALE, "{challenge: fresh, obligations: {audit: summary}}"));
    assert_false(passes(&seen, STALE, "{challenge: fresh, obligations: {audit: full}}"));
}

static void times_are_relative_to_now(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "now: \"2026-06-01T00:00:00Z\", " FRESH "\"2026-05-31T23:58:00Z\"}", "{allow: fresh}"));
    assert_true(passes(&seen, FRESH "1767268740}", "{allow: fresh}"));
    assert_true(passes(&seen, FRESH "\"+2m\"}", "{deny: default, reason: token_claims}"));
}

#define TOKEN(more) "path: /open, jwt: {iss: \"https://sso\", sub: a, " more "}"

static void a_token_is_judged_as_the_sidecar_would(void **state)
{
    static const char *const cases[][2] = {
        {TOKEN("exp: \"-29s\""), "{allow: open}"}, /* within the skew */
        {TOKEN("exp: \"-31s\", iat: \"-5m\""), "{deny: default, reason: token_expired}"},
        {TOKEN("nbf: \"+31s\""), "{deny: default, reason: token_not_yet_valid}"},
        {TOKEN("aud: [other, api]"), "{allow: open}"},
        {TOKEN("aud: other"), "{deny: default, reason: token_audience}"},
        {TOKEN("exp: \"+11m\""), "{deny: default, reason: token_lifetime}"},
        {TOKEN("amr: pwd"), "{deny: default, reason: token_claims}"},
        {TOKEN("cnf: other"), "{deny: default, reason: token_binding_mismatch}"},
        {TOKEN("cnf: peer"), "{deny: default, reason: token_binding_mismatch}"}, /* there is no peer */
        {TOKEN("act: {sub: b, act: {sub: c, act: {sub: d, act: {sub: e, act: {sub: f}}}}}"),
         "{deny: default, reason: token_claims}"},
        {TOKEN("act: {sub: b}"), "{deny: default, reason: delegation}"},
        {"path: /open, jwt: {iss: \"https://sso\"}", "{deny: default, reason: token_claims}"},
        {"path: /open, jwt: {iss: \"https://evil\", sub: a}", "{deny: default, reason: token_issuer}"},
        {"path: /open, token: invalid", "{deny: default, reason: invalid_token}"},
        {"path: /open, token: unjudgeable", "{allow: open}"},
        {"path: /fresh, token: unjudgeable", "{deny: default, reason: keys-unavailable}"},
        {"path: /fresh", "{deny: default, reason: no_user}"},
    };
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!passes(&seen, cases[i][0], cases[i][1]))
            fail_msg("%s: %s", cases[i][0], seen.last_got);
}

#define CALLER "workload: \"spiffe://a/web\", "
#define BOUND "path: /bound, jwt: {iss: \"https://sso\", sub: a"

static void a_token_is_bound_to_a_workload_by_cnf_client_or_actor(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, CALLER BOUND ", cnf: peer}", "{allow: bound}"));
    assert_true(passes(&seen, CALLER BOUND ", azp: web}", "{allow: bound}"));
    assert_true(passes(&seen, CALLER BOUND ", client_id: web}", "{allow: bound}"));
    assert_true(passes(&seen, CALLER BOUND ", azp: app}", "{deny: default, reason: token_not_bound}"));
    assert_true(passes(&seen, "workload: \"spiffe://a/app\", " BOUND ", azp: web}",
                       "{deny: default, reason: token_not_bound}"));
    assert_true(passes(&seen, CALLER BOUND "}", "{deny: default, reason: token_not_bound}"));
    assert_true(passes(&seen, "path: /dpop, dpop: valid, jwt: {iss: \"https://sso\", sub: a}", "{allow: dpop}"));
    assert_true(
        passes(&seen, "path: /dpop, jwt: {iss: \"https://sso\", sub: a}", "{deny: default, reason: token_not_bound}"));
    assert_true(passes(&seen, "path: /dpop, dpop: invalid, jwt: {iss: \"https://sso\", sub: a}",
                       "{deny: default, reason: token_binding_mismatch}"));
}

static void a_caller_is_its_certificate(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "path: /open, certificate: none", "{allow: open}"));
    assert_true(passes(&seen, "path: /open, certificate: invalid", "{deny: default, reason: certificate}"));
    assert_true(passes(&seen, "path: /open, certificate: invalid, workload: \"spiffe://a/web\"",
                       "{deny: default, reason: certificate}"));
}

static void claims_are_typed_as_json_would_be(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "path: /typed, jwt: {iss: \"https://sso\", sub: a, n: 42, b: true, d: {e: [y, x]}}",
                       "{allow: typed}"));
    assert_true(passes(&seen, "path: /typed, jwt: {iss: \"https://sso\", sub: a, n: \"42\", b: \"true\", d: [{e: x}]}",
                       "{allow: typed}"));
    assert_false(passes(&seen, "path: /typed, jwt: {iss: \"https://sso\", sub: a, n: 43, b: true, d: {e: x}}",
                        "{allow: typed}"));
    assert_false(
        passes(&seen, "path: /typed, jwt: {iss: \"https://sso\", sub: a, n: 42, b: true, d: null}", "{allow: typed}"));
}

static void facts_about_the_request_are_given(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "path: /lan, sourceIP: 10.1.2.3, port: 8443", "{allow: lan}"));
    assert_true(passes(&seen, "path: /lan, sourceIP: 11.1.2.3, port: 8443", "{deny: default}"));
    assert_true(passes(&seen, "path: /lan, port: 8443", "{deny: default}"));
    assert_true(
        passes(&seen, "path: /seen, headers: {X-A: b}, context: {c: d}, metadata: {f: {g: {h: i}}}", "{allow: seen}"));
    assert_true(
        passes(&seen, "path: /seen, headers: {X-A: [b, b]}, context: {c: d}, metadata: {f: {g: {h: i}}}", "deny"));
    assert_true(passes(&seen, "path: /seen, headers: {X-A: b}, context: {c: d}, metadata: {f: {g: {h: j}}}", "deny"));
}

static void a_list_makes_a_matrix(void **state)
{
    struct seen seen;
    (void)state;
    assert_true(passes(&seen, "path: [/open, \"/open?a=b\"], method: [GET, PUT, POST]", "{allow: open}"));
    assert_int_equal(seen.count, 6);
    assert_string_equal(seen.last_name, "case [path=/open?a=b, method=POST]");
    assert_false(passes(&seen, "path: [/open, /lan]", "{allow: open}"));
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.passed, 1);
}

static void the_gateway_policy_passes_its_own_tests(void **state)
{
    struct arena arena;
    struct diag_list *diags = malloc(sizeof(*diags));
    struct policy *policy = NULL;
    struct seen seen = {.is_verbose = true};
    (void)state;
    assert_non_null(diags);
    arena_init(&arena, 1 << 22);
    diag_list_init(diags, &arena);
    if (policy_read("policy/inference-gateway.yaml", diags, &policy) != ERR_NONE)
        diag_list_print(diags, stderr);
    assert_non_null(policy);
    assert_int_equal(policy_test(policy, see, &seen), 0);
    assert_true(seen.count >= 50);
    policy_free(policy);
    arena_free(&arena);
    free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_fails_when_any_part_of_its_expectation_does),
        cmocka_unit_test(every_obligation_of_an_allow_can_be_expected),
        cmocka_unit_test(how_a_denial_looks_can_be_expected),
        cmocka_unit_test(a_challenge_is_compared_with_what_it_asks),
        cmocka_unit_test(times_are_relative_to_now),
        cmocka_unit_test(a_token_is_judged_as_the_sidecar_would),
        cmocka_unit_test(a_token_is_bound_to_a_workload_by_cnf_client_or_actor),
        cmocka_unit_test(a_caller_is_its_certificate),
        cmocka_unit_test(claims_are_typed_as_json_would_be),
        cmocka_unit_test(facts_about_the_request_are_given),
        cmocka_unit_test(a_list_makes_a_matrix),
        cmocka_unit_test(the_gateway_policy_passes_its_own_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
