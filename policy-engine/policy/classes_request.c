/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: every set of operations that some request fits, with every resource that
 * it can name. Paths grow segment by segment; a prefix that leaves the same operations
 * open with the same captures as one before it is not followed again. */
#include "classes.h"
#include "match.h"
#include "path_pattern.h"

struct operation_list {
    const struct operation **items;
    bool *is_wanted; /* the question is about it */
    size_t count;
};

struct found_path {
    struct view text;
    const bool *fits; /* by operation: segment by segment, a verb aside */
};

struct walk {
    struct classes *classes;
    struct operation_list operations;
    bool wants_all;         /* the question names no actions: unmatched requests count too */
    struct string_list ids; /* every class of resource ids */
    bool has_slash;         /* some operation takes %2F for data */
    struct table seen;
    struct view segments[PATH_SEGMENTS_MAX]; /* decoded */
    size_t deepest;
    struct found_path *paths;
    size_t path_count, path_room;
};

/* ---- what there is ------------------------------------------------------------------- */

static bool is_wanted(const struct classes *classes, const struct action *action)
{
    const struct rule *about = classes->about;
    for (size_t i = 0; about && i < about->action_count; i++)
        if (about->actions[i] == action)
            return true;
    return !about || about->action_count == 0;
}

static enum err operations_list(struct walk *walk)
{
    const struct model *model = walk->classes->model;
    struct operation_list *list = &walk->operations;
    size_t room = 0;
    for (size_t a = 0; a < model->action_count; a++)
        room += model->actions[a].operation_count;
    list->items = arena_take_array(walk->classes->arena, room + 1, sizeof(struct operation *));
    list->is_wanted = arena_take_array(walk->classes->arena, room + 1, sizeof(bool));
    if (!list->items || !list->is_wanted)
        return ERR_NO_MEMORY;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++) {
            const struct operation *operation = &model->actions[a].operations[i];
            size_t segments = operation->kind == OPERATION_GRPC ? 2 : operation->path->segment_count;
            list->is_wanted[list->count] = is_wanted(walk->classes, &model->actions[a]);
            list->items[list->count++] = operation;
            walk->deepest = segments > walk->deepest ? segments : walk->deepest;
            walk->has_slash = walk->has_slash || operation->encoded_slash_is_data;
        }
    /* One more shows what a rest takes, and what nothing does. */
    walk->deepest = walk->deepest + 2 < PATH_SEGMENTS_MAX ? walk->deepest + 2 : PATH_SEGMENTS_MAX;
    walk->wants_all = !walk->classes->about || walk->classes->about->action_count == 0;
    return ERR_NONE;
}

static void ids_of_rule(struct pattern_list *patterns, const struct rule *rule)
{
    for (size_t i = 0; i < rule->id_count; i++)
        pattern_add(patterns, rule->ids[i].is_prefix ? TEXT_PREFIX : TEXT_EXACT, rule->ids[i].text);
}

static bool set_has_id(const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++)
            if (templates[i].value.parts[k].kind == TEMPLATE_RESOURCE_ID)
                return true;
    return false;
}

static bool templates_have_id(const struct model *model)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct obligation_set *set = model->rules[i].obligations;
        if (set_has_id(set->request_headers, set->request_header_count) ||
            set_has_id(set->response_headers, set->response_header_count) ||
            set_has_id(set->metadata, set->metadata_count) || set_has_id(set->query_params, set->query_param_count))
            return true;
    }
    return false;
}

