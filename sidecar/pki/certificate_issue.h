/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a small SPIFFE authority: X509-SVID.md sections 2 to 4, RFC 5280
 * section 4. What is made here is accepted by x509_svid_verify and, with its
 * X509_STRICT, by OpenSSL. */
#ifndef BARTIZAN_CERTIFICATE_ISSUE_H
#define BARTIZAN_CERTIFICATE_ISSUE_H

#include "err.h"
#include "view.h"

#include <openssl/x509.h>

enum certificate_kind {
    CERTIFICATE_SVID = 0,     /* a leaf: digitalSignature, serverAuth and clientAuth */
    CERTIFICATE_ROOT,         /* self-signed: keyCertSign, cRLSign */
    CERTIFICATE_INTERMEDIATE, /* signs SVIDs only: pathLenConstraint 0 */
};

enum {
    CERTIFICATE_DNS_MAX = 32,      /* DNS names in one SVID */
    CERTIFICATE_DNS_BYTES = 253,   /* RFC 1035 section 3.1, as text */
    CERTIFICATE_BACKDATE = 5 * 60, /* seconds that a clock may be behind */
};

struct certificate_request {
    enum certificate_kind kind;
    struct view spiffe_id; /* an SVID's has a path, an authority's has none */
    const struct view *dns;
    size_t dns_count;
    EVP_PKEY *key; /* whose public half is certified */
    int64_t now;   /* unix seconds; notBefore lies CERTIFICATE_BACKDATE earlier */
    int64_t not_after;
};

struct certificate_issuer { /* both NULL for CERTIFICATE_ROOT, which signs itself */
    X509 *certificate;
    EVP_PKEY *key;
};

/* A certificate with a random serial of 159 bits, owned by the caller.
 * ERR_MALFORMED: the SPIFFE ID or a DNS name is not one, or does not go with the kind.
 * ERR_LIMIT: not_after is not after `now`, or later than the issuer's own.
 * ERR_NO_MEMORY: OpenSSL failed. */
MUST_CHECK enum err certificate_issue(const struct certificate_request *request,
                                      const struct certificate_issuer *issuer, X509 **out);

/* True for a host name or `*.` and one: letters, digits, hyphens, dots. */
bool certificate_dns_is_valid(struct view name);

void certificate_drop(X509 **certificate); /* for AUTO */

#endif
