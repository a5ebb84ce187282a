/* SPDX-License-Identifier: Apache-2.0 */
/* The operation trie. */
#include "compile_operations.h"
#include "compile_shapes.h"

#include <stdlib.h>

/* An operation as the edges of a trie and the place where it ends. Edges are numbers: OPEN, or that of a
 * literal's text, which are in the order of the texts. */
struct route {
    uint64_t head; /* as many edges as it has room for, the first on top: each plus 1, and 0 behind the last */
    const uint32_t *edges;
    uint32_t action;
    uint32_t index; /* of the action's operations */
    uint32_t shape; /* the number of a shape_builder */
    uint16_t depth; /* the edges that lead to the place */
    uint8_t place;  /* enum route_place */
    bool is_only;   /* the action's only operation */
};

enum { OPEN = 0, HEAD_BITS = 64 };

static enum route_place route_place(const struct operation *operation)
{
    if (operation->kind == OPERATION_GRPC)
        return operation->grpc->method_is_prefix ? PLACE_PREFIX : PLACE_END;
    const struct path_pattern *path = operation->path;
    if (path->segments[path->segment_count - 1].kind == PATTERN_REST)
        return PLACE_REST;
    return view_is_present(path->verb) ? PLACE_VERB : PLACE_END;
}

static uint16_t route_depth(const struct operation *operation, enum route_place place)
{
    size_t segments = operation->kind == OPERATION_GRPC ? 2 : operation->path->segment_count;
    return (uint16_t)(segments - (place == PLACE_REST || place == PLACE_PREFIX ? 1 : 0));
}

/* The text of a literal edge; absent for {name} and {*}. */
static struct view route_edge(const struct operation *operation, size_t i)
{
    if (operation->kind == OPERATION_GRPC)
        return i == 0 ? operation->grpc->service : operation->grpc->method;
    const struct pattern_segment *segment = &operation->path->segments[i];
    return segment->kind == PATTERN_LITERAL ? segment->text : (struct view){0};
}

static size_t routes_common(const struct route *a, const struct route *b)
{
    size_t i = 0, depth = a->depth < b->depth ? a->depth : b->depth;
    while (i < depth && a->edges[i] == b->edges[i])
        i++;
    return i;
}

static int route_compare(const void *left, const void *right)
{
    const struct route *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    size_t common = routes_common(a, b);
    if (common < a->depth && common < b->depth)
        return a->edges[common] < b->edges[common] ? -1 : 1;
    if (a->depth != b->depth)
        return a->depth < b->depth ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->action != b->action)
        return a->action < b->action ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* ---- words ---------------------------------------------------------------------- */

/* The texts of all literal edges, and every route's edges. */
struct words {
    struct view *texts; /* sorted; texts[0] is no word's */
    uint32_t *edges;    /* of all routes, one after the other; while they are collected: in the order of first sight */
    uint32_t count;     /* words are 1 to count */
};

static int word_compare(const void *left, const void *right)
{
    return view_compare(((const struct table_entry *)left)->key, ((const struct table_entry *)right)->key);
}

static enum err word_of(struct table *known, struct view text, uint32_t *out)
{
    size_t seen = known->count;
    *out = OPEN;
    if (!view_is_present(text))
        return ERR_NONE;
    if (!table_find(known, text, &seen))
        TRY(table_put(known, text, seen));
    *out = (uint32_t)seen + 1;
    return ERR_NONE;
}

/* From the order in which words were seen to that of their texts. */
static enum err words_sort(struct arena *work, struct table *known, struct words *words, size_t edges)
{
    words->count = (uint32_t)known->count;
    words->texts = arena_take_array(work, known->count + 1, sizeof *words->texts);
    uint32_t *sorted = arena_take_array(work, known->count + 1, sizeof *sorted);
    if (!words->texts || !sorted)
        return ERR_NO_MEMORY;
    if (known->count > 0)
        qsort(known->entries, known->count, sizeof *known->entries, word_compare);
    for (uint32_t i = 0; i < words->count; i++) {
        sorted[known->entries[i].value + 1] = i + 1;
        words->texts[i + 1] = known->entries[i].key;
    }
    for (size_t i = 0; i < edges; i++)
        words->edges[i] = sorted[words->edges[i]];
    return ERR_NONE;
}

