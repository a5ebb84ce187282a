/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation with a ceiling: one lifetime, freed at once.
 *
 * Two forms. A growing arena takes blocks from malloc up to `ceiling` bytes (a
 * snapshot, a policy, a command). A fixed arena lives in the caller's memory
 * and never allocates (a request): past its end every call returns NULL, which
 * on the request path is a deny. Not thread-safe. */
#ifndef BARTIZAN_ARENA_H
#define BARTIZAN_ARENA_H

#include "err.h"
#include "view.h"

#include <stdarg.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* NULL for a fixed arena */
    char *next;                 /* first free byte of the current block */
    char *end;                  /* past the last byte of the current block */
    size_t used;                /* bytes taken from malloc so far */
    size_t ceiling;             /* most bytes ever taken from malloc */
};

/* A growing arena of at most `ceiling` bytes; nothing is allocated yet.
 * Freed by arena_free. */
void arena_init(struct arena *arena, size_t ceiling);

/* A fixed arena over `size` bytes of the caller's `memory`. */
void arena_init_fixed(struct arena *arena, void *memory, size_t size);

/* Frees every block of a growing arena. Harmless on a zeroed or fixed one. */
void arena_free(struct arena *arena);

/* Gives back what was taken from a growing arena, for which it keeps one block. */
void arena_reuse(struct arena *arena);

/* `size` zeroed bytes aligned for any type, or NULL at the ceiling. */
void *arena_take(struct arena *arena, size_t size);

/* Likewise, but its bytes are whatever they are: for what is written in full. */
void *arena_take_unset(struct arena *arena, size_t size);

/* `count` zeroed elements of `size` bytes, or NULL at the ceiling or on overflow. */
void *arena_take_array(struct arena *arena, size_t count, size_t size);

/* Likewise, aligned for no more than pointers and 64-bit numbers: many small ones stand closer. */
void *arena_take_words(struct arena *arena, size_t count, size_t size);

/* A copy of `v` with a NUL behind it (not counted), or the absent view. */
struct view arena_copy(struct arena *arena, struct view v);

/* `parts` one behind the other, with a NUL behind them (not counted); the absent view at the ceiling. */
struct view arena_join(struct arena *arena, const struct view *parts, size_t count);

/* Like snprintf into the arena; the absent view at the ceiling. */
struct view arena_print(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct view arena_vprint(struct arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#endif
