/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before the next attempt: 1 s, twice as long each time, 30 s at
 * most (SPIFFE_Workload_API.md appendix A), of which up to a fifth is left off at
 * random, so that the sidecars of a node do not ask its agent in step. */
#ifndef BARTIZAN_BACKOFF_H
#define BARTIZAN_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_LEAST = 1000, BACKOFF_MOST = 30000 }; /* milliseconds */

struct backoff {
    int64_t pause; /* the next one; 0: BACKOFF_LEAST. All zero is a good start, and a reset */
};

/* Milliseconds to wait, and the next pause is longer. `random` is any number. */
int64_t backoff_next(struct backoff *backoff, uint32_t random);

#endif
