/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants against brute force: a random search must never find a request that an
 * invariant which was found to hold forbids, and each witness must be a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "classes.h"
#include "factors.h"
#include "policy_generator.h"
#include "policy_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 65536, SCRATCH = 1 << 18, POLICIES = 24, REQUESTS = 4000 };

static char text[TEXT_MAX], plain[TEXT_MAX], memory[2][SCRATCH];

static const char *const subjects[] = {
    "",
    ", subjects: {workload: [w1]}",
    ", subjects: {user: [u1]}",
    ", notSubjects: {user: [u0, u2]}",
    ", subjects: {user: none}",
    ", notSubjects: {workload: [w0]}",
    ", subjects: {delegation: any}",
};
static const char *const resources[] = {"", "", ", resources: {labels: {tier: high}}", ", resources: {ids: [m1]}"};
static const char *const assurances[] = {"", "", ", assurance: none", ", assurance: s0"};
static const char *const verdicts[] = {"allow", "allow", "challenge", "deny"};

#define ONE(random, list) list[random_below(random, sizeof(list) / sizeof(list[0]))]

/* A policy of few rules with one invariant. */
static struct view generate(struct random *random)
{
    static struct generated_policy generated;
    generate_policy(random, &generated);
    generated.rule_count = generated.rule_count > 3 ? 3 : generated.rule_count;
    struct view base = generated_text(&generated, NULL, plain, sizeof plain);
    int size =
        snprintf(text, sizeof text, "%.*s\n  invariants:\n    - {name: i, %s: {verdict: %s, actions: [a%u]%s%s%s}}\n",
                 VIEW_ARG(base), random_below(random, 3) == 0 ? "always" : "never", ONE(random, verdicts),
                 random_below(random, 9), ONE(random, subjects), ONE(random, resources), ONE(random, assurances));
    assert_true(size > 0 && (size_t)size < sizeof text);
    return (struct view){.data = text, .size = (size_t)size};
}

/* ---- the invariant, read once more ---------------------------------------------------- */

static bool selects(const struct inquiry *inquiry, const struct invariant *invariant)
{
    const struct rule *selected = &invariant->selected, *excluded = &invariant->excluded;
    struct rule_standing own = interpret_rule(inquiry, selected), other = interpret_rule(inquiry, excluded);
    enum tri all[] = {own.parts.operation, own.parts.resource, own.parts.workload, own.parts.user,
                      inquiry_delegation(inquiry, selected)};
    /* Only what is certain: then both readings of what cannot be judged agree. */
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != TRI_TRUE)
            return false;
    if (invariant->has_excluded && other.parts.workload != TRI_FALSE && other.parts.user != TRI_FALSE)
        return false;
    const struct user_facts *user = &inquiry->facts->user;
    if (invariant->assurance == INVARIANT_NO_ASSURANCE)
        return user->state == USER_ABSENT || (user->state == USER_KNOWN && factors_of(inquiry->issuer, user).count < 2);
    return invariant->assurance == INVARIANT_ANY_ASSURANCE ||
           factors_check(invariant->levels[0], inquiry->issuer, inquiry->facts, inquiry->facts->workload.spiffe_id)
                   .state == ASSURANCE_MET;
}

/* Facts that no request has: a token that is bound to somebody who is not there. */
static void settle(struct facts *facts)
{
    if (facts->workload.proof != PROOF_CERTIFICATE)
        facts->user.is_bound_to_certificate = facts->user.is_bound_to_workload = false;
}

static bool is_violated_by(const struct policy *policy, const struct facts *facts)
{
    const struct invariant *invariant = &policy->model.invariants[0];
    struct arena scratch;
    struct inquiry inquiry;
    struct decision decision = {0};
    arena_init_fixed(&scratch, memory[0], SCRATCH);
    if (interpret_open(&inquiry, &policy->model, facts, &scratch, &decision) != REASON_NONE ||
        !selects(&inquiry, invariant))
        return false;
    arena_init_fixed(&scratch, memory[0], SCRATCH);
    policy_interpret(policy, facts, &scratch, &decision);
    return (decision.verdict == invariant->verdict) != invariant->is_always;
}

