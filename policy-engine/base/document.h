/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML text as a tree in which every node knows where it stands.
 *
 * libyaml only tokenises: a scalar is text until the field that reads it says
 * otherwise, so `no`, `08:00` and `1e3` mean what they look like. Refused with a
 * diag: anchors, aliases, tags, merge keys, duplicate keys, NUL, a byte order
 * mark, UTF-16, more than 32 levels, more than DOCUMENT_MAX bytes.
 * Source: YAML 1.1 as libyaml 0.2.5 reads it. */
#ifndef BARTIZAN_DOCUMENT_H
#define BARTIZAN_DOCUMENT_H

#include "tape.h"

struct node {
    enum node_kind kind;
    bool is_plain;  /* NODE_SCALAR: written without quotes */
    bool is_closed; /* a list or map without `items` and `keys`: document_walk reads them */
    struct span span;
    struct view text;          /* NODE_SCALAR: its value, unquoted */
    struct node *const *items; /* NODE_LIST: elements; NODE_MAP: values */
    struct node *const *keys;  /* NODE_MAP: scalars, in file order, unique */
    size_t count;              /* elements or pairs */
    size_t entry;              /* in the tape it was made of */
};

/* Words, of which each stands for itself. */
struct string_set {
    const struct view *items;
    size_t count;
};

struct document {
    struct node *const *roots; /* one per YAML document of the text */
    size_t count;
};

/* Reads `text` (named `file` in messages). Nodes and texts live in `arena`,
 * which the caller frees after the last use. ERR_INVALID: see `diags`. */
MUST_CHECK enum err document_parse(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                                   struct document *out);

/* The node of an entry as a tree in `arena`, or NULL when that is full. Lists and maps under the
 * keys `closed` two levels below it are left closed: they are the long ones, read by a walk. */
struct node *document_node(const struct tape *tape, size_t entry, const struct string_set *closed, struct arena *arena);

/* The elements or pairs of a node, closed or not, one after the other. */
struct document_walk {
    const struct tape *tape;
    size_t kept; /* first entry that the walker may want to tape_forget */
    size_t next; /* entry */
    size_t left; /* elements or pairs */
    bool is_map;
};

struct document_walk document_walk(const struct tape *tape, const struct node *node);

/* The next element (*key is NULL) or pair as trees in `arena`; false at the end, and when that is
 * full: then walk->left is not 0. */
bool document_walk_next(struct document_walk *walk, struct arena *arena, struct node **key, struct node **item);

/* The value under `key` in a map, or NULL. `node` may be NULL or not a map. */
const struct node *node_get(const struct node *node, struct view key);

/* The path of `node`, a key or a value somewhere under `root`, as a person writes
 * it: "spec.rules[2].subjects". Empty for the root, absent when it is not there.
 * Searches the tree: for messages only. */
struct view node_path(const struct node *root, const struct node *node, struct arena *arena);

#endif
