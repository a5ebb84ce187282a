/* SPDX-License-Identifier: Apache-2.0 */
/* Which public keys are taken, of leaves and of authorities alike: P-256, P-384, P-521, Ed25519, RSA.
 *
 * RSA from 2048 to 8192 bits with an odd exponent from 3 to 2^32: one signature check costs what modulus and exponent
 * are long, and with an exponent of 1 everybody can sign. */
#ifndef BARTIZAN_X509_KEY_H
#define BARTIZAN_X509_KEY_H

#include <openssl/x509.h>
#include <stdbool.h>

enum { X509_KEY_RSA_BITS_MIN = 2048, X509_KEY_RSA_BITS_MAX = 8192, X509_KEY_RSA_EXPONENT_BITS_MAX = 32 };

/* False also for a key that OpenSSL cannot read. Does no arithmetic with the key. */
bool x509_key_is_accepted(X509 *certificate);

#endif
