/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable hash table from (number, text) to a few numbers.
 *
 * Built once from pairs and only read then; it holds no pointer but to its own three
 * arrays. Open addressing, at most six slots of ten taken; the same pairs always give
 * the same table. */
#ifndef BARTIZAN_MULTIMAP_H
#define BARTIZAN_MULTIMAP_H

#include "arena.h"

struct multimap_pair {
    uint32_t space; /* tells apart the maps that share one table */
    struct view key;
    uint32_t value;
};

struct multimap_slot {
    uint32_t hash;
    uint32_t space;
    uint32_t text; /* where the key stands in `text` */
    uint32_t size; /* of the key, bytes */
    uint32_t value;
    uint32_t count; /* 0: the slot is empty; 1: `value` is the value; else they are values[value] and on */
};

/* From the place that a hash asks for (multimap.c) to the slot of a key no slot is empty; some slot is empty, or
 * there is none at all. */
struct multimap {
    const struct multimap_slot *slots;
    const uint32_t *values;
    const char *text;
    uint32_t slot_count; /* 0: an empty map */
};

/* Sorts pairs by space, key and value and drops those that are there already; *count is what is left.
 * ERR_NO_MEMORY. */
MUST_CHECK enum err multimap_sort(struct multimap_pair *pairs, size_t *count);

/* Sorts `pairs` (equal ones count once) and builds over copies of their keys. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_CHECK enum err multimap_build(struct multimap_pair *pairs, size_t count, struct arena *arena,
                                   struct multimap *out);

/* The values under (space, key), ascending; *count 0 when there are none. */
const uint32_t *multimap_find(const struct multimap *map, uint32_t space, struct view key, size_t *count);

#endif
