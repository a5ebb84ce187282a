/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "signature.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { SIGNATURE_MAX = 512, KEYS = 5 };

#define TEXT_SIGNED "header.claims"

/* One signature of every algorithm, made by OpenSSL. */
struct made {
    const char *algorithm;
    int key;
    const char *digest; /* NULL: EdDSA */
    bool is_pss;
    int integer_bytes; /* 0 unless ECDSA */
    uint8_t bytes[SIGNATURE_MAX];
    size_t size;
};

enum { RSA_KEY = 0, P256_KEY, P384_KEY, P521_KEY, ED25519_KEY };

static struct made all[] = {
    {.algorithm = "RS256", .key = RSA_KEY, .digest = "SHA256"},
    {.algorithm = "RS384", .key = RSA_KEY, .digest = "SHA384"},
    {.algorithm = "RS512", .key = RSA_KEY, .digest = "SHA512"},
    {.algorithm = "PS256", .key = RSA_KEY, .digest = "SHA256", .is_pss = true},
    {.algorithm = "PS384", .key = RSA_KEY, .digest = "SHA384", .is_pss = true},
    {.algorithm = "PS512", .key = RSA_KEY, .digest = "SHA512", .is_pss = true},
    {.algorithm = "ES256", .key = P256_KEY, .digest = "SHA256", .integer_bytes = 32},
    {.algorithm = "ES384", .key = P384_KEY, .digest = "SHA384", .integer_bytes = 48},
    {.algorithm = "ES512", .key = P521_KEY, .digest = "SHA512", .integer_bytes = 66},
    {.algorithm = "EdDSA", .key = ED25519_KEY},
    {.algorithm = "Ed25519", .key = ED25519_KEY},
};

enum { ALL = sizeof all / sizeof *all, ES256_AT = 6 };

static EVP_PKEY *pairs[KEYS];
static struct jwk keys[KEYS];
static const struct made *es256 = &all[ES256_AT];

static size_t sign(EVP_PKEY *key, const char *digest, int pss_salt, uint8_t *out)
{
    size_t size = SIGNATURE_MAX;
    EVP_PKEY_CTX *settings = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(context, &settings, digest, NULL, NULL, key, NULL), 1);
    if (pss_salt >= 0) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, pss_salt), 1);
    }
    assert_int_equal(EVP_DigestSign(context, out, &size, (const uint8_t *)TEXT_SIGNED, sizeof TEXT_SIGNED - 1), 1);
    EVP_MD_CTX_free(context);
    return size;
}

/* RFC 7518 section 3.4: r || s, `half` bytes each. */
static void raw_from_der(const uint8_t *der, size_t size, int half, uint8_t *out)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, half), half);
    ECDSA_SIG_free(pair);
}

static int digest_bytes(const char *digest)
{
    return atoi(digest + 3) / 8;
}

static void make(struct made *made)
{
    uint8_t der[SIGNATURE_MAX];
    EVP_PKEY *key = pairs[made->key];
    if (made->integer_bytes == 0) {
        made->size = sign(key, made->digest, made->is_pss ? digest_bytes(made->digest) : -1, made->bytes);
        return;
    }
    size_t size = sign(key, made->digest, -1, der);
    raw_from_der(der, size, made->integer_bytes, made->bytes);
    made->size = 2 * (size_t)made->integer_bytes;
}

static int make_keys(void **state)
{
    static const enum jwk_type types[KEYS] = {JWK_RSA, JWK_EC_P256, JWK_EC_P384, JWK_EC_P521, JWK_ED25519};
    (void)state;
    pairs[RSA_KEY] = EVP_RSA_gen(2048);
    pairs[P256_KEY] = EVP_EC_gen("P-256");
    pairs[P384_KEY] = EVP_EC_gen("P-384");
    pairs[P521_KEY] = EVP_EC_gen("P-521");
    pairs[ED25519_KEY] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    for (int i = 0; i < KEYS; i++) {
        if (pairs[i] == NULL)
            return -1;
        keys[i] = (struct jwk){.type = types[i], .key = pairs[i]};
    }
    for (size_t i = 0; i < ALL; i++)
        make(&all[i]);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++)
        EVP_PKEY_free(pairs[i]);
    return 0;
}