/* ---- search ----------------------------------------------------------------------------- */

struct tally {
    size_t held, violated, too_large, requests;
};

static void search(const struct policy *policy, uint64_t seed, struct random *random, struct tally *tally)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct arena arena;
        struct facts facts;
        arena_init_fixed(&arena, memory[1], SCRATCH);
        generate_facts(random, &arena, &facts);
        settle(&facts);
        tally->requests++;
        if (is_violated_by(policy, &facts))
            fail_msg("seed %llu, request %zu: %.*s %.*s%.*s\n%s", (unsigned long long)seed, i, VIEW_ARG(facts.method),
                     VIEW_ARG(facts.host), VIEW_ARG(facts.path), text);
    }
}

/* The help's test, put under `tests:` of the policy without the invariant, passes. */
static void replay(struct view hint, uint64_t seed)
{
    static char pasted[TEXT_MAX * 2];
    struct arena arena;
    struct diag_list *diags = malloc(sizeof *diags);
    struct policy *policy = NULL;
    assert_non_null(diags);
    arena_init(&arena, 1 << 24);
    diag_list_init(diags, &arena);
    assert_true(view_starts_with(hint, VIEW("under tests: ")));
    int size =
        snprintf(pasted, sizeof pasted, "%s\n  tests:\n    %.*s\n", plain, VIEW_ARG(view_slice(hint, 13, hint.size)));
    struct policy_source source = {VIEW("pasted.yaml"), {pasted, (size_t)size}};
    if (policy_build(&source, 1, diags, &policy) != ERR_NONE) {
        diag_list_print(diags, stderr);
        fail_msg("seed %llu: the witness does not load\n%s", (unsigned long long)seed, pasted);
    }
    if (policy_test(policy, NULL, NULL) != 0)
        fail_msg("seed %llu: the witness does not show it\n%s\n%s", (unsigned long long)seed, text, pasted);
    policy_free(policy);
    arena_free(&arena);
    free(diags);
}

static void one_policy(uint64_t seed, struct tally *tally)
{
    struct random random = random_of(seed);
    struct view with = generate(&random);
    struct arena arena;
    struct diag_list *diags = malloc(sizeof *diags);
    struct policy *policy = NULL;
    struct policy_source source = {VIEW("generated.yaml"), with};
    assert_non_null(diags);
    arena_init(&arena, 1 << 24);
    diag_list_init(diags, &arena);
    if (policy_build(&source, 1, diags, &policy) == ERR_NONE) {
        tally->held++;
        search(policy, seed, &random, tally);
        policy_free(policy);
    } else if (view_equals(diags->items[0].code, VIEW("E0511"))) {
        tally->violated++;
        replay(diags->items[0].hint, seed);
    } else if (view_equals(diags->items[0].code, VIEW("E0512"))) {
        tally->too_large++;
        if (getenv("BARTIZAN_VERBOSE"))
            fprintf(stderr, "%.*s\n", VIEW_ARG(diags->items[0].message));
    } else {
        diag_list_print(diags, stderr);
        fail_msg("seed %llu", (unsigned long long)seed);
    }
    arena_free(&arena);
    free(diags);
}

static void no_request_breaks_an_invariant_that_holds_and_each_witness_is_real(void **state)
{
    struct tally tally = {0};
    const char *more = getenv("BARTIZAN_INVARIANT_POLICIES");
    uint64_t policies = more ? strtoull(more, NULL, 10) : POLICIES;
    (void)state;
    for (uint64_t seed = 1; seed <= policies; seed++)
        one_policy(7000000 + seed, &tally);
    printf("%zu held against %zu requests, %zu violated and replayed, %zu too large\n", tally.held, tally.requests,
           tally.violated, tally.too_large);
    assert_true(tally.held > policies / 10 && tally.violated > policies / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_request_breaks_an_invariant_that_holds_and_each_witness_is_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
