/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC-SHA-256 and a fast keyed hash for cache keys. */
#ifndef BARTIZAN_DIGEST_H
#define BARTIZAN_DIGEST_H

#include "err.h"
#include "view.h"

enum { SHA256_BYTES = 32 };

/* Safe from any thread. ERR_NO_MEMORY when OpenSSL fails. */
MUST_CHECK enum err sha256(struct view bytes, uint8_t out[SHA256_BYTES]);
MUST_CHECK enum err hmac_sha256(struct view key, struct view bytes, uint8_t out[SHA256_BYTES]);

/* Lower-case hex of `size` bytes into `out` (2 * size characters, no NUL). */
void hex_encode(const uint8_t *bytes, size_t size, char *out);

/* Exactly 2 * size hex digits of either case; false otherwise. */
bool hex_decode(struct view text, uint8_t *out, size_t size);

struct hash_key {
    uint64_t seed[2]; /* random at start; not secret against who reads our memory */
};

/* A 64-bit multiply hash with a random seed: spreads cache keys. It decides
 * nothing: whoever finds an entry compares the whole key. */
uint64_t keyed_hash(const struct hash_key *key, struct view bytes);

#endif
