/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled program against the reference interpreter, on generated policies
 * and requests, and the properties S9 and S10.
 *
 * BARTIZAN_DIFFERENTIAL_PAIRS sets how many pairs are compared (default: what fits
 * into a few seconds), BARTIZAN_SEED where the sequence begins. */
#include "policy.h"
#include "policy_generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { REQUESTS = 120, SCRATCH = 65536, SECONDS = 5 };

static char text_buffer[2 * GENERATED_TEXT_MAX];
static char scratch_memory[4][SCRATCH];

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = 0;
    return text && view_to_u64(view_of(text), &number) ? number : otherwise;
}

static struct policy *build(struct view text)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("generated.yaml"), .text = text};
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        fail_msg("a generated policy does not build:\n%.*s", VIEW_ARG(text));
    }
    arena_free(&arena);
    return policy;
}

static bool headers_equal(const struct header_obligation *a, size_t a_count, const struct header_obligation *b,
                          size_t b_count)
{
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (a[i].action != b[i].action || !view_equals(a[i].name, b[i].name) || !view_equals(a[i].value, b[i].value))
            return false;
    return a_count == b_count;
}

static bool views_equal(const struct view *a, size_t a_count, const struct view *b, size_t b_count)
{
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (!view_equals(a[i], b[i]))
            return false;
    return a_count == b_count;
}

static const char *answers_differ(const struct decision *a, const struct decision *b)
{
    const struct obligations *x = &a->obligations, *y = &b->obligations;
    if (a->verdict != b->verdict)
        return "verdict";
    if (a->reason != b->reason)
        return "reason";
    if (!view_equals(a->rule, b->rule))
        return "rule";
    if (a->challenge.has_max_age != b->challenge.has_max_age || a->challenge.max_age != b->challenge.max_age ||
        !views_equal(a->challenge.acr_values, a->challenge.acr_count, b->challenge.acr_values, b->challenge.acr_count))
        return "challenge";
    if (!headers_equal(x->request_headers, x->request_header_count, y->request_headers, y->request_header_count) ||
        !headers_equal(x->response_headers, x->response_header_count, y->response_headers, y->response_header_count) ||
        !headers_equal(x->metadata, x->metadata_count, y->metadata, y->metadata_count) ||
        !headers_equal(x->query_params, x->query_param_count, y->query_params, y->query_param_count) ||
        !views_equal(x->remove_queries, x->remove_query_count, y->remove_queries, y->remove_query_count) ||
        !views_equal(x->remove_headers, x->remove_header_count, y->remove_headers, y->remove_header_count) ||
        x->has_max_stream != y->has_max_stream || x->max_stream != y->max_stream ||
        x->max_stream_by_credentials != y->max_stream_by_credentials)
        return "obligations";
    if (a->denial.status != b->denial.status || !view_equals(a->denial.body, b->denial.body) ||
        !view_equals(a->denial.grpc_message, b->denial.grpc_message))
        return "denial";
    if (a->audit != b->audit)
        return "audit";
    return NULL;
}

static const char *records_differ(const struct decision *a, const struct decision *b)
{
    if (!view_equals(a->closest, b->closest))
        return "closest";
    if (!view_equals(a->missing, b->missing))
        return "missing";
    if (!view_equals(a->attribute, b->attribute))
        return "attribute";
    if (!view_equals(a->scope, b->scope))
        return "scope";
    if (!view_equals(a->action, b->action) || !view_equals(a->path, b->path))
        return "action";
    if (!view_equals(a->purpose, b->purpose))
        return "purpose";
    if (!view_equals(a->resource_type, b->resource_type) || !view_equals(a->resource_id, b->resource_id) ||
        a->resource_label_count != b->resource_label_count)
        return "resource";
    for (size_t i = 0; i < a->resource_label_count; i++)
        if (!view_equals(a->resource_labels[i].name, b->resource_labels[i].name) ||
            !view_equals(a->resource_labels[i].value, b->resource_labels[i].value))
            return "labels";
    return NULL;
}

static void decide_in(const struct policy *policy, const struct facts *facts, unsigned slot, struct decision *out)
{
    struct arena scratch;
    arena_init_fixed(&scratch, scratch_memory[slot], SCRATCH);
    policy_decide(policy, facts, &scratch, out);
}

