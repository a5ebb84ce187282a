/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_print.h"

#include "check_response.h"
#include "cli.h"

enum { CHALLENGE_MAX = 4096 };

/* The header as the sidecar would send it; the absent view when it sends none. */
static struct view challenge_of(const struct decision *decision, struct arena *arena)
{
    char *buffer = arena_take(arena, CHALLENGE_MAX);
    const struct check_answer answer = {.decision = decision, .challenge_scheme = VIEW("Bearer")};
    return buffer ? check_response_challenge(&answer, buffer, CHALLENGE_MAX) : (struct view){0};
}

static void print_headers(const char *name, const struct header_obligation *headers, size_t count, struct arena *arena)
{
    for (size_t i = 0; i < count; i++)
        line_print(name,
                   arena_print(arena, "%s%.*s: %.*s", headers[i].action == HEADER_APPEND ? "+ " : "",
                               VIEW_ARG(headers[i].name), VIEW_ARG(headers[i].value)),
                   arena);
}

static void print_whole(const struct decision *decision, struct arena *arena)
{
    const struct obligations *obligations = &decision->obligations;
    line_print("path", decision->path, arena);
    line_print("action", decision->action, arena);
    line_print("resource type", decision->resource_type, arena);
    line_print("resource", decision->resource_id, arena);
    for (size_t i = 0; i < decision->resource_label_count && i < DECISION_LABELS_MAX; i++)
        line_print("label",
                   arena_print(arena, "%.*s=%.*s", VIEW_ARG(decision->resource_labels[i].name),
                               VIEW_ARG(decision->resource_labels[i].value)),
                   arena);
    line_print("purpose", decision->purpose, arena);
    line_print("not judged", decision->attribute, arena);
    print_headers("request header", obligations->request_headers, obligations->request_header_count, arena);
    for (size_t i = 0; i < obligations->remove_header_count; i++)
        line_print("removed header", obligations->remove_headers[i], arena);
    print_headers("response header", obligations->response_headers, obligations->response_header_count, arena);
    print_headers("metadata", obligations->metadata, obligations->metadata_count, arena);
    print_headers("query parameter", obligations->query_params, obligations->query_param_count, arena);
    for (size_t i = 0; i < obligations->remove_query_count; i++)
        line_print("removed query parameter", obligations->remove_queries[i], arena);
    if (obligations->has_max_stream)
        line_print("stream ends after", arena_print(arena, "%u s", obligations->max_stream), arena);
    line_print("rules tested", arena_print(arena, "%u", decision->candidate_tests), arena);
}

void decision_print(const struct decision *decision, bool is_whole, struct arena *arena)
{
    const struct reason_info *info = reason_info(decision->reason);
    printf("%s\n", verdict_text(decision->verdict));
    line_print("rule", decision->rule, arena);
    line_print("reason", arena_print(arena, "%.*s: %.*s", VIEW_ARG(info->name), VIEW_ARG(info->sentence)), arena);
    line_print("http status", arena_print(arena, "%d", decision_http_status(decision)), arena);
    line_print("www-authenticate", challenge_of(decision, arena), arena);
    line_print("closest rule", decision->closest, arena);
    line_print("missing", decision->missing, arena);
    if (is_whole)
        print_whole(decision, arena);
}

static json_t *headers_json(const struct header_obligation *headers, size_t count, struct arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "name", json_of_view(headers[i].name, arena), "value",
                                              json_of_view(headers[i].value, arena), "append",
                                              headers[i].action == HEADER_APPEND));
    return list;
}

static json_t *obligations_json(const struct obligations *obligations, struct arena *arena)
{
    json_t *removed = json_array();
    for (size_t i = 0; i < obligations->remove_header_count; i++)
        json_array_append_new(removed, json_of_view(obligations->remove_headers[i], arena));
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o}", "request_headers",
        headers_json(obligations->request_headers, obligations->request_header_count, arena), "response_headers",
        headers_json(obligations->response_headers, obligations->response_header_count, arena), "remove_headers",
        removed, "metadata", headers_json(obligations->metadata, obligations->metadata_count, arena));
    json_t *queries = json_array();
    for (size_t i = 0; i < obligations->remove_query_count; i++)
        json_array_append_new(queries, json_of_view(obligations->remove_queries[i], arena));
    json_object_set_new(object, "remove_query_params", queries);
    json_object_set_new(object, "query_params",
                        headers_json(obligations->query_params, obligations->query_param_count, arena));
    if (obligations->has_max_stream)
        json_object_set_new(object, "max_stream_seconds", json_integer(obligations->max_stream));
    return object;
}

json_t *decision_json(const struct decision *decision, struct arena *arena)
{
    const struct reason_info *info = reason_info(decision->reason);
    json_t *labels = json_object();
    for (size_t i = 0; i < decision->resource_label_count && i < DECISION_LABELS_MAX; i++)
        json_object_set_new(labels, text_print(decision->resource_labels[i].name, arena).data,
                            json_of_view(decision->resource_labels[i].value, arena));
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict",
        verdict_text(decision->verdict), "rule", json_of_view(decision->rule, arena), "reason",
        json_of_view(info->name, arena), "http_status", decision_http_status(decision), "www_authenticate",
        json_of_view(challenge_of(decision, arena), arena), "closest", json_of_view(decision->closest, arena),
        "missing", json_of_view(decision->missing, arena), "attribute", json_of_view(decision->attribute, arena),
        "path", json_of_view(decision->path, arena), "action", json_of_view(decision->action, arena), "resource_type",
        json_of_view(decision->resource_type, arena), "resource_id", json_of_view(decision->resource_id, arena),
        "labels", labels, "purpose", json_of_view(decision->purpose, arena));
    if (decision->verdict == VERDICT_ALLOW)
        json_object_set_new(object, "obligations", obligations_json(&decision->obligations, arena));
    return object;
}
