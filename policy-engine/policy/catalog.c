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
/* Clients call the one, the web page of the server the other. */
#define MLFLOW(operation, verb, tail)                                                                                  \
    HTTP(operation, verb, "/api/2.0/" tail), HTTP(operation, verb, "/ajax-api/2.0/" tail)
#define INFERENCE "inference.GRPCInferenceService"

/* clang-format off */
static const struct catalog_entry ENTRIES[] = {
    GRPC("grpc.health", "grpc.health.v1.Health", "Check", BODY_PROTOCOL_NONE),
    GRPC("grpc.health", "grpc.health.v1.Health", "List", BODY_PROTOCOL_NONE),
    GRPC("grpc.health", "grpc.health.v1.Health", "Watch", BODY_PROTOCOL_NONE),
    MODEL("kserve-v1.explain", "POST", "/v1/models/{model}:explain"),
    HTTP("kserve-v1.list", "GET", "/v1/models"),
    MODEL("kserve-v1.predict", "POST", "/v1/models/{model}:predict"),
    MODEL("kserve-v1.ready", "GET", "/v1/models/{model}"),
    MODEL("kserve-v2.generate", "POST", "/v2/models/{model}/generate"),
    MODEL("kserve-v2.generate", "POST", "/v2/models/{model}/generate_stream"),
    MODEL("kserve-v2.generate", "POST", "/v2/models/{model}/versions/{version}/generate"),
    MODEL("kserve-v2.generate", "POST", "/v2/models/{model}/versions/{version}/generate_stream"),
    HTTP("kserve-v2.health", "GET", "/v2/health/live"),
    HTTP("kserve-v2.health", "GET", "/v2/health/ready"),
    GRPC("kserve-v2.health", INFERENCE, "ServerLive", BODY_PROTOCOL_NONE),
    GRPC("kserve-v2.health", INFERENCE, "ServerReady", BODY_PROTOCOL_NONE),
    MODEL("kserve-v2.infer", "POST", "/v2/models/{model}/infer"),
    MODEL("kserve-v2.infer", "POST", "/v2/models/{model}/versions/{version}/infer"),
    GRPC("kserve-v2.infer", INFERENCE, "ModelInfer", BODY_PROTOCOL_KSERVE),
    GRPC("kserve-v2.infer", INFERENCE, "ModelStreamInfer", BODY_PROTOCOL_KSERVE),
    HTTP("kserve-v2.list", "GET", "/v2/models"),
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
    MCP("mcp.complete", "completion/complete"),
    MCP("mcp.initialize", "initialize"),
    MCP("mcp.initialize", "notifications/initialized"),
    MCP("mcp.initialize", "server/discover"),
    MCP("mcp.logging", "logging/setLevel"),
    MCP("mcp.notify", "notifications/cancelled"),
    MCP("mcp.notify", "notifications/progress"),
    MCP("mcp.notify", "notifications/roots/list_changed"),
    MCP("mcp.notify", "notifications/tasks/status"),
    MCP("mcp.ping", "ping"),
    MCP("mcp.prompts-get", "prompts/get"),
    MCP("mcp.prompts-list", "prompts/list"),
    MCP("mcp.resources-list", "resources/list"),
    MCP("mcp.resources-list", "resources/templates/list"),
    MCP("mcp.resources-read", "resources/read"),
    MCP("mcp.resources-subscribe", "resources/subscribe"),
    MCP("mcp.resources-subscribe", "resources/unsubscribe"),
    MCP("mcp.resources-subscribe", "subscriptions/listen"),
    HTTP("mcp.session", "GET", "/mcp"),
    HTTP("mcp.session", "DELETE", "/mcp"),
    MCP("mcp.tasks", "tasks/cancel"),
    MCP("mcp.tasks", "tasks/get"),
    MCP("mcp.tasks", "tasks/list"),
    MCP("mcp.tasks", "tasks/result"),
    MCP("mcp.tools-call", "tools/call"),
    MCP("mcp.tools-list", "tools/list"),
    MLFLOW("mlflow.artifacts-read", "GET", "mlflow/artifacts/list"),
    MLFLOW("mlflow.artifacts-read", "GET", "mlflow-artifacts/artifacts"),
    MLFLOW("mlflow.artifacts-read", "GET", "mlflow-artifacts/artifacts/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-read", "GET", "mlflow-artifacts/presigned/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-read", "POST", "mlflow/artifacts/presigned-download-url"),
    MLFLOW("mlflow.artifacts-read", "GET", "mlflow/logged-models/{logged_model}/artifacts/directories"),
    MLFLOW("mlflow.artifacts-write", "PUT", "mlflow-artifacts/artifacts/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-write", "DELETE", "mlflow-artifacts/artifacts/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-write", "POST", "mlflow-artifacts/mpu/create/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-write", "POST", "mlflow-artifacts/mpu/complete/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-write", "POST", "mlflow-artifacts/mpu/abort/{artifact}/{**}"),
    MLFLOW("mlflow.artifacts-write", "POST", "mlflow/artifacts/presigned-upload-url"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/registered-models/get"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/registered-models/search"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/registered-models/get-latest-versions"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/registered-models/alias"),
    MLFLOW("mlflow.registry-read", "POST", "mlflow/registered-models/get-latest-versions"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/model-versions/get"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/model-versions/search"),
    MLFLOW("mlflow.registry-read", "GET", "mlflow/model-versions/get-download-uri"),
    MLFLOW("mlflow.registry-transition", "POST", "mlflow/model-versions/transition-stage"),
    MLFLOW("mlflow.registry-transition", "POST", "mlflow/registered-models/alias"),
    MLFLOW("mlflow.registry-transition", "DELETE", "mlflow/registered-models/alias"),
    MLFLOW("mlflow.registry-write", "POST", "mlflow/registered-models/create"),
    MLFLOW("mlflow.registry-write", "POST", "mlflow/registered-models/rename"),
    MLFLOW("mlflow.registry-write", "PATCH", "mlflow/registered-models/update"),
    MLFLOW("mlflow.registry-write", "DELETE", "mlflow/registered-models/delete"),
    MLFLOW("mlflow.registry-write", "POST", "mlflow/registered-models/set-tag"),
    MLFLOW("mlflow.registry-write", "DELETE", "mlflow/registered-models/delete-tag"),
    MLFLOW("mlflow.registry-write", "POST", "mlflow/model-versions/create"),
    MLFLOW("mlflow.registry-write", "PATCH", "mlflow/model-versions/update"),
    MLFLOW("mlflow.registry-write", "DELETE", "mlflow/model-versions/delete"),
    MLFLOW("mlflow.registry-write", "POST", "mlflow/model-versions/set-tag"),
    MLFLOW("mlflow.registry-write", "DELETE", "mlflow/model-versions/delete-tag"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/experiments/get"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/experiments/get-by-name"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/experiments/search"),
    MLFLOW("mlflow.tracking-read", "POST", "mlflow/experiments/search"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/runs/get"),
    MLFLOW("mlflow.tracking-read", "POST", "mlflow/runs/search"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/metrics/get-history"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/metrics/get-history-bulk-interval"),
    MLFLOW("mlflow.tracking-read", "POST", "mlflow/experiments/search-datasets"),
    MLFLOW("mlflow.tracking-read", "GET", "mlflow/logged-models/{logged_model}"),
    MLFLOW("mlflow.tracking-read", "POST", "mlflow/logged-models/search"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/create"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/delete"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/restore"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/update"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/set-experiment-tag"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/experiments/delete-experiment-tag"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/create"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/delete"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/restore"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/update"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/log-metric"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/log-parameter"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/log-batch"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/log-model"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/log-inputs"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/outputs"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/set-tag"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/runs/delete-tag"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/logged-models"),
    MLFLOW("mlflow.tracking-write", "PATCH", "mlflow/logged-models/{logged_model}"),
    MLFLOW("mlflow.tracking-write", "DELETE", "mlflow/logged-models/{logged_model}"),
    MLFLOW("mlflow.tracking-write", "POST", "mlflow/logged-models/{logged_model}/params"),
    MLFLOW("mlflow.tracking-write", "PATCH", "mlflow/logged-models/{logged_model}/tags"),
    MLFLOW("mlflow.tracking-write", "DELETE", "mlflow/logged-models/{logged_model}/tags/{tag}"),
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

struct view catalog_of(const struct catalog_entry *entry)
{
    return view_slice(entry->name, 0, view_index_of(entry->name, '.', 0));
}

struct view catalog_names(struct arena *arena)
{
    struct view names = VIEW(""), last = {0};
    for (size_t i = 0; i < ENTRY_COUNT; i++) { /* ordered by name: those of one catalog stand together */
        struct view catalog = catalog_of(&ENTRIES[i]);
        if (!view_equals(catalog, last))
            names = arena_print(arena, "%.*s%s%.*s", VIEW_ARG(names), names.size > 0 ? ", " : "", VIEW_ARG(catalog));
        last = catalog;
    }
    return names;
}
