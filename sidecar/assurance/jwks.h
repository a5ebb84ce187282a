/* SPDX-License-Identifier: Apache-2.0 */
/* The public keys of token issuers, as OpenSSL keys ready to verify: RFC 7517,
 * RFC 7518 section 6, RFC 8037 section 2 (Ed25519). Immutable once built.
 *
 * Left out, as RFC 7517 section 5 has it: a key of an unknown kty or curve, a `use`
 * other than `sig`, `key_ops` without `verify`, a malformed or a weak one (RSA below
 * 2048 or above 8192 bits, an even exponent or 1, the ROCA weakness). x5c, x5t and unknown members are
 * not looked at. The whole set is refused: a kid that occurs twice, a private or
 * symmetric key (its secret has leaked), a text over JWKS_BYTES_MAX. */
#ifndef BARTIZAN_JWKS_H
#define BARTIZAN_JWKS_H

#include "diag.h"
#include "jose_algorithm.h"
#include "jwk.h"

enum { JWKS_BYTES_MAX = 256 * 1024, JWKS_KEYS_MAX = 128 };

struct jwks_sets;

struct jwks_source {
    struct view issuer;  /* URL */
    struct view file;    /* for messages */
    struct view text;    /* the JWKS document; absent: not there yet, tokens of it are unjudgeable */
    uint32_t algorithms; /* that its tokens may be signed with; 0: JOSE_USUAL */
    uint64_t generation;
};

/* One key set per issuer. ERR_INVALID with diags. */
MUST_CHECK enum err jwks_sets_build(const struct jwks_source *sources, size_t count, struct diag_list *diags,
                                    struct jwks_sets **out);
void jwks_sets_free(struct jwks_sets *sets);

struct jwks; /* the keys of one issuer */
/* The keys of `issuer`, or NULL when the configuration does not name it. */
const struct jwks *jwks_sets_find(const struct jwks_sets *sets, struct view issuer);
bool jwks_is_available(const struct jwks *jwks); /* false: its document is not there */
size_t jwks_count(const struct jwks *jwks);
uint64_t jwks_generation(const struct jwks *jwks);
/* True when tokens of this issuer may be signed with it. */
bool jwks_allows(const struct jwks *jwks, enum jose_algorithm algorithm);

/* The key with this kid, or NULL. */
const struct jwk *jwks_find(const struct jwks *jwks, struct view kid);

/* The one key that is for the algorithm, or NULL when there are none or several. */
const struct jwk *jwks_find_only(const struct jwks *jwks, enum jwk_type type, struct view algorithm);

struct view jwks_sets_digest(const struct jwks_sets *sets); /* hex SHA-256, owned */

#endif
