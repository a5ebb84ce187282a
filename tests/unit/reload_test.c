/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "world.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_SECONDS = 10 };

struct fixture {
    struct world world;
    struct snapshot *initial;
    struct reload *reload;
    struct reload_result result;
    pthread_mutex_t lock;
    pthread_cond_t came;
    uint64_t generation; /* of the newest delivered */
    int refusals;
    char message[RELOAD_MESSAGE_MAX];
};

static void deliver(void *context, const struct reload_outcome *outcome)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock);
    if (outcome->snapshot != NULL)
        f->generation = outcome->snapshot->generation;
    if (outcome->error != ERR_NONE) {
        f->refusals++;
        memcpy(f->message, outcome->message, sizeof(f->message));
    }
    pthread_cond_broadcast(&f->came);
    pthread_mutex_unlock(&f->lock);
    snapshot_drop(outcome->snapshot);
}

static struct timespec deadline(void)
{
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_SECONDS;
    return until;
}

/* True when a snapshot of at least this generation came in time. */
static bool wait_generation(struct fixture *f, uint64_t generation)
{
    struct timespec until = deadline();
    int error = 0;
    pthread_mutex_lock(&f->lock);
    while (f->generation < generation && error == 0)
        error = pthread_cond_timedwait(&f->came, &f->lock, &until);
    bool came = f->generation >= generation;
    pthread_mutex_unlock(&f->lock);
    return came;
}

static bool wait_refusal(struct fixture *f)
{
    struct timespec until = deadline();
    int error = 0;
    pthread_mutex_lock(&f->lock);
    while (f->refusals == 0 && error == 0)
        error = pthread_cond_timedwait(&f->came, &f->lock, &until);
    bool came = f->refusals > 0;
    pthread_mutex_unlock(&f->lock);
    return came;
}

static void begin(struct fixture *f, uint32_t poll_milliseconds)
{
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    assert_int_equal(snapshot_build(&f->world.config, NULL, NULL, WORLD_NOW, &diags, &f->initial), ERR_NONE);
    arena_free(&arena);
    const struct reload_config config = {.config = &f->world.config,
                                         .initial = f->initial,
                                         .poll_milliseconds = poll_milliseconds,
                                         .deliver = deliver,
                                         .context = f};
    assert_int_equal(reload_open(&config, &f->reload), ERR_NONE);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->came, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reload_close(f->reload);
    snapshot_drop(f->initial);
    world_remove(&f->world);
    free(f);
    return 0;
}

enum { NEVER = 1000 * 1000 };

static void a_renamed_file_is_taken_without_being_told(void **state)
{
    struct fixture *f = *state;
    begin(f, NEVER);
    world_replace_authority(&f->world);
    assert_true(wait_generation(f, 2));
}

static void a_file_that_is_bad_changes_nothing_and_says_where(void **state)
{
    struct fixture *f = *state;
    begin(f, NEVER);
    world_write(f->world.policy, "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nnonsense: 1\n");
    assert_true(wait_refusal(f));
    assert_non_null(strstr(f->message, "policy.yaml:"));
    assert_int_equal(f->generation, 0);
}

static void a_forced_reload_answers_with_the_generation_in_force(void **state)
{
    struct fixture *f = *state;
    begin(f, NEVER);
    assert_int_equal(reload_now(f->reload, RELOAD_ALL, &f->result), ERR_NONE);
    assert_int_equal(f->result.error, ERR_NONE);
    assert_int_equal(f->result.generation, 1); /* nothing changed */
    world_replace_authority(&f->world);
    assert_int_equal(reload_now(f->reload, RELOAD_ALL, &f->result), ERR_NONE);
    assert_int_equal(f->result.generation, 2);
    assert_int_equal(f->generation, 2); /* delivered before it was answered */
}

static void a_forced_reload_of_bad_files_answers_with_the_findings(void **state)
{
    struct fixture *f = *state;
    begin(f, NEVER);
    world_write(f->world.bundle, "-----BEGIN CERTIFICATE-----\n");
    assert_int_equal(reload_now(f->reload, RELOAD_ALL, &f->result), ERR_NONE);
    assert_int_equal(f->result.error, ERR_INVALID);
    assert_int_equal(f->result.generation, 1);
    assert_int_equal(f->result.diags[0], '[');
    assert_non_null(strstr(f->result.diags, "bundle.pem"));
    char *before = strdup(f->result.message);
    assert_true(before[0] != '\0');
    free(before);
}

static void a_revocation_is_taken_beside_a_policy_that_is_refused(void **state)
{
    struct fixture *f = *state;
    begin(f, NEVER);
    world_write(f->world.policy, "kind: nonsense\n");
    world_write_revocations(&f->world, "list.yaml", 3, NULL);
    assert_int_equal(reload_now(f->reload, RELOAD_ALL, &f->result), ERR_NONE);
    assert_int_equal(f->result.error, ERR_INVALID);
    assert_non_null(strstr(f->result.message, "policy.yaml:"));
    assert_true(f->result.generation > 1);
    assert_int_equal(f->generation, f->result.generation);
    assert_true(f->refusals > 0);
}

