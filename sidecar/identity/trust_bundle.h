/* SPDX-License-Identifier: Apache-2.0 */
/* The X.509 authorities of each trust domain: never merged, never shared
 * (SPIFFE Federation sections 4.2 and 7.3). Immutable once built; read by any thread. */
#ifndef BARTIZAN_TRUST_BUNDLE_H
#define BARTIZAN_TRUST_BUNDLE_H

#include "bundle_document.h"
#include "crl_set.h"
#include "x509_path.h"

#include <openssl/x509.h>

struct trust_bundle; /* the authorities of one trust domain */
struct trust_bundles;

struct trust_bundle_source {
    struct view trust_domain;
    struct view file; /* for messages */
    struct view text; /* PEM certificates or a SPIFFE bundle document; absent: not there yet (feed owns it) */
    uint32_t line;    /* of the file in which it begins; 0: the first */
    bool is_left_out; /* the bundle map that is there does not have the domain: loaded, nobody is trusted */
    uint64_t generation;
    bool has_crls;              /* revocation lists are configured */
    struct x509_path_crls crls; /* and how they count */
    struct view crl_file, crl_text;
};

enum { TRUST_BUNDLE_BYTES_MAX = 1024 * 1024, TRUST_BUNDLE_AUTHORITIES_MAX = 256 };

/* One bundle per source. PEM holds CERTIFICATE blocks and white space only. Of a
 * SPIFFE bundle document (Trust_Domain_and_Bundle section 4) elements of another
 * `use`, or without an x5c value, are ignored, and so is every x5c value after the
 * first (X509-SVID section 6.2). A certificate that is no CA, an invalid trust domain
 * name, a domain named twice or text that does not parse: ERR_INVALID with diags.
 * A domain that its map leaves out is one with no authorities, as is a document with no keys.
 * An absent text gives a domain that is known and has no authorities: every SVID
 * of it is refused with REASON_KEYS_UNAVAILABLE. Revocation lists: crl_set_build. */
MUST_CHECK enum err trust_bundles_build(const struct trust_bundle_source *sources, size_t count,
                                        struct diag_list *diags, struct trust_bundles **out);
void trust_bundles_free(struct trust_bundles *bundles);

/* The bundle of `trust_domain`, or NULL. */
const struct trust_bundle *trust_bundles_find(const struct trust_bundles *bundles, struct view trust_domain);

/* Its revocation lists and how they count; NULL where none are configured. */
const struct crl_set *trust_bundle_crls(const struct trust_bundle *bundle);
const struct x509_path_crls *trust_bundle_crl_rule(const struct trust_bundle *bundle);
X509_STORE *trust_bundle_store(const struct trust_bundle *bundle); /* owned by the bundle */
size_t trust_bundle_count(const struct trust_bundle *bundle);      /* authorities */
uint64_t trust_bundle_generation(const struct trust_bundle *bundle);
/* Unix seconds of the first authority to expire; INT64_MAX when there is none. */
int64_t trust_bundle_expires(const struct trust_bundle *bundle);
/* What its text says beside the authorities: sequence, refresh hint, what was ignored. */
const struct bundle_facts *trust_bundle_facts(const struct trust_bundle *bundle);
/* False when its text was absent: nobody can be judged (REASON_KEYS_UNAVAILABLE).
 * True with no authorities is the domain's mass revocation: nobody is trusted. */
bool trust_bundle_is_loaded(const struct trust_bundle *bundle);
/* True for a domain that its map does not have. */
bool trust_bundle_is_left_out(const struct trust_bundle *bundle);

/* Lower-case hex SHA-256 over every domain's name, state, authorities and revocation
 * lists in order: 64 bytes, owned by the bundles. The same digest trusts the same
 * certificates. */
struct view trust_bundles_digest(const struct trust_bundles *bundles);

/* Calls `each` for every domain, in order of name. */
void trust_bundles_each(const struct trust_bundles *bundles,
                        void (*each)(void *context, struct view trust_domain, const struct trust_bundle *bundle),
                        void *context);

#endif
