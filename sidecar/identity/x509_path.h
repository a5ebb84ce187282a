/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 5280 section 6 path validation by OpenSSL, as we set it up.
 *
 * Every authority of a store is an anchor (PARTIAL_CHAIN), at most
 * X509_PATH_DEPTH authorities stand between leaf and anchor, security level 2
 * (no SHA-1), keys as x509_key.h has them, certificate policies processed (an
 * authority may demand one), X509_STRICT with two exceptions: a leaf may lack the authority key identifier, and an
 * anchor may lack identifiers and key usage (its form is not part of path
 * validation). A common name is never read as a host name. */
#ifndef BARTIZAN_X509_PATH_H
#define BARTIZAN_X509_PATH_H

#include "deny_marks.h"
#include "reason.h"

#include <openssl/x509.h>

enum { X509_PATH_DEPTH = 4, X509_PATH_AUTHORITIES_MAX = X509_PATH_DEPTH + 1 };

/* How the store's revocation lists count, for every certificate but the anchor. */
struct x509_path_crls {
    bool accepts_missing; /* an issuer without a list has revoked nobody but whom one in its name has */
    bool accepts_expired; /* a list past its nextUpdate still tells whom it revoked */
};

struct crl_set;

struct x509_path {
    X509_STORE *store;
    X509 *leaf;
    STACK_OF(X509) * untrusted;        /* what the caller supplied beside the leaf; may be NULL */
    int purpose;                       /* X509_PURPOSE_SSL_CLIENT; also held against the EKU of authorities */
    int64_t now;                       /* unix seconds */
    const struct x509_path_crls *crls; /* NULL: revocation lists are not looked at */
    const struct crl_set *lists;       /* those of the store; not NULL beside `crls` */
    uint8_t *twin_sha256;              /* receives x509_twin_sha256 of the leaf; NULL: not asked for */
};

struct x509_path_validity {
    int64_t not_before; /* latest over the path */
    int64_t not_after;  /* earliest over the path */
    struct deny_authority
        authorities[X509_PATH_AUTHORITIES_MAX]; /* from the leaf's issuer to the anchor, which counts */
    size_t authority_count;                     /* 0: the leaf is itself the anchor */
};

/* An empty store with these settings, or NULL. Freed by X509_STORE_free. */
X509_STORE *x509_path_store_new(void);

/* Unix seconds of `time`; false when it is none. */
bool x509_path_seconds(const ASN1_TIME *time, int64_t *out);

/* Of a supplied certificate nothing is computed with before its key is found acceptable.
 * REASON_NONE and *out, or REASON_CERTIFICATE_UNTRUSTED, _EXPIRED, _NOT_YET_VALID,
 * _KEY, _LEAF (the leaf's purpose or a critical extension of it), _REVOKED or
 * REASON_CERTIFICATE_STATUS (a list that is needed is missing, has run out or is not
 * signed by the issuer). Leaves
 * nothing in this thread's OpenSSL error queue. */
enum reason x509_path_verify(const struct x509_path *path, struct x509_path_validity *out);

#endif
