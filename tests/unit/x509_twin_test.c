/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "revocation.h"
#include "test_bundles.h"
#include "x509_svid.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>

#define ID "spiffe://prod.example/ns/a/sa/b"

/* What anybody can make of a certificate that a key of `order` signed: n - s in the place of s. */
static X509 *twin_of(X509 *certificate, EVP_PKEY *issuer)
{
    BIGNUM *order = NULL, *other = BN_new();
    const ASN1_BIT_STRING *value = NULL;
    const BIGNUM *r = NULL, *s = NULL;
    X509 *twin = X509_dup(certificate);
    assert_true(twin && other && EVP_PKEY_get_bn_param(issuer, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1);
    X509_get0_signature(&value, NULL, twin);
    const unsigned char *at = ASN1_STRING_get0_data(value);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(value));
    assert_non_null(signature);
    ECDSA_SIG_get0(signature, &r, &s);
    assert_true(BN_sub(other, order, s) == 1 && ECDSA_SIG_set0(signature, BN_dup(r), other) == 1);
    unsigned char *der = NULL;
    int size = i2d_ECDSA_SIG(signature, &der);
    assert_true(size > 0);
    ASN1_STRING_set0((ASN1_STRING *)(uintptr_t)value, der, size);
    ECDSA_SIG_free(signature);
    BN_free(order);
    return twin;
}

static enum reason verify(const struct test_cert *cert, const struct trust_bundles *bundles, struct x509_svid *out)
{
    char *text = test_cert_urlencoded_one(cert);
    enum reason reason = x509_svid_verify(view_of(text), (struct view){0}, bundles, TEST_NOW, out);
    free(text);
    return reason;
}

static struct revocations *list_with(const uint8_t sha[SHA256_BYTES])
{
    char text[512], hex[2 * SHA256_BYTES];
    struct arena arena;
    struct diag_list diags;
    struct revocations *list = NULL;
    hex_encode(sha, SHA256_BYTES, hex);
    (void)snprintf(text, sizeof text,
                   "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries:\n"
                   "  - {certificateSha256: \"%.*s\"}\n",
                   (int)sizeof hex, hex);
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    const struct revocation_source source = {.file = VIEW("list"), .text = view_of(text)};
    assert_int_equal(revocations_build(&source, 1, &diags, &list), ERR_NONE);
    arena_free(&arena);
    return list;
}

/* Both forms verify, each knows the other, and a list that names the one refuses both. */
static void assert_both_are_one(enum test_key signer)
{
    struct test_cert root = test_ca_root(&(struct test_cert_options){.key_type = signer});
    struct trust_bundles *bundles = test_bundles_one("prod.example", &root);
    struct test_cert leaf = test_ca_svid(&root, ID), twin = {.x509 = twin_of(leaf.x509, root.key)};
    struct test_cert another = test_ca_svid(&root, ID);
    struct x509_svid first, second, third;
    assert_int_equal(verify(&leaf, bundles, &first), REASON_NONE);
    assert_int_equal(verify(&twin, bundles, &second), REASON_NONE);
    assert_int_equal(verify(&another, bundles, &third), REASON_NONE);
    assert_memory_not_equal(first.sha256, second.sha256, SHA256_BYTES);
    assert_memory_equal(first.twin_sha256, second.sha256, SHA256_BYTES);
    assert_memory_equal(second.twin_sha256, first.sha256, SHA256_BYTES);
    struct revocations *list = list_with(first.sha256);
    assert_true(revocations_has_caller(list, &first, TEST_NOW));
    assert_true(revocations_has_caller(list, &second, TEST_NOW));
    assert_false(revocations_has_caller(list, &third, TEST_NOW));
    revocations_free(list);
    trust_bundles_free(bundles);
    test_cert_free(&root);
    test_cert_free(&leaf);
    test_cert_free(&twin);
    test_cert_free(&another);
}

static void a_certificate_with_its_other_signature_is_on_the_deny_list_with_it(void **state)
{
    (void)state;
    static const enum test_key signers[] = {TEST_KEY_P256, TEST_KEY_P384, TEST_KEY_P521};
    for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++)
        assert_both_are_one(signers[i]);
}

static void a_proxy_with_its_other_signature_is_on_the_deny_list_with_it(void **state)
{
    (void)state;
    struct x509_svid svid = {.id_text = ID, .proxy_count = 1, .proxies = {{.id = VIEW(ID)}}};
    svid.id = (struct spiffe_id){.text = VIEW(ID), .trust_domain = VIEW("prod.example"), .path = VIEW("/ns/a/sa/b")};
    svid.proxies[0].sha256[0] = 1;
    svid.proxies[0].twin_sha256[0] = 2;
    struct revocations *list = list_with(svid.proxies[0].twin_sha256);
    assert_true(revocations_has_caller(list, &svid, TEST_NOW));
    svid.proxies[0].twin_sha256[0] = 3;
    assert_false(revocations_has_caller(list, &svid, TEST_NOW));
    revocations_free(list);
}

static void a_certificate_that_no_ecdsa_key_signed_has_one_form(void **state)
{
    (void)state;
    static const enum test_key signers[] = {TEST_KEY_RSA, TEST_KEY_ED25519};
    for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++) {
        struct test_cert root = test_ca_root(&(struct test_cert_options){.key_type = signers[i]});
        struct trust_bundles *bundles = test_bundles_one("prod.example", &root);
        struct test_cert leaf = test_ca_svid(&root, ID);
        struct x509_svid svid;
        assert_int_equal(verify(&leaf, bundles, &svid), REASON_NONE);
        assert_memory_equal(svid.sha256, svid.twin_sha256, SHA256_BYTES);
        trust_bundles_free(bundles);
        test_cert_free(&root);
        test_cert_free(&leaf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_with_its_other_signature_is_on_the_deny_list_with_it),
        cmocka_unit_test(a_proxy_with_its_other_signature_is_on_the_deny_list_with_it),
        cmocka_unit_test(a_certificate_that_no_ecdsa_key_signed_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
