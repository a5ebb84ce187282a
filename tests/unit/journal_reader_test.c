/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_folder_support.h"

#include "crc32c.h"

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    folder_make(folder);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static struct journal_writer *open_writer(const struct journal_config *config)
{
    struct journal_writer *writer = NULL;
    assert_int_equal(journal_writer_open(config, &writer), ERR_NONE);
    return writer;
}

static struct journal_reader *open_reader(const struct folder *folder, bool from_end)
{
    struct journal_reader *reader = NULL;
    assert_int_equal(journal_reader_open(folder->path, from_end, &reader), ERR_NONE);
    return reader;
}

/* Writes a whole epoch of `count` records. */
static void write_epoch(const struct folder *folder, uint8_t epoch, uint64_t count)
{
    struct journal_config config = folder_config(folder, epoch);
    struct journal_writer *writer = open_writer(&config);
    for (uint64_t i = 0; i < count; i++)
        assert_true(folder_append(writer, &config, i));
    journal_writer_close(writer);
}

static void expect(struct journal_reader *reader, uint8_t epoch, uint64_t sequence)
{
    struct journal_position position;
    struct view payload;
    struct audit_event event;
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
    assert_int_equal(position.epoch[0], epoch);
    assert_int_equal(position.sequence, sequence);
    assert_int_equal(audit_event_parse(payload, &event), ERR_NONE);
    assert_int_equal(event.sequence, sequence);
}

static void expect_error(struct journal_reader *reader, enum err error)
{
    struct journal_position position;
    struct view payload;
    assert_int_equal(journal_reader_next(reader, &position, &payload), error);
}

static void path_of(const struct folder *folder, uint8_t epoch, uint64_t segment, char path[512])
{
    uint8_t id[JOURNAL_EPOCH_BYTES];
    char name[JOURNAL_NAME_BYTES + 1];
    memset(id, epoch, sizeof(id));
    journal_name_write(id, segment, name);
    snprintf(path, 512, "%s/%s", folder->path, name);
}

static void overwrite(const struct folder *folder, uint8_t epoch, uint64_t segment, off_t at, const void *bytes,
                      size_t size)
{
    char path[512];
    path_of(folder, epoch, segment, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
    close(fd);
}

static void reader_refuses_a_folder_that_is_not_there(void **state)
{
    struct journal_reader *reader = NULL;
    (void)state;
    assert_int_equal(journal_reader_open("/nonexistent/journal", false, &reader), ERR_IO);
    assert_null(reader);
}

static void reader_follows_a_writer_record_by_record(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_reader *reader = open_reader(folder, false);
    expect_error(reader, ERR_NOT_FOUND);
    struct journal_writer *writer = open_writer(&config);
    expect_error(reader, ERR_NOT_FOUND);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_true(folder_append(writer, &config, i));
        if (i % 7 == 0)
            continue; /* now and then two at once */
        if (i % 7 == 1)
            expect(reader, 1, i - 1);
        expect(reader, 1, i);
        expect_error(reader, ERR_NOT_FOUND);
    }
    journal_writer_close(writer);
    journal_reader_close(reader);
}

static void reader_takes_epochs_in_order_of_their_start(void **state)
{
    struct folder *folder = *state;
    /* Names would sort the other way. */
    write_epoch(folder, 9, 1000);
    write_epoch(folder, 5, 3);
    write_epoch(folder, 7, 2);
    struct journal_reader *reader = open_reader(folder, false);
    for (uint64_t i = 0; i < 1000; i++)
        expect(reader, 9, i);
    for (uint64_t i = 0; i < 3; i++)
        expect(reader, 5, i);
    for (uint64_t i = 0; i < 2; i++)
        expect(reader, 7, i);
    expect_error(reader, ERR_NOT_FOUND);
    write_epoch(folder, 1, 2);
    expect(reader, 1, 0);
    expect(reader, 1, 1);
    expect_error(reader, ERR_NOT_FOUND);
    journal_reader_close(reader);
}

static void reader_from_the_end_sees_only_what_comes(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 2);
    write_epoch(folder, 1, 700);
    struct journal_writer *writer = open_writer(&config);
    assert_true(folder_append(writer, &config, 0));
    struct journal_reader *reader = open_reader(folder, true);
    expect_error(reader, ERR_NOT_FOUND);
    assert_true(folder_append(writer, &config, 1));
    expect(reader, 2, 1);
    journal_writer_close(writer);
    journal_reader_close(reader);
}

static void reader_goes_on_after_a_position(void **state)
{
    struct folder *folder = *state;
    struct journal_position position = {.sequence = 1200};
    write_epoch(folder, 1, 2000);
    write_epoch(folder, 2, 1);
    memset(position.epoch, 1, sizeof(position.epoch));
    struct journal_reader *reader = open_reader(folder, false);
    assert_int_equal(journal_reader_seek(reader, &position), ERR_NONE);
    expect(reader, 1, 1201);
    position.sequence = 1999;
    assert_int_equal(journal_reader_seek(reader, &position), ERR_NONE);
    expect(reader, 2, 0);
    memset(position.epoch, 3, sizeof(position.epoch));
    assert_int_equal(journal_reader_seek(reader, &position), ERR_NOT_FOUND);
    expect(reader, 1, 0);
    journal_reader_close(reader);
}

