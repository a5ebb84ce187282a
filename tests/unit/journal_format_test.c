/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_format.h"

#include "crc32c.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { AT_CRC = 56, AT_PADDING = 60 };

static struct journal_header header_of(uint64_t segment_bytes)
{
    struct journal_header header = {
        .first_sequence = 0x0102030405060708, .segment = 7, .segment_bytes = segment_bytes, .epoch_started = 9};
    memset(header.epoch, 0xab, sizeof(header.epoch));
    return header;
}

/* Makes the checksum fit again after a field was changed. */
static void seal(uint8_t bytes[JOURNAL_HEADER_BYTES])
{
    uint32_t crc = crc32c(bytes, AT_CRC);
    for (size_t i = 0; i < 4; i++)
        bytes[AT_CRC + i] = (uint8_t)(crc >> (8 * i));
}

static void a_header_reads_as_it_was_written(void **state)
{
    const struct journal_header header = header_of(JOURNAL_SEGMENT_MIN);
    struct journal_header back = {0};
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    (void)state;
    journal_header_write(&header, bytes);
    assert_memory_equal(bytes, "BZJL\x01\x00\x40\x00", 8);
    assert_int_equal(bytes[24], 0x08);
    assert_int_equal(bytes[31], 0x01);
    assert_int_equal(journal_header_parse(bytes, &back), ERR_NONE);
    assert_memory_equal(back.epoch, header.epoch, sizeof(back.epoch));
    assert_int_equal(back.first_sequence, header.first_sequence);
    assert_int_equal(back.segment, 7);
    assert_int_equal(back.segment_bytes, JOURNAL_SEGMENT_MIN);
    assert_int_equal(back.epoch_started, 9);
}

static void a_flipped_bit_before_the_padding_is_refused(void **state)
{
    const struct journal_header header = header_of(JOURNAL_SEGMENT_MIN);
    struct journal_header back;
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    (void)state;
    for (size_t bit = 0; bit < (size_t)8 * AT_PADDING; bit++) {
        journal_header_write(&header, bytes);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
        assert_int_not_equal(journal_header_parse(bytes, &back), ERR_NONE);
    }
}

static void a_header_that_begins_with_zeros_was_made_ahead_but_one_byte_is_malformed(void **state)
{
    uint8_t bytes[JOURNAL_HEADER_BYTES] = {0};
    struct journal_header back;
    (void)state;
    bytes[8] = 1;
    assert_int_equal(journal_header_parse(bytes, &back), ERR_NOT_FOUND);
    bytes[7] = 1;
    assert_int_equal(journal_header_parse(bytes, &back), ERR_MALFORMED);
}

static void the_next_version_is_unsupported_and_another_header_size_malformed(void **state)
{
    const struct journal_header header = header_of(JOURNAL_SEGMENT_MIN);
    struct journal_header back;
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    (void)state;
    journal_header_write(&header, bytes);
    bytes[4] = JOURNAL_VERSION + 1;
    seal(bytes);
    assert_int_equal(journal_header_parse(bytes, &back), ERR_UNSUPPORTED);
    journal_header_write(&header, bytes);
    bytes[6] = JOURNAL_HEADER_BYTES + 1;
    seal(bytes);
    assert_int_equal(journal_header_parse(bytes, &back), ERR_MALFORMED);
}

static void the_largest_segment_is_taken_and_one_byte_more_refused(void **state)
{
    struct journal_header header = header_of(JOURNAL_SEGMENT_MAX), back;
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    (void)state;
    journal_header_write(&header, bytes);
    assert_int_equal(journal_header_parse(bytes, &back), ERR_NONE);
    header.segment_bytes++;
    journal_header_write(&header, bytes);
    assert_int_equal(journal_header_parse(bytes, &back), ERR_MALFORMED);
}

static void a_frame_is_padded_to_eight_bytes(void **state)
{
    (void)state;
    assert_int_equal(journal_frame_bytes(1), 16);
    assert_int_equal(journal_frame_bytes(8), 16);
    assert_int_equal(journal_frame_bytes(9), 24);
}

static void a_name_reads_as_it_was_written(void **state)
{
    uint8_t epoch[JOURNAL_EPOCH_BYTES] = {0x01, 0xfe}, back[JOURNAL_EPOCH_BYTES];
    char name[JOURNAL_NAME_BYTES + 1];
    uint64_t number = 0;
    (void)state;
    journal_name_write(epoch, 12345678, name);
    assert_string_equal(name, "01fe0000000000000000000000000000-12345678.bzj");
    assert_true(journal_name_parse(view_of(name), back, &number));
    assert_int_equal(number, 12345678);
    assert_memory_equal(back, epoch, sizeof(epoch));
}

static void a_name_with_one_thing_wrong_is_refused(void **state)
{
    static const char *const wrong[] = {
        "g1fe0000000000000000000000000000-00000001.bzj", "01fe0000000000000000000000000000_00000001.bzj",
        "01fe0000000000000000000000000000-0000000a.bzj", "01fe0000000000000000000000000000-00000001.bzk",
        "01fe0000000000000000000000000000-00000001.bz",  "01fe0000000000000000000000000000-00000001.bzj~",
        "01fe0000000000000000000000000000-+0000001.bzj", "",
    };
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t number;
    (void)state;
    assert_true(journal_name_parse(VIEW("01fe0000000000000000000000000000-00000001.bzj"), epoch, &number));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(journal_name_parse(view_of(wrong[i]), epoch, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_reads_as_it_was_written),
        cmocka_unit_test(a_flipped_bit_before_the_padding_is_refused),
        cmocka_unit_test(a_header_that_begins_with_zeros_was_made_ahead_but_one_byte_is_malformed),
        cmocka_unit_test(the_next_version_is_unsupported_and_another_header_size_malformed),
        cmocka_unit_test(the_largest_segment_is_taken_and_one_byte_more_refused),
        cmocka_unit_test(a_frame_is_padded_to_eight_bytes),
        cmocka_unit_test(a_name_reads_as_it_was_written),
        cmocka_unit_test(a_name_with_one_thing_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
