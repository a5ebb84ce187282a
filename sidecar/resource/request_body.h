/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's body names: the model or tool that AI protocols put there. */
#ifndef BARTIZAN_REQUEST_BODY_H
#define BARTIZAN_REQUEST_BODY_H

#include "arena.h"
#include "facts.h"

struct request_body {
    struct view bytes;
    struct view content_type; /* header value, repeated ones joined by a comma; absent when none */
    struct view path;
    int64_t size;    /* Envoy's `size`; larger than the bytes means partial */
    bool is_partial; /* x-envoy-auth-partial-body: true */
    bool is_lossy;   /* came as string: bytes that are not UTF-8 read `!` */
};

/* application/json: the top-level strings `model` (OpenAI) and, for JSON-RPC, `method`
 * and `params.name` (MCP tools/call). application/grpc on inference.GRPCInferenceService:
 * the model that the one message of the body names (KServe v2: field 1, in
 * RepositoryModelLoad and -Unload field 2). No body at all: BODY_ABSENT. Views borrow
 * from the bytes or `arena`.
 *
 * BODY_UNREADABLE wherever two readers could see two things: any other content type,
 * or none, since a server may parse the bytes all the same; partial, lossy (a `!`
 * in a string body), compressed or malformed; a JSON value that is no object, which
 * a JSON-RPC batch is; a member of another type than its protocol says; a name
 * that a reader which ignores case would take for one of ours ("Model"); more than
 * one gRPC message, or a model named twice; two content types. */
void request_body_read(const struct request_body *body, struct arena *arena, struct body_facts *out);

#endif
