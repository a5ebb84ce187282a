/* SPDX-License-Identifier: Apache-2.0 */
/* From the deciding rule to the answer, on both evaluators. */
#include "decision_compare.h"
#include "policy_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COMMON                                                                                                         \
    "  issuers:\n"                                                                                                     \
    "    sso: {url: \"https://sso.ex\", audiences: [a], acrOrder: [low, mfa, high], stepUp: {twoFactors: [mfa]}}\n"    \
    "    two: {url: \"https://two.ex\", audiences: [a], stepUp: {twoFactors: [loa2, loa3]}}\n"                         \
    "  assurance:\n"                                                                                                   \
    "    fresh: {factors: 2, maxAge: 5m}\n"                                                                            \
    "    named: {acr: [mfa, high], issuers: [sso]}\n"                                                                  \
    "    asked: {methods: {allOf: [pwd, otp]}, ask: [low, mfa]}\n"                                                     \
    "  actions:\n    get: {http: [{methods: [GET], paths: [\"/m/{model}\"]}]}\n"                                       \
    "  resourceTypes:\n    model: {id: [path.model]}\n"                                                                \
    "  resources:\n    - {type: model, id: m1, labels: {a: b, c: d}}\n"

#define GET "method: GET, host: h.ex, path: /m/m1"
#define CALLER ", workload: \"spiffe://d.ex/ns/a/sa/x\""
#define USER                                                                                                           \
    ", jwt: {iss: \"https://sso.ex\", sub: u1, mail: \"a b~!\", odd: \"a\\x7fb\", none: \"\", n: 7, list: [a, b]}"

static struct decision ask(const char *rules, const char *given)
{
    return policy_case_ask(COMMON, rules, given);
}

static struct decision ask_obligations(const char *obligations, const char *given)
{
    char rules[2048];
    (void)snprintf(rules, sizeof rules, "    - {allow: ok, obligations: {%s}}\n", obligations);
    return ask(rules, given);
}

static void is_header(const struct header_obligation *header, enum header_action action, const char *name,
                      const char *value)
{
    assert_int_equal(header->action, action);
    assert_true(view_equals(header->name, view_of(name)));
    if (!view_equals(header->value, view_of(value)))
        fail_msg("%s is \"%.*s\", not \"%s\"", name, VIEW_ARG(header->value), value);
}

static void every_list_of_obligations_is_filled_and_kept_apart(void **state)
{
    (void)state;
    struct decision out = ask_obligations("requestHeaders: {set: {x-a: one}, append: {x-b: two}, remove: [x-raw]}, "
                                          "responseHeaders: {set: {x-c: three}}, metadata: {d: four, D: five}, "
                                          "queryParams: {set: {e: six}, remove: [f]}, maxStream: 15m, audit: full",
                                          GET);
    const struct obligations *all = &out.obligations;
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_int_equal(all->request_header_count, 2);
    is_header(&all->request_headers[0], HEADER_SET, "x-a", "one");
    is_header(&all->request_headers[1], HEADER_APPEND, "x-b", "two");
    assert_int_equal(all->remove_header_count, 1);
    assert_true(view_equals(all->remove_headers[0], VIEW("x-raw")));
    assert_int_equal(all->response_header_count, 1);
    is_header(&all->response_headers[0], HEADER_SET, "x-c", "three");
    assert_int_equal(all->metadata_count, 2);
    assert_int_equal(all->query_param_count, 1);
    is_header(&all->query_params[0], HEADER_SET, "e", "six");
    assert_int_equal(all->remove_query_count, 1);
    assert_true(view_equals(all->remove_queries[0], VIEW("f")));
    assert_true(all->has_max_stream && !all->max_stream_by_credentials);
    assert_int_equal(all->max_stream, 900);
    assert_int_equal(out.audit, AUDIT_FULL);
}

static void a_stream_is_bound_by_time_by_credentials_or_not(void **state)
{
    (void)state;
    struct decision out = ask_obligations("maxStream: credentials", GET);
    assert_true(out.obligations.max_stream_by_credentials && !out.obligations.has_max_stream);
    out = ask_obligations("audit: summary", GET);
    assert_false(out.obligations.max_stream_by_credentials || out.obligations.has_max_stream);
    assert_int_equal(out.audit, AUDIT_SUMMARY);
}

