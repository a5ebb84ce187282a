/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "catalog.h"
#include "path_pattern.h"

/* ---- one operation ------------------------------------------------------------ */

static const struct operation_extras NO_EXTRAS;

/* The pattern of a text that is kept. */
static void read_pattern(struct load *load, const struct node *node, struct view text, const struct path_pattern **out)
{
    const char *problem = NULL;
    struct path_pattern *pattern = load_take(load, 1, sizeof(*pattern));
    if (pattern == NULL || !view_is_present(text))
        return;
    enum err err = path_pattern_parse(text, load->arena, pattern, &problem);
    if (err == ERR_NO_MEMORY)
        load->is_exhausted = true;
    else if (err != ERR_NONE)
        load_refuse(load, CODE_PATH, node, NULL, "path template `%.*s`: %s", VIEW_ARG(text),
                    problem != NULL ? problem : err_text(err));
    else
        *out = pattern;
}

static struct string_list one_method(struct load *load, struct view method)
{
    const struct view *items = load_share(load, &method, 1, sizeof(method));
    return (struct string_list){.items = items, .count = items != NULL ? 1 : 0};
}

static const struct operation_extras *keep_extras(struct load *load, const struct operation_extras *extras)
{
    const struct operation_extras *kept = &NO_EXTRAS;
    if (extras->query_count > 0 || view_is_present(extras->call))
        kept = load_share(load, extras, 1, sizeof(*extras));
    return kept != NULL ? kept : &NO_EXTRAS;
}

static void from_catalog(struct load *load, const struct node *node, const struct catalog_entry *entry,
                         struct operation *out)
{
    *out = (struct operation){.kind = entry->kind,
                              .name = entry->name,
                              .span = load_position(load, node),
                              .methods = one_method(load, entry->method),
                              .encoded_slash_is_data = entry->encoded_slash_is_data,
                              .body = entry->body,
                              .extras = &NO_EXTRAS};
    if (entry->kind == OPERATION_HTTP) {
        out->extras = keep_extras(load, &(struct operation_extras){.call = entry->call});
        read_pattern(load, node, entry->path, &out->path);
    } else {
        const struct grpc_name name = {.service = entry->service, .method = entry->call};
        out->grpc = load_share(load, &name, 1, sizeof(name));
    }
}

/* ---- http ---------------------------------------------------------------------- */

struct http_entry { /* what the paths of one entry share */
    struct string_list methods;
    struct host_list hosts;
    size_t slash;
    size_t body;
    struct operation_extras extras;
};

static void read_method(struct load *load, const struct node *node, void *out)
{
    struct view *method = out;
    load_text(load, node, method);
    if (method->size > 0 && request_method_check(*method) != REASON_NONE)
        load_refuse(load, CODE_METHOD, node, NULL, "`%.*s` is not a method", VIEW_ARG(*method));
}

