/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a request besides its path. */
#include "classes_request.h"

/* ---- hosts, methods, bodies ------------------------------------------------------------- */

static void add_hosts(struct pattern_list *patterns, const struct host_pattern *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pattern_add(patterns, hosts[i].is_suffix ? TEXT_UNDER : TEXT_EXACT,
                    hosts[i].is_suffix ? arena_print(patterns->arena, ".%.*s", VIEW_ARG(hosts[i].name))
                                       : hosts[i].name);
}

static size_t add_ports(const struct host_pattern *hosts, size_t count, uint16_t *ports, size_t port_count, size_t room)
{
    for (size_t i = 0; i < count; i++) {
        bool is_there = hosts[i].port == 0;
        for (size_t k = 0; k < port_count && !is_there; k++)
            is_there = ports[k] == hosts[i].port;
        if (!is_there && port_count < room)
            ports[port_count++] = hosts[i].port;
    }
    return port_count;
}

static enum err hosts_list(struct walk *walk, struct string_list *out)
{
    enum { PORTS_MAX = 64 };
    struct classes *classes = walk->classes;
    struct pattern_list patterns = {.arena = classes->arena};
    struct string_list names;
    uint16_t ports[PORTS_MAX] = {0};
    size_t port_count = 1, count = 0;
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct operation *operation = walk->operations.items[i];
        add_hosts(&patterns, operation->hosts, operation->host_count);
        port_count = add_ports(operation->hosts, operation->host_count, ports, port_count, PORTS_MAX);
    }
    for (size_t i = 0; i < classes->model->type_count; i++) {
        const struct resource_type *type = &classes->model->types[i];
        add_hosts(&patterns, type->hosts, type->host_count);
        port_count = add_ports(type->hosts, type->host_count, ports, port_count, PORTS_MAX);
    }
    if (port_count == PORTS_MAX)
        return classes_refuse(classes, "too many ports are named");
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns.items, patterns.count, &names));
    struct view *hosts = arena_take_array(classes->arena, names.count * port_count + 1, sizeof *hosts);
    if (!hosts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < names.count; i++)
        for (size_t k = 0; names.items[i].size > 0 && k < port_count; k++)
            hosts[count++] =
                k == 0 ? names.items[i] : arena_print(classes->arena, "%.*s:%u", VIEW_ARG(names.items[i]), ports[k]);
    *out = (struct string_list){.items = hosts, .count = count};
    return ERR_NONE;
}

static bool list_has(const struct view *items, size_t count, struct view text)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(items[i], text))
            return true;
    return false;
}

/* The methods that operations name, and one that none does. */
static enum err methods_list(struct walk *walk, struct string_list *out)
{
    static const struct view others[] = {{"GET", 3},   {"POST", 4},   {"OPTIONS", 7},
                                         {"PURGE", 5}, {"REPORT", 6}, {"X", 1}};
    size_t room = 2, count = 0;
    for (size_t i = 0; i < walk->operations.count; i++)
        room += walk->operations.items[i]->methods.count;
    struct view *methods = arena_take_array(walk->classes->arena, room, sizeof *methods);
    if (!methods)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct string_list *own = &walk->operations.items[i]->methods;
        for (size_t k = 0; k < own->count; k++)
            if (!list_has(methods, count, own->items[k]))
                methods[count++] = own->items[k];
    }
    for (size_t i = 0, before = count; i < sizeof others / sizeof others[0] && count == before; i++)
        if (!list_has(methods, count, others[i]))
            methods[count++] = others[i];
    *out = (struct string_list){.items = methods, .count = count};
    return ERR_NONE;
}

static enum err calls_list(struct walk *walk, struct string_list *out)
{
    struct view *calls = arena_take_array(walk->classes->arena, walk->operations.count + 2, sizeof *calls);
    size_t count = 1;
    if (!calls)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < walk->operations.count; i++) {
        struct view call = walk->operations.items[i]->extras->call;
        if (view_is_present(call) && !list_has(calls + 1, count - 1, call))
            calls[count++] = call;
    }
    *out = (struct string_list){.items = calls, .count = count};
    return ERR_NONE;
}

