/* SPDX-License-Identifier: Apache-2.0 */
/* The operation trie, and the check that no request can name two resources. */
#include "codes.h"
#include "match.h"
#include "program_internal.h"
#include "table.h"

#include <stdlib.h>

/* An operation as the edges of a trie and the place where it ends. */
struct route {
    const struct operation *operation;
    uint32_t action;
};

enum place { PLACE_END = 0, PLACE_REST, PLACE_PREFIX, PLACE_VERB };

static enum place route_place(const struct operation *operation)
{
    if (operation->kind == OPERATION_GRPC)
        return operation->method_is_prefix ? PLACE_PREFIX : PLACE_END;
    const struct path_pattern *path = operation->path;
    if (path->segments[path->segment_count - 1].kind == PATTERN_REST)
        return PLACE_REST;
    return view_is_present(path->verb) ? PLACE_VERB : PLACE_END;
}

/* The edges that lead to the place. */
static size_t route_depth(const struct operation *operation)
{
    enum place place = route_place(operation);
    size_t segments = operation->kind == OPERATION_GRPC ? 2 : operation->path->segment_count;
    return place == PLACE_REST || place == PLACE_PREFIX ? segments - 1 : segments;
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

static size_t routes_common(const struct operation *a, const struct operation *b)
{
    size_t i = 0;
    while (i < route_depth(a) && i < route_depth(b) && edge_compare(route_edge(a, i), route_edge(b, i)) == 0)
        i++;
    return i;
}

static int route_compare(const void *left, const void *right)
{
    const struct route *a = left, *b = right;
    size_t at = routes_common(a->operation, b->operation);
    size_t a_depth = route_depth(a->operation), b_depth = route_depth(b->operation);
    if (at < a_depth && at < b_depth)
        return edge_compare(route_edge(a->operation, at), route_edge(b->operation, at));
    if (a_depth != b_depth)
        return a_depth < b_depth ? -1 : 1;
    if (a->action != b->action)
        return a->action < b->action ? -1 : 1;
    return (a->operation > b->operation) - (a->operation < b->operation);
}

struct trie_builder {
    struct trie_node *nodes;
    uint32_t node_count;
    struct multimap_pair *literals;
    size_t literal_count;
    struct multimap_pair *verbs;
    size_t verb_count;
    struct operation_entry *entries;
    uint32_t stack[PATH_SEGMENTS_MAX + 1]; /* nodes of the current route by depth */
};

static void node_add(struct trie_builder *builder, const struct operation *operation, size_t depth)
{
    uint32_t parent = builder->stack[depth], child = builder->node_count++;
    struct view edge = route_edge(operation, depth);
    if (view_is_present(edge))
        builder->literals[builder->literal_count++] =
            (struct multimap_pair){.space = parent, .key = edge, .value = child};
    else
        builder->nodes[parent].open = child;
    builder->stack[depth + 1] = child;
}

static void entry_link(struct trie_builder *builder, uint32_t index, size_t depth)
{
    struct operation_entry *entry = &builder->entries[index];
    struct trie_node *node = &builder->nodes[builder->stack[depth]];
    const struct operation_entry **list = NULL;
    switch (route_place(entry->operation)) {
    case PLACE_END: list = &node->ends; break;
    case PLACE_REST: list = &node->rests; break;
    case PLACE_PREFIX: list = &node->prefixes; break;
    case PLACE_VERB:
        builder->verbs[builder->verb_count++] =
            (struct multimap_pair){.space = builder->stack[depth], .key = entry->operation->path->verb, .value = index};
        return;
    }
    entry->next = *list;
    *list = entry;
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

static enum err captures_build(const struct model *model, struct arena *arena, struct operation_entry *entry)
{
    struct id_capture capture, *captures = NULL;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t count = 0;
        for (size_t t = 0; t < model->type_count; t++)
            for (size_t i = 0; i < model->types[t].id_count; i++) {
                if (!capture_find(&model->types[t], entry->operation, i, &capture))
                    continue;
                if (captures)
                    captures[count] = capture;
                count++;
            }
        if (pass == 0 && !(captures = arena_take_array(arena, count + 1, sizeof *captures)))
            return ERR_NO_MEMORY;
        entry->capture_count = count;
    }
    entry->captures = captures;
    return ERR_NONE;
}

/* Some capture of `a` for a type stands where `b`, which also captures for that
 * type, has none. */
static bool captures_differ(const struct operation_entry *a, const struct operation_entry *b)
{
    for (uint32_t i = 0; i < a->capture_count; i++) {
        bool shares_type = false, is_same = false;
        for (uint32_t k = 0; k < b->capture_count; k++) {
            bool same_type = a->captures[i].type == b->captures[k].type;
            shares_type = shares_type || same_type;
            is_same = is_same || (same_type && a->captures[i].segment == b->captures[k].segment &&
                                  a->captures[i].suffix == b->captures[k].suffix);
        }
        if (shares_type && !is_same)
            return true;
    }
    return false;
}

static bool host_overlaps(const struct host_pattern *a, const struct host_pattern *b)
{
    if (a->port != 0 && b->port != 0 && a->port != b->port)
        return false;
    if (!a->is_suffix)
        return match_host(b, a->name, b->port);
    if (!b->is_suffix)
        return match_host(a, b->name, a->port);
    const struct view longer = a->name.size > b->name.size ? a->name : b->name;
    const struct view shorter = a->name.size > b->name.size ? b->name : a->name;
    return view_ends_with(longer, shorter) &&
           (longer.size == shorter.size || longer.data[longer.size - shorter.size - 1] == '.');
}

static bool hosts_overlap(const struct operation *a, const struct operation *b)
{
    for (size_t i = 0; i < a->host_count; i++)
        for (size_t k = 0; k < b->host_count; k++)
            if (host_overlaps(&a->hosts[i], &b->hosts[k]))
                return true;
    return a->host_count == 0 || b->host_count == 0;
}

static bool methods_overlap(const struct operation *a, const struct operation *b)
{
    for (size_t i = 0; i < a->methods.count; i++)
        if (match_string(&b->methods, a->methods.items[i]))
            return true;
    return a->methods.count == 0 || b->methods.count == 0;
}

static bool calls_overlap(const struct operation *a, const struct operation *b)
{
    return !view_is_present(a->call) || !view_is_present(b->call) || view_equals(a->call, b->call);
}

static bool is_ambiguous(const struct operation_entry *x, const struct operation_entry *y)
{
    const struct operation *a = x->operation, *b = y->operation;
    return (captures_differ(x, y) || captures_differ(y, x)) && methods_overlap(a, b) && calls_overlap(a, b) &&
           hosts_overlap(a, b) && path_pattern_overlaps(a->path, b->path);
}

/* Two operations are compared only when their paths can meet and they capture unlike:
 * the trie is walked against itself. Its nodes are numbered in the order of the sorted
 * routes, so what stands below a node is one range of nodes and one range of entries. */
enum { AMBIGUITIES_MAX = 256, NO_CAPTURES = 0 };
#define MANY_CAPTURES UINT32_MAX /* an enumerator is an int */

struct entry_pair {
    uint32_t first, second;
};

struct overlap_node {
    uint32_t entry;   /* the first entry that stands here or later */
    uint32_t literal; /* likewise in `literals` */
    uint32_t end;     /* past the last node below */
    uint32_t captures;
};

struct overlap_walk {
    const struct trie_node *nodes;
    const struct overlap_node *places;    /* one more than nodes */
    const struct multimap_pair *literals; /* sorted: by parent, then text */
    const struct operation_entry *entries;
    const uint32_t *captures; /* per entry: a number for what it captures */
    struct entry_pair found[AMBIGUITIES_MAX];
    size_t found_count;
};

static void entries_compare(struct overlap_walk *walk, uint32_t i, uint32_t k)
{
    uint32_t a = walk->captures[i], b = walk->captures[k];
    if (a == b || a == NO_CAPTURES || b == NO_CAPTURES || walk->found_count == AMBIGUITIES_MAX ||
        !is_ambiguous(&walk->entries[i], &walk->entries[k]))
        return;
    walk->found[walk->found_count++] = (struct entry_pair){.first = i < k ? i : k, .second = i < k ? k : i};
}

/* What stands at `a` and takes the rest, with all that is below `b`. */
static void rests_compare(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    const struct overlap_node *places = walk->places;
    if (!walk->nodes[a].rests)
        return;
    for (uint32_t i = places[a].entry; i < places[a + 1].entry; i++)
        for (uint32_t k = places[b + 1].entry; k < places[places[b].end].entry; k++)
            if (route_place(walk->entries[i].operation) == PLACE_REST)
                entries_compare(walk, i, k);
}

static void overlap_walk(struct overlap_walk *walk, uint32_t a, uint32_t b);

/* Literal children of both with one text. */
static void literals_walk(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    uint32_t i = walk->places[a].literal, k = walk->places[b].literal;
    while (i < walk->places[a + 1].literal && k < walk->places[b + 1].literal) {
        int order = view_compare(walk->literals[i].key, walk->literals[k].key);
        if (order == 0)
            overlap_walk(walk, walk->literals[i].value, walk->literals[k].value);
        i += order <= 0;
        k += order >= 0;
    }
}

static void open_walk(struct overlap_walk *walk, uint32_t open, uint32_t other)
{
    for (uint32_t k = walk->places[other].literal; open != 0 && k < walk->places[other + 1].literal; k++)
        overlap_walk(walk, open, walk->literals[k].value);
}

/* `a` and `b` are at one depth, and some path leads to both; each such pair is visited once. */
static void overlap_walk(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    const struct overlap_node *places = walk->places;
    uint32_t captures_a = places[a].captures, captures_b = places[b].captures;
    if (captures_a == NO_CAPTURES || captures_b == NO_CAPTURES || walk->found_count == AMBIGUITIES_MAX ||
        (captures_a == captures_b && captures_a != MANY_CAPTURES))
        return;
    for (uint32_t i = places[a].entry; i < places[a + 1].entry; i++)
        for (uint32_t k = a == b ? i + 1 : places[b].entry; k < places[b + 1].entry; k++)
            entries_compare(walk, i, k);
    rests_compare(walk, a, b);
    if (a != b)
        rests_compare(walk, b, a);
    literals_walk(walk, a, b);
    open_walk(walk, walk->nodes[a].open, b);
    if (a != b)
        open_walk(walk, walk->nodes[b].open, a);
    if (walk->nodes[a].open != 0 && walk->nodes[b].open != 0)
        overlap_walk(walk, walk->nodes[a].open, walk->nodes[b].open);
}

/* Equal captures get equal numbers, from 1. */
static enum err captures_number(const struct operation_entry *entries, size_t count, struct arena *work,
                                uint32_t *numbers)
{
    struct table known;
    table_init(&known, work);
    for (size_t i = 0; i < count; i++) {
        struct view bytes = {.data = (const char *)entries[i].captures,
                             .size = entries[i].capture_count * sizeof *entries[i].captures};
        size_t number = known.count + 1;
        if (entries[i].capture_count == 0)
            continue;
        if (!table_find(&known, bytes, &number))
            TRY(table_put(&known, bytes, number));
        numbers[i] = (uint32_t)number;
    }
    return ERR_NONE;
}

static uint32_t captures_join(uint32_t a, uint32_t b)
{
    return a == NO_CAPTURES || a == b ? b : b == NO_CAPTURES ? a : MANY_CAPTURES;
}

/* From the last node to the first, so that what is below is known. */
static void places_fill(const struct trie_builder *builder, const uint32_t *where, size_t count,
                        const uint32_t *captures, struct overlap_node *places)
{
    uint32_t entry = (uint32_t)count, literal = (uint32_t)builder->literal_count;
    places[builder->node_count] = (struct overlap_node){.entry = entry, .literal = literal};
    for (uint32_t node = builder->node_count; node-- > 0;) {
        struct overlap_node *place = &places[node];
        uint32_t open = builder->nodes[node].open;
        *place = (struct overlap_node){.end = node + 1};
        for (; entry > 0 && where[entry - 1] == node; entry--)
            place->captures = captures_join(place->captures, captures[entry - 1]);
        for (; literal > 0 && builder->literals[literal - 1].space == node; literal--) {
            const struct overlap_node *child = &places[builder->literals[literal - 1].value];
            place->captures = captures_join(place->captures, child->captures);
            place->end = child->end > place->end ? child->end : place->end;
        }
        if (open != 0) {
            place->captures = captures_join(place->captures, places[open].captures);
            place->end = places[open].end > place->end ? places[open].end : place->end;
        }
        place->entry = entry;
        place->literal = literal;
    }
}

static int pair_compare(const void *left, const void *right)
{
    const struct entry_pair *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->second > b->second) - (a->second < b->second);
}

