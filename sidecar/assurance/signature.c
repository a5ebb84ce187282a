/* SPDX-License-Identifier: Apache-2.0 */
#include "signature.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { INTEGER_BYTES_MAX = 32, DER_BYTES_MAX = 2 * INTEGER_BYTES_MAX + 8 };

static const struct signature_algorithm ALGORITHMS[] = {
    {.name = {"RS256", 5}, .type = JWK_RSA, .digest = "SHA2-256"},
    {.name = {"ES256", 5}, .type = JWK_EC_P256, .digest = "SHA2-256", .integer_bytes = 32},
};

const struct signature_algorithm *signature_algorithm(struct view name)
{
    for (size_t i = 0; i < sizeof ALGORITHMS / sizeof *ALGORITHMS; i++)
        if (view_equals(ALGORITHMS[i].name, name))
            return &ALGORITHMS[i];
    return NULL;
}

/* SEC 2 section 2.4.2. */
static const uint8_t P256_ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                       0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* 0 < integer < order: a verifier that leaves this out takes r = s = 0 for anything. */
static bool is_in_range(const uint8_t *integer)
{
    static const uint8_t ZERO[sizeof P256_ORDER] = {0};
    return memcmp(integer, ZERO, sizeof ZERO) != 0 && memcmp(integer, P256_ORDER, sizeof P256_ORDER) < 0;
}

/* r || s as the DER that OpenSSL wants; 0 when it is not a pair in range. */
static size_t der_from_raw(const struct signature_algorithm *algorithm, struct view raw, uint8_t out[DER_BYTES_MAX])
{
    size_t size = algorithm->integer_bytes;
    const uint8_t *r = (const uint8_t *)raw.data, *s = r + size;
    if (raw.size != 2 * size || !is_in_range(r) || !is_in_range(s))
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
    return algorithm->type != JWK_RSA || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
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
    if (!jwk_is_for(key, algorithm->type, algorithm->name))
        return false;
    if (algorithm->integer_bytes > 0)
        given = (struct view){(const char *)der, der_from_raw(algorithm, signature, der)};
    else if (signature.size != (size_t)EVP_PKEY_get_size(key->key))
        return false;
    return given.size > 0 && verify(algorithm, key->key, text, given);
}
