/* SPDX-License-Identifier: Apache-2.0 */
#include "key_shelf.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 508 };

#define NOTHING UINT32_MAX

struct chunk {
    uint32_t next;
    char bytes[CHUNK_BYTES];
};

struct slot {
    uint64_t hash;
    uint32_t next;       /* in its bucket; free slots: the next free one */
    uint32_t chunk;      /* first chunk of leaf and chain, one behind the other */
    uint32_t leaf_size;  /* bytes */
    uint32_t chain_size; /* bytes */
    bool has_leaf, has_chain;
    bool is_taken;
    bool is_recent; /* found since the clock's hand was here */
};

struct key_shelf {
    struct hash_key key;
    struct slot *slots;
    uint32_t *buckets; /* as many as slots */
    struct chunk *chunks;
    uint32_t slot_count;
    uint32_t free_slot;
    uint32_t free_chunk;       /* the first that was used before */
    uint32_t fresh_chunk;      /* it and those behind it were never touched: they are no memory yet */
    uint32_t free_chunk_count; /* of both kinds */
    uint32_t key_bytes;
    uint32_t hand;
};

static void link_all(struct key_shelf *shelf)
{
    for (uint32_t i = 0; i < shelf->slot_count; i++) {
        shelf->buckets[i] = NOTHING;
        shelf->slots[i].next = i + 1 < shelf->slot_count ? i + 1 : NOTHING;
    }
}

enum err key_shelf_open(const struct key_shelf_config *config, const struct hash_key *key, struct key_shelf **out)
{
    size_t fixed = sizeof(struct key_shelf) + config->slots * (sizeof(struct slot) + sizeof(uint32_t));
    if (config->memory < fixed)
        return ERR_LIMIT;
    size_t chunks = (config->memory - fixed) / sizeof(struct chunk);
    if (chunks >= NOTHING || chunks < config->key_bytes / CHUNK_BYTES + 1)
        return ERR_LIMIT;
    struct key_shelf *shelf = calloc(1, sizeof *shelf);
    if (!shelf)
        return ERR_NO_MEMORY;
    *shelf = (struct key_shelf){.key = *key,
                                .slots = calloc(config->slots, sizeof(struct slot)),
                                .buckets = calloc(config->slots, sizeof(uint32_t)),
                                .chunks = calloc(chunks, sizeof(struct chunk)),
                                .slot_count = config->slots,
                                .free_chunk = NOTHING,
                                .free_chunk_count = (uint32_t)chunks,
                                .key_bytes = config->key_bytes};
    if (!shelf->slots || !shelf->buckets || !shelf->chunks) {
        key_shelf_close(shelf);
        return ERR_NO_MEMORY;
    }
    link_all(shelf);
    *out = shelf;
    return ERR_NONE;
}

void key_shelf_close(struct key_shelf *shelf)
{
    if (!shelf)
        return;
    free(shelf->slots);
    free(shelf->buckets);
    free(shelf->chunks);
    free(shelf);
}

uint64_t key_shelf_hash(const struct key_shelf *shelf, const struct svid_key *key)
{
    uint64_t leaf = keyed_hash(&shelf->key, key->leaf);
    if (!view_is_present(key->chain))
        return leaf;
    uint64_t chain = keyed_hash(&shelf->key, key->chain);
    return (leaf ^ (chain << 23 | chain >> 41)) * 0x9E3779B97F4A7C15u;
}

/* Where a comparison or a copy stands in a slot's chunks. */
struct place {
    struct chunk *chunk;
    size_t offset;
};

static size_t step(const struct place *place, struct view left)
{
    size_t room = CHUNK_BYTES - place->offset;
    return left.size < room ? left.size : room;
}

static void move_on(const struct key_shelf *shelf, struct place *place, size_t size)
{
    place->offset += size;
    if (place->offset == CHUNK_BYTES && place->chunk->next != NOTHING)
        *place = (struct place){.chunk = &shelf->chunks[place->chunk->next]};
}

static bool matches(const struct key_shelf *shelf, struct place *place, struct view part)
{
    while (part.size > 0) {
        size_t size = step(place, part);
        if (memcmp(place->chunk->bytes + place->offset, part.data, size) != 0)
            return false;
        part = view_slice(part, size, part.size);
        move_on(shelf, place, size);
    }
    return true;
}

static void copy_in(const struct key_shelf *shelf, struct place *place, struct view part)
{
    while (part.size > 0) {
        size_t size = step(place, part);
        memcpy(place->chunk->bytes + place->offset, part.data, size);
        part = view_slice(part, size, part.size);
        move_on(shelf, place, size);
    }
}

