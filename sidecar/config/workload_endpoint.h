/* SPDX-License-Identifier: Apache-2.0 */
/* The address of a SPIFFE Workload API: SPIFFE_Workload_Endpoint.md section 4.
 *
 *   address = "unix://" path / "tcp://" ip ":" port
 *   path    = "/" 1*( printable ASCII but "?", "#", "%" )
 *   ip      = IPv4 in dots / "[" IPv6 "]"       ; never a name
 *   port    = 1 to 65535
 * The scheme in either case. A unix address has no authority, a tcp address nothing but one: no user, path,
 * query or fragment. A path is written plainly, without escapes. */
#ifndef BARTIZAN_WORKLOAD_ENDPOINT_H
#define BARTIZAN_WORKLOAD_ENDPOINT_H

#include "err.h"
#include "view.h"

#define WORKLOAD_ENDPOINT_VARIABLE "SPIFFE_ENDPOINT_SOCKET"

enum { WORKLOAD_ENDPOINT_TARGET_MAX = 160 }; /* with its NUL */

/* ERR_MALFORMED with *why, a static phrase; else the same address as gRPC writes it ("unix:/run/agent.sock",
 * "ipv4:127.0.0.1:8081") in `target`. */
MUST_CHECK enum err workload_endpoint_parse(struct view text, char target[WORKLOAD_ENDPOINT_TARGET_MAX],
                                            const char **why);

#endif