/* Also one with a byte that no header can hold, where an id goes into one. */
static enum err ids_list(struct walk *walk)
{
    struct classes *classes = walk->classes;
    const struct model *model = classes->model;
    struct pattern_list patterns = {.arena = classes->arena};
    struct string_list texts;
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < model->resource_count; i++)
        pattern_add(&patterns, model->resources[i].id.is_prefix ? TEXT_PREFIX : TEXT_EXACT,
                    model->resources[i].id.text);
    for (size_t i = 0; i < model->rule_count; i++)
        ids_of_rule(&patterns, &model->rules[i]);
    if (classes->about)
        ids_of_rule(&patterns, classes->about);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns.items, patterns.count, &texts));
    struct view *items = arena_take_array(classes->arena, texts.count * 2 + 2, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < texts.count; i++) {
        if (texts.items[i].size == 0)
            continue;
        items[count++] = texts.items[i];
        if (templates_have_id(model))
            items[count++] = arena_print(classes->arena, "%.*s\xc3\xa9", VIEW_ARG(texts.items[i]));
    }
    walk->ids = (struct string_list){.items = items, .count = count};
    return ERR_NONE;
}

/* ---- paths ------------------------------------------------------------------------------ */

static bool rest_begins(const struct operation *operation, size_t depth)
{
    const struct path_pattern *path = operation->path;
    return operation->kind == OPERATION_HTTP && depth + 1 >= path->segment_count &&
           path->segments[path->segment_count - 1].kind == PATTERN_REST;
}

static bool segment_fits(const struct operation *operation, size_t i, struct view segment)
{
    if (operation->kind == OPERATION_GRPC) {
        if (i == 0)
            return view_equals(operation->service, segment);
        return i == 1 && (operation->method_is_prefix ? segment.size > 0 && view_starts_with(segment, operation->method)
                                                      : view_equals(operation->method, segment));
    }
    const struct path_pattern *path = operation->path;
    if (i >= path->segment_count)
        return path->segments[path->segment_count - 1].kind == PATTERN_REST;
    if (path->segments[i].kind == PATTERN_LITERAL)
        return view_equals(path->segments[i].text, segment);
    return path->segments[i].kind == PATTERN_REST || segment.size > 0;
}

/* Could still fit, as far as the first `depth` segments say. A verb is left to the
 * evaluator: that keeps more open than is, never less. */
static bool is_open(const struct walk *walk, size_t operation, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        if (!segment_fits(walk->operations.items[operation], i, walk->segments[i]))
            return false;
    return true;
}

/* A segment whose text is the id of some type's resources. */
static bool names_resource(const struct walk *walk, const struct operation *operation, size_t i)
{
    const struct model *model = walk->classes->model;
    if (operation->kind != OPERATION_HTTP || i >= operation->path->segment_count ||
        operation->path->segments[i].kind != PATTERN_VARIABLE)
        return false;
    for (size_t t = 0; t < model->type_count; t++)
        for (size_t k = 0; k < model->types[t].id_count; k++)
            if (model->types[t].ids[k].kind == ID_PATH &&
                view_equals(model->types[t].ids[k].name, operation->path->segments[i].text))
                return true;
    return false;
}

static bool has_verb_at(const struct operation *operation, size_t i)
{
    return operation->kind == OPERATION_HTTP && i + 1 == operation->path->segment_count &&
           view_is_present(operation->path->verb);
}

/* True for the first prefix that leaves what this one leaves. */
static enum err is_new(struct walk *walk, size_t depth, bool *out)
{
    struct arena scratch = classes_scratch(walk->classes);
    struct signature key;
    size_t room = walk->operations.count + 1;
    for (size_t i = 0; i < depth; i++)
        room += walk->segments[i].size + 2;
    TRY(signature_init(&key, room, &scratch));
    for (size_t i = 0; i < walk->operations.count; i++)
        signature_put(&key, is_open(walk, i, depth) ? 1 + rest_begins(walk->operations.items[i], depth) : 0);
    signature_put(&key, (unsigned)depth);
    for (size_t i = 0; i < depth; i++) {
        bool is_captured = i + 1 == depth; /* a verb may yet be told from it */
        for (size_t k = 0; k < walk->operations.count && !is_captured; k++)
            is_captured = names_resource(walk, walk->operations.items[k], i) && is_open(walk, k, depth);
        for (size_t k = 0; is_captured && k < walk->segments[i].size; k++)
            signature_put(&key, (unsigned char)walk->segments[i].data[k]);
        signature_put(&key, '/');
    }
    struct view text = arena_copy(walk->classes->arena, (struct view){(const char *)key.bytes, key.size});
    if (!view_is_present(text))
        return ERR_NO_MEMORY;
    enum err err = table_put(&walk->seen, text, 0);
    *out = err == ERR_NONE;
    return err == ERR_CONFLICT ? ERR_NONE : err;
}