static void templates_are_filled_with_what_they_name(void **state)
{
    (void)state;
    static const struct {
        const char *template, *value;
    } cases[] = {{"$user.sub", "u1"},
                 {"$user.issuer", "https://sso.ex"},
                 {"$workload.spiffe", "spiffe://d.ex/ns/a/sa/x"},
                 {"$resource.id", "m1"},
                 {"$claim.mail", "a b~!"},
                 {"$claim.n", "7"},
                 {"$decision.id", "test"},
                 {"<$user.sub;$resource.id>$$", "<u1;m1>$"},
                 {"", ""},
                 {"$user.sub$user.sub", "u1u1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char obligations[256];
        (void)snprintf(obligations, sizeof obligations, "requestHeaders: {set: {x-v: \"%s\"}}", cases[i].template);
        struct decision out = ask_obligations(obligations, GET CALLER USER);
        assert_int_equal(out.verdict, VERDICT_ALLOW);
        is_header(&out.obligations.request_headers[0], HEADER_SET, "x-v", cases[i].value);
    }
}

static void a_template_without_a_value_that_can_stand_in_a_header_refuses(void **state)
{
    (void)state;
    static const char *const templates[] = {"$claim.odd", "$claim.none", "$claim.absent", "$claim.list",
                                            "x$claim.absent"};
    static const char *const lists[][2] = {{"requestHeaders: {set: {x-v: \"", "\"}}"},
                                           {"requestHeaders: {append: {x-v: \"", "\"}}"},
                                           {"responseHeaders: {set: {x-v: \"", "\"}}"},
                                           {"metadata: {x-v: \"", "\"}"},
                                           {"queryParams: {set: {v: \"", "\"}}"}};
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
        for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
            char obligations[256];
            (void)snprintf(obligations, sizeof obligations, "%s%s%s", lists[k][0], templates[i], lists[k][1]);
            struct decision out = ask_obligations(obligations, GET CALLER USER);
            assert_int_equal(out.verdict, VERDICT_DENY);
            assert_int_equal(out.reason, REASON_OBLIGATION);
        }
    struct decision out = ask_obligations("metadata: {x: $user.sub}", GET CALLER);
    assert_int_equal(out.reason, REASON_NO_USER);
    out = ask_obligations("metadata: {x: $resource.id}", "path: /other");
    assert_int_equal(out.reason, REASON_OBLIGATION);
}

static void a_caller_on_the_proxys_word_is_named_only_where_the_rule_takes_it(void **state)
{
    (void)state;
    const char *const weak = GET CALLER ", proof: xfcc-text";
    struct decision out = ask("    - {allow: ok, obligations: {metadata: {x: $workload.spiffe}}}\n", weak);
    assert_int_equal(out.reason, REASON_OBLIGATION);
    out = ask("    - {allow: ok, subjects: {workload: any, proof: xfcc-text}, obligations: {metadata: {x: "
              "$workload.spiffe}}}\n",
              weak);
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    is_header(&out.obligations.metadata[0], HEADER_SET, "x", "spiffe://d.ex/ns/a/sa/x");
}

static void a_rule_does_not_remove_what_it_sets(void **state)
{
    (void)state;
    const char *const rules =
        "    - {allow: a, priority: 1, obligations: {requestHeaders: {set: {x-a: one}}, queryParams: {set: {q: "
        "one}}}}\n"
        "    - {allow: b, obligations: {requestHeaders: {set: {x-a: two, x-b: two}, remove: [x-c]}, queryParams: {set: "
        "{q: two, r: two}, remove: [s]}}}\n"
        "    - {allow: c, obligations: {requestHeaders: {append: {x-b: three}, remove: [x-a]}, queryParams: {remove: "
        "[r]}}}\n";
    struct decision out = ask(rules, GET);
    assert_true(policy_case_rule_is(out.rule, "a"));
    assert_int_equal(out.obligations.remove_header_count, 1);
    assert_true(view_equals(out.obligations.remove_headers[0], VIEW("x-b")));
    assert_int_equal(out.obligations.remove_query_count, 1);
    assert_true(view_equals(out.obligations.remove_queries[0], VIEW("r")));
    out = ask(strchr(rules, '\n') + 1, GET);
    assert_true(policy_case_rule_is(out.rule, "b"));
    assert_int_equal(out.obligations.remove_header_count, 1);
    assert_true(view_equals(out.obligations.remove_headers[0], VIEW("x-c")));
    assert_int_equal(out.obligations.remove_query_count, 1);
    assert_true(view_equals(out.obligations.remove_queries[0], VIEW("s")));
}

