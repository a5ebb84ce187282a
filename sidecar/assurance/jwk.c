/* SPDX-License-Identifier: Apache-2.0 */
#include "jwk.h"

#include "base64url.h"
#include "json.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_EXPONENT_BITS_MAX = 64, /* what OpenSSL verifies with at every modulus size */
    NUMBER_BYTES_MAX = RSA_BITS_MAX / 8 + 1,
    COORDINATE_BYTES_MAX = 66,
    ED25519_BYTES = 32,
};

static bool read_number(const struct json *key, struct view name, uint8_t *out, size_t capacity, size_t *size)
{
    const struct json *member = json_get(key, name);
    return member != NULL && member->kind == JSON_STRING &&
           base64url_decode(member->text, out, capacity, size) == ERR_NONE && *size > 0;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (context == NULL || params == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* CVE-2017-15361: primes made as k * M + (65537^a mod M), so that n modulo every small
 * prime is a power of 65537. By chance that is so for one modulus in many millions. */
static bool has_roca_shape(const BIGNUM *n)
{
    static const uint8_t PRIMES[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                     47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                     107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof PRIMES; i++) {
        BN_ULONG prime = PRIMES[i], residue = BN_mod_word(n, prime), power = 1;
        do
            power = power * 65537 % prime;
        while (power != residue && power != 1);
        if (power != residue)
            return false;
    }
    return true;
}

static bool is_good_rsa(const BIGNUM *n, const BIGNUM *e)
{
    return n != NULL && e != NULL && BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX && BN_is_odd(n) &&
           BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX && !has_roca_shape(n);
}

static EVP_PKEY *rsa_from(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        key = key_from("RSA", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static const char *read_rsa(const struct json *json, struct jwk *out)
{
    uint8_t modulus[NUMBER_BYTES_MAX], exponent[NUMBER_BYTES_MAX];
    size_t modulus_size, exponent_size;
    if (!read_number(json, VIEW("n"), modulus, sizeof modulus, &modulus_size) ||
        !read_number(json, VIEW("e"), exponent, sizeof exponent, &exponent_size))
        return "`n` or `e` is missing or malformed";
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL), *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
    bool is_good = is_good_rsa(n, e);
    out->type = JWK_RSA;
    out->key = is_good ? rsa_from(n, e) : NULL;
    BN_free(n);
    BN_free(e);
    if (!is_good)
        return "an RSA key needs 2048 to 8192 bits, an odd exponent above 1 and no ROCA weakness (CVE-2017-15361)";
    return out->key != NULL ? NULL : "OpenSSL does not take the key";
}

/* RFC 7518 section 6.2.1.1. */
struct curve {
    struct view name;
    enum jwk_type type;
    const char *group; /* OpenSSL's name */
    size_t size;       /* bytes of a coordinate */
};

static const struct curve *find_curve(struct view name)
{
    static const struct curve CURVES[] = {
        {{"P-256", 5}, JWK_EC_P256, "prime256v1", 32},
        {{"P-384", 5}, JWK_EC_P384, "secp384r1", 48},
        {{"P-521", 5}, JWK_EC_P521, "secp521r1", COORDINATE_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++)
        if (view_equals(CURVES[i].name, name))
            return &CURVES[i];
    return NULL;
}

/* The member `crv`; absent when there is none. */
static struct view curve_name(const struct json *json)
{
    const struct json *curve = json_get(json, VIEW("crv"));
    return curve != NULL && curve->kind == JSON_STRING ? curve->text : (struct view){0};
}

static const char *read_ec(const struct json *json, struct jwk *out)
{
    struct view name = curve_name(json);
    const struct curve *curve = find_curve(name);
    if (curve == NULL)
        return view_is_present(name) ? "the curve is not supported" : "`crv` is missing";
    uint8_t point[1 + 2 * COORDINATE_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x, y;
    /* RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included. */
    if (!read_number(json, VIEW("x"), point + 1, curve->size, &x) || x != curve->size ||
        !read_number(json, VIEW("y"), point + 1 + curve->size, curve->size, &y) || y != curve->size)
        return "`x` or `y` is missing or malformed";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->size),
        OSSL_PARAM_construct_end(),
    };
    out->type = curve->type;
    out->key = key_from("EC", params); /* refuses a point off the curve */
    return out->key != NULL ? NULL : "the point is not on the curve";
}

/* RFC 8037 section 2. */
static const char *read_okp(const struct json *json, struct jwk *out)
{
    uint8_t point[ED25519_BYTES];
    size_t size;
    struct view name = curve_name(json);
    if (!view_equals(name, VIEW("Ed25519")))
        return view_is_present(name) ? "the curve is not supported" : "`crv` is missing";
    if (!read_number(json, VIEW("x"), point, sizeof point, &size) || size != sizeof point)
        return "`x` is missing or malformed";
    out->type = JWK_ED25519;
    out->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, sizeof point);
    return out->key != NULL ? NULL : "OpenSSL does not take the key";
}

bool jwk_is_for_verifying(const struct json *key)
{
    const struct json *use = json_get(key, VIEW("use")), *operations = json_get(key, VIEW("key_ops"));
    if (use != NULL && (use->kind != JSON_STRING || !view_equals(use->text, VIEW("sig"))))
        return false;
    if (operations == NULL)
        return true;
    for (size_t i = 0; operations->kind == JSON_ARRAY && i < operations->count; i++)
        if (operations->items[i].kind == JSON_STRING && view_equals(operations->items[i].text, VIEW("verify")))
            return true;
    return false;
}

/* A member of 1 to JWK_KID_MAX bytes, or the absent view where it is absent. */
static bool read_short_text(const struct json *key, struct view name, struct view *out)
{
    const struct json *member = json_get(key, name);
    *out = member != NULL ? member->text : (struct view){0};
    return member == NULL || (member->kind == JSON_STRING && out->size > 0 && out->size <= JWK_KID_MAX);
}

const char *jwk_read(const struct json *json, struct jwk *out)
{
    const struct json *kty = json_get(json, VIEW("kty"));
    if (kty == NULL || kty->kind != JSON_STRING)
        return "`kty` is missing";
    if (!read_short_text(json, VIEW("kid"), &out->kid))
        return "`kid` is not a string of 1 to 256 bytes";
    if (!read_short_text(json, VIEW("alg"), &out->alg))
        return "`alg` is not a string of 1 to 256 bytes";
    if (view_equals(kty->text, VIEW("RSA")))
        return read_rsa(json, out);
    if (view_equals(kty->text, VIEW("EC")))
        return read_ec(json, out);
    if (view_equals(kty->text, VIEW("OKP")))
        return read_okp(json, out);
    return "its `kty` is not supported";
}

/* RFC 7518 sections 6.2.2, 6.3.2 and 6.4: members that are secret. */
bool jwk_has_secret(const struct json *key)
{
    static const struct view SECRET[] = {
        {"d", 1}, {"p", 1}, {"q", 1}, {"dp", 2}, {"dq", 2}, {"qi", 2}, {"oth", 3}, {"k", 1},
    };
    for (size_t i = 0; i < sizeof SECRET / sizeof *SECRET; i++)
        if (json_get(key, SECRET[i]) != NULL)
            return true;
    return false;
}

bool jwk_is_for(const struct jwk *jwk, enum jwk_type type, struct view algorithm)
{
    return jwk->type == type && (!view_is_present(jwk->alg) || view_equals(jwk->alg, algorithm));
}
