/* SPDX-License-Identifier: Apache-2.0 */
/* The public keys of token issuers, as OpenSSL keys ready to verify.
 * RFC 7517; a key whose `use` is not `sig`, of an unknown kty or weak is left out,
 * a duplicate kid refuses the set. Immutable once built. */
#ifndef BARTIZAN_JWKS_H
#define BARTIZAN_JWKS_H

#include "diag.h"

struct jwks_sets;

struct jwks_source {
    struct view issuer; /* URL */
    struct view file;   /* for messages */
    struct view text;   /* the JWKS document; absent: not there yet, tokens of it are unjudgeable */
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
struct view jwks_sets_digest(const struct jwks_sets *sets); /* hex SHA-256, owned */

#endif
