/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal folder while it is being written: every record in order of
 * epoch start and sequence. A torn tail or a bad CRC ends a segment and is
 * reported, never guessed over. Segments that were removed before they were read
 * are passed over: the gap in the sequence shows it. */
#ifndef BARTIZAN_JOURNAL_READER_H
#define BARTIZAN_JOURNAL_READER_H

#include "journal_writer.h"

struct journal_reader;

struct journal_position {
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t sequence;
};

/* ERR_IO when the folder cannot be read. `from_end` starts after the last record. */
MUST_CHECK enum err journal_reader_open(const char *path, bool from_end, struct journal_reader **out);
void journal_reader_close(struct journal_reader *reader);

/* Goes on after `position`. ERR_NOT_FOUND: the folder has nothing of that epoch;
 * the reader then stands before the oldest record there is. Records after the
 * position that are gone already are passed over. */
MUST_CHECK enum err journal_reader_seek(struct journal_reader *reader, const struct journal_position *position);

/* The next complete record: ERR_NONE with *position and *payload (valid until the
 * next call); ERR_NOT_FOUND when there is none yet; ERR_MALFORMED for a bad frame
 * (the reader goes on at the next segment); ERR_UNSUPPORTED for a segment of an
 * unknown version; ERR_IO. For the errors *position names the place: of a bad frame
 * its epoch and sequence, of a segment its epoch alone. */
MUST_CHECK enum err journal_reader_next(struct journal_reader *reader, struct journal_position *position,
                                        struct view *payload);

#endif
