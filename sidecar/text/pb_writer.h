/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format, written into a caller's buffer.
 *
 * Never past the buffer's end and never an allocation. Overflow is sticky: the
 * first write that does not fit sets is_full, later ones do nothing, and one
 * question at the end (pb_writer_is_full) answers for all of them. Every call
 * writes its field, also where the value is the default; leaving defaults out is
 * the caller's choice. Source: protobuf.dev, "Encoding". */
#ifndef BARTIZAN_PB_WRITER_H
#define BARTIZAN_PB_WRITER_H

#include "err.h"
#include "view.h"

struct pb_writer {
    char *start;
    size_t size; /* bytes written */
    size_t capacity;
    bool is_full;
};

/* Writes into `capacity` bytes at `buffer`, which may be NULL when capacity is 0. */
void pb_writer_init(struct pb_writer *writer, char *buffer, size_t capacity);

/* uint32, uint64, bool, enum; int32 and int64 as their 64-bit two's complement. */
void pb_writer_varint(struct pb_writer *writer, uint32_t number, uint64_t value);
void pb_writer_int64(struct pb_writer *writer, uint32_t number, int64_t value);
void pb_writer_fixed64(struct pb_writer *writer, uint32_t number, uint64_t value);

/* string, bytes, or an already encoded message. */
void pb_writer_bytes(struct pb_writer *writer, uint32_t number, struct view bytes);

/* A message field whose content follows. Returns the mark that pb_writer_close
 * takes when the content is complete; they nest. */
size_t pb_writer_open(struct pb_writer *writer, uint32_t number);
void pb_writer_close(struct pb_writer *writer, size_t mark);

/* True when something did not fit: what was written is not a message then. */
bool pb_writer_is_full(const struct pb_writer *writer);

/* The bytes written so far; the absent view when full. */
struct view pb_writer_view(const struct pb_writer *writer);

#endif
