/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON Web Key as an OpenSSL key that is ready to verify: RFC 7517 section 4,
 * RFC 7518 section 6, RFC 8037 section 2 (Ed25519). */
#ifndef BARTIZAN_JWK_H
#define BARTIZAN_JWK_H

#include "view.h"

enum { JWK_KID_MAX = 256 };

enum jwk_type { JWK_UNKNOWN = 0, JWK_RSA, JWK_EC_P256, JWK_EC_P384, JWK_EC_P521, JWK_ED25519 };

struct evp_pkey_st;
struct json;

struct jwk {
    struct view kid; /* absent when there is none */
    struct view alg; /* the only algorithm it is for; absent: any of its type */
    enum jwk_type type;
    struct evp_pkey_st *key; /* its owner's; safe for any number of threads */
};

/* NULL and *out, whose texts borrow from `json` and whose key is the caller's; or why it is
 * none of ours, in words: of an unknown kty or curve, malformed, or weak (RSA below 2048 or
 * above 8192 bits, an even exponent or 1, the ROCA weakness). */
const char *jwk_read(const struct json *json, struct jwk *out);

/* A private or symmetric key: members that are secret. */
bool jwk_has_secret(const struct json *json);

/* False for keys of another purpose, e.g. the `enc` key that Keycloak publishes beside. */
bool jwk_is_for_verifying(const struct json *json);

/* True when the key's type and `alg` allow the algorithm. */
bool jwk_is_for(const struct jwk *jwk, enum jwk_type type, struct view algorithm);

#endif
