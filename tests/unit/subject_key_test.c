/* SPDX-License-Identifier: Apache-2.0 */
#include "subject_key.h"

#include "small_folder.h"

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct diag_list diags;
    struct config config;
    struct view key;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)1024 * 1024);
    diag_list_init(&f.diags, &f.arena);
    f.config.audit.subject_key = small_folder_path(&f.folder, "key");
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

/* Reads a key file of `size` times 'k' and an `end`. */
static enum err read_key(struct fixture *f, size_t size, const char *end)
{
    char text[SUBJECT_KEY_MAX + 16];
    memset(text, 'k', size);
    memcpy(text + size, end, strlen(end));
    small_folder_put_bytes(&f->folder, "key", text, size + strlen(end));
    return subject_key_read(&f->config, &f->arena, &f->diags, &f->key);
}

static void no_key_configured_is_an_absent_key(void **state)
{
    struct fixture *f = *state;
    f->config.audit.subject_key = NULL;
    f->key = VIEW("stale");
    assert_int_equal(subject_key_read(&f->config, &f->arena, &f->diags, &f->key), ERR_NONE);
    assert_false(view_is_present(f->key));
}

static void a_missing_key_file_is_no_absent_key_but_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(subject_key_read(&f->config, &f->arena, &f->diags, &f->key), ERR_NOT_FOUND);
    assert_int_equal(f->diags.errors, 1);
    assert_true(view_equals(f->diags.items[0].code, VIEW("E0901")));
}

static void the_shortest_key_is_taken_and_a_byte_less_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_key(f, SUBJECT_KEY_MIN, ""), ERR_NONE);
    assert_int_equal(f->key.size, SUBJECT_KEY_MIN);
    assert_int_equal(read_key(f, SUBJECT_KEY_MIN - 1, ""), ERR_INVALID);
    assert_false(view_is_present(f->key));
    assert_true(view_equals(f->diags.items[0].code, VIEW("E0904")));
}

static void the_longest_key_is_taken_and_a_byte_more_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_key(f, SUBJECT_KEY_MAX, ""), ERR_NONE);
    assert_int_equal(f->key.size, SUBJECT_KEY_MAX);
    assert_int_equal(read_key(f, SUBJECT_KEY_MAX + 1, ""), ERR_INVALID);
    assert_false(view_is_present(f->key));
}

static void line_ends_behind_the_key_do_not_count_but_a_space_does(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_key(f, SUBJECT_KEY_MIN, "\r\n\n"), ERR_NONE);
    assert_int_equal(f->key.size, SUBJECT_KEY_MIN);
    assert_int_equal(read_key(f, SUBJECT_KEY_MIN - 1, "\r\n\n"), ERR_INVALID);
    assert_int_equal(read_key(f, SUBJECT_KEY_MIN, " \n"), ERR_NONE);
    assert_int_equal(f->key.size, SUBJECT_KEY_MIN + 1);
    assert_int_equal(read_key(f, 0, "\n"), ERR_INVALID);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_key_configured_is_an_absent_key),
        CASE(a_missing_key_file_is_no_absent_key_but_an_error),
        CASE(the_shortest_key_is_taken_and_a_byte_less_refused),
        CASE(the_longest_key_is_taken_and_a_byte_more_refused),
        CASE(line_ends_behind_the_key_do_not_count_but_a_space_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