static bool is_complete(const struct operation *operation, size_t depth)
{
    if (operation->kind == OPERATION_GRPC)
        return depth == 2;
    return depth == operation->path->segment_count || rest_begins(operation, depth);
}

static enum err path_add(struct walk *walk, size_t depth)
{
    size_t size = 0, room = 1;
    bool *fits = arena_take_array(walk->classes->arena, walk->operations.count + 1, sizeof *fits);
    for (size_t i = 0; fits && i < walk->operations.count; i++)
        fits[i] = is_open(walk, i, depth) && is_complete(walk->operations.items[i], depth);
    for (size_t i = 0; i < depth; i++)
        room += 1 + 3 * walk->segments[i].size;
    char *path = arena_take(walk->classes->arena, room);
    if (!path || !fits)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < depth; i++) {
        path[size++] = '/';
        for (size_t k = 0; k < walk->segments[i].size; k++)
            size += classes_octet_write((unsigned char)walk->segments[i].data[k], false, path + size);
    }
    if (walk->path_count == walk->path_room) {
        size_t more = walk->path_room > 0 ? walk->path_room * 2 : 64;
        struct found_path *paths = arena_take_array(walk->classes->arena, more, sizeof *paths);
        if (!paths)
            return ERR_NO_MEMORY;
        if (walk->path_count > 0)
            memcpy(paths, walk->paths, walk->path_count * sizeof *paths);
        walk->paths = paths;
        walk->path_room = more;
    }
    walk->paths[walk->path_count++] = (struct found_path){.text = {.data = path, .size = size}, .fits = fits};
    return classes_count(walk->classes);
}

static void patterns_at(const struct walk *walk, size_t depth, struct pattern_list *out)
{
    pattern_add(out, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct operation *operation = walk->operations.items[i];
        if (!is_open(walk, i, depth))
            continue;
        if (operation->kind == OPERATION_GRPC && depth < 2)
            pattern_add(out, depth == 1 && operation->method_is_prefix ? TEXT_PREFIX : TEXT_EXACT,
                        depth == 0 ? operation->service : operation->method);
        else if (operation->kind == OPERATION_HTTP && depth < operation->path->segment_count &&
                 operation->path->segments[depth].kind == PATTERN_LITERAL)
            pattern_add(out, TEXT_EXACT, operation->path->segments[depth].text);
        if (has_verb_at(operation, depth))
            pattern_add(out, TEXT_UNDER, arena_print(out->arena, ":%.*s", VIEW_ARG(operation->path->verb)));
    }
}

static enum err walk_on(struct walk *walk, size_t depth);

static enum err walk_into(struct walk *walk, size_t depth, struct view segment)
{
    if (!view_is_present(segment))
        return ERR_NO_MEMORY;
    walk->segments[depth] = segment;
    return walk_on(walk, depth + 1);
}

/* Every class of ids, as it stands and before every verb. */
static enum err walk_ids(struct walk *walk, size_t depth)
{
    struct arena *arena = walk->classes->arena;
    bool captures = false;
    for (size_t i = 0; i < walk->operations.count && !captures; i++)
        captures = names_resource(walk, walk->operations.items[i], depth) && is_open(walk, i, depth);
    for (size_t i = 0; captures && i < walk->ids.count; i++) {
        struct view id = walk->ids.items[i];
        TRY(walk_into(walk, depth, id));
        for (size_t k = 0; k < walk->operations.count; k++)
            if (has_verb_at(walk->operations.items[k], depth) && is_open(walk, k, depth))
                TRY(walk_into(
                    walk, depth,
                    arena_print(arena, "%.*s:%.*s", VIEW_ARG(id), VIEW_ARG(walk->operations.items[k]->path->verb))));
    }
    return ERR_NONE;
}

