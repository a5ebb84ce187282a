/* SPDX-License-Identifier: Apache-2.0 */
/* Verified callers by the raw bytes that proved them, so that a warm request
 * parses no certificate. Bounded, fixed slots, clock eviction. The keyed hash
 * spreads, the whole compare decides. Used by one thread (the poller).
 *
 * A hit holds only while not_before <= now < not_after and the bundle generation of
 * its trust domain is the one it was verified against; a caller behind proxies rests on
 * theirs in the same way. A change of other domains leaves it warm.
 * Revocation is judged outside. Refusals are kept for at most 2 seconds in a
 * small cache of their own, and only under the bundles that produced them. Both
 * views of a key may be absent; absent and empty are different keys. */
#ifndef BARTIZAN_SVID_CACHE_H
#define BARTIZAN_SVID_CACHE_H

#include "x509_svid.h"

struct svid_cache;

/* What proves a caller: the raw text of leaf and chain (chain may be absent). */
struct svid_key {
    struct view leaf;
    struct view chain;
};

struct svid_cache_config {
    uint32_t entries;   /* slots, rounded up to a power of two; default 1024 */
    uint32_t key_bytes; /* longest key kept (leaf + chain), default 16 KiB; longer ones are verified each time */
    size_t memory;      /* most bytes of keys and entries together, default 8 MiB */
};

MUST_CHECK enum err svid_cache_open(const struct svid_cache_config *config, const struct hash_key *key,
                                    struct svid_cache **out);
void svid_cache_close(struct svid_cache *cache);

/* The verified caller, or NULL when it must be verified. *refusal is REASON_NONE,
 * or the cached refusal (then the result is NULL). Valid until the next insert.
 * Nothing of it may be written but its clearance. */
struct x509_svid *svid_cache_find(struct svid_cache *cache, const struct svid_key *key,
                                  const struct trust_bundles *bundles, int64_t now, enum reason *refusal);

/* Keeps a success, or (svid NULL) a refusal. `bundles` are those it was judged by,
 * which need not be in force any more. What does not fit is not kept. */
void svid_cache_insert(struct svid_cache *cache, const struct svid_key *key, const struct x509_svid *svid,
                       enum reason refusal, const struct trust_bundles *bundles, int64_t now);

#endif
