/* SPDX-License-Identifier: Apache-2.0 */
/* One stream of the SPIFFE Workload API on a connection of its own, opened and read
 * through a completion queue of gRPC C core. The connection is plain (the endpoint's
 * peer is attested by the kernel, SPIFFE_Workload_Endpoint.md section 3.1), asks no
 * proxy and resolves no name; the metadata `workload.spiffe.io: true` is always sent. */
#ifndef BARTIZAN_WORKLOAD_CALL_H
#define BARTIZAN_WORKLOAD_CALL_H

#include "workload_message.h"

#include <grpc/grpc.h>

struct workload_call;

enum workload_event {
    WORKLOAD_SENT = 0, /* the request is on its way: of no interest */
    WORKLOAD_MESSAGE,  /* workload_call_message has it */
    WORKLOAD_END,      /* workload_call_code says how; only workload_call_close may follow */
};

/* Starts the stream at `target`, in gRPC's form. Its events come out of `queue`. */
MUST_CHECK enum err workload_call_open(enum workload_kind kind, const char *target, grpc_completion_queue *queue,
                                       struct workload_call **out);

/* What a tag of the queue means, and of which call. After WORKLOAD_MESSAGE the next one is asked for. */
enum workload_event workload_call_event(void *tag, bool is_good, struct workload_call **call);

/* Copies the message of a WORKLOAD_MESSAGE event, once. ERR_NO_MEMORY. */
MUST_CHECK enum err workload_call_message(struct workload_call *call, struct arena *arena, struct view *out);

grpc_status_code workload_call_code(const struct workload_call *call);
struct view workload_call_details(const struct workload_call *call); /* the server's words, not to be trusted */

/* Makes it end soon, with WORKLOAD_END. */
void workload_call_cancel(struct workload_call *call);
void workload_call_close(struct workload_call *call); /* harmless on NULL */

#endif
