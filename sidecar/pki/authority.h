/* SPDX-License-Identifier: Apache-2.0 */
/* A trust domain's authority in a folder, for development and small installations:
 *
 *   root.key root.pem                   signs intermediates; its key may be kept elsewhere
 *   intermediates/SERIAL.key SERIAL.pem sign SVIDs and the list of what they revoked; in the bundle until
 *                                       they expire
 *   current                             the serial of the one that issues
 *   issued/SERIAL.pem                   every SVID that was issued
 *   bundle.pem bundle.json              what verifiers take: root and intermediates, since a proxy may
 *                                       hand over the leaf alone
 *   lists/SERIAL.pem                    the revocation list of one intermediate; made by its first revocation
 *   crl.pem                             all of these, as verifiers take them
 * Keys are of mode 0600 and refused when others may read them. Nothing that is there is overwritten but
 * bundles, lists and, on rotation, `current`. One writer at a time (flock on the folder). */
#ifndef BARTIZAN_AUTHORITY_H
#define BARTIZAN_AUTHORITY_H

#include "certificate_issue.h"
#include "crl_issue.h"
#include "key_pair.h"
#include "spiffe_id.h"

enum { DAY_SECONDS = 86400 };
enum {
    AUTHORITY_ROOT_DAYS = 3650,
    AUTHORITY_INTERMEDIATE_DAYS = 365,
    AUTHORITY_CRL_DAYS = 7,
    AUTHORITY_REFRESH_HINT = 300,           /* seconds: SPIFFE_Federation.md section 4.1 */
    AUTHORITY_SVID_SECONDS = DAY_SECONDS,   /* what an SVID lives unless asked otherwise */
    AUTHORITY_SVID_MOST = 90 * DAY_SECONDS, /* and at most */
};

enum { AUTHORITY_PROBLEM_BYTES = 512, AUTHORITY_SERIAL_TEXT = 2 * 20 + 1, AUTHORITY_SIGNERS_MAX = 32 };

/* An intermediate; its key is NULL when the authority was opened for reading, its list before the first revocation. */
struct authority_signer {
    X509 *certificate;
    EVP_PKEY *key;
    X509_CRL *list;
};

struct authority {
    int folder;
    X509 *root;
    struct authority_signer signers[AUTHORITY_SIGNERS_MAX]; /* the first issues */
    size_t signer_count;
    char trust_domain[TRUST_DOMAIN_MAX + 1];
    int64_t now;
    struct arena arena;
    char problem[AUTHORITY_PROBLEM_BYTES]; /* what went wrong, for people, after any error */
};

struct authority_settings {
    struct view trust_domain;
    enum key_pair_kind kind;
    uint32_t root_days, intermediate_days;
};

/* Makes the authority in the folder `dir` (made when it is not there, mode 0700). ERR_CONFLICT: one is there.
 * After an error as after success, authority_close. */
MUST_CHECK enum err authority_create(const char *dir, const struct authority_settings *settings, int64_t now,
                                     struct authority *out);

enum authority_mode { AUTHORITY_READS = 0, AUTHORITY_SIGNS };

/* Opens what authority_create made. ERR_NOT_FOUND, ERR_INVALID (a file is not what it should be, a key is open to
 * others), ERR_CONFLICT (another command holds the folder), ERR_IO. */
MUST_CHECK enum err authority_open(const char *dir, enum authority_mode mode, int64_t now, struct authority *out);
void authority_close(struct authority *authority);

struct authority_svid {
    struct view spiffe_id; /* of the authority's trust domain */
    const struct view *dns;
    size_t dns_count;
    EVP_PKEY *key;
    int64_t lifetime; /* seconds, 1 to AUTHORITY_SVID_MOST */
};

/* Issues an SVID and keeps a copy under issued/. The certificate is the caller's. ERR_MALFORMED, ERR_LIMIT. */
MUST_CHECK enum err authority_issue(struct authority *authority, const struct authority_svid *svid, X509 **out);

/* A new intermediate with a new key, which issues from now on. Needs root.key (ERR_NOT_FOUND). */
MUST_CHECK enum err authority_rotate(struct authority *authority, enum key_pair_kind kind, uint32_t days);

/* Puts `certificate` on the list of the intermediate that issued it. ERR_CONFLICT: it is on it already, and in crl.pem.
 * ERR_NOT_FOUND: none of ours issued it. */
MUST_CHECK enum err authority_revoke(struct authority *authority, X509 *certificate, int reason);

/* Signs every list again with a new number and nextUpdate AUTHORITY_CRL_DAYS ahead, and makes the missing ones. */
MUST_CHECK enum err authority_renew_lists(struct authority *authority);

/* True when one of its intermediates that have not expired signed `certificate`. */
bool authority_has_issued(const struct authority *authority, X509 *certificate);

/* True when the intermediate that issued `certificate` has it on its list. */
bool authority_has_revoked(const struct authority *authority, X509 *certificate);

/* Calls `each` for every SVID under issued/, in no order; one that cannot be read is passed over and counted. */
MUST_CHECK enum err authority_each_issued(struct authority *authority, void (*each)(void *context, X509 *certificate),
                                          void *context, size_t *unreadable);

/* Lower-case hex of a serial, as files are named by it. */
void authority_serial_text(const ASN1_INTEGER *serial, char out[AUTHORITY_SERIAL_TEXT]);

#endif