static void read_methods(struct load *load, const struct node *node, void *out)
{
    struct string_list *methods = out;
    load_views(load, node, read_method, methods);
    if (methods->count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to take any method", "the list is empty");
}

/* Each becomes an operation, which keeps it. */
static void read_paths(struct load *load, const struct node *node, void *out)
{
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    (void)out;
    for (size_t i = 0; i < count; i++)
        load_check_text(load, items[i]);
    if (count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "the list is empty");
}

static const struct view SLASHES[] = {WORD("refuse"), WORD("data")};
static const struct view BODIES[] = {WORD("openai"), WORD("mcp"), WORD("kserve")};

static void read_slash(struct load *load, const struct node *node, void *out)
{
    *(size_t *)out = load_word(load, node, "a way with encoded slashes", SLASHES, COUNT_OF(SLASHES), 0);
}

static void read_body(struct load *load, const struct node *node, void *out)
{
    *(size_t *)out = load_word(load, node, "a body protocol", BODIES, COUNT_OF(BODIES), 0) + BODY_PROTOCOL_OPENAI;
}

enum { QUERIES_MAX = 16 };

static void read_query(struct load *load, const struct node *node, void *out)
{
    struct http_entry *entry = out;
    if (!load_is(load, node, NODE_MAP, "query"))
        return;
    if (node->count == 0 || node->count > QUERIES_MAX) {
        load_refuse(load, node->count == 0 ? CODE_EMPTY : CODE_LIMIT, node, NULL, "query takes 1 to %d parameters",
                    QUERIES_MAX);
        return;
    }
    struct query_test *queries = load_take(load, node->count, sizeof(*queries));
    for (size_t i = 0; queries != NULL && i < node->count; i++) {
        queries[i].test.kind = TEST_ANY_OF;
        load_text(load, node->keys[i], &queries[i].name);
        load_values(load, node->items[i], &queries[i].test.values);
    }
    entry->extras.queries = queries;
    entry->extras.query_count = queries != NULL ? (uint32_t)node->count : 0;
}

static const struct shape METHOD = {.title = "METHOD", .pattern = "^[A-Z]{1,32}$"};
static const struct shape PATH = {.title = "path template", .pattern = "^/"};
static const struct shape GRPC_METHOD = {.title = "pkg.Service/Method",
                                         .pattern = "^[A-Za-z0-9_][A-Za-z0-9_.]*/([A-Za-z0-9_]+\\*?|\\*)$"};

static const struct field HTTP_FIELDS[] = {
    FIELD("methods", read_methods, struct http_entry, methods, MANY(&METHOD), "Left out: any method."),
    FIELD("hosts", load_hosts, struct http_entry, hosts, MANY(HOST), "Left out: any host."),
    FIELD_WHOLE_MUST(
        "paths", read_paths, MANY(&PATH),
        "Templates: literal segments, `{name}` and `{*}` for one, `{**}` last for the rest, `{name}:verb` last."),
    FIELD_WHOLE("query", read_query, ENTRIES(MANY(VALUE)), "Query parameters by name, each one of these values."),
    FIELD("encodedSlash", read_slash, struct http_entry, slash, ONE_WORD(SLASHES),
          "data: a `%2F` in a segment is part of it; refuse, the default: such a request is refused."),
    FIELD("body", read_body, struct http_entry, body, ONE_WORD(BODIES), "The protocol by which the body is read."),
    FIELD_BESIDE("body", "call", load_text, struct http_entry, extras.call, TEXT,
                 "The JSON-RPC method; with `body: mcp`."),
};
static const struct block HTTP = BLOCK("http", "an http entry", HTTP_FIELDS);

/* One operation per path of the entry; returns how many were made. */
static size_t read_http(struct load *load, const struct action *action, const struct node *node, struct operation *out)
{
    struct http_entry entry = {0};
    if (!load_map(load, node, &HTTP, &entry))
        return 0;
    if (view_is_present(entry.extras.call) && entry.body != BODY_PROTOCOL_MCP)
        load_refuse(load, CODE_CONFLICT, node, "add `body: mcp`",
                    "`call` tells JSON-RPC methods apart, and the body is not read");
    const struct node *paths = node_get(node, VIEW("paths")), *const * items;
    size_t count = paths != NULL ? load_elements(&paths, &items) : 0, made = 0;
    const struct operation_extras *extras = keep_extras(load, &entry.extras);
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind != NODE_SCALAR)
            continue;
        out[made] = (struct operation){.kind = OPERATION_HTTP,
                                       .name = action->name,
                                       .span = load_position(load, items[i]),
                                       .methods = entry.methods,
                                       .hosts = entry.hosts.items,
                                       .host_count = (uint32_t)entry.hosts.count,
                                       .encoded_slash_is_data = entry.slash == 1,
                                       .body = (enum body_protocol)entry.body,
                                       .extras = extras};
        read_pattern(load, items[i], load_keep(load, items[i]->text), &out[made++].path);
    }
    return made;
}

/* ---- grpc ----------------------------------------------------------------------- */

struct grpc_entry {
    size_t body;
};

static const struct view GRPC_BODIES[] = {WORD("kserve")};

