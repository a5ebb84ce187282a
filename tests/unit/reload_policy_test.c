/* SPDX-License-Identifier: Apache-2.0 */
/* Reloads while a policy is made elsewhere, by a compiler that takes as long as a test wants it to. */
#include "reload.h"

#include "world.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_SECONDS = 10, NEVER = 1000 * 1000 };

/* Compiles what was asked for last, when it is let. */
struct slow_compiler {
    pthread_mutex_t lock;
    uint8_t fingerprint[SHA256_BYTES];
    bool is_running, refuses; /* every compile, as soon as it has begun */
    int started, may_end, fd; /* may_end: the compiles up to that one */
};

/* Of the newest snapshot that was delivered; all zero before one was. */
struct seen {
    uint64_t generation, policy_generation, bundle_generation, sequence;
    size_t rules;
};

struct fixture {
    struct world world;
    struct slow_compiler slow;
    struct policy_compiler compiler;
    struct snapshot *initial;
    struct reload *reload;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct seen newest;
    int refusals;
    bool is_under_way;
};

static void wake(const struct slow_compiler *slow)
{
    const uint64_t one = 1;
    assert_int_equal(write(slow->fd, &one, sizeof(one)), sizeof(one));
}

static enum err build_slowly(void *context, const struct policy_order *order, struct diag_list *diags,
                             struct policy **out)
{
    struct slow_compiler *slow = context;
    if (!order->is_later)
        return policy_build(order->sources, order->count, diags, out);
    pthread_mutex_lock(&slow->lock);
    uint64_t ignored;
    ssize_t drained = read(slow->fd, &ignored, sizeof(ignored));
    (void)drained;
    bool is_it = slow->is_running && memcmp(slow->fingerprint, order->fingerprint, SHA256_BYTES) == 0;
    bool has_ended = is_it && slow->started <= slow->may_end;
    if (!is_it) {
        memcpy(slow->fingerprint, order->fingerprint, SHA256_BYTES);
        slow->started++;
        if (slow->refuses) {
            slow->may_end = slow->started;
            wake(slow);
        }
    }
    slow->is_running = !has_ended;
    bool refuses = slow->refuses;
    pthread_mutex_unlock(&slow->lock);
    if (has_ended && refuses) {
        diag_error(diags, "E0907", &(struct span){.file = order->sources[0].name}, "it was killed");
        return ERR_IO;
    }
    return has_ended ? policy_build(order->sources, order->count, diags, out) : ERR_NONE;
}

static void keep_everything(void *context)
{
    (void)context;
}

static int started(struct fixture *f)
{
    pthread_mutex_lock(&f->slow.lock);
    int count = f->slow.started;
    pthread_mutex_unlock(&f->slow.lock);
    return count;
}

static void wait_started(struct fixture *f, int count)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < DEADLINE_SECONDS * 1000 && started(f) < count; i++)
        (void)nanosleep(&moment, NULL);
    assert_int_equal(started(f), count);
}

/* That compile may end, though not one that has taken its place meanwhile, and the reload hears of it. */
static void let_end(struct fixture *f, int compile, bool refuses)
{
    pthread_mutex_lock(&f->slow.lock);
    f->slow.may_end = compile;
    f->slow.refuses = refuses;
    pthread_mutex_unlock(&f->slow.lock);
    wake(&f->slow);
}

static void deliver(void *context, const struct reload_outcome *outcome)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock);
    const struct snapshot *snapshot = outcome->snapshot;
    if (snapshot != NULL)
        f->newest = (struct seen){.generation = snapshot->generation,
                                  .policy_generation = snapshot->policy_generation,
                                  .bundle_generation = snapshot->bundle_generation,
                                  .sequence = revocations_sequence(snapshot->revocations),
                                  .rules = policy_rule_count(snapshot->policy)};
    f->refusals += outcome->error != ERR_NONE;
    f->is_under_way = outcome->is_under_way;
    pthread_cond_broadcast(&f->came);
    pthread_mutex_unlock(&f->lock);
    snapshot_drop(outcome->snapshot);
}

static struct seen newest(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    struct seen seen = f->newest;
    pthread_mutex_unlock(&f->lock);
    return seen;
}