static enum err walk_on(struct walk *walk, size_t depth)
{
    bool is_first = true, is_needed = walk->wants_all, is_dead = true;
    struct pattern_list patterns = {.arena = walk->classes->arena};
    struct string_list texts;
    for (size_t i = 0; i < walk->operations.count; i++) {
        bool is_alive = is_open(walk, i, depth);
        is_dead = is_dead && !is_alive;
        is_needed = is_needed || (is_alive && walk->operations.is_wanted[i]);
    }
    TRY(classes_count(walk->classes));
    if (depth > 0)
        TRY(is_new(walk, depth, &is_first));
    if (!is_first || !is_needed)
        return ERR_NONE;
    if (depth > 0)
        TRY(path_add(walk, depth));
    if (depth >= walk->deepest || (depth > 0 && (is_dead || walk->segments[depth - 1].size == 0)))
        return ERR_NONE;
    patterns_at(walk, depth, &patterns);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(walk->classes, patterns.items, patterns.count, &texts));
    for (size_t i = 0; i < texts.count; i++)
        TRY(walk_into(walk, depth, texts.items[i]));
    /* An encoded slash, which is data for some operations and nothing to judge for others. */
    if (walk->has_slash)
        TRY(walk_into(walk, depth, VIEW("x/x")));
    return walk_ids(walk, depth);
}

/* ---- the other parts of a request ----------------------------------------------------- */

struct choices {
    struct string_list hosts, methods, calls, models, tools; /* an absent view is a choice */
    struct string_list queries;                              /* with their question mark */
    bool tests_queries;                                      /* all of them count wherever the request goes */
    struct class_list headers;                               /* those that name resources */
};

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
        struct view call = walk->operations.items[i]->call;
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
            for (size_t k = 0; k < model->actions[a].operations[i].query_count; k++)
                if (view_equals(model->actions[a].operations[i].queries[k].name, name))
                    return true;
    return false;
}

static void see_queries(struct query_search *search)
{
    const struct model *model = search->classes->model;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++) {
            const struct operation *operation = &model->actions[a].operations[i];
            for (size_t k = 0; k < operation->query_count; k++)
                see_query(search, operation->queries[k].name, &operation->queries[k].test);
        }
    for (size_t i = 0; i < model->rule_count; i++) {
        classes_leaves(model->rules[i].when, see_query_leaf, search);
        classes_leaves(model->rules[i].unless, see_query_leaf, search);
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
        for (size_t k = 0; k < values.count; k++)
            items[count++] = arena_print(arena, "%.*s%s%.*s=%.*s", VIEW_ARG(before), join, VIEW_ARG(name),
                                         VIEW_ARG(classes_escaped(arena, values.items[k])));
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
                classes_leaves(model->rules[r].unless, see_header, &use);
                use.is_used =
                    use.is_used || (model->rules[r].purpose->is_demanded && !model->rules[r].purpose->is_claim &&
                                    view_equals(model->rules[r].purpose->header, source->name));
            }
            if (use.is_used || count == CLASSES_DIMENSIONS_MAX)
                return classes_refuse(walk->classes, "a header names resources and is compared by a rule, too");
            names[count++] = source->name;
            TRY(one_header(walk, source->name, out));
        }
    return ERR_NONE;
}

/* ---- requests ------------------------------------------------------------------------------ */

static bool can_stand_in_header(const struct found_resource *found)
{
    for (size_t i = 0; found && i < found->id.size; i++)
        if (found->id.data[i] < 0x20 || found->id.data[i] > 0x7e)
            return false;
    return found && found->is_known && found->id.size > 0;
}

struct leaf_signer {
    const struct inquiry *inquiry;
    struct signature *signature;
};

static void sign_leaf(void *context, const struct condition *leaf)
{
    const struct leaf_signer *signer = context;
    if (leaf->kind == CONDITION_QUERY)
        signature_put(signer->signature, match_condition(leaf, signer->inquiry->model, signer->inquiry->facts, false));
}