static void read_grpc_body(struct load *load, const struct node *node, void *out)
{
    (void)load_word(load, node, "a body protocol of gRPC", GRPC_BODIES, COUNT_OF(GRPC_BODIES), 0);
    *(size_t *)out = BODY_PROTOCOL_KSERVE;
}

static const struct field GRPC_FIELDS[] = {
    FIELD_SEEN_MUST("methods", MANY(&GRPC_METHOD), "pkg.Service/Method, pkg.Service/Prefix*, pkg.Service/*."),
    FIELD("body", read_grpc_body, struct grpc_entry, body, ONE_WORD(GRPC_BODIES),
          "The protocol by which the message is read."),
};
static const struct block GRPC = BLOCK("grpc", "a grpc entry", GRPC_FIELDS);

static bool is_grpc_name(struct view text, bool has_dots)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_word && !(has_dots && c == '.' && i > 0 && i + 1 < text.size && text.data[i - 1] != '.'))
            return false;
    }
    return true;
}

static void read_grpc_method(struct load *load, const struct action *action, const struct node *node,
                             struct operation *out)
{
    struct view text;
    load_text(load, node, &text);
    size_t slash = view_index_of(text, '/', 0);
    struct view service = view_slice(text, 0, slash), method = view_slice(text, slash + 1, text.size);
    bool is_prefix = view_ends_with(method, VIEW("*"));
    method = view_slice(method, 0, method.size - is_prefix);
    if (text.size > 0 && (service.size == 0 || slash == text.size || (method.size == 0 && !is_prefix) ||
                          !is_grpc_name(service, true) || !is_grpc_name(method, false)))
        load_refuse(load, CODE_GRPC, node, "write pkg.Service/Method, pkg.Service/Prefix* or pkg.Service/*",
                    "`%.*s` is not a gRPC method", VIEW_ARG(text));
    const struct grpc_name name = {.service = service, .method = method, .method_is_prefix = is_prefix};
    *out = (struct operation){.kind = OPERATION_GRPC,
                              .name = action->name,
                              .span = load_position(load, node),
                              .methods = one_method(load, VIEW("POST")),
                              .grpc = load_share(load, &name, 1, sizeof(name)),
                              .extras = &NO_EXTRAS};
}

/* One operation per method of the entry, or of the one that it is; returns how many were made. */
static size_t read_grpc(struct load *load, const struct action *action, const struct node *node, struct operation *out)
{
    struct grpc_entry entry = {0};
    if (node->kind == NODE_MAP && !load_map(load, node, &GRPC, &entry))
        return 0;
    const struct node *methods = node->kind == NODE_MAP ? node_get(node, VIEW("methods")) : node, *const * items;
    size_t count = methods != NULL ? load_elements(&methods, &items) : 0;
    if (methods != NULL && count == 0)
        load_refuse(load, CODE_EMPTY, methods, NULL, "the list is empty");
    for (size_t i = 0; i < count; i++) {
        read_grpc_method(load, action, items[i], &out[i]);
        out[i].body = (enum body_protocol)entry.body;
    }
    return count;
}

static size_t count_methods(const struct node *entry)
{
    const struct node *methods = entry->kind == NODE_MAP ? node_get(entry, VIEW("methods")) : entry;
    return methods == NULL ? 0 : methods->kind == NODE_LIST ? methods->count : 1;
}

/* ---- actions --------------------------------------------------------------------- */

static const struct catalog_entry *find_operation(struct load *load, const struct node *node, size_t *count)
{
    size_t all, names = 0;
    const struct catalog_entry *found = catalog_find(node->text, count), *entries = catalog_entries(&all);
    if (found != NULL)
        return found;
    struct view *known = arena_take_array(load->scratch, all, sizeof(*known));
    for (size_t i = 0; known != NULL && i < all; i++)
        if (i == 0 || !view_equals(entries[i].name, entries[i - 1].name))
            known[names++] = entries[i].name;
    struct view near = diag_nearest(node->text, known, names);
    struct view catalogs = catalog_names(load->scratch);
    struct view hint = arena_print(load->scratch, "catalogs: %.*s", VIEW_ARG(catalogs));
    if (view_is_present(near))
        hint = arena_print(load->scratch, "did you mean `%.*s`?", VIEW_ARG(near));
    load_refuse(load, CODE_UNKNOWN_OPERATION, node, hint.data, "unknown operation `%.*s`", VIEW_ARG(node->text));
    return NULL;
}

