/* SPDX-License-Identifier: Apache-2.0 */
#include "signature.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { INTEGER_BYTES_MAX = 66, DER_BYTES_MAX = 2 * INTEGER_BYTES_MAX + 12 };

static const struct signature_algorithm ALGORITHMS[JOSE_ALGORITHM_COUNT] = {
    [JOSE_RS256] = {JOSE_RS256, JWK_RSA, "SHA2-256", false, 0},
    [JOSE_RS384] = {JOSE_RS384, JWK_RSA, "SHA2-384", false, 0},
    [JOSE_RS512] = {JOSE_RS512, JWK_RSA, "SHA2-512", false, 0},
    [JOSE_PS256] = {JOSE_PS256, JWK_RSA, "SHA2-256", true, 0},
    [JOSE_PS384] = {JOSE_PS384, JWK_RSA, "SHA2-384", true, 0},
    [JOSE_PS512] = {JOSE_PS512, JWK_RSA, "SHA2-512", true, 0},
    [JOSE_ES256] = {JOSE_ES256, JWK_EC_P256, "SHA2-256", false, 32},
    [JOSE_ES384] = {JOSE_ES384, JWK_EC_P384, "SHA2-384", false, 48},
    [JOSE_ES512] = {JOSE_ES512, JWK_EC_P521, "SHA2-512", false, 66},
    [JOSE_EDDSA] = {JOSE_EDDSA, JWK_ED25519, NULL, false, 0},
    [JOSE_ED25519] = {JOSE_ED25519, JWK_ED25519, NULL, false, 0},
};

const struct signature_algorithm *signature_algorithm(struct view name)
{
    enum jose_algorithm number;
    return jose_algorithm_find(name, &number) ? &ALGORITHMS[number] : NULL;
}

/* The orders of the curves, SEC 2 sections 2.4.2, 2.5.1 and 2.6.1, big-endian. */
static const uint8_t P256_ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                       0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t P384_ORDER[48] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
                                       0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
static const uint8_t P521_ORDER[66] = {
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa,
    0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b,
    0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09};

static const uint8_t *order_of(enum jwk_type type)
{
    return type == JWK_EC_P256 ? P256_ORDER : type == JWK_EC_P384 ? P384_ORDER : P521_ORDER;
}

/* 0 < integer < order: a verifier that leaves this out takes r = s = 0 for anything. */
static bool is_in_range(const struct signature_algorithm *algorithm, const uint8_t *integer)
{
    static const uint8_t ZERO[INTEGER_BYTES_MAX] = {0};
    return memcmp(integer, ZERO, algorithm->integer_bytes) != 0 &&
           memcmp(integer, order_of(algorithm->type), algorithm->integer_bytes) < 0;
}

/* r || s as the DER that OpenSSL wants; 0 when it is not a pair in range. */
static size_t der_from_raw(const struct signature_algorithm *algorithm, struct view raw, uint8_t out[DER_BYTES_MAX])
{
    size_t size = algorithm->integer_bytes;
    if (raw.size != 2 * size)
        return 0;
    const uint8_t *r = (const uint8_t *)raw.data, *s = r + size;
    if (!is_in_range(algorithm, r) || !is_in_range(algorithm, s))
        return 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *first = BN_bin2bn(r, (int)size, NULL), *second = BN_bin2bn(s, (int)size, NULL);
    if (pair == NULL || first == NULL || second == NULL || ECDSA_SIG_set0(pair, first, second) != 1) {
        ECDSA_SIG_free(pair);
        BN_free(first);
        BN_free(second);
        return 0;
    }
    int length = i2d_ECDSA_SIG(pair, NULL);
    if (length > 0 && length <= DER_BYTES_MAX)
        length = i2d_ECDSA_SIG(pair, &out);
    else
        length = 0;
    ECDSA_SIG_free(pair);
    return length > 0 ? (size_t)length : 0;
}

static bool set_padding(const struct signature_algorithm *algorithm, EVP_PKEY_CTX *context)
{
    if (algorithm->type != JWK_RSA)
        return true;
    if (!algorithm->is_pss)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool verify(const struct signature_algorithm *algorithm, EVP_PKEY *key, struct view text, struct view signature)
{
    EVP_PKEY_CTX *settings = NULL; /* owned by the context */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context != NULL &&
                   EVP_DigestVerifyInit_ex(context, &settings, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
                   set_padding(algorithm, settings) &&
                   EVP_DigestVerify(context, (const uint8_t *)signature.data, signature.size,
                                    (const uint8_t *)text.data, text.size) == 1;
    EVP_MD_CTX_free(context);
    return is_good;
}

bool signature_verify(const struct signature_algorithm *algorithm, const struct jwk *key, struct view text,
                      struct view signature)
{
    uint8_t der[DER_BYTES_MAX];
    struct view given = signature;
    if (!jwk_is_for(key, algorithm->type, jose_algorithm_name(algorithm->number)))
        return false;
    if (algorithm->integer_bytes > 0)
        given = (struct view){(const char *)der, der_from_raw(algorithm, signature, der)};
    else if (signature.size != (size_t)EVP_PKEY_get_size(key->key))
        return false;
    return given.size > 0 && verify(algorithm, key->key, text, given);
}
