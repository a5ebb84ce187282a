/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a request before any rule, and of one rule at a time, on both evaluators. */
#include "policy_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ISSUERS                                                                                                        \
    "  issuers:\n    sso: {url: \"https://sso.ex\", audiences: [a]}\n"                                                 \
    "    kc: {url: \"https://kc.ex\", audiences: [a], profile: keycloak}\n"

#define COMMON                                                                                                         \
    ISSUERS "  roles:\n    u: {members: [{user: {issuer: sso, subject: u1}}]}\n"                                       \
            "    w: {members: [{workload: {spiffe: [\"spiffe://d.ex/ns/b/sa/y\", \"spiffe://d.ex/ns/a/*/x\"]}}]}\n"    \
            "  actions:\n    get: {http: [{methods: [GET], paths: [\"/m/{model}\", \"/fixed/m/{model}\"], "            \
            "encodedSlash: data}]}\n"                                                                                  \
            "    chat: {http: [{methods: [POST], paths: [\"/chat\"], body: openai}]}\n"                                \
            "    tool: {http: [{methods: [POST], paths: [\"/rpc\"], body: mcp, call: tools/call}]}\n"                  \
            "    plain: {http: [{paths: [\"/m/x/{**}\"]}]}\n"                                                          \
            "  resourceTypes:\n    model: {hosts: [h.ex], id: [path.model, body.model]}\n"                             \
            "    other: {hosts: [o.ex], id: [\"=one\"]}\n"                                                             \
            "    last: {hosts: [l.ex], id: [body.model, header.x-model, path.model]}\n"                                \
            "  resources:\n    - {type: model, id: m1, labels: {tier: high, kind: a}}\n"                               \
            "    - {type: model, id: m2, labels: {tier: low}}\n"

static void allows(const char *rules, const char *given)
{
    struct decision out = policy_case_ask(COMMON, rules, given);
    if (out.verdict != VERDICT_ALLOW)
        fail_msg("%s\n%s\n denied for %.*s", rules, given, VIEW_ARG(reason_info(out.reason)->name));
}

static void denies(const char *rules, const char *given, enum reason reason)
{
    struct decision out = policy_case_ask(COMMON, rules, given);
    if (out.verdict != VERDICT_DENY || out.reason != reason)
        fail_msg("%s\n%s\n got %s %.*s", rules, given, verdict_text(out.verdict),
                 VIEW_ARG(reason_info(out.reason)->name));
}

#define EVERYTHING "    - {allow: all}\n"
#define USER ", jwt: {iss: \"https://sso.ex\", sub: u1}"

static void a_body_is_needed_only_on_the_hosts_of_a_type_that_reads_it(void **state)
{
    (void)state;
    denies(EVERYTHING, "method: POST, host: h.ex, path: /chat, body: unreadable", REASON_REQUEST_BODY);
    allows(EVERYTHING, "method: POST, host: o.ex, path: /chat, body: unreadable");
    allows(EVERYTHING, "method: POST, host: h.ex, path: /chat");
    allows(EVERYTHING, "method: PUT, host: h.ex, path: /chat, body: unreadable");
    allows(EVERYTHING, "method: GET, host: h.ex, path: /m/m1, body: unreadable");
    denies(EVERYTHING, "method: POST, host: o.ex, path: /rpc, body: unreadable", REASON_REQUEST_BODY);
    allows(EVERYTHING, "method: POST, host: o.ex, path: /rpc");
}

static void an_encoded_slash_is_data_inside_a_captured_segment_alone(void **state)
{
    (void)state;
    allows(EVERYTHING, "host: h.ex, path: /m/org%2Fm");
    allows(EVERYTHING, "host: h.ex, path: /fixed/m/org%2Fm");
    denies(EVERYTHING, "host: h.ex, path: /fixed/m%2Fm/m1", REASON_REQUEST_PATH);
    denies(EVERYTHING, "host: h.ex, path: /m/x/a%2Fb", REASON_REQUEST_PATH);
    denies(EVERYTHING, "host: h.ex, path: /other/a%2Fb", REASON_REQUEST_PATH);
    denies(EVERYTHING, "method: POST, host: h.ex, path: /m/org%2Fm", REASON_REQUEST_PATH);
}

