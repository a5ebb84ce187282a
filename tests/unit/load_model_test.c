/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader makes of a good policy, member by member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "load.h"
#include "path_pattern.h"
#include "policy_internal.h"

#include <stdlib.h>

#define HEAD                                                                                                           \
    "apiVersion: bartizan.dev/v1alpha1\n"                                                                              \
    "kind: AccessPolicy\n"                                                                                             \
    "metadata: {name: test}\n"                                                                                         \
    "spec:\n"
#define ISSUER                                                                                                         \
    "  issuers:\n"                                                                                                     \
    "    sso: {url: \"https://sso.example\", audiences: [api, web], profile: keycloak, clockSkew: 10s,\n"              \
    "          maxLifetime: 1h, acrOrder: [low, mid, high], trustMfaAssertion: true, amrAliases: {ours: [pwd, "        \
    "otp]},\n"                                                                                                         \
    "          amrClasses: {chip: possession}, stepUp: {twoFactors: [mid], phishingResistant: [high]},\n"              \
    "          phishingResistant: {acr: [top], amr: [hwk]}, clients: {web: \"spiffe://a/web\"}}\n"

static struct policy *build(const char *text)
{
    struct arena arena;
    struct diag_list *diags = malloc(sizeof(*diags));
    struct policy *policy = NULL;
    assert_non_null(diags);
    arena_init(&arena, 1 << 22);
    diag_list_init(diags, &arena);
    struct policy_source source = {VIEW("policy.yaml"), view_of(text)};
    if (policy_build(&source, 1, diags, &policy) != ERR_NONE)
        diag_list_print(diags, stderr);
    arena_free(&arena);
    free(diags);
    assert_non_null(policy);
    return policy;
}

static void assert_view(struct view v, const char *text)
{
    if (!view_equals(v, view_of(text)))
        fail_msg("`%.*s` is not `%s`", VIEW_ARG(v), text);
}

static void an_issuer_is_read_whole(void **state)
{
    (void)state;
    struct policy *policy = build(HEAD ISSUER "  rules: [{allow: a}]\n");
    const struct issuer *issuer = &policy->model.issuers[0];
    assert_int_equal(policy->model.issuer_count, 1);
    assert_view(issuer->name, "sso");
    assert_int_equal(issuer->span.line, 6);
    assert_view(model_span(&policy->model, issuer->span).file, "policy.yaml");
    assert_int_equal(issuer->profile, PROFILE_KEYCLOAK);
    assert_view(issuer->acr_order.items[2], "high");
    assert_true(issuer->trusts_mfa_assertion);
    assert_view(issuer->amr_aliases[0].theirs, "ours");
    assert_view(issuer->amr_aliases[0].ours.items[1], "otp");
    assert_view(issuer->amr_classes[0].amr, "chip");
    assert_int_equal(issuer->amr_classes[0].factor, FACTOR_POSSESSION);
    assert_view(issuer->step_up_two_factors.items[0], "mid");
    assert_view(issuer->step_up_phishing_resistant.items[0], "high");
    assert_view(issuer->phishing_resistant_acr.items[0], "top");
    assert_view(issuer->phishing_resistant_amr.items[0], "hwk");
    assert_view(issuer->clients[0].spiffe_id, "spiffe://a/web");

    const struct policy_issuer *public = policy_issuer(policy, VIEW("https://sso.example"));
    assert_non_null(public);
    assert_int_equal(public->audience_count, 2);
    assert_int_equal(public->clock_skew, 10);
    assert_int_equal(public->max_lifetime, 3600);
    assert_null(policy_issuer(policy, VIEW("https://sso.example/")));
    policy_free(policy);
}

static void what_is_asked_is_ask_then_acr_then_order_then_step_up(void **state)
{
    (void)state;
    struct policy *policy = build(HEAD ISSUER "  assurance:\n"
                                              "    a: {factors: 2, ask: [x], acr: [y]}\n"
                                              "    b: {factors: 2, acr: [y, z]}\n"
                                              "    c: {acr: {atLeast: mid}}\n"
                                              "    d: {factors: 2, phishingResistant: true}\n"
                                              "    e: {factors: 1}\n"
                                              "    f: {maxAge: 1m, bound: dpop}\n"
                                              "  rules: [{allow: a}]\n");
    static const char *const first[] = {"x", "y", "mid", "high", "mid", NULL};
    static const size_t counts[] = {1, 2, 2, 1, 1, 0};
    const struct model *model = &policy->model;
    assert_int_equal(model->assurance_count, 6);
    for (size_t i = 0; i < 6; i++) {
        const struct string_list *asked = &model->assurances[i].asked_of[0];
        assert_int_equal(asked->count, counts[i]);
        if (first[i] != NULL)
            assert_view(asked->items[0], first[i]);
        assert_int_equal(model->assurances[i].issuer_count, 1);
    }
    assert_view(model->assurances[2].at_least, "mid");
    assert_int_equal(model->assurances[5].bound, BINDING_DPOP);
    assert_int_equal(model->assurances[5].max_age, 60);
    policy_free(policy);
}

