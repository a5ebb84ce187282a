/* SPDX-License-Identifier: Apache-2.0 */
/* A warm check allocates nothing. The linker hands every malloc of this program's
 * own objects and archives to the wrappers below (-Wl,--wrap). */
#include "check.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static _Thread_local bool is_counting;
static atomic_uint allocations;

void *__wrap_malloc(size_t size)
{
    allocations += is_counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations += is_counting;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations += is_counting;
    return __real_realloc(memory, size);
}

enum { WARM_CHECKS = 1000 };

static void expect_no_allocation(bool has_shadow)
{
    struct world world;
    struct snapshot *snapshot = NULL;
    struct journal_writer *journal = NULL;
    struct check_context *context = NULL;
    struct arena arena;
    struct diag_list diags;
    static struct metrics metrics;
    static struct refusal_log refusals;
    static struct shadow_log shadow;
    static struct shadow_counts counts;
    static struct check_reply reply;
    static const uint8_t epoch[JOURNAL_EPOCH_BYTES] = {1};
    world_make(&world);
    world.config.policy.shadow = has_shadow ? world.policy : NULL;
    metrics = (struct metrics){0};
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    refusal_log_init(&refusals);
    shadow_log_init(&shadow);
    assert_int_equal(snapshot_build(&world.config, NULL, NULL, WORLD_NOW, &diags, &snapshot), ERR_NONE);
    struct journal_config journal_config = {.path = world.journal};
    memcpy(journal_config.epoch, epoch, sizeof(epoch));
    assert_int_equal(journal_writer_open(&journal_config, &journal), ERR_NONE);
    const struct check_context_config config = {.config = &world.config,
                                                .snapshot = snapshot,
                                                .epoch = epoch,
                                                .journal = journal,
                                                .metrics = &metrics,
                                                .refusals = &refusals,
                                                .shadow = &shadow,
                                                .subject_key = VIEW("0123456789abcdef")};
    assert_int_equal(check_context_open(&config, &context), ERR_NONE);
    char *certificate = world_certificate(&world, WORLD_CONSOLE), *bearer = world_bearer(&world, 60);
    const struct check_request_pair headers[] = {{"authorization", bearer}, {"x-request-id", "r"}, {"accept", "*"}};
    const struct check_request_parts parts = {.method = "POST",
                                              .path = "/v1/models/fraud-v3:predict",
                                              .host = "eu.models.example",
                                              .headers = headers,
                                              .header_count = 3,
                                              .certificate = certificate,
                                              .source_address = "10.0.0.1"};
    struct view bytes = check_request_builder_build(&parts);
    struct check_clock clock = {.realtime_ns = WORLD_NOW * 1000000000, .boottime_ns = 1};
    struct check check = {.bytes = bytes};
    check_run(context, &check, &clock, &reply); /* warms up */
    uint64_t before = metrics_decisions(&metrics, VERDICT_ALLOW, REASON_RULE);
    assert_int_equal(before, 1);

    is_counting = true;
    for (int i = 0; i < WARM_CHECKS; i++) {
        check = (struct check){.bytes = bytes};
        if (check_begin(context, &check, &clock, &reply) != CHECK_ANSWERED)
            abort();
    }
    is_counting = false;
    assert_int_equal(metrics_decisions(&metrics, VERDICT_ALLOW, REASON_RULE), before + WARM_CHECKS);
    assert_int_equal(allocations, 0);
    shadow_log_read(&shadow, &counts);
    assert_int_equal(counts.checks, has_shadow ? WARM_CHECKS + 1 : 0);

    free((void *)(uintptr_t)bytes.data);
    free(certificate);
    free(bearer);
    check_context_close(context);
    journal_writer_close(journal);
    snapshot_drop(snapshot);
    arena_free(&arena);
    world_remove(&world);
}

static void a_warm_check_allocates_nothing(void **state)
{
    (void)state;
    expect_no_allocation(false);
}

static void a_warm_check_with_a_shadow_allocates_nothing(void **state)
{
    (void)state;
    expect_no_allocation(true);
}

static void the_counting_sees_allocations(void **state)
{
    (void)state;
    unsigned before = allocations;
    struct arena arena; /* base's malloc, in another archive */
    arena_init(&arena, 64 * 1024);
    is_counting = true;
    assert_non_null(arena_take(&arena, 16));
    is_counting = false;
    arena_free(&arena);
    assert_int_equal(allocations, before + 1);
    allocations = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counting_sees_allocations),
        cmocka_unit_test(a_warm_check_allocates_nothing),
        cmocka_unit_test(a_warm_check_with_a_shadow_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