static void explain_difference(const char *what, uint64_t seed, size_t request, const struct facts *facts,
                               const struct decision *a, const struct decision *b)
{
    fail_msg("seed %llu, request %zu: %s differs for %.*s %.*s%.*s\n %s %.*s by %.*s, closest %.*s: %.*s\n %s %.*s by "
             "%.*s, closest %.*s: %.*s\n%s",
             (unsigned long long)seed, request, what, VIEW_ARG(facts->method), VIEW_ARG(facts->host),
             VIEW_ARG(facts->path), verdict_text(a->verdict), VIEW_ARG(reason_info(a->reason)->name), VIEW_ARG(a->rule),
             VIEW_ARG(a->closest), VIEW_ARG(a->missing), verdict_text(b->verdict),
             VIEW_ARG(reason_info(b->reason)->name), VIEW_ARG(b->rule), VIEW_ARG(b->closest), VIEW_ARG(b->missing),
             text_buffer);
}

/* How often each verdict and reason came, so that a run that tests nothing shows. */
static size_t verdicts[3], reasons[REASON_COUNT];

static void compare_one(const struct policy *policy, const struct facts *facts, uint64_t seed, size_t request)
{
    struct decision compiled, interpreted;
    struct arena scratch;
    decide_in(policy, facts, 0, &compiled);
    arena_init_fixed(&scratch, scratch_memory[1], SCRATCH);
    policy_interpret(policy, facts, &scratch, &interpreted);
    const char *what = answers_differ(&compiled, &interpreted);
    if (!what)
        what = records_differ(&compiled, &interpreted);
    if (what)
        explain_difference(what, seed, request, facts, &compiled, &interpreted);
    if (compiled.reason == REASON_INTERNAL)
        fail_msg("seed %llu, request %zu: an internal error", (unsigned long long)seed, request);
    verdicts[compiled.verdict]++;
    reasons[compiled.reason]++;
}

static void compiled_and_interpreted_answers_agree(void **state)
{
    (void)state;
    uint64_t wanted = number_of("BARTIZAN_DIFFERENTIAL_PAIRS", 0), first = number_of("BARTIZAN_SEED", 1);
    uint64_t pairs = 0;
    time_t end = time(NULL) + SECONDS;
    for (uint64_t seed = first; wanted ? pairs < wanted : time(NULL) < end; seed++) {
        struct random random = random_of(seed);
        static struct generated_policy generated;
        generate_policy(&random, &generated);
        struct policy *policy = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        for (size_t i = 0; i < REQUESTS; i++, pairs++) {
            struct arena arena;
            struct facts facts;
            arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
            generate_facts(&random, &arena, &facts);
            compare_one(policy, &facts, seed, i);
        }
        policy_free(policy);
    }
    print_message("%llu pairs: %zu deny, %zu challenge, %zu allow\n", (unsigned long long)pairs, verdicts[VERDICT_DENY],
                  verdicts[VERDICT_CHALLENGE], verdicts[VERDICT_ALLOW]);
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (reasons[i] > 0)
            print_message("  %-28.*s %zu\n", VIEW_ARG(reason_info((enum reason)i)->name), reasons[i]);
    assert_true(verdicts[VERDICT_ALLOW] > pairs / 50);
    assert_true(verdicts[VERDICT_CHALLENGE] > pairs / 500);
}

/* Calls `check` with the answers of a policy and of a changed one. */
static void compare_policies(uint64_t first, size_t policies,
                             void (*change)(struct random *, struct generated_policy *),
                             void (*check)(uint64_t seed, size_t request, const struct facts *, const struct decision *,
                                           const struct decision *))
{
    for (uint64_t seed = first; seed < first + policies; seed++) {
        struct random random = random_of(seed);
        static struct generated_policy generated;
        generate_policy(&random, &generated);
        struct policy *before = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        change(&random, &generated);
        struct policy *after = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        for (size_t i = 0; i < REQUESTS; i++) {
            struct arena arena;
            struct facts facts;
            struct decision a, b;
            arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
            generate_facts(&random, &arena, &facts);
            decide_in(before, &facts, 0, &a);
            decide_in(after, &facts, 1, &b);
            check(seed, i, &facts, &a, &b);
        }
        policy_free(before);
        policy_free(after);
    }
}

static void shuffle(struct random *random, struct generated_policy *policy)
{
    char rule[sizeof policy->rules[0]];
    for (size_t i = policy->rule_count; i > 1; i--) {
        size_t k = random_below(random, (uint32_t)i);
        memcpy(rule, policy->rules[k], sizeof rule);
        memcpy(policy->rules[k], policy->rules[i - 1], sizeof rule);
        memcpy(policy->rules[i - 1], rule, sizeof rule);
    }
}

