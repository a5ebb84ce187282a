/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's X.509-SVID, verified: SPIFFE X509-SVID.md sections 2 to 5, RFC 5280
 * section 6 by OpenSSL, and the rulings of docs/identity.md. */
#ifndef BARTIZAN_X509_SVID_H
#define BARTIZAN_X509_SVID_H

#include "clearance.h"
#include "deny_marks.h"
#include "digest.h"
#include "reason.h"
#include "spiffe_id.h"
#include "trust_bundles.h"

enum {
    SVID_CHAIN_BYTES_MAX = 64 * 1024, /* of URL-encoded text */
    SVID_CHAIN_MAX = 6,               /* certificates supplied beside the leaf */
    SVID_EXTENSIONS_MAX = 64,         /* of one certificate */
    SVID_SERIAL_MAX = 20,             /* RFC 5280 section 4.1.2.2 */
    SVID_PROXIES_MAX = 7,             /* trusted proxies that can stand between a caller and us */
    SVID_AUTHORITIES_MAX = 40,        /* of a caller and as many proxies, each with the longest path */
};

/* A proxy that vouched for the caller: revoked with it, so is what it vouched for. */
struct x509_svid_proxy {
    struct view id; /* points into the configuration, which outlives every caller */
    uint8_t sha256[SHA256_BYTES];
    uint8_t twin_sha256[SHA256_BYTES];
    uint8_t spki_sha256[SHA256_BYTES];
    struct deny_serial serial;
    uint64_t bundle_generation; /* of its own domain's bundle */
};

/* A caller that xfcc-text believes has an ID and what Hash says, if it says something;
 * the rest is zero, and no time bounds it.
 * Self-contained: no pointer out of itself but the views of `id`, which point into
 * `id_text`, and the IDs of `proxies`. */
struct x509_svid {
    char id_text[SPIFFE_ID_MAX];
    struct spiffe_id id;
    bool is_believed;                  /* by the text of a proxy (caller_proof.h); never so from x509_svid_verify */
    uint8_t sha256[SHA256_BYTES];      /* of the leaf's DER: RFC 8705 x5t#S256, XFCC Hash */
    uint8_t twin_sha256[SHA256_BYTES]; /* of its other form (x509_twin.h), else the same */
    uint8_t spki_sha256[SHA256_BYTES]; /* of the leaf's SubjectPublicKeyInfo DER */
    struct deny_serial serial;         /* issuer and serial number */
    int64_t not_before;                /* latest over the chain, unix seconds */
    int64_t not_after;                 /* earliest over the chain and its domain's revocation lists */
    uint64_t bundle_generation;        /* of the bundle it was verified against */
    struct x509_svid_proxy proxies[SVID_PROXIES_MAX]; /* filled by caller_proof_verify, the caller's own first */
    size_t proxy_count;
    struct deny_authority authorities[SVID_AUTHORITIES_MAX]; /* above the caller and every proxy, each once */
    size_t authority_count;
    struct clearance clearance; /* of a kept one: what the deny list said last; zero from x509_svid_verify */
};

/* Adds an authority unless it is there; false when there is no room. */
bool x509_svid_add_authority(struct x509_svid *svid, const struct deny_authority *authority);

/* Copies `from`, pointing the copied id into the copy. */
void x509_svid_copy(const struct x509_svid *from, struct x509_svid *to);

/* Verifies the URL-encoded (or plain) PEM `leaf` at `now`, with the optional PEM
 * `chain`: leaf first, which must be `leaf` byte for byte in DER, and is the leaf
 * when `leaf` is absent. REASON_NONE and *out; else REASON_CERTIFICATE_*,
 * REASON_XFCC_MISMATCH (chain does not begin with leaf) or REASON_KEYS_UNAVAILABLE;
 * then *out holds what could be read (id_text for the record; id.text absent when
 * unknown), none of it verified. Both absent: REASON_CERTIFICATE_NONE.
 * Safe from any thread; allocates and frees; leaves this thread's OpenSSL error
 * queue empty. */
enum reason x509_svid_verify(struct view leaf, struct view chain, const struct trust_bundles *bundles, int64_t now,
                             struct x509_svid *out);

/* SHA-256 of the DER of the one certificate in the URL-encoded (or plain) PEM
 * `leaf`: REASON_NONE or REASON_CERTIFICATE_MALFORMED. Verifies nothing. */
enum reason x509_svid_fingerprint(struct view leaf, uint8_t out[SHA256_BYTES]);

#endif
