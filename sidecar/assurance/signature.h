/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of JWS: RFC 7518 sections 3.1 and 3.3 to 3.5, RFC 8037 section 3.1. One
 * table of algorithms; each names the only type of key that it goes with. */
#ifndef BARTIZAN_SIGNATURE_H
#define BARTIZAN_SIGNATURE_H

#include "jwks.h"

struct signature_algorithm {
    enum jose_algorithm number;
    enum jwk_type type;
    const char *digest;   /* OpenSSL's name; NULL for EdDSA, which hashes by itself */
    bool is_pss;          /* RSASSA-PSS, its salt as long as the digest */
    size_t integer_bytes; /* of r and of s; 0 unless ECDSA */
};

/* The algorithm of this name, letter case included, or NULL. */
const struct signature_algorithm *signature_algorithm(struct view name);

/* True when `signature` over `text` verifies with the key. False for everything
 * else: a key of another type or `alg`, another length than the algorithm's, r or s
 * of zero or not below the order. High-s signatures verify: JWS has no low-s rule. */
bool signature_verify(const struct signature_algorithm *algorithm, const struct jwk *key, struct view text,
                      struct view signature);

#endif
