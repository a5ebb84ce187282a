/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_bundles.h"
#include "x509_svid.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#define ID "spiffe://prod.example/ns/a/sa/b"

static struct test_cert root;
static struct trust_bundles *bundles;

static int set_up(void **state)
{
    (void)state;
    root = test_ca_root(NULL);
    bundles = test_bundles_one("prod.example", &root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    trust_bundles_free(bundles);
    test_cert_free(&root);
    return 0;
}

static struct x509_svid svid;

static enum reason verify_text(const char *text)
{
    return x509_svid_verify(view_of(text), (struct view){0}, bundles, TEST_NOW, &svid);
}

/* Verifies `leaf` as Envoy writes it, and frees it. */
static enum reason verify_and_free(struct test_cert leaf)
{
    char *text = test_cert_urlencoded_one(&leaf);
    enum reason reason = verify_text(text);
    free(text);
    test_cert_free(&leaf);
    assert_int_equal(ERR_peek_error(), 0);
    return reason;
}

static enum reason verify_options(const struct test_cert_options *options)
{
    return verify_and_free(test_ca_leaf(&root, options));
}

static void svid_of_the_right_form_names_its_caller(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    char *text = test_cert_urlencoded_one(&leaf), *hash = test_cert_hash(&leaf);
    char hex[64];
    assert_int_equal(verify_text(text), REASON_NONE);
    assert_true(view_equals(svid.id.text, VIEW(ID)));
    assert_true(view_equals(svid.id.trust_domain, VIEW("prod.example")));
    assert_int_equal(svid.not_before, TEST_NOT_BEFORE);
    assert_int_equal(svid.not_after, TEST_NOT_AFTER);
    assert_int_equal(svid.bundle_generation, 1);
    assert_int_equal(svid.authority_count, 1);
    assert_int_equal(svid.clearance.generation, 0);
    hex_encode(svid.sha256, 32, hex);
    assert_memory_equal(hex, hash, 64);
    struct x509_svid copy;
    x509_svid_copy(&svid, &copy);
    assert_true(view_equals(copy.id.text, VIEW(ID)));
    assert_true(copy.id.text.data == copy.id_text);
    assert_true(view_equals(copy.id.path, VIEW("/ns/a/sa/b")));
    free(text);
    free(hash);
    test_cert_free(&leaf);
}

static void svid_is_read_plain_and_with_crlf_too(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    char *plain = test_cert_pem_one(&leaf);
    char *crlf = malloc(2 * strlen(plain) + 1), *end = crlf;
    assert_non_null(crlf);
    for (const char *c = plain; *c; c++) {
        if (*c == '\n')
            *end++ = '\r';
        *end++ = *c;
    }
    *end = '\0';
    assert_int_equal(verify_text(plain), REASON_NONE);
    assert_int_equal(verify_text(crlf), REASON_NONE);
    free(plain);
    free(crlf);
    test_cert_free(&leaf);
}

static void svid_text_is_one_certificate_and_nothing_else(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    const struct test_cert *both[] = {&leaf, &leaf};
    char *one = test_cert_urlencoded_one(&leaf), *two = test_cert_urlencoded(both, 2);
    char *longer = malloc(strlen(one) + 16);
    assert_non_null(longer);
    static const char *const tails[] = {"x", "%0A", "%00", " ", "%", "%0", "%zz"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        strcpy(longer, one);
        strcat(longer, tails[i]);
        assert_int_equal(verify_text(longer), REASON_CERTIFICATE_MALFORMED);
    }
    assert_int_equal(verify_text(two), REASON_CERTIFICATE_MALFORMED);
    assert_int_equal(verify_text(""), REASON_CERTIFICATE_MALFORMED);
    assert_int_equal(verify_text(one), REASON_NONE);
    for (size_t size = 0; size < strlen(one) - 3; size += 7)
        assert_int_equal(
            x509_svid_verify((struct view){.data = one, .size = size}, (struct view){0}, bundles, TEST_NOW, &svid),
            REASON_CERTIFICATE_MALFORMED);
    free(one);
    free(two);
    free(longer);
    test_cert_free(&leaf);
}

static void svid_text_over_64_kib_is_refused(void **state)
{
    (void)state;
    char *text = calloc(1, 1024 * 1024);
    assert_non_null(text);
    memset(text, 'A', 1024 * 1024 - 1);
    assert_int_equal(verify_text(text), REASON_CERTIFICATE_MALFORMED);
    free(text);
}

static void svid_none_at_all_is_none(void **state)
{
    (void)state;
    assert_int_equal(x509_svid_verify((struct view){0}, (struct view){0}, bundles, TEST_NOW, &svid),
                     REASON_CERTIFICATE_NONE);
}

static void svid_has_exactly_one_uri(void **state)
{
    (void)state;
    struct test_cert_options two = {
        .uri = ID, .sans = {{.kind = GEN_URI, .bytes = "spiffe://prod.example/x"}}, .san_count = 1};
    struct test_cert_options same = {.uri = ID, .sans = {{.kind = GEN_URI, .bytes = ID}}, .san_count = 1};
    struct test_cert_options more = {.uri = ID,
                                     .sans = {{.kind = GEN_DNS, .bytes = "a.example"},
                                              {.kind = GEN_DNS, .bytes = "b.example"},
                                              {.kind = GEN_EMAIL, .bytes = "a@b.example"},
                                              {.kind = GEN_IPADD, .bytes = "\x0a\x01\x01\x01"}},
                                     .san_count = 4};
    assert_int_equal(verify_options(&(struct test_cert_options){0}), REASON_CERTIFICATE_SPIFFE_ID);
    assert_int_equal(verify_options(&two), REASON_CERTIFICATE_SPIFFE_ID);
    assert_int_equal(verify_options(&same), REASON_CERTIFICATE_SPIFFE_ID);
    assert_int_equal(verify_options(&more), REASON_NONE);
}

static void svid_is_never_read_from_another_name(void **state)
{
    (void)state;
    static const int kinds[] = {GEN_DNS, GEN_EMAIL};
    for (size_t i = 0; i < 2; i++) {
        struct test_cert_options options = {.sans = {{.kind = kinds[i], .bytes = ID}}, .san_count = 1};
        assert_int_equal(verify_options(&options), REASON_CERTIFICATE_SPIFFE_ID);
        assert_false(view_is_present(svid.id.text));
    }
    assert_int_equal(verify_options(&(struct test_cert_options){.common_name = ID}), REASON_CERTIFICATE_SPIFFE_ID);
}

static void svid_uri_is_read_by_its_length(void **state)
{
    (void)state;
    struct test_cert_options options = {.sans = {{.kind = GEN_URI, .bytes = ID "\0.evil", .size = sizeof ID + 5}},
                                        .san_count = 1};
    assert_int_equal(verify_options(&options), REASON_CERTIFICATE_SPIFFE_ID);
    options.sans[0].bytes = ID "\0";
    options.sans[0].size = sizeof ID;
    assert_int_equal(verify_options(&options), REASON_CERTIFICATE_SPIFFE_ID);
}

static void svid_uri_is_a_strict_spiffe_id(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "https://prod.example/a",         "spiffe://PROD.example/a",
        "SPIFFE://prod.example/a",        "spiffe://prod.example:80/a",
        "spiffe://u@prod.example/a",      "spiffe://prod.example/a?b",
        "spiffe://prod.example/a#b",      "spiffe://prod.example/a/",
        "spiffe://prod.example//a",       "spiffe://prod.example/a/../b",
        "spiffe://prod.example/%61",      "spiffe://prod.example/x;URI=spiffe://prod.example/boss",
        "spiffe://prod.example/x,By=a",   "spiffe:///a",
        "spiffe://evil:x@prod.example/w", "urn:spiffe://prod.example/ns/a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify_options(&(struct test_cert_options){.uri = bad[i]}), REASON_CERTIFICATE_SPIFFE_ID);
}

static void svid_uri_of_2048_bytes_is_the_longest(void **state)
{
    (void)state;
    char uri[2050];
    memset(uri, 'a', sizeof uri);
    memcpy(uri, "spiffe://prod.example/", 22);
    uri[2049] = '\0';
    assert_int_equal(verify_options(&(struct test_cert_options){.uri = uri}), REASON_CERTIFICATE_SPIFFE_ID);
    uri[2048] = '\0';
    assert_int_equal(verify_options(&(struct test_cert_options){.uri = uri}), REASON_NONE);
}

static void svid_without_a_path_is_no_workload(void **state)
{
    (void)state;
    assert_int_equal(verify_options(&(struct test_cert_options){.uri = "spiffe://prod.example"}),
                     REASON_CERTIFICATE_LEAF);
}

static void svid_leaf_breaks_no_rule_for_leaves(void **state)
{
    (void)state;
    const struct test_cert_options bad[] = {
        {.uri = ID, .basic_constraints = "critical,CA:TRUE"},
        {.uri = ID, .basic_constraints = "CA:TRUE"},
        {.uri = ID, .key_usage = ""},
        {.uri = ID, .key_usage = "digitalSignature"},
        {.uri = ID, .key_usage = "critical,keyEncipherment"},
        {.uri = ID, .key_usage = "critical,digitalSignature,keyCertSign"},
        {.uri = ID, .key_usage = "critical,digitalSignature,cRLSign"},
        {.uri = ID, .extended_key_usage = "serverAuth"},
        {.uri = ID, .extended_key_usage = "codeSigning"},
        {.uri = ID, .extended_key_usage = "anyExtendedKeyUsage"},
        {.uri = ID, .extra_oid = "1.2.3.4.5", .is_extra_critical = true},
        {.uri = ID, .has_empty_subject = true, .is_san_not_critical = true},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify_options(&bad[i]), REASON_CERTIFICATE_LEAF);
}

static void svid_leaf_may_be_plainer_than_usual(void **state)
{
    (void)state;
    const struct test_cert_options good[] = {
        {.uri = ID, .basic_constraints = ""},   {.uri = ID, .key_usage = "critical,digitalSignature"},
        {.uri = ID, .extended_key_usage = ""},  {.uri = ID, .extended_key_usage = "clientAuth"},
        {.uri = ID, .has_no_key_ids = true},    {.uri = ID, .extra_oid = "1.2.3.4.5"},
        {.uri = ID, .has_empty_subject = true},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(verify_options(&good[i]), REASON_NONE);
}

static void svid_keys_are_of_known_kinds_and_sizes(void **state)
{
    (void)state;
    const struct test_cert_options good[] = {
        {.uri = ID, .key_type = TEST_KEY_P384},
        {.uri = ID, .key_type = TEST_KEY_P521},
        {.uri = ID, .key_type = TEST_KEY_ED25519},
        {.uri = ID, .key_type = TEST_KEY_RSA},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(verify_options(&good[i]), REASON_NONE);
    const struct test_cert_options bad[] = {
        {.uri = ID, .key_type = TEST_KEY_SECP256K1},
        {.uri = ID, .key_type = TEST_KEY_RSA, .rsa_bits = 1024},
        {.uri = ID, .digest = "SHA1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify_options(&bad[i]), REASON_CERTIFICATE_KEY);
}

/* A modulus of 16384 bits that nobody has to generate: only its length matters. */
static EVP_PKEY *huge_rsa_key(void)
{
    uint8_t spki[2 * 1024 + 64];
    static const uint8_t head[] = {0x30, 0x82, 0x08, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                   0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x08,
                                   0x0f, 0x00, 0x30, 0x82, 0x08, 0x0a, 0x02, 0x82, 0x08, 0x01, 0x00};
    memcpy(spki, head, sizeof head);
    memset(spki + sizeof head, 0xff, 2048);
    memcpy(spki + sizeof head + 2048, "\x02\x03\x01\x00\x01", 5);
    const unsigned char *at = spki;
    return d2i_PUBKEY(NULL, &at, (long)(sizeof head + 2048 + 5));
}

static void svid_with_a_huge_rsa_key_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *key = huge_rsa_key();
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_bits(key), 16384);
    assert_int_equal(verify_options(&(struct test_cert_options){.uri = ID, .key = key}), REASON_CERTIFICATE_KEY);
    EVP_PKEY_free(key);
}

static void svid_holds_from_its_first_second_to_before_its_last(void **state)
{
    (void)state;
    const struct test_cert_options from_now = {.uri = ID, .not_before = TEST_NOW};
    const struct test_cert_options from_later = {.uri = ID, .not_before = TEST_NOW + 1};
    const struct test_cert_options until_now = {.uri = ID, .not_after = TEST_NOW};
    const struct test_cert_options until_later = {.uri = ID, .not_after = TEST_NOW + 1};
    assert_int_equal(verify_options(&from_now), REASON_NONE);
    assert_int_equal(verify_options(&from_later), REASON_CERTIFICATE_NOT_YET_VALID);
    assert_int_equal(verify_options(&until_now), REASON_CERTIFICATE_EXPIRED);
    assert_true(view_equals(svid.id.text, VIEW(ID)));
    assert_int_equal(verify_options(&until_later), REASON_NONE);
}

static void svid_of_an_expired_authority_is_expired(void **state)
{
    (void)state;
    struct test_cert old = test_ca_root(&(struct test_cert_options){.not_after = TEST_NOW - 1});
    struct trust_bundles *mine = test_bundles_one("prod.example", &old);
    struct test_cert leaf = test_ca_svid(&old, ID);
    char *text = test_cert_pem_one(&leaf);
    assert_int_equal(x509_svid_verify(view_of(text), (struct view){0}, mine, TEST_NOW, &svid),
                     REASON_CERTIFICATE_EXPIRED);
    assert_int_equal(x509_svid_verify(view_of(text), (struct view){0}, mine, TEST_NOW - 2, &svid), REASON_NONE);
    assert_int_equal(svid.not_after, TEST_NOW - 1);
    free(text);
    test_cert_free(&leaf);
    trust_bundles_free(mine);
    test_cert_free(&old);
}

static void svid_that_signed_itself_is_untrusted(void **state)
{
    (void)state;
    assert_int_equal(verify_and_free(test_ca_leaf(NULL, &(struct test_cert_options){.uri = ID})),
                     REASON_CERTIFICATE_UNTRUSTED);
    assert_true(view_equals(svid.id.text, VIEW(ID)));
}

static void svid_of_an_authority_with_the_same_name_is_untrusted(void **state)
{
    (void)state;
    struct test_cert forged = test_ca_root(NULL);
    assert_int_equal(verify_and_free(test_ca_svid(&forged, ID)), REASON_CERTIFICATE_UNTRUSTED);
    test_cert_free(&forged);
}

static void svid_with_a_changed_signature_is_untrusted(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    const ASN1_BIT_STRING *signature;
    X509_get0_signature(&signature, NULL, leaf.x509);
    ((unsigned char *)(uintptr_t)ASN1_STRING_get0_data(signature))[20] ^= 1;
    assert_int_equal(verify_and_free(leaf), REASON_CERTIFICATE_UNTRUSTED);
}

static void svid_is_vouched_for_by_its_own_domain_alone(void **state)
{
    (void)state;
    struct test_cert other = test_ca_root(NULL);
    const struct test_bundle both[] = {
        {.trust_domain = "prod.example", .authorities = {&root}, .generation = 7},
        {.trust_domain = "partner.example", .authorities = {&other}, .generation = 9},
    };
    struct trust_bundles *mine = test_bundles(both, 2);
    struct test_cert leaf = test_ca_svid(&other, "spiffe://partner.example/w");
    struct test_cert forged = test_ca_svid(&other, ID);
    char *good = test_cert_pem_one(&leaf), *bad = test_cert_pem_one(&forged);
    assert_int_equal(x509_svid_verify(view_of(good), (struct view){0}, mine, TEST_NOW, &svid), REASON_NONE);
    assert_int_equal(svid.bundle_generation, 9);
    assert_int_equal(x509_svid_verify(view_of(bad), (struct view){0}, mine, TEST_NOW, &svid),
                     REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify_text(good), REASON_CERTIFICATE_DOMAIN);
    free(good);
    free(bad);
    test_cert_free(&leaf);
    test_cert_free(&forged);
    trust_bundles_free(mine);
    test_cert_free(&other);
}

static void svid_of_a_domain_without_authorities_is_untrusted_and_of_an_absent_one_unjudged(void **state)
{
    (void)state;
    struct trust_bundles *empty = test_bundles(&(struct test_bundle){.trust_domain = "prod.example"}, 1);
    struct trust_bundles *absent =
        test_bundles(&(struct test_bundle){.trust_domain = "prod.example", .is_absent = true}, 1);
    struct test_cert leaf = test_ca_svid(&root, ID);
    char *text = test_cert_pem_one(&leaf);
    assert_int_equal(x509_svid_verify(view_of(text), (struct view){0}, empty, TEST_NOW, &svid),
                     REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(x509_svid_verify(view_of(text), (struct view){0}, absent, TEST_NOW, &svid),
                     REASON_KEYS_UNAVAILABLE);
    free(text);
    test_cert_free(&leaf);
    trust_bundles_free(empty);
    trust_bundles_free(absent);
}

/* A leaf under `depth` intermediates, with its whole chain supplied. */
static enum reason verify_deep(size_t depth, const struct test_cert_options *options)
{
    struct test_cert cas[10];
    const struct test_cert *chain[11];
    for (size_t i = 0; i < depth; i++)
        cas[i] = test_ca_intermediate(i == 0 ? &root : &cas[i - 1], options);
    struct test_cert leaf = test_ca_svid(depth == 0 ? &root : &cas[depth - 1], ID);
    chain[0] = &leaf;
    for (size_t i = 0; i < depth; i++)
        chain[i + 1] = &cas[depth - 1 - i];
    char *one = test_cert_urlencoded_one(&leaf), *all = test_cert_urlencoded(chain, depth + 1);
    enum reason reason = x509_svid_verify(view_of(one), view_of(all), bundles, TEST_NOW, &svid);
    /* The chain alone says the same: its first certificate is the leaf. */
    assert_int_equal(x509_svid_verify((struct view){0}, view_of(all), bundles, TEST_NOW, &svid), reason);
    free(one);
    free(all);
    test_cert_free(&leaf);
    for (size_t i = 0; i < depth; i++)
        test_cert_free(&cas[i]);
    return reason;
}

static void svid_chains_over_at_most_four_intermediates(void **state)
{
    (void)state;
    assert_int_equal(verify_deep(0, NULL), REASON_NONE);
    assert_int_equal(verify_deep(1, NULL), REASON_NONE);
    assert_int_equal(verify_deep(4, NULL), REASON_NONE);
    assert_int_equal(verify_deep(5, NULL), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify_deep(8, NULL), REASON_CERTIFICATE_UNTRUSTED);
}

static void svid_intermediates_are_authorities(void **state)
{
    (void)state;
    const struct test_cert_options bad[] = {
        {.basic_constraints = "critical,CA:FALSE"},
        {.basic_constraints = ""},
        {.key_usage = "critical,digitalSignature"},
        {.key_usage = ""},
        {.extended_key_usage = "serverAuth"},
        {.extra_oid = "1.2.3.4.5", .is_extra_critical = true},
        {.name_constraints = "critical,permitted;URI:other.example"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify_deep(1, &bad[i]), REASON_CERTIFICATE_UNTRUSTED);
    const struct test_cert_options good[] = {
        {.extended_key_usage = "serverAuth,clientAuth"},
        {.name_constraints = "critical,permitted;URI:prod.example"},
        {.basic_constraints = "critical,CA:TRUE,pathlen:0"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(verify_deep(1, &good[i]), REASON_NONE);
    assert_int_equal(verify_deep(1, &(struct test_cert_options){.key_type = TEST_KEY_RSA, .rsa_bits = 1024}),
                     REASON_CERTIFICATE_KEY);
    assert_int_equal(verify_deep(2, &good[2]), REASON_CERTIFICATE_UNTRUSTED);
}

static void svid_chain_begins_with_its_leaf(void **state)
{
    (void)state;
    struct test_cert ca = test_ca_intermediate(&root, NULL);
    struct test_cert leaf = test_ca_svid(&ca, ID), other = test_ca_svid(&ca, ID);
    const struct test_cert *right[] = {&leaf, &ca}, *wrong[] = {&other, &ca}, *reversed[] = {&ca, &leaf};
    char *one = test_cert_urlencoded_one(&leaf);
    char *texts[] = {test_cert_urlencoded(right, 2), test_cert_urlencoded(wrong, 2), test_cert_urlencoded(reversed, 2)};
    const enum reason wanted[] = {REASON_NONE, REASON_XFCC_MISMATCH, REASON_XFCC_MISMATCH};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(x509_svid_verify(view_of(one), view_of(texts[i]), bundles, TEST_NOW, &svid), wanted[i]);
        free(texts[i]);
    }
    assert_int_equal(verify_text(one), REASON_CERTIFICATE_UNTRUSTED);
    free(one);
    test_cert_free(&ca);
    test_cert_free(&leaf);
    test_cert_free(&other);
}

static void svid_of_an_intermediate_that_the_bundle_holds_needs_no_chain(void **state)
{
    (void)state;
    struct test_cert ca = test_ca_intermediate(&root, NULL);
    struct trust_bundles *mine = test_bundles_one("prod.example", &ca);
    struct test_cert leaf = test_ca_svid(&ca, ID);
    char *text = test_cert_pem_one(&leaf);
    assert_int_equal(x509_svid_verify(view_of(text), (struct view){0}, mine, TEST_NOW, &svid), REASON_NONE);
    free(text);
    test_cert_free(&leaf);
    test_cert_free(&ca);
    trust_bundles_free(mine);
}

static void svid_authority_itself_is_no_caller(void **state)
{
    (void)state;
    char *text = test_cert_pem_one(&root);
    assert_int_equal(verify_text(text), REASON_CERTIFICATE_SPIFFE_ID);
    free(text);
    struct test_cert named = test_ca_intermediate(&root, &(struct test_cert_options){.uri = ID});
    assert_int_equal(verify_and_free(named), REASON_CERTIFICATE_LEAF);
}

static void svid_der_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    unsigned char *der = NULL;
    int size = i2d_X509(leaf.x509, &der);
    /* The outer length as three bytes where two are enough: BER, and another hash. */
    assert_true(size > 256 && der[1] == 0x82);
    unsigned char *ber = malloc((size_t)size + 1);
    assert_non_null(ber);
    ber[0] = 0x30;
    ber[1] = 0x83;
    ber[2] = 0;
    memcpy(ber + 3, der + 2, (size_t)size - 2);
    char *text = malloc((size_t)size * 2 + 100);
    assert_non_null(text);
    strcpy(text, "-----BEGIN CERTIFICATE-----\n");
    EVP_EncodeBlock((unsigned char *)text + strlen(text), ber, size + 1);
    strcat(text, "\n-----END CERTIFICATE-----\n");
    assert_int_equal(verify_text(text), REASON_CERTIFICATE_MALFORMED);
    strcpy(text, "-----BEGIN CERTIFICATE-----\n");
    EVP_EncodeBlock((unsigned char *)text + strlen(text), der, size);
    strcat(text, "\n-----END CERTIFICATE-----\n");
    assert_int_equal(verify_text(text), REASON_NONE);
    free(text);
    free(ber);
    OPENSSL_free(der);
    test_cert_free(&leaf);
}

enum { THREADS = 4, ROUNDS = 50 };

static void *verify_often(void *text)
{
    struct x509_svid mine;
    for (int i = 0; i < ROUNDS; i++) {
        if (x509_svid_verify(view_of(text), (struct view){0}, bundles, TEST_NOW, &mine) != REASON_NONE)
            return NULL;
    }
    return text;
}

static void svid_verifies_on_several_threads_at_once(void **state)
{
    (void)state;
    struct test_cert leaf = test_ca_svid(&root, ID);
    char *text = test_cert_urlencoded_one(&leaf);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, text), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, text);
    }
    free(text);
    test_cert_free(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svid_of_the_right_form_names_its_caller),
        cmocka_unit_test(svid_is_read_plain_and_with_crlf_too),
        cmocka_unit_test(svid_text_is_one_certificate_and_nothing_else),
        cmocka_unit_test(svid_text_over_64_kib_is_refused),
        cmocka_unit_test(svid_none_at_all_is_none),
        cmocka_unit_test(svid_has_exactly_one_uri),
        cmocka_unit_test(svid_is_never_read_from_another_name),
        cmocka_unit_test(svid_uri_is_read_by_its_length),
        cmocka_unit_test(svid_uri_is_a_strict_spiffe_id),
        cmocka_unit_test(svid_uri_of_2048_bytes_is_the_longest),
        cmocka_unit_test(svid_without_a_path_is_no_workload),
        cmocka_unit_test(svid_leaf_breaks_no_rule_for_leaves),
        cmocka_unit_test(svid_leaf_may_be_plainer_than_usual),
        cmocka_unit_test(svid_keys_are_of_known_kinds_and_sizes),
        cmocka_unit_test(svid_with_a_huge_rsa_key_is_refused),
        cmocka_unit_test(svid_holds_from_its_first_second_to_before_its_last),
        cmocka_unit_test(svid_of_an_expired_authority_is_expired),
        cmocka_unit_test(svid_that_signed_itself_is_untrusted),
        cmocka_unit_test(svid_of_an_authority_with_the_same_name_is_untrusted),
        cmocka_unit_test(svid_with_a_changed_signature_is_untrusted),
        cmocka_unit_test(svid_is_vouched_for_by_its_own_domain_alone),
        cmocka_unit_test(svid_of_a_domain_without_authorities_is_untrusted_and_of_an_absent_one_unjudged),
        cmocka_unit_test(svid_chains_over_at_most_four_intermediates),
        cmocka_unit_test(svid_intermediates_are_authorities),
        cmocka_unit_test(svid_chain_begins_with_its_leaf),
        cmocka_unit_test(svid_of_an_intermediate_that_the_bundle_holds_needs_no_chain),
        cmocka_unit_test(svid_authority_itself_is_no_caller),
        cmocka_unit_test(svid_der_that_is_not_canonical_is_refused),
        cmocka_unit_test(svid_verifies_on_several_threads_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
