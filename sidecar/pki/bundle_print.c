/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_print.h"

#include "base64url.h"
#include "bio_text.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdlib.h>

enum { NUMBER_BYTES = 1024 /* RSA of 8192 bits */, ED25519_BYTES = 32 };

static void json_drop(json_t **value)
{
    json_decref(*value);
}

static void text_drop(char **text)
{
    free(*text);
}

/* ---- PEM ---- */

struct view bundle_print_pem(X509 *const *authorities, size_t count, struct arena *arena)
{
    AUTO(bio_text_drop) BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; bio && i < count; i++)
        if (PEM_write_bio_X509(bio, authorities[i]) != 1)
            return (struct view){0};
    return bio_text_copy(bio, arena);
}

struct view certificate_print(X509 *certificate, struct arena *arena)
{
    return bundle_print_pem(&certificate, 1, arena);
}

/* ---- the document ---- */

/* RFC 7518 sections 6.2.1 and 6.3.1: an unsigned number, of `width` bytes or as few as it takes for 0. */
static json_t *number_json(EVP_PKEY *key, const char *parameter, size_t width)
{
    BIGNUM *number = NULL;
    unsigned char bytes[NUMBER_BYTES];
    char text[NUMBER_BYTES * 4 / 3 + 4];
    if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1)
        return NULL;
    int size = BN_num_bytes(number);
    int padded = width == 0 ? size : (int)width;
    bool is_good = padded <= NUMBER_BYTES && BN_bn2binpad(number, bytes, padded) == padded;
    BN_free(number);
    return is_good ? json_stringn(text, base64url_encode(bytes, (size_t)padded, text)) : NULL;
}

/* RFC 7517 section 4.7: standard base64 with padding. */
static json_t *x5c_json(X509 *certificate)
{
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der);
    char *text = size > 0 ? malloc((size_t)size * 4 / 3 + 8) : NULL;
    json_t *out = text ? json_stringn(text, (size_t)EVP_EncodeBlock((unsigned char *)text, der, size)) : NULL;
    free(text);
    OPENSSL_free(der);
    return out;
}

/* RFC 8037 section 2. */
static json_t *octets_json(const EVP_PKEY *key)
{
    unsigned char bytes[ED25519_BYTES];
    char text[ED25519_BYTES * 4 / 3 + 4];
    size_t size = sizeof bytes;
    return EVP_PKEY_get_raw_public_key(key, bytes, &size) == 1 ? json_stringn(text, base64url_encode(bytes, size, text))
                                                               : NULL;
}

/* "P-256"; NULL: RFC 7518 has no name for the curve. */
static const char *curve_of(const EVP_PKEY *key)
{
    char group[32];
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return NULL;
    switch (OBJ_sn2nid(group)) {
    case NID_X9_62_prime256v1: return "P-256";
    case NID_secp384r1: return "P-384";
    case NID_secp521r1: return "P-521";
    default: return NULL;
    }
}

bool bundle_print_takes(X509 *certificate)
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    return (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) <= NUMBER_BYTES * 8) || type == EVP_PKEY_ED25519 ||
           (type == EVP_PKEY_EC && curve_of(key) != NULL);
}

/* A NULL inside makes json_pack fail as a whole and let go of the rest. */
static json_t *key_json(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    size_t width = key ? (size_t)(EVP_PKEY_get_bits(key) + 7) / 8 : 0;
    if (!bundle_print_takes(certificate))
        return NULL;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        return json_pack("{s:s, s:s, s:s, s:o, s:[o]}", "kty", "OKP", "use", "x509-svid", "crv", "Ed25519", "x",
                         octets_json(key), "x5c", x5c_json(certificate));
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        return json_pack("{s:s, s:s, s:o, s:o, s:[o]}", "kty", "RSA", "use", "x509-svid", "n",
                         number_json(key, OSSL_PKEY_PARAM_RSA_N, 0), "e", number_json(key, OSSL_PKEY_PARAM_RSA_E, 0),
                         "x5c", x5c_json(certificate));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:[o]}", "kty", "EC", "use", "x509-svid", "crv", curve_of(key), "x",
                     number_json(key, OSSL_PKEY_PARAM_EC_PUB_X, width), "y",
                     number_json(key, OSSL_PKEY_PARAM_EC_PUB_Y, width), "x5c", x5c_json(certificate));
}

struct view bundle_print_document(X509 *const *authorities, size_t count, uint64_t sequence, unsigned refresh_hint,
                                  struct arena *arena)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(keys, key_json(authorities[i])) != 0) {
            json_decref(keys);
            return (struct view){0};
        }
    AUTO(json_drop)
    json_t *document = json_pack("{s:I, s:i, s:o}", "spiffe_sequence", (json_int_t)sequence, "spiffe_refresh_hint",
                                 (int)refresh_hint, "keys", keys);
    AUTO(text_drop) char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
    return text ? arena_print(arena, "%s\n", text) : (struct view){0};
}
