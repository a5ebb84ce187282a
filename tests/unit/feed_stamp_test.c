/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_stamp.h"

#include "small_folder.h"

struct fixture {
    struct small_folder folder;
    struct arena arena;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)1024 * 1024);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->arena);
    small_folder_remove(&f->folder);
    return 0;
}

static const struct feed_stamp whole = {.boot_id = "0f3a",
                                        .streams = {[WORKLOAD_X509] = {.state = FEED_STREAMING,
                                                                       .confirmed_ns = INT64_MAX,
                                                                       .confirmed_at = 1800000000,
                                                                       .messages = 3,
                                                                       .failures = 2,
                                                                       .error_at = 5,
                                                                       .error = "the \"stream\" ended: \x1b[31m"},
                                                    [WORKLOAD_JWT] = {.state = FEED_REFUSED, .error = ""}}};

static void a_stamp_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct feed_stamp read;
    struct config config = {.workload_api.stamp = arena_print(&f->arena, "%s/feed.json", f->folder.path).data};
    assert_int_equal(feed_stamp_read(&config, &read), ERR_NOT_FOUND);
    assert_int_equal(feed_stamp_write(&config, &whole), ERR_NONE);
    assert_int_equal(feed_stamp_read(&config, &read), ERR_NONE);
    assert_memory_equal(&read, &whole, sizeof whole);
}

static void any_other_text_is_refused(void **state)
{
    struct fixture *f = *state;
    struct feed_stamp read;
    struct view good = feed_stamp_print(&whole, &f->arena);
    assert_int_equal(feed_stamp_parse(good, &f->arena, &read), ERR_NONE);
    for (size_t i = 0; i + 2 < good.size; i++)
        assert_int_not_equal(feed_stamp_parse(view_slice(good, 0, i), &f->arena, &read), ERR_NONE);
    static const char *const bad[] = {
        "null", "[]", "{}", "{\"boot_id\": \"a\"}", "{\"boot_id\": 1, \"x509\": {}, \"jwt\": {}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(feed_stamp_parse(view_of(bad[i]), &f->arena, &read), ERR_MALFORMED);
    static const struct {
        const char *from, *to;
    } changes[] = {{"streaming", "streams"},
                   {"\"messages\": 3", "\"messages\": -3"},
                   {"1800000000", "1.8e9"},
                   {"\"failures\"", "\"failure\""},
                   {"\"0f3a\"", "\"0123456789012345678901234567890123456789\""}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *at = strstr(good.data, changes[i].from);
        assert_non_null(at);
        struct view text = arena_print(&f->arena, "%.*s%s%s", (int)(at - good.data), good.data, changes[i].to,
                                       at + strlen(changes[i].from));
        if (feed_stamp_parse(text, &f->arena, &read) == ERR_NONE)
            fail_msg("%s", text.data);
    }
}

enum { NOW = 1000, MOST = 100 };

static int64_t left(int64_t confirmed, const char *boot_id)
{
    struct feed_stamp stamp = {.boot_id = "a", .streams[WORKLOAD_X509].confirmed_ns = confirmed};
    return feed_stamp_left(&stamp, WORKLOAD_X509, boot_id, NOW, MOST);
}

static void what_was_confirmed_is_used_until_it_is_too_old_and_never_when_its_age_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(left(NOW, "a"), MOST);
    assert_int_equal(left(NOW - MOST + 1, "a"), 1);
    assert_int_equal(left(NOW - MOST, "a"), 0);
    assert_int_equal(left(NOW - MOST - 1, "a"), 0);
    assert_int_equal(left(NOW + 1, "a"), 0);
    assert_int_equal(left(0, "a"), 0);
    assert_int_equal(left(-1, "a"), 0);
    assert_int_equal(left(NOW, "b"), 0);
    assert_int_equal(left(NOW, ""), 0);
    struct feed_stamp of_no_boot = {.streams[WORKLOAD_JWT].confirmed_ns = NOW};
    assert_int_equal(feed_stamp_left(&of_no_boot, WORKLOAD_JWT, "", NOW, MOST), 0);
}

static void the_files_of_a_configuration_that_needs_none_and_of_one_without_a_stamp_have_no_time_left(void **state)
{
    struct fixture *f = *state;
    struct feed_freshness fresh;
    struct feed_stamp stamp = {.streams[WORKLOAD_JWT].confirmed_ns = feed_clock_ns()};
    struct config config = {.workload_api = {.stamp = arena_print(&f->arena, "%s/feed.json", f->folder.path).data,
                                             .max_age = 3600,
                                             .needs_jwt = true}};
    feed_freshness_read(&config, &fresh);
    assert_int_equal(fresh.left_ns[WORKLOAD_JWT], 0);
    feed_boot_id(stamp.boot_id);
    assert_int_equal(feed_stamp_write(&config, &stamp), ERR_NONE);
    feed_freshness_read(&config, &fresh);
    assert_true(fresh.left_ns[WORKLOAD_JWT] > 0);
    assert_int_equal(fresh.left_ns[WORKLOAD_X509], 0);
    config.workload_api.needs_jwt = false;
    feed_freshness_read(&config, &fresh);
    assert_int_equal(fresh.left_ns[WORKLOAD_JWT], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stamp_is_read_as_it_was_written, begin, finish),
        cmocka_unit_test_setup_teardown(any_other_text_is_refused, begin, finish),
        cmocka_unit_test(what_was_confirmed_is_used_until_it_is_too_old_and_never_when_its_age_is_unknown),
        cmocka_unit_test_setup_teardown(
            the_files_of_a_configuration_that_needs_none_and_of_one_without_a_stamp_have_no_time_left, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
