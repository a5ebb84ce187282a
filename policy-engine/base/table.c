/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

enum { FIRST_CAPACITY = 16 };

/* FNV-1a, 64 bits, with a final mix so that the low bits depend on all of it. */
static uint64_t hash_of(struct view key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 0x100000001b3u;
    return hash ^ (hash >> 29);
}

void table_init(struct table *table, struct arena *arena)
{
    *table = (struct table){.arena = arena};
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct table_slot *slot_of(const struct table *table, struct view key, uint64_t hash)
{
    size_t at = (size_t)hash & (table->capacity - 1);
    while (view_is_present(table->slots[at].key) &&
           (table->slots[at].hash != hash || !view_equals(table->slots[at].key, key)))
        at = (at + 1) & (table->capacity - 1);
    return &table->slots[at];
}

static enum err grow(struct table *table)
{
    struct table bigger = *table;
    bigger.capacity = table->capacity != 0 ? table->capacity * 2 : FIRST_CAPACITY;
    bigger.slots = arena_take_array(table->arena, bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < table->capacity; i++)
        if (view_is_present(table->slots[i].key))
            *slot_of(&bigger, table->slots[i].key, table->slots[i].hash) = table->slots[i];
    *table = bigger;
    return ERR_NONE;
}

enum err table_put(struct table *table, struct view key, size_t value)
{
    if ((table->count + 1) * 2 > table->capacity)
        TRY(grow(table));
    uint64_t hash = hash_of(key);
    struct table_slot *slot = slot_of(table, key, hash);
    if (view_is_present(slot->key))
        return ERR_CONFLICT;
    *slot = (struct table_slot){.key = key, .hash = hash, .value = value};
    table->count++;
    return ERR_NONE;
}

bool table_find(const struct table *table, struct view key, size_t *value)
{
    if (table->capacity == 0 || !view_is_present(key))
        return false;
    const struct table_slot *slot = slot_of(table, key, hash_of(key));
    if (!view_is_present(slot->key))
        return false;
    *value = slot->value;
    return true;
}
