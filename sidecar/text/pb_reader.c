/* SPDX-License-Identifier: Apache-2.0 */
#include "pb_reader.h"

enum { VARINT_BYTES_MAX = 10, TAG_BYTES_MAX = 5 };

void pb_reader_init(struct pb_reader *reader, struct view message)
{
    static const char nothing[1];
    const char *start = message.data != NULL ? message.data : nothing;

    *reader = (struct pb_reader){.at = start, .end = start + message.size};
}

/* A varint of at most `most` bytes. The tenth byte carries bit 63 alone: more
 * there is a number that does not fit, and decoders differ about what it means. */
static inline bool read_varint(struct pb_reader *reader, size_t most, uint64_t *out)
{
    uint64_t value = 0;
    size_t left = (size_t)(reader->end - reader->at);

    if (left > 0 && (uint8_t)*reader->at < 0x80) { /* nearly all are one byte */
        *out = (uint8_t)*reader->at++;
        return true;
    }
    for (size_t i = 0; i < most && i < left; i++) {
        uint8_t byte = (uint8_t)reader->at[i];

        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            reader->at += i + 1;
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct pb_reader *reader, size_t size, uint64_t *out)
{
    uint64_t value = 0;

    if ((size_t)(reader->end - reader->at) < size)
        return false;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)reader->at[i] << (8 * i);
    reader->at += size;
    *out = value;
    return true;
}

static bool read_bytes(struct pb_reader *reader, struct view *out)
{
    uint64_t size;

    if (!read_varint(reader, VARINT_BYTES_MAX, &size) || size > (uint64_t)(reader->end - reader->at))
        return false;
    *out = (struct view){.data = reader->at, .size = (size_t)size};
    reader->at += size;
    return true;
}

static bool read_field(struct pb_reader *reader, struct pb_field *out)
{
    uint64_t tag;

    if (!read_varint(reader, TAG_BYTES_MAX, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    out->number = (uint32_t)(tag >> 3);
    out->wire = (enum pb_wire)(tag & 7);
    out->scalar = 0;
    out->bytes = (struct view){0};
    switch (out->wire) {
    case PB_VARINT: return read_varint(reader, VARINT_BYTES_MAX, &out->scalar);
    case PB_FIXED64: return read_fixed(reader, 8, &out->scalar);
    case PB_BYTES: return read_bytes(reader, &out->bytes);
    case PB_FIXED32: return read_fixed(reader, 4, &out->scalar);
    }
    return false; /* groups (3, 4) and what is not defined (6, 7) */
}

bool pb_reader_next(struct pb_reader *reader, struct pb_field *out)
{
    if (reader->is_broken || reader->at == reader->end)
        return false;
    if (read_field(reader, out))
        return true;
    reader->is_broken = true;
    return false;
}
