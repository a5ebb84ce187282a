/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

/* ---- trees of a tape --------------------------------------------------------------- */

/* Memory of one tree: every node below its root, and a pointer to each. */
struct grove {
    const struct tape *tape;
    struct node *nodes;
    struct node **links;
    const struct string_set *closed;
};

static bool is_in(const struct string_set *set, struct view word)
{
    for (size_t i = 0; set && i < set->count; i++)
        if (view_equals(set->items[i], word))
            return true;
    return false;
}

static struct node *grow(struct grove *grove, size_t entry, unsigned depth, bool is_closed);

static void grow_below(struct grove *grove, struct node *node, unsigned depth)
{
    bool is_map = node->kind == NODE_MAP;
    struct node **keys = grove->links, **items = keys + (is_map ? node->count : 0);
    size_t entry = node->entry + 1;
    grove->links = items + node->count;
    for (size_t i = 0; i < node->count; i++) {
        bool is_closed = false;
        if (is_map) {
            keys[i] = grow(grove, entry++, depth + 1, false);
            is_closed = depth == 1 && is_in(grove->closed, keys[i]->text);
        }
        items[i] = grow(grove, entry, depth + 1, is_closed);
        entry = tape_after(grove->tape, entry);
    }
    node->items = items;
    node->keys = is_map ? keys : NULL;
}

static struct node *grow(struct grove *grove, size_t entry, unsigned depth, bool is_closed)
{
    struct node *node = grove->nodes++;
    const struct tape_entry *it = &grove->tape->entries[entry];
    *node = (struct node){.kind = (enum node_kind)it->kind, .span = tape_span(grove->tape, entry), .entry = entry};
    if (node->kind == NODE_SCALAR) {
        node->is_plain = it->is_plain;
        node->text = tape_text(grove->tape, entry);
        return node;
    }
    node->count = it->size;
    node->is_closed = is_closed;
    if (!is_closed)
        grow_below(grove, node, depth);
    return node;
}

/* How many nodes the tree has without what is left closed. */
static size_t count_nodes(const struct tape *tape, size_t root, const struct string_set *closed)
{
    size_t count = tape_after(tape, root) - root;
    if (!closed || tape->entries[root].kind != NODE_MAP)
        return count;
    for (size_t value = root + 2; value < tape_after(tape, root); value = tape_after(tape, value) + 1)
        for (size_t key = value + 1; tape->entries[value].kind == NODE_MAP && key < tape_after(tape, value);
             key = tape_after(tape, key + 1))
            if (is_in(closed, tape_text(tape, key)))
                count -= tape_after(tape, key + 1) - (key + 2);
    return count;
}

struct node *document_node(const struct tape *tape, size_t entry, const struct string_set *closed, struct arena *arena)
{
    size_t count = count_nodes(tape, entry, closed);
    struct grove grove = {.tape = tape,
                          .closed = closed,
                          .nodes = arena_take_unset(arena, count * sizeof(struct node)),
                          .links = arena_take_unset(arena, count * sizeof(struct node *))};
    return grove.nodes && grove.links ? grow(&grove, entry, 0, false) : NULL;
}

struct document_walk document_walk(const struct tape *tape, const struct node *node)
{
    bool is_long = node->kind != NODE_SCALAR;
    size_t first = node->entry + 1;
    return (struct document_walk){.tape = tape,
                                  .kept = first,
                                  .next = first,
                                  .left = is_long ? node->count : 0,
                                  .is_map = node->kind == NODE_MAP};
}

bool document_walk_next(struct document_walk *walk, struct arena *arena, struct node **key, struct node **item)
{
    if (walk->left == 0)
        return false;
    *key = walk->is_map ? document_node(walk->tape, walk->next, NULL, arena) : NULL;
    *item = document_node(walk->tape, walk->next + walk->is_map, NULL, arena);
    if (!*item || (walk->is_map && !*key))
        return false;
    walk->next = tape_after(walk->tape, walk->next + walk->is_map);
    walk->left--;
    return true;
}

/* ---- the whole ----------------------------------------------------------------------- */

static enum err take_roots(const struct tape *tape, struct arena *arena, struct document *out)
{
    struct node **roots = arena_take_array(arena, tape->root_count, sizeof(struct node *));
    size_t entry = 0;
    if (!roots)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < tape->root_count; i++) {
        roots[i] = document_node(tape, entry, NULL, arena);
        if (!roots[i])
            return ERR_NO_MEMORY;
        entry = tape_after(tape, entry);
    }
    *out = (struct document){.roots = roots, .count = tape->root_count};
    return ERR_NONE;
}

enum err document_parse(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                        struct document *out)
{
    struct tape tape;
    bool is_long = text.size > DOCUMENT_MAX; /* refused, and not worth a copy */
    struct view own_file = arena_copy(arena, file),
                own_text = text.size > 0 && !is_long ? arena_copy(arena, text) : text;
    if (text.size > 0 && !view_is_present(own_text))
        return ERR_NO_MEMORY;
    TRY(tape_read(own_file, own_text, diags, &tape));
    struct tape kept = tape;
    if (tape.written_size > 0)
        kept.written = arena_take(arena, tape.written_size);
    enum err err = tape.written_size > 0 && !kept.written ? ERR_NO_MEMORY : ERR_NONE;
    if (err == ERR_NONE && tape.written_size > 0)
        memcpy(kept.written, tape.written, tape.written_size);
    if (err == ERR_NONE)
        err = take_roots(&kept, arena, out);
    tape_free(&tape);
    return err;
}

const struct node *node_get(const struct node *node, struct view key)
{
    if (node == NULL || node->kind != NODE_MAP || node->is_closed)
        return NULL;
    for (size_t i = 0; i < node->count; i++) {
        struct view text = node->keys[i]->text;
        if (text.size == key.size && (key.size == 0 || text.data[0] == key.data[0]) && view_equals(text, key))
            return node->items[i];
    }
    return NULL;
}

/* ---- where a node stands ----------------------------------------------------- */

static bool find_path(const struct node *from, const struct node *wanted, struct view path, struct arena *scratch,
                      struct view *out)
{
    if (from == wanted) {
        *out = path;
        return true;
    }
    for (size_t i = 0; from->kind == NODE_MAP && !from->is_closed && i < from->count; i++) {
        bool is_hit = from->keys[i] == wanted || from->items[i] == wanted;
        if (!is_hit && from->items[i]->kind == NODE_SCALAR)
            continue;
        struct view name = from->keys[i]->text;
        struct view step =
            arena_print(scratch, path.size > 0 ? "%.*s.%.*s" : "%.*s%.*s", VIEW_ARG(path), VIEW_ARG(name));
        if (find_path(is_hit ? wanted : from->items[i], wanted, step, scratch, out))
            return true;
    }
    for (size_t i = 0; from->kind == NODE_LIST && !from->is_closed && i < from->count; i++) {
        if (from->items[i] != wanted && from->items[i]->kind == NODE_SCALAR)
            continue;
        struct view step = arena_print(scratch, "%.*s[%zu]", VIEW_ARG(path), i);
        if (find_path(from->items[i], wanted, step, scratch, out))
            return true;
    }
    return false;
}

struct view node_path(const struct node *root, const struct node *node, struct arena *arena)
{
    struct arena scratch;
    struct view found = {0};
    arena_init(&scratch, (size_t)DOCUMENT_MAX * 16);
    if (find_path(root, node, VIEW(""), &scratch, &found))
        found = arena_copy(arena, found);
    arena_free(&scratch);
    return found;
}
