/* SPDX-License-Identifier: Apache-2.0 */
#include "test_tokens.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

struct test_key {
    EVP_PKEY *pair;
    char *kid;
    bool is_rsa;
};

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "test_tokens: %s failed\n", what);
    abort();
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    must(memory != NULL, "calloc");
    return memory;
}

char *test_base64url(const void *bytes, size_t size)
{
    char *text = allocate(4 * ((size + 2) / 3) + 1);
    int length = EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    while (length > 0 && text[length - 1] == '=')
        text[--length] = '\0';
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    return text;
}

static struct test_key *key_new(EVP_PKEY *pair, const char *kid, bool is_rsa)
{
    must(pair != NULL, "key generation");
    struct test_key *key = allocate(sizeof *key);
    *key = (struct test_key){.pair = pair, .kid = strdup(kid), .is_rsa = is_rsa};
    must(key->kid != NULL, "strdup");
    return key;
}

struct test_key *test_key_rsa(const char *kid, unsigned bits)
{
    return key_new(EVP_RSA_gen(bits), kid, true);
}

struct test_key *test_key_ec(const char *kid)
{
    return key_new(EVP_EC_gen("P-256"), kid, false);
}

void test_key_free(struct test_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pair);
    free(key->kid);
    free(key);
}

/* A public number as base64url, of `size` bytes or, with 0, as short as it is. */
static char *number(const struct test_key *key, const char *name, int size)
{
    BIGNUM *n = NULL;
    unsigned char bytes[2048];
    must(EVP_PKEY_get_bn_param(key->pair, name, &n) == 1, name);
    int length = size > 0 ? BN_bn2binpad(n, bytes, size) : BN_bn2bin(n, bytes);
    must(length > 0, "BN_bn2bin");
    BN_free(n);
    return test_base64url(bytes, (size_t)length);
}

char *test_key_jwk(const struct test_key *key)
{
    char *a = key->is_rsa ? number(key, OSSL_PKEY_PARAM_RSA_N, 0) : number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    char *b = key->is_rsa ? number(key, OSSL_PKEY_PARAM_RSA_E, 0) : number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    size_t size = strlen(a) + strlen(b) + strlen(key->kid) + 128;
    char *text = allocate(size);
    if (key->is_rsa)
        (void)snprintf(text, size,
                       "{\"kid\":\"%s\",\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"n\":\"%s\",\"e\":\"%s\"}",
                       key->kid, a, b);
    else
        (void)snprintf(text, size,
                       "{\"kid\":\"%s\",\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"crv\":\"P-256\",\"x\":\"%"
                       "s\",\"y\":\"%s\"}",
                       key->kid, a, b);
    free(a);
    free(b);
    return text;
}

char *test_jwks(struct test_key *const *keys, size_t count)
{
    char *text = allocate(64 + 4096 * (count + 1));
    (void)strcpy(text, "{\"keys\":[");
    for (size_t i = 0; i < count; i++) {
        char *jwk = test_key_jwk(keys[i]);
        must(strlen(jwk) < 4000, "a JWK's size");
        if (i > 0)
            (void)strcat(text, ",");
        (void)strcat(text, jwk);
        free(jwk);
    }
    (void)strcat(text, "]}");
    return text;
}

/* r || s of 32 bytes each from OpenSSL's DER form. */
static size_t raw_signature(unsigned char *signature, size_t size)
{
    const unsigned char *p = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &p, (long)size);
    must(pair != NULL, "d2i_ECDSA_SIG");
    must(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32,
         "BN_bn2binpad");
    ECDSA_SIG_free(pair);
    return 64;
}

static char *sign(const struct test_key *key, const char *text)
{
    unsigned char signature[1024];
    size_t size = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
             EVP_DigestSign(context, signature, &size, (const unsigned char *)text, strlen(text)) == 1,
         "EVP_DigestSign");
    EVP_MD_CTX_free(context);
    if (!key->is_rsa)
        size = raw_signature(signature, size);
    return test_base64url(signature, size);
}

char *test_token_with_header(const struct test_key *key, const char *header, const char *claims)
{
    char *first = test_base64url(header, strlen(header)), *second = test_base64url(claims, strlen(claims));
    size_t size = strlen(first) + strlen(second) + 2;
    char *text = allocate(size + 2048);
    (void)snprintf(text, size, "%s.%s", first, second);
    char *signature = sign(key, text);
    must(strlen(signature) < 2000, "a signature's size");
    (void)strcat(text, ".");
    (void)strcat(text, signature);
    free(first);
    free(second);
    free(signature);
    return text;
}

char *test_token(const struct test_key *key, const char *claims)
{
    char header[512];
    int size = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
                        key->is_rsa ? "RS256" : "ES256", key->kid);
    must(size > 0 && (size_t)size < sizeof header, "a header's size");
    return test_token_with_header(key, header, claims);
}