static void head_fill(struct route *route, uint32_t words)
{
    unsigned bits = HEAD_BITS / 2 - (unsigned)__builtin_clz(words + 1); /* of an edge plus 1 */
    unsigned left = HEAD_BITS;
    for (uint32_t i = 0; left >= bits; i++) {
        left -= bits;
        route->head |= (i < route->depth ? (uint64_t)route->edges[i] + 1 : 0) << left;
    }
}

/* ---- the trie ----------------------------------------------------------------- */

struct trie_builder {
    struct compiler *compiler;
    struct words words;
    struct trie_node *nodes;
    uint32_t node_count;
    struct trie_literal *literals;
    uint32_t literal_count;
    struct multimap_pair *verbs;
    size_t verb_count;
    struct operation_entry *entries;
    uint32_t entry_count;
    const struct shape_builder *shapes;
    struct shape_numbers numbers;
    uint32_t stack[PATH_SEGMENTS_MAX + 1]; /* nodes of the current route by depth */
};

static void node_add(struct trie_builder *builder, uint32_t edge, size_t depth)
{
    uint32_t parent = builder->stack[depth], child = builder->node_count++;
    if (edge != OPEN)
        builder->literals[builder->literal_count++] =
            (struct trie_literal){.parent = parent, .child = child, .word = edge};
    else
        builder->nodes[parent].open = child;
    builder->nodes[child].entry = builder->entry_count;
    builder->stack[depth + 1] = child;
}

/* Routes are sorted, so all entries of a node come after one another. */
static void entry_add(struct trie_builder *builder, const struct route *route)
{
    struct operation_entry *entry = &builder->entries[builder->entry_count];
    *entry = (struct operation_entry){
        .action = route->action,
        .operation = route->index,
        .shape = compile_shapes_number(builder->shapes, &builder->numbers, route->shape, route->action, route->index),
        .place = route->place,
        .is_only = route->is_only,
    };
    if (entry->place == PLACE_VERB)
        builder->verbs[builder->verb_count++] = (struct multimap_pair){
            .space = builder->stack[route->depth],
            .key = builder->compiler->model->actions[route->action].operations[route->index].path->verb,
            .value = builder->entry_count};
    builder->entry_count++;
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

/* The number of each word in the program: those that stand near the root come first. */
static enum err words_build(struct trie_builder *builder, uint32_t **out)
{
    struct compiler *c = builder->compiler;
    const struct words *words = &builder->words;
    uint32_t count = 0;
    struct multimap_pair *pairs = arena_take_array(&c->work, (size_t)words->count + 1, sizeof *pairs);
    uint32_t *numbers = arena_take_array(&c->work, (size_t)words->count + 1, sizeof *numbers);
    if (!pairs || !numbers)
        return ERR_NO_MEMORY;
    memset(numbers, 0xff, ((size_t)words->count + 1) * sizeof *numbers);
    for (uint32_t i = 0; i < builder->literal_count; i++)
        if (numbers[builder->literals[i].word] == NO_INDEX)
            numbers[builder->literals[i].word] = count++;
    for (uint32_t w = 1; w <= words->count; w++)
        pairs[w - 1] = (struct multimap_pair){.key = words->texts[w], .value = numbers[w]};
    *out = numbers;
    return multimap_build(pairs, words->count, c->arena, &c->program->words);
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
    uint32_t *numbers = NULL;
    size_t room = 0;
    TRY(words_build(builder, &numbers));
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
            edge_put(
                edges + room, size,
                (struct trie_edge){.word = numbers[builder->literals[i].word], .child = builder->literals[i].child});
        room += size;
    }
    builder->nodes[builder->node_count] = (struct trie_node){.entry = builder->entry_count, .edges = (uint32_t)room};
    program->edges = edges;
    return ERR_NONE;
}

/* ---- the whole ----------------------------------------------------------- */

/* An operation's place and edges, which are written at `edges`; their number is added to *count. */
static enum err route_make(const struct operation *operation, uint32_t *edges, size_t *count, struct table *known,
                           struct route *out)
{
    enum route_place place = route_place(operation);
    out->place = (uint8_t)place;
    out->depth = route_depth(operation, place);
    out->edges = edges + *count;
    for (uint32_t i = 0; i < out->depth; i++)
        TRY(word_of(known, route_edge(operation, i), &edges[(*count)++]));
    return ERR_NONE;
}

