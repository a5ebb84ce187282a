/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Blocks grow with the arena, and what would fill a good part of one has a block of its own. */
enum {
    BLOCK_SIZE = 16 * 1024,
    BLOCK_SIZE_MAX = 4 * 1024 * 1024,
    BLOCK_OF_USED = 8,
    ALONE_FROM = 4, /* one fourth */
    MAPPED_FROM = 128 * 1024,
    LARGE_PAGE = 2 * 1024 * 1024, /* where pages have 4 KiB */
    ALIGNMENT = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *previous;
    size_t size; /* of `bytes` */
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

/* A long block comes zeroed from the system, which gives its pages when they are first written and has them back
 * as soon as it is freed: malloc would keep them. */
static bool is_mapped(size_t payload)
{
    return payload >= MAPPED_FROM;
}

static void free_block(struct arena_block *block)
{
    if (is_mapped(block->size))
        (void)munmap(block, block->size + sizeof(struct arena_block));
    else
        free(block);
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->previous;
        free_block(block);
    }
    *arena = (struct arena){.ceiling = arena->ceiling};
}

static size_t round_up(size_t size, size_t alignment)
{
    return (size + alignment - 1) & ~(alignment - 1);
}

static size_t skew_of(const char *next, size_t alignment)
{
    return (0 - (uintptr_t)next) & (alignment - 1);
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
            free_block(block);
    }
    *arena = (struct arena){.ceiling = arena->ceiling};
    if (kept == NULL)
        return;
    kept->previous = NULL;
    arena->blocks = kept;
    arena->used = BLOCK_SIZE + sizeof(struct arena_block);
    arena->next = kept->bytes;
    arena->end = kept->bytes + BLOCK_SIZE;
}

/* What is given in large pages is given in less time, and found again in less: where the system has them. */
static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (size >= LARGE_PAGE)
        (void)madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

static struct arena_block *make_block(struct arena *arena, size_t payload)
{
    size_t total = payload + sizeof(struct arena_block);
    if (total > arena->ceiling - arena->used)
        return NULL;
    struct arena_block *block = is_mapped(payload) ? map(total) : malloc(total);
    if (block == NULL)
        return NULL;
    *block = (struct arena_block){.size = payload};
    arena->used += total;
    return block;
}

static size_t block_size(const struct arena *arena)
{
    size_t size = arena->used / BLOCK_OF_USED;
    size = size < BLOCK_SIZE ? BLOCK_SIZE : size > BLOCK_SIZE_MAX ? BLOCK_SIZE_MAX : size & ~(size_t)(ALIGNMENT - 1);
    return size == BLOCK_SIZE_MAX ? size - sizeof(struct arena_block) : size; /* whole pages */
}

static bool add_block(struct arena *arena, size_t least)
{
    size_t rest = arena->ceiling - arena->used, size = block_size(arena);
    if (size > BLOCK_SIZE && size + sizeof(struct arena_block) > rest)
        size = BLOCK_SIZE;
    size = size > least ? size : least;
    struct arena_block *block = make_block(arena, size);
    if (block == NULL)
        return false;
    block->previous = arena->blocks;
    arena->blocks = block;
    arena->next = block->bytes;
    arena->end = block->bytes + block->size;
    return true;
}

/* In a block of its own, behind the one that goes on being filled. */
static void *take_alone(struct arena *arena, size_t size, bool must_be_zero)
{
    struct arena_block *block = make_block(arena, size);
    if (block == NULL)
        return NULL;
    block->previous = arena->blocks->previous;
    arena->blocks->previous = block;
    if (must_be_zero && !is_mapped(size))
        memset(block->bytes, 0, size);
    return block->bytes;
}

static void *take(struct arena *arena, size_t size, size_t alignment, bool must_be_zero)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = round_up(size, alignment), skew = skew_of(arena->next, alignment);
    if ((size_t)(arena->end - arena->next) < skew + rounded) {
        if (arena->blocks != NULL && rounded > block_size(arena) / ALONE_FROM)
            return take_alone(arena, rounded, must_be_zero);
        if (!add_block(arena, rounded))
            return NULL;
        skew = 0;
    }
    if (arena->next == NULL) /* nothing asked of an arena that has no block yet */
        return add_block(arena, ALIGNMENT) ? arena->next : NULL;
    char *memory = arena->next + skew;
    arena->next = memory + rounded;
    if (must_be_zero && !(arena->blocks != NULL && is_mapped(arena->blocks->size)))
        memset(memory, 0, rounded);
    return memory;
}

void *arena_take(struct arena *arena, size_t size)
{
    return take(arena, size, ALIGNMENT, true);
}

void *arena_take_unset(struct arena *arena, size_t size)
{
    return take(arena, size, ALIGNMENT, false);
}

void *arena_take_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_take(arena, count * size);
}

void *arena_take_words(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return take(arena, count * size, alignof(uint64_t), true);
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
        size_t rounded = round_up((size_t)size + 1, ALIGNMENT);
        text = arena->next;
        arena->next += rounded < room ? rounded : room;
    } else if (room > 0) {
        memset(arena->next, 0, room); /* its beginning was written there, and what is taken next is zero */
    }
    if (text == NULL && size >= 0) {
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
