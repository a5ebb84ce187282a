/* SPDX-License-Identifier: Apache-2.0 */
/* One grpc.health.v1.Health/Check call on a connection of its own: what Envoy needs
 * to get through, gets through. */
#ifndef BARTIZAN_HEALTH_CLIENT_H
#define BARTIZAN_HEALTH_CLIENT_H

#include "config.h"

/* Asks the listener about the server as a whole. ERR_NONE and *is_serving; ERR_IO:
 * no answer within `timeout_ms`; ERR_MALFORMED: the answer is no health answer;
 * ERR_UNSUPPORTED: RPC error, *rpc_code says which. */
MUST_CHECK enum err health_check(const struct listener_config *listener, int timeout_ms, bool *is_serving,
                                 int *rpc_code);

#endif