static bool reads(const struct model *model, enum id_source_kind kind)
{
    for (size_t i = 0; i < model->type_count; i++)
        for (size_t k = 0; k < model->types[i].id_count; k++)
            if (model->types[i].ids[k].kind == kind)
                return true;
    return false;
}

static enum err body_ids(struct walk *walk, enum id_source_kind kind, struct string_list *out)
{
    struct view *ids = arena_take_array(walk->classes->arena, walk->ids.count + 1, sizeof *ids);
    if (!ids)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < walk->ids.count; i++)
        ids[i + 1] = walk->ids.items[i];
    *out = (struct string_list){.items = ids, .count = reads(walk->classes->model, kind) ? walk->ids.count + 1 : 1};
    return ERR_NONE;
}

static enum err one_header(struct walk *walk, struct view name, struct class_list *list)
{
    size_t count = list->count * (walk->ids.count + 2), at = 0;
    struct facts *items = arena_take_array(walk->classes->arena, count, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < walk->ids.count + 2; k++) {
            const struct facts *before = &list->items[i];
            struct pair *pairs = arena_take_array(walk->classes->arena, before->header_count + 1, sizeof *pairs);
            TRY(classes_count(walk->classes));
            if (!pairs)
                return ERR_NO_MEMORY;
            if (before->header_count > 0)
                memcpy(pairs, before->headers, before->header_count * sizeof *pairs);
            pairs[before->header_count] =
                (struct pair){.name = name, .value = k < 2 ? VIEW("x") : walk->ids.items[k - 2], .is_repeated = k == 1};
            items[at++] = (struct facts){.headers = pairs, .header_count = before->header_count + (k > 0)};
        }
    *list = (struct class_list){.items = items, .count = count};
    return ERR_NONE;
}

/* ---- queries ---- */

struct query_search {
    struct classes *classes;
    struct view name;           /* whose tests are looked for; absent: collect names */
    struct pattern_list names;  /* exact texts */
    struct pattern_list values; /* that `name` is compared with */
    bool is_tested;             /* some condition reads what operations read */
};

static void see_query(struct query_search *search, struct view name, const struct value_test *test)
{
    if (!view_is_present(search->name))
        pattern_add(&search->names, TEXT_EXACT, name);
    else if (view_equals(search->name, name))
        pattern_add_test(&search->values, test);
}

static void see_query_leaf(void *context, const struct condition *leaf)
{
    struct query_search *search = context;
    if (leaf->kind != CONDITION_QUERY || !classes_query_is_of_operation(search->classes->model, leaf->name))
        return;
    search->is_tested = true;
    see_query(search, leaf->name, &leaf->test);
}

bool classes_query_is_of_operation(const struct model *model, struct view name)
{
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++)
            for (size_t k = 0; k < model->actions[a].operations[i].extras->query_count; k++)
                if (view_equals(model->actions[a].operations[i].extras->queries[k].name, name))
                    return true;
    return false;
}

static void see_queries(struct query_search *search)
{
    const struct model *model = search->classes->model;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++) {
            const struct operation *operation = &model->actions[a].operations[i];
            for (size_t k = 0; k < operation->extras->query_count; k++)
                see_query(search, operation->extras->queries[k].name, &operation->extras->queries[k].test);
        }
    for (size_t i = 0; i < model->rule_count; i++) {
        classes_leaves(model->rules[i].when, see_query_leaf, search);
        classes_leaves(model->rules[i].terms->unless, see_query_leaf, search);
    }
}

