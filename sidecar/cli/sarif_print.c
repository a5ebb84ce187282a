/* SPDX-License-Identifier: Apache-2.0 */
#include "sarif_print.h"

#include "findings.h"
#include "json_print.h"

static json_t *text_object(json_t *text)
{
    return json_pack("{s:o}", "text", text);
}

/* RFC 3986 section 2: a path as a URI reference; an absolute one is of the scheme file. */
static json_t *uri_of(struct view path, struct arena *arena)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    struct view scheme = view_starts_with(path, VIEW("/")) ? VIEW("file://") : VIEW("");
    char *out = arena_take(arena, scheme.size + path.size * 3 + 1);
    size_t size = scheme.size;
    if (out == NULL)
        return json_null();
    memcpy(out, scheme.data, scheme.size);
    for (size_t i = 0; i < path.size; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c != '\0' && memchr(plain, c, sizeof plain - 1) != NULL) {
            out[size++] = (char)c;
            continue;
        }
        out[size++] = '%';
        out[size++] = hex[c >> 4];
        out[size++] = hex[c & 15];
    }
    return json_stringn(out, size);
}

static json_t *location_json(const struct diag *diag, struct arena *arena)
{
    json_t *physical = json_pack("{s:{s:o}}", "artifactLocation", "uri", uri_of(diag->span.file, arena));
    if (diag->span.line > 0) {
        json_t *region = json_pack("{s:i}", "startLine", (int)diag->span.line);
        if (diag->span.column > 0)
            json_object_set_new(region, "startColumn", json_integer(diag->span.column));
        if (diag->span.end_column > diag->span.column)
            json_object_set_new(region, "endColumn", json_integer(diag->span.end_column));
        json_object_set_new(physical, "region", region);
    }
    json_t *location = json_pack("{s:o}", "physicalLocation", physical);
    if (diag->path.size > 0)
        json_object_set_new(location, "logicalLocations",
                            json_pack("[{s:o}]", "fullyQualifiedName", json_of_view(diag->path, arena)));
    return location;
}

static json_t *rule_json(struct view code, struct arena *arena)
{
    json_t *rule = json_pack("{s:o}", "id", json_of_view(code, arena));
    const struct finding_kind *kind = finding_kind_find(code);
    if (kind != NULL) {
        json_object_set_new(rule, "shortDescription", text_object(json_string(kind->meaning)));
        json_object_set_new(rule, "help", text_object(json_string(kind->example.mend)));
    }
    return rule;
}

/* The place of the code among `rules`, to which it is added when it is new. */
static size_t rule_index(json_t *rules, struct view code, struct arena *arena)
{
    size_t at = 0;
    for (; at < json_array_size(rules); at++)
        if (view_equals(view_of(json_string_value(json_object_get(json_array_get(rules, at), "id"))), code))
            return at;
    json_array_append_new(rules, rule_json(code, arena));
    return at;
}

static json_t *result_json(const struct diag *diag, json_t *rules, struct arena *arena)
{
    struct view message = diag->message;
    if (diag->hint.size > 0)
        message = arena_print(arena, "%.*s: %.*s", VIEW_ARG(message), VIEW_ARG(diag->hint));
    json_t *result = json_pack("{s:o, s:I, s:s, s:o}", "ruleId", json_of_view(diag->code, arena), "ruleIndex",
                               (json_int_t)rule_index(rules, diag->code, arena), "level",
                               diag->severity == DIAG_ERROR ? "error" : "warning", "message",
                               text_object(json_of_view(message, arena)));
    if (diag->span.file.size > 0)
        json_object_set_new(result, "locations", json_pack("[o]", location_json(diag, arena)));
    return result;
}

static json_t *invocation_json(const struct diag_list *diags)
{
    json_t *invocation = json_pack("{s:b}", "executionSuccessful", 1);
    if (diags->dropped > 0)
        json_object_set_new(invocation, "toolExecutionNotifications",
                            json_pack("[{s:s, s:o}]", "level", "warning", "message",
                                      text_object(json_sprintf("%zu more findings are not shown", diags->dropped))));
    return invocation;
}

void sarif_print(const struct diag_list *diags, struct arena *arena)
{
    json_t *rules = json_array(), *results = json_array();
    for (size_t i = 0; i < diags->count; i++)
        json_array_append_new(results, result_json(&diags->items[i], rules, arena));
    json_t *driver =
        json_pack("{s:s, s:s, s:o}", "name", "bartizan", "semanticVersion", BARTIZAN_VERSION, "rules", rules);
    json_t *run = json_pack("{s:{s:o}, s:s, s:[o], s:o}", "tool", "driver", driver, "columnKind", "unicodeCodePoints",
                            "invocations", invocation_json(diags), "results", results);
    json_print(json_pack("{s:s, s:s, s:[o]}", "$schema", "https://json.schemastore.org/sarif-2.1.0.json", "version",
                         "2.1.0", "runs", run));
}
