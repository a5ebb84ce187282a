/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_compare.h"

static bool headers_equal(const struct header_obligation *a, size_t a_count, const struct header_obligation *b,
                          size_t b_count)
{
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (a[i].action != b[i].action || !view_equals(a[i].name, b[i].name) || !view_equals(a[i].value, b[i].value))
            return false;
    return a_count == b_count;
}

static bool views_equal(const struct view *a, size_t a_count, const struct view *b, size_t b_count)
{
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (!view_equals(a[i], b[i]))
            return false;
    return a_count == b_count;
}

static const char *answers_differ(const struct decision *a, const struct decision *b)
{
    const struct obligations *x = &a->obligations, *y = &b->obligations;
    if (a->verdict != b->verdict)
        return "verdict";
    if (a->reason != b->reason)
        return "reason";
    if (!view_equals(a->rule, b->rule))
        return "rule";
    if (a->challenge.has_max_age != b->challenge.has_max_age || a->challenge.max_age != b->challenge.max_age ||
        !views_equal(a->challenge.acr_values, a->challenge.acr_count, b->challenge.acr_values, b->challenge.acr_count))
        return "challenge";
    if (!headers_equal(x->request_headers, x->request_header_count, y->request_headers, y->request_header_count) ||
        !headers_equal(x->response_headers, x->response_header_count, y->response_headers, y->response_header_count) ||
        !headers_equal(x->metadata, x->metadata_count, y->metadata, y->metadata_count) ||
        !headers_equal(x->query_params, x->query_param_count, y->query_params, y->query_param_count) ||
        !views_equal(x->remove_queries, x->remove_query_count, y->remove_queries, y->remove_query_count) ||
        !views_equal(x->remove_headers, x->remove_header_count, y->remove_headers, y->remove_header_count) ||
        x->has_max_stream != y->has_max_stream || x->max_stream != y->max_stream ||
        x->max_stream_by_credentials != y->max_stream_by_credentials)
        return "obligations";
    if (a->denial.status != b->denial.status || !view_equals(a->denial.body, b->denial.body) ||
        !view_equals(a->denial.grpc_message, b->denial.grpc_message))
        return "denial";
    if (a->audit != b->audit)
        return "audit";
    return NULL;
}

static const char *records_differ(const struct decision *a, const struct decision *b)
{
    if (!view_equals(a->closest, b->closest))
        return "closest";
    if (!view_equals(a->missing, b->missing))
        return "missing";
    if (!view_equals(a->attribute, b->attribute))
        return "attribute";
    if (!view_equals(a->scope, b->scope))
        return "scope";
    if (!view_equals(a->action, b->action) || !view_equals(a->path, b->path))
        return "action";
    if (!view_equals(a->purpose, b->purpose))
        return "purpose";
    if (!view_equals(a->resource_type, b->resource_type) || !view_equals(a->resource_id, b->resource_id) ||
        a->resource_label_count != b->resource_label_count)
        return "resource";
    for (size_t i = 0; i < a->resource_label_count; i++)
        if (!view_equals(a->resource_labels[i].name, b->resource_labels[i].name) ||
            !view_equals(a->resource_labels[i].value, b->resource_labels[i].value))
            return "labels";
    return NULL;
}

const char *decisions_differ(const struct decision *a, const struct decision *b)
{
    const char *what = answers_differ(a, b);
    return what ? what : records_differ(a, b);
}
