/* SPDX-License-Identifier: Apache-2.0 */
/* The trust bundles of a snapshot, domain by domain: what is wrong with the files of one
 * domain, a partner's say, keeps no removal in another's from being enforced. The domains
 * of one bundle map stand or fall together (SPIFFE_Trust_Domain_and_Bundle appendix B.1). */
#ifndef BARTIZAN_BUNDLE_LOAD_H
#define BARTIZAN_BUNDLE_LOAD_H

#include "config.h"
#include "feed_stamp.h"
#include "source_file.h"
#include "trust_bundles.h"

/* Of one trust domain. Zeroed first and copied as memory, since its bytes are digested. */
struct domain_state {
    struct source_state text, lists; /* its bundle, its revocation lists */
    uint64_t floor;                  /* the highest spiffe_sequence that was in force: none below is taken */
};

struct bundle_load {
    const struct config *config;
    struct source_reader reader;
    struct feed_freshness feed;
    int64_t now;
    const struct trust_bundles *before; /* in force now; NULL at the start */
    const struct domain_state *before_states;
    struct domain_state *states;       /* zeroed; filled, in the configuration's order */
    uint8_t fingerprint[SHA256_BYTES]; /* filled: of everything that the result depends on */
};

/* Reads and builds. What comes from the Workload API and is stale is as if it were not there. Refused of a domain: what
 * cannot be read or is malformed, an older sequence (E0905), older revocation lists (E0906); then it keeps what it has
 * in `before`, and *out is set beside the error of the first. Without `before` an error leaves *out untouched. Only
 * ERR_NO_MEMORY always does. */
MUST_CHECK enum err bundle_load_build(struct bundle_load *load, struct trust_bundles **out);

#endif
