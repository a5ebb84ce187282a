/* SPDX-License-Identifier: Apache-2.0 */
#include "test_case.h"

/* ---- in words ------------------------------------------------------------------------ */

static struct view add_list(struct arena *arena, struct view text, const struct view *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text = arena_print(arena, "%.*s%s%.*s", VIEW_ARG(text), i > 0 ? " " : "", VIEW_ARG(items[i]));
    return text;
}

static struct view add_pairs(struct arena *arena, struct view text, const char *what, const struct label_list *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        text = arena_print(arena, "%.*s, %s %.*s: %.*s", VIEW_ARG(text), what, VIEW_ARG(pairs->items[i].key),
                           VIEW_ARG(pairs->items[i].value));
    return text;
}

static struct view add_removed(struct arena *arena, struct view text, const char *what, const struct view *names,
                               size_t count)
{
    if (count == 0)
        return text;
    return add_list(arena, arena_print(arena, "%.*s, without %s ", VIEW_ARG(text), what), names, count);
}

static struct view add_stream(struct arena *arena, struct view text, bool has_seconds, uint32_t seconds,
                              bool is_by_credentials)
{
    if (has_seconds)
        text = arena_print(arena, "%.*s, maxStream %us", VIEW_ARG(text), seconds);
    return is_by_credentials ? arena_print(arena, "%.*s, maxStream credentials", VIEW_ARG(text)) : text;
}

static struct view add_denial(struct arena *arena, struct view text, const struct denial *denial)
{
    if (denial->status != 0)
        text = arena_print(arena, "%.*s, status %u", VIEW_ARG(text), denial->status);
    if (view_is_present(denial->body))
        text = arena_print(arena, "%.*s, body `%.*s`", VIEW_ARG(text), VIEW_ARG(denial->body));
    if (view_is_present(denial->grpc_message))
        text = arena_print(arena, "%.*s, grpcMessage `%.*s`", VIEW_ARG(text), VIEW_ARG(denial->grpc_message));
    return text;
}

static const char *audit_word(enum audit_level level)
{
    switch (level) {
    case AUDIT_MINIMAL: return "minimal";
    case AUDIT_SUMMARY: return "summary";
    case AUDIT_FULL: break;
    }
    return "full";
}

static struct view add_expected(struct arena *arena, struct view text, const struct expected_obligations *expected)
{
    text = add_pairs(arena, text, "request header", &expected->request_headers);
    text =
        add_removed(arena, text, "request headers", expected->removed_headers.items, expected->removed_headers.count);
    text = add_pairs(arena, text, "response header", &expected->response_headers);
    text = add_pairs(arena, text, "query parameter", &expected->query_params);
    text =
        add_removed(arena, text, "query parameters", expected->removed_queries.items, expected->removed_queries.count);
    text = add_pairs(arena, text, "metadata", &expected->metadata);
    if (expected->has_audit)
        text = arena_print(arena, "%.*s, audit %s", VIEW_ARG(text), audit_word(expected->audit));
    text = add_stream(arena, text, expected->has_max_stream, expected->max_stream, expected->max_stream_by_credentials);
    return add_denial(arena, text, &expected->denial);
}

struct view expectation_words(const struct expectation *expected, struct arena *arena)
{
    struct view text = arena_print(arena, "%s", verdict_text(expected->verdict));
    if (expected->is_default)
        text = arena_print(arena, "%.*s by default", VIEW_ARG(text));
    if (view_is_present(expected->rule))
        text = arena_print(arena, "%.*s by `%.*s`", VIEW_ARG(text), VIEW_ARG(expected->rule));
    if (view_is_present(expected->reason))
        text = arena_print(arena, "%.*s, reason %.*s", VIEW_ARG(text), VIEW_ARG(expected->reason));
    if (expected->has_acr_values) {
        text = arena_print(arena, "%.*s, acr_values ", VIEW_ARG(text));
        text = add_list(arena, text, expected->acr_values.items, expected->acr_values.count);
    }
    if (expected->has_max_age)
        text = arena_print(arena, "%.*s, max_age %u", VIEW_ARG(text), expected->max_age);
    return add_expected(arena, text, &expected->obligations);
}

static struct view add_headers(struct arena *arena, struct view text, const char *what,
                               const struct header_obligation *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text = arena_print(arena, "%.*s, %s %.*s: %.*s", VIEW_ARG(text), what, VIEW_ARG(items[i].name),
                           VIEW_ARG(items[i].value));
    return text;
}

static struct view add_obligations(struct arena *arena, struct view text, const struct obligations *given)
{
    text = add_headers(arena, text, "request header", given->request_headers, given->request_header_count);
    text = add_removed(arena, text, "request headers", given->remove_headers, given->remove_header_count);
    text = add_headers(arena, text, "response header", given->response_headers, given->response_header_count);
    text = add_headers(arena, text, "query parameter", given->query_params, given->query_param_count);
    text = add_removed(arena, text, "query parameters", given->remove_queries, given->remove_query_count);
    text = add_headers(arena, text, "metadata", given->metadata, given->metadata_count);
    return add_stream(arena, text, given->has_max_stream, given->max_stream, given->max_stream_by_credentials);
}

