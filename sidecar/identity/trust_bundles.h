/* SPDX-License-Identifier: Apache-2.0 */
/* The bundles of all trust domains: never merged, never shared (SPIFFE Federation
 * sections 4.2 and 7.3). Immutable once built; read by any thread. */
#ifndef BARTIZAN_TRUST_BUNDLES_H
#define BARTIZAN_TRUST_BUNDLES_H

#include "digest.h"
#include "trust_bundle.h"

struct trust_bundles;

/* Takes over the reference to each of `items`, also when it fails. ERR_INVALID with diags:
 * a domain that is there twice. */
MUST_CHECK enum err trust_bundles_join(struct trust_bundle *const *items, size_t count, struct diag_list *diags,
                                       struct trust_bundles **out);

/* trust_bundle_build for each source, and join: all of them, or none and every finding. */
MUST_CHECK enum err trust_bundles_build(const struct trust_bundle_source *sources, size_t count,
                                        struct diag_list *diags, struct trust_bundles **out);
void trust_bundles_free(struct trust_bundles *bundles);

/* The bundle of `trust_domain`, or NULL. */
struct trust_bundle *trust_bundles_find(const struct trust_bundles *bundles, struct view trust_domain);

/* Lower-case hex SHA-256 over the digests of all, in order of name: 64 bytes, owned by the
 * bundles. The same digest trusts the same certificates. */
struct view trust_bundles_digest(const struct trust_bundles *bundles);

/* Calls `each` for every domain, in order of name. */
void trust_bundles_each(const struct trust_bundles *bundles,
                        void (*each)(void *context, struct view trust_domain, const struct trust_bundle *bundle),
                        void *context);

/* Calls `each` for two domains with an authority of the same public key, once for each such key and neighbour in
 * order of name. ERR_NO_MEMORY. */
MUST_CHECK enum err trust_bundles_each_shared(const struct trust_bundles *bundles,
                                              void (*each)(void *context, const struct trust_bundle *a,
                                                           const struct trust_bundle *b),
                                              void *context);

/* Notes a domain that a map has and the configuration does not name: nobody of it is trusted. While one
 * thread owns the bundles; once for each name. */
MUST_CHECK enum err trust_bundles_pass_over(struct trust_bundles *bundles, struct view trust_domain);
bool trust_bundles_has_passed_over(const struct trust_bundles *bundles, struct view trust_domain);
/* The names so noted, from 0; absent behind the last. */
struct view trust_bundles_passed_over(const struct trust_bundles *bundles, size_t i);
MUST_CHECK enum err trust_bundles_passed_over_digest(const struct trust_bundles *bundles, uint8_t out[SHA256_BYTES]);

#endif
