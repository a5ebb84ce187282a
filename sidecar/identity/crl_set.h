/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists of one trust domain: RFC 5280 section 5. Whether a
 * list is signed by whom it says is checked with every path that is looked up in
 * it (RFC 5280 section 6.3.3), by OpenSSL. Complete lists only: no delta, none that is
 * indirect or for some reasons only. Immutable once built; read by any thread. */
#ifndef BARTIZAN_CRL_SET_H
#define BARTIZAN_CRL_SET_H

#include "diag.h"

#include <openssl/x509.h>

enum { CRL_SET_BYTES_MAX = 8 * 1024 * 1024, CRL_SET_LISTS_MAX = 64 };

struct crl_set;

/* The lists of `text`: PEM blocks labelled X509 CRL with white space between them, or
 * one list in DER. They go into `store` too. No list at all is a set of none.
 * ERR_INVALID with diags naming `file`: something else stands there, a list is not
 * complete, or there is too much. ERR_NO_MEMORY. */
MUST_CHECK enum err crl_set_build(struct view file, struct view text, X509_STORE *store, struct diag_list *diags,
                                  struct crl_set **out);
void crl_set_free(struct crl_set *set); /* harmless on NULL */

size_t crl_set_count(const struct crl_set *set);

/* True when a list in the name of who issued `certificate` has it; also one that has run out. */
bool crl_set_names(const struct crl_set *set, X509 *certificate);

/* Unix seconds of the first thisUpdate or nextUpdate after `now`, when the lists may say something else; INT64_MAX
 * without one. */
int64_t crl_set_until(const struct crl_set *set, int64_t now);

/* Unix seconds of the first nextUpdate, also one that has passed; INT64_MAX without one. */
int64_t crl_set_expires(const struct crl_set *set);

/* DER of list `index`, owned by the caller (OPENSSL_free); its size, or below zero. */
int crl_set_der(const struct crl_set *set, size_t index, unsigned char **out);

/* True when a list of `before` that has not run out at `now` is gone, or is there with a
 * lower number (or, without numbers, an earlier thisUpdate): some certificate could be
 * good again that was revoked. */
bool crl_set_is_older(const struct crl_set *set, const struct crl_set *before, int64_t now);

#endif
