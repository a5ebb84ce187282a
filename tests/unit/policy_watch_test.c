/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_watch.h"

#include "small_folder.h"

struct fixture {
    struct small_folder folder;
    struct config config;
    struct policy_watch watch;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    f.config.audit.journal.path = f.folder.path;
    policy_watch_init(&f.watch, &f.config);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    (void)pthread_mutex_destroy(&f->watch.lock);
    small_folder_remove(&f->folder);
    return 0;
}

static enum err mark(struct fixture *f, uint64_t revision, const char *override)
{
    struct policy_standing standing = {.is_signed = true, .revision = revision, .good_until = INT64_MAX};
    (void)snprintf(standing.override, sizeof(standing.override), "%s", override);
    return policy_watch_mark(&f->watch, &standing);
}

static uint64_t kept(const struct fixture *f)
{
    uint64_t revision = 0;
    assert_int_equal(policy_mark_read(f->folder.path, &revision), ERR_NONE);
    return revision;
}

static void a_revision_that_rose_before_the_lock_was_had_is_not_lowered(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(policy_mark_write(f->folder.path, 42), ERR_NONE);
    assert_int_equal(mark(f, 41, ""), ERR_STALE);
    assert_int_equal(kept(f), 42);
    assert_int_equal(mark(f, 42, ""), ERR_NONE);
    assert_int_equal(mark(f, 43, ""), ERR_NONE);
    assert_int_equal(kept(f), 43);
}

static void leave_lowers_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(policy_mark_write(f->folder.path, 42), ERR_NONE);
    assert_int_equal(mark(f, 41, "by leave"), ERR_NONE);
    assert_int_equal(kept(f), 41);
}

static void where_nobody_signs_a_mark_is_made_and_none_is_changed(void **state)
{
    struct fixture *f = *state;
    const struct policy_standing unsigned_one = {.good_until = INT64_MAX};
    assert_int_equal(policy_watch_mark(&f->watch, &unsigned_one), ERR_NONE);
    assert_int_equal(kept(f), 0);
    assert_int_equal(policy_mark_write(f->folder.path, 42), ERR_NONE);
    assert_int_equal(policy_watch_mark(&f->watch, &unsigned_one), ERR_NONE);
    assert_int_equal(kept(f), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_revision_that_rose_before_the_lock_was_had_is_not_lowered, begin, finish),
        cmocka_unit_test_setup_teardown(leave_lowers_it, begin, finish),
        cmocka_unit_test_setup_teardown(where_nobody_signs_a_mark_is_made_and_none_is_changed, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
