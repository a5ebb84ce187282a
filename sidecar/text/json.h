/* SPDX-License-Identifier: Apache-2.0 */
/* A strict JSON reader for tokens and bodies: RFC 8259, UTF-8, no duplicate
 * names, depth at most JSON_DEPTH_MAX, no bytes after the value, no NUL in a
 * string. Total: any bytes in, a tree or an error out. */
#ifndef BARTIZAN_JSON_H
#define BARTIZAN_JSON_H

#include "arena.h"

enum { JSON_DEPTH_MAX = 16, JSON_MEMBERS_MAX = 256 };

enum json_kind { JSON_NULL = 0, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    struct view text;         /* STRING: unescaped; NUMBER, ARRAY, OBJECT: as written */
    const struct json *items; /* ARRAY: elements; OBJECT: values */
    const struct view *names; /* OBJECT: unescaped names, unique */
    size_t count;
};

/* ERR_MALFORMED, ERR_LIMIT (depth, members) or ERR_NO_MEMORY. Nodes live in
 * `arena`; strings without escapes borrow from `text`. */
MUST_CHECK enum err json_parse(struct view text, struct arena *arena, struct json *out);

/* The same; where it fails, *offset is the byte at which reading stopped, 0
 * for a text that is not UTF-8. */
MUST_CHECK enum err json_parse_located(struct view text, struct arena *arena, struct json *out, size_t *offset);

/* The member `name` of an object, or NULL; `object` may be NULL or of another kind. */
const struct json *json_get(const struct json *object, struct view name);

/* True for a number written with digits alone that fits 64 bits; false for any other value, and for NULL. */
bool json_to_u64(const struct json *value, uint64_t *out);

#endif
