/* SPDX-License-Identifier: Apache-2.0 */
/* The semantics S1 to S12, rule by rule, on both evaluators. */
#include "policy_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COMMON                                                                                                         \
    "  issuers:\n"                                                                                                     \
    "    sso: {url: \"https://sso.ex\", audiences: [a], profile: generic, acrOrder: [low, mfa, high],\n"               \
    "          stepUp: {twoFactors: [mfa], phishingResistant: [phr]}}\n"                                               \
    "    two: {url: \"https://two.ex\", audiences: [a], profile: generic, stepUp: {twoFactors: [mfa]}}\n"              \
    "  assurance:\n"                                                                                                   \
    "    fresh: {factors: 2, maxAge: 5m}\n"                                                                            \
    "    bound: {factors: 2, bound: workload}\n"                                                                       \
    "    only-sso: {factors: 2, issuers: [sso]}\n"                                                                     \
    "    ranked: {acr: {atLeast: mfa}, issuers: [sso]}\n"                                                              \
    "    hard: {factors: 2, phishingResistant: true, maxAge: 1m, issuers: [sso]}\n"                                    \
    "  roles:\n"                                                                                                       \
    "    app: {members: [{workload: {namespace: apps}}]}\n"                                                            \
    "    gate: {members: [{workload: {spiffe: \"spiffe://d.ex/ns/gate/sa/g\"}}]}\n"                                    \
    "    op: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [op]}}}}]}\n"                                     \
    "    chief: {inherits: [op], members: [{user: {issuer: sso, claims: {roles: {anyOf: [chief]}}}}]}\n"               \
    "  actions:\n"                                                                                                     \
    "    read: {http: [{methods: [GET], paths: [\"/m/{model}\"], encodedSlash: data}]}\n"                              \
    "    write: {http: [{methods: [POST], paths: [\"/m/{model}\"]}]}\n"                                                \
    "    all-m: {http: [{paths: [\"/m/{**}\"]}]}\n"                                                                    \
    "    chat: {http: [{methods: [POST], paths: [\"/chat\"], body: openai}]}\n"                                        \
    "    tool: {http: [{methods: [POST], paths: [\"/rpc\"], body: mcp, call: tools/call}]}\n"                          \
    "  resourceTypes:\n"                                                                                               \
    "    model: {hosts: [\"*.ex\"], id: [path.model, body.model, header.x-model]}\n"                                   \
    "  resources:\n"                                                                                                   \
    "    - {type: model, id: m1, labels: {tier: high}}\n"                                                              \
    "    - {type: model, id: \"m*\", labels: {tier: low}}\n"

#define READ "method: GET, host: h.ex, path: /m/m1"
#define APP ", workload: \"spiffe://d.ex/ns/apps/sa/a\""
#define JWT_START ", jwt: {iss: \"https://sso.ex\", sub: u1, "
#define OP_OLD JWT_START "roles: [op], amr: [pwd, otp], auth_time: \"-20m\"}"
#define OP_FRESH JWT_START "roles: [op], amr: [pwd, otp], auth_time: \"-1m\"}"

static struct decision ask(const char *rules, const char *given)
{
    return policy_case_ask(COMMON, rules, given);
}

static void expect(const char *rules, const char *given, enum verdict verdict, enum reason reason, const char *rule)
{
    struct decision out = ask(rules, given);
    if (out.verdict != verdict || out.reason != reason || !policy_case_rule_is(out.rule, rule))
        fail_msg("%s\n%s\n got %s %.*s by %.*s (closest %.*s: %.*s)", rules, given, verdict_text(out.verdict),
                 VIEW_ARG(reason_info(out.reason)->name), VIEW_ARG(out.rule), VIEW_ARG(out.closest),
                 VIEW_ARG(out.missing));
}

static void allows(const char *rules, const char *given, const char *rule)
{
    expect(rules, given, VERDICT_ALLOW, REASON_RULE, rule);
}

static void denies(const char *rules, const char *given, enum reason reason, const char *rule)
{
    expect(rules, given, VERDICT_DENY, reason, rule);
}

static void challenges(const char *rules, const char *given, const char *rule)
{
    expect(rules, given, VERDICT_CHALLENGE, REASON_ASSURANCE, rule);
}

/* ---- S2 ------------------------------------------------------------------ */

