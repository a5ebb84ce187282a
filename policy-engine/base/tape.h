/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML text as one flat row of entries, 16 bytes a node, in the order of the file.
 *
 * A scalar that stands in the text as it is meant is not copied. document.h makes
 * trees of it, in whole or part by part, and says what is refused. */
#ifndef BARTIZAN_TAPE_H
#define BARTIZAN_TAPE_H

#include "diag.h"

enum { DOCUMENT_MAX = 8 * 1024 * 1024, DOCUMENT_DEPTH_MAX = 32 };

enum node_kind { NODE_SCALAR = 0, NODE_LIST, NODE_MAP };

/* What stands below a list or map follows it; in a map key and value take turns. */
struct tape_entry {
    uint64_t at : 26;      /* scalar: where its bytes are; else the entry behind all that stands below */
    uint64_t size : 26;    /* scalar: bytes; else elements or pairs */
    uint64_t kind : 2;     /* enum node_kind */
    uint64_t is_plain : 1; /* scalar: written without quotes */
    uint64_t wide : 9;     /* upper bits of `width` */
    uint64_t line : 24;    /* from 1, like the column */
    uint64_t column : 24;  /* in code points */
    uint64_t width : 16;   /* columns up to the end on the same line */
};

struct tape {
    struct view file, text; /* borrowed: they must outlive what is made of the tape */
    struct arena memory;    /* of the entries */
    struct tape_entry *entries;
    size_t count, room;
    char *written; /* scalars that the text does not hold as they are; `at` goes on here behind the text */
    size_t written_size, written_room;
    size_t root_count; /* YAML documents; the first is entry 0, each other one tape_after the one before it */
};

/* Reads `text` (named `file` in messages). ERR_INVALID: see `diags`, and *out is
 * empty. Freed by tape_free. */
MUST_CHECK enum err tape_read(struct view file, struct view text, struct diag_list *diags, struct tape *out);

/* Frees all of it, or the entries alone: texts and spans that were taken stay good. Harmless on a zeroed one. */
void tape_free(struct tape *tape);
void tape_drop(struct tape *tape);

/* Gives back the memory of entries [from, to), which nobody looks at again: whole pages of it. */
void tape_forget(struct tape *tape, size_t from, size_t to);

/* The entry behind the node and all below it. */
static inline size_t tape_after(const struct tape *tape, size_t entry)
{
    return tape->entries[entry].kind == NODE_SCALAR ? entry + 1 : tape->entries[entry].at;
}

/* The value of a scalar. */
static inline struct view tape_text(const struct tape *tape, size_t entry)
{
    const struct tape_entry *it = &tape->entries[entry];
    if (it->size == 0)
        return VIEW("");
    if (it->at < tape->text.size)
        return (struct view){.data = tape->text.data + it->at, .size = it->size};
    return (struct view){.data = tape->written + (it->at - tape->text.size), .size = it->size};
}

static inline struct span tape_span(const struct tape *tape, size_t entry)
{
    const struct tape_entry *it = &tape->entries[entry];
    uint32_t column = (uint32_t)it->column;
    return (struct span){.file = tape->file,
                         .text = tape->text,
                         .line = (uint32_t)it->line,
                         .column = column,
                         .end_column = column + ((uint32_t)it->wide << 16 | (uint32_t)it->width)};
}

#endif
