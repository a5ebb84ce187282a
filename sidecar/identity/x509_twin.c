/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_twin.h"

#include "err.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <stdlib.h>

static void bytes_drop(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

static void number_drop(BIGNUM **number)
{
    BN_free(*number);
}

static void signature_drop(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}

/* (r, n - s) of (r, s). */
static bool complement(ECDSA_SIG *signature, const BIGNUM *order)
{
    const BIGNUM *r = NULL, *s = NULL;
    ECDSA_SIG_get0(signature, &r, &s);
    BIGNUM *same = BN_dup(r), *other = BN_new();
    if (same && other && BN_sub(other, order, s) == 1 && ECDSA_SIG_set0(signature, same, other) == 1)
        return true;
    BN_free(same);
    BN_free(other);
    return false;
}

/* Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING } (RFC 5280 section 4.1):
 * the first two as they stand. */
static bool find_signed_part(const unsigned char *der, long size, const unsigned char **from, long *length)
{
    const unsigned char *at = der;
    long inner = 0, part = 0;
    int tag = 0, class = 0;
    if ((ASN1_get_object(&at, &inner, &tag, &class, size) & 0x80) != 0)
        return false;
    const unsigned char *start = at, *end = at + inner;
    for (int i = 0; i < 2; i++) {
        if ((ASN1_get_object(&at, &part, &tag, &class, end - at) & 0x80) != 0)
            return false;
        at += part;
    }
    *from = start;
    *length = at - start;
    return true;
}

/* The certificate with another signature, hashed. */
static enum err hash_with(const unsigned char *part, long length, const unsigned char *signature, int size,
                          uint8_t out[SHA256_BYTES])
{
    int bits = ASN1_object_size(0, size + 1, V_ASN1_BIT_STRING);
    int whole = ASN1_object_size(1, (int)length + bits, V_ASN1_SEQUENCE);
    if (bits < 0 || whole < 0)
        return ERR_NO_MEMORY;
    unsigned char *der = malloc((size_t)whole), *at = der;
    if (!der)
        return ERR_NO_MEMORY;
    ASN1_put_object(&at, 1, (int)length + bits, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(at, part, (size_t)length);
    at += length;
    ASN1_put_object(&at, 0, size + 1, V_ASN1_BIT_STRING, V_ASN1_UNIVERSAL);
    *at++ = 0; /* no unused bits */
    memcpy(at, signature, (size_t)size);
    enum err result = sha256((struct view){.data = (const char *)der, .size = (size_t)whole}, out);
    free(der);
    return result;
}

enum err x509_twin_sha256(X509 *certificate, X509 *issuer, uint8_t out[SHA256_BYTES])
{
    AUTO(number_drop) BIGNUM *order = NULL;
    AUTO(bytes_drop) unsigned char *der = NULL;
    AUTO(bytes_drop) unsigned char *twin = NULL;
    const ASN1_BIT_STRING *value = NULL;
    const unsigned char *part = NULL;
    long length = 0;
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
        return ERR_NONE;
    X509_get0_signature(&value, NULL, certificate);
    const unsigned char *at = ASN1_STRING_get0_data(value);
    AUTO(signature_drop) ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(value));
    if (!signature || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_ORDER, &order) != 1 ||
        !complement(signature, order))
        return ERR_NO_MEMORY;
    int size = i2d_X509(certificate, &der), twin_size = i2d_ECDSA_SIG(signature, &twin);
    if (size < 0 || twin_size < 0 || !find_signed_part(der, size, &part, &length))
        return ERR_NO_MEMORY;
    return hash_with(part, length, twin, twin_size, out);
}