static bool verifies(const char *algorithm, const struct jwk *key, struct view text, const uint8_t *bytes, size_t size)
{
    const struct view signature = {(const char *)bytes, size};
    return signature_verify(signature_algorithm(view_of(algorithm)), key, text, signature);
}

static bool verifies_as(const struct made *made, const uint8_t *bytes, size_t size)
{
    return verifies(made->algorithm, &keys[made->key], VIEW(TEXT_SIGNED), bytes, size);
}

static bool verifies_es256(const uint8_t *raw, size_t size)
{
    return verifies_as(es256, raw, size);
}

static void algorithms_are_known_by_their_exact_names_only(void **state)
{
    (void)state;
    const struct view wrong[] = {VIEW(""),        VIEW("none"),  VIEW("rs256"),  VIEW("Es256"),  VIEW("HS256"),
                                 VIEW("HS512"),   VIEW("RS1"),   VIEW("ES25"),   VIEW("ES256K"), VIEW("eddsa"),
                                 VIEW("ED25519"), VIEW("Ed448"), VIEW("RS2566"), VIEW("PS256 ")};
    for (size_t i = 0; i < ALL; i++)
        assert_int_equal(signature_algorithm(view_of(all[i].algorithm))->type, keys[all[i].key].type);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_null(signature_algorithm(wrong[i]));
}

static void a_signature_verifies_over_its_text_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        const struct made *m = &all[i];
        const struct jwk *key = &keys[m->key];
        assert_true(verifies_as(m, m->bytes, m->size));
        assert_false(verifies(m->algorithm, key, VIEW("header.claimz"), m->bytes, m->size));
        assert_false(verifies(m->algorithm, key, VIEW(TEXT_SIGNED "."), m->bytes, m->size));
        assert_false(verifies(m->algorithm, key, VIEW(""), m->bytes, m->size));
    }
}

static void a_signature_with_a_flipped_bit_does_not_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        struct made copy = all[i];
        for (size_t at = 0; at<copy.size; at += copy.size> 132 ? 17 : 1) {
            copy.bytes[at] ^= (uint8_t)(1 << at % 8);
            assert_false(verifies_as(&copy, copy.bytes, copy.size));
            copy.bytes[at] ^= (uint8_t)(1 << at % 8);
        }
        assert_true(verifies_as(&copy, copy.bytes, copy.size));
    }
}

/* Every signature under every algorithm with every key: the only one that verifies is its own. EdDSA
 * has two names. */
static void no_signature_verifies_as_anothers(void **state)
{
    (void)state;
    for (size_t signature = 0; signature < ALL; signature++)
        for (size_t algorithm = 0; algorithm < ALL; algorithm++)
            for (int key = 0; key < KEYS; key++) {
                const struct made *m = &all[signature];
                bool is_own = key == m->key &&
                              (algorithm == signature || (m->key == ED25519_KEY && all[algorithm].key == ED25519_KEY));
                assert_int_equal(verifies(all[algorithm].algorithm, &keys[key], VIEW(TEXT_SIGNED), m->bytes, m->size),
                                 is_own);
            }
}

static void a_key_for_another_algorithm_does_not_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        struct jwk key = keys[all[i].key];
        key.alg = view_of(all[i].algorithm);
        assert_true(verifies(all[i].algorithm, &key, VIEW(TEXT_SIGNED), all[i].bytes, all[i].size));
        key.alg = view_of(all[(i + 1) % ALL].algorithm);
        assert_false(verifies(all[i].algorithm, &key, VIEW(TEXT_SIGNED), all[i].bytes, all[i].size));
    }
}

