/* SPDX-License-Identifier: Apache-2.0 */
/* One segment file as the writer has it: made ahead, written through a mapping,
 * cut to size when it has ended. */
#ifndef BARTIZAN_JOURNAL_SEGMENT_H
#define BARTIZAN_JOURNAL_SEGMENT_H

#include "journal_format.h"

struct journal_segment {
    struct journal_segment *next; /* in the list that holds it */
    int fd;                       /* -1 once closed */
    char *base;                   /* the whole file mapped; NULL once closed */
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t number;
    size_t bytes; /* of the file */
    size_t used;  /* bytes that hold header and records; set when it has ended */
    uint64_t first;
    uint64_t count;   /* records; set when it has ended */
    size_t populated; /* bytes of the mapping made resident so far */
    size_t dropped;   /* bytes of the mapping given back so far */
};

/* Creates, preallocates and maps segment `number` in `folder`. ERR_IO with errno;
 * nothing is left behind then. Freed by journal_segment_end or _discard. */
MUST_CHECK enum err journal_segment_make(int folder, const uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t number,
                                         size_t bytes, struct journal_segment **out);

/* Makes the bytes up to `to` resident and writable, so that storing there faults
 * no page. Best effort. */
void journal_segment_populate(struct journal_segment *segment, size_t to);

/* Gives back the memory of the bytes before `to`; the file keeps them. */
void journal_segment_drop(struct journal_segment *segment, size_t to);

void journal_segment_unmap(struct journal_segment *segment);

/* Of an unmapped one: cuts the file to `used`, syncs it when asked to and closes
 * it. The struct stays, for the list of closed segments. */
void journal_segment_end(struct journal_segment *segment, bool is_synced);

/* Removes the file and frees the struct. */
void journal_segment_discard(int folder, struct journal_segment *segment);

/* What a segment file holds: the records from `first` on that are whole. */
struct journal_census {
    struct journal_header header;
    uint64_t count;
    size_t used;
    size_t bytes; /* size of the file */
    bool is_torn; /* bytes that are no whole record follow */
};

/* Counts the records of a segment that nobody writes any more. With `is_checked`
 * also by CRC. ERR_IO, or the error of its header. */
MUST_CHECK enum err journal_segment_count(int folder, const char *name, bool is_checked, struct journal_census *out);

#endif