static void each_removal_is_named_once(void **state)
{
    (void)state;
    const char *const rules =
        "    - {allow: a, obligations: {requestHeaders: {remove: [x-b, x-c]}, queryParams: {remove: "
        "[q, s]}}}\n"
        "    - {allow: b, obligations: {requestHeaders: {set: {x-b: two}}, queryParams: {set: "
        "{q: two}}}}\n";
    struct decision out = ask(rules, GET);
    assert_int_equal(out.obligations.remove_header_count, 2);
    assert_true(view_equals(out.obligations.remove_headers[0], VIEW("x-b")));
    assert_true(view_equals(out.obligations.remove_headers[1], VIEW("x-c")));
    assert_int_equal(out.obligations.remove_query_count, 2);
    assert_true(view_equals(out.obligations.remove_queries[0], VIEW("q")));
    assert_true(view_equals(out.obligations.remove_queries[1], VIEW("s")));
}

static void headers_that_several_rules_set_are_removed_in_the_order_of_their_names(void **state)
{
    (void)state;
    struct decision out = ask("    - {allow: a}\n"
                              "    - {allow: b, obligations: {requestHeaders: {set: {x-c: v, x-a: v}}}}\n"
                              "    - {allow: c, obligations: {requestHeaders: {set: {x-b: v, x-c: v}}}}\n"
                              "    - {allow: d, obligations: {requestHeaders: {append: {x-a: v, x-d: v}}}}\n",
                              GET);
    static const char *const names[] = {"x-a", "x-b", "x-c", "x-d"};
    assert_int_equal(out.obligations.remove_header_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(view_equals(out.obligations.remove_headers[i], view_of(names[i])));
}

/* Each list alone, for what came after it would find no room either. */
static void an_allow_that_there_is_no_room_for_in_full_is_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "requestHeaders: {set: {x-a: one}}",  "requestHeaders: {append: {x-a: $user.sub$user.sub}}",
        "responseHeaders: {set: {x-a: one}}", "metadata: {a: one}",
        "queryParams: {set: {a: one}}",       "queryParams: {remove: [a]}"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct decision whole = ask_obligations(lists[i], GET USER), out;
        bool is_whole = false;
        assert_int_equal(whole.verdict, VERDICT_ALLOW);
        for (size_t size = 0; !is_whole; size += 16) {
            policy_case_within(size, &out);
            is_whole = decisions_differ(&out, &whole) == NULL;
            assert_true(is_whole ? size > 0 : out.verdict == VERDICT_DENY && out.reason == REASON_INTERNAL);
        }
    }
}

static void a_challenge_asks_the_users_own_issuer_for_the_whole_requirement(void **state)
{
    (void)state;
    const char *const fresh = "    - {allow: ok, subjects: {user: any}, assurance: fresh}\n";
    struct decision out = ask(fresh, GET USER);
    assert_int_equal(out.verdict, VERDICT_CHALLENGE);
    assert_true(policy_case_rule_is(out.rule, "ok"));
    assert_int_equal(out.challenge.acr_count, 1);
    assert_true(view_equals(out.challenge.acr_values[0], VIEW("mfa")));
    assert_true(out.challenge.has_max_age);
    assert_int_equal(out.challenge.max_age, 300);
    out = ask(fresh, GET ", jwt: {iss: \"https://two.ex\", sub: u1}");
    assert_int_equal(out.challenge.acr_count, 2);
    assert_true(view_equals(out.challenge.acr_values[0], VIEW("loa2")));
    assert_true(view_equals(out.challenge.acr_values[1], VIEW("loa3")));
    out = ask("    - {allow: ok, subjects: {user: any}, assurance: named}\n", GET USER);
    assert_int_equal(out.challenge.acr_count, 2);
    assert_true(view_equals(out.challenge.acr_values[1], VIEW("high")));
    assert_false(out.challenge.has_max_age);
    out = ask("    - {allow: ok, subjects: {user: any}, assurance: asked}\n", GET USER);
    assert_int_equal(out.challenge.acr_count, 2);
    assert_true(view_equals(out.challenge.acr_values[0], VIEW("low")));
}

