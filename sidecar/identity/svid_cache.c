/* SPDX-License-Identifier: Apache-2.0 */
#include "svid_cache.h"

#include "key_shelf.h"

#include <stdlib.h>

enum { DEFAULT_ENTRIES = 1024, DEFAULT_KEY_BYTES = 16 * 1024, DEFAULT_MEMORY = 8 * 1024 * 1024, REFUSAL_SECONDS = 2 };

struct kept_refusal {
    enum reason reason;
    int64_t from; /* of the clock at insertion: a clock that steps back ends it too */
    char bundles[2 * SHA256_BYTES];
};

struct svid_cache {
    struct key_shelf *successes;
    struct key_shelf *refusals;
    struct x509_svid *svids;        /* by slot of `successes` */
    struct kept_refusal *judgments; /* by slot of `refusals` */
};

static uint32_t power_of_two(uint32_t wanted)
{
    uint32_t size = 16;
    while (size < wanted && size < (1u << 20))
        size *= 2;
    return size;
}

/* Refusals get a sixteenth of keys and slots: an attacker's noise, kept for 2 seconds. */
static enum err open_parts(struct svid_cache *cache, const struct svid_cache_config *config, const struct hash_key *key)
{
    uint32_t entries = power_of_two(config->entries ? config->entries : DEFAULT_ENTRIES);
    size_t memory = config->memory ? config->memory : DEFAULT_MEMORY;
    struct key_shelf_config shelf = {.slots = entries,
                                     .key_bytes = config->key_bytes ? config->key_bytes : DEFAULT_KEY_BYTES};
    size_t fixed = (size_t)entries * (sizeof(struct x509_svid) + sizeof(struct kept_refusal) / 16);
    if (fixed >= memory)
        return ERR_LIMIT;
    size_t refusals = (memory - fixed) / 16;
    shelf.memory = memory - fixed - refusals;
    TRY(key_shelf_open(&shelf, key, &cache->successes));
    shelf.slots = entries / 16;
    shelf.memory = refusals;
    TRY(key_shelf_open(&shelf, key, &cache->refusals));
    cache->svids = calloc(entries, sizeof *cache->svids);
    cache->judgments = calloc(entries / 16, sizeof *cache->judgments);
    return cache->svids && cache->judgments ? ERR_NONE : ERR_NO_MEMORY;
}

enum err svid_cache_open(const struct svid_cache_config *config, const struct hash_key *key, struct svid_cache **out)
{
    struct svid_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return ERR_NO_MEMORY;
    enum err e = open_parts(cache, config, key);
    if (e != ERR_NONE) {
        svid_cache_close(cache);
        return e;
    }
    *out = cache;
    return ERR_NONE;
}

void svid_cache_close(struct svid_cache *cache)
{
    if (!cache)
        return;
    key_shelf_close(cache->successes);
    key_shelf_close(cache->refusals);
    free(cache->svids);
    free(cache->judgments);
    free(cache);
}

static bool is_of(const char digest[2 * SHA256_BYTES], const struct trust_bundles *bundles)
{
    return memcmp(digest, trust_bundles_digest(bundles).data, 2 * SHA256_BYTES) == 0;
}

static bool is_of_generation(const struct trust_bundles *bundles, struct view trust_domain, uint64_t generation)
{
    const struct trust_bundle *bundle = trust_bundles_find(bundles, trust_domain);
    return bundle && trust_bundle_generation(bundle) == generation;
}

/* The trust domain of a SPIFFE ID that was parsed before. */
static struct view domain_of(struct view id)
{
    struct view rest = view_slice(id, sizeof "spiffe://" - 1, id.size);
    return view_slice(rest, 0, view_index_of(rest, '/', 0));
}

static bool still_holds(const struct x509_svid *svid, const struct trust_bundles *bundles, int64_t now)
{
    if (now < svid->not_before || now >= svid->not_after ||
        !is_of_generation(bundles, svid->id.trust_domain, svid->bundle_generation))
        return false;
    for (size_t i = 0; i < svid->proxy_count; i++) {
        const struct x509_svid_proxy *proxy = &svid->proxies[i];
        if (!is_of_generation(bundles, domain_of(proxy->id), proxy->bundle_generation))
            return false;
    }
    return true;
}

struct x509_svid *svid_cache_find(struct svid_cache *cache, const struct svid_key *key,
                                  const struct trust_bundles *bundles, int64_t now, enum reason *refusal)
{
    uint32_t slot;
    uint64_t hash = key_shelf_hash(cache->successes, key);
    *refusal = REASON_NONE;
    if (key_shelf_find(cache->successes, key, hash, &slot) && still_holds(&cache->svids[slot], bundles, now))
        return &cache->svids[slot];
    if (key_shelf_find(cache->refusals, key, hash, &slot)) {
        const struct kept_refusal *kept = &cache->judgments[slot];
        if (now >= kept->from && now < kept->from + REFUSAL_SECONDS && is_of(kept->bundles, bundles))
            *refusal = kept->reason;
    }
    return NULL;
}

static void keep_refusal(struct svid_cache *cache, const struct svid_key *key, enum reason reason,
                         const struct trust_bundles *bundles, int64_t now)
{
    uint32_t slot;
    /* What passes by itself must not be remembered: the next try may succeed. */
    bool is_passing = reason == REASON_NONE || reason == REASON_INTERNAL || reason == REASON_OVERLOAD;
    if (is_passing || !key_shelf_put(cache->refusals, key, key_shelf_hash(cache->refusals, key), &slot))
        return;
    struct kept_refusal *kept = &cache->judgments[slot];
    kept->reason = reason;
    kept->from = now;
    memcpy(kept->bundles, trust_bundles_digest(bundles).data, sizeof kept->bundles);
}

void svid_cache_insert(struct svid_cache *cache, const struct svid_key *key, const struct x509_svid *svid,
                       enum reason refusal, const struct trust_bundles *bundles, int64_t now)
{
    uint32_t slot;
    if (!svid) {
        keep_refusal(cache, key, refusal, bundles, now);
        return;
    }
    if (!key_shelf_put(cache->successes, key, key_shelf_hash(cache->successes, key), &slot))
        return;
    x509_svid_copy(svid, &cache->svids[slot]);
}
