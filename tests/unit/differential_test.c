/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled program against the reference interpreter, on generated policies
 * and requests, and the properties S9 and S10.
 *
 * Three kinds of seeds: small policies of whose space (policy_space.h) every request is
 * compared, which proves them; small ones whose space is too large for that, by a walk of
 * chance; and wide ones with requests by chance. All of it follows from the seed.
 *
 * BARTIZAN_DIFFERENTIAL_PAIRS  how many pairs are compared, at least (default 2,000,000, fewer under
 *                              sanitizers)
 * BARTIZAN_SEED                the first seed (default 1)
 * BARTIZAN_DIFFERENTIAL_PART   "i/n", i from 1: every n-th seed from the i-th, and a share of the
 *                              pairs, so that n processes make one run
 * A long run tells every half minute how far it is; it goes on from there with BARTIZAN_SEED. */
#include "decision_compare.h"
#include "policy.h"
#include "policy_generator.h"
#include "policy_space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif
#ifdef IS_SANITIZED
enum { PAIRS = 60000 };
#else
enum { PAIRS = 2000000 };
#endif

enum {
    REQUESTS = 120,      /* of one policy, for the properties */
    WIDE_REQUESTS = 400, /* of one wide policy */
    SCRATCH = 65536,
    SPACE_PROVED_MAX = 100000, /* the largest space that is walked to its end */
    SPACE_SAMPLES = 2000,      /* of a larger one */
    PROGRESS_SECONDS = 30,
    PROGRESS_PAIRS = 20 * 1000 * 1000, /* from here a run is long */
    VARIED_PAIRS = 500 * 1000,         /* from here every reason must have come */
};

static char text_buffer[2 * GENERATED_TEXT_MAX];
static struct policy_space space;
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
    const char *what = decisions_differ(&compiled, &interpreted);
    if (what)
        explain_difference(what, seed, request, facts, &compiled, &interpreted);
    if (compiled.reason == REASON_INTERNAL)
        fail_msg("seed %llu, request %zu: an internal error", (unsigned long long)seed, request);
    verdicts[compiled.verdict]++;
    reasons[compiled.reason]++;
}

/* A run over seeds. */
struct run {
    uint64_t seed, step; /* the next seed, and how far apart they are */
    uint64_t wanted, pairs, policies;
    uint64_t proved, proved_pairs;
    time_t started, told;
};