static struct view add_challenge(struct arena *arena, struct view text, const struct challenge *challenge)
{
    text = arena_print(arena, "%.*s, acr_values ", VIEW_ARG(text));
    text = add_list(arena, text, challenge->acr_values, challenge->acr_count);
    if (challenge->has_max_age)
        text = arena_print(arena, "%.*s, max_age %u", VIEW_ARG(text), challenge->max_age);
    return text;
}

struct view expectation_answer(const struct decision *decision, struct arena *arena)
{
    struct view text = arena_print(arena, "%s", verdict_text(decision->verdict));
    if (view_is_present(decision->rule))
        text = arena_print(arena, "%.*s by `%.*s`", VIEW_ARG(text), VIEW_ARG(decision->rule));
    else
        text = arena_print(arena, "%.*s by default", VIEW_ARG(text));
    text = arena_print(arena, "%.*s, reason %.*s", VIEW_ARG(text), VIEW_ARG(reason_info(decision->reason)->name));
    if (decision->verdict == VERDICT_CHALLENGE)
        text = add_challenge(arena, text, &decision->challenge);
    if (view_is_present(decision->closest))
        text = arena_print(arena, "%.*s, closest `%.*s`", VIEW_ARG(text), VIEW_ARG(decision->closest));
    if (view_is_present(decision->missing))
        text = arena_print(arena, "%.*s: %.*s", VIEW_ARG(text), VIEW_ARG(decision->missing));
    text = add_obligations(arena, text, &decision->obligations);
    text = arena_print(arena, "%.*s, audit %s", VIEW_ARG(text), audit_word(decision->audit));
    return add_denial(arena, text, &decision->denial);
}

/* ---- comparing --------------------------------------------------------------------------- */

static bool has_pair(const struct label *pair, const struct header_obligation *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(items[i].name, pair->key) && view_equals(items[i].value, pair->value))
            return true;
    return false;
}

static bool has_pairs(const struct label_list *expected, const struct header_obligation *items, size_t count)
{
    for (size_t i = 0; i < expected->count; i++)
        if (!has_pair(&expected->items[i], items, count))
            return false;
    return true;
}

static bool has_name(struct view name, const struct view *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(names[i], name))
            return true;
    return false;
}

static bool has_names(const struct string_list *expected, const struct view *names, size_t count)
{
    for (size_t i = 0; i < expected->count; i++)
        if (!has_name(expected->items[i], names, count))
            return false;
    return true;
}

static bool is_text(struct view expected, struct view text)
{
    return !view_is_present(expected) || (view_is_present(text) && view_equals(expected, text));
}

static bool looks_so(const struct denial *expected, const struct decision *decision)
{
    return (expected->status == 0 || expected->status == decision_http_status(decision)) &&
           is_text(expected->body, decision->denial.body) &&
           is_text(expected->grpc_message, decision->denial.grpc_message);
}

static bool has_obligations(const struct expected_obligations *expected, const struct decision *decision)
{
    const struct obligations *given = &decision->obligations;
    bool is_stream_met =
        !expected->has_max_stream || (given->has_max_stream && given->max_stream == expected->max_stream);
    return has_pairs(&expected->request_headers, given->request_headers, given->request_header_count) &&
           has_pairs(&expected->response_headers, given->response_headers, given->response_header_count) &&
           has_pairs(&expected->query_params, given->query_params, given->query_param_count) &&
           has_pairs(&expected->metadata, given->metadata, given->metadata_count) &&
           has_names(&expected->removed_headers, given->remove_headers, given->remove_header_count) &&
           has_names(&expected->removed_queries, given->remove_queries, given->remove_query_count) &&
           (!expected->has_audit || expected->audit == decision->audit) && is_stream_met &&
           (!expected->max_stream_by_credentials || given->max_stream_by_credentials) &&
           looks_so(&expected->denial, decision);
}

static bool asks_so(const struct expectation *expected, const struct challenge *challenge)
{
    if (expected->has_max_age && (!challenge->has_max_age || challenge->max_age != expected->max_age))
        return false;
    if (!expected->has_acr_values)
        return true;
    bool is_same = expected->acr_values.count == challenge->acr_count;
    for (size_t i = 0; is_same && i < challenge->acr_count; i++)
        is_same = view_equals(expected->acr_values.items[i], challenge->acr_values[i]);
    return is_same;
}

bool expectation_is_met(const struct expectation *expected, const struct decision *decision)
{
    if (decision->verdict != expected->verdict || (expected->is_default && view_is_present(decision->rule)))
        return false;
    if (view_is_present(expected->rule) && !view_equals(decision->rule, expected->rule))
        return false;
    if (view_is_present(expected->reason) && !reason_is_named(decision->reason, expected->reason))
        return false;
    return asks_so(expected, &decision->challenge) && has_obligations(&expected->obligations, decision);
}
