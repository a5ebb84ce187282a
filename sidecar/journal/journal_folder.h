/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a journal as a writer finds it: its lock, and what earlier epochs left. */
#ifndef BARTIZAN_JOURNAL_FOLDER_H
#define BARTIZAN_JOURNAL_FOLDER_H

#include "journal_format.h"
#include "journal_reader.h"

enum { JOURNAL_TORN_MAX = 8 };

struct journal_folder_segment {
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t number;
    uint64_t epoch_started;
    uint64_t bytes; /* of the file */
};

struct journal_folder_state {
    struct journal_folder_segment *segments; /* of earlier epochs, oldest first */
    size_t segment_count;
    uint64_t latest_start; /* the greatest start of an epoch; 0: none */
    bool has_last;
    struct journal_position last; /* the last whole record of the latest epoch that has any */
    /* First sequence that is missing behind a torn end that was cut off now. */
    struct journal_position torn[JOURNAL_TORN_MAX];
    size_t torn_count;
};

/* Opens the folder; creates it (0750, the last part only) when asked to. ERR_IO. */
MUST_CHECK enum err journal_folder_open(const char *path, bool is_created, int *folder);

/* Takes the exclusive lock, which ends with the process. ERR_CONFLICT when another
 * has it; ERR_IO. */
MUST_CHECK enum err journal_folder_lock(int folder, int *lock_file);

/* Under the lock: removes segments that never began, cuts those of a killed
 * writer to their whole records, and lists what there is. ERR_IO, ERR_NO_MEMORY.
 * Files that are no segments of this version are left alone. */
MUST_CHECK enum err journal_folder_settle(int folder, struct journal_folder_state *out);
void journal_folder_forget(struct journal_folder_state *state);

#endif