static void reader_ends_a_segment_at_a_bad_sum_and_goes_on_at_the_next(void **state)
{
    struct folder *folder = *state;
    struct journal_position position;
    struct view payload;
    write_epoch(folder, 1, 2000);
    write_epoch(folder, 2, 1);
    overwrite(folder, 1, 0, JOURNAL_HEADER_BYTES + JOURNAL_FRAME_BYTES + 20, "?", 1);
    struct journal_reader *reader = open_reader(folder, false);
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_MALFORMED);
    assert_int_equal(position.epoch[0], 1);
    assert_int_equal(position.sequence, 0);
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
    assert_true(position.epoch[0] == 1 && position.sequence > 100);
    journal_reader_close(reader);
}

static void reader_reports_a_length_past_the_limit(void **state)
{
    struct folder *folder = *state;
    write_epoch(folder, 1, 10);
    overwrite(folder, 1, 0, JOURNAL_HEADER_BYTES, "\x01\x40\x00\x00", 4); /* JOURNAL_RECORD_MAX + 1 */
    struct journal_reader *reader = open_reader(folder, false);
    expect_error(reader, ERR_MALFORMED);
    expect_error(reader, ERR_NOT_FOUND); /* reported once */
    write_epoch(folder, 2, 1);
    expect(reader, 2, 0);
    journal_reader_close(reader);
}

static void reader_reports_a_torn_tail_and_keeps_what_is_before_it(void **state)
{
    struct folder *folder = *state;
    char path[512];
    struct stat file;
    write_epoch(folder, 1, 10);
    path_of(folder, 1, 0, path);
    assert_int_equal(stat(path, &file), 0);
    for (off_t cut = 1; cut < 30; cut++) {
        assert_int_equal(truncate(path, file.st_size - cut), 0);
        struct journal_reader *reader = open_reader(folder, false);
        for (uint64_t i = 0; i < 9; i++)
            expect(reader, 1, i);
        struct journal_position position;
        struct view payload;
        /* The last bytes may be padding: then the record is whole. */
        enum err error = journal_reader_next(reader, &position, &payload);
        assert_true(error == ERR_MALFORMED || (error == ERR_NONE && cut < 8));
        expect_error(reader, ERR_NOT_FOUND);
        journal_reader_close(reader);
    }
}

static void reader_refuses_a_segment_of_another_version_loudly(void **state)
{
    struct folder *folder = *state;
    struct journal_position position;
    struct view payload;
    write_epoch(folder, 1, 10);
    write_epoch(folder, 2, 1);
    overwrite(folder, 1, 0, 4, "\x02", 1);
    struct journal_reader *reader = open_reader(folder, false);
    enum err first = journal_reader_next(reader, &position, &payload);
    enum err second = journal_reader_next(reader, &position, &payload);
    /* The order of the two is the folder's. */
    assert_true((first == ERR_UNSUPPORTED && second == ERR_NONE) || (first == ERR_NONE && second == ERR_UNSUPPORTED));
    expect_error(reader, ERR_NOT_FOUND);
    journal_reader_close(reader);
}

static void reader_passes_over_segments_that_are_removed(void **state)
{
    struct folder *folder = *state;
    char path[512];
    struct journal_position position;
    struct view payload;
    write_epoch(folder, 1, 3000);
    struct journal_reader *reader = open_reader(folder, false);
    expect(reader, 1, 0);
    path_of(folder, 1, 1, path);
    assert_int_equal(unlink(path), 0);
    uint64_t last = 0, read = 1, jumps = 0;
    while (journal_reader_next(reader, &position, &payload) == ERR_NONE) {
        jumps += position.sequence != last + 1;
        last = position.sequence;
        read++;
    }
    assert_int_equal(jumps, 1);
    assert_int_equal(last, 2999);
    assert_true(read < 3000);
    journal_reader_close(reader);
}

static void reader_leaves_other_files_alone(void **state)
{
    struct folder *folder = *state;
    char path[512];
    write_epoch(folder, 1, 1);
    snprintf(path, sizeof(path), "%s/0101.bzj", folder->path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    path_of(folder, 3, 0, path); /* made ahead: empty */
    close(open(path, O_CREAT | O_WRONLY, 0600));
    struct journal_reader *reader = open_reader(folder, false);
    expect(reader, 1, 0);
    expect_error(reader, ERR_NOT_FOUND);
    journal_reader_close(reader);
}

static void header_is_refused_when_any_bit_is_wrong(void **state)
{
    struct journal_header header = {.first_sequence = 7, .segment = 3, .segment_bytes = 65536, .epoch_started = 9}, out;
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    (void)state;
    memset(header.epoch, 0xab, sizeof(header.epoch));
    journal_header_write(&header, bytes);
    assert_int_equal(journal_header_parse(bytes, &out), ERR_NONE);
    assert_int_equal(out.first_sequence, 7);
    assert_int_equal(out.segment, 3);
    assert_int_equal(out.segment_bytes, 65536);
    assert_int_equal(out.epoch_started, 9);
    assert_memory_equal(out.epoch, header.epoch, sizeof(out.epoch));
    for (size_t bit = 0; bit < 60 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(journal_header_parse(bytes, &out), ERR_NONE);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_refuses_a_folder_that_is_not_there),
        cmocka_unit_test_setup_teardown(reader_follows_a_writer_record_by_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_takes_epochs_in_order_of_their_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_from_the_end_sees_only_what_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_goes_on_after_a_position, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_ends_a_segment_at_a_bad_sum_and_goes_on_at_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_reports_a_length_past_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_reports_a_torn_tail_and_keeps_what_is_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_refuses_a_segment_of_another_version_loudly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_passes_over_segments_that_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_leaves_other_files_alone, set_up, tear_down),
        cmocka_unit_test(header_is_refused_when_any_bit_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
