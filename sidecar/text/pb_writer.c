/* SPDX-License-Identifier: Apache-2.0 */
#include "pb_writer.h"

#include "pb_reader.h"

enum { VARINT_BYTES_MAX = 10 };

void pb_writer_init(struct pb_writer *writer, char *buffer, size_t capacity)
{
    *writer = (struct pb_writer){.start = buffer, .capacity = capacity};
}

/* `size` bytes to fill, or NULL when they do not fit. */
static char *take(struct pb_writer *writer, size_t size)
{
    char *at;

    if (writer->is_full || size > writer->capacity - writer->size) {
        writer->is_full = true;
        return NULL;
    }
    at = writer->start + writer->size;
    writer->size += size;
    return at;
}

static size_t encode_varint(uint64_t value, char out[VARINT_BYTES_MAX])
{
    size_t size = 0;

    while (value >= 0x80) {
        out[size++] = (char)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (char)value;
    return size;
}

static void put_varint(struct pb_writer *writer, uint64_t value)
{
    char bytes[VARINT_BYTES_MAX];
    size_t size = value < 0x80 ? 1 : encode_varint(value, bytes);
    char *at = take(writer, size);

    if (at == NULL)
        return;
    if (size == 1) /* nearly all of them */
        *at = (char)value;
    else
        memcpy(at, bytes, size);
}

static void put_tag(struct pb_writer *writer, uint32_t number, enum pb_wire wire)
{
    put_varint(writer, (uint64_t)number << 3 | wire);
}

void pb_writer_varint(struct pb_writer *writer, uint32_t number, uint64_t value)
{
    put_tag(writer, number, PB_VARINT);
    put_varint(writer, value);
}

void pb_writer_int64(struct pb_writer *writer, uint32_t number, int64_t value)
{
    pb_writer_varint(writer, number, (uint64_t)value);
}

void pb_writer_fixed64(struct pb_writer *writer, uint32_t number, uint64_t value)
{
    char *at;

    put_tag(writer, number, PB_FIXED64);
    at = take(writer, 8);
    for (size_t i = 0; at != NULL && i < 8; i++)
        at[i] = (char)(value >> (8 * i));
}

void pb_writer_bytes(struct pb_writer *writer, uint32_t number, struct view bytes)
{
    char *at;

    put_tag(writer, number, PB_BYTES);
    put_varint(writer, bytes.size);
    at = take(writer, bytes.size);
    if (at != NULL && bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
}

size_t pb_writer_open(struct pb_writer *writer, uint32_t number)
{
    put_tag(writer, number, PB_BYTES);
    (void)take(writer, 1); /* the length; most messages are short enough for one byte */
    return writer->size;
}

void pb_writer_close(struct pb_writer *writer, size_t mark)
{
    char length[VARINT_BYTES_MAX];
    size_t content = writer->size - mark;

    if (writer->is_full)
        return;
    if (content < 0x80) {
        writer->start[mark - 1] = (char)content;
        return;
    }
    /* A longer length moves the content up, so that the encoding stays the
     * shortest one and no other decoder stumbles over padding. */
    size_t size = encode_varint(content, length);
    if (take(writer, size - 1) == NULL)
        return;
    memmove(writer->start + mark + size - 1, writer->start + mark, content);
    memcpy(writer->start + mark - 1, length, size);
}

bool pb_writer_is_full(const struct pb_writer *writer)
{
    return writer->is_full;
}

struct view pb_writer_view(const struct pb_writer *writer)
{
    if (writer->is_full)
        return (struct view){0};
    return (struct view){.data = writer->start, .size = writer->size};
}
