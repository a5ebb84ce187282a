/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"
#include "cli.h"
#include "cmd_policy_tools.h"
#include "commands.h"
#include "json_print.h"
#include "options.h"

#include <stdio.h>

static const char *body_text(enum body_protocol body)
{
    switch (body) {
    case BODY_PROTOCOL_NONE: return NULL;
    case BODY_PROTOCOL_OPENAI: return "openai";
    case BODY_PROTOCOL_MCP: return "mcp";
    case BODY_PROTOCOL_KSERVE: return "kserve";
    }
    return NULL;
}

/* `name` is an operation, or a catalog: what stands before the dot. */
static bool is_wanted(const struct catalog_entry *entry, struct view name)
{
    return view_is_empty(name) || view_equals(entry->name, name) ||
           (view_starts_with(entry->name, name) && entry->name.data[name.size] == '.');
}

/* The name of a template's segment that is a variable, `{name}` or `{name}:verb`; else empty. */
static struct view variable_of(struct view segment)
{
    size_t close = view_index_of(segment, '}', 0);
    if (!view_starts_with(segment, VIEW("{")) || close == segment.size || segment.data[1] == '*')
        return (struct view){0};
    return view_slice(segment, 1, close);
}

static json_t *variables_json(struct view path)
{
    json_t *variables = json_array();
    for (size_t at = 0; at < path.size;) {
        size_t end = view_index_of(path, '/', at);
        struct view variable = variable_of(view_slice(path, at, end));
        if (variable.size > 0)
            json_array_append_new(variables, json_stringn(variable.data, variable.size));
        at = end + 1;
    }
    return variables;
}

static void set_text(json_t *object, const char *key, struct view text)
{
    if (text.size > 0)
        json_object_set_new(object, key, json_stringn(text.data, text.size));
}

static json_t *entry_json(const struct catalog_entry *entry)
{
    json_t *object = json_object();
    set_text(object, "operation", entry->name);
    set_text(object, "method", entry->method);
    if (entry->kind == OPERATION_GRPC) {
        char name[256];
        int size = snprintf(name, sizeof name, "%.*s/%.*s", VIEW_ARG(entry->service), VIEW_ARG(entry->call));
        set_text(object, "grpc", view_slice((struct view){name, sizeof name}, 0, (size_t)size));
    } else {
        set_text(object, "path", entry->path);
        set_text(object, "call", entry->call);
    }
    json_object_set_new(object, "variables", variables_json(entry->path));
    if (body_text(entry->body) != NULL)
        json_object_set_new(object, "body", json_string(body_text(entry->body)));
    if (entry->encoded_slash_is_data)
        json_object_set_new(object, "encodedSlash", json_string("data"));
    return object;
}

static void print_entry(const struct catalog_entry *entry)
{
    if (entry->kind == OPERATION_GRPC)
        printf("  gRPC    %.*s/%.*s", VIEW_ARG(entry->service), VIEW_ARG(entry->call));
    else
        printf("  %-7.*s %.*s", VIEW_ARG(entry->method), VIEW_ARG(entry->path));
    if (entry->kind == OPERATION_HTTP && entry->call.size > 0)
        printf("   JSON-RPC %.*s", VIEW_ARG(entry->call));
    if (body_text(entry->body) != NULL)
        printf("   body %s", body_text(entry->body));
    if (entry->encoded_slash_is_data)
        fputs("   %2F is part of a segment", stdout);
    putchar('\n');
}

/* ---- as documents ---- */

static void print_http_yaml(const struct catalog_entry *entry)
{
    printf("        - {methods: [%.*s], paths: [\"%.*s\"]", VIEW_ARG(entry->method), VIEW_ARG(entry->path));
    if (entry->encoded_slash_is_data)
        fputs(", encodedSlash: data", stdout);
    if (body_text(entry->body) != NULL)
        printf(", body: %s", body_text(entry->body));
    if (entry->call.size > 0)
        printf(", call: %.*s", VIEW_ARG(entry->call));
    puts("}");
}

