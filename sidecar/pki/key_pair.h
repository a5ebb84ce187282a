/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys of a trust domain's authorities and SVIDs, as PKCS #8 PEM (RFC 5958)
 * without a passphrase: their files' mode is what keeps them. */
#ifndef BARTIZAN_KEY_PAIR_H
#define BARTIZAN_KEY_PAIR_H

#include "arena.h"

#include <openssl/evp.h>

enum key_pair_kind { KEY_PAIR_P256 = 0, KEY_PAIR_P384, KEY_PAIR_RSA3072 };

/* "p256", "p384", "rsa3072": true and *out, or false. */
bool key_pair_kind_parse(struct view text, enum key_pair_kind *out);

/* A new key, owned by the caller, or NULL when OpenSSL has none to give. */
EVP_PKEY *key_pair_generate(enum key_pair_kind kind);

/* The key of `pem`, owned by the caller; NULL when it holds none that needs no passphrase. */
EVP_PKEY *key_pair_parse(struct view pem);

/* PEM in `arena`; absent when it does not fit or cannot be made. The memory of
 * OpenSSL's own copy is cleared. */
struct view key_pair_print(const EVP_PKEY *key, struct arena *arena);

/* "P-256", "RSA 3072"; of any key, also of one that no SVID may have. */
struct view key_pair_name(const EVP_PKEY *key, struct arena *arena);

void key_pair_drop(EVP_PKEY **key); /* for AUTO */

#endif