static void a_signature_of_another_length_does_not_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        const struct made *m = &all[i];
        assert_true(verifies_as(m, m->bytes, m->size));
        assert_false(verifies_as(m, m->bytes, m->size + 1));
        assert_false(verifies_as(m, m->bytes, m->size - 1));
        assert_false(verifies_as(m, m->bytes, 0));
    }
}

/* RFC 7518 section 3.5: the salt is as long as the digest, no other. */
static void a_pss_salt_of_another_length_does_not_verify(void **state)
{
    (void)state;
    static const int salts[] = {32, 0, 20, 31, 33, 64};
    for (size_t i = 0; i < sizeof salts / sizeof *salts; i++) {
        uint8_t bytes[SIGNATURE_MAX];
        size_t size = sign(pairs[RSA_KEY], "SHA256", salts[i], bytes);
        assert_int_equal(verifies("PS256", &keys[RSA_KEY], VIEW(TEXT_SIGNED), bytes, size), i == 0);
    }
}

static void r_and_s_of_zero_or_of_the_order_do_not_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        struct made copy = all[i];
        size_t half = (size_t)copy.integer_bytes;
        if (half == 0)
            continue;
        BIGNUM *order = NULL;
        assert_int_equal(EVP_PKEY_get_bn_param(pairs[copy.key], OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
        memset(copy.bytes, 0, copy.size);
        assert_false(verifies_as(&copy, copy.bytes, copy.size));
        for (size_t at = 0; at < copy.size; at += half) {
            memcpy(copy.bytes, all[i].bytes, copy.size);
            assert_true(verifies_as(&copy, copy.bytes, copy.size));
            memset(copy.bytes + at, 0, half);
            assert_false(verifies_as(&copy, copy.bytes, copy.size));
            assert_int_equal(BN_bn2binpad(order, copy.bytes + at, (int)half), half);
            assert_false(verifies_as(&copy, copy.bytes, copy.size));
            memset(copy.bytes + at, 0xff, half);
            assert_false(verifies_as(&copy, copy.bytes, copy.size));
        }
        BN_free(order);
    }
}

/* JWS has no low-s rule: (r, n - s) verifies as (r, s) does, and (n - r, s) does not. */
static void the_other_s_of_a_signature_verifies_too(void **state)
{
    (void)state;
    BIGNUM *order = NULL, *number = BN_new();
    assert_true(BN_hex2bn(&order, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") > 0);
    for (size_t half = 0; half < 2; half++) {
        uint8_t raw[64];
        memcpy(raw, es256->bytes, sizeof raw);
        assert_non_null(BN_bin2bn(raw + 32 * half, 32, number));
        assert_int_equal(BN_sub(number, order, number), 1);
        assert_int_equal(BN_bn2binpad(number, raw + 32 * half, 32), 32);
        assert_int_equal(verifies_es256(raw, sizeof raw), half == 1);
    }
    BN_free(order);
    BN_free(number);
}

/* RFC 7518 section 3.4: not the DER that other protocols use. */
static void a_der_signature_does_not_verify(void **state)
{
    (void)state;
    uint8_t der[SIGNATURE_MAX];
    size_t size = sign(pairs[P256_KEY], "SHA256", -1, der);
    assert_false(verifies_es256(der, size));
    uint8_t raw[64];
    raw_from_der(der, size, 32, raw);
    assert_true(verifies_es256(raw, sizeof raw));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_are_known_by_their_exact_names_only),
        cmocka_unit_test(a_signature_verifies_over_its_text_only),
        cmocka_unit_test(a_signature_with_a_flipped_bit_does_not_verify),
        cmocka_unit_test(no_signature_verifies_as_anothers),
        cmocka_unit_test(a_key_for_another_algorithm_does_not_verify),
        cmocka_unit_test(a_signature_of_another_length_does_not_verify),
        cmocka_unit_test(a_pss_salt_of_another_length_does_not_verify),
        cmocka_unit_test(r_and_s_of_zero_or_of_the_order_do_not_verify),
        cmocka_unit_test(the_other_s_of_a_signature_verifies_too),
        cmocka_unit_test(a_der_signature_does_not_verify),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
