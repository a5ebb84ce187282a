/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "signature.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { SIGNATURE_MAX = 512 };

#define TEXT_SIGNED "header.claims"

static EVP_PKEY *rsa_key, *ec_key;
static struct jwk rsa, ec;
static uint8_t signed_by[2][SIGNATURE_MAX];
static struct view rs256, es256;

static size_t sign(EVP_PKEY *key, uint8_t *out)
{
    size_t size = SIGNATURE_MAX;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, out, &size, (const uint8_t *)TEXT_SIGNED, sizeof TEXT_SIGNED - 1), 1);
    EVP_MD_CTX_free(context);
    return size;
}

/* RFC 7518 section 3.4: r || s, 32 bytes each. */
static void raw_from_der(const uint8_t *der, size_t size, uint8_t out[64])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32), 32);
    ECDSA_SIG_free(pair);
}

static int make_keys(void **state)
{
    (void)state;
    uint8_t der[SIGNATURE_MAX];
    rsa_key = EVP_RSA_gen(2048);
    ec_key = EVP_EC_gen("P-256");
    if (rsa_key == NULL || ec_key == NULL)
        return -1;
    rsa = (struct jwk){.type = JWK_RSA, .key = rsa_key};
    ec = (struct jwk){.type = JWK_EC_P256, .key = ec_key};
    rs256 = (struct view){(const char *)signed_by[0], sign(rsa_key, signed_by[0])};
    size_t size = sign(ec_key, der);
    raw_from_der(der, size, signed_by[1]);
    es256 = (struct view){(const char *)signed_by[1], 64};
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa_key);
    EVP_PKEY_free(ec_key);
    return 0;
}

static bool verifies(struct view algorithm, const struct jwk *key, struct view text, struct view signature)
{
    return signature_verify(signature_algorithm(algorithm), key, text, signature);
}

static bool verifies_es256(const uint8_t *raw, size_t size)
{
    return verifies(VIEW("ES256"), &ec, VIEW(TEXT_SIGNED), (struct view){(const char *)raw, size});
}

static void only_the_two_algorithms_are_known_and_by_their_exact_names(void **state)
{
    (void)state;
    const struct view wrong[] = {VIEW(""),      VIEW("none"),  VIEW("rs256"), VIEW("Es256"),  VIEW("HS256"),
                                 VIEW("RS384"), VIEW("PS256"), VIEW("ES25"),  VIEW("ES256K"), VIEW("EdDSA")};
    assert_int_equal(signature_algorithm(VIEW("RS256"))->type, JWK_RSA);
    assert_int_equal(signature_algorithm(VIEW("ES256"))->type, JWK_EC_P256);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_null(signature_algorithm(wrong[i]));
}

static void a_signature_verifies_over_its_text_only(void **state)
{
    (void)state;
    assert_true(verifies(VIEW("RS256"), &rsa, VIEW(TEXT_SIGNED), rs256));
    assert_true(verifies(VIEW("ES256"), &ec, VIEW(TEXT_SIGNED), es256));
    assert_false(verifies(VIEW("RS256"), &rsa, VIEW("header.claimz"), rs256));
    assert_false(verifies(VIEW("ES256"), &ec, VIEW("header.claimz"), es256));
    assert_false(verifies(VIEW("ES256"), &ec, VIEW(TEXT_SIGNED "."), es256));
    assert_false(verifies(VIEW("RS256"), &rsa, VIEW(""), rs256));
}

static void a_signature_with_a_flipped_bit_does_not_verify(void **state)
{
    (void)state;
    uint8_t copy[SIGNATURE_MAX];
    for (size_t i = 0; i < es256.size; i++) {
        memcpy(copy, es256.data, es256.size);
        assert_true(verifies_es256(copy, es256.size));
        copy[i] ^= 1;
        assert_false(verifies_es256(copy, es256.size));
    }
    memcpy(copy, rs256.data, rs256.size);
    copy[rs256.size - 1] ^= 1;
    assert_false(verifies(VIEW("RS256"), &rsa, VIEW(TEXT_SIGNED), (struct view){(const char *)copy, rs256.size}));
}

static void a_key_of_the_other_type_does_not_verify(void **state)
{
    (void)state;
    assert_false(verifies(VIEW("RS256"), &ec, VIEW(TEXT_SIGNED), es256));
    assert_false(verifies(VIEW("RS256"), &ec, VIEW(TEXT_SIGNED), rs256));
    assert_false(verifies(VIEW("ES256"), &rsa, VIEW(TEXT_SIGNED), rs256));
    assert_false(verifies(VIEW("ES256"), &rsa, VIEW(TEXT_SIGNED), es256));
}

static void a_key_for_another_algorithm_does_not_verify(void **state)
{
    (void)state;
    struct jwk key = rsa;
    key.alg = VIEW("RS256");
    assert_true(verifies(VIEW("RS256"), &key, VIEW(TEXT_SIGNED), rs256));
    key.alg = VIEW("RS512");
    assert_false(verifies(VIEW("RS256"), &key, VIEW(TEXT_SIGNED), rs256));
}

static void a_signature_of_another_length_does_not_verify(void **state)
{
    (void)state;
    uint8_t longer[SIGNATURE_MAX] = {0};
    memcpy(longer, es256.data, es256.size);
    assert_true(verifies_es256(longer, 64));
    assert_false(verifies_es256(longer, 65));
    assert_false(verifies_es256(longer, 63));
    assert_false(verifies_es256(longer, 0));
    memcpy(longer, rs256.data, rs256.size);
    const struct view sizes[] = {{(const char *)longer, rs256.size + 1}, {(const char *)longer, rs256.size - 1}, {0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_false(verifies(VIEW("RS256"), &rsa, VIEW(TEXT_SIGNED), sizes[i]));
}

static void r_and_s_of_zero_or_of_the_order_do_not_verify(void **state)
{
    (void)state;
    static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t raw[64] = {0};
    assert_false(verifies_es256(raw, sizeof raw));
    for (size_t half = 0; half < 2; half++) {
        memcpy(raw, es256.data, sizeof raw);
        assert_true(verifies_es256(raw, sizeof raw));
        memset(raw + 32 * half, 0, 32);
        assert_false(verifies_es256(raw, sizeof raw));
        memcpy(raw + 32 * half, ORDER, 32);
        assert_false(verifies_es256(raw, sizeof raw));
        memset(raw + 32 * half, 0xff, 32);
        assert_false(verifies_es256(raw, sizeof raw));
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
        memcpy(raw, es256.data, sizeof raw);
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
    size_t size = sign(ec_key, der);
    assert_false(verifies_es256(der, size));
    uint8_t raw[64];
    raw_from_der(der, size, raw);
    assert_true(verifies_es256(raw, sizeof raw));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_two_algorithms_are_known_and_by_their_exact_names),
        cmocka_unit_test(a_signature_verifies_over_its_text_only),
        cmocka_unit_test(a_signature_with_a_flipped_bit_does_not_verify),
        cmocka_unit_test(a_key_of_the_other_type_does_not_verify),
        cmocka_unit_test(a_key_for_another_algorithm_does_not_verify),
        cmocka_unit_test(a_signature_of_another_length_does_not_verify),
        cmocka_unit_test(r_and_s_of_zero_or_of_the_order_do_not_verify),
        cmocka_unit_test(the_other_s_of_a_signature_verifies_too),
        cmocka_unit_test(a_der_signature_does_not_verify),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
