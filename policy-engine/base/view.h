/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: pointer and length, no terminator, never owned.
 *
 * Request data are views into the request's own bytes; NUL may stand anywhere,
 * so nothing here or above uses strlen on data that came from outside. A view
 * with `data == NULL` is absent; `data != NULL, size == 0` is present and empty. */
#ifndef BARTIZAN_VIEW_H
#define BARTIZAN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const char *data;
    size_t size; /* bytes */
};

/* The view of a string literal. */
#define VIEW(literal) ((struct view){.data = "" literal, .size = sizeof(literal) - 1})

/* Its bytes, or those of the empty text: printf takes no NULL. */
static inline const char *view_bytes(struct view v)
{
    return v.data ? v.data : "";
}

/* Arguments for printf's "%.*s". `v` is asked for twice. */
#define VIEW_ARG(v) (int)(v).size, view_bytes(v)

/* The view of a NUL-terminated string of ours; NULL gives the absent view. */
static inline struct view view_of(const char *text)
{
    return (struct view){.data = text, .size = text ? strlen(text) : 0};
}

static inline bool view_is_present(struct view v)
{
    return v.data != NULL;
}

static inline bool view_is_empty(struct view v)
{
    return v.size == 0;
}

/* Whether `size` bytes are the same: most names are short, and a call would take longer than this. */
static inline bool view_same_bytes(const char *a, const char *b, size_t size)
{
    uint64_t x = 0, y = 0, v = 0, w = 0;
    if (size > 2 * sizeof x)
        return memcmp(a, b, size) == 0;
    if (size >= sizeof x) {
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        memcpy(&v, a + size - sizeof v, sizeof v);
        memcpy(&w, b + size - sizeof w, sizeof w);
        return ((x ^ y) | (v ^ w)) == 0;
    }
    if (size >= 4) {
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);
        memcpy(&v, a + size - 4, 4);
        memcpy(&w, b + size - 4, 4);
        return ((x ^ y) | (v ^ w)) == 0;
    }
    return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

/* True when both hold the same bytes. Absent and empty compare equal here;
 * where the difference matters ask view_is_present first. */
static inline bool view_equals(struct view a, struct view b)
{
    return a.size == b.size && view_same_bytes(a.data, b.data, a.size);
}

/* Byte order, shorter first on a common prefix: <0, 0, >0. */
static inline int view_compare(struct view a, struct view b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/* Up to 8 bytes from `from` on as a number, which compares as they do: 0 behind the end. */
static inline uint64_t view_head(struct view v, size_t from)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++)
        head = head << 8 | (from + i < v.size ? (unsigned char)v.data[from + i] : 0);
    return head;
}

/* How many bytes of both are the same from the first on, of at most `most`. */
static inline size_t view_common(struct view a, struct view b, size_t most)
{
    size_t i = 0;
    while (i < most && i < a.size && i < b.size && a.data[i] == b.data[i])
        i++;
    return i;
}

static inline bool view_starts_with(struct view v, struct view prefix)
{
    return v.size >= prefix.size && (prefix.size == 0 || memcmp(v.data, prefix.data, prefix.size) == 0);
}

static inline bool view_ends_with(struct view v, struct view suffix)
{
    return v.size >= suffix.size &&
           (suffix.size == 0 || memcmp(v.data + (v.size - suffix.size), suffix.data, suffix.size) == 0);
}

/* The bytes [from, to) of `v`, clamped to it. */
static inline struct view view_slice(struct view v, size_t from, size_t to)
{
    if (v.data == NULL)
        return (struct view){0};
    if (to > v.size)
        to = v.size;
    if (from > to)
        from = to;
    return (struct view){.data = v.data + from, .size = to - from};
}

/* Index of the first `byte` at or after `from`, or v.size when there is none. */
static inline size_t view_index_of(struct view v, char byte, size_t from)
{
    if (from >= v.size)
        return v.size;
    const char *hit = memchr(v.data + from, (unsigned char)byte, v.size - from);
    return hit ? (size_t)(hit - v.data) : v.size;
}

/* ASCII case-insensitive equality. */
static inline bool view_equals_ignoring_case(struct view a, struct view b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        unsigned char x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];
        x = x >= 'A' && x <= 'Z' ? (unsigned char)(x | 0x20) : x;
        y = y >= 'A' && y <= 'Z' ? (unsigned char)(y | 0x20) : y;
        if (x != y)
            return false;
    }
    return true;
}

/* Decimal digits only, at most 19 of them, no sign: true and *out, or false. */
static inline bool view_to_u64(struct view v, uint64_t *out)
{
    if (v.size == 0 || v.size > 19)
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i < v.size; i++) {
        if (v.data[i] < '0' || v.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(v.data[i] - '0');
    }
    *out = n;
    return true;
}

enum { VIEW_U64_DIGITS = 20 };

/* The decimal digits of `n`, which are written at the end of `digits`. */
static inline struct view view_of_u64(uint64_t n, char digits[VIEW_U64_DIGITS])
{
    size_t at = VIEW_U64_DIGITS;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return (struct view){.data = digits + at, .size = VIEW_U64_DIGITS - at};
}

#endif
