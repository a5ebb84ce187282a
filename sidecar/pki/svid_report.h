/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate is in SPIFFE's terms, and every rule of X509-SVID.md that it breaks.
 * For people: it verifies no signature, and what it finds good may still be refused for its chain. */
#ifndef BARTIZAN_SVID_REPORT_H
#define BARTIZAN_SVID_REPORT_H

#include "arena.h"
#include "digest.h"

#include <openssl/x509.h>

enum { SVID_REPORT_FINDINGS = 16, SVID_REPORT_NAMES = 64 };

enum svid_report_kind {
    SVID_REPORT_OTHER = 0, /* neither: names no SPIFFE ID and signs nothing */
    SVID_REPORT_LEAF,
    SVID_REPORT_SIGNING, /* an authority */
};

struct svid_report {
    enum svid_report_kind kind;
    struct view spiffe_id;                        /* the first URI SAN, as it stands; absent without */
    struct view serial;                           /* lower-case hex */
    struct view subject, issuer;                  /* RFC 2253 */
    struct view key;                              /* "P-256" */
    struct view key_usage, extended_key_usage;    /* "digitalSignature, keyCertSign"; absent without the extension */
    struct view subject_key_id, authority_key_id; /* lower-case hex; absent without */
    struct view dns[SVID_REPORT_NAMES];           /* other names never are identity */
    size_t dns_count;                             /* kept */
    int64_t not_before, not_after;                /* unix seconds */
    bool is_self_issued;
    char sha256[2 * SHA256_BYTES], spki_sha256[2 * SHA256_BYTES]; /* lower-case hex */
    struct view findings[SVID_REPORT_FINDINGS];                   /* sentences, static */
    size_t finding_count;
};

/* Every view lives in `arena` or is static. ERR_MALFORMED: it cannot be read. ERR_NO_MEMORY. */
MUST_CHECK enum err svid_report_make(X509 *certificate, int64_t now, struct arena *arena, struct svid_report *out);

#endif
