/* SPDX-License-Identifier: Apache-2.0 */
#include "ship_position.h"

#include "journal_folder_support.h"

#define EPOCH "01020304050607080910111213141516"

static void put_line(const struct folder *folder, const char *text)
{
    char path[320];
    (void)snprintf(path, sizeof(path), "%s/ship.position", folder->path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_position_reads_as_it_was_written_and_leaves_no_temporary_file(void **state)
{
    struct folder folder;
    struct journal_position position = {.epoch = {1, 2, 0xff}, .sequence = 41}, back = {0};
    char path[320];
    (void)state;
    folder_make(&folder);
    assert_int_equal(ship_position_write(folder.path, &position), ERR_NONE);
    position.sequence++;
    assert_int_equal(ship_position_write(folder.path, &position), ERR_NONE);
    assert_int_equal(ship_position_read(folder.path, &back), ERR_NONE);
    assert_int_equal(back.sequence, 42);
    assert_memory_equal(back.epoch, position.epoch, sizeof(back.epoch));
    (void)snprintf(path, sizeof(path), "%s/ship.position.new", folder.path);
    assert_int_not_equal(access(path, F_OK), 0);
    folder_remove(&folder);
}

static void a_folder_without_a_position_has_none_and_no_folder_is_an_error(void **state)
{
    struct folder folder;
    struct journal_position back = {0};
    (void)state;
    folder_make(&folder);
    assert_int_equal(ship_position_read(folder.path, &back), ERR_NOT_FOUND);
    folder_remove(&folder);
    assert_int_equal(ship_position_read(folder.path, &back), ERR_IO);
    assert_int_equal(ship_position_write(folder.path, &back), ERR_IO);
}

static void a_line_with_one_thing_wrong_is_malformed(void **state)
{
    static const char *const wrong[] = {
        "",
        "\n",
        "v2 " EPOCH " 7\n",
        "v1 " EPOCH " 7",
        "v1 " EPOCH " 7\n\n",
        "v1 " EPOCH " 7\nv1",
        "v1 " EPOCH " \n",
        "v1 " EPOCH " -7\n",
        "v1 " EPOCH "  7\n",
        "v1 " EPOCH "\n",
        "v1 g" EPOCH " 7\n",
        "v1 0102030405060708091011121314151 7\n",
        "v1 0102030405060708091011121314151g 7\n",
    };
    struct folder folder;
    struct journal_position back = {0};
    (void)state;
    folder_make(&folder);
    put_line(&folder, "v1 " EPOCH " 7\n");
    assert_int_equal(ship_position_read(folder.path, &back), ERR_NONE);
    assert_int_equal(back.sequence, 7);
    assert_int_equal(back.epoch[15], 0x16);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        put_line(&folder, wrong[i]);
        assert_int_equal(ship_position_read(folder.path, &back), ERR_MALFORMED);
    }
    folder_remove(&folder);
}

static void a_symlink_is_not_followed_for_reading(void **state)
{
    struct folder folder;
    struct journal_position back = {0};
    char path[320], other[320];
    (void)state;
    folder_make(&folder);
    put_line(&folder, "v1 " EPOCH " 7\n");
    (void)snprintf(path, sizeof(path), "%s/ship.position", folder.path);
    (void)snprintf(other, sizeof(other), "%s/other", folder.path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink("other", path), 0);
    assert_int_equal(ship_position_read(folder.path, &back), ERR_IO);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_reads_as_it_was_written_and_leaves_no_temporary_file),
        cmocka_unit_test(a_folder_without_a_position_has_none_and_no_folder_is_an_error),
        cmocka_unit_test(a_line_with_one_thing_wrong_is_malformed),
        cmocka_unit_test(a_symlink_is_not_followed_for_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
