/* SPDX-License-Identifier: Apache-2.0 */
/* envoy.service.auth.v3.Authorization and grpc.health.v1.Health on gRPC C core.
 *
 * One completion queue and one thread, which decides inline: more pollers cost
 * more than they bring. What must be verified first goes to a small worker pool
 * and comes back through the same queue. Whatever happens, a check is answered
 * with RPC OK and a CheckResponse that is not empty: to Envoy an RPC error is a
 * failure of the checker, which failure_mode_allow turns into an allow, and an
 * empty answer is an allow. */
#ifndef BARTIZAN_RPC_SERVER_H
#define BARTIZAN_RPC_SERVER_H

#include "accept_loop.h"
#include "check.h"
#include "state_record.h"

struct rpc_server;

struct rpc_server_config {
    const struct config *config;
    struct check_context *context; /* used by the polling thread alone from now on */
    struct state_record *records;  /* likewise */
    struct metrics *metrics;
    const struct accept_listener *listeners;
    size_t listener_count;
};

/* Starts accepting and answering. */
MUST_CHECK enum err rpc_server_open(const struct rpc_server_config *config, struct rpc_server **out);

/* Hands over a reload's outcome (its snapshot is taken over): every check that
 * begins after this call has returned is decided by it. From any thread. */
void rpc_server_deliver(struct rpc_server *server, const struct reload_outcome *outcome);

/* What Health says from now on. From any thread. */
void rpc_server_set_ready(struct rpc_server *server, bool is_ready);

/* Not serving any more, GOAWAY, what is in flight is answered within
 * `grace_milliseconds`, the rest is cancelled. Returns when the polling thread has ended. */
void rpc_server_stop(struct rpc_server *server, int64_t grace_milliseconds);
void rpc_server_close(struct rpc_server *server);

uint32_t rpc_server_connections(const struct rpc_server *server, size_t listener);

#endif