static void a_value_test_on_an_absent_header_is_false_for_allow_and_deny(void **state)
{
    (void)state;
    const char *const deny = "    - {allow: ok}\n    - {deny: no, when: {header: {name: x-a, equals: bad}}}\n";
    allows(deny, READ, "ok");
    denies(deny, READ ", headers: {x-a: bad}", REASON_DENY_RULE, "no");
    denies("    - {allow: ok, when: {header: {name: x-a, equals: good}}}\n", READ, REASON_CONDITION, NULL);
    allows("    - {allow: ok, when: {header: {name: x-a, equals: good}}}\n", READ ", headers: {x-a: good}", "ok");
    allows("    - {allow: ok, when: {not: {header: {name: x-a, equals: bad}}}}\n", READ, "ok");
}

static void what_cannot_be_judged_denies_and_does_not_allow(void **state)
{
    (void)state;
    const char *const range = "{header: {name: x-n, intRange: [1, 9]}}";
    char rules[512];
    (void)snprintf(rules, sizeof rules, "    - {allow: ok, when: %s}\n", range);
    denies(rules, READ ", headers: {x-n: many}", REASON_INDETERMINATE, NULL);
    allows(rules, READ ", headers: {x-n: \"5\"}", "ok");
    (void)snprintf(rules, sizeof rules, "    - {allow: ok}\n    - {deny: no, when: %s}\n", range);
    denies(rules, READ ", headers: {x-n: many}", REASON_DENY_RULE, "no");
    allows(rules, READ ", headers: {x-n: \"10\"}", "ok");
    (void)snprintf(rules, sizeof rules, "    - {allow: ok}\n    - {deny: no, unless: %s}\n", range);
    denies(rules, READ ", headers: {x-n: many}", REASON_DENY_RULE, "no");
    allows(rules, READ ", headers: {x-n: \"5\"}", "ok");
}

static void an_unknown_address_is_not_judged(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok}\n    - {deny: no, when: {remoteIP: {in: [10.0.0.0/8]}}}\n";
    denies(rules, READ, REASON_DENY_RULE, "no");
    denies(rules, READ ", remoteIP: 10.1.2.3", REASON_DENY_RULE, "no");
    denies(rules, READ ", remoteIP: \"::ffff:10.1.2.3\"", REASON_DENY_RULE, "no");
    allows(rules, READ ", remoteIP: 11.0.0.0", "ok");
}

/* ---- S3 ------------------------------------------------------------------ */

static void a_deny_wins_inside_its_tier_and_loses_to_a_higher_one(void **state)
{
    (void)state;
    denies("    - {allow: a}\n    - {deny: z}\n", READ, REASON_DENY_RULE, "z");
    allows("    - {allow: a, priority: 1}\n    - {deny: z}\n", READ, "a");
    denies("    - {allow: a}\n    - {deny: z, priority: 1}\n", READ, REASON_DENY_RULE, "z");
}

static void the_smallest_name_decides_among_rules_of_one_kind(void **state)
{
    (void)state;
    allows("    - {allow: b}\n    - {allow: a}\n    - {allow: c}\n", READ, "a");
}

static void a_met_allow_outranks_a_challenge_and_a_higher_challenge_a_lower_allow(void **state)
{
    (void)state;
    allows("    - {allow: a, assurance: fresh}\n    - {allow: b}\n", READ OP_OLD, "b");
    challenges("    - {allow: a, assurance: fresh, priority: 1}\n    - {allow: b}\n", READ OP_OLD, "a");
}

static void the_challenge_asks_for_the_fewest_missing_facts(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: a, assurance: hard}\n    - {allow: b, assurance: fresh}\n";
    challenges(rules, READ OP_OLD, "b");
    challenges("    - {allow: b, assurance: fresh}\n    - {allow: a, assurance: fresh}\n", READ OP_OLD, "a");
}

static void nothing_decisive_is_a_denial(void **state)
{
    (void)state;
    denies("    - {deny: no, actions: [write]}\n", READ, REASON_DEFAULT, NULL);
    denies("    - {allow: ok, actions: [write]}\n", READ, REASON_DEFAULT, NULL);
}

/* ---- S4, S5 -------------------------------------------------------------- */

static void assurance_makes_a_challenge_with_the_whole_requirement(void **state)
{
    (void)state;
    struct decision out = ask("    - {allow: ok, assurance: fresh}\n", READ OP_OLD);
    assert_int_equal(out.verdict, VERDICT_CHALLENGE);
    assert_int_equal(out.challenge.acr_count, 1);
    assert_true(view_equals(out.challenge.acr_values[0], VIEW("mfa")));
    assert_true(out.challenge.has_max_age);
    assert_int_equal(out.challenge.max_age, 300);
    allows("    - {allow: ok, assurance: fresh}\n", READ OP_FRESH, "ok");
}