static void a_path_over_the_policys_limits_is_refused(void **state)
{
    (void)state;
    const char *const small = ISSUERS "  limits: {maxSegments: 3, maxPathBytes: 12}\n";
    assert_int_equal(policy_case_ask(small, EVERYTHING, "path: /a/b/c").verdict, VERDICT_ALLOW);
    assert_int_equal(policy_case_ask(small, EVERYTHING, "path: /a/b/c/d").reason, REASON_REQUEST_PATH_LENGTH);
    assert_int_equal(policy_case_ask(small, EVERYTHING, "path: \"/23456789012?query=is-not-counted\"").verdict,
                     VERDICT_ALLOW);
    assert_int_equal(policy_case_ask(small, EVERYTHING, "path: /234567890123").reason, REASON_REQUEST_PATH_LENGTH);
}

static void keycloak_has_tokens_without_a_user(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        bool is_user;
    } cases[] = {{"sid: s, auth_time: \"-1m\"", true},
                 {"auth_time: \"-1m\"", false},
                 {"sid: s", false},
                 {"sid: s, auth_time: \"-1m\", client_id: job", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char given[256];
        (void)snprintf(given, sizeof given, "path: /x, jwt: {iss: \"https://kc.ex\", sub: u1, %s}", cases[i].claims);
        struct decision out = policy_case_ask(COMMON, "    - {allow: ok, subjects: {user: any}}\n", given);
        assert_int_equal(out.reason, cases[i].is_user ? REASON_RULE : REASON_NO_USER);
        out = policy_case_ask(COMMON, "    - {allow: ok, subjects: {user: none}}\n", given);
        assert_int_equal(out.reason, cases[i].is_user ? REASON_USER : REASON_RULE);
    }
    allows("    - {allow: ok, subjects: {user: any}}\n", "path: /x" USER);
}

static void a_failure_comes_before_every_rule_and_the_workloads_before_the_users(void **state)
{
    (void)state;
    denies(EVERYTHING, "path: /x, certificate: invalid", REASON_CERTIFICATE_UNTRUSTED);
    denies(EVERYTHING, "path: /x" USER ", token: invalid", REASON_TOKEN_SIGNATURE);
    denies(EVERYTHING, "path: /x, certificate: invalid" USER ", token: invalid", REASON_CERTIFICATE_UNTRUSTED);
    allows(EVERYTHING, "path: /x, certificate: none");
    allows(EVERYTHING, "path: /x" USER ", token: unjudgeable");
    denies("    - {allow: ok, subjects: {user: any}}\n", "path: /x" USER ", token: unjudgeable",
           REASON_KEYS_UNAVAILABLE);
    denies("    - {allow: ok, subjects: {user: none}}\n", "path: /x" USER ", token: unjudgeable",
           REASON_KEYS_UNAVAILABLE);
    denies(EVERYTHING "    - {deny: no, subjects: {user: [u]}}\n", "path: /x" USER ", token: unjudgeable",
           REASON_DENY_RULE);
    denies(EVERYTHING, "path: /x, jwt: {iss: \"https://else.ex\", sub: u}", REASON_TOKEN_ISSUER);
}

/* Everything is allowed to plain facts; what `change` makes of them gives the reason. */
static enum reason reason_after(void (*change)(struct facts *facts))
{
    static char memory[65536];
    struct decision out = policy_case_ask(COMMON, EVERYTHING, "path: /x");
    struct arena scratch;
    struct value none = {.kind = VALUE_MAP};
    struct facts facts = {
        .request_failure = REASON_NONE,
        .workload_failure = REASON_NONE,
        .user_failure = REASON_NONE,
        .method = VIEW("GET"),
        .host = VIEW("h.ex"),
        .path = VIEW("/x"),
        .workload = {.proof = PROOF_CERTIFICATE, .spiffe_id = VIEW("spiffe://d.ex/w"), .trust_domain = VIEW("d.ex")},
        .user = {.state = USER_KNOWN, .issuer = VIEW("https://sso.ex"), .claims = &none}};
    change(&facts);
    arena_init_fixed(&scratch, memory, sizeof memory);
    policy_decide(policy_case_policy(), &facts, &scratch, &out);
    return out.reason;
}

static void change_nothing(struct facts *facts)
{
    (void)facts;
}

static void add_actors(struct facts *facts)
{
    facts->user.actor_count = FACTS_ACTORS_MAX + 1;
}

static void take_certificate(struct facts *facts)
{
    facts->workload_failure = REASON_CERTIFICATE_NONE;
    facts->workload = (struct workload_facts){.proof = PROOF_NONE};
}

static void contradict_certificate(struct facts *facts)
{
    facts->workload_failure = REASON_CERTIFICATE_NONE;
}

