/* SPDX-License-Identifier: Apache-2.0 */
/* The check that no request can name two resources (S11). */
#include "codes.h"
#include "compile_operations.h"
#include "match.h"

#include <stdlib.h>

/* Some capture of `a` for a type stands where `b`, which also captures for that
 * type, has none. */
static bool captures_differ(const struct program *program, const struct operation_shape *a,
                            const struct operation_shape *b)
{
    const struct id_capture *x = program->captures + a->captures, *y = program->captures + b->captures;
    for (uint32_t i = 0; i < a->capture_count; i++) {
        bool shares_type = false, is_same = false;
        for (uint32_t k = 0; k < b->capture_count; k++) {
            bool same_type = x[i].type == y[k].type;
            shares_type = shares_type || same_type;
            is_same = is_same || (same_type && x[i].segment == y[k].segment && x[i].suffix == y[k].suffix);
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
    return !view_is_present(a->extras->call) || !view_is_present(b->extras->call) ||
           view_equals(a->extras->call, b->extras->call);
}

static const struct operation *operation_of(const struct program *program, const struct operation_entry *entry)
{
    return &program->model->actions[entry->action].operations[entry->operation];
}

static bool is_ambiguous(const struct program *program, const struct operation_entry *x,
                         const struct operation_entry *y)
{
    const struct operation *a = operation_of(program, x), *b = operation_of(program, y);
    const struct operation_shape *p = &program->shapes[x->shape], *q = &program->shapes[y->shape];
    return (captures_differ(program, p, q) || captures_differ(program, q, p)) && methods_overlap(a, b) &&
           calls_overlap(a, b) && hosts_overlap(a, b) && path_pattern_overlaps(a->path, b->path);
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
    uint32_t end;      /* past the last node below */
    uint32_t captures; /* a number for what all entries here and below capture, if that is one thing */
};

struct overlap_walk {
    const struct program *program;
    const struct trie_node *nodes; /* of the program */
    const struct overlap_node *places;
    const struct trie_literal *literals;
    const uint32_t *starts; /* of the literals of each node */
    struct entry_pair found[AMBIGUITIES_MAX];
    size_t found_count;
};

/* A number for what an entry captures. */
static uint32_t captures_number(const struct program *program, uint32_t entry)
{
    const struct operation_shape *shape = &program->shapes[program->entries[entry].shape];
    return shape->capture_count == 0 ? NO_CAPTURES : shape->captures + 1;
}

static void entries_compare(struct overlap_walk *walk, uint32_t i, uint32_t k)
{
    const struct program *program = walk->program;
    uint32_t a = captures_number(program, i), b = captures_number(program, k);
    if (a == b || a == NO_CAPTURES || b == NO_CAPTURES || walk->found_count == AMBIGUITIES_MAX ||
        !is_ambiguous(program, &program->entries[i], &program->entries[k]))
        return;
    walk->found[walk->found_count++] = (struct entry_pair){.first = i < k ? i : k, .second = i < k ? k : i};
}

/* What stands at `a` and takes the rest, with all that is below `b`. */
static void rests_compare(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    const struct trie_node *nodes = walk->nodes;
    const struct operation_entry *entries = walk->program->entries;
    for (uint32_t i = nodes[a].entry; i < nodes[a + 1].entry && entries[i].place == PLACE_REST; i++)
        for (uint32_t k = nodes[b + 1].entry; k < nodes[walk->places[b].end].entry; k++)
            entries_compare(walk, i, k);
}

static void overlap_walk(struct overlap_walk *walk, uint32_t a, uint32_t b);

/* Literal children of both with one text. */
static void literals_walk(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    uint32_t i = walk->starts[a], k = walk->starts[b];
    while (i < walk->starts[a + 1] && k < walk->starts[b + 1]) {
        uint32_t first = walk->literals[i].word, second = walk->literals[k].word;
        if (first == second)
            overlap_walk(walk, walk->literals[i].child, walk->literals[k].child);
        i += first <= second;
        k += first >= second;
    }
}

static void open_walk(struct overlap_walk *walk, uint32_t open, uint32_t other)
{
    for (uint32_t k = walk->starts[other]; open != 0 && k < walk->starts[other + 1]; k++)
        overlap_walk(walk, open, walk->literals[k].child);
}

/* `a` and `b` are at one depth, and some path leads to both; each such pair is visited once. */
static void overlap_walk(struct overlap_walk *walk, uint32_t a, uint32_t b)
{
    const struct trie_node *nodes = walk->nodes;
    uint32_t captures_a = walk->places[a].captures, captures_b = walk->places[b].captures;
    if (captures_a == NO_CAPTURES || captures_b == NO_CAPTURES || walk->found_count == AMBIGUITIES_MAX ||
        (captures_a == captures_b && captures_a != MANY_CAPTURES))
        return;
    for (uint32_t i = nodes[a].entry; i < nodes[a + 1].entry; i++)
        for (uint32_t k = a == b ? i + 1 : nodes[b].entry; k < nodes[b + 1].entry; k++)
            entries_compare(walk, i, k);
    rests_compare(walk, a, b);
    if (a != b)
        rests_compare(walk, b, a);
    literals_walk(walk, a, b);
    open_walk(walk, nodes[a].open, b);
    if (a != b)
        open_walk(walk, nodes[b].open, a);
    if (nodes[a].open != 0 && nodes[b].open != 0)
        overlap_walk(walk, nodes[a].open, nodes[b].open);
}

static uint32_t captures_join(uint32_t a, uint32_t b)
{
    return a == NO_CAPTURES || a == b ? b : b == NO_CAPTURES ? a : MANY_CAPTURES;
}

static void place_join(struct overlap_node *place, const struct overlap_node *child)
{
    place->captures = captures_join(place->captures, child->captures);
    place->end = child->end > place->end ? child->end : place->end;
}

/* From the last node to the first, so that what is below is known. */
static void places_fill(const struct overlap_walk *walk, struct overlap_node *places)
{
    const struct trie_node *nodes = walk->nodes;
    for (uint32_t node = (uint32_t)walk->program->node_count; node-- > 0;) {
        struct overlap_node *place = &places[node];
        *place = (struct overlap_node){.end = node + 1};
        for (uint32_t i = nodes[node].entry; i < nodes[node + 1].entry; i++)
            place->captures = captures_join(place->captures, captures_number(walk->program, i));
        for (uint32_t i = walk->starts[node]; i < walk->starts[node + 1]; i++)
            place_join(place, &places[walk->literals[i].child]);
        if (nodes[node].open != 0)
            place_join(place, &places[nodes[node].open]);
    }
}

static int pair_compare(const void *left, const void *right)
{
    const struct entry_pair *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->second > b->second) - (a->second < b->second);
}

enum err compile_ambiguity(struct compiler *compiler, const struct trie_literal *literals, const uint32_t *starts)
{
    const struct program *program = compiler->program;
    struct overlap_node *places = arena_take_array(&compiler->work, program->node_count + 1, sizeof *places);
    struct overlap_walk *walk = arena_take(&compiler->work, sizeof *walk);
    if (!places || !walk)
        return ERR_NO_MEMORY;
    *walk = (struct overlap_walk){
        .program = program, .nodes = program->nodes, .places = places, .literals = literals, .starts = starts};
    places_fill(walk, places);
    overlap_walk(walk, 0, 0);
    qsort(walk->found, walk->found_count, sizeof *walk->found, pair_compare);
    for (size_t i = 0; i < walk->found_count; i++) {
        const struct operation *a = operation_of(program, &program->entries[walk->found[i].first]);
        const struct operation *b = operation_of(program, &program->entries[walk->found[i].second]);
        struct span span = model_span(compiler->model, b->span);
        diag_error(compiler->diags, code_text(CODE_AMBIGUOUS), &span,
                   "operations %.*s (%.*s) and %.*s (%.*s) can read two different ids out of one request",
                   VIEW_ARG(a->name), VIEW_ARG(a->path->text), VIEW_ARG(b->name), VIEW_ARG(b->path->text));
    }
    return walk->found_count > 0 ? ERR_INVALID : ERR_NONE;
}
