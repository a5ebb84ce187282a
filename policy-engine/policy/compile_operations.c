/* SPDX-License-Identifier: Apache-2.0 */
/* The operation trie. */
#include "compile_operations.h"
#include "table.h"

#include <stdlib.h>

/* An operation as the edges of a trie and the place where it ends. */
struct route {
    const struct operation *operation;
    uint32_t action;
    uint32_t index; /* of the action's operations */
    uint32_t depth; /* the edges that lead to the place */
    enum route_place place;
};

static enum route_place route_place(const struct operation *operation)
{
    if (operation->kind == OPERATION_GRPC)
        return operation->method_is_prefix ? PLACE_PREFIX : PLACE_END;
    const struct path_pattern *path = operation->path;
    if (path->segments[path->segment_count - 1].kind == PATTERN_REST)
        return PLACE_REST;
    return view_is_present(path->verb) ? PLACE_VERB : PLACE_END;
}

static struct route route_of(const struct operation *operation, size_t action, size_t index)
{
    enum route_place place = route_place(operation);
    size_t segments = operation->kind == OPERATION_GRPC ? 2 : operation->path->segment_count;
    return (struct route){.operation = operation,
                          .action = (uint32_t)action,
                          .index = (uint32_t)index,
                          .depth = (uint32_t)segments - (place == PLACE_REST || place == PLACE_PREFIX ? 1 : 0),
                          .place = place};
}

/* The text of a literal edge; absent for {name} and {*}. */
static struct view route_edge(const struct operation *operation, size_t i)
{
    if (operation->kind == OPERATION_GRPC)
        return i == 0 ? operation->service : operation->method;
    const struct pattern_segment *segment = &operation->path->segments[i];
    return segment->kind == PATTERN_LITERAL ? segment->text : (struct view){0};
}

static int edge_compare(struct view a, struct view b)
{
    if (view_is_present(a) != view_is_present(b))
        return view_is_present(a) ? 1 : -1;
    return view_compare(a, b);
}

static size_t routes_common(const struct route *a, const struct route *b)
{
    size_t i = 0, depth = a->depth < b->depth ? a->depth : b->depth;
    while (i < depth && edge_compare(route_edge(a->operation, i), route_edge(b->operation, i)) == 0)
        i++;
    return i;
}

static int route_compare(const void *left, const void *right)
{
    const struct route *a = left, *b = right;
    size_t depth = a->depth < b->depth ? a->depth : b->depth;
    for (size_t i = 0; i < depth; i++) {
        int order = edge_compare(route_edge(a->operation, i), route_edge(b->operation, i));
        if (order != 0)
            return order;
    }
    if (a->depth != b->depth)
        return a->depth < b->depth ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->action != b->action)
        return a->action < b->action ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* ---- ids that paths hold (S11) ------------------------------------------- */

static bool capture_find(const struct resource_type *type, const struct operation *operation, size_t source,
                         struct id_capture *out)
{
    if (type->ids[source].kind != ID_PATH || operation->kind != OPERATION_HTTP)
        return false;
    const struct path_pattern *path = operation->path;
    for (size_t i = 0; i < path->segment_count; i++) {
        if (path->segments[i].kind != PATTERN_VARIABLE || !view_equals(path->segments[i].text, type->ids[source].name))
            continue;
        bool has_verb = i + 1 == path->segment_count && view_is_present(path->verb);
        *out = (struct id_capture){.type = (uint32_t)type->index,
                                   .segment = (uint32_t)i,
                                   .suffix = has_verb ? (uint32_t)path->verb.size + 1 : 0};
        return true;
    }
    return false;
}

/* What the path of an operation captures: all sources of all types at most. */
static uint32_t captures_list(const struct model *model, const struct operation *operation, struct id_capture *out)
{
    uint32_t count = 0;
    for (size_t t = 0; t < model->type_count; t++)
        for (size_t i = 0; i < model->types[t].id_count; i++)
            count += capture_find(&model->types[t], operation, i, &out[count]);
    return count;
}

/* ---- what operations have in common ---------------------------------------- */

/* Equal lists of captures, and equal shapes, are kept once. */
struct shape_builder {
    struct compiler *compiler;
    struct operation_shape *shapes; /* room for one of each operation */
    struct id_capture *captures, *own;
    size_t shape_count, capture_count, capture_room;
    struct table known_shapes, known_captures;
    char *key;
    size_t key_room;
};