/* `where` says at which node each entry stands; builder->literals are sorted. */
static enum err ambiguity_check(const struct trie_builder *builder, const uint32_t *where, size_t count,
                                struct arena *work, struct diag_list *diags)
{
    uint32_t *captures = arena_take_array(work, count + 1, sizeof *captures);
    struct overlap_node *places = arena_take_array(work, builder->node_count + 1, sizeof *places);
    struct overlap_walk *walk = arena_take(work, sizeof *walk);
    if (!captures || !places || !walk)
        return ERR_NO_MEMORY;
    TRY(captures_number(builder->entries, count, work, captures));
    places_fill(builder, where, count, captures, places);
    *walk = (struct overlap_walk){.nodes = builder->nodes,
                                  .places = places,
                                  .literals = builder->literals,
                                  .entries = builder->entries,
                                  .captures = captures};
    overlap_walk(walk, 0, 0);
    qsort(walk->found, walk->found_count, sizeof *walk->found, pair_compare);
    for (size_t i = 0; i < walk->found_count; i++) {
        const struct operation *a = builder->entries[walk->found[i].first].operation;
        const struct operation *b = builder->entries[walk->found[i].second].operation;
        diag_error(diags, code_text(CODE_AMBIGUOUS), &b->span,
                   "operations %.*s (%.*s) and %.*s (%.*s) can read two different ids out of one request",
                   VIEW_ARG(a->name), VIEW_ARG(a->path->text), VIEW_ARG(b->name), VIEW_ARG(b->path->text));
    }
    return walk->found_count > 0 ? ERR_INVALID : ERR_NONE;
}

