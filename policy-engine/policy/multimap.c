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

static int pair_compare(const struct multimap_pair *a, const struct multimap_pair *b)
{
    int order = key_compare(a, b);
    return order != 0 ? order : (a->value > b->value) - (a->value < b->value);
}

/* The slot of the key, or the empty one where it would stand. */
static inline uint32_t slot_of(const struct multimap *map, uint32_t hash, uint32_t space, struct view key)
{
    uint32_t at = (uint32_t)((uint64_t)hash * map->slot_count >> 32);
    for (;; at = at + 1 == map->slot_count ? 0 : at + 1) {
        const struct multimap_slot *slot = &map->slots[at];
        if (slot->count == 0)
            return at;
        if (slot->hash == hash && slot->space == space && slot->size == key.size &&
            (key.size == 0 || memcmp(map->text + slot->text, key.data, key.size) == 0))
            return at;
    }
}

struct sizes {
    uint32_t keys;
    uint32_t values; /* of keys that have several */
    uint32_t text;
};

static size_t run_end(const struct multimap_pair *pairs, size_t count, size_t from)
{
    size_t to = from + 1;
    while (to < count && key_compare(&pairs[from], &pairs[to]) == 0)
        to++;
    return to;
}

/* A pair to be sorted: most are told apart without a look at their bytes. */
struct sort_key {
    uint64_t head; /* of the key, behind what all keys begin with */
    const struct multimap_pair *pair;
    uint32_t space;
};

static int sort_key_compare(const void *left, const void *right)
{
    const struct sort_key *a = left, *b = right;
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return pair_compare(a->pair, b->pair);
}

static void keys_fill(const struct multimap_pair *pairs, size_t count, struct sort_key *keys)
{
    size_t common = pairs[0].key.size;
    for (size_t i = 1; i < count; i++)
        common = view_common(pairs[0].key, pairs[i].key, common);
    for (size_t i = 0; i < count; i++)
        keys[i] =
            (struct sort_key){.head = view_head(pairs[i].key, common), .pair = &pairs[i], .space = pairs[i].space};
}

static bool is_sorted(const struct multimap_pair *pairs, size_t count)
{
    size_t i = 1;
    while (i < count && pair_compare(&pairs[i - 1], &pairs[i]) < 0)
        i++;
    return i >= count;
}

enum err multimap_sort(struct multimap_pair *pairs, size_t *count)
{
    if (is_sorted(pairs, *count))
        return ERR_NONE;
    struct sort_key *keys = calloc(*count, sizeof *keys);
    struct multimap_pair *sorted = calloc(*count, sizeof *sorted);
    size_t kept = 0;
    bool is_good = keys && sorted;
    if (is_good) {
        keys_fill(pairs, *count, keys);
        qsort(keys, *count, sizeof *keys, sort_key_compare);
        for (size_t i = 0; i < *count; i++)
            if (kept == 0 || pair_compare(&sorted[kept - 1], keys[i].pair) != 0)
                sorted[kept++] = *keys[i].pair;
        memcpy(pairs, sorted, kept * sizeof *pairs);
        *count = kept;
    }
    free(keys);
    free(sorted);
    return is_good ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err sizes_count(const struct multimap_pair *pairs, size_t count, struct sizes *out)
{
    size_t text = 0;
    *out = (struct sizes){0};
    for (size_t i = 0, end = 0; i < count; i = end) {
        end = run_end(pairs, count, i);
        out->keys++;
        out->values += end - i > 1 ? (uint32_t)(end - i) : 0;
        text += pairs[i].key.size;
        if (text > UINT32_MAX)
            return ERR_LIMIT;
    }
    out->text = (uint32_t)text;
    return ERR_NONE;
}

enum err multimap_build(struct multimap_pair *pairs, size_t count, struct arena *arena, struct multimap *out)
{
    struct sizes sizes;
    *out = (struct multimap){0};
    if (count == 0)
        return ERR_NONE;
    if (count > UINT32_MAX / 4)
        return ERR_LIMIT;
    TRY(multimap_sort(pairs, &count));
    TRY(sizes_count(pairs, count, &sizes));
    struct multimap map = {.slot_count = sizes.keys + sizes.keys * 2 / 3 + 1};
    struct multimap_slot *slots = arena_take_array(arena, map.slot_count, sizeof *slots);
    uint32_t *values = arena_take_array(arena, sizes.values, sizeof *values);
    char *text = arena_take(arena, sizes.text);
    if (!slots || !values || !text)
        return ERR_NO_MEMORY;
    map.slots = slots;
    map.values = values;
    map.text = text;
    uint32_t value_at = 0, text_at = 0;
    for (size_t i = 0, end = 0; i < count; i = end) {
        const struct multimap_pair *pair = &pairs[i];
        uint32_t hash = hash_of(pair->space, pair->key);
        end = run_end(pairs, count, i);
        struct multimap_slot slot = {.hash = hash,
                                     .space = pair->space,
                                     .text = text_at,
                                     .size = (uint32_t)pair->key.size,
                                     .value = end - i == 1 ? pair->value : value_at,
                                     .count = (uint32_t)(end - i)};
        for (size_t k = i; slot.count > 1 && k < end; k++)
            values[value_at++] = pairs[k].value;
        if (slot.size > 0)
            memcpy(text + text_at, pair->key.data, slot.size);
        slots[slot_of(&map, hash, pair->space, pair->key)] = slot;
        text_at += slot.size;
    }
    *out = map;
    return ERR_NONE;
}

const uint32_t *multimap_find(const struct multimap *map, uint32_t space, struct view key, size_t *count)
{
    *count = 0;
    if (map->slot_count == 0)
        return NULL;
    const struct multimap_slot *slot = &map->slots[slot_of(map, hash_of(space, key), space, key)];
    *count = slot->count;
    return slot->count > 1 ? map->values + slot->value : &slot->value;
}