static void print_grpc_yaml(const struct catalog_entry *entry)
{
    if (body_text(entry->body) != NULL)
        printf("        - {methods: [%.*s/%.*s], body: %s}\n", VIEW_ARG(entry->service), VIEW_ARG(entry->call),
               body_text(entry->body));
    else
        printf("        - %.*s/%.*s\n", VIEW_ARG(entry->service), VIEW_ARG(entry->call));
}

/* Those of one operation that are of one kind, under its key. */
static void print_kind_yaml(const struct catalog_entry *entries, size_t count, enum operation_kind kind)
{
    size_t printed = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].kind != kind)
            continue;
        if (printed++ == 0)
            printf("      %s:\n", kind == OPERATION_GRPC ? "grpc" : "http");
        if (kind == OPERATION_GRPC)
            print_grpc_yaml(&entries[i]);
        else
            print_http_yaml(&entries[i]);
    }
}

/* An OperationCatalog for each catalog: what `uses` means, to be imported or changed. */
static size_t print_yaml(const struct catalog_entry *entries, size_t count, struct view name)
{
    struct view last = {0};
    size_t printed = 0, same;
    for (size_t i = 0; i < count; i += same) {
        (void)catalog_find(entries[i].name, &same);
        if (!is_wanted(&entries[i], name))
            continue;
        struct view catalog = catalog_of(&entries[i]);
        if (!view_equals(catalog, last))
            printf("%sapiVersion: bartizan.dev/v1alpha1\nkind: OperationCatalog\nmetadata: {name: %.*s}\n"
                   "spec:\n  actions:\n",
                   printed > 0 ? "---\n" : "", VIEW_ARG(catalog));
        last = catalog;
        printf("    %.*s:\n", VIEW_ARG(view_slice(entries[i].name, catalog.size + 1, entries[i].name.size)));
        print_kind_yaml(&entries[i], same, OPERATION_HTTP);
        print_kind_yaml(&entries[i], same, OPERATION_GRPC);
        printed += same;
    }
    return printed;
}

static int unknown(const struct catalog_entry *entries, size_t count, struct view name)
{
    struct arena arena;
    struct view near = {0};
    for (size_t i = 0; i < count && !view_is_present(near); i++)
        near = diag_nearest(name, &entries[i].name, 1);
    fprintf(stderr, "bartizan: no catalog and no operation is called `%.*s`", VIEW_ARG(name));
    if (view_is_present(near))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(near));
    arena_init(&arena, COMMAND_MEMORY);
    struct view catalogs = catalog_names(&arena);
    fprintf(stderr, "\ncatalogs: %.*s\n", VIEW_ARG(catalogs));
    arena_free(&arena);
    return EXIT_USAGE;
}

int cmd_policy_catalog(int argc, char **argv)
{
    const char *format = NULL, *operand = NULL;
    size_t given = 0, count, printed = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"format", "text|json|yaml", "how operations are printed; yaml: as documents", &format}};
    const struct usage usage = {
        .line = "bartizan policy catalog [NAME] [--format text|json|yaml]",
        .summary = "Lists the operations that an action may `uses`: their methods, paths with {variables} for\n"
                   "`path.VARIABLE`, gRPC names, and the protocol of the body. NAME is an operation\n"
                   "(`kserve-v2.infer`) or a catalog (`kserve-v2`).",
        .options = options,
        .option_count = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &operand, &given);
    if (code != OPTIONS_GO_ON)
        return code;
    bool is_yaml = format != NULL && strcmp(format, "yaml") == 0;
    if (!is_yaml && !format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text, json or yaml, not `%s`", format);
    const struct catalog_entry *entries = catalog_entries(&count);
    struct view name = view_of(operand), last = {0};
    if (is_yaml)
        return print_yaml(entries, count, name) > 0 ? EXIT_GOOD : unknown(entries, count, name);
    json_t *found = json_array();
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(&entries[i], name))
            continue;
        printed++;
        json_array_append_new(found, entry_json(&entries[i]));
        if (!is_json && !view_equals(last, entries[i].name))
            printf("%.*s\n", VIEW_ARG(entries[i].name));
        if (!is_json)
            print_entry(&entries[i]);
        last = entries[i].name;
    }
    if (is_json && printed > 0)
        json_print(found);
    else
        json_decref(found);
    return printed > 0 ? EXIT_GOOD : unknown(entries, count, name);
}
