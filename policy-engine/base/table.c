/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

enum { FIRST_CAPACITY = 16 };

/* FNV-1a, 32 bits, with a final mix so that the low bits depend on all of it. */
static uint32_t hash_of(struct view key)
{
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 0x01000193u;
    return hash ^ (hash >> 15);
}

void table_init(struct table *table, struct arena *arena)
{
    *table = (struct table){.arena = arena};
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct table_slot *slot_of(const struct table *table, struct view key, uint32_t hash)
{
    size_t at = hash & (table->capacity - 1);
    while (table->slots[at].entry != 0 &&
           (table->slots[at].hash != hash || !view_equals(table->entries[table->slots[at].entry - 1].key, key)))
        at = (at + 1) & (table->capacity - 1);
    return &table->slots[at];
}

static enum err grow(struct table *table, size_t capacity)
{
    size_t room = capacity / 4 * 3;
    struct table_slot *slots = arena_take_array(table->arena, capacity, sizeof(*slots));
    struct table_entry *entries = arena_take_array(table->arena, room, sizeof(*entries));
    if (slots == NULL || entries == NULL || capacity > UINT32_MAX)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < table->capacity; i++) {
        size_t at = table->slots[i].hash & (capacity - 1);
        while (table->slots[i].entry != 0 && slots[at].entry != 0)
            at = (at + 1) & (capacity - 1);
        if (table->slots[i].entry != 0)
            slots[at] = table->slots[i];
    }
    if (table->count > 0)
        memcpy(entries, table->entries, table->count * sizeof(*entries));
    table->slots = slots;
    table->entries = entries;
    table->capacity = capacity;
    table->room = room;
    return ERR_NONE;
}

enum err table_reserve(struct table *table, size_t count)
{
    size_t capacity = table->capacity != 0 ? table->capacity : FIRST_CAPACITY;
    while (capacity / 4 * 3 < count) {
        if (capacity > UINT32_MAX / 2)
            return ERR_NO_MEMORY;
        capacity *= 2;
    }
    return capacity > table->capacity ? grow(table, capacity) : ERR_NONE;
}

enum err table_put(struct table *table, struct view key, size_t value)
{
    if (table->count == table->room)
        TRY(table_reserve(table, table->count + 1));
    uint32_t hash = hash_of(key);
    struct table_slot *slot = slot_of(table, key, hash);
    if (slot->entry != 0)
        return ERR_CONFLICT;
    table->entries[table->count] = (struct table_entry){.key = key, .value = value};
    *slot = (struct table_slot){.hash = hash, .entry = (uint32_t)++table->count};
    return ERR_NONE;
}

bool table_find(const struct table *table, struct view key, size_t *value)
{
    if (table->capacity == 0 || !view_is_present(key))
        return false;
    const struct table_slot *slot = slot_of(table, key, hash_of(key));
    if (slot->entry == 0)
        return false;
    *value = table->entries[slot->entry - 1].value;
    return true;
}