static enum err shapes_open(struct compiler *compiler, size_t operations, struct shape_builder *out)
{
    size_t sources = 0;
    for (size_t t = 0; t < compiler->model->type_count; t++)
        sources += compiler->model->types[t].id_count;
    *out = (struct shape_builder){
        .compiler = compiler,
        .shapes = arena_take_array(&compiler->work, operations + 1, sizeof *out->shapes),
        .own = arena_take_array(&compiler->work, sources + 1, sizeof *out->own),
    };
    table_init(&out->known_shapes, &compiler->work);
    table_init(&out->known_captures, &compiler->work);
    return out->shapes && out->own ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err captures_keep(struct shape_builder *b, uint32_t count, uint32_t *first)
{
    struct view bytes = {.data = (const char *)b->own, .size = count * sizeof *b->own};
    size_t at = b->capture_count;
    *first = 0;
    if (count == 0)
        return ERR_NONE;
    if (!table_find(&b->known_captures, bytes, &at)) {
        if (b->capture_count + count > b->capture_room) {
            size_t room = 2 * (b->capture_count + count);
            struct id_capture *captures = arena_take_array(&b->compiler->work, room, sizeof *captures);
            if (!captures)
                return ERR_NO_MEMORY;
            if (b->capture_count > 0)
                memcpy(captures, b->captures, b->capture_count * sizeof *captures);
            b->captures = captures;
            b->capture_room = room;
        }
        bytes = arena_copy(&b->compiler->work, bytes);
        if (!view_is_present(bytes))
            return ERR_NO_MEMORY;
        TRY(table_put(&b->known_captures, bytes, at));
        memcpy(b->captures + at, b->own, count * sizeof *b->own);
        b->capture_count += count;
    }
    *first = (uint32_t)at;
    return ERR_NONE;
}

static char *text_write(struct view text, char *at)
{
    memcpy(at, &text.size, sizeof text.size);
    at += sizeof text.size;
    if (text.size > 0)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

/* Bytes that are equal when the shapes are. */
static enum err shape_key(struct shape_builder *b, const struct operation *operation,
                          const struct operation_shape *shape, struct view *out)
{
    const uint32_t numbers[] = {shape->captures, shape->capture_count, shape->parts, (uint32_t)operation->methods.count,
                                (uint32_t)operation->host_count};
    size_t size = sizeof numbers;
    for (size_t i = 0; i < operation->methods.count; i++)
        size += sizeof(size_t) + operation->methods.items[i].size;
    for (size_t i = 0; i < operation->host_count; i++)
        size += sizeof(size_t) + operation->hosts[i].name.size + sizeof(uint32_t);
    if (size > b->key_room && !(b->key = arena_take(&b->compiler->work, b->key_room = 2 * size)))
        return ERR_NO_MEMORY;
    memcpy(b->key, numbers, sizeof numbers);
    char *at = b->key + sizeof numbers;
    for (size_t i = 0; i < operation->methods.count; i++)
        at = text_write(operation->methods.items[i], at);
    for (size_t i = 0; i < operation->host_count; i++) {
        const struct host_pattern *host = &operation->hosts[i];
        uint32_t rest = (uint32_t)host->port << 1 | (host->is_suffix ? 1 : 0);
        at = text_write(host->name, at);
        memcpy(at, &rest, sizeof rest);
        at += sizeof rest;
    }
    *out = (struct view){.data = b->key, .size = size};
    return ERR_NONE;
}

static enum err shape_find(struct shape_builder *b, const struct route *route, uint32_t *out)
{
    const struct operation *operation = route->operation;
    size_t index = b->shape_count;
    struct view key;
    struct operation_shape shape = {.action = route->action, .operation = route->index};
    shape.capture_count = captures_list(b->compiler->model, operation, b->own);
    shape.parts = (operation->query_count > 0 ? (uint32_t)OPERATION_QUERIES : 0) |
                  (view_is_present(operation->call) ? (uint32_t)OPERATION_CALL : 0) |
                  (operation->body != BODY_PROTOCOL_NONE ? (uint32_t)OPERATION_BODY : 0);
    TRY(captures_keep(b, shape.capture_count, &shape.captures));
    TRY(shape_key(b, operation, &shape, &key));
    if (!table_find(&b->known_shapes, key, &index)) {
        key = arena_copy(&b->compiler->work, key);
        if (!view_is_present(key))
            return ERR_NO_MEMORY;
        TRY(table_put(&b->known_shapes, key, index));
        b->shapes[b->shape_count++] = shape;
    }
    *out = (uint32_t)index;
    return ERR_NONE;
}

static enum err shapes_close(const struct shape_builder *b)
{
    struct program *program = b->compiler->program;
    struct operation_shape *shapes = arena_take_array(b->compiler->arena, b->shape_count, sizeof *shapes);
    struct id_capture *captures = arena_take_array(b->compiler->arena, b->capture_count, sizeof *captures);
    if (!shapes || !captures)
        return ERR_NO_MEMORY;
    if (b->shape_count > 0)
        memcpy(shapes, b->shapes, b->shape_count * sizeof *shapes);
    if (b->capture_count > 0)
        memcpy(captures, b->captures, b->capture_count * sizeof *captures);
    program->shapes = shapes;
    program->captures = captures;
    return ERR_NONE;
}

/* ---- the trie ----------------------------------------------------------------- */

struct trie_builder {
    struct compiler *compiler;
    struct trie_node *nodes;
    uint32_t node_count;
    struct trie_literal *literals;
    uint32_t literal_count;
    struct multimap_pair *verbs;
    size_t verb_count;
    struct operation_entry *entries;
    uint32_t entry_count;
    struct shape_builder shapes;
    uint32_t stack[PATH_SEGMENTS_MAX + 1]; /* nodes of the current route by depth */
};

static void node_add(struct trie_builder *builder, const struct operation *operation, size_t depth)
{
    uint32_t parent = builder->stack[depth], child = builder->node_count++;
    struct view edge = route_edge(operation, depth);
    if (view_is_present(edge))
        builder->literals[builder->literal_count++] =
            (struct trie_literal){.parent = parent, .child = child, .text = edge};
    else
        builder->nodes[parent].open = child;
    builder->nodes[child].entry = builder->entry_count;
    builder->stack[depth + 1] = child;
}

/* Routes are sorted, so all entries of a node come after one another. */
static enum err entry_add(struct trie_builder *builder, const struct route *route)
{
    const struct operation *operation = route->operation;
    struct operation_entry *entry = &builder->entries[builder->entry_count];
    *entry = (struct operation_entry){
        .action = route->action,
        .operation = route->index,
        .place = (uint16_t)route->place,
        .is_only = builder->compiler->model->actions[route->action].operation_count == 1,
    };
    TRY(shape_find(&builder->shapes, route, &entry->shape));
    if (entry->place == PLACE_VERB)
        builder->verbs[builder->verb_count++] = (struct multimap_pair){
            .space = builder->stack[route->depth], .key = operation->path->verb, .value = builder->entry_count};
    builder->entry_count++;
    return ERR_NONE;
}

/* ---- literal children ------------------------------------------------------- */

/* Sorts the literals by parent: those of one parent were added in the order of their texts. */
static enum err literals_sort(struct trie_builder *builder, uint32_t **starts)
{
    struct arena *work = &builder->compiler->work;
    uint32_t *start = arena_take_array(work, (size_t)builder->node_count + 2, sizeof *start);
    struct trie_literal *sorted = arena_take_array(work, (size_t)builder->literal_count + 1, sizeof *sorted);
    if (!start || !sorted)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < builder->literal_count; i++)
        start[builder->literals[i].parent + 2]++;
    for (uint32_t n = 2; n < builder->node_count + 2; n++)
        start[n] += start[n - 1];
    for (uint32_t i = 0; i < builder->literal_count; i++)
        sorted[start[builder->literals[i].parent + 1]++] = builder->literals[i];
    builder->literals = sorted;
    *starts = start;
    return ERR_NONE;
}

/* A number for each literal's text. */
static enum err words_build(struct trie_builder *builder, uint32_t **out)
{
    struct compiler *c = builder->compiler;
    struct table known;
    size_t count = 0;
    struct multimap_pair *pairs = arena_take_array(&c->work, (size_t)builder->literal_count + 1, sizeof *pairs);
    uint32_t *words = arena_take_array(&c->work, (size_t)builder->literal_count + 1, sizeof *words);
    if (!pairs || !words)
        return ERR_NO_MEMORY;
    table_init(&known, &c->work);
    for (uint32_t i = 0; i < builder->literal_count; i++) {
        size_t word = count;
        if (!table_find(&known, builder->literals[i].text, &word)) {
            TRY(table_put(&known, builder->literals[i].text, word));
            pairs[count++] = (struct multimap_pair){.key = builder->literals[i].text, .value = (uint32_t)word};
        }
        words[i] = (uint32_t)word;
    }
    *out = words;
    return multimap_build(pairs, count, c->arena, &c->program->words);
}

/* Slots for `count` children: full ones where they are few, for they stand together. */
static uint32_t edge_room(uint32_t count)
{
    uint32_t room = count > 0;
    while (room < count + count / 8)
        room *= 2;
    return room;
}

static void edge_put(struct trie_edge *edges, uint32_t room, struct trie_edge edge)
{
    uint32_t at = edge_place(edge.word, room);
    while (edges[at].child != 0)
        at = (at + 1) & (room - 1);
    edges[at] = edge;
}

static enum err edges_build(struct trie_builder *builder, const uint32_t *starts)
{
    struct program *program = builder->compiler->program;
    uint32_t *words = NULL;
    size_t room = 0;
    TRY(words_build(builder, &words));
    for (uint32_t n = 0; n < builder->node_count; n++)
        room += edge_room(starts[n + 1] - starts[n]);
    struct trie_edge *edges = arena_take_array(builder->compiler->arena, room, sizeof *edges);
    if (!edges)
        return ERR_NO_MEMORY;
    room = 0;
    for (uint32_t n = 0; n < builder->node_count; n++) {
        uint32_t size = edge_room(starts[n + 1] - starts[n]);
        builder->nodes[n].edges = (uint32_t)room;
        for (uint32_t i = starts[n]; i < starts[n + 1]; i++)
            edge_put(edges + room, size, (struct trie_edge){.word = words[i], .child = builder->literals[i].child});
        room += size;
    }
    builder->nodes[builder->node_count] = (struct trie_node){.entry = builder->entry_count, .edges = (uint32_t)room};
    program->edges = edges;
    return ERR_NONE;
}

/* ---- the whole ----------------------------------------------------------- */

static enum err routes_collect(struct compiler *c, struct route **out, size_t *count)
{
    const struct model *model = c->model;
    size_t most = 0;
    for (size_t a = 0; a < model->action_count; a++)
        most += model->actions[a].operation_count;
    struct route *routes = arena_take_array(&c->work, most + 1, sizeof *routes);
    if (!routes)
        return ERR_NO_MEMORY;
    *count = 0;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++)
            routes[(*count)++] = route_of(&model->actions[a].operations[i], a, i);
    qsort(routes, *count, sizeof *routes, route_compare);
    *out = routes;
    return ERR_NONE;
}

