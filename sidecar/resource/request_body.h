/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's body names: the model or tool that AI protocols put there. */
#ifndef BARTIZAN_REQUEST_BODY_H
#define BARTIZAN_REQUEST_BODY_H

#include "arena.h"
#include "facts.h"

struct request_body {
    struct view bytes;
    struct view content_type; /* header value; absent when none */
    struct view path;
    int64_t size;    /* Envoy's `size`; larger than the bytes means partial */
    bool is_partial; /* x-envoy-auth-partial-body: true */
    bool is_lossy;   /* came as string: bytes that are not UTF-8 read `!` */
};

/* application/json: the top-level strings `model` (OpenAI) and, for JSON-RPC, `method`
 * and `params.name` (MCP tools/call). application/grpc on inference.GRPCInferenceService:
 * field 1 `model_name` of the first message (KServe v2). Anything else, and no bytes at all:
 * BODY_ABSENT. Partial, lossy, compressed or malformed where it would be read:
 * BODY_UNREADABLE. Views borrow from the bytes or `arena`. */
void request_body_read(const struct request_body *body, struct arena *arena, struct body_facts *out);

#endif
