/* SPDX-License-Identifier: Apache-2.0 */
#include "pb_reader.h"
#include "pb_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct view raw(const char *bytes, size_t size)
{
    return (struct view){.data = bytes, .size = size};
}
#define BYTES(literal) raw(literal, sizeof(literal) - 1)

/* The number of fields, or -1 when the bytes are no message. */
static int count_fields(struct view bytes)
{
    struct pb_reader reader;
    struct pb_field field;
    int count = 0;

    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field))
        count++;
    return reader.is_broken ? -1 : count;
}

static void reader_gives_every_kind_of_field(void **state)
{
    struct pb_reader reader;
    struct pb_field field;

    (void)state;
    pb_reader_init(&reader, BYTES("\x08\x96\x01"
                                  "\x11\x01\x02\x03\x04\x05\x06\x07\x08"
                                  "\x1a\x02hi"
                                  "\x25\xff\xff\xff\xff"));
    assert_true(pb_reader_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.wire, PB_VARINT);
    assert_int_equal(field.scalar, 150);
    assert_false(view_is_present(field.bytes));
    assert_true(pb_reader_next(&reader, &field));
    assert_int_equal(field.wire, PB_FIXED64);
    assert_true(field.scalar == 0x0807060504030201u);
    assert_true(pb_reader_next(&reader, &field));
    assert_int_equal(field.number, 3);
    assert_true(view_equals(field.bytes, VIEW("hi")));
    assert_true(pb_reader_next(&reader, &field));
    assert_int_equal(field.wire, PB_FIXED32);
    assert_int_equal(field.scalar, UINT32_MAX);
    assert_false(pb_reader_next(&reader, &field));
    assert_false(reader.is_broken);
}

static void reader_takes_an_absent_message_as_one_without_fields(void **state)
{
    (void)state;
    assert_int_equal(count_fields((struct view){0}), 0);
}

static void reader_gives_an_empty_field_as_present(void **state)
{
    struct pb_reader reader;
    struct pb_field field;

    (void)state;
    pb_reader_init(&reader, BYTES("\x0a\x00"));
    assert_true(pb_reader_next(&reader, &field));
    assert_true(view_is_present(field.bytes));
    assert_int_equal(field.bytes.size, 0);
}