static void check_same(uint64_t seed, size_t request, const struct facts *facts, const struct decision *before,
                       const struct decision *after)
{
    const char *what = answers_differ(before, after);
    if (!what)
        what = records_differ(before, after);
    if (what)
        explain_difference(what, seed, request, facts, before, after);
}

static void the_order_of_rules_has_no_meaning(void **state)
{
    (void)state;
    compare_policies(1000000, 60, shuffle, check_same);
}

static void add_deny(struct random *random, struct generated_policy *policy)
{
    generate_rule(random, "r50-added", true, policy->rules[policy->rule_count++], sizeof policy->rules[0]);
}

static void check_not_opened(uint64_t seed, size_t request, const struct facts *facts, const struct decision *before,
                             const struct decision *after)
{
    if (before->verdict != VERDICT_ALLOW && after->verdict == VERDICT_ALLOW)
        explain_difference("an added deny opened it: verdict", seed, request, facts, before, after);
}

static void an_added_deny_never_opens_anything(void **state)
{
    (void)state;
    compare_policies(2000000, 80, add_deny, check_not_opened);
}

static void add_allow(struct random *random, struct generated_policy *policy)
{
    generate_rule(random, "r50-added", false, policy->rules[policy->rule_count++], sizeof policy->rules[0]);
}

static void check_not_closed(uint64_t seed, size_t request, const struct facts *facts, const struct decision *before,
                             const struct decision *after)
{
    if (before->verdict == VERDICT_ALLOW && after->verdict == VERDICT_DENY)
        explain_difference("an added allow closed it: verdict", seed, request, facts, before, after);
}

static void an_added_allow_never_turns_allow_into_deny(void **state)
{
    (void)state;
    compare_policies(3000000, 80, add_allow, check_not_closed);
}

static void duplicate_rule(struct random *random, struct generated_policy *policy)
{
    size_t k = random_below(random, (uint32_t)policy->rule_count);
    char *rule = policy->rules[k], *copy = policy->rules[policy->rule_count++];
    /* The copy's name sorts last, so that the original decides. */
    const char *rest = strchr(rule + sizeof "{allow: ", ',');
    (void)snprintf(copy, sizeof policy->rules[0], "{%s: s-copy%s", strncmp(rule, "{deny", 5) == 0 ? "deny" : "allow",
                   rest ? rest : "}");
}

static void a_rule_said_twice_says_nothing_more(void **state)
{
    (void)state;
    compare_policies(4000000, 60, duplicate_rule, check_same);
}

static void zeroed_facts_are_denied_by_every_policy(void **state)
{
    (void)state;
    static struct generated_policy generated;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct random random = random_of(seed);
        struct facts facts = {0};
        struct decision out;
        generate_policy(&random, &generated);
        (void)snprintf(generated.rules[0], sizeof generated.rules[0], "{allow: everything, priority: 7}");
        struct policy *policy = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        decide_in(policy, &facts, 0, &out);
        assert_int_equal(out.verdict, VERDICT_DENY);
        assert_int_equal(out.reason, REASON_INTERNAL);
        policy_free(policy);
    }
}

static void a_scratch_that_is_too_small_denies(void **state)
{
    (void)state;
    static struct generated_policy generated;
    size_t refused = 0, answered = 0;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct random random = random_of(seed);
        generate_policy(&random, &generated);
        struct policy *policy = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        for (size_t i = 0; i < 20; i++) {
            struct arena arena;
            struct facts facts;
            struct decision whole, out;
            arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
            generate_facts(&random, &arena, &facts);
            decide_in(policy, &facts, 0, &whole);
            for (size_t size = 0; size < 4096; size += 16) {
                struct arena scratch;
                arena_init_fixed(&scratch, scratch_memory[1], size);
                policy_decide(policy, &facts, &scratch, &out);
                if (out.verdict == VERDICT_ALLOW && whole.verdict != VERDICT_ALLOW)
                    fail_msg("seed %llu: allowed out of memory", (unsigned long long)seed);
                refused += out.reason == REASON_INTERNAL;
                answered += out.reason != REASON_INTERNAL;
            }
        }
        policy_free(policy);
    }
    assert_true(refused > 0 && answered > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_and_interpreted_answers_agree),
        cmocka_unit_test(the_order_of_rules_has_no_meaning),
        cmocka_unit_test(an_added_deny_never_opens_anything),
        cmocka_unit_test(an_added_allow_never_turns_allow_into_deny),
        cmocka_unit_test(a_rule_said_twice_says_nothing_more),
        cmocka_unit_test(zeroed_facts_are_denied_by_every_policy),
        cmocka_unit_test(a_scratch_that_is_too_small_denies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
