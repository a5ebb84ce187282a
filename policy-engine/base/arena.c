/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 16 * 1024, ZEROED_FROM = 128 * 1024, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    struct arena_block *previous;
    size_t size;  /* of `bytes` */
    bool is_zero; /* what was not taken yet holds zeros */
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t ceiling)
{
    *arena = (struct arena){.ceiling = ceiling};
}

void arena_init_fixed(struct arena *arena, void *memory, size_t size)
{
    size_t skew = (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
    char *start = (char *)memory + (skew < size ? skew : size);
    *arena = (struct arena){.next = start, .end = (char *)memory + size}; /* a ceiling of 0 never grows */
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->previous;
        free(block);
    }
    *arena = (struct arena){.ceiling = arena->ceiling};
}

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void arena_reuse(struct arena *arena)
{
    struct arena_block *kept = NULL;
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->previous;
        if (kept == NULL && block->size == BLOCK_SIZE)
            kept = block;
        else
            free(block);
    }
    *arena = (struct arena){.ceiling = arena->ceiling};
    if (kept == NULL)
        return;
    kept->previous = NULL;
    kept->is_zero = false;
    arena->blocks = kept;
    arena->used = BLOCK_SIZE + sizeof(struct arena_block);
    arena->next = kept->bytes;
    arena->end = kept->bytes + BLOCK_SIZE;
}

/* A long block comes zeroed from the system, which gives its pages when they are first written. */
static bool add_block(struct arena *arena, size_t size)
{
    size_t payload = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    size_t total = payload + sizeof(struct arena_block);
    if (total > arena->ceiling - arena->used)
        return false;
    bool is_zero = total >= ZEROED_FROM;
    struct arena_block *block = is_zero ? calloc(1, total) : malloc(total);
    if (block == NULL)
        return false;
    *block = (struct arena_block){.previous = arena->blocks, .size = payload, .is_zero = is_zero};
    arena->blocks = block;
    arena->used += total;
    arena->next = block->bytes;
    arena->end = block->bytes + payload;
    return true;
}

static void *take(struct arena *arena, size_t size, bool must_be_zero)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = round_up(size);
    if ((size_t)(arena->end - arena->next) < rounded && !add_block(arena, rounded))
        return NULL;
    void *memory = arena->next;
    if (memory == NULL) /* nothing asked of an arena that has no block yet */
        return add_block(arena, ALIGNMENT) ? arena->next : NULL;
    arena->next += rounded;
    if (must_be_zero && !(arena->blocks != NULL && arena->blocks->is_zero))
        memset(memory, 0, rounded);
    return memory;
}

void *arena_take(struct arena *arena, size_t size)
{
    return take(arena, size, true);
}

void *arena_take_unset(struct arena *arena, size_t size)
{
    return take(arena, size, false);
}

void *arena_take_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_take(arena, count * size);
}

struct view arena_copy(struct arena *arena, struct view v)
{
    char *copy = v.data != NULL ? arena_take_unset(arena, v.size + 1) : NULL;
    if (copy == NULL)
        return (struct view){0};
    memcpy(copy, v.data, v.size);
    copy[v.size] = '\0';
    return (struct view){.data = copy, .size = v.size};
}

struct view arena_join(struct arena *arena, const struct view *parts, size_t count)
{
    size_t size = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, parts[i].size, &size))
            return (struct view){0};
    char *text = size < SIZE_MAX ? arena_take(arena, size + 1) : NULL;
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (parts[i].size > 0)
            memcpy(text + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    return (struct view){.data = text, .size = at};
}

/* Most texts fit behind what is taken already: they are written where they will stay. */
struct view arena_vprint(struct arena *arena, const char *format, va_list args)
{
    size_t room = arena->next != NULL ? (size_t)(arena->end - arena->next) : 0;
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(room > 0 ? arena->next : NULL, room, format, args);
    char *text = NULL;
    if (size >= 0 && (size_t)size < room) {
        size_t rounded = round_up((size_t)size + 1);
        text = arena->next;
        arena->next += rounded < room ? rounded : room;
    } else if (size >= 0) {
        text = arena_take(arena, (size_t)size + 1);
        if (text != NULL)
            (void)vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    return (struct view){.data = text, .size = text != NULL ? (size_t)size : 0};
}

struct view arena_print(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct view text = arena_vprint(arena, format, args);
    va_end(args);
    return text;
}
