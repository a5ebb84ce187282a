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
    struct view key; /* absent: free */
    uint64_t hash;
    size_t value;
};

struct table {
    struct arena *arena;
    struct table_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* An empty table; nothing is allocated yet. */
void table_init(struct table *table, struct arena *arena);

/* Adds `key`, which must be present. ERR_CONFLICT when it is there already (its
 * value stays), ERR_NO_MEMORY. */
MUST_CHECK enum err table_put(struct table *table, struct view key, size_t value);

/* True and *value when `key` is there. */
bool table_find(const struct table *table, struct view key, size_t *value);

#endif