static bool is_key(const struct key_shelf *shelf, const struct slot *slot, const struct svid_key *key)
{
    if (slot->leaf_size != key->leaf.size || slot->chain_size != key->chain.size ||
        slot->has_leaf != view_is_present(key->leaf) || slot->has_chain != view_is_present(key->chain))
        return false;
    struct place place = {.chunk = &shelf->chunks[slot->chunk]};
    return matches(shelf, &place, key->leaf) && matches(shelf, &place, key->chain);
}

static uint32_t *bucket_of(struct key_shelf *shelf, uint64_t hash)
{
    return &shelf->buckets[hash & (shelf->slot_count - 1)];
}

bool key_shelf_find(struct key_shelf *shelf, const struct svid_key *key, uint64_t hash, uint32_t *slot)
{
    for (uint32_t at = *bucket_of(shelf, hash); at != NOTHING; at = shelf->slots[at].next) {
        if (shelf->slots[at].hash != hash || !is_key(shelf, &shelf->slots[at], key))
            continue;
        shelf->slots[at].is_recent = true;
        *slot = at;
        return true;
    }
    return false;
}

static void release_chunks(struct key_shelf *shelf, uint32_t first)
{
    uint32_t last = first;
    shelf->free_chunk_count++;
    for (; shelf->chunks[last].next != NOTHING; last = shelf->chunks[last].next)
        shelf->free_chunk_count++;
    shelf->chunks[last].next = shelf->free_chunk;
    shelf->free_chunk = first;
}

static void evict(struct key_shelf *shelf, uint32_t victim)
{
    struct slot *slot = &shelf->slots[victim];
    uint32_t *link = bucket_of(shelf, slot->hash);
    while (*link != victim)
        link = &shelf->slots[*link].next;
    *link = slot->next;
    release_chunks(shelf, slot->chunk);
    *slot = (struct slot){.next = shelf->free_slot};
    shelf->free_slot = victim;
}

/* One victim. There is one: whoever calls has found slots or chunks used up, and
 * two rounds clear every mark. */
static void turn_clock(struct key_shelf *shelf)
{
    for (;;) {
        uint32_t at = shelf->hand;
        shelf->hand = (shelf->hand + 1) & (shelf->slot_count - 1);
        if (!shelf->slots[at].is_taken)
            continue;
        if (!shelf->slots[at].is_recent) {
            evict(shelf, at);
            return;
        }
        shelf->slots[at].is_recent = false;
    }
}

static uint32_t take_chunk(struct key_shelf *shelf)
{
    uint32_t chunk = shelf->free_chunk;
    shelf->free_chunk_count--;
    if (chunk == NOTHING)
        return shelf->fresh_chunk++;
    shelf->free_chunk = shelf->chunks[chunk].next;
    return chunk;
}

/* `count` chunks in a row of links; they are there. */
static uint32_t take_chunks(struct key_shelf *shelf, uint32_t count)
{
    uint32_t first = take_chunk(shelf), last = first;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t next = take_chunk(shelf);
        shelf->chunks[last].next = next;
        last = next;
    }
    shelf->chunks[last].next = NOTHING;
    return first;
}

static void fill(struct key_shelf *shelf, struct slot *slot, const struct svid_key *key, uint64_t hash)
{
    struct place place = {.chunk = &shelf->chunks[slot->chunk]};
    copy_in(shelf, &place, key->leaf);
    copy_in(shelf, &place, key->chain);
    slot->hash = hash;
    slot->leaf_size = (uint32_t)key->leaf.size;
    slot->chain_size = (uint32_t)key->chain.size;
    slot->has_leaf = view_is_present(key->leaf);
    slot->has_chain = view_is_present(key->chain);
    slot->is_taken = true;
}

bool key_shelf_put(struct key_shelf *shelf, const struct svid_key *key, uint64_t hash, uint32_t *slot)
{
    if (key->leaf.size > shelf->key_bytes || key->chain.size > shelf->key_bytes - key->leaf.size)
        return false;
    if (key_shelf_find(shelf, key, hash, slot))
        return true;
    uint32_t count = (uint32_t)((key->leaf.size + key->chain.size) / CHUNK_BYTES + 1);
    while (shelf->free_slot == NOTHING || shelf->free_chunk_count < count)
        turn_clock(shelf);
    uint32_t at = shelf->free_slot;
    uint32_t *bucket = bucket_of(shelf, hash);
    shelf->free_slot = shelf->slots[at].next;
    shelf->slots[at] = (struct slot){.chunk = take_chunks(shelf, count), .next = *bucket};
    *bucket = at;
    fill(shelf, &shelf->slots[at], key, hash);
    *slot = at;
    return true;
}
