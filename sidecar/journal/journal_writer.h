/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only file of audit records on the pod.
 *
 * A journal is a folder of segments, `EPOCH-NNNNNNNN.bzj`: EPOCH is 32 hex digits
 * (128 random bits per start), N counts from 0. A segment is preallocated
 * (posix_fallocate), so a full disk is found when it is opened; only a window of it
 * is resident and the next is populated ahead by a helper thread. Layout, little endian:
 *
 *   header, 64 bytes: magic "BZJL", u16 version 1, u16 header size, u8 epoch[16],
 *     u64 first sequence, u64 segment number, u64 segment bytes,
 *     u64 start of the epoch (CLOCK_REALTIME ns, above that of every epoch before it in
 *     the folder), u32 CRC32C of the above, zero padding
 *   then frames, 8-byte aligned: u32 payload bytes, u32 CRC32C of the payload,
 *     payload (a bartizan.audit.v1.Record), padding. A zero length ends the segment.
 * The length is stored last (release), so a reader sees whole records only. A
 * record is complete here before the answer leaves; it survives kill -9. A segment
 * whose header is still zero was made ahead and holds nothing yet. A segment that
 * has ended is cut to the bytes it uses.
 *
 * The writer adds records of its own, `loss`, before the next record of its caller:
 * for records refused (disk-full, io-error), for the oldest closed segments that
 * must go under `max_bytes` (capped; recorded first, removed afterwards, whether or
 * not they were published), and for a torn end that an earlier epoch left (torn). The
 * first record of an epoch is always the caller's. The clock is asked for these
 * records and for the start of the epoch alone. */
#ifndef BARTIZAN_JOURNAL_WRITER_H
#define BARTIZAN_JOURNAL_WRITER_H

#include "err.h"
#include "view.h"

struct journal_writer;

enum { JOURNAL_RECORD_MAX = 16 * 1024, JOURNAL_EPOCH_BYTES = 16, JOURNAL_HEADER_BYTES = 64, JOURNAL_FRAME_BYTES = 8 };
enum { JOURNAL_VERSION = 1 };

struct journal_config {
    const char *path;       /* folder; created with 0750 when missing */
    uint64_t max_bytes;     /* of all segments; passed by two segments at most while room is made. 0: no limit */
    uint32_t segment_bytes; /* default 8 MiB; at most a quarter of max_bytes, at least 64 KiB */
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    struct view instance; /* for the writer's own records; copied, at most 255 bytes */
    uint32_t sync_ms;     /* synced to the disk at most this long after a record; 0: when the kernel likes */
};

/* ERR_IO: cannot create, preallocate or map (errno). Takes an exclusive lock on
 * the folder; ERR_CONFLICT when a live process has it. Starts two threads. */
MUST_CHECK enum err journal_writer_open(const struct journal_config *config, struct journal_writer **out);

/* Ends the threads, cuts the last segment to its records and syncs it. */
void journal_writer_close(struct journal_writer *writer);

/* The last record of the epoch before this one, as the folder had it at open;
 * false when there was none. For the record that starts the epoch. */
bool journal_writer_previous(const struct journal_writer *writer, uint8_t epoch[JOURNAL_EPOCH_BYTES],
                             uint64_t *sequence);

/* Room for a record of at most JOURNAL_RECORD_MAX bytes, and its sequence number
 * (from 0 without gaps). NULL: it cannot be taken (disk full, I/O error) and
 * is lost; a loss record tells how many once there is room. One thread. */
char *journal_writer_reserve(struct journal_writer *writer, uint64_t *sequence);

/* Completes the reserved record with its `size` bytes, 1 to JOURNAL_RECORD_MAX. No
 * system call but a wake-up of the helper, once a megabyte. */
void journal_writer_commit(struct journal_writer *writer, size_t size);

/* The number of the next record, which is that of the records so far; from any thread. */
uint64_t journal_writer_next_sequence(const struct journal_writer *writer);

/* Records refused since open (each later has a loss record). */
uint64_t journal_writer_lost(const struct journal_writer *writer);

#endif
