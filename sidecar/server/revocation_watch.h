/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the sequences of signed deny lists beside the journal, so that no older list is
 * taken after a restart (revocation_mark.h). */
#ifndef BARTIZAN_REVOCATION_WATCH_H
#define BARTIZAN_REVOCATION_WATCH_H

#include "snapshot.h"

struct revocation_watch {
    const struct config *config;
    uint64_t marked; /* the generation of lists that the file has; 0: not written yet */
    bool is_failing; /* the last attempt to write it failed, and was told */
};

/* Sees to it that none of the lists in force is taken in an older form after a restart; nothing where nobody
 * signs. One caller at a time, under the journal's lock. What cannot be written is told once, and written by a later
 * call. ERR_STALE: the first call, and another decider has kept higher ones since the lists were read; ERR_IO and so
 * on. */
MUST_CHECK enum err revocation_watch_mark(struct revocation_watch *watch, const struct snapshot *snapshot);

#endif
