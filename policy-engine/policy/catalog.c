/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        .data = "" literal, .size = sizeof(literal) - 1                                                                \
    }
#define HTTP(operation, verb, template)                                                                                \
    {                                                                                                                  \
        .name = TEXT(operation), .kind = OPERATION_HTTP, .method = TEXT(verb), .path = TEXT(template)                  \
    }
#define MODEL(operation, verb, template)                                                                               \
    {                                                                                                                  \
        .name = TEXT(operation), .kind = OPERATION_HTTP, .method = TEXT(verb), .path = TEXT(template),                 \
        .encoded_slash_is_data = true                                                                                  \
    }
#define BODY(operation, verb, template, protocol)                                                                      \
    {                                                                                                                  \
        .name = TEXT(operation), .kind = OPERATION_HTTP, .method = TEXT(verb), .path = TEXT(template),                 \
        .body = (protocol)                                                                                             \
    }
#define MCP(operation, rpc)                                                                                            \
    {                                                                                                                  \
        .name = TEXT(operation), .kind = OPERATION_HTTP, .method = TEXT("POST"), .path = TEXT("/mcp"),                 \
        .call = TEXT(rpc), .body = BODY_PROTOCOL_MCP                                                                   \
    }
#define GRPC(operation, svc, rpc, protocol)                                                                            \
    {                                                                                                                  \
        .name = TEXT(operation), .kind = OPERATION_GRPC, .method = TEXT("POST"), .service = TEXT(svc),                 \
        .call = TEXT(rpc), .body = (protocol)                                                                          \
    }
#define INFERENCE "inference.GRPCInferenceService"

/* clang-format off */
static const struct catalog_entry ENTRIES[] = {
    GRPC("grpc.health", "grpc.health.v1.Health", "Check", BODY_PROTOCOL_NONE),
    GRPC("grpc.health", "grpc.health.v1.Health", "Watch", BODY_PROTOCOL_NONE),
    MODEL("kserve-v1.explain", "POST", "/v1/models/{model}:explain"),
    HTTP("kserve-v1.list", "GET", "/v1/models"),
    MODEL("kserve-v1.predict", "POST", "/v1/models/{model}:predict"),
    MODEL("kserve-v1.ready", "GET", "/v1/models/{model}"),
    HTTP("kserve-v2.health", "GET", "/v2/health/live"),
    HTTP("kserve-v2.health", "GET", "/v2/health/ready"),
    GRPC("kserve-v2.health", INFERENCE, "ServerLive", BODY_PROTOCOL_NONE),
    GRPC("kserve-v2.health", INFERENCE, "ServerReady", BODY_PROTOCOL_NONE),
    MODEL("kserve-v2.infer", "POST", "/v2/models/{model}/infer"),
    MODEL("kserve-v2.infer", "POST", "/v2/models/{model}/versions/{version}/infer"),
    GRPC("kserve-v2.infer", INFERENCE, "ModelInfer", BODY_PROTOCOL_KSERVE),
    GRPC("kserve-v2.infer", INFERENCE, "ModelStreamInfer", BODY_PROTOCOL_KSERVE),
    MODEL("kserve-v2.metadata", "GET", "/v2/models/{model}"),
    MODEL("kserve-v2.metadata", "GET", "/v2/models/{model}/versions/{version}"),
    GRPC("kserve-v2.metadata", INFERENCE, "ModelMetadata", BODY_PROTOCOL_KSERVE),
    MODEL("kserve-v2.ready", "GET", "/v2/models/{model}/ready"),
    MODEL("kserve-v2.ready", "GET", "/v2/models/{model}/versions/{version}/ready"),
    GRPC("kserve-v2.ready", INFERENCE, "ModelReady", BODY_PROTOCOL_KSERVE),
    HTTP("kserve-v2.repository", "POST", "/v2/repository/index"),
    MODEL("kserve-v2.repository", "POST", "/v2/repository/models/{model}/load"),
    MODEL("kserve-v2.repository", "POST", "/v2/repository/models/{model}/unload"),
    HTTP("kserve-v2.repository", "POST", "/v2/repository/{repository}/index"),
    MODEL("kserve-v2.repository", "POST", "/v2/repository/{repository}/models/{model}/load"),
    MODEL("kserve-v2.repository", "POST", "/v2/repository/{repository}/models/{model}/unload"),
    GRPC("kserve-v2.repository", INFERENCE, "RepositoryIndex", BODY_PROTOCOL_NONE),
    GRPC("kserve-v2.repository", INFERENCE, "RepositoryModelLoad", BODY_PROTOCOL_NONE),
    GRPC("kserve-v2.repository", INFERENCE, "RepositoryModelUnload", BODY_PROTOCOL_NONE),
    HTTP("kserve-v2.server-metadata", "GET", "/v2"),
    GRPC("kserve-v2.server-metadata", INFERENCE, "ServerMetadata", BODY_PROTOCOL_NONE),
    MCP("mcp.initialize", "initialize"),
    MCP("mcp.prompts-get", "prompts/get"),
    MCP("mcp.prompts-list", "prompts/list"),
    MCP("mcp.resources-list", "resources/list"),
    MCP("mcp.resources-read", "resources/read"),
    MCP("mcp.tools-call", "tools/call"),
    MCP("mcp.tools-list", "tools/list"),
    BODY("openai.chat", "POST", "/v1/chat/completions", BODY_PROTOCOL_OPENAI),
    BODY("openai.chat", "POST", "/openai/v1/chat/completions", BODY_PROTOCOL_OPENAI),
    BODY("openai.completions", "POST", "/v1/completions", BODY_PROTOCOL_OPENAI),
    BODY("openai.completions", "POST", "/openai/v1/completions", BODY_PROTOCOL_OPENAI),
    BODY("openai.embeddings", "POST", "/v1/embeddings", BODY_PROTOCOL_OPENAI),
    BODY("openai.embeddings", "POST", "/openai/v1/embeddings", BODY_PROTOCOL_OPENAI),
    HTTP("openai.models", "GET", "/v1/models"),
    HTTP("openai.models", "GET", "/openai/v1/models"),
    MODEL("openai.models", "GET", "/v1/models/{model}"),
    MODEL("openai.models", "GET", "/openai/v1/models/{model}"),
    BODY("openai.responses", "POST", "/v1/responses", BODY_PROTOCOL_OPENAI),
    BODY("openai.responses", "POST", "/openai/v1/responses", BODY_PROTOCOL_OPENAI),
};
/* clang-format on */

enum { ENTRY_COUNT = sizeof(ENTRIES) / sizeof(ENTRIES[0]) };

const struct catalog_entry *catalog_entries(size_t *count)
{
    *count = ENTRY_COUNT;
    return ENTRIES;
}

const struct catalog_entry *catalog_find(struct view name, size_t *count)
{
    size_t first = 0;
    while (first < ENTRY_COUNT && !view_equals(ENTRIES[first].name, name))
        first++;
    size_t end = first;
    while (end < ENTRY_COUNT && view_equals(ENTRIES[end].name, name))
        end++;
    *count = end - first;
    return *count > 0 ? &ENTRIES[first] : NULL;
}