/* ---- the whole ----------------------------------------------------------- */

static enum err routes_collect(const struct model *model, struct arena *work, struct route **out, size_t *count)
{
    size_t most = 0;
    for (size_t a = 0; a < model->action_count; a++)
        most += model->actions[a].operation_count;
    struct route *routes = arena_take_array(work, most + 1, sizeof *routes);
    if (!routes)
        return ERR_NO_MEMORY;
    *count = 0;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++)
            routes[(*count)++] = (struct route){.operation = &model->actions[a].operations[i], .action = (uint32_t)a};
    qsort(routes, *count, sizeof *routes, route_compare);
    *out = routes;
    return ERR_NONE;
}

static enum err builder_open(const struct route *routes, size_t count, struct arena *arena, struct arena *work,
                             struct trie_builder *out)
{
    size_t edges = 1;
    for (size_t i = 0; i < count; i++)
        edges += route_depth(routes[i].operation) -
                 (i == 0 ? 0 : routes_common(routes[i - 1].operation, routes[i].operation));
    *out = (struct trie_builder){
        .nodes = arena_take_array(arena, edges, sizeof *out->nodes),
        .literals = arena_take_array(work, edges, sizeof *out->literals),
        .verbs = arena_take_array(work, count + 1, sizeof *out->verbs),
        .entries = arena_take_array(arena, count + 1, sizeof *out->entries),
        .node_count = 1,
    };
    return out->nodes && out->literals && out->verbs && out->entries ? ERR_NONE : ERR_NO_MEMORY;
}