static void max_age_ends_with_the_clock_skew(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, assurance: fresh}\n";
    allows(rules, READ JWT_START "amr: [pwd, otp], auth_time: \"-330s\"}", "ok");
    challenges(rules, READ JWT_START "amr: [pwd, otp], auth_time: \"-331s\"}", "ok");
    challenges(rules, READ JWT_START "amr: [pwd, otp]}", "ok");
}

static void at_least_asks_for_its_acr_and_everything_above(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, assurance: ranked}\n";
    struct decision out = ask(rules, READ JWT_START "acr: low}");
    assert_int_equal(out.verdict, VERDICT_CHALLENGE);
    assert_int_equal(out.challenge.acr_count, 2);
    allows(rules, READ JWT_START "acr: mfa}", "ok");
    allows(rules, READ JWT_START "acr: high}", "ok");
    challenges(rules, READ JWT_START "acr: higher}", "ok");
}

static void unless_assurance_asks_only_where_something_else_would_allow(void **state)
{
    (void)state;
    const char *const lifted = "    - {allow: ok}\n    - {deny: no, unlessAssurance: fresh}\n";
    allows(lifted, READ OP_FRESH, "ok");
    challenges(lifted, READ OP_OLD, "no");
    denies(lifted, READ, REASON_DENY_RULE, "no");
    denies("    - {deny: no, unlessAssurance: fresh}\n", READ OP_OLD, REASON_DENY_RULE, "no");
    denies("    - {allow: ok}\n    - {deny: no, unlessAssurance: fresh}\n    - {deny: z}\n", READ OP_OLD,
           REASON_DENY_RULE, "no");
    challenges("    - {allow: ok}\n    - {deny: no, priority: 2, unlessAssurance: fresh}\n", READ OP_OLD, "no");
    denies("    - {deny: z}\n    - {deny: no, priority: 2, unlessAssurance: fresh}\n", READ OP_OLD, REASON_DENY_RULE,
           "no");
    challenges("    - {allow: ok}\n    - {deny: n2, unlessAssurance: fresh}\n    - {deny: n1, unlessAssurance: hard}\n",
               READ OP_OLD, "n1");
}

static void a_binding_or_issuer_that_no_step_up_mends_is_a_denial(void **state)
{
    (void)state;
    const char *const other = ", jwt: {iss: \"https://two.ex\", sub: u1, amr: [pwd, otp], auth_time: \"-1m\"}";
    char given[512];
    denies("    - {allow: ok, assurance: bound}\n", READ APP OP_FRESH, REASON_TOKEN_NOT_BOUND, NULL);
    allows("    - {allow: ok, subjects: {delegation: any}, assurance: bound}\n",
           READ APP JWT_START "amr: [pwd, otp], act: {sub: \"spiffe://d.ex/ns/apps/sa/a\"}}", "ok");
    (void)snprintf(given, sizeof given, "%s%s", READ, other);
    denies("    - {allow: ok, assurance: only-sso}\n", given, REASON_ASSURANCE_ISSUER, NULL);
    allows("    - {allow: ok, assurance: only-sso}\n", READ OP_OLD, "ok");
}

static void without_a_user_a_rule_that_lacks_only_one_says_no_user(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, subjects: {workload: [app], user: [op]}, actions: [read]}\n";
    denies(rules, READ APP, REASON_NO_USER, NULL);
    denies(rules, READ, REASON_CERTIFICATE_NONE, NULL);
    denies("    - {allow: ok, assurance: fresh}\n", READ, REASON_NO_USER, NULL);
    denies("    - {allow: ok, subjects: {user: any}, when: {header: {name: x-a, present: true}}}\n", READ, REASON_USER,
           NULL);
    allows(rules, READ APP OP_OLD, "ok");
}

static void a_failed_credential_is_never_an_absent_one(void **state)
{
    (void)state;
    expect("    - {allow: ok}\n", READ ", token: invalid", VERDICT_DENY, REASON_TOKEN_SIGNATURE, NULL);
    assert_true(
        reason_is_named(ask("    - {allow: ok}\n", READ APP ", certificate: invalid").reason, VIEW("certificate")));
    allows("    - {allow: ok}\n", READ, "ok");
}

