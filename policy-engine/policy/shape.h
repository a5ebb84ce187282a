/* SPDX-License-Identifier: Apache-2.0 */
/* What the language takes, as tables: one block per kind of map, one row per key.
 *
 * The loaders read by these tables, and the JSON Schema and the reference of keys
 * are made from them, so that none of the three can know a key that the others do
 * not. A new key is one row, beside its reader. */
#ifndef BARTIZAN_SHAPE_H
#define BARTIZAN_SHAPE_H

#include "document.h"

#include <stddef.h>
#include <stdint.h>

struct block;
struct load;
struct node;

enum shape_kind {
    SHAPE_TEXT = 0, /* a scalar that is not empty, of `pattern` when there is one */
    SHAPE_VALUE,    /* any scalar, also an empty one */
    SHAPE_BOOL,
    SHAPE_NUMBER,  /* least to most */
    SHAPE_WORDS,   /* one of `words` */
    SHAPE_MANY,    /* one `of`, or a list of at least `least` */
    SHAPE_LIST,    /* a list of `of`, of `least` to `most` elements (most 0: no limit) */
    SHAPE_ENTRIES, /* a map with keys of the writer's, each of shape `other` when there is one; each value an `of` */
    SHAPE_BLOCK,   /* a map with the keys of `block` */
    SHAPE_EITHER,  /* an `of` or an `other` */
    SHAPE_ANYTHING,
};

struct shape {
    enum shape_kind kind;
    const char *title;   /* how the reference writes it: "duration"; may be NULL for composites */
    const char *pattern; /* ECMA-262, anchored; no stricter than the reader */
    bool takes_numbers;  /* SHAPE_TEXT: what YAML takes for a number or a boolean is such a text */
    int64_t least, most;
    const struct view *words;
    size_t word_count;
    const struct shape *of, *other;
    const struct block *block;
    const struct block *const *blocks; /* SHAPE_BLOCK: when there are several, the word of `words` that stands under the
                                          key `title` beside it says which; `block` has the keys of all of them */
};

/* Reads `node` into *out, whose type the reader says. */
typedef void load_reader(struct load *load, const struct node *node, void *out);

enum field_use {
    FIELD_OPTIONAL = 0,
    FIELD_REQUIRED,
    FIELD_CHOICE, /* exactly one of the block's choices must be there */
};

struct field {
    struct view name;
    load_reader *read; /* NULL: known, and read elsewhere */
    size_t offset;     /* of its place in the struct that the map fills */
    enum field_use use;
    int tag;            /* what its reader wants to know of it; an enum of its own */
    const char *beside; /* the key without which it may not stand; NULL: none */
    const struct shape *shape;
    const char *about; /* one sentence for whoever writes it */
};