/* Waits for a delivery after which it holds. */
static bool wait_until(struct fixture *f, bool (*holds)(const struct fixture *f))
{
    struct timespec until = {0};
    int error = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_SECONDS;
    pthread_mutex_lock(&f->lock);
    while (!holds(f) && error == 0)
        error = pthread_cond_timedwait(&f->came, &f->lock, &until);
    bool came = holds(f);
    pthread_mutex_unlock(&f->lock);
    return came;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct arena arena;
    struct diag_list diags;
    world_make(&f->world);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_mutex_init(&f->slow.lock, NULL);
    (void)pthread_cond_init(&f->came, NULL);
    f->slow.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->compiler =
        (struct policy_compiler){.build = build_slowly, .rest = keep_everything, .context = &f->slow, .fd = f->slow.fd};
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    assert_int_equal(snapshot_build(&f->world.config, &f->compiler, NULL, WORLD_NOW, &diags, &f->initial), ERR_NONE);
    arena_free(&arena);
    const struct reload_config config = {.config = &f->world.config,
                                         .compiler = &f->compiler,
                                         .initial = f->initial,
                                         .poll_milliseconds = NEVER,
                                         .deliver = deliver,
                                         .context = f};
    assert_int_equal(reload_open(&config, &f->reload), ERR_NONE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reload_close(f->reload);
    (void)close(f->compiler.fd);
    snapshot_drop(f->initial);
    world_remove(&f->world);
    free(f);
    return 0;
}

static struct reload_result *ask(struct fixture *f, enum reload_wait wait, enum err expected)
{
    static struct reload_result result;
    assert_int_equal(reload_now(f->reload, wait, &result), expected);
    return &result;
}

/* A policy of so many rules more than the world's five. */
static void write_policy(struct fixture *f, int more)
{
    static char *original;
    char text[16 * 1024];
    if (original == NULL)
        original = world_read(f->world.policy);
    char *tests = strstr(original, "\n  tests:");
    int size = snprintf(text, sizeof(text), "%.*s\n", tests != NULL ? (int)(tests - original) : (int)strlen(original),
                        original);
    for (int i = 0; i < more; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size,
                         "    - {allow: more-%d, subjects: any, actions: [health]}\n", i);
    world_write(f->world.policy, text);
}

static bool has_two_more(const struct fixture *f)
{
    return f->newest.rules == 7 && !f->is_under_way;
}

static void revocations_and_bundles_are_taken_while_a_policy_is_made(void **state)
{
    struct fixture *f = *state;
    write_policy(f, 2);
    assert_true(ask(f, RELOAD_FILES, ERR_NONE)->is_under_way);
    wait_started(f, 1);
    assert_true(reload_under_way_since(f->reload) > 0);
    world_write_revocations(&f->world, "list.yaml", 4, NULL);
    world_replace_authority(&f->world);
    assert_true(ask(f, RELOAD_FILES, ERR_NONE)->is_under_way);
    assert_int_equal(newest(f).sequence, 4);
    assert_true(newest(f).bundle_generation > 1);
    assert_int_equal(newest(f).policy_generation, 1);
    uint64_t before = newest(f).generation;
    let_end(f, 1, false);
    assert_true(wait_until(f, has_two_more));
    assert_int_equal(newest(f).generation, before + 1);
    assert_int_equal(newest(f).policy_generation, before + 1);
    assert_int_equal(newest(f).sequence, 4);
    assert_int_equal(started(f), 1);
    ask(f, RELOAD_ALL, ERR_NONE);
    assert_int_equal(reload_under_way_since(f->reload), 0);
}

static bool has_three_more(const struct fixture *f)
{
    return f->newest.rules == 8 && !f->is_under_way;
}

static void of_policies_that_change_meanwhile_the_newest_counts(void **state)
{
    struct fixture *f = *state;
    write_policy(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    wait_started(f, 1);
    write_policy(f, 3);
    let_end(f, 1, false); /* the older one has ended, and its file is gone */
    wait_started(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    assert_int_equal(newest(f).rules, 5);
    let_end(f, 2, false);
    assert_true(wait_until(f, has_three_more));
    assert_int_equal(started(f), 2);
}

static void the_policy_in_force_put_back_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    char *original = world_read(f->world.policy);
    write_policy(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    wait_started(f, 1);
    world_write(f->world.policy, original);
    free(original);
    let_end(f, 1, false);
    assert_int_equal(ask(f, RELOAD_ALL, ERR_NONE)->error, ERR_NONE);
    assert_int_equal(newest(f).rules, 5);
    assert_int_equal(newest(f).policy_generation, 1);
    assert_int_equal(reload_under_way_since(f->reload), 0);
}

static void a_refusal_elsewhere_leaves_the_policy_and_is_told_to_who_waits(void **state)
{
    struct fixture *f = *state;
    write_policy(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    wait_started(f, 1);
    let_end(f, 1, true);
    struct reload_result *result = ask(f, RELOAD_ALL, ERR_NONE);
    assert_int_equal(result->error, ERR_IO);
    assert_non_null(strstr(result->message, "it was killed"));
    assert_int_equal(newest(f).rules, 5);
}

struct asker {
    struct fixture *f;
    pthread_t thread;
    struct reload_result result;
    enum err error;
};

static void *run_asker(void *argument)
{
    struct asker *asker = argument;
    asker->error = reload_now(asker->f->reload, RELOAD_ALL, &asker->result);
    return NULL;
}

static struct asker *begin_asker(struct fixture *f)
{
    struct asker *asker = calloc(1, sizeof(*asker));
    asker->f = f;
    assert_int_equal(pthread_create(&asker->thread, NULL, run_asker, asker), 0);
    return asker;
}

static void who_waits_for_all_gets_the_end_and_stops_nobody_else(void **state)
{
    struct fixture *f = *state;
    write_policy(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    wait_started(f, 1);
    struct asker *one = begin_asker(f), *two = begin_asker(f);
    for (int sequence = 1; sequence < 20; sequence++) {
        world_write_revocations(&f->world, "list.yaml", sequence, NULL);
        assert_int_equal(ask(f, RELOAD_FILES, ERR_NONE)->error, ERR_NONE);
        assert_int_equal(newest(f).sequence, sequence);
    }
    let_end(f, 1, false);
    assert_int_equal(pthread_join(one->thread, NULL) | pthread_join(two->thread, NULL), 0);
    assert_int_equal(one->error, ERR_NONE);
    assert_int_equal(one->result.error, ERR_NONE);
    assert_false(one->result.is_under_way);
    assert_int_equal(two->error, ERR_NONE);
    assert_int_equal(one->result.generation, newest(f).generation);
    assert_int_equal(newest(f).rules, 7);
    free(one);
    free(two);
}

static void the_end_waits_for_nothing_that_is_made_elsewhere(void **state)
{
    struct fixture *f = *state;
    write_policy(f, 2);
    ask(f, RELOAD_FILES, ERR_NONE);
    wait_started(f, 1);
    struct asker *asker = begin_asker(f);
    reload_end(f->reload);
    assert_int_equal(pthread_join(asker->thread, NULL), 0);
    assert_int_equal(asker->error, ERR_STALE);
    free(asker);
    ask(f, RELOAD_FILES, ERR_STALE);
}

static void a_list_that_is_refused_and_a_policy_that_is_taken_are_both_told(void **state)
{
    struct fixture *f = *state;
    world_write_revocations(&f->world, "list.yaml", 4, NULL);
    ask(f, RELOAD_ALL, ERR_NONE);
    write_policy(f, 2);
    world_write_revocations(&f->world, "list.yaml", 3, NULL);
    assert_int_equal(ask(f, RELOAD_FILES, ERR_NONE)->error, ERR_STALE);
    wait_started(f, 1);
    let_end(f, 1, false);
    assert_true(wait_until(f, has_two_more));
    assert_int_equal(newest(f).sequence, 4);
    pthread_mutex_lock(&f->lock);
    assert_true(f->refusals > 0);
    pthread_mutex_unlock(&f->lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(revocations_and_bundles_are_taken_while_a_policy_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(of_policies_that_change_meanwhile_the_newest_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_policy_in_force_put_back_is_not_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_elsewhere_leaves_the_policy_and_is_told_to_who_waits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_waits_for_all_gets_the_end_and_stops_nobody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_waits_for_nothing_that_is_made_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_that_is_refused_and_a_policy_that_is_taken_are_both_told, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
