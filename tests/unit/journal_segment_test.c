/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_segment.h"

#include "crc32c.h"
#include "journal_folder_support.h"

static const uint8_t epoch[JOURNAL_EPOCH_BYTES] = {5};

struct fixture {
    struct folder folder;
    int fd;
    char name[JOURNAL_NAME_BYTES + 1];
    struct journal_segment *segment;
};

static void begin(struct fixture *f)
{
    folder_make(&f->folder);
    f->fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    journal_name_write(epoch, 0, f->name);
    assert_int_equal(journal_segment_make(f->fd, epoch, 0, JOURNAL_SEGMENT_MIN, &f->segment), ERR_NONE);
}

static void finish(struct fixture *f)
{
    journal_segment_discard(f->fd, f->segment);
    close(f->fd);
    folder_remove(&f->folder);
}

static void put_header(struct fixture *f)
{
    struct journal_header header = {.segment_bytes = JOURNAL_SEGMENT_MIN, .first_sequence = 3, .epoch_started = 1};
    memcpy(header.epoch, epoch, sizeof(epoch));
    journal_header_write(&header, (uint8_t *)f->segment->base);
}

/* A frame with the payload "record", 16 bytes in all. */
static void put_frame(struct fixture *f, size_t at)
{
    uint32_t length = 6, crc = crc32c("record", 6);
    memcpy(f->segment->base + at, &length, 4);
    memcpy(f->segment->base + at + 4, &crc, 4);
    memcpy(f->segment->base + at + 8, "record", 6);
}

static void a_segment_is_made_whole_and_its_name_only_once(void **state)
{
    struct fixture f;
    struct journal_segment *again = NULL;
    struct stat file;
    (void)state;
    begin(&f);
    assert_int_equal(fstatat(f.fd, f.name, &file, 0), 0);
    assert_int_equal(file.st_size, JOURNAL_SEGMENT_MIN);
    assert_int_equal(journal_segment_make(f.fd, epoch, 0, JOURNAL_SEGMENT_MIN, &again), ERR_IO);
    assert_null(again);
    finish(&f);
}

static void a_discarded_segment_is_gone(void **state)
{
    struct fixture f;
    struct journal_segment *other = NULL;
    (void)state;
    begin(&f);
    assert_int_equal(journal_segment_make(f.fd, epoch, 1, JOURNAL_SEGMENT_MIN, &other), ERR_NONE);
    assert_int_equal(folder_segments(&f.folder, NULL), 2);
    journal_segment_discard(f.fd, other);
    assert_int_equal(folder_segments(&f.folder, NULL), 1);
    assert_int_equal(faccessat(f.fd, f.name, F_OK, 0), 0);
    finish(&f);
}

static void what_was_stored_outlives_the_memory_given_back(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    journal_segment_populate(f.segment, (size_t)2 * JOURNAL_SEGMENT_MIN);
    assert_int_equal(f.segment->populated, JOURNAL_SEGMENT_MIN);
    put_header(&f);
    journal_segment_drop(f.segment, 4096);
    journal_segment_drop(f.segment, 0);
    assert_int_equal(f.segment->dropped, 4096);
    assert_memory_equal(f.segment->base, "BZJL", 4);
    finish(&f);
}

static void an_ended_segment_is_cut_to_what_it_uses(void **state)
{
    struct fixture f;
    struct journal_census census;
    (void)state;
    begin(&f);
    put_header(&f);
    put_frame(&f, JOURNAL_HEADER_BYTES);
    f.segment->used = JOURNAL_HEADER_BYTES + 16;
    journal_segment_unmap(f.segment);
    journal_segment_end(f.segment, true);
    assert_int_equal(f.segment->fd, -1);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_NONE);
    assert_int_equal(census.bytes, JOURNAL_HEADER_BYTES + 16);
    assert_int_equal(census.count, 1);
    assert_false(census.is_torn);
    finish(&f);
}

static void whole_records_are_counted_and_a_bad_one_is_torn(void **state)
{
    struct fixture f;
    struct journal_census census;
    (void)state;
    begin(&f);
    put_header(&f);
    put_frame(&f, JOURNAL_HEADER_BYTES);
    put_frame(&f, JOURNAL_HEADER_BYTES + 16);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_NONE);
    assert_int_equal(census.count, 2);
    assert_int_equal(census.header.first_sequence, 3);
    assert_int_equal(census.used, JOURNAL_HEADER_BYTES + 32);
    assert_false(census.is_torn);
    f.segment->base[JOURNAL_HEADER_BYTES + 16 + 8] ^= 1;
    assert_int_equal(journal_segment_count(f.fd, f.name, false, &census), ERR_NONE);
    assert_int_equal(census.count, 2);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_NONE);
    assert_int_equal(census.count, 1);
    assert_int_equal(census.used, JOURNAL_HEADER_BYTES + 16);
    assert_true(census.is_torn);
    finish(&f);
}

static void a_record_over_the_limit_is_torn_even_unchecked(void **state)
{
    struct fixture f;
    struct journal_census census;
    uint32_t length = JOURNAL_RECORD_MAX;
    (void)state;
    begin(&f);
    put_header(&f);
    memcpy(f.segment->base + JOURNAL_HEADER_BYTES, &length, 4);
    assert_int_equal(journal_segment_count(f.fd, f.name, false, &census), ERR_NONE);
    assert_int_equal(census.count, 1);
    length++;
    memcpy(f.segment->base + JOURNAL_HEADER_BYTES, &length, 4);
    assert_int_equal(journal_segment_count(f.fd, f.name, false, &census), ERR_NONE);
    assert_int_equal(census.count, 0);
    assert_true(census.is_torn);
    finish(&f);
}

static void an_unbegun_an_empty_a_short_and_no_file_are_told_apart(void **state)
{
    struct fixture f;
    struct journal_census census;
    (void)state;
    begin(&f);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_NOT_FOUND);
    assert_int_equal(ftruncate(f.segment->fd, JOURNAL_HEADER_BYTES - 1), 0);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_MALFORMED);
    assert_int_equal(ftruncate(f.segment->fd, 0), 0);
    assert_int_equal(journal_segment_count(f.fd, f.name, true, &census), ERR_NOT_FOUND);
    assert_int_equal(journal_segment_count(f.fd, "none", true, &census), ERR_IO);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_made_whole_and_its_name_only_once),
        cmocka_unit_test(a_discarded_segment_is_gone),
        cmocka_unit_test(what_was_stored_outlives_the_memory_given_back),
        cmocka_unit_test(an_ended_segment_is_cut_to_what_it_uses),
        cmocka_unit_test(whole_records_are_counted_and_a_bad_one_is_torn),
        cmocka_unit_test(a_record_over_the_limit_is_torn_even_unchecked),
        cmocka_unit_test(an_unbegun_an_empty_a_short_and_no_file_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
