/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable hash table from (number, text) to a few numbers.
 *
 * Built once from pairs and only read then. Open addressing at half load; the
 * same pairs always give the same table. */
#ifndef BARTIZAN_MULTIMAP_H
#define BARTIZAN_MULTIMAP_H

#include "arena.h"

struct multimap_pair {
    uint32_t space; /* tells apart the maps that share one table */
    struct view key;
    uint32_t value;
};

struct multimap_slot {
    struct view key;
    uint32_t space;
    uint32_t first; /* into values */
    uint32_t count; /* 0: the slot is empty */
    uint32_t hash;
};

struct multimap {
    struct multimap_slot *slots; /* NULL: empty map */
    const uint32_t *values;
    size_t mask; /* slots - 1 */
};

/* Sorts `pairs` (equal ones count once) and builds over their keys, which are borrowed. ERR_NO_MEMORY. */
MUST_CHECK enum err multimap_build(struct multimap_pair *pairs, size_t count, struct arena *arena,
                                   struct multimap *out);

/* The values under (space, key), ascending; *count 0 when there are none. */
const uint32_t *multimap_find(const struct multimap *map, uint32_t space, struct view key, size_t *count);

#endif