static void sign_rule(const struct inquiry *inquiry, const struct rule *rule, struct signature *signature)
{
    const struct found_resource *found;
    enum tri fits = rule->action_count == 0 ? TRI_TRUE : TRI_FALSE;
    for (size_t i = 0; i < rule->action_count; i++)
        fits = tri_or(fits, interpret_action(inquiry, rule->actions[i]));
    fits = tri_and(fits, inquiry_resource(inquiry, rule, &found));
    signature_put(signature, fits == TRI_FALSE ? 0 : fits + (can_stand_in_header(found) ? 4u : 0));
    struct leaf_signer signer = {.inquiry = inquiry, .signature = signature};
    if (fits == TRI_FALSE)
        return;
    classes_leaves(rule->when, sign_leaf, &signer);
    classes_leaves(rule->unless, sign_leaf, &signer);
}

static enum err judge_request(struct class_set *set, const struct facts *facts)
{
    struct classes *classes = set->classes;
    struct arena scratch = classes_scratch(classes);
    struct signature signature;
    struct inquiry inquiry;
    struct decision ignored = {0};
    TRY(classes_count(classes));
    TRY(signature_init(&signature, classes->model->rule_count * 2 + 64, &scratch));
    enum reason reason = interpret_open(&inquiry, classes->model, facts, &scratch, &ignored);
    if (reason == REASON_INTERNAL)
        return ERR_NO_MEMORY;
    if (reason != REASON_NONE)
        return ERR_NONE;
    if (classes->about) {
        sign_rule(&inquiry, classes->about, &signature);
        if (signature.bytes[0] == 0)
            return ERR_NONE;
    }
    for (size_t i = 0; i < classes->model->rule_count; i++)
        sign_rule(&inquiry, &classes->model->rules[i], &signature);
    return class_set_add(set, &signature, facts);
}

static enum err judge_bodies(struct class_set *set, const struct choices *choices, const struct facts *start)
{
    struct facts facts = *start;
    for (size_t c = 0; c < choices->calls.count; c++)
        for (size_t m = 0; m < choices->models.count; m++)
            for (size_t t = 0; t < choices->tools.count; t++) {
                facts.body = (struct body_facts){.call = choices->calls.items[c],
                                                 .model = choices->models.items[m],
                                                 .tool = choices->tools.items[t]};
                facts.body.state = c + m + t > 0 ? BODY_READ : BODY_ABSENT;
                for (size_t h = 0; h < choices->headers.count; h++) {
                    facts.headers = choices->headers.items[h].headers;
                    facts.header_count = choices->headers.items[h].header_count;
                    TRY(judge_request(set, &facts));
                }
            }
    return ERR_NONE;
}

/* Where only the first choice differs from the rest by name: nothing here reads the others. */
static struct string_list only_first(struct string_list list, bool is_read)
{
    list.count = is_read ? list.count : 1;
    return list;
}

static bool type_reads(const struct resource_type *type, enum id_source_kind kind)
{
    for (size_t i = 0; i < type->id_count; i++)
        if (type->ids[i].kind == kind)
            return true;
    return false;
}

/* The choices that something reads of a request with this host, path and method. */
static struct choices choices_at(const struct walk *walk, const struct choices *all, const struct facts *facts,
                                 const struct found_path *path)
{
    const struct model *model = walk->classes->model;
    struct choices here = *all;
    char buffer[512];
    struct view host;
    uint16_t port;
    bool calls = false, queries = all->tests_queries, models = false, tools = false, headers = false;
    if (facts->host.size >= sizeof buffer || request_host_parse(facts->host, buffer, &host, &port) != REASON_NONE)
        return here;
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct operation *operation = walk->operations.items[i];
        if (!path->fits[i] || !match_hosts(operation->hosts, operation->host_count, host, port) ||
            (operation->methods.count > 0 && !match_string(&operation->methods, facts->method)))
            continue;
        calls = calls || view_is_present(operation->call);
        queries = queries || operation->query_count > 0;
    }
    for (size_t i = 0; i < model->type_count; i++) {
        const struct resource_type *type = &model->types[i];
        if (!match_hosts(type->hosts, type->host_count, host, port))
            continue;
        models = models || type_reads(type, ID_BODY_MODEL);
        tools = tools || type_reads(type, ID_BODY_TOOL);
        headers = headers || type_reads(type, ID_HEADER);
    }
    here.calls = only_first(all->calls, calls);
    here.queries = only_first(all->queries, queries);
    here.models = only_first(all->models, models);
    here.tools = only_first(all->tools, tools);
    here.headers.count = headers ? all->headers.count : 1;
    return here;
}

