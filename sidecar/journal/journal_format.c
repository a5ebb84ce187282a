/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_format.h"

#include "crc32c.h"
#include "digest.h"

#include <stdio.h>

enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_SIZE = 6,
    AT_EPOCH = 8,
    AT_FIRST = 24,
    AT_SEGMENT = 32,
    AT_BYTES = 40,
    AT_STARTED = 48,
    AT_CRC = 56,
};

static const char magic[4] = {'B', 'Z', 'J', 'L'};

static void put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

void journal_header_write(const struct journal_header *header, uint8_t out[JOURNAL_HEADER_BYTES])
{
    memset(out, 0, JOURNAL_HEADER_BYTES);
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    put(out + AT_VERSION, JOURNAL_VERSION, 2);
    put(out + AT_SIZE, JOURNAL_HEADER_BYTES, 2);
    memcpy(out + AT_EPOCH, header->epoch, JOURNAL_EPOCH_BYTES);
    put(out + AT_FIRST, header->first_sequence, 8);
    put(out + AT_SEGMENT, header->segment, 8);
    put(out + AT_BYTES, header->segment_bytes, 8);
    put(out + AT_STARTED, header->epoch_started, 8);
    put(out + AT_CRC, crc32c(out, AT_CRC), 4);
}

enum err journal_header_parse(const uint8_t bytes[JOURNAL_HEADER_BYTES], struct journal_header *out)
{
    /* The writer stores the first 8 bytes last. */
    if (get(bytes, 8) == 0)
        return ERR_NOT_FOUND;
    if (memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0)
        return ERR_MALFORMED;
    if (get(bytes + AT_VERSION, 2) != JOURNAL_VERSION)
        return ERR_UNSUPPORTED;
    if (get(bytes + AT_SIZE, 2) != JOURNAL_HEADER_BYTES || get(bytes + AT_CRC, 4) != crc32c(bytes, AT_CRC))
        return ERR_MALFORMED;
    memcpy(out->epoch, bytes + AT_EPOCH, JOURNAL_EPOCH_BYTES);
    out->first_sequence = get(bytes + AT_FIRST, 8);
    out->segment = get(bytes + AT_SEGMENT, 8);
    out->segment_bytes = get(bytes + AT_BYTES, 8);
    out->epoch_started = get(bytes + AT_STARTED, 8);
    return out->segment_bytes <= JOURNAL_SEGMENT_MAX ? ERR_NONE : ERR_MALFORMED;
}

void journal_name_write(const uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t segment, char out[JOURNAL_NAME_BYTES + 1])
{
    hex_encode(epoch, JOURNAL_EPOCH_BYTES, out);
    snprintf(out + 2 * JOURNAL_EPOCH_BYTES, JOURNAL_NAME_BYTES + 1 - 2 * JOURNAL_EPOCH_BYTES, "-%08u.bzj",
             (unsigned)(segment % 100000000U));
}

bool journal_name_parse(struct view name, uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t *segment)
{
    enum { HEX = 2 * JOURNAL_EPOCH_BYTES };
    return name.size == JOURNAL_NAME_BYTES && name.data[HEX] == '-' &&
           view_equals(view_slice(name, HEX + 9, name.size), VIEW(".bzj")) &&
           view_to_u64(view_slice(name, HEX + 1, HEX + 9), segment) &&
           hex_decode(view_slice(name, 0, HEX), epoch, JOURNAL_EPOCH_BYTES);
}