static void a_token_that_cannot_be_judged_stops_rules_on_users_only(void **state)
{
    (void)state;
    const char *const unjudged = READ APP JWT_START "roles: [op]}, token: unjudgeable";
    denies("    - {allow: ok, subjects: {user: [op]}}\n", unjudged, REASON_KEYS_UNAVAILABLE, NULL);
    allows("    - {allow: ok, subjects: {workload: [app]}}\n", unjudged, "ok");
    denies("    - {allow: ok, subjects: {workload: [app]}}\n    - {deny: no, subjects: {user: [op]}}\n", unjudged,
           REASON_DENY_RULE, "no");
    denies("    - {allow: ok, subjects: {user: none}}\n", unjudged, REASON_KEYS_UNAVAILABLE, NULL);
}

/* ---- S6 ------------------------------------------------------------------ */

static void an_obligation_without_a_value_makes_an_allow_not_decisive(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: a, obligations: {requestHeaders: {set: {x-u: \"$claim.mail\"}}}}\n"
                              "    - {allow: b, actions: [write]}\n";
    denies(rules, READ OP_OLD, REASON_OBLIGATION, NULL);
    denies(rules, READ, REASON_NO_USER, NULL);
    denies(rules, READ JWT_START "mail: \"a\\nb\"}", REASON_OBLIGATION, NULL);
    struct decision out = ask(rules, READ JWT_START "mail: ada}");
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_int_equal(out.obligations.request_header_count, 1);
    assert_true(view_equals(out.obligations.request_headers[0].value, VIEW("ada")));
}

static void an_allow_removes_every_header_that_another_could_set(void **state)
{
    (void)state;
    const char *const rules =
        "    - {allow: a, actions: [read], obligations: {requestHeaders: {set: {x-k: one}, remove: [x-raw]}}}\n"
        "    - {allow: b, actions: [write]}\n"
        "    - {allow: c, actions: [chat], obligations: {requestHeaders: {set: {x-c: two}}}}\n";
    struct decision out = ask(rules, READ);
    assert_int_equal(out.obligations.remove_header_count, 2);
    assert_true(view_equals(out.obligations.remove_headers[0], VIEW("x-c")));
    assert_true(view_equals(out.obligations.remove_headers[1], VIEW("x-raw")));
    out = ask(rules, "method: POST, host: h.ex, path: /m/m1");
    assert_true(policy_case_rule_is(out.rule, "b"));
    assert_int_equal(out.obligations.remove_header_count, 2);
    assert_true(view_equals(out.obligations.remove_headers[0], VIEW("x-c")));
    assert_true(view_equals(out.obligations.remove_headers[1], VIEW("x-k")));
}

static void the_audit_level_is_the_highest_of_all_rules_that_match(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: a, actions: [read], obligations: {audit: minimal}}\n"
                              "    - {allow: z, actions: [all-m], obligations: {audit: full}}\n";
    assert_int_equal(ask(rules, READ).audit, AUDIT_FULL);
    assert_true(policy_case_rule_is(ask(rules, READ).rule, "a"));
    assert_int_equal(ask("    - {allow: a, obligations: {audit: minimal}}\n", READ).audit, AUDIT_MINIMAL);
    assert_int_equal(ask("    - {allow: a, actions: [write]}\n", READ).audit, AUDIT_SUMMARY);
}

/* ---- S7, S8 -------------------------------------------------------------- */

static void a_role_holds_what_it_inherits_and_not_the_other_way(void **state)
{
    (void)state;
    const char *const chief = READ JWT_START "roles: [chief]}";
    allows("    - {allow: ok, subjects: {user: [op]}}\n", chief, "ok");
    denies("    - {allow: ok, subjects: {user: [chief]}}\n", READ OP_OLD, REASON_USER, NULL);
}

static void a_claim_of_the_wrong_type_denies_and_a_missing_one_is_not_held(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok}\n    - {deny: no, subjects: {user: [op]}}\n";
    denies(rules, READ JWT_START "roles: {a: b}}", REASON_DENY_RULE, "no");
    allows(rules, READ JWT_START "mail: x}", "ok");
    denies("    - {allow: ok, subjects: {user: [op]}}\n", READ JWT_START "roles: {a: b}}", REASON_INDETERMINATE, NULL);
}

/* ---- S11 ----------------------------------------------------------------- */

static void a_resource_is_labelled_by_its_longest_entry(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, resources: {labels: {tier: low}}}\n";
    denies(rules, READ, REASON_DEFAULT, NULL);
    allows(rules, "method: GET, host: h.ex, path: /m/m2", "ok");
}

