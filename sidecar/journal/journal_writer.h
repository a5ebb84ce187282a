/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only file of audit records on the pod.
 *
 * A journal is a folder of segments, `EPOCH-NNNNNNNN.bzj`: EPOCH is 32 hex digits
 * (128 random bits per start), N counts from 0. A segment is preallocated
 * (posix_fallocate), so a full disk is found when it is opened; only a window of it
 * is mapped and the next is populated ahead by a helper thread. Layout, little endian:
 *
 *   header, 64 bytes: magic "BZJL", u16 version 1, u16 header size, u8 epoch[16],
 *     u64 first sequence, u64 segment number, u64 segment bytes, u32 CRC32C of the above, zero padding
 *   then frames, 8-byte aligned: u32 payload bytes, u32 CRC32C of the payload,
 *     payload (a bartizan.audit.v1.Record), padding. A zero length ends the segment.
 * The length is stored last (release), so a reader sees whole records only. A
 * record is complete here before the answer leaves; it survives kill -9. */
#ifndef BARTIZAN_JOURNAL_WRITER_H
#define BARTIZAN_JOURNAL_WRITER_H

#include "err.h"
#include "view.h"

struct journal_writer;

enum { JOURNAL_RECORD_MAX = 16 * 1024, JOURNAL_EPOCH_BYTES = 16 };

struct journal_config {
    const char *path;       /* folder; created with 0750 when missing */
    uint64_t max_bytes;     /* of all segments; the oldest closed ones are removed past it, after a loss record */
    uint32_t segment_bytes; /* default 8 MiB */
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
};

/* ERR_IO: cannot create, preallocate or map (errno). Takes an exclusive lock on
 * the folder; ERR_CONFLICT when a live process has it. */
MUST_CHECK enum err journal_writer_open(const struct journal_config *config, struct journal_writer **out);
void journal_writer_close(struct journal_writer *writer);

/* Room for a record of at most JOURNAL_RECORD_MAX bytes, and its sequence number
 * (from 0 without gaps). NULL: it cannot be taken (disk full, I/O error); the
 * caller denies or counts a loss by its mode. One thread. */
char *journal_writer_reserve(struct journal_writer *writer, uint64_t *sequence);

/* Completes the reserved record with its `size` bytes. No system call but at the
 * end of a segment. */
void journal_writer_commit(struct journal_writer *writer, size_t size);

/* Records refused since open (each later has a loss record). */
uint64_t journal_writer_lost(const struct journal_writer *writer);

#endif
