/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML text as it is laid out: nodes with their places and styles, and every comment
 * at the entry that it belongs to.
 *
 * For fmt alone: document.h is what a policy is read by, and says what is refused. */
#ifndef BARTIZAN_LAYOUT_H
#define BARTIZAN_LAYOUT_H

#include "arena.h"
#include "document.h"

struct place {
    size_t at;             /* byte of the text */
    uint32_t line, column; /* from 0; columns in characters */
};

struct comment {
    struct comment *next;
    struct view text; /* from its `#` to the end of its line, without blanks there */
    struct place place;
    bool has_blank_before; /* the line above it is empty */
};

struct comments {
    struct comment *first, *last;
};

struct layout;

/* A pair of a map, or an element of a list. */
struct entry {
    struct layout *container;
    struct place start; /* of its key, or of the element's value */
    struct layout *key; /* NULL in a list */
    struct layout *value;
    struct comments lead;  /* on lines of their own above it */
    struct comment *trail; /* at the end of its line; NULL: none */
    bool has_blank_before;
};

struct layout {
    enum node_kind kind;
    struct entry *owner; /* NULL: a document's root */
    bool is_flow, is_plain, is_block_scalar;
    struct place start, end;
    struct view source; /* NODE_SCALAR: as it is written */
    struct view text;   /* NODE_SCALAR: what it means */
    struct entry **entries;
    size_t count;
    struct comments tail; /* below its last entry */
};

struct sheet {
    struct layout **roots; /* one per document */
    size_t count;
    struct comments all; /* every comment of the text, in its order; copies */
};

/* Lays out a text that document_parse accepts. ERR_NO_MEMORY; ERR_MALFORMED when it
 * does not begin or end where it should. All of it lives in `arena`. */
MUST_CHECK enum err layout_read(struct view text, struct arena *arena, struct sheet *out);

#endif
