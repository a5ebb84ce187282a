/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of Check: waiting for callers, decided on the polling thread, verified on the
 * pool's, answered. All of it but rpc_calls_verify belongs to the polling thread. */
#ifndef BARTIZAN_RPC_CALLS_H
#define BARTIZAN_RPC_CALLS_H

#include "accept_loop.h"
#include "check.h"
#include "worker_pool.h"

#include <grpc/grpc.h>
#include <stdatomic.h>

enum { RPC_CALLS_WAITING = 64 }; /* calls that wait for a caller at any time */

struct slot;

/* Filled by the server down to `gather_size`; the rest zero. */
struct rpc_calls {
    struct check_context *context;
    struct metrics *metrics;
    grpc_server *server;
    grpc_completion_queue *queue;
    void *method; /* Check, registered */
    struct worker_pool *pool;
    struct accept_loop *accept;
    const atomic_bool *is_stopping;
    size_t slot_most; /* calls at a time, those that wait for a caller included */
    char *gather;     /* for a request that comes in parts; freed by rpc_calls_free */
    size_t gather_size;
    size_t slot_count, waiting;
    size_t busy; /* calls that are not answered yet */
    struct slot *free_slots;
    struct check_reply reply;
};

/* Keeps enough calls waiting for callers, unless it is stopping. */
void rpc_calls_start(struct rpc_calls *calls);

/* The work of the pool. */
void rpc_calls_verify(void *job);

/* When the queue has ended. */
void rpc_calls_free(struct rpc_calls *calls);

#endif