static void an_answer_says_what_the_request_is_about(void **state)
{
    (void)state;
    struct decision out = ask("    - {allow: ok, actions: [get]}\n", "path: \"/m/m1?x=1\"");
    assert_true(view_equals(out.action, VIEW("get")));
    assert_true(view_equals(out.path, VIEW("/m/m1")));
    assert_true(view_equals(out.resource_type, VIEW("model")));
    assert_true(view_equals(out.resource_id, VIEW("m1")));
    assert_int_equal(out.resource_label_count, 2);
    assert_true(view_equals(out.resource_labels[1].name, VIEW("c")));
    assert_true(view_equals(out.resource_labels[1].value, VIEW("d")));
    out = ask("    - {deny: no, actions: [get]}\n", "path: /m/m2");
    assert_true(view_equals(out.resource_id, VIEW("m2")));
    assert_int_equal(out.resource_label_count, 0);
    out = ask("    - {allow: ok, actions: [get]}\n", "path: /other");
    assert_true(view_equals(out.resource_type, VIEW("model")));
    assert_false(view_is_present(out.resource_id) || view_is_present(out.action));
}

static void a_purpose_is_recorded_when_it_is_one_of_the_rules_own(void **state)
{
    (void)state;
    const char *const by_claim =
        "    - {allow: ok, subjects: {user: any}, purpose: {from: claim.why, anyOf: [care, pay]}}\n";
    const char *const by_header = "    - {allow: ok, purpose: {from: header.x-why, anyOf: [care, pay]}}\n";
    struct decision out = ask(by_claim, GET ", jwt: {iss: \"https://sso.ex\", sub: u1, why: pay}");
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_true(view_equals(out.purpose, VIEW("pay")));
    out = ask(by_header, GET ", headers: {x-why: care}");
    assert_int_equal(out.verdict, VERDICT_ALLOW);
    assert_true(view_equals(out.purpose, VIEW("care")));
    out = ask(by_header, GET ", headers: {x-why: other}");
    assert_int_equal(out.reason, REASON_PURPOSE);
    assert_false(view_is_present(out.purpose));
    out = ask("    - {allow: ok}\n", GET ", headers: {x-why: care}");
    assert_false(view_is_present(out.purpose));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_of_obligations_is_filled_and_kept_apart),
        cmocka_unit_test(a_stream_is_bound_by_time_by_credentials_or_not),
        cmocka_unit_test(templates_are_filled_with_what_they_name),
        cmocka_unit_test(a_template_without_a_value_that_can_stand_in_a_header_refuses),
        cmocka_unit_test(a_caller_on_the_proxys_word_is_named_only_where_the_rule_takes_it),
        cmocka_unit_test(a_rule_does_not_remove_what_it_sets),
        cmocka_unit_test(each_removal_is_named_once),
        cmocka_unit_test(headers_that_several_rules_set_are_removed_in_the_order_of_their_names),
        cmocka_unit_test(an_allow_that_there_is_no_room_for_in_full_is_refused),
        cmocka_unit_test(a_challenge_asks_the_users_own_issuer_for_the_whole_requirement),
        cmocka_unit_test(an_answer_says_what_the_request_is_about),
        cmocka_unit_test(a_purpose_is_recorded_when_it_is_one_of_the_rules_own),
    };
    return cmocka_run_group_tests(tests, NULL, policy_case_close);
}