static bool holds(const struct role *role, const char *name)
{
    bool is_held = false, is_holder = false;
    for (size_t i = 0; i < role->held_count; i++)
        is_held = is_held || view_equals(role->held[i]->name, view_of(name));
    for (size_t i = 0; i < role->held_count; i++)
        if (view_equals(role->held[i]->name, view_of(name)))
            for (size_t j = 0; j < role->held[i]->holder_count; j++)
                is_holder = is_holder || role->held[i]->holders[j] == role;
    assert_int_equal(is_held, is_holder); /* the two lists say the same */
    return is_held;
}

static void roles_are_closed_over_what_they_inherit(void **state)
{
    (void)state;
    struct policy *policy = build(HEAD ISSUER "  roles:\n"
                                              "    a: {inherits: [b, c]}\n"
                                              "    b: {inherits: [d]}\n"
                                              "    c: {inherits: [d], members: [{user: {issuer: sso, subject: x}}]}\n"
                                              "    d: {members: [{user: {issuer: sso}}]}\n"
                                              "    e: {members: [{workload: {namespace: n}}]}\n"
                                              "  rules: [{allow: a}]\n");
    const struct role *roles = policy->model.roles;
    assert_int_equal(policy->model.role_count, 5);
    assert_true(holds(&roles[0], "a") && holds(&roles[0], "b") && holds(&roles[0], "c") && holds(&roles[0], "d"));
    assert_int_equal(roles[0].held_count, 4);
    assert_true(holds(&roles[1], "d"));
    assert_false(holds(&roles[1], "c"));
    assert_int_equal(roles[3].held_count, 1);
    assert_int_equal(roles[3].holder_count, 4);
    assert_int_equal(roles[0].kind, ROLE_USER); /* known from what it inherits */
    assert_int_equal(roles[1].kind, ROLE_USER);
    assert_int_equal(roles[4].kind, ROLE_WORKLOAD);
    policy_free(policy);
}

static void a_spiffe_glob_is_taken_apart(void **state)
{
    (void)state;
    struct policy *policy =
        build(HEAD "  roles:\n"
                   "    a: {members: [{workload: {spiffe: [\"spiffe://prod.example/ns/*/sa/t-*\", \"spiffe://*/x/**\"],"
                   " trustDomain: td, serviceAccount: n/s}}]}\n"
                   "  rules: [{allow: a}]\n");
    const struct workload_selector *workload = &policy->model.roles[0].workloads[0];
    assert_int_equal(workload->spiffe_count, 2);
    assert_view(workload->spiffe[0].trust_domain, "prod.example");
    assert_int_equal(workload->spiffe[0].segments.count, 4);
    assert_view(workload->spiffe[0].segments.items[3], "t-*");
    assert_false(workload->spiffe[0].has_rest);
    assert_false(view_is_present(workload->spiffe[1].trust_domain));
    assert_int_equal(workload->spiffe[1].segments.count, 1);
    assert_true(workload->spiffe[1].has_rest);
    assert_view(workload->trust_domains.items[0], "td");
    assert_view(workload->service_accounts[0].namespace, "n");
    assert_view(workload->service_accounts[0].account, "s");
    policy_free(policy);
}