static void an_id_outside_the_catalog_fits_no_label_and_every_labelled_deny(void **state)
{
    (void)state;
    const char *const other = "method: GET, host: h.ex, path: /m/zzz";
    denies("    - {allow: ok, resources: {notLabels: {tier: high}}}\n", other, REASON_DEFAULT, NULL);
    denies("    - {allow: ok}\n    - {deny: no, resources: {labels: {tier: high}}}\n", other, REASON_DENY_RULE, "no");
    allows("    - {allow: ok, resources: {types: [model]}}\n", other, "ok");
}

static void sources_that_name_two_resources_are_refused(void **state)
{
    (void)state;
    denies("    - {allow: ok}\n", READ ", body: {model: m2}", REASON_RESOURCE_AMBIGUOUS, NULL);
    allows("    - {allow: ok}\n", READ ", body: {model: m1}", "ok");
    denies("    - {allow: ok}\n", READ ", headers: {x-model: m2}", REASON_RESOURCE_AMBIGUOUS, NULL);
    allows("    - {allow: ok}\n", READ ", headers: {x-model: m1}", "ok");
}

static void a_selector_is_unknown_without_an_id_and_false_off_the_hosts(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok}\n    - {deny: no, resources: {ids: [m1]}}\n";
    denies(rules, "method: POST, host: h.ex, path: /chat", REASON_DENY_RULE, "no");
    allows(rules, "method: POST, host: h.other, path: /chat", "ok");
    denies("    - {allow: ok, resources: {ids: [m1]}}\n", "method: POST, host: h.ex, path: /chat", REASON_INDETERMINATE,
           NULL);
}

static void an_encoded_slash_is_data_where_the_operation_says_so(void **state)
{
    (void)state;
    const char *const any = "    - {allow: ok}\n";
    allows(any, "method: GET, host: h.ex, path: /m/org%2Fm", "ok");
    denies(any, "method: POST, host: h.ex, path: /m/org%2Fm", REASON_REQUEST_PATH, NULL);
    denies(any, "method: GET, host: h.ex, path: /x/org%2Fm", REASON_REQUEST_PATH, NULL);
    allows("    - {allow: ok, resources: {ids: [org/m]}}\n", "method: GET, host: h.ex, path: /m/org%2fm", "ok");
    /* what an upstream that decodes would take for segments of its own */
    denies(any, "method: GET, host: h.ex, path: /m/..%2Fadmin", REASON_REQUEST_PATH, NULL);
    denies(any, "method: GET, host: h.ex, path: /m/org%2F..%2Fm1", REASON_REQUEST_PATH, NULL);
    denies(any, "method: GET, host: h.ex, path: /m/org%2f.", REASON_REQUEST_PATH, NULL);
    allows(any, "method: GET, host: h.ex, path: /m/org%2F..m", "ok");
    denies("    - {allow: ok}\n    - {deny: no, actions: [all-m]}\n", "method: GET, host: h.ex, path: /m/org%2Fm",
           REASON_DENY_RULE, "no");
    denies("    - {allow: ok, actions: [all-m]}\n", "method: GET, host: h.ex, path: /m/org%2Fm", REASON_INDETERMINATE,
           NULL);
}

static void an_id_that_could_be_taken_for_a_path_is_unknown(void **state)
{
    static const char *const ids[] = {"m/../m1", "..", "m1/.", "m\\\\m1"};
    const char allow[] = "    - {allow: ok, resources: {ids: [\"m*\"]}}\n";
    const char deny[] = "    - {allow: ok}\n    - {deny: no, resources: {ids: [x]}}\n";
    char given[256];
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        (void)snprintf(given, sizeof given, "method: POST, host: h.ex, path: /chat, body: {model: \"%s\"}", ids[i]);
        denies(allow, given, REASON_INDETERMINATE, NULL);
        denies(deny, given, REASON_DENY_RULE, "no");
    }
    allows(allow, "method: POST, host: h.ex, path: /chat, body: {model: \"m/..x/...\"}", "ok");
    allows(deny, "method: POST, host: h.ex, path: /chat, body: {model: /models/m}", "ok");
}

