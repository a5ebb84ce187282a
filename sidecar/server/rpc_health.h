/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health: Check, List and Watch for "" and for the Authorization
 * service. Driven by the server's completion queue (queue_event.h); one thread. */
#ifndef BARTIZAN_RPC_HEALTH_H
#define BARTIZAN_RPC_HEALTH_H

#include "err.h"

#include <grpc/grpc.h>
#include <stdbool.h>

struct rpc_health;

/* Registers the methods with `server`, which is not started yet. */
MUST_CHECK enum err rpc_health_open(grpc_server *server, grpc_completion_queue *queue, struct rpc_health **out);

/* Begins to take calls; the server has started. */
void rpc_health_start(struct rpc_health *health);

/* After the queue was drained. */
void rpc_health_close(struct rpc_health *health);

/* Sends the new state to whoever watches, when it differs. */
void rpc_health_set(struct rpc_health *health, bool is_serving);

/* No further calls are taken; watches end. */
void rpc_health_stop(struct rpc_health *health);

#endif