static void an_action_is_its_operations(void **state)
{
    (void)state;
    struct policy *policy = build(
        HEAD
        "  actions:\n"
        "    a: {uses: [grpc.health, kserve-v1.predict], grpc: [p.S/*, {methods: [p.S/M], body: kserve}],\n"
        "        http: {methods: [GET, HEAD], hosts: A.Example:80, paths: [/x, \"/y/{id}\"], encodedSlash: data}}\n"
        "    b: {uses: [mcp.tools-call]}\n"
        "  rules: [{allow: a}]\n");
    const struct action *action = &policy->model.actions[0];
    assert_int_equal(action->operation_count, 8);
    assert_int_equal(action->operations[0].kind, OPERATION_GRPC);
    assert_view(action->operations[0].grpc->service, "grpc.health.v1.Health");
    assert_view(action->operations[0].grpc->method, "Check");
    assert_view(action->operations[3].name, "kserve-v1.predict");
    assert_view(action->operations[3].path->verb, "predict");
    assert_view(action->operations[4].name, "a");
    assert_int_equal(action->operations[4].methods.count, 2);
    assert_view(action->operations[4].hosts[0].name, "a.example");
    assert_int_equal(action->operations[4].hosts[0].port, 80);
    assert_true(action->operations[5].encoded_slash_is_data);
    assert_true(action->operations[6].grpc->method_is_prefix);
    assert_int_equal(action->operations[6].grpc->method.size, 0);
    assert_int_equal(action->operations[6].body, BODY_PROTOCOL_NONE);
    assert_view(action->operations[7].grpc->method, "M");
    assert_int_equal(action->operations[7].body, BODY_PROTOCOL_KSERVE);
    assert_view(policy->model.actions[1].operations[0].extras->call, "tools/call");
    assert_true(policy_reads_body(policy));
    policy_free(policy);
}

static void a_rule_is_read_whole(void **state)
{
    (void)state;
    struct policy *policy =
        build(HEAD ISSUER
              "  assurance: {fresh: {factors: 2}}\n"
              "  roles: {w: {members: [{workload: {namespace: n}}]}, u: {members: [{user: {issuer: sso}}]}}\n"
              "  actions: {act: {http: {paths: \"/x/{id}\"}}}\n"
              "  resourceTypes: {t: {id: path.id}, s: {hosts: h, id: =one}}\n"
              "  rules:\n"
              "    - allow: one\n"
              "      priority: 3\n"
              "      subjects: {workload: [w], user: u, delegation: {actor: peer, maxDepth: 2}, proof: xfcc-text}\n"
              "      actions: act\n"
              "      resources: {ids: [a, b*], labels: {tier: [x, y]}, notLabels: {data: z}}\n"
              "      assurance: fresh\n"
              "      purpose: {from: header.X-Purpose, anyOf: [p]}\n"
              "      when: {all: [{time: {tz: UTC, days: [fri-sun], between: [\"22:00\", \"24:00\"]}}, {not: {claim: "
              "{name: a.b, equals: 1}}}]}\n"
              "      obligations:\n"
              "        audit: full\n"
              "        maxStream: 15m\n"
              "        requestHeaders: {set: {X-User: \"u=$user.sub; $$5 $claim.a.b.\"}, append: {x-more: b}, remove: "
              "Authorization}\n"
              "        responseHeaders: {set: {cache-control: no-store}}\n"
              "        metadata: {class: high}\n"
              "      reason: because\n"
              "    - {deny: two, subjects: {user: none}, unlessAssurance: fresh, unless: {port: [1, 2]}}\n");
    const struct rule *rule = &policy->model.rules[0];
    assert_int_equal(policy_rule_count(policy), 2);
    assert_view(rule->name, "test/one");
    assert_view(rule->terms->owner, "");
    assert_int_equal(rule->effect, RULE_ALLOW);
    assert_int_equal(rule->priority, 3);
    assert_int_equal(rule->subjects->workload_demand, WORKLOAD_ROLES);
    assert_ptr_equal(rule->subjects->workload_roles[0], &policy->model.roles[0]);
    assert_ptr_equal(rule->subjects->user_roles[0], &policy->model.roles[1]);
    assert_int_equal(rule->subjects->delegation, DELEGATION_PEER);
    assert_int_equal(rule->subjects->max_depth, 2);
    assert_true(rule->subjects->accepts_xfcc_text);
    assert_ptr_equal(rule->actions[0], &policy->model.actions[0]);
    assert_true(rule->has_resources);
    assert_int_equal(rule->resources->type_count, 2); /* silent: every type of the document */
    assert_true(rule->resources->ids[1].is_prefix);
    assert_view(rule->resources->ids[1].text, "b");
    assert_int_equal(rule->resources->labels[0].values.count, 2);
    assert_view(rule->resources->not_labels[0].key, "data");
    assert_ptr_equal(rule->terms->assurance, &policy->model.assurances[0]);
    assert_false(rule->terms->purpose->is_claim);
    assert_view(rule->terms->purpose->header, "x-purpose");
    assert_int_equal(rule->when->kind, CONDITION_ALL);
    assert_int_equal(rule->when->children[0].parts->time->days, 0x70);
    assert_int_equal(rule->when->children[0].parts->time->start, 22 * 60);
    assert_int_equal(rule->when->children[0].parts->time->end, 0);
    assert_int_equal(rule->when->children[1].kind, CONDITION_NOT);
    assert_int_equal(rule->when->children[1].children[0].parts->path->steps.count, 2);
    const struct obligation_set *set = rule->terms->obligations;
    assert_int_equal(set->audit, AUDIT_FULL);
    assert_int_equal(set->max_stream, 900);
    assert_int_equal(set->request_header_count, 2);
    assert_view(set->request_headers[0].name, "x-user");
    assert_int_equal(set->request_headers[0].value.count, 5);
    assert_view(set->request_headers[0].value.parts[0].text, "u=");
    assert_int_equal(set->request_headers[0].value.parts[1].kind, TEMPLATE_USER_SUB);
    assert_view(set->request_headers[0].value.parts[2].text, "; $5 ");
    assert_view(set->request_headers[0].value.parts[3].claim.text, "a.b");
    assert_view(set->request_headers[0].value.parts[4].text, ".");
    assert_int_equal(set->request_headers[1].action, HEADER_APPEND);
    assert_view(set->remove_headers.items[0], "authorization");
    assert_view(set->response_headers[0].name, "cache-control");
    assert_view(set->metadata[0].name, "class");
    assert_view(rule->terms->reason, "because");

    const struct rule *deny = &policy->model.rules[1];
    assert_int_equal(deny->effect, RULE_DENY);
    assert_int_equal(deny->subjects->user_demand, USER_NONE);
    assert_int_equal(deny->subjects->delegation, DELEGATION_UNCONSTRAINED);
    assert_true(deny->subjects->accepts_xfcc_text);
    assert_int_equal(deny->terms->obligations->audit, AUDIT_SUMMARY);
    assert_int_equal(deny->terms->unless->parts->port_high, 2);
    assert_non_null(deny->terms->unless_assurance);
    assert_false(policy_reads_body(policy));
    policy_free(policy);
}

