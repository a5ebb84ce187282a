/* SPDX-License-Identifier: Apache-2.0 */
/* The X.509 authorities of one trust domain. Immutable once built, reference-counted;
 * read by any thread. */
#ifndef BARTIZAN_TRUST_BUNDLE_H
#define BARTIZAN_TRUST_BUNDLE_H

#include "bundle_document.h"
#include "crl_set.h"
#include "x509_path.h"

#include <openssl/x509.h>

struct trust_bundle;

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

/* PEM holds CERTIFICATE blocks and white space only; what of a SPIFFE bundle document is
 * ignored: bundle_document.h. A certificate that is no CA, a root whose own signature does
 * not verify, an invalid trust domain name or text that does not parse: ERR_INVALID with
 * diags. A domain that its map leaves out is one with no authorities, as is a document
 * with no keys. An absent text gives a domain that is known and has no authorities: every
 * SVID of it is refused with REASON_KEYS_UNAVAILABLE. Revocation lists: crl_set_build.
 * The caller owns the one reference. */
MUST_CHECK enum err trust_bundle_build(const struct trust_bundle_source *source, struct diag_list *diags,
                                       struct trust_bundle **out);
/* Gives it the generation of the one before, which trusted the same certificates. While one thread owns it. */
void trust_bundle_keep_generation(struct trust_bundle *bundle, uint64_t generation);
struct trust_bundle *trust_bundle_hold(struct trust_bundle *bundle);
void trust_bundle_drop(struct trust_bundle *bundle); /* harmless on NULL */

struct view trust_bundle_name(const struct trust_bundle *bundle);  /* of its domain */
X509_STORE *trust_bundle_store(const struct trust_bundle *bundle); /* owned by the bundle */
size_t trust_bundle_count(const struct trust_bundle *bundle);      /* authorities */
X509 *trust_bundle_authority(const struct trust_bundle *bundle, size_t i);
uint64_t trust_bundle_generation(const struct trust_bundle *bundle);
/* Its revocation lists and how they count; NULL where none are configured. */
const struct crl_set *trust_bundle_crls(const struct trust_bundle *bundle);
const struct x509_path_crls *trust_bundle_crl_rule(const struct trust_bundle *bundle);
/* Unix seconds of the first authority to expire; INT64_MAX when there is none. */
int64_t trust_bundle_expires(const struct trust_bundle *bundle);
/* What its text says beside the authorities: sequence, refresh hint, what was ignored. */
const struct bundle_facts *trust_bundle_facts(const struct trust_bundle *bundle);
/* False when its text was absent: nobody can be judged (REASON_KEYS_UNAVAILABLE).
 * True with no authorities is the domain's mass revocation: nobody is trusted. */
bool trust_bundle_is_loaded(const struct trust_bundle *bundle);
/* True for a domain that its map does not have. */
bool trust_bundle_is_left_out(const struct trust_bundle *bundle);
/* SHA-256 over its name, state, authorities and revocation lists. */
const uint8_t *trust_bundle_digest(const struct trust_bundle *bundle);

#endif
