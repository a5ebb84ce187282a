/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of protocols that people actually serve, so that nobody types
 * their paths: KServe v1 and v2 (Open Inference Protocol), OpenAI-compatible
 * servers, MCP, MLflow, gRPC health. A policy uses them as `catalog.operation`. */
#ifndef BARTIZAN_CATALOG_H
#define BARTIZAN_CATALOG_H

#include "model.h"

/* One way in which an operation reaches a server; an operation has several. */
struct catalog_entry {
    struct view name; /* "kserve-v2.infer" */
    enum operation_kind kind;
    struct view method; /* OPERATION_HTTP: upper case; gRPC: POST */
    struct view path;   /* OPERATION_HTTP: a template */
    struct view service,
        call; /* OPERATION_GRPC: service and method; HTTP: `call` is the JSON-RPC method, absent: any */
    enum body_protocol body;
    bool encoded_slash_is_data; /* a model id may hold an encoded slash */
};

/* All entries, ordered by name. */
const struct catalog_entry *catalog_entries(size_t *count);

/* The entries of one operation: the first and *count, or NULL. */
const struct catalog_entry *catalog_find(struct view name, size_t *count);

/* The catalog that an entry is of: "kserve-v2". */
struct view catalog_of(const struct catalog_entry *entry);

/* The names of all catalogs, a comma between them; the absent view when the arena is full. */
struct view catalog_names(struct arena *arena);

#endif