static void an_allow_that_is_silent_takes_no_delegated_token_and_no_xfcc_text(void **state)
{
    (void)state;
    struct policy *policy = build(HEAD "  rules: [{allow: a}]\n");
    assert_int_equal(policy->model.rules[0].subjects->delegation, DELEGATION_NONE);
    assert_false(policy->model.rules[0].subjects->accepts_xfcc_text);
    assert_int_equal(policy->model.max_groups, 128);
    assert_int_equal(policy->model.max_segments, 64);
    assert_int_equal(policy->model.max_path_bytes, 8192);
    policy_free(policy);
}

static void dates_are_read_by_the_calendar(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2026-01-01T12:00:00Z", 1767268800},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"2026-01-01T12:00:00+02:00", 1767261600},
        {"2038-01-19T03:14:08Z", 2147483648},
    };
    static const char *const bad[] = {"2100-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z",
                                      "2026-01-01 00:00:00Z",
                                      "1969-12-31T23:59:59Z",
                                      "2026-01-01T00:00:00",
                                      "2026-1-01T00:00:00Z",
                                      "",
                                      "2026-01-01T00:00:00.5Z"};
    int64_t seconds;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(load_instant(view_of(good[i].text), &seconds));
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(load_instant(view_of(bad[i]), &seconds));
}

static void durations_are_digits_and_units(void **state)
{
    static const char *const bad[] = {"", "5", "m", "5m1h", "5mm", "-5m", "1.5h", "5 m", "11000d", "99999999999s"};
    uint32_t seconds;
    (void)state;
    assert_true(load_duration_text(VIEW("1d2h3m4s"), &seconds));
    assert_int_equal(seconds, 86400 + 7200 + 180 + 4);
    assert_true(load_duration_text(VIEW("0s"), &seconds));
    assert_int_equal(seconds, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(load_duration_text(view_of(bad[i]), &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issuer_is_read_whole),
        cmocka_unit_test(what_is_asked_is_ask_then_acr_then_order_then_step_up),
        cmocka_unit_test(roles_are_closed_over_what_they_inherit),
        cmocka_unit_test(a_spiffe_glob_is_taken_apart),
        cmocka_unit_test(an_action_is_its_operations),
        cmocka_unit_test(a_rule_is_read_whole),
        cmocka_unit_test(an_allow_that_is_silent_takes_no_delegated_token_and_no_xfcc_text),
        cmocka_unit_test(dates_are_read_by_the_calendar),
        cmocka_unit_test(durations_are_digits_and_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
