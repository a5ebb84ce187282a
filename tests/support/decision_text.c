/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_text.h"

#include <stdio.h>
#include <stdlib.h>

static void view_put(FILE *out, const char *name, struct view v)
{
    if (view_is_present(v))
        (void)fprintf(out, "%s: %zu \"%.*s\"\n", name, v.size, VIEW_ARG(v));
}

static void views_put(FILE *out, const char *name, const struct view *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        view_put(out, name, items[i]);
}

static void headers_put(FILE *out, const char *name, const struct header_obligation *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "%s %d ", name, (int)items[i].action);
        view_put(out, "name", items[i].name);
        view_put(out, "value", items[i].value);
    }
}

static void obligations_put(FILE *out, const struct obligations *set)
{
    headers_put(out, "request header", set->request_headers, set->request_header_count);
    headers_put(out, "response header", set->response_headers, set->response_header_count);
    headers_put(out, "metadata", set->metadata, set->metadata_count);
    headers_put(out, "query", set->query_params, set->query_param_count);
    views_put(out, "remove header", set->remove_headers, set->remove_header_count);
    views_put(out, "remove query", set->remove_queries, set->remove_query_count);
    if (set->has_max_stream || set->max_stream_by_credentials)
        (void)fprintf(out, "stream: %d %u %d\n", set->has_max_stream, set->max_stream, set->max_stream_by_credentials);
}

struct view decision_text(const struct decision *decision, struct arena *arena)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return (struct view){0};
    (void)fprintf(out, "%s %.*s audit %d status %d\n", verdict_text(decision->verdict),
                  VIEW_ARG(reason_info(decision->reason)->name), (int)decision->audit, (int)decision->denial.status);
    view_put(out, "rule", decision->rule);
    view_put(out, "closest", decision->closest);
    view_put(out, "missing", decision->missing);
    view_put(out, "attribute", decision->attribute);
    views_put(out, "acr", decision->challenge.acr_values, decision->challenge.acr_count);
    if (decision->challenge.has_max_age)
        (void)fprintf(out, "max age: %u\n", decision->challenge.max_age);
    obligations_put(out, &decision->obligations);
    view_put(out, "body", decision->denial.body);
    view_put(out, "grpc message", decision->denial.grpc_message);
    view_put(out, "scope", decision->scope);
    view_put(out, "action", decision->action);
    view_put(out, "type", decision->resource_type);
    view_put(out, "id", decision->resource_id);
    for (size_t i = 0; i < decision->resource_label_count; i++) {
        view_put(out, "label", decision->resource_labels[i].name);
        view_put(out, "is", decision->resource_labels[i].value);
    }
    view_put(out, "purpose", decision->purpose);
    view_put(out, "path", decision->path);
    struct view copy = fclose(out) == 0 ? arena_copy(arena, (struct view){.data = text, .size = size}) : VIEW("");
    free(text);
    return copy;
}