static size_t edges_count(const struct model *model, size_t *operations)
{
    size_t count = 0;
    *operations = 0;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++, ++*operations)
            count += route_depth(&model->actions[a].operations[i], PLACE_END);
    return count;
}

static enum err routes_collect(struct compiler *c, struct words *words, struct shape_builder *shapes,
                               struct route **out, size_t *count)
{
    const struct model *model = c->model;
    struct table known;
    size_t operations, edges = 0, made = 0, most = edges_count(model, &operations);
    struct route *routes = arena_take_array(&c->work, operations + 1, sizeof *routes);
    words->edges = arena_take_array(&c->work, most + 1, sizeof *words->edges);
    table_init(&known, &c->work);
    if (!routes || !words->edges)
        return ERR_NO_MEMORY;
    if (most >= UINT32_MAX / 4)
        return ERR_LIMIT;
    TRY(compile_shapes_open(c, operations, shapes));
    for (uint32_t a = 0; a < model->action_count; a++)
        for (uint32_t i = 0; i < model->actions[a].operation_count; i++, made++) {
            struct route *route = &routes[made];
            *route = (struct route){.action = a, .index = i, .is_only = model->actions[a].operation_count == 1};
            TRY(route_make(&model->actions[a].operations[i], words->edges, &edges, &known, route));
            TRY(compile_shapes_find(shapes, a, i, &route->shape));
        }
    TRY(words_sort(&c->work, &known, words, edges));
    for (size_t i = 0; i < made; i++)
        head_fill(&routes[i], words->count);
    qsort(routes, made, sizeof *routes, route_compare);
    *out = routes;
    *count = made;
    return ERR_NONE;
}

static enum err builder_open(struct compiler *c, const struct words *words, const struct shape_builder *shapes,
                             const struct route *routes, size_t count, struct trie_builder *out)
{
    size_t edges = 1;
    for (size_t i = 0; i < count; i++)
        edges += routes[i].depth - (i == 0 ? 0 : routes_common(&routes[i - 1], &routes[i]));
    if (edges >= UINT32_MAX / 4 || count >= UINT32_MAX / 4)
        return ERR_LIMIT;
    *out = (struct trie_builder){
        .compiler = c,
        .words = *words,
        .shapes = shapes,
        .nodes = arena_take_array(c->arena, edges + 1, sizeof *out->nodes),
        .literals = arena_take_array(&c->work, edges, sizeof *out->literals),
        .verbs = arena_take_array(&c->work, count + 1, sizeof *out->verbs),
        .entries = arena_take_array(c->arena, count, sizeof *out->entries),
        .node_count = 1,
    };
    TRY(compile_shapes_close(shapes, &out->numbers));
    return out->nodes && out->literals && out->verbs && out->entries ? ERR_NONE : ERR_NO_MEMORY;
}

static void routes_add(struct trie_builder *builder, const struct route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t common = i == 0 ? 0 : routes_common(&routes[i - 1], &routes[i]);
        for (size_t d = common; d < routes[i].depth; d++)
            node_add(builder, routes[i].edges[d], d);
        entry_add(builder, &routes[i]);
    }
}

enum err compile_operations(struct compiler *compiler)
{
    struct program *program = compiler->program;
    struct route *routes = NULL;
    size_t count = 0;
    uint32_t *starts = NULL;
    struct words words = {0};
    struct shape_builder shapes;
    struct trie_builder builder;
    TRY(routes_collect(compiler, &words, &shapes, &routes, &count));
    TRY(builder_open(compiler, &words, &shapes, routes, count, &builder));
    routes_add(&builder, routes, count);
    TRY(literals_sort(&builder, &starts));
    TRY(edges_build(&builder, starts));
    TRY(multimap_build(builder.verbs, builder.verb_count, compiler->arena, &program->verbs));
    program->nodes = builder.nodes;
    program->node_count = builder.node_count;
    program->entries = builder.entries;
    return compile_ambiguity(compiler, builder.literals, starts);
}
