/* SPDX-License-Identifier: Apache-2.0 */
/* Verified tokens by their whole text, so that a warm request checks no signature.
 * Bounded, fixed slots, clock eviction, one thread. A hit holds while usable_from
 * <= now < usable_until, the issuer's JWKS generation is the one it was verified
 * under, and the policy is the same. Revocation and binding are judged outside. Refusals are kept at most 2 seconds
 * under the same conditions. */
#ifndef BARTIZAN_TOKEN_CACHE_H
#define BARTIZAN_TOKEN_CACHE_H

#include "jwt_verify.h"

struct token_cache;

struct token_cache_config {
    uint32_t entries; /* slots, rounded up to a power of two; default 1024 */
    size_t memory;    /* most bytes of tokens, claims and entries together, default 8 MiB */
};

/* Takes all memory at once, nothing later. ERR_LIMIT: the memory does not hold the
 * slots, or more than 2^20 entries are asked for. */
MUST_CHECK enum err token_cache_open(const struct token_cache_config *config, const struct hash_key *key,
                                     struct token_cache **out);
void token_cache_close(struct token_cache *cache);

/* `epoch` identifies the policy and keys in force (the snapshot's generation);
 * an entry of another epoch is not found. The verified token, or NULL with
 * *refusal REASON_NONE (verify it) or the cached refusal. Valid until the next insert.
 * Nothing of it may be written but its clearance. */
struct token *token_cache_find(struct token_cache *cache, struct view text, uint64_t epoch, int64_t now,
                               enum reason *refusal);

/* Keeps a success with a deep copy of the claims, or (token NULL) a refusal. What was
 * kept for the text before is forgotten. Not kept: a token that would take more than a
 * quarter of the memory, a refusal of a text over 2 KiB, REASON_NONE and
 * REASON_INTERNAL. `token` is not one that token_cache_find returned. */
void token_cache_insert(struct token_cache *cache, struct view text, uint64_t epoch, const struct token *token,
                        enum reason refusal, int64_t now);

#endif
