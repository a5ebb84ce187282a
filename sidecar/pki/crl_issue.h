/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate revocation list of a small authority: RFC 5280 section 5. */
#ifndef BARTIZAN_CRL_ISSUE_H
#define BARTIZAN_CRL_ISSUE_H

#include "certificate_issue.h"

/* RFC 5280 section 5.3.1. `text`: keyCompromise, cACompromise, affiliationChanged, superseded,
 * cessationOfOperation, privilegeWithdrawn, unspecified; true and *out, or false. */
bool crl_reason_parse(struct view text, int *out);
const char *crl_reason_text(int reason); /* static; "unspecified" for any other */

struct crl_request {
    X509_CRL *previous;         /* whose entries stay and whose number goes up by one; NULL: the first */
    const ASN1_INTEGER *serial; /* revoked now; NULL: the list is only renewed */
    int reason;                 /* of crl_reason_parse */
    int64_t now, next_update;   /* unix seconds */
};

/* A version 2 list with number and authority key identifier, signed by `issuer`, owned by the caller.
 * ERR_CONFLICT: the serial is on the previous one already. ERR_NO_MEMORY: OpenSSL failed. */
MUST_CHECK enum err crl_issue(const struct crl_request *request, const struct certificate_issuer *issuer,
                              X509_CRL **out);

/* CRL number; 0 without one. */
uint64_t crl_number(const X509_CRL *list);

/* True when `serial` is on the list. */
bool crl_has(X509_CRL *list, const ASN1_INTEGER *serial);

void crl_drop(X509_CRL **list); /* for AUTO */

#endif
