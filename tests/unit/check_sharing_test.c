/* SPDX-License-Identifier: Apache-2.0 */
/* A crowd that brings the same new certificate costs one verification, and whoever
 * waits is answered by what came out, never by less. */
#include "check.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct world world;
    struct snapshot *snapshot;
    struct metrics metrics;
    struct check_context *context;
    struct check_reply reply;
    struct check_clock clock;
    char *console, *web, *alice, *later; /* two certificates, two tokens */
};

static const uint8_t epoch[JOURNAL_EPOCH_BYTES] = {7};

static void take_snapshot(struct fixture *f)
{
    struct arena arena;
    struct diag_list diags;
    struct snapshot *next = NULL;
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    assert_int_equal(snapshot_build(&f->world.config, NULL, f->snapshot, WORLD_NOW, &diags, &next), ERR_NONE);
    arena_free(&arena);
    snapshot_drop(f->snapshot);
    f->snapshot = next;
    if (f->context != NULL)
        assert_int_equal(check_context_replace(f->context, next), ERR_NONE);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    take_snapshot(f);
    const struct check_context_config config = {.config = &f->world.config,
                                                .snapshot = f->snapshot,
                                                .epoch = epoch,
                                                .metrics = &f->metrics,
                                                .hash_key = {.seed = {1, 2}}};
    assert_int_equal(check_context_open(&config, &f->context), ERR_NONE);
    f->clock = (struct check_clock){.realtime_ns = WORLD_NOW * 1000000000, .boottime_ns = 1};
    f->console = world_certificate(&f->world, WORLD_CONSOLE);
    f->web = world_certificate(&f->world, WORLD_WEB);
    f->alice = world_bearer(&f->world, 60);
    f->later = world_bearer(&f->world, 61);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    check_context_close(f->context);
    snapshot_drop(f->snapshot);
    free(f->console);
    free(f->web);
    free(f->alice);
    free(f->later);
    world_remove(&f->world);
    free(f);
    return 0;
}

static struct check new_check(const char *certificate, const char *bearer)
{
    const struct check_request_pair headers[] = {{"authorization", bearer}};
    const struct check_request_parts parts = {.method = "POST",
                                              .path = "/v1/models/fraud-v3:predict",
                                              .host = "eu.models.example",
                                              .headers = headers,
                                              .header_count = 1,
                                              .certificate = certificate,
                                              .source_address = "10.0.0.1"};
    return (struct check){.bytes = check_request_builder_build(&parts)};
}

static void free_check(struct fixture *f, struct check *check)
{
    check_drop(f->context, check);
    free((void *)(uintptr_t)check->bytes.data);
}

static enum check_step begin(struct fixture *f, struct check *check)
{
    return check_begin(f->context, check, &f->clock, &f->reply);
}

static enum check_step finish(struct fixture *f, struct check *check)
{
    check_work(check);
    return check_resume(f->context, check, &f->clock, &f->reply);
}

static uint64_t allowed(const struct fixture *f)
{
    return metrics_decisions(&f->metrics, VERDICT_ALLOW, REASON_RULE);
}

static void a_crowd_with_one_new_caller_is_verified_once(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, f->alice), second = new_check(f->console, f->alice),
                 third = new_check(f->console, f->alice);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    assert_int_equal(begin(f, &third), CHECK_WAITING);
    assert_null(check_next_released(f->context));
    assert_int_equal(finish(f, &first), CHECK_ANSWERED);
    assert_ptr_equal(check_next_released(f->context), &second);
    assert_int_equal(begin(f, &second), CHECK_ANSWERED);
    assert_ptr_equal(check_next_released(f->context), &third);
    assert_int_equal(begin(f, &third), CHECK_ANSWERED);
    assert_null(check_next_released(f->context));
    assert_int_equal(allowed(f), 3);
    assert_int_equal(metrics_get(&f->metrics, METRIC_CHECKS_SHARED), 2);
    assert_int_equal(metrics_get(&f->metrics, METRIC_CERTIFICATE_MISSES), 3);
    free_check(f, &first);
    free_check(f, &second);
    free_check(f, &third);
}

static void another_certificate_is_verified_by_itself(void **state)
{
    struct fixture *f = *state;
    struct check console = new_check(f->console, NULL), web = new_check(f->web, NULL);
    assert_int_equal(begin(f, &console), CHECK_PARKED);
    assert_int_equal(begin(f, &web), CHECK_PARKED);
    assert_int_equal(finish(f, &console), CHECK_ANSWERED);
    assert_null(check_next_released(f->context));
    assert_int_equal(finish(f, &web), CHECK_ANSWERED);
    free_check(f, &console);
    free_check(f, &web);
}