struct block {
    const char *name; /* "rule": of its definition in the schema */
    const char *what; /* "a rule": in messages */
    const struct field *fields;
    size_t count;
    size_t least;   /* keys that must be there, whichever */
    bool is_matrix; /* every key also takes a list of what it takes */
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A view of a literal where C wants a constant. */
#define WORD(literal)                                                                                                  \
    {                                                                                                                  \
        .data = "" literal, .size = sizeof(literal) - 1                                                                \
    }

/* FIELD fills one member; FIELD_WHOLE hands its reader the whole struct; FIELD_SEEN is
 * read elsewhere. _MUST: required. They stand at file scope, where what the shapes point to is static. */
#define FIELD_ROW(key, reader, place, how, like, says)                                                                 \
    .name = WORD(key), .read = (reader), .offset = (place), .use = (how), .shape = (like), .about = "" says
#define FIELD(key, reader, type, member, like, says)                                                                   \
    {                                                                                                                  \
        FIELD_ROW(key, reader, offsetof(type, member), FIELD_OPTIONAL, like, says)                                     \
    }
#define FIELD_MUST(key, reader, type, member, like, says)                                                              \
    {                                                                                                                  \
        FIELD_ROW(key, reader, offsetof(type, member), FIELD_REQUIRED, like, says)                                     \
    }
#define FIELD_WHOLE(key, reader, like, says)                                                                           \
    {                                                                                                                  \
        FIELD_ROW(key, reader, 0, FIELD_OPTIONAL, like, says)                                                          \
    }
#define FIELD_WHOLE_MUST(key, reader, like, says)                                                                      \
    {                                                                                                                  \
        FIELD_ROW(key, reader, 0, FIELD_REQUIRED, like, says)                                                          \
    }
#define FIELD_SEEN(key, like, says)                                                                                    \
    {                                                                                                                  \
        FIELD_ROW(key, NULL, 0, FIELD_OPTIONAL, like, says)                                                            \
    }
#define FIELD_SEEN_MUST(key, like, says)                                                                               \
    {                                                                                                                  \
        FIELD_ROW(key, NULL, 0, FIELD_REQUIRED, like, says)                                                            \
    }
/* One of the block's choices; FIELD_TEST is one about a value, of that kind. */
#define FIELD_ONE_OF(key, reader, like, says)                                                                          \
    {                                                                                                                  \
        FIELD_ROW(key, reader, 0, FIELD_CHOICE, like, says)                                                            \
    }
#define FIELD_TEST(key, kind, like, says)                                                                              \
    {                                                                                                                  \
        FIELD_ROW(key, NULL, 0, FIELD_CHOICE, like, says), .tag = (int)(kind)                                          \
    }
/* Only where the key `other` stands as well. */
#define FIELD_BESIDE(other, key, reader, type, member, like, says)                                                     \
    {                                                                                                                  \
        FIELD_ROW(key, reader, offsetof(type, member), FIELD_OPTIONAL, like, says), .beside = (other)                  \
    }
#define BLOCK(called, article, table)                                                                                  \
    {                                                                                                                  \
        .name = (called), .what = (article), .fields = (table), .count = COUNT_OF(table)                               \
    }
/* One that says nothing without a key. */
#define BLOCK_SOME(called, article, table)                                                                             \
    {                                                                                                                  \
        .name = (called), .what = (article), .fields = (table), .count = COUNT_OF(table), .least = 1                   \
    }

/* Shapes, for the rows. */
#define SHAPE(...) (&(const struct shape){__VA_ARGS__})
#define NUMBER(low, high) SHAPE(.kind = SHAPE_NUMBER, .title = "number", .least = (low), .most = (high))
#define ONE_WORD(array) SHAPE(.kind = SHAPE_WORDS, .words = (array), .word_count = COUNT_OF(array))
#define MANY(element) SHAPE(.kind = SHAPE_MANY, .of = (element), .least = 1)
#define MANY_OR_NONE(element) SHAPE(.kind = SHAPE_MANY, .of = (element))
#define LIST(element) SHAPE(.kind = SHAPE_LIST, .of = (element))
#define LIST_OF(element, low, high) SHAPE(.kind = SHAPE_LIST, .of = (element), .least = (low), .most = (high))
#define ENTRIES(value) SHAPE(.kind = SHAPE_ENTRIES, .of = (value))
#define ENTRIES_OF(key, value) SHAPE(.kind = SHAPE_ENTRIES, .of = (value), .other = (key))
#define NAMED(value) ENTRIES_OF(NAME, value)
#define KEYS(which) SHAPE(.kind = SHAPE_BLOCK, .block = &(which))
#define EITHER(one, or) SHAPE(.kind = SHAPE_EITHER, .of = (one), .other = (or))

#define KEYS_BY(key, array, which, widest)                                                                             \
    SHAPE(.kind = SHAPE_BLOCK, .title = (key), .words = (array), .word_count = COUNT_OF(array), .blocks = (which),     \
          .block = &(widest))

/* Scalars that many keys take. */
extern const struct shape shape_text, shape_value, shape_bool, shape_name, shape_duration, shape_header, shape_host,
    shape_instant, shape_clock, shape_address, shape_spiffe_id, shape_anything;
#define TEXT (&shape_text)
#define VALUE (&shape_value)
#define BOOL (&shape_bool)
#define NAME (&shape_name)
#define DURATION (&shape_duration)
#define HEADER (&shape_header)
#define HOST (&shape_host)
#define INSTANT (&shape_instant)
#define CLOCK (&shape_clock)
#define ADDRESS (&shape_address)
#define SPIFFE_ID (&shape_spiffe_id)
#define ANYTHING (&shape_anything)

/* Where the language begins: a document. */
extern const struct block load_document_block;

/* The part of `shape` (NULL: not known) that speaks of a node of that kind, or NULL. */
const struct shape *shape_for(const struct shape *shape, enum node_kind kind);

/* The shape of what stands in a map of `shape` under `key`, or in a list of it; NULL: not known. */
const struct shape *shape_below(const struct shape *shape, enum node_kind kind, struct view key);

/* The row of `key`, or NULL. */
const struct field *block_field(const struct block *block, struct view key);

#endif