static void fail_workload(struct facts *facts)
{
    take_certificate(facts);
    facts->workload_failure = REASON_CERTIFICATE_EXPIRED;
    facts->user_failure = REASON_TOKEN_EXPIRED;
}

static void fail_user(struct facts *facts)
{
    facts->user_failure = REASON_TOKEN_EXPIRED;
}

static void fail_all(struct facts *facts)
{
    fail_workload(facts);
    facts->request_failure = REASON_REQUEST_HEADER;
}

static void write_nothing(struct facts *facts)
{
    *facts = (struct facts){0};
}

static void leave_user_unsaid(struct facts *facts)
{
    facts->user_failure = REASON_INTERNAL;
}

static void leave_workload_unsaid(struct facts *facts)
{
    facts->workload_failure = REASON_INTERNAL;
}

static void leave_request_unsaid(struct facts *facts)
{
    facts->request_failure = REASON_INTERNAL;
}

static void what_is_found_wrong_before_any_rule_is_the_reason(void **state)
{
    (void)state;
    assert_int_equal(reason_after(change_nothing), REASON_RULE);
    assert_int_equal(reason_after(take_certificate), REASON_RULE);
    assert_int_equal(reason_after(contradict_certificate), REASON_CERTIFICATE_NONE);
    assert_int_equal(reason_after(add_actors), REASON_TOKEN_CLAIMS);
    assert_int_equal(reason_after(fail_user), REASON_TOKEN_EXPIRED);
    assert_int_equal(reason_after(fail_workload), REASON_CERTIFICATE_EXPIRED);
    assert_int_equal(reason_after(fail_all), REASON_REQUEST_HEADER);
    assert_int_equal(reason_after(write_nothing), REASON_INTERNAL);
    assert_int_equal(reason_after(leave_user_unsaid), REASON_INTERNAL);
    assert_int_equal(reason_after(leave_workload_unsaid), REASON_INTERNAL);
    assert_int_equal(reason_after(leave_request_unsaid), REASON_INTERNAL);
}

static void every_value_of_a_label_fits_and_every_label_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        bool fits_m1, fits_m2;
    } cases[] = {{"labels: {tier: high}", true, false},
                 {"labels: {tier: [low, high]}", true, true},
                 {"labels: {tier: high, kind: b}", false, false},
                 {"labels: {tier: high, kind: a}", true, false},
                 {"labels: {kind: [a, b]}", true, false},
                 {"notLabels: {tier: high}", false, true},
                 {"notLabels: {tier: [low, high]}", false, false},
                 {"notLabels: {kind: b}", true, true},
                 {"notLabels: {kind: high}", true, true},
                 {"labels: {kind: high}", false, false},
                 {"labels: {tier: high}, notLabels: {kind: a}", false, false},
                 {"ids: [m1]", true, false},
                 {"ids: [m3, \"m*\"]", true, true},
                 {"ids: m1, labels: {tier: low}", false, false},
                 {"types: [other]", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char rules[256];
        (void)snprintf(rules, sizeof rules, "    - {allow: ok, resources: {%s}}\n", cases[i].selector);
        assert_int_equal(policy_case_ask(COMMON, rules, "host: h.ex, path: /m/m1").verdict == VERDICT_ALLOW,
                         cases[i].fits_m1);
        assert_int_equal(policy_case_ask(COMMON, rules, "host: h.ex, path: /m/m2").verdict == VERDICT_ALLOW,
                         cases[i].fits_m2);
    }
    allows("    - {allow: ok, resources: {types: [other]}}\n", "host: o.ex, path: /m/m1");
}

static void every_source_of_an_id_is_asked_wherever_it_stands(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, resources: {types: [last], ids: [m1]}}\n";
    allows(rules, "host: l.ex, path: /m/m1");
    allows(rules, "host: l.ex, path: /x, headers: {x-model: m1}");
    allows(rules, "method: POST, host: l.ex, path: /chat, body: {model: m1}");
    denies(rules, "host: l.ex, path: /m/m2", REASON_DEFAULT);
    denies(rules, "host: l.ex, path: /m/m1, headers: {x-model: m2}", REASON_RESOURCE_AMBIGUOUS);
}

