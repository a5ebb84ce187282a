/* SPDX-License-Identifier: Apache-2.0 */
#include "file_watch.h"

#include "small_folder.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

enum { DEADLINE_MS = 10000 };

struct fixture {
    struct small_folder folder;
    struct file_watch *watch;
};

static void put(struct fixture *f, const char *name, const char *text)
{
    small_folder_put_bytes(&f->folder, name, text, strlen(text));
}

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    put(&f, "watched", "one");
    const char *paths[] = {small_folder_path(&f.folder, "watched")};
    assert_int_equal(file_watch_open(paths, 1, &f.watch), ERR_NONE);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    file_watch_close(f->watch);
    small_folder_remove(&f->folder);
    return 0;
}

static bool is_readable(const struct fixture *f, int wait_ms)
{
    struct pollfd event = {.fd = file_watch_descriptor(f->watch), .events = POLLIN};
    return poll(&event, 1, wait_ms) == 1;
}

static void a_written_file_shows_and_an_unchanged_folder_does_not(void **state)
{
    struct fixture *f = *state;
    assert_false(is_readable(f, 0));
    put(f, "watched", "two");
    assert_true(is_readable(f, DEADLINE_MS));
    file_watch_drain(f->watch);
    assert_false(is_readable(f, 0));
}

static void a_rename_over_the_file_shows_and_changes_the_fingerprint(void **state)
{
    struct fixture *f = *state;
    char fresh[160];
    put(f, "fresh", "one");
    file_watch_drain(f->watch);
    uint64_t before = file_watch_fingerprint(f->watch);
    assert_int_equal(file_watch_fingerprint(f->watch), before);
    (void)snprintf(fresh, sizeof(fresh), "%s/fresh", f->folder.path);
    assert_int_equal(rename(fresh, small_folder_path(&f->folder, "watched")), 0);
    assert_true(is_readable(f, DEADLINE_MS));
    assert_int_not_equal(file_watch_fingerprint(f->watch), before);
}

static void a_neighbour_leaves_the_fingerprint_and_a_removal_changes_it(void **state)
{
    struct fixture *f = *state;
    uint64_t before = file_watch_fingerprint(f->watch);
    put(f, "neighbour", "x");
    assert_int_equal(file_watch_fingerprint(f->watch), before);
    assert_int_equal(unlink(small_folder_path(&f->folder, "watched")), 0);
    assert_int_not_equal(file_watch_fingerprint(f->watch), before);
}

/* Watches `path` in place of the fixture's own. */
static void watch_instead(struct fixture *f, const char *path)
{
    file_watch_close(f->watch);
    f->watch = NULL;
    assert_int_equal(file_watch_open(&path, 1, &f->watch), ERR_NONE);
}

static void a_folder_shows_a_new_file_but_its_fingerprint_no_hidden_one(void **state)
{
    struct fixture *f = *state;
    watch_instead(f, f->folder.path);
    uint64_t before = file_watch_fingerprint(f->watch);
    /* The folder's own times change with each entry, so only an entry that stays is written to. */
    put(f, ".hidden", "x");
    put(f, "shown", "x");
    assert_true(is_readable(f, DEADLINE_MS));
    uint64_t after = file_watch_fingerprint(f->watch);
    assert_int_not_equal(after, before);
    put(f, ".hidden", "longer");
    assert_int_equal(file_watch_fingerprint(f->watch), after);
    put(f, "shown", "longer");
    assert_int_not_equal(file_watch_fingerprint(f->watch), after);
}

static void a_file_that_is_missing_yet_shows_when_it_comes(void **state)
{
    struct fixture *f = *state;
    watch_instead(f, small_folder_path(&f->folder, "later"));
    uint64_t before = file_watch_fingerprint(f->watch);
    assert_false(is_readable(f, 0));
    put(f, "later", "x");
    assert_true(is_readable(f, DEADLINE_MS));
    assert_int_not_equal(file_watch_fingerprint(f->watch), before);
}

static void a_symlink_swapped_to_an_equal_file_changes_the_fingerprint(void **state)
{
    struct fixture *f = *state;
    char link[160];
    put(f, "other", "one");
    (void)snprintf(link, sizeof(link), "%s/link", f->folder.path);
    assert_int_equal(symlink("watched", link), 0);
    watch_instead(f, link);
    uint64_t before = file_watch_fingerprint(f->watch);
    assert_int_equal(symlink("other", small_folder_path(&f->folder, "link.new")), 0);
    assert_int_equal(file_watch_fingerprint(f->watch), before);
    assert_int_equal(rename(small_folder_path(&f->folder, "link.new"), link), 0);
    assert_true(is_readable(f, DEADLINE_MS));
    assert_int_not_equal(file_watch_fingerprint(f->watch), before);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_written_file_shows_and_an_unchanged_folder_does_not),
        CASE(a_rename_over_the_file_shows_and_changes_the_fingerprint),
        CASE(a_neighbour_leaves_the_fingerprint_and_a_removal_changes_it),
        CASE(a_folder_shows_a_new_file_but_its_fingerprint_no_hidden_one),
        CASE(a_file_that_is_missing_yet_shows_when_it_comes),
        CASE(a_symlink_swapped_to_an_equal_file_changes_the_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