enum err compile_operations(const struct model *model, struct arena *arena, struct arena *work, struct diag_list *diags,
                            struct program *program)
{
    struct route *routes = NULL;
    size_t count = 0;
    struct trie_builder builder;
    TRY(routes_collect(model, work, &routes, &count));
    uint32_t *where = arena_take_array(work, count + 1, sizeof *where);
    if (!where)
        return ERR_NO_MEMORY;
    TRY(builder_open(routes, count, arena, work, &builder));
    for (size_t i = 0; i < count; i++) {
        const struct operation *operation = routes[i].operation;
        size_t depth = route_depth(operation);
        size_t common = i == 0 ? 0 : routes_common(routes[i - 1].operation, operation);
        for (size_t d = common; d < depth; d++)
            node_add(&builder, operation, d);
        builder.entries[i] = (struct operation_entry){.operation = operation, .action = routes[i].action};
        TRY(captures_build(model, arena, &builder.entries[i]));
        where[i] = builder.stack[depth];
        entry_link(&builder, (uint32_t)i, depth);
    }
    TRY(multimap_build(builder.literals, builder.literal_count, arena, &program->literals));
    TRY(multimap_build(builder.verbs, builder.verb_count, arena, &program->verbs));
    program->nodes = builder.nodes;
    program->entries = builder.entries;
    program->entry_count = count;
    return ambiguity_check(&builder, where, count, work, diags);
}