static enum err builder_open(struct compiler *c, const struct route *routes, size_t count, struct trie_builder *out)
{
    size_t edges = 1;
    for (size_t i = 0; i < count; i++)
        edges += routes[i].depth - (i == 0 ? 0 : routes_common(&routes[i - 1], &routes[i]));
    if (edges >= UINT32_MAX / 4 || count >= UINT32_MAX / 4)
        return ERR_LIMIT;
    *out = (struct trie_builder){
        .compiler = c,
        .nodes = arena_take_array(c->arena, edges + 1, sizeof *out->nodes),
        .literals = arena_take_array(&c->work, edges, sizeof *out->literals),
        .verbs = arena_take_array(&c->work, count + 1, sizeof *out->verbs),
        .entries = arena_take_array(c->arena, count, sizeof *out->entries),
        .node_count = 1,
    };
    TRY(shapes_open(c, count, &out->shapes));
    return out->nodes && out->literals && out->verbs && out->entries ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err routes_add(struct trie_builder *builder, const struct route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t common = i == 0 ? 0 : routes_common(&routes[i - 1], &routes[i]);
        for (size_t d = common; d < routes[i].depth; d++)
            node_add(builder, routes[i].operation, d);
        TRY(entry_add(builder, &routes[i]));
    }
    return ERR_NONE;
}

enum err compile_operations(struct compiler *compiler)
{
    struct program *program = compiler->program;
    struct route *routes = NULL;
    size_t count = 0;
    uint32_t *starts = NULL;
    struct trie_builder builder;
    TRY(routes_collect(compiler, &routes, &count));
    TRY(builder_open(compiler, routes, count, &builder));
    TRY(routes_add(&builder, routes, count));
    TRY(literals_sort(&builder, &starts));
    TRY(edges_build(&builder, starts));
    TRY(shapes_close(&builder.shapes));
    TRY(multimap_build(builder.verbs, builder.verb_count, compiler->arena, &program->verbs));
    program->nodes = builder.nodes;
    program->node_count = builder.node_count;
    program->entries = builder.entries;
    return compile_ambiguity(compiler, builder.literals, starts);
}
