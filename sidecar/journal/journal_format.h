/* SPDX-License-Identifier: Apache-2.0 */
/* What writer and reader share about a segment's bytes (journal_writer.h has the
 * layout). Total: any 64 bytes in, a header or an error out. */
#ifndef BARTIZAN_JOURNAL_FORMAT_H
#define BARTIZAN_JOURNAL_FORMAT_H

#include "journal_writer.h"

enum {
    JOURNAL_NAME_BYTES = 2 * JOURNAL_EPOCH_BYTES + 1 + 8 + 4, /* EPOCH-NNNNNNNN.bzj */
    JOURNAL_SEGMENT_MIN = 64 * 1024,
    JOURNAL_SEGMENT_MAX = 1024 * 1024 * 1024,
};

struct journal_header {
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t first_sequence;
    uint64_t segment;
    uint64_t segment_bytes;
    uint64_t epoch_started; /* CLOCK_REALTIME nanoseconds */
};

/* Bytes of a whole frame with a payload of `size` bytes, padding included. */
static inline size_t journal_frame_bytes(size_t size)
{
    return (JOURNAL_FRAME_BYTES + size + 7) & ~(size_t)7;
}

/* A 32-bit little-endian number. */
static inline uint32_t journal_get32(const void *at)
{
    const uint8_t *b = at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

void journal_header_write(const struct journal_header *header, uint8_t out[JOURNAL_HEADER_BYTES]);

/* ERR_NOT_FOUND: it begins with zeros, the segment was made ahead. ERR_MALFORMED: no header of
 * ours. ERR_UNSUPPORTED: a header of another version. */
MUST_CHECK enum err journal_header_parse(const uint8_t bytes[JOURNAL_HEADER_BYTES], struct journal_header *out);

/* The file name of a segment, with a NUL. */
void journal_name_write(const uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t segment, char out[JOURNAL_NAME_BYTES + 1]);

/* False for any other name. */
bool journal_name_parse(struct view name, uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t *segment);

#endif