static void a_member_of_several_ids_is_held_by_those_alone(void **state)
{
    (void)state;
    const char *const rules = "    - {allow: ok, subjects: {workload: [w]}}\n";
    allows(rules, "path: /x, workload: \"spiffe://d.ex/ns/b/sa/y\"");
    allows(rules, "path: /x, workload: \"spiffe://d.ex/ns/a/sa/x\"");
    denies(rules, "path: /x, workload: \"spiffe://d.ex/ns/a/sa/y\"", REASON_WORKLOAD);
    denies(rules, "path: /x, workload: \"spiffe://e.ex/ns/a/sa/x\"", REASON_WORKLOAD);
    denies(rules, "path: /x, workload: \"spiffe://d.ex/ns/b/sa/x\"", REASON_WORKLOAD);
}

static void delegation_is_counted_from_the_outermost_actor(void **state)
{
    (void)state;
#define PEER "\"spiffe://d.ex/ns/a/sa/x\""
    const char *const caller = "path: /x, workload: " PEER ", jwt: {iss: \"https://sso.ex\", sub: u1, act: ";
    const char *const rules = "    - {allow: ok, subjects: {user: any, delegation: {actor: peer, maxDepth: 2}}}\n";
    static const struct {
        const char *act;
        enum reason reason;
    } cases[] = {{"{sub: " PEER "}}", REASON_RULE},
                 {"{sub: " PEER ", act: {sub: \"spiffe://d.ex/y\"}}}", REASON_RULE},
                 {"{sub: " PEER ", act: {sub: y, act: {sub: z}}}}", REASON_DELEGATION},
                 {"{sub: \"spiffe://d.ex/y\", act: {sub: " PEER "}}}", REASON_DELEGATION_ACTOR}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char given[512];
        (void)snprintf(given, sizeof given, "%s%s", caller, cases[i].act);
        assert_int_equal(policy_case_ask(COMMON, rules, given).reason, cases[i].reason);
        (void)snprintf(given, sizeof given, "%s%s, proof: xfcc-text", caller, cases[i].act);
        assert_int_equal(policy_case_ask(COMMON, rules, given).verdict, VERDICT_DENY);
    }
    denies("    - {allow: ok, subjects: {delegation: any}}\n", "path: /x", REASON_NO_USER);
    allows("    - {allow: ok, subjects: {delegation: none}}\n", "path: /x");
    allows("    - {allow: ok, subjects: {delegation: none}}\n", "path: /x" USER ", token: unjudgeable");
    denies("    - {allow: ok, subjects: {delegation: any}}\n", "path: /x" USER ", token: unjudgeable",
           REASON_KEYS_UNAVAILABLE);
    denies(EVERYTHING "    - {deny: no, subjects: {delegation: any}}\n", "path: /x" USER ", token: unjudgeable",
           REASON_DENY_RULE);
    allows(EVERYTHING "    - {deny: no, subjects: {delegation: any}}\n", "path: /x" USER);
}

static void a_deny_is_lifted_by_its_unless_and_not_by_what_cannot_be_judged(void **state)
{
    (void)state;
    const char *const rules =
        EVERYTHING "    - {deny: no, when: {port: 80}, unless: {header: {name: x-a, equals: v}}}\n";
    allows(rules, "path: /x, port: 80, headers: {x-a: v}");
    denies(rules, "path: /x, port: 80, headers: {x-a: w}", REASON_DENY_RULE);
    denies(rules, "path: /x, port: 80, headers: {x-a: [v, v]}", REASON_DENY_RULE);
    denies(rules, "path: /x, port: 80", REASON_DENY_RULE);
    allows(rules, "path: /x, port: 81");
    denies(rules, "path: /x", REASON_DENY_RULE); /* the port is unknown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_needed_only_on_the_hosts_of_a_type_that_reads_it),
        cmocka_unit_test(an_encoded_slash_is_data_inside_a_captured_segment_alone),
        cmocka_unit_test(a_path_over_the_policys_limits_is_refused),
        cmocka_unit_test(keycloak_has_tokens_without_a_user),
        cmocka_unit_test(a_failure_comes_before_every_rule_and_the_workloads_before_the_users),
        cmocka_unit_test(what_is_found_wrong_before_any_rule_is_the_reason),
        cmocka_unit_test(every_value_of_a_label_fits_and_every_label_is_needed),
        cmocka_unit_test(every_source_of_an_id_is_asked_wherever_it_stands),
        cmocka_unit_test(a_member_of_several_ids_is_held_by_those_alone),
        cmocka_unit_test(delegation_is_counted_from_the_outermost_actor),
        cmocka_unit_test(a_deny_is_lifted_by_its_unless_and_not_by_what_cannot_be_judged),
    };
    return cmocka_run_group_tests(tests, NULL, policy_case_close);
}