static enum err judge_path(struct class_set *set, const struct walk *walk, const struct choices *all,
                           const struct facts *start, const struct found_path *path)
{
    struct facts facts = *start;
    struct choices here = choices_at(walk, all, start, path);
    for (size_t i = 0; i < here.queries.count; i++) {
        struct view query = here.queries.items[i];
        facts.path = path->text;
        if (query.size > 0)
            facts.path = arena_print(set->classes->arena, "%.*s%.*s", VIEW_ARG(path->text), VIEW_ARG(query));
        if (!view_is_present(facts.path))
            return ERR_NO_MEMORY;
        TRY(judge_bodies(set, &here, &facts));
    }
    return ERR_NONE;
}

static enum err judge_all(struct class_set *set, const struct walk *walk, const struct choices *choices)
{
    for (size_t h = 0; h < choices->hosts.count; h++)
        for (size_t p = 0; p < walk->path_count; p++)
            for (size_t m = 0; m < choices->methods.count; m++) {
                struct facts facts = {.host = choices->hosts.items[h],
                                      .method = choices->methods.items[m],
                                      .is_raw_path = true,
                                      .now = CLASSES_NOW,
                                      .decision_id = VIEW("test"),
                                      .request_failure = REASON_NONE,
                                      .workload_failure = REASON_NONE,
                                      .user_failure = REASON_NONE};
                TRY(judge_path(set, walk, choices, &facts, &walk->paths[p]));
            }
    return ERR_NONE;
}

enum err classes_requests(struct classes *classes, struct class_list *out)
{
    struct walk *walk = arena_take(classes->arena, sizeof *walk);
    struct choices choices;
    struct class_set set;
    if (!walk)
        return ERR_NO_MEMORY;
    walk->classes = classes;
    table_init(&walk->seen, classes->arena);
    TRY(class_set_init(&set, classes));
    TRY(operations_list(walk));
    TRY(ids_list(walk));
    TRY(walk_on(walk, 0));
    TRY(hosts_list(walk, &choices.hosts));
    TRY(methods_list(walk, &choices.methods));
    TRY(calls_list(walk, &choices.calls));
    TRY(body_ids(walk, ID_BODY_MODEL, &choices.models));
    TRY(body_ids(walk, ID_BODY_TOOL, &choices.tools));
    TRY(queries_list(walk, &choices));
    TRY(headers_list(walk, &choices.headers));
    TRY(judge_all(&set, walk, &choices));
    *out = (struct class_list){.items = set.items, .count = set.count};
    return ERR_NONE;
}

enum err classes_rules(struct classes *classes, const struct facts *request, struct class_rules *out)
{
    const struct model *model = classes->model;
    const struct rule **rules = arena_take_array(classes->arena, model->rule_count + 1, sizeof(struct rule *));
    struct arena scratch = classes_scratch(classes);
    struct inquiry inquiry;
    struct decision ignored = {0};
    struct signature one;
    if (!rules || interpret_open(&inquiry, model, request, &scratch, &ignored) != REASON_NONE)
        return ERR_NO_MEMORY;
    TRY(signature_init(&one, 1, &scratch));
    *out = (struct class_rules){.items = rules};
    for (size_t i = 0; i < model->rule_count; i++) {
        one.size = 0;
        sign_rule(&inquiry, &model->rules[i], &one);
        if (one.bytes[0] != 0)
            rules[out->count++] = &model->rules[i];
    }
    return ERR_NONE;
}
