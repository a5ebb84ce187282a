/* SPDX-License-Identifier: Apache-2.0 */
/* Signing keys, key sets and tokens for tests and benchmarks, made with OpenSSL
 * alone: nothing of the code under test signs or encodes them. Every function
 * aborts where it cannot do its work. Texts are the caller's to free(). */
#ifndef BARTIZAN_TEST_TOKENS_H
#define BARTIZAN_TEST_TOKENS_H

#include <stddef.h>
#include <stdint.h>

struct test_key;

/* A fresh RSA key of `bits` bits, which signs RS256, or a P-256 key, which signs ES256. */
struct test_key *test_key_rsa(const char *kid, unsigned bits);
struct test_key *test_key_ec(const char *kid);
void test_key_free(struct test_key *key);

/* The public key as a JWK object: kid, kty, use, alg and the numbers. */
char *test_key_jwk(const struct test_key *key);

/* {"keys":[...]} of the public keys. */
char *test_jwks(struct test_key *const *keys, size_t count);

/* A compact JWS over `claims` (any text) with {"alg":...,"kid":...,"typ":"at+jwt"}. */
char *test_token(const struct test_key *key, const char *claims);

/* The same with any header text, signed in the key's own algorithm whatever it says. */
char *test_token_with_header(const struct test_key *key, const char *header, const char *claims);

/* Base64url without padding of `size` bytes. */
char *test_base64url(const void *bytes, size_t size);

#endif