/* How many operations the action can have at most. */
static size_t count_operations(const struct node *node)
{
    size_t count = 0, entries;
    const struct node *uses = node_get(node, VIEW("uses")), *http = node_get(node, VIEW("http")),
                      *grpc = node_get(node, VIEW("grpc")), *const * items;
    for (size_t i = 0, n = uses != NULL ? load_elements(&uses, &items) : 0; i < n; i++)
        if (catalog_find(items[i]->text, &entries) != NULL)
            count += entries;
    for (size_t i = 0, n = http != NULL ? load_elements(&http, &items) : 0; i < n; i++) {
        const struct node *paths = node_get(items[i], VIEW("paths"));
        count += paths == NULL ? 0 : paths->kind == NODE_LIST ? paths->count : 1;
    }
    for (size_t i = 0, n = grpc != NULL ? load_elements(&grpc, &items) : 0; i < n; i++)
        count += count_methods(items[i]);
    return count;
}

static void read_operations(struct load *load, const struct node *node, struct action *action,
                            struct operation *operations)
{
    const struct node *uses = node_get(node, VIEW("uses")), *http = node_get(node, VIEW("http")),
                      *grpc = node_get(node, VIEW("grpc")), *const * items;
    size_t made = 0, entries;
    for (size_t i = 0, n = uses != NULL ? load_elements(&uses, &items) : 0; i < n; i++) {
        if (!load_is(load, items[i], NODE_SCALAR, "an operation"))
            continue;
        const struct catalog_entry *entry = find_operation(load, items[i], &entries);
        for (size_t j = 0; entry != NULL && j < entries; j++)
            from_catalog(load, items[i], &entry[j], &operations[made++]);
    }
    for (size_t i = 0, n = http != NULL ? load_elements(&http, &items) : 0; i < n; i++)
        made += read_http(load, action, items[i], &operations[made]);
    for (size_t i = 0, n = grpc != NULL ? load_elements(&grpc, &items) : 0; i < n; i++)
        made += read_grpc(load, action, items[i], &operations[made]);
    action->operations = operations;
    action->operation_count = (uint32_t)made;
}

static const struct field ACTION_FIELDS[] = {
    FIELD_SEEN("uses", MANY_OR_NONE(TEXT),
               "Operations of protocols that are built in: `bartizan policy catalog` lists them."),
    FIELD_SEEN("http", MANY_OR_NONE(KEYS(HTTP)), "HTTP requests by method, host and path."),
    FIELD_SEEN("grpc", MANY_OR_NONE(EITHER(&GRPC_METHOD, KEYS(GRPC))),
               "gRPC methods: pkg.Service/Method, pkg.Service/Prefix*, pkg.Service/*."),
};
const struct block load_action_block = BLOCK_SOME("action", "an action", ACTION_FIELDS);

static void read_action(struct load *load, const struct node *key, const struct node *node)
{
    size_t index = load->model->action_count;
    if (!names_add(load, &load->scope->actions, key, "action", index))
        return;
    struct action *action = &load->actions[index];
    *action =
        (struct action){.index = (uint32_t)index, .name = load_keep(load, key->text), .span = load_position(load, key)};
    load->model->action_count++;
    if (!load_map(load, node, &load_action_block, action))
        return;
    struct operation *operations = load_take(load, count_operations(node), sizeof(*operations));
    if (operations == NULL)
        return;
    read_operations(load, node, action, operations);
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, key, "say what it is by `uses`, `http` or `grpc`",
                    "the action `%.*s` names no operation", VIEW_ARG(action->name));
}

void load_actions(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_MAP, "actions"))
        return;
    struct document_walk walk = document_walk(load->document->tape, node);
    const struct node *key, *item;
    while (load_next(load, node, &walk, &key, &item))
        read_action(load, key, item);
}
