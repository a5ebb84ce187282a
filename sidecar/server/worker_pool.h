/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads of lower priority and a bounded queue of jobs.
 *
 * Signature verification is dear and must not stand in the way of requests whose
 * proofs are known: the threads are made nicer than the rest of the process. */
#ifndef BARTIZAN_WORKER_POOL_H
#define BARTIZAN_WORKER_POOL_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

struct worker_pool;

struct worker_pool_config {
    size_t threads;
    size_t capacity;         /* jobs that may wait */
    void (*work)(void *job); /* on a pool thread; hands the job back by itself */
};

MUST_CHECK enum err worker_pool_open(const struct worker_pool_config *config, struct worker_pool **out);

/* Works off what waits, then ends the threads; what is submitted from then on is refused. */
void worker_pool_stop(struct worker_pool *pool);

/* The same, and frees it: nobody submits any more. Harmless on NULL. */
void worker_pool_close(struct worker_pool *pool);

/* False when the queue is full, or the pool is stopped. From any thread. */
MUST_CHECK bool worker_pool_submit(struct worker_pool *pool, void *job);

#endif