static void reader_refuses_a_length_one_past_the_end(void **state)
{
    (void)state;
    assert_int_equal(count_fields(BYTES("\x0a\x02hi")), 1);
    assert_int_equal(count_fields(BYTES("\x0a\x03hi")), -1);
    assert_int_equal(count_fields(BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01hi")), -1);
}

static void reader_refuses_a_varint_of_more_than_64_bits(void **state)
{
    (void)state;
    assert_int_equal(count_fields(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), 1);
    assert_int_equal(count_fields(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")), -1);
    assert_int_equal(count_fields(BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")), -1);
}

static void reader_refuses_a_field_number_of_zero(void **state)
{
    (void)state;
    assert_int_equal(count_fields(BYTES("\x08\x00")), 1);
    assert_int_equal(count_fields(BYTES("\x00\x00")), -1);
}

static void reader_refuses_a_tag_above_32_bits(void **state)
{
    (void)state;
    assert_int_equal(count_fields(BYTES("\xf8\xff\xff\xff\x0f\x00")), 1);
    assert_int_equal(count_fields(BYTES("\xf8\xff\xff\xff\x1f\x00")), -1);
    assert_int_equal(count_fields(BYTES("\x88\x80\x80\x80\x80\x00\x00")), -1);
}

static void reader_refuses_groups_and_undefined_wire_types(void **state)
{
    (void)state;
    assert_int_equal(count_fields(BYTES("\x0b\x0c")), -1);
    assert_int_equal(count_fields(BYTES("\x0c")), -1);
    assert_int_equal(count_fields(BYTES("\x0e\x00")), -1);
    assert_int_equal(count_fields(BYTES("\x0f\x00")), -1);
}

static void reader_stays_broken(void **state)
{
    struct pb_reader reader;
    struct pb_field field;

    (void)state;
    pb_reader_init(&reader, BYTES("\x0b\x08\x01"));
    assert_false(pb_reader_next(&reader, &field));
    assert_false(pb_reader_next(&reader, &field));
    assert_true(reader.is_broken);
}

/* The message that the writer tests write: every call once, two levels deep, one
 * content long enough for a length of two bytes. */
static void write_all(struct pb_writer *writer)
{
    char text[200];
    size_t outer, inner;

    memset(text, 'x', sizeof text);
    pb_writer_varint(writer, 1, UINT64_MAX);
    pb_writer_int64(writer, 2, -1);
    pb_writer_fixed64(writer, 3, 0x0102030405060708u);
    outer = pb_writer_open(writer, 4);
    inner = pb_writer_open(writer, 5);
    pb_writer_bytes(writer, 6, raw(text, sizeof text));
    pb_writer_close(writer, inner);
    pb_writer_close(writer, outer);
    pb_writer_bytes(writer, 7, (struct view){0});
}

static void writer_writes_what_the_reader_reads(void **state)
{
    char buffer[512];
    struct pb_writer writer;
    struct pb_reader reader;
    struct pb_field field;

    (void)state;
    pb_writer_init(&writer, buffer, sizeof buffer);
    write_all(&writer);
    assert_false(pb_writer_is_full(&writer));
    pb_reader_init(&reader, pb_writer_view(&writer));
    assert_true(pb_reader_next(&reader, &field) && field.number == 1 && field.scalar == UINT64_MAX);
    assert_true(pb_reader_next(&reader, &field) && field.number == 2 && (int64_t)field.scalar == -1);
    assert_true(pb_reader_next(&reader, &field) && field.number == 3 && field.scalar == 0x0102030405060708u);
    assert_true(pb_reader_next(&reader, &field) && field.number == 4 && field.wire == PB_BYTES);
    struct pb_reader outer;
    struct pb_field inner;
    pb_reader_init(&outer, field.bytes);
    assert_true(pb_reader_next(&outer, &inner) && inner.number == 5);
    pb_reader_init(&outer, inner.bytes);
    assert_true(pb_reader_next(&outer, &inner) && inner.number == 6 && inner.bytes.size == 200);
    assert_true(pb_reader_next(&reader, &field) && field.number == 7 && field.bytes.size == 0);
    assert_false(pb_reader_next(&reader, &field));
    assert_false(reader.is_broken);
}

static void writer_moves_content_up_for_a_longer_length(void **state)
{
    static char nested[20000], direct[20000], text[16400];
    const size_t sizes[] = {0, 120, 124, 125, 126, 127, 128, 16379, 16380, 16381, 16382, 16383, 16384};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pb_writer writer, inner, plain;
        static char content[20000];
        size_t mark;

        pb_writer_init(&inner, content, sizeof content);
        pb_writer_bytes(&inner, 2, raw(text, sizes[i]));
        pb_writer_init(&plain, direct, sizeof direct);
        pb_writer_bytes(&plain, 1, pb_writer_view(&inner)); /* its length is known first: nothing moves */

        pb_writer_init(&writer, nested, sizeof nested);
        mark = pb_writer_open(&writer, 1);
        pb_writer_bytes(&writer, 2, raw(text, sizes[i]));
        pb_writer_close(&writer, mark);
        assert_false(pb_writer_is_full(&writer));
        assert_true(view_equals(pb_writer_view(&writer), pb_writer_view(&plain)));
    }
}

static void writer_never_writes_past_its_end(void **state)
{
    char whole[512];
    struct pb_writer writer;
    size_t size;

    (void)state;
    pb_writer_init(&writer, whole, sizeof whole);
    write_all(&writer);
    size = writer.size;
    for (size_t capacity = 0; capacity <= size; capacity++) {
        char *block = malloc(capacity + 1); /* its end is watched by the sanitizer, its last byte by us */

        assert_non_null(block);
        block[capacity] = 'c';
        pb_writer_init(&writer, block, capacity);
        write_all(&writer);
        assert_int_equal(pb_writer_is_full(&writer), capacity < size);
        assert_int_equal(view_is_present(pb_writer_view(&writer)), capacity == size);
        assert_int_equal(block[capacity], 'c');
        if (capacity == size)
            assert_memory_equal(block, whole, size);
        free(block);
    }
}

static void writer_stays_full(void **state)
{
    char buffer[4];
    struct pb_writer writer;

    (void)state;
    pb_writer_init(&writer, buffer, sizeof buffer);
    pb_writer_bytes(&writer, 1, VIEW("long"));
    pb_writer_varint(&writer, 1, 1); /* would fit, after what did not */
    assert_true(pb_writer_is_full(&writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_gives_every_kind_of_field),
        cmocka_unit_test(reader_takes_an_absent_message_as_one_without_fields),
        cmocka_unit_test(reader_gives_an_empty_field_as_present),
        cmocka_unit_test(reader_refuses_a_length_one_past_the_end),
        cmocka_unit_test(reader_refuses_a_varint_of_more_than_64_bits),
        cmocka_unit_test(reader_refuses_a_field_number_of_zero),
        cmocka_unit_test(reader_refuses_a_tag_above_32_bits),
        cmocka_unit_test(reader_refuses_groups_and_undefined_wire_types),
        cmocka_unit_test(reader_stays_broken),
        cmocka_unit_test(writer_writes_what_the_reader_reads),
        cmocka_unit_test(writer_moves_content_up_for_a_longer_length),
        cmocka_unit_test(writer_never_writes_past_its_end),
        cmocka_unit_test(writer_stays_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
