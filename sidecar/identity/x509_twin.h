/* SPDX-License-Identifier: Apache-2.0 */
/* The other form of a certificate that ECDSA signed. With (r, s) the signature (r, n - s) is good, too (SEC 1 section
 * 4.1.4), so whoever has such a certificate can make a second one of the same content and key, good everywhere, with
 * another SHA-256. A deny list by hash has to ask for both. */
#ifndef BARTIZAN_X509_TWIN_H
#define BARTIZAN_X509_TWIN_H

#include "digest.h"

#include <openssl/x509.h>

/* SHA-256 of the DER of the other form of `certificate`, whose signature by `issuer` was found good. *out stays as it
 * is where there is none: another kind of key signed. ERR_NO_MEMORY. */
MUST_CHECK enum err x509_twin_sha256(X509 *certificate, X509 *issuer, uint8_t out[SHA256_BYTES]);

#endif
