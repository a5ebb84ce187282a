/* SPDX-License-Identifier: Apache-2.0 */
#include "folder_file.h"
#include "small_folder.h"

#include <errno.h>

struct place {
    struct small_folder folder;
    int fd;
    struct arena arena;
};

static int open_place(void **state)
{
    static struct place place;
    small_folder_make(&place.folder);
    place.fd = open(place.folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    arena_init(&place.arena, 1 << 20);
    *state = &place;
    return place.fd < 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    descriptor_close(&place->fd);
    arena_free(&place->arena);
    small_folder_remove(&place->folder);
    return 0;
}

static mode_t mode_of(const struct place *place, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(place->fd, name, &status, 0), 0);
    return status.st_mode & 07777;
}

static void assert_reads(struct place *place, const char *name, struct view text)
{
    struct view got = {0};
    assert_int_equal(folder_file_read(place->fd, name, 100, &place->arena, &got), ERR_NONE);
    assert_true(view_equals(got, text));
    assert_int_equal(got.data[got.size], '\0');
}

static void a_created_file_has_the_mode_whatever_the_umask(void **state)
{
    struct place *place = *state;
    mode_t old = umask(0);
    assert_int_equal(folder_file_create(place->fd, "key", 0600, VIEW("secret")), ERR_NONE);
    (void)umask(0777);
    assert_int_equal(folder_file_create(place->fd, "cert", 0644, VIEW("")), ERR_NONE);
    (void)umask(old);
    assert_int_equal(mode_of(place, "key"), 0600);
    assert_int_equal(mode_of(place, "cert"), 0644);
    assert_reads(place, "key", VIEW("secret"));
    assert_reads(place, "cert", VIEW(""));
}

static void a_file_that_is_there_is_not_created_again(void **state)
{
    struct place *place = *state;
    assert_int_equal(folder_file_create(place->fd, "key", 0600, VIEW("first")), ERR_NONE);
    assert_int_equal(folder_file_create(place->fd, "key", 0600, VIEW("second")), ERR_CONFLICT);
    assert_reads(place, "key", VIEW("first"));
    assert_int_equal(symlinkat("nowhere", place->fd, "link"), 0);
    assert_int_equal(folder_file_create(place->fd, "link", 0600, VIEW("through")), ERR_CONFLICT);
}

static void a_replaced_file_has_the_new_text_and_leaves_no_other_behind(void **state)
{
    struct place *place = *state;
    assert_int_equal(folder_file_replace(place->fd, "list", 0644, VIEW("one")), ERR_NONE);
    assert_int_equal(folder_file_replace(place->fd, "list", 0600, VIEW("two")), ERR_NONE);
    assert_reads(place, "list", VIEW("two"));
    assert_int_equal(mode_of(place, "list"), 0600);
    assert_int_equal(faccessat(place->fd, ".list.new", F_OK, 0), -1);
}

static void what_cannot_be_replaced_stays(void **state)
{
    struct place *place = *state;
    char name[NAME_MAX + 2];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    assert_int_equal(folder_file_replace(place->fd, name, 0600, VIEW("x")), ERR_IO);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
    assert_int_equal(folder_file_replace(place->fd, "folder", 0600, VIEW("x")), ERR_IO);
    assert_int_equal(faccessat(place->fd, ".folder.new", F_OK, 0), -1);
}

static void a_file_that_is_not_there_is_told_from_one_that_cannot_be_read(void **state)
{
    struct place *place = *state;
    struct view got;
    assert_int_equal(folder_file_read(place->fd, "nothing", 100, &place->arena, &got), ERR_NOT_FOUND);
    assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
    assert_int_equal(folder_file_read(place->fd, "folder", 100, &place->arena, &got), ERR_IO);
    assert_int_equal(errno, EINVAL);
}

static void a_fifo_without_a_writer_is_refused_at_once(void **state)
{
    struct place *place = *state;
    struct view got;
    assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
    assert_int_equal(folder_file_read(place->fd, "fifo", 100, &place->arena, &got), ERR_IO);
    assert_int_equal(errno, EINVAL);
}

static void a_file_of_the_most_bytes_is_read_and_of_one_more_refused(void **state)
{
    struct place *place = *state;
    struct view got;
    assert_int_equal(folder_file_create(place->fd, "file", 0600, VIEW("12345678")), ERR_NONE);
    assert_int_equal(folder_file_read(place->fd, "file", 8, &place->arena, &got), ERR_NONE);
    assert_int_equal(folder_file_read(place->fd, "file", 7, &place->arena, &got), ERR_LIMIT);
}

static bool is_same_folder(int a, int b)
{
    struct stat one, other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static void a_path_is_a_folder_and_a_name_in_it(void **state)
{
    struct place *place = *state;
    const char *const folders[] = {".", "/", place->folder.path};
    const char *const paths[] = {"name", "/name", small_folder_path(&place->folder, "name")};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        AUTO(descriptor_close) int there = -1;
        AUTO(descriptor_close) int expected = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const char *name = NULL;
        assert_int_equal(folder_file_open(paths[i], &there, &name), ERR_NONE);
        assert_string_equal(name, "name");
        assert_true(is_same_folder(there, expected));
    }
}

static void a_path_without_a_name_or_a_folder_is_refused(void **state)
{
    struct place *place = *state;
    char path[PATH_MAX + 2];
    memset(path, '/', sizeof path);
    memcpy(path + PATH_MAX, "x", 2);
    const struct {
        const char *path;
        int error;
    } cases[] = {{"", EISDIR},
                 {"./", EISDIR},
                 {small_folder_path(&place->folder, "nowhere/name"), ENOENT},
                 {path + 1, 0},
                 {path, ENAMETOOLONG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(descriptor_close) int there = -1;
        const char *name = NULL;
        assert_int_equal(folder_file_open(cases[i].path, &there, &name), cases[i].error == 0 ? ERR_NONE : ERR_IO);
        assert_true(cases[i].error == 0 || errno == cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_created_file_has_the_mode_whatever_the_umask, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_file_that_is_there_is_not_created_again, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_replaced_file_has_the_new_text_and_leaves_no_other_behind, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(what_cannot_be_replaced_stays, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_told_from_one_that_cannot_be_read, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_fifo_without_a_writer_is_refused_at_once, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_path_is_a_folder_and_a_name_in_it, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_path_without_a_name_or_a_folder_is_refused, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_file_of_the_most_bytes_is_read_and_of_one_more_refused, open_place,
                                        close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
