/* SPDX-License-Identifier: Apache-2.0 */
/* Generated policies, written to a file and read again, against the reference interpreter over the policy as it was
 * built: an answer is the same to the last word.
 *
 * BARTIZAN_DIFFERENTIAL_PAIRS sets how many pairs are compared, BARTIZAN_SEED where the sequence begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "decision_text.h"
#include "policy_generator.h"
#include "policy_image.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 60, PAIRS = 20000, SCRATCH = 65536, POLICIES_PROPERTY = 60 };

static char text_buffer[2 * GENERATED_TEXT_MAX];
static char scratch_memory[3][SCRATCH];

struct fixture {
    struct arena arena; /* of one policy */
    struct diag_list diags;
};

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = 0;
    return text != NULL && view_to_u64(view_of(text), &number) ? number : otherwise;
}

static void open_fixture(struct fixture *fixture)
{
    arena_init(&fixture->arena, (size_t)1 << 28);
    diag_list_init(&fixture->diags, &fixture->arena);
}

static struct policy *build(struct fixture *fixture, struct view text)
{
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("generated.yaml"), .text = text};
    enum err err = policy_build(&source, 1, &fixture->diags, &policy);
    diag_list_print(&fixture->diags, stderr);
    assert_int_equal(err, ERR_NONE);
    return policy;
}

static struct view write_image(struct fixture *fixture, const struct policy *policy)
{
    struct view image = {0};
    assert_int_equal(policy_image_write(policy, &fixture->arena, &image), ERR_NONE);
    return image;
}

static struct policy *reload(struct fixture *fixture, struct view image)
{
    struct policy *policy = NULL;
    enum err err = policy_image_read(VIEW("generated.bzp"), image, &fixture->diags, &policy);
    diag_list_print(&fixture->diags, stderr);
    assert_int_equal(err, ERR_NONE);
    return policy;
}

static struct view answer_of(void (*how)(const struct policy *policy, const struct facts *facts, struct arena *scratch,
                                         struct decision *out),
                             const struct policy *policy, const struct facts *facts, struct arena *arena)
{
    struct arena scratch;
    struct decision decision;
    arena_init_fixed(&scratch, scratch_memory[0], SCRATCH);
    how(policy, facts, &scratch, &decision);
    return decision_text(&decision, arena);
}

static void compare_one(const struct policy *built, const struct policy *read, const struct facts *facts, uint64_t seed)
{
    struct arena arena;
    arena_init_fixed(&arena, scratch_memory[1], SCRATCH);
    struct view wanted = answer_of(policy_interpret, built, facts, &arena);
    struct view others[] = {answer_of(policy_decide, built, facts, &arena),
                            answer_of(policy_decide, read, facts, &arena),
                            answer_of(policy_interpret, read, facts, &arena)};
    static const char *const names[] = {"compiled", "compiled from the file", "interpreted from the file"};
    assert_true(view_is_present(wanted));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!view_equals(wanted, others[i]))
            fail_msg("seed %llu: %.*s %.*s%.*s\ninterpreted:\n%.*s%s:\n%.*s\n%s", (unsigned long long)seed,
                     VIEW_ARG(facts->method), VIEW_ARG(facts->host), VIEW_ARG(facts->path), VIEW_ARG(wanted), names[i],
                     VIEW_ARG(others[i]), text_buffer);
}

static void a_policy_from_its_file_answers_as_the_interpreter_does(void **state)
{
    (void)state;
    static struct generated_policy generated;
    uint64_t seed = number_of("BARTIZAN_SEED", 1), wanted = number_of("BARTIZAN_DIFFERENTIAL_PAIRS", PAIRS);
    for (uint64_t pairs = 0; pairs < wanted; seed++) {
        struct random random = random_of(seed);
        static struct fixture fixture;
        open_fixture(&fixture);
        generate_policy(&random, &generated);
        struct policy *built = build(&fixture, generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        struct policy *read = reload(&fixture, write_image(&fixture, built));
        for (size_t i = 0; i < REQUESTS; i++, pairs++) {
            struct arena arena;
            struct facts facts;
            arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
            generate_facts(&random, &arena, &facts);
            compare_one(built, read, &facts, seed);
        }
        policy_free(built);
        policy_free(read);
        arena_free(&fixture.arena);
    }
}

static void the_same_text_gives_the_same_bytes_whatever_was_compiled_before(void **state)
{
    (void)state;
    static struct generated_policy generated, other;
    for (uint64_t seed = 1; seed <= POLICIES_PROPERTY; seed++) {
        struct random random = random_of(seed);
        static struct fixture fixture;
        open_fixture(&fixture);
        generate_policy(&random, &generated);
        generate_policy(&random, &other);
        struct policy *first = build(&fixture, generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        struct view before = write_image(&fixture, first);
        struct policy *between = build(&fixture, generated_text(&other, NULL, text_buffer, sizeof text_buffer));
        (void)write_image(&fixture, between);
        struct policy *second = build(&fixture, generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        struct view after = write_image(&fixture, second);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
        policy_free(first);
        policy_free(between);
        policy_free(second);
        arena_free(&fixture.arena);
    }
}

/* The order of rules has no meaning, and a file keeps it with their lines: other bytes, the same answers (S9). */
static void rules_in_another_order_answer_the_same_from_their_files(void **state)
{
    (void)state;
    static struct generated_policy generated;
    for (uint64_t seed = 1; seed <= POLICIES_PROPERTY; seed++) {
        struct random random = random_of(seed);
        static struct fixture fixture;
        size_t order[GENERATED_RULES_MAX];
        open_fixture(&fixture);
        generate_policy(&random, &generated);
        for (size_t i = 0; i < generated.rule_count; i++)
            order[i] = generated.rule_count - 1 - i;
        struct policy *built = build(&fixture, generated_text(&generated, NULL, text_buffer, sizeof text_buffer));
        struct policy *turned = build(&fixture, generated_text(&generated, order, text_buffer, sizeof text_buffer));
        struct policy *read = reload(&fixture, write_image(&fixture, turned));
        for (size_t i = 0; i < REQUESTS; i++) {
            struct arena arena;
            struct facts facts;
            arena_init_fixed(&arena, scratch_memory[2], SCRATCH);
            generate_facts(&random, &arena, &facts);
            compare_one(built, read, &facts, seed);
        }
        policy_free(built);
        policy_free(turned);
        policy_free(read);
        arena_free(&fixture.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_from_its_file_answers_as_the_interpreter_does),
        cmocka_unit_test(the_same_text_gives_the_same_bytes_whatever_was_compiled_before),
        cmocka_unit_test(rules_in_another_order_answer_the_same_from_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
