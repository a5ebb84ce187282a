/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_folder.h"

#include "crc32c.h"
#include "journal_folder_support.h"

struct fixture {
    struct folder folder;
    int fd;
    struct journal_folder_state found;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    folder_make(&f.folder);
    assert_int_equal(journal_folder_open(f.folder.path, false, &f.fd), ERR_NONE);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    journal_folder_forget(&f->found);
    close(f->fd);
    folder_remove(&f->folder);
    return 0;
}

/* A segment of `epoch` from sequence 10 on with `records`, as its writer left it when it died. */
static void put_segment(const struct fixture *f, uint8_t epoch, size_t records, bool has_torn_end)
{
    static char bytes[JOURNAL_SEGMENT_MIN];
    struct journal_header header = {.first_sequence = 10, .segment_bytes = sizeof(bytes), .epoch_started = epoch};
    char name[JOURNAL_NAME_BYTES + 1];
    uint32_t length = 6, crc = crc32c("record", 6);
    memset(bytes, 0, sizeof(bytes));
    memset(header.epoch, epoch, sizeof(header.epoch));
    journal_header_write(&header, (uint8_t *)bytes);
    for (size_t i = 0; i < records + (has_torn_end ? 1 : 0); i++) {
        char *at = bytes + JOURNAL_HEADER_BYTES + 16 * i;
        memcpy(at, &length, 4);
        memcpy(at + 4, &crc, 4);
        memcpy(at + 8, i < records ? "record" : "rec", i < records ? 6 : 3);
    }
    journal_name_write(header.epoch, 0, name);
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    close(fd);
}

static void a_missing_folder_is_made_only_when_asked_and_only_its_last_part(void **state)
{
    struct fixture *f = *state;
    char path[320], deep[320];
    int fd = -1;
    (void)snprintf(path, sizeof(path), "%s/new", f->folder.path);
    (void)snprintf(deep, sizeof(deep), "%s/none/new", f->folder.path);
    assert_int_equal(journal_folder_open(path, false, &fd), ERR_IO);
    assert_int_equal(journal_folder_open(deep, true, &fd), ERR_IO);
    assert_int_equal(journal_folder_open(path, true, &fd), ERR_NONE);
    close(fd);
    assert_int_equal(journal_folder_open(path, true, &fd), ERR_NONE);
    close(fd);
    assert_int_equal(rmdir(path), 0);
}

static void the_lock_is_had_once_and_again_when_it_was_let_go(void **state)
{
    struct fixture *f = *state;
    int first = -1, second = -1;
    assert_int_equal(journal_folder_lock(f->fd, &first), ERR_NONE);
    assert_int_equal(journal_folder_lock(f->fd, &second), ERR_CONFLICT);
    close(second);
    close(first);
    assert_int_equal(journal_folder_lock(f->fd, &first), ERR_NONE);
    close(first);
}

static void an_empty_folder_has_no_past(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.segment_count, 0);
    assert_false(f->found.has_last);
    assert_int_equal(f->found.latest_start, 0);
}

static void a_whole_end_is_cut_to_its_records_and_is_not_torn(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes = 0;
    put_segment(f, 1, 3, false);
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.segment_count, 1);
    assert_int_equal(f->found.torn_count, 0);
    assert_true(f->found.has_last);
    assert_int_equal(f->found.last.sequence, 12);
    assert_int_equal(folder_segments(&f->folder, &bytes), 1);
    assert_int_equal(bytes, JOURNAL_HEADER_BYTES + 3 * 16);
}

static void a_torn_end_is_cut_and_named_once(void **state)
{
    struct fixture *f = *state;
    put_segment(f, 1, 3, true);
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.torn_count, 1);
    assert_int_equal(f->found.torn[0].sequence, 13);
    assert_int_equal(f->found.torn[0].epoch[0], 1);
    assert_int_equal(f->found.segments[0].bytes, JOURNAL_HEADER_BYTES + 3 * 16);
    journal_folder_forget(&f->found);
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.torn_count, 0);
    assert_int_equal(f->found.last.sequence, 12);
}

static void the_last_record_is_of_the_latest_epoch_that_has_any(void **state)
{
    struct fixture *f = *state;
    put_segment(f, 3, 0, false);
    put_segment(f, 2, 1, false);
    put_segment(f, 1, 5, false);
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.segment_count, 3);
    assert_int_equal(f->found.segments[0].epoch[0], 1);
    assert_int_equal(f->found.segments[2].epoch[0], 3);
    assert_int_equal(f->found.latest_start, 3);
    assert_int_equal(f->found.last.epoch[0], 2);
    assert_int_equal(f->found.last.sequence, 10);
}

static void a_segment_that_never_began_is_removed_and_a_strange_file_left_alone(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"00000000000000000000000000000000-00000000.bzj",
                                        "00000000000000000000000000000000-00000001.bzj", "notes.bzj"};
    static const char *const texts[] = {"", "a strange file, longer than the eight bytes that are looked at", ""};
    for (size_t i = 0; i < 3; i++) {
        int fd = openat(f->fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
    }
    assert_int_equal(journal_folder_settle(f->fd, &f->found), ERR_NONE);
    assert_int_equal(f->found.segment_count, 0);
    assert_int_not_equal(faccessat(f->fd, names[0], F_OK, 0), 0);
    assert_int_equal(faccessat(f->fd, names[1], F_OK, 0), 0);
    assert_int_equal(faccessat(f->fd, names[2], F_OK, 0), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_missing_folder_is_made_only_when_asked_and_only_its_last_part),
        CASE(the_lock_is_had_once_and_again_when_it_was_let_go),
        CASE(an_empty_folder_has_no_past),
        CASE(a_whole_end_is_cut_to_its_records_and_is_not_torn),
        CASE(a_torn_end_is_cut_and_named_once),
        CASE(the_last_record_is_of_the_latest_epoch_that_has_any),
        CASE(a_segment_that_never_began_is_removed_and_a_strange_file_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