static void a_body_that_cannot_be_read_is_refused_where_the_policy_reads_it(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok}\n";
    denies(rules, "method: POST, host: h.ex, path: /chat, body: unreadable", REASON_REQUEST_BODY, NULL);
    allows(rules, READ ", body: unreadable", "ok");
    denies(rules, "method: POST, host: h.ex, path: /rpc, body: unreadable", REASON_REQUEST_BODY, NULL);
}

static void a_call_is_told_apart_by_the_body(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, actions: [tool]}\n";
    allows(rules, "method: POST, host: h.other, path: /rpc, body: {call: tools/call}", "ok");
    denies(rules, "method: POST, host: h.other, path: /rpc, body: {call: tools/list}", REASON_DEFAULT, NULL);
    denies(rules, "method: POST, host: h.other, path: /rpc", REASON_DEFAULT, NULL);
}

static void hosts_are_canonical_or_refused(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, resources: {ids: [m1]}}\n";
    allows(rules, "method: GET, host: \"H.EX:8080\", path: /m/m1", "ok");
    denies(rules, "method: GET, host: h.ex., path: /m/m1", REASON_REQUEST_HOST, NULL);
    denies(rules, "method: GET, host: u@h.ex, path: /m/m1", REASON_REQUEST_HOST, NULL);
    denies(rules, "method: GET, host: ex, path: /m/m1", REASON_DEFAULT, NULL);
}

/* ---- delegation ---------------------------------------------------------- */

static void delegation_is_taken_only_where_a_rule_says_so(void **state)
{
    (void)state;
    const char *const own = READ APP JWT_START "act: {sub: \"spiffe://d.ex/ns/apps/sa/a\"}}";
    const char *const other = READ APP JWT_START "act: {sub: \"spiffe://d.ex/ns/apps/sa/b\"}}";
    const char *const deep =
        READ APP JWT_START "act: {sub: \"spiffe://d.ex/ns/apps/sa/a\", act: {sub: \"spiffe://d.ex/ns/x/sa/y\"}}}";
    const char *const peer = "    - {allow: ok, subjects: {user: any, delegation: {actor: peer, maxDepth: 1}}}\n";
    denies("    - {allow: ok, subjects: {user: any}}\n", own, REASON_DELEGATION, NULL);
    allows("    - {allow: ok, subjects: {user: any, delegation: any}}\n", other, "ok");
    allows(peer, own, "ok");
    denies(peer, other, REASON_DELEGATION_ACTOR, NULL);
    denies(peer, deep, REASON_DELEGATION, NULL);
    denies(peer, READ APP OP_OLD, REASON_DELEGATION, NULL);
    denies("    - {allow: ok, subjects: {user: any, delegation: any}}\n    - {deny: no, subjects: {user: any}}\n", own,
           REASON_DENY_RULE, "no");
}