/* Every query so far without the parameter, with it twice and with each class of values. */
static enum err one_query(struct query_search *search, struct string_list *list)
{
    struct arena *arena = search->classes->arena;
    struct view name = classes_escaped(arena, search->name);
    struct string_list values;
    TRY(classes_of_texts(search->classes, search->values.items, search->values.count, &values));
    struct view *items = arena_take_array(arena, list->count * (values.count + 2), sizeof *items);
    size_t count = 0;
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        struct view before = list->items[i];
        const char *join = before.size > 0 ? "&" : "?";
        items[count++] = before;
        for (size_t k = 0; k < values.count; k++) {
            struct view value = classes_escaped(arena, values.items[k]);
            items[count++] =
                arena_print(arena, "%.*s%s%.*s=%.*s", VIEW_ARG(before), join, VIEW_ARG(name), VIEW_ARG(value));
        }
        items[count++] =
            arena_print(arena, "%.*s%s%.*s=x&%.*s=x", VIEW_ARG(before), join, VIEW_ARG(name), VIEW_ARG(name));
        for (size_t k = 0; k < values.count + 2; k++)
            TRY(classes_count(search->classes));
    }
    *list = (struct string_list){.items = items, .count = count};
    return view_is_present(items[count - 1]) ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err queries_list(struct walk *walk, struct choices *choices)
{
    struct string_list *out = &choices->queries;
    struct classes *classes = walk->classes;
    struct view *none = arena_take(classes->arena, sizeof *none);
    struct query_search search = {.classes = classes, .names.arena = classes->arena};
    if (!none)
        return ERR_NO_MEMORY;
    *out = (struct string_list){.items = none, .count = 1};
    see_queries(&search);
    if (search.names.is_exhausted)
        return ERR_NO_MEMORY;
    choices->tests_queries = search.is_tested;
    for (size_t i = 0; i < search.names.count; i++) {
        search.name = search.names.items[i].text;
        search.values = (struct pattern_list){.arena = classes->arena};
        pattern_add(&search.values, TEXT_UNDER, VIEW(""));
        see_queries(&search);
        if (search.values.is_exhausted)
            return ERR_NO_MEMORY;
        TRY(one_query(&search, out));
    }
    return ERR_NONE;
}

/* ---- headers ---- */

/* A header that names a resource and is tested besides would need both at once. */
struct header_use {
    struct view name;
    bool is_used;
};

static void see_header(void *context, const struct condition *leaf)
{
    struct header_use *use = context;
    use->is_used = use->is_used || (leaf->kind == CONDITION_HEADER && view_equals(leaf->name, use->name));
}

static enum err headers_list(struct walk *walk, struct class_list *out)
{
    const struct model *model = walk->classes->model;
    struct facts *none = arena_take(walk->classes->arena, sizeof *none);
    struct view names[CLASSES_DIMENSIONS_MAX];
    size_t count = 0;
    if (!none)
        return ERR_NO_MEMORY;
    *out = (struct class_list){.items = none, .count = 1};
    for (size_t i = 0; i < model->type_count; i++)
        for (size_t k = 0; k < model->types[i].id_count; k++) {
            const struct id_source *source = &model->types[i].ids[k];
            struct header_use use = {.name = source->name};
            if (source->kind != ID_HEADER || list_has(names, count, source->name))
                continue;
            for (size_t r = 0; r < model->rule_count; r++) {
                classes_leaves(model->rules[r].when, see_header, &use);
                classes_leaves(model->rules[r].terms->unless, see_header, &use);
                use.is_used = use.is_used || (model->rules[r].terms->purpose->is_demanded &&
                                              !model->rules[r].terms->purpose->is_claim &&
                                              view_equals(model->rules[r].terms->purpose->header, source->name));
            }
            if (use.is_used || count == CLASSES_DIMENSIONS_MAX)
                return classes_refuse(walk->classes, "a header names resources and is compared by a rule, too");
            names[count++] = source->name;
            TRY(one_header(walk, source->name, out));
        }
    return ERR_NONE;
}

/* ---- all together ---------------------------------------------------------------------- */

enum err requests_choices(struct walk *walk, struct choices *out)
{
    TRY(hosts_list(walk, &out->hosts));
    TRY(methods_list(walk, &out->methods));
    TRY(calls_list(walk, &out->calls));
    TRY(body_ids(walk, ID_BODY_MODEL, &out->models));
    TRY(body_ids(walk, ID_BODY_TOOL, &out->tools));
    TRY(queries_list(walk, out));
    return headers_list(walk, &out->headers);
}