/* A ConfigMap mount: DIR/..data -> DIR/..GENERATION, and each file a symlink into ..data. */
static void a_config_map_swap_is_taken(void **state)
{
    struct fixture *f = *state;
    char mount[WORLD_PATH_MAX + 16], one[WORLD_PATH_MAX + 32], two[WORLD_PATH_MAX + 32], path[WORLD_PATH_MAX + 64];
    char data[WORLD_PATH_MAX + 32], next[WORLD_PATH_MAX + 32];
    (void)snprintf(mount, sizeof(mount), "%s/mount", f->world.folder);
    (void)snprintf(one, sizeof(one), "%s/..one", mount);
    (void)snprintf(two, sizeof(two), "%s/..two", mount);
    (void)snprintf(data, sizeof(data), "%s/..data", mount);
    (void)snprintf(next, sizeof(next), "%s/..data_next", mount);
    assert_int_equal(mkdir(mount, 0700) | mkdir(one, 0700) | mkdir(two, 0700), 0);
    char *text = world_read(f->world.bundle);
    (void)snprintf(path, sizeof(path), "%s/bundle.pem", one);
    world_write(path, text);
    free(text);
    world_replace_authority(&f->world);
    text = world_read(f->world.bundle);
    (void)snprintf(path, sizeof(path), "%s/bundle.pem", two);
    world_write(path, text);
    free(text);
    assert_int_equal(symlink("..one", data), 0);
    (void)snprintf(path, sizeof(path), "%s/bundle.pem", mount);
    assert_int_equal(symlink("..data/bundle.pem", path), 0);
    f->world.domain.bundle = path;
    begin(f, NEVER);
    assert_int_equal(symlink("..two", next), 0);
    assert_int_equal(rename(next, data), 0);
    assert_true(wait_generation(f, 2));
    char command[WORLD_PATH_MAX + 64];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", mount);
    assert_int_equal(system(command), 0);
}

static void a_file_whose_folders_come_later_is_found(void **state)
{
    struct fixture *f = *state;
    char elsewhere[WORLD_PATH_MAX + 16], outer[WORLD_PATH_MAX + 32], inner[WORLD_PATH_MAX + 48];
    char path[WORLD_PATH_MAX + 64];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s-2", f->world.folder);
    (void)snprintf(outer, sizeof(outer), "%s/outer", elsewhere);
    (void)snprintf(inner, sizeof(inner), "%s/inner", outer);
    (void)snprintf(path, sizeof(path), "%s/bundle.pem", inner);
    f->world.domain.bundle = path;
    f->world.domain.is_owned_by_feed = true;
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    begin(f, NEVER);
    assert_false(f->initial->is_ready);
    assert_int_equal(mkdir(outer, 0700) | mkdir(inner, 0700), 0);
    char *text = world_read(f->world.bundle);
    world_write(path, text);
    free(text);
    assert_true(wait_generation(f, 2));
    assert_int_equal(unlink(path) | rmdir(inner) | rmdir(outer) | rmdir(elsewhere), 0);
}

static void polling_finds_what_was_not_announced(void **state)
{
    struct fixture *f = *state;
    begin(f, 50);
    /* A file whose folder is not watched: a hard link elsewhere to the same inode. */
    char elsewhere[WORLD_PATH_MAX + 16], other[WORLD_PATH_MAX + 32];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s-2", f->world.folder);
    (void)snprintf(other, sizeof(other), "%s/link", elsewhere);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(link(f->world.policy, other), 0);
    FILE *file = fopen(other, "a");
    assert_non_null(file);
    assert_true(fputs("# a comment that changes the bytes\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_true(wait_generation(f, 2));
    (void)unlink(other);
    (void)rmdir(elsewhere);
}

/* As `rsync --inplace --times` does: the same inode, size and mtime, other bytes. */
static void a_file_with_the_old_time_is_seen_to_have_changed(void **state)
{
    struct fixture *f = *state;
    struct stat before;
    char path[WORLD_PATH_MAX + 16];
    static const char list[] =
        "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: %d}\nentries: []\n";
    (void)snprintf(path, sizeof(path), "%s/list.yaml", f->world.revocations);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, list, 1) > 0);
    assert_int_equal(fclose(file), 0);
    begin(f, 20);
    assert_int_equal(reload_now(f->reload, RELOAD_ALL, &f->result), ERR_NONE);
    assert_int_equal(stat(path, &before), 0);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_true(fprintf(file, list, 2) > 0);
    assert_int_equal(fclose(file), 0);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(wait_generation(f, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_renamed_file_is_taken_without_being_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_bad_changes_nothing_and_says_where, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forced_reload_answers_with_the_generation_in_force, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forced_reload_of_bad_files_answers_with_the_findings, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revocation_is_taken_beside_a_policy_that_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_config_map_swap_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_whose_folders_come_later_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_with_the_old_time_is_seen_to_have_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(polling_finds_what_was_not_announced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
