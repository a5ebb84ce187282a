/* SPDX-License-Identifier: Apache-2.0 */
#include "multimap.h"

#include <stdlib.h>

__extension__ typedef unsigned __int128 wide;

/* Eight bytes a step: multiply to twice the width and fold, as wyhash does. Tables are fixed
 * when a policy is built, so a caller can choose what is looked up, never what collides in them. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word_at(const char *bytes)
{
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Up to 8 bytes as one word; which of them overlap is the size's business, and it is hashed. */
static uint64_t tail_at(const char *bytes, size_t size)
{
    uint32_t low = 0, high = 0;
    if (size >= 4) {
        memcpy(&low, bytes, sizeof low);
        memcpy(&high, bytes + size - 4, sizeof high);
        return (uint64_t)high << 32 | low;
    }
    return size == 0 ? 0
                     : (uint64_t)(unsigned char)bytes[0] << 16 | (uint64_t)(unsigned char)bytes[size / 2] << 8 |
                           (unsigned char)bytes[size - 1];
}

static uint32_t hash_of(uint32_t space, struct view key)
{
    uint64_t hash = mix(space ^ 0x9e3779b97f4a7c15u, key.size ^ 0xa0761d6478bd642fu);
    size_t at = 0;
    for (; key.size - at > 8; at += 8)
        hash = mix(hash ^ word_at(key.data + at), 0xe7037ed1a0b428dbu);
    hash = mix(hash ^ tail_at(key.data + at, key.size - at), 0x8ebc6af09c88c6e3u);
    return (uint32_t)(hash >> 32);
}

static int key_compare(const struct multimap_pair *a, const struct multimap_pair *b)
{
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    return view_compare(a->key, b->key);
}

static int pair_compare(const void *left, const void *right)
{
    const struct multimap_pair *a = left, *b = right;
    int order = key_compare(a, b);
    return order != 0 ? order : (a->value > b->value) - (a->value < b->value);
}

static struct multimap_slot *slot_of(const struct multimap *map, uint32_t hash, uint32_t space, struct view key)
{
    size_t at = hash & map->mask;
    for (;; at = (at + 1) & map->mask) {
        struct multimap_slot *slot = &map->slots[at];
        if (slot->count == 0 || (slot->hash == hash && slot->space == space && view_equals(slot->key, key)))
            return slot;
    }
}

enum err multimap_build(struct multimap_pair *pairs, size_t count, struct arena *arena, struct multimap *out)
{
    *out = (struct multimap){0};
    if (count == 0)
        return ERR_NONE;
    if (count > UINT32_MAX / 4)
        return ERR_LIMIT;
    size_t size = 2;
    while (size < 2 * count)
        size *= 2;
    uint32_t *values = arena_take_array(arena, count, sizeof *values);
    struct multimap map = {.slots = arena_take_array(arena, size, sizeof *map.slots), .values = values};
    if (!map.slots || !values)
        return ERR_NO_MEMORY;
    map.mask = size - 1;
    qsort(pairs, count, sizeof *pairs, pair_compare);
    uint32_t used = 0;
    struct multimap_slot *slot = NULL;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && pair_compare(&pairs[i - 1], &pairs[i]) == 0)
            continue;
        if (!slot || key_compare(&pairs[i - 1], &pairs[i]) != 0) {
            uint32_t hash = hash_of(pairs[i].space, pairs[i].key);
            slot = slot_of(&map, hash, pairs[i].space, pairs[i].key);
            *slot = (struct multimap_slot){.key = pairs[i].key, .space = pairs[i].space, .first = used, .hash = hash};
        }
        values[used++] = pairs[i].value;
        slot->count++;
    }
    *out = map;
    return ERR_NONE;
}

const uint32_t *multimap_find(const struct multimap *map, uint32_t space, struct view key, size_t *count)
{
    *count = 0;
    if (!map->slots)
        return NULL;
    const struct multimap_slot *slot = slot_of(map, hash_of(space, key), space, key);
    *count = slot->count;
    return map->values + slot->first;
}