static void compare_wide(struct run *run, struct random *random)
{
    static struct generated_policy generated;
    generate_policy(random, &generated);
    struct policy *policy = build(generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
    for (size_t i = 0; i < WIDE_REQUESTS; i++, run->pairs++) {
        struct arena arena;
        struct facts facts;
        arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
        generate_facts(random, &arena, &facts);
        compare_one(policy, &facts, run->seed, i);
    }
    policy_free(policy);
}

static void compare_small(struct run *run, struct random *random)
{
    static const uint64_t sizes[] = {1000, 3000, 3000, 10000, 10000, 30000, SPACE_PROVED_MAX, UINT64_MAX};
    policy_space_build(random, sizes[random_below(random, sizeof sizes / sizeof sizes[0])], &space);
    bool is_whole = space.size <= SPACE_PROVED_MAX;
    size_t compared = 0;
    (void)snprintf(text_buffer, sizeof text_buffer, "%s", space.policy.text); /* for what fails */
    struct policy *policy = build((struct view){.data = space.policy.text, .size = space.policy.text_size});
    do {
        compare_one(policy, &space.facts, run->seed, compared++);
        if (!is_whole)
            policy_space_stray(&space, random);
    } while (is_whole ? policy_space_next(&space) : compared < SPACE_SAMPLES);
    policy_free(policy);
    if (is_whole && compared != space.size)
        fail_msg("seed %llu: %zu of %llu requests", (unsigned long long)run->seed, compared,
                 (unsigned long long)space.size);
    run->pairs += compared;
    run->proved += is_whole;
    run->proved_pairs += is_whole ? compared : 0;
}

static void tell_progress(struct run *run)
{
    time_t now = time(NULL);
    if (run->wanted < PROGRESS_PAIRS || now < run->told + PROGRESS_SECONDS)
        return;
    run->told = now;
    (void)fprintf(
        stderr, "%llu pairs agree, %llu policies, %llu of them proved by %llu pairs; %lld s; next seed %llu\n",
        (unsigned long long)run->pairs, (unsigned long long)run->policies, (unsigned long long)run->proved,
        (unsigned long long)run->proved_pairs, (long long)(now - run->started), (unsigned long long)run->seed);
}

/* Every answer that an evaluation can have; the others are for what comes before it. */
static const enum reason evaluated[] = {
    REASON_RULE,
    REASON_ASSURANCE,
    REASON_NO_USER,
    REASON_TOKEN_SIGNATURE,
    REASON_TOKEN_ISSUER,
    REASON_TOKEN_NOT_BOUND,
    REASON_ASSURANCE_ISSUER,
    REASON_SCOPE,
    REASON_WORKLOAD,
    REASON_USER,
    REASON_REQUEST_METHOD,
    REASON_REQUEST_HOST,
    REASON_REQUEST_PATH,
    REASON_REQUEST_BODY,
    REASON_REQUEST_HEADER,
    REASON_RESOURCE_AMBIGUOUS,
    REASON_DEFAULT,
    REASON_DENY_RULE,
    REASON_DELEGATION_ACTOR,
    REASON_DELEGATION,
    REASON_PURPOSE,
    REASON_CONDITION,
    REASON_OBLIGATION,
    REASON_INDETERMINATE,
    REASON_CERTIFICATE_NONE,
    REASON_CERTIFICATE_EXPIRED,
    REASON_KEYS_UNAVAILABLE,
};

static void check_variety(const struct run *run)
{
    print_message("%llu pairs: %zu deny, %zu challenge, %zu allow\n", (unsigned long long)run->pairs,
                  verdicts[VERDICT_DENY], verdicts[VERDICT_CHALLENGE], verdicts[VERDICT_ALLOW]);
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (reasons[i] > 0)
            print_message("  %-28.*s %zu\n", VIEW_ARG(reason_info((enum reason)i)->name), reasons[i]);
    print_message("policies %llu, proved %llu by %llu pairs\n", (unsigned long long)run->policies,
                  (unsigned long long)run->proved, (unsigned long long)run->proved_pairs);
    assert_true(verdicts[VERDICT_ALLOW] > run->pairs / 50);
    assert_true(verdicts[VERDICT_CHALLENGE] > run->pairs / 500);
    assert_true(run->proved > 0);
    for (size_t i = 0; i < sizeof evaluated / sizeof evaluated[0] && run->pairs >= VARIED_PAIRS; i++)
        if (reasons[evaluated[i]] == 0)
            fail_msg("no request was answered with %.*s", VIEW_ARG(reason_info(evaluated[i])->name));
}

static void compiled_and_interpreted_answers_agree(void **state)
{
    (void)state;
    unsigned part = 1, parts = 1;
    const char *text = getenv("BARTIZAN_DIFFERENTIAL_PART");
    if (text && (sscanf(text, "%u/%u", &part, &parts) != 2 || part == 0 || part > parts))
        fail_msg("BARTIZAN_DIFFERENTIAL_PART is i/n, i from 1 to n");
    struct run run = {.seed = number_of("BARTIZAN_SEED", 1) + part - 1,
                      .step = parts,
                      .wanted = number_of("BARTIZAN_DIFFERENTIAL_PAIRS", PAIRS) / parts,
                      .started = time(NULL),
                      .told = time(NULL)};
    for (; run.pairs < run.wanted; run.seed += run.step, run.policies++, tell_progress(&run)) {
        struct random random = random_of(run.seed);
        if (random_below(&random, 4) == 0)
            compare_wide(&run, &random);
        else
            compare_small(&run, &random);
    }
    check_variety(&run);
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
    const char *what = decisions_differ(before, after);
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

static void a_scratch_that_is_too_small_denies_or_allows_in_full(void **state)
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
                const char *what = out.verdict == VERDICT_ALLOW ? decisions_differ(&out, &whole) : NULL;
                if (what)
                    fail_msg("seed %llu: allowed out of memory, with another %s", (unsigned long long)seed, what);
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
        cmocka_unit_test(a_scratch_that_is_too_small_denies_or_allows_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