static void a_scope_that_is_missing_is_told_apart_from_other_conditions(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, when: {all: [{claim: {name: scope, containsAll: [\"t:w\", \"t:r\"]}}, "
                              "{port: [443, 443]}]}}\n";
    struct decision out = ask(rules, READ JWT_START "scope: \"t:r\"}, port: 443");
    assert_int_equal(out.reason, REASON_SCOPE);
    assert_true(view_equals(out.scope, VIEW("t:w t:r")));
    denies(rules, READ JWT_START "scope: \"t:r t:w\"}, port: 80", REASON_CONDITION, NULL);
    allows(rules, READ JWT_START "scope: \"t:r t:w\"}, port: 443", "ok");
}

/* True when the actions build with a type whose id is `path.model`; otherwise the
 * one finding must be E0417. */
static bool builds(const char *actions)
{
    char text[2048];
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    int size = snprintf(text, sizeof text,
                        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n"
                        "  actions:\n%s  resourceTypes: {model: {id: [path.model]}}\n  rules: [{allow: ok}]\n",
                        actions);
    struct policy_source source = {.name = VIEW("p.yaml"), .text = {text, (size_t)size}};
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    bool is_good = policy_build(&source, 1, &diags, &policy) == ERR_NONE;
    if (is_good)
        policy_free(policy);
    else
        assert_true(diags.errors == 1 && view_equals(diags.items[0].code, VIEW("E0417")));
    arena_free(&arena);
    return is_good;
}

static void operations_that_read_two_ids_out_of_one_request_do_not_compile(void **state)
{
    (void)state;
    assert_false(builds("    a: {http: [{paths: [\"/m/{model}\"]}]}\n    b: {http: [{paths: [\"/m/{model}:go\"]}]}\n"));
    assert_false(
        builds("    a: {http: [{paths: [\"/m/{model}/{**}\"]}]}\n    b: {http: [{paths: [\"/m/{x}/{model}\"]}]}\n"));
    assert_true(builds("    a: {http: [{methods: [GET], paths: [\"/m/{model}\"]}]}\n"
                       "    b: {http: [{methods: [POST], paths: [\"/m/{model}:go\"]}]}\n"));
    assert_true(builds("    a: {http: [{hosts: [a.ex], paths: [\"/m/{model}\"]}]}\n"
                       "    b: {http: [{hosts: [b.ex], paths: [\"/m/{model}:go\"]}]}\n"));
    assert_true(builds("    a: {http: [{paths: [\"/m/{model}\"]}]}\n    b: {http: [{paths: [\"/m/{x}:go\"]}]}\n"));
    assert_true(builds("    a: {http: [{paths: [\"/m/{model}\"]}]}\n    b: {http: [{paths: [\"/m/{model}\"]}]}\n"));
}

/* ---- work ---------------------------------------------------------------- */

static uint32_t work_with(size_t unrelated, const char *kind, const char *rest)
{
    static char rules[60000];
    int size = snprintf(rules, sizeof rules, "    - {allow: ok, subjects: {workload: [app]}, actions: [read]}\n");
    for (size_t i = 0; i < unrelated; i++)
        size += snprintf(rules + size, sizeof rules - (size_t)size, "    - {%s: a%zu, %s}\n", kind, i, rest);
    struct decision out = ask(rules, READ APP ", port: 443");
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    return out.candidate_tests;
}

#define SETS_WHO                                                                                                       \
    "    - {allow: a, actions: [read], subjects: {user: [op]}, obligations: {queryParams: {set: {who: $user.sub}, "    \
    "remove: [debug]}}}\n    - {allow: b, actions: [read], subjects: {workload: [app]}}\n"

static void a_query_parameter_that_rules_set_is_ours_or_gone(void **state)
{
    (void)state;
    struct decision out = ask(SETS_WHO, "method: GET, host: h.ex, path: \"/m/m1?who=eve&debug\"" OP_FRESH);
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_int_equal(out.obligations.query_param_count, 1);
    assert_true(view_equals(out.obligations.query_params[0].value, VIEW("u1")));
    assert_int_equal(out.obligations.remove_query_count, 1);
    assert_true(view_equals(out.obligations.remove_queries[0], VIEW("debug")));
    out = ask(SETS_WHO, "method: GET, host: h.ex, path: \"/m/m1?who=eve\"" APP);
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_int_equal(out.obligations.query_param_count, 0);
    assert_int_equal(out.obligations.remove_query_count, 1);
    assert_true(view_equals(out.obligations.remove_queries[0], VIEW("who")));
}

static void a_query_parameter_that_rules_touch_is_written_in_one_way(void **state)
{
    (void)state;
    static const char *const odd[] = {"%77ho=eve", "x=1;who=eve", "d%65bug", "%zz=1", "x=1&wh%6f"};
    static const char *const plain[] = {"who=a&who=b", "x=%zz", "WHO=eve", "x=who", "x=1;y=2"};
    char given[256];
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        (void)snprintf(given, sizeof given, "method: GET, host: h.ex, path: \"/m/m1?%s\"" APP, odd[i]);
        denies(SETS_WHO, given, REASON_REQUEST_PATH, NULL);
        allows("    - {allow: b, actions: [read]}\n", given, "b");
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        (void)snprintf(given, sizeof given, "method: GET, host: h.ex, path: \"/m/m1?%s\"" APP, plain[i]);
        allows(SETS_WHO, given, "b");
    }
}

static void a_denial_looks_as_its_rule_says(void **state)
{
    (void)state;
    struct decision out = ask("    - {deny: d, actions: [read], obligations: {deny: {status: 404, body: gone}}}\n"
                              "    - {deny: e, actions: [read]}\n",
                              READ);
    assert_int_equal(decision_http_status(&out), 404);
    assert_true(view_equals(out.denial.body, VIEW("gone")));
    out = ask("    - {deny: d, actions: [read]}\n"
              "    - {deny: e, actions: [read], obligations: {deny: {status: 404, body: gone}}}\n",
              READ);
    assert_int_equal(decision_http_status(&out), 403);
    assert_false(view_is_present(out.denial.body));
}

static void rules_about_other_things_cost_nothing(void **state)
{
    (void)state;
    uint32_t alone = work_with(0, "", "");
    assert_int_equal(alone, 1);
    assert_int_equal(work_with(500, "allow", "subjects: {workload: [app]}, actions: [write]"), alone);
    assert_int_equal(work_with(500, "deny", "subjects: {workload: [gate]}, actions: [read]"), alone);
    assert_int_equal(work_with(500, "allow", "subjects: {user: [op]}, actions: [read]"), alone);
    assert_int_equal(work_with(9, "deny", "subjects: {workload: [app]}, actions: [read], resources: {ids: [m2]}"),
                     alone);
    assert_int_equal(work_with(9, "deny", "subjects: {workload: [app]}, actions: [read], resources: {ids: [\"m2*\"]}"),
                     alone + 9);
    assert_int_equal(work_with(5, "deny", "subjects: {workload: [app]}, when: {port: [1, 1]}"), alone + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_that_could_be_taken_for_a_path_is_unknown),
        cmocka_unit_test(a_value_test_on_an_absent_header_is_false_for_allow_and_deny),
        cmocka_unit_test(what_cannot_be_judged_denies_and_does_not_allow),
        cmocka_unit_test(an_unknown_address_is_not_judged),
        cmocka_unit_test(a_deny_wins_inside_its_tier_and_loses_to_a_higher_one),
        cmocka_unit_test(the_smallest_name_decides_among_rules_of_one_kind),
        cmocka_unit_test(a_met_allow_outranks_a_challenge_and_a_higher_challenge_a_lower_allow),
        cmocka_unit_test(the_challenge_asks_for_the_fewest_missing_facts),
        cmocka_unit_test(nothing_decisive_is_a_denial),
        cmocka_unit_test(assurance_makes_a_challenge_with_the_whole_requirement),
        cmocka_unit_test(max_age_ends_with_the_clock_skew),
        cmocka_unit_test(at_least_asks_for_its_acr_and_everything_above),
        cmocka_unit_test(unless_assurance_asks_only_where_something_else_would_allow),
        cmocka_unit_test(a_binding_or_issuer_that_no_step_up_mends_is_a_denial),
        cmocka_unit_test(without_a_user_a_rule_that_lacks_only_one_says_no_user),
        cmocka_unit_test(a_failed_credential_is_never_an_absent_one),
        cmocka_unit_test(a_token_that_cannot_be_judged_stops_rules_on_users_only),
        cmocka_unit_test(an_obligation_without_a_value_makes_an_allow_not_decisive),
        cmocka_unit_test(an_allow_removes_every_header_that_another_could_set),
        cmocka_unit_test(the_audit_level_is_the_highest_of_all_rules_that_match),
        cmocka_unit_test(a_role_holds_what_it_inherits_and_not_the_other_way),
        cmocka_unit_test(a_claim_of_the_wrong_type_denies_and_a_missing_one_is_not_held),
        cmocka_unit_test(a_resource_is_labelled_by_its_longest_entry),
        cmocka_unit_test(an_id_outside_the_catalog_fits_no_label_and_every_labelled_deny),
        cmocka_unit_test(sources_that_name_two_resources_are_refused),
        cmocka_unit_test(a_selector_is_unknown_without_an_id_and_false_off_the_hosts),
        cmocka_unit_test(an_encoded_slash_is_data_where_the_operation_says_so),
        cmocka_unit_test(a_body_that_cannot_be_read_is_refused_where_the_policy_reads_it),
        cmocka_unit_test(a_call_is_told_apart_by_the_body),
        cmocka_unit_test(hosts_are_canonical_or_refused),
        cmocka_unit_test(delegation_is_taken_only_where_a_rule_says_so),
        cmocka_unit_test(a_scope_that_is_missing_is_told_apart_from_other_conditions),
        cmocka_unit_test(operations_that_read_two_ids_out_of_one_request_do_not_compile),
        cmocka_unit_test(a_query_parameter_that_rules_set_is_ours_or_gone),
        cmocka_unit_test(a_query_parameter_that_rules_touch_is_written_in_one_way),
        cmocka_unit_test(a_denial_looks_as_its_rule_says),
        cmocka_unit_test(rules_about_other_things_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, policy_case_close);
}
