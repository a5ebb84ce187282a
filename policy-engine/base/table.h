/* SPDX-License-Identifier: Apache-2.0 */
/* A map from strings to indices, filled while a file is loaded and then only read.
 *
 * Open addressing in an arena; keys are borrowed and must outlive the table. For
 * names that an operator wrote: the hash has no secret, so request data do not
 * belong here. */
#ifndef BARTIZAN_TABLE_H
#define BARTIZAN_TABLE_H

#include "arena.h"

struct table_slot {
    uint32_t hash;
    uint32_t entry; /* 1 + its number; 0: free */
};

struct table_entry {
    struct view key;
    size_t value;
};

struct table {
    struct arena *arena;
    struct table_slot *slots;
    struct table_entry *entries; /* in the order in which they came */
    size_t capacity;             /* slots: a power of two, or 0 */
    size_t room;                 /* entries that fit; at least a quarter of the slots is free */
    size_t count;
};

/* An empty table; nothing is allocated yet. */
void table_init(struct table *table, struct arena *arena);

/* Makes room for `count` keys in all, so that nothing is left behind by growing. ERR_NO_MEMORY. */
MUST_CHECK enum err table_reserve(struct table *table, size_t count);

/* Adds `key`, which must be present. ERR_CONFLICT when it is there already (its
 * value stays), ERR_NO_MEMORY. */
MUST_CHECK enum err table_put(struct table *table, struct view key, size_t value);

/* True and *value when `key` is there. */
bool table_find(const struct table *table, struct view key, size_t *value);

#endif
