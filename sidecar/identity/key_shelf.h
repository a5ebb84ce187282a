/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded set of long keys, each with a slot number: what svid_cache keeps its
 * entries by. All memory is taken at open: slots, buckets, and key bytes in small
 * chunks, so that keys of any length share one pool. When slots or chunks run
 * out, the clock takes the first slot that was not found since its last round.
 * The keyed hash spreads, the whole compare decides. Not thread-safe. */
#ifndef BARTIZAN_KEY_SHELF_H
#define BARTIZAN_KEY_SHELF_H

#include "svid_cache.h"

struct key_shelf;

struct key_shelf_config {
    uint32_t slots;     /* a power of two */
    uint32_t key_bytes; /* longest key kept */
    size_t memory;      /* most bytes for everything */
};

/* ERR_LIMIT when `memory` does not hold the slots and one longest key. */
MUST_CHECK enum err key_shelf_open(const struct key_shelf_config *config, const struct hash_key *key,
                                   struct key_shelf **out);
void key_shelf_close(struct key_shelf *shelf); /* harmless on NULL */

/* The same for every shelf opened with one hash key. */
uint64_t key_shelf_hash(const struct key_shelf *shelf, const struct svid_key *key);

/* True and the key's slot when it is there. */
bool key_shelf_find(struct key_shelf *shelf, const struct svid_key *key, uint64_t hash, uint32_t *slot);

/* The slot of `key`, which is added when it is not there; false when it is too long. */
bool key_shelf_put(struct key_shelf *shelf, const struct svid_key *key, uint64_t hash, uint32_t *slot);

#endif
