/* SPDX-License-Identifier: Apache-2.0 */
#include "file_set.h"

#include "small_folder.h"

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct diag_list diags;
    struct file_set set;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)64 * 1024 * 1024);
    diag_list_init(&f.diags, &f.arena);
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

static void put(struct fixture *f, const char *name, const char *text)
{
    small_folder_put_bytes(&f->folder, name, text, strlen(text));
}

static enum err read_folder(struct fixture *f)
{
    f->set.count = 0;
    return file_set_read(f->folder.path, &f->arena, &f->diags, &f->set);
}

static void a_file_is_read_whole_with_its_zero_bytes_and_a_missing_one_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct view text = {0};
    small_folder_put_bytes(&f->folder, "a", "x\0y\n", 4);
    assert_int_equal(file_read(small_folder_path(&f->folder, "a"), &f->arena, &text), ERR_NONE);
    assert_int_equal(text.size, 4);
    assert_memory_equal(text.data, "x\0y\n", 5);
    assert_int_equal(file_read(small_folder_path(&f->folder, "b"), &f->arena, &text), ERR_NOT_FOUND);
    assert_int_equal(file_read(small_folder_path(&f->folder, "a/b"), &f->arena, &text), ERR_NOT_FOUND);
}

static void a_folder_and_a_pipe_are_no_files(void **state)
{
    struct fixture *f = *state;
    struct view text = {0};
    assert_int_equal(file_read(f->folder.path, &f->arena, &text), ERR_IO);
    assert_int_equal(mkfifo(small_folder_path(&f->folder, "pipe"), 0600), 0);
    assert_int_equal(file_read(small_folder_path(&f->folder, "pipe"), &f->arena, &text), ERR_IO);
}

static void the_largest_file_is_taken_and_one_byte_more_refused(void **state)
{
    struct fixture *f = *state;
    struct view text = {0};
    put(f, "a", "");
    assert_int_equal(truncate(small_folder_path(&f->folder, "a"), FILE_BYTES_MAX), 0);
    assert_int_equal(file_read(small_folder_path(&f->folder, "a"), &f->arena, &text), ERR_NONE);
    assert_int_equal(text.size, FILE_BYTES_MAX);
    assert_int_equal(truncate(small_folder_path(&f->folder, "a"), FILE_BYTES_MAX + 1), 0);
    assert_int_equal(file_read(small_folder_path(&f->folder, "a"), &f->arena, &text), ERR_LIMIT);
}

static void an_arena_with_no_room_takes_no_file(void **state)
{
    struct fixture *f = *state;
    struct arena small;
    struct view text = {0};
    char memory[64];
    arena_init_fixed(&small, memory, sizeof(memory));
    put(f, "a", "0123456789");
    assert_int_equal(file_read(small_folder_path(&f->folder, "a"), &small, &text), ERR_NONE);
    assert_int_equal(truncate(small_folder_path(&f->folder, "a"), sizeof(memory)), 0);
    assert_int_equal(file_read(small_folder_path(&f->folder, "a"), &small, &text), ERR_NO_MEMORY);
}

static void a_folder_reads_as_its_yaml_in_name_order_without_hidden_and_other_files(void **state)
{
    struct fixture *f = *state;
    put(f, "b.yaml", "second");
    put(f, "a.yml", "first");
    put(f, ".c.yaml", "hidden");
    put(f, "d.yaml~", "other");
    put(f, "e.json", "other");
    assert_int_equal(read_folder(f), ERR_NONE);
    assert_int_equal(f->set.count, 2);
    assert_true(view_equals(f->set.items[0].text, VIEW("first")));
    assert_true(view_equals(f->set.items[1].text, VIEW("second")));
    assert_true(view_ends_with(f->set.items[1].file, VIEW("/b.yaml")));
    assert_int_equal(f->diags.count, 0);
}

static void what_a_folder_shows_but_cannot_be_read_is_said_with_its_path(void **state)
{
    struct fixture *f = *state;
    put(f, "a.yaml", "good");
    assert_int_equal(mkdir(small_folder_path(&f->folder, "b.yaml"), 0700), 0);
    assert_int_equal(read_folder(f), ERR_IO);
    assert_int_equal(f->diags.errors, 1);
    assert_true(view_equals(f->diags.items[0].code, VIEW("E0901")));
    assert_true(view_ends_with(f->diags.items[0].span.file, VIEW("/b.yaml")));
}

static void a_named_file_needs_no_ending_and_a_missing_one_is_said(void **state)
{
    struct fixture *f = *state;
    put(f, "plain", "text");
    const char *plain = small_folder_path(&f->folder, "plain");
    assert_int_equal(file_set_read(plain, &f->arena, &f->diags, &f->set), ERR_NONE);
    assert_int_equal(f->set.count, 1);
    const char *none = small_folder_path(&f->folder, "none");
    assert_int_equal(file_set_read(none, &f->arena, &f->diags, &f->set), ERR_NOT_FOUND);
    assert_int_equal(f->set.count, 1);
    assert_int_equal(f->diags.errors, 1);
}

static void a_set_takes_its_last_file_and_refuses_one_more(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "text");
    const char *path = small_folder_path(&f->folder, "a");
    f->set.count = FILE_SET_MAX - 1;
    assert_int_equal(file_set_read(path, &f->arena, &f->diags, &f->set), ERR_NONE);
    assert_int_equal(file_set_read(path, &f->arena, &f->diags, &f->set), ERR_LIMIT);
    assert_int_equal(f->set.count, FILE_SET_MAX);
}

static void equal_sets_have_one_fingerprint_and_a_byte_moved_from_name_to_text_another(void **state)
{
    struct fixture *f = *state;
    uint8_t first[SHA256_BYTES], second[SHA256_BYTES];
    f->set.items[0] = (struct file_text){.file = VIEW("ab"), .text = VIEW("c")};
    f->set.count = 1;
    assert_int_equal(file_set_fingerprint(&f->set, &f->arena, first), ERR_NONE);
    assert_int_equal(file_set_fingerprint(&f->set, &f->arena, second), ERR_NONE);
    assert_memory_equal(first, second, sizeof(first));
    f->set.items[0] = (struct file_text){.file = VIEW("a"), .text = VIEW("bc")};
    assert_int_equal(file_set_fingerprint(&f->set, &f->arena, second), ERR_NONE);
    assert_memory_not_equal(first, second, sizeof(first));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_is_read_whole_with_its_zero_bytes_and_a_missing_one_is_not_found),
        CASE(a_folder_and_a_pipe_are_no_files),
        CASE(the_largest_file_is_taken_and_one_byte_more_refused),
        CASE(an_arena_with_no_room_takes_no_file),
        CASE(a_folder_reads_as_its_yaml_in_name_order_without_hidden_and_other_files),
        CASE(what_a_folder_shows_but_cannot_be_read_is_said_with_its_path),
        CASE(a_named_file_needs_no_ending_and_a_missing_one_is_said),
        CASE(a_set_takes_its_last_file_and_refuses_one_more),
        CASE(equal_sets_have_one_fingerprint_and_a_byte_moved_from_name_to_text_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