static void a_second_token_of_a_new_caller_waits_for_the_caller_then_is_verified(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, f->alice), second = new_check(f->console, f->later);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    assert_int_equal(finish(f, &first), CHECK_ANSWERED);
    assert_ptr_equal(check_next_released(f->context), &second);
    assert_int_equal(begin(f, &second), CHECK_PARKED);
    assert_int_equal(finish(f, &second), CHECK_ANSWERED);
    assert_int_equal(allowed(f), 2);
    free_check(f, &first);
    free_check(f, &second);
}

static void who_waits_for_a_refused_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    char *expired = world_expired_certificate(&f->world, WORLD_CONSOLE);
    struct check first = new_check(expired, f->alice), second = new_check(expired, f->alice);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    assert_int_equal(finish(f, &first), CHECK_ANSWERED);
    assert_ptr_equal(check_next_released(f->context), &second);
    assert_int_equal(begin(f, &second), CHECK_ANSWERED);
    assert_int_equal(metrics_decisions(&f->metrics, VERDICT_DENY, REASON_CERTIFICATE_EXPIRED), 2);
    free_check(f, &first);
    free_check(f, &second);
    free(expired);
}

static void who_waits_is_not_answered_by_what_an_older_bundle_proved(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, NULL), second = new_check(f->console, NULL),
                 third = new_check(f->console, NULL);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    check_work(&first); /* good under the old bundle */
    world_replace_authority(&f->world);
    take_snapshot(f);
    assert_int_equal(begin(f, &third), CHECK_PARKED); /* it does not wait for that */
    assert_int_equal(check_resume(f->context, &first, &f->clock, &f->reply), CHECK_WAITING);
    assert_ptr_equal(check_next_released(f->context), &second);
    assert_int_equal(begin(f, &second), CHECK_PARKED); /* it has waited once */
    assert_int_equal(finish(f, &third), CHECK_ANSWERED);
    assert_ptr_equal(check_next_released(f->context), &first);
    assert_int_equal(begin(f, &first), CHECK_ANSWERED);
    assert_int_equal(finish(f, &second), CHECK_ANSWERED);
    assert_int_equal(metrics_decisions(&f->metrics, VERDICT_DENY, REASON_CERTIFICATE_UNTRUSTED), 3);
    assert_int_equal(allowed(f), 0);
    free_check(f, &first);
    free_check(f, &second);
    free_check(f, &third);
}

static void a_verifier_that_is_refused_or_dropped_releases_who_waits(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, f->alice), second = new_check(f->console, f->alice),
                 third = new_check(f->console, f->alice);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    check_refuse(f->context, &first, REASON_OVERLOAD, &f->clock, &f->reply);
    assert_ptr_equal(check_next_released(f->context), &second);
    assert_int_equal(begin(f, &second), CHECK_PARKED);
    assert_int_equal(begin(f, &third), CHECK_WAITING);
    check_drop(f->context, &second);
    assert_ptr_equal(check_next_released(f->context), &third);
    assert_int_equal(begin(f, &third), CHECK_PARKED);
    assert_int_equal(finish(f, &third), CHECK_ANSWERED);
    assert_int_equal(allowed(f), 1);
    free_check(f, &first);
    free_check(f, &second);
    free_check(f, &third);
}

static void a_check_that_waits_can_be_refused_or_dropped(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, f->alice), second = new_check(f->console, f->alice),
                 third = new_check(f->console, f->alice);
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    assert_int_equal(begin(f, &third), CHECK_WAITING);
    check_refuse(f->context, &second, REASON_OVERLOAD, &f->clock, &f->reply);
    check_drop(f->context, &third);
    assert_int_equal(finish(f, &first), CHECK_ANSWERED);
    assert_null(check_next_released(f->context));
    free_check(f, &first);
    free_check(f, &second);
    free_check(f, &third);
}

static void no_more_checks_wait_than_the_queue_may_hold(void **state)
{
    struct fixture *f = *state;
    struct check first = new_check(f->console, f->alice), second = new_check(f->console, f->alice),
                 third = new_check(f->console, f->alice);
    f->world.config.limits.queue = 1;
    assert_int_equal(begin(f, &first), CHECK_PARKED);
    assert_int_equal(begin(f, &second), CHECK_WAITING);
    assert_int_equal(begin(f, &third), CHECK_PARKED);
    free_check(f, &first);
    free_check(f, &second);
    free_check(f, &third);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_crowd_with_one_new_caller_is_verified_once),
        CASE(another_certificate_is_verified_by_itself),
        CASE(a_second_token_of_a_new_caller_waits_for_the_caller_then_is_verified),
        CASE(who_waits_for_a_refused_certificate_is_refused),
        CASE(who_waits_is_not_answered_by_what_an_older_bundle_proved),
        CASE(a_verifier_that_is_refused_or_dropped_releases_who_waits),
        CASE(a_check_that_waits_can_be_refused_or_dropped),
        CASE(no_more_checks_wait_than_the_queue_may_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
