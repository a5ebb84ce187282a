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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a stranger may cost: chains made to be expensive, keys made to be slow, and the tricks that were played on the
 * names and constraints of others. Costs are processor time of one verification, printed; the bound is far above them,
 * so that it holds under sanitizers too, and far below what no bound at all would give. */

#define ID "spiffe://prod.example/ns/a/sa/b"

enum { COST_MAX_MS = 1000 };

static struct test_cert root;
static struct trust_bundles *bundles;
static struct x509_svid svid;

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

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static enum reason verify_text(const char *what, const char *text, const struct trust_bundles *mine)
{
    double before = milliseconds();
    enum reason reason = x509_svid_verify((struct view){0}, view_of(text), mine, TEST_NOW, &svid);
    double cost = milliseconds() - before;
    assert_int_equal(ERR_peek_error(), 0);
    if (what)
        print_message("%-44s %7.3f ms  %.*s\n", what, cost, VIEW_ARG(reason_info(reason)->name));
    assert_true(cost < COST_MAX_MS);
    return reason;
}

static enum reason verify_chain(const char *what, const struct test_cert *const *chain, size_t count)
{
    char *text = test_cert_urlencoded(chain, count);
    enum reason reason = verify_text(what, text, bundles);
    free(text);
    return reason;
}

/* A leaf with `options` right under the root. */
static enum reason verify_leaf(const char *what, const struct test_cert_options *options)
{
    struct test_cert leaf = test_ca_leaf(&root, options);
    const struct test_cert *chain[] = {&leaf};
    enum reason reason = verify_chain(what, chain, 1);
    test_cert_free(&leaf);
    return reason;
}

/* A leaf under one authority. */
static enum reason verify_under(const char *what, const struct test_cert_options *authority,
                                const struct test_cert_options *options)
{
    struct test_cert ca = test_ca_intermediate(&root, authority), leaf = test_ca_leaf(&ca, options);
    const struct test_cert *chain[] = {&leaf, &ca};
    enum reason reason = verify_chain(what, chain, 2);
    test_cert_free(&ca);
    test_cert_free(&leaf);
    return reason;
}

static const struct test_cert_options plain = {.uri = ID};

/* ---- keys ---------------------------------------------------------------- */

static void put_length(uint8_t **at, size_t size)
{
    *(*at)++ = 0x82;
    *(*at)++ = (uint8_t)(size >> 8);
    *(*at)++ = (uint8_t)size;
}

/* An RSA key that nobody has to generate: a modulus of `bits` ones, with this exponent. Freed by EVP_PKEY_free. */
static EVP_PKEY *rsa_of(size_t bits, const uint8_t *exponent, size_t exponent_size)
{
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    uint8_t der[4096], *at = der;
    size_t modulus = bits / 8 + 1, numbers = 4 + modulus + 4 + exponent_size, key = 4 + numbers;
    *at++ = 0x30;
    put_length(&at, sizeof algorithm + 4 + 1 + key);
    memcpy(at, algorithm, sizeof algorithm);
    at += sizeof algorithm;
    *at++ = 0x03;
    put_length(&at, 1 + key);
    *at++ = 0;
    *at++ = 0x30;
    put_length(&at, numbers);
    *at++ = 0x02;
    put_length(&at, modulus);
    *at++ = 0;
    memset(at, 0xff, modulus - 1);
    at += modulus - 1;
    *at++ = 0x02;
    put_length(&at, exponent_size);
    memcpy(at, exponent, exponent_size);
    at += exponent_size;
    /* OpenSSL reads lengths that are longer than they have to be. */
    const unsigned char *from = der;
    EVP_PKEY *out = d2i_PUBKEY(NULL, &from, at - der);
    assert_non_null(out);
    assert_int_equal(EVP_PKEY_get_bits(out), bits);
    return out;
}

static const uint8_t f4[] = {1, 0, 1};

/* SPIRE 1.14.2: x509pop attestation could be made to burn CPU by its keys. */
static void huge_rsa_keys_are_refused_before_anything_is_computed_with_them(void **state)
{
    (void)state;
    static const size_t sizes[] = {8200, 16384};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = rsa_of(sizes[i], f4, sizeof f4);
        const struct test_cert_options leaf = {.uri = ID, .key = key}, authority = {.key = key};
        struct test_cert ca = test_ca_intermediate(&root, &authority), other = test_ca_svid(&root, ID);
        const struct test_cert *chain[] = {&other, &ca, &ca, &ca};
        assert_int_equal(verify_leaf("a leaf with a huge RSA key", &leaf), REASON_CERTIFICATE_KEY);
        assert_int_equal(verify_chain("three authorities with huge RSA keys", chain, 4), REASON_CERTIFICATE_KEY);
        test_cert_free(&ca);
        test_cert_free(&other);
        EVP_PKEY_free(key);
    }
    EVP_PKEY *key = rsa_of(8192, f4, sizeof f4);
    assert_int_equal(
        verify_leaf("a leaf with an RSA key of 8192 bits", &(struct test_cert_options){.uri = ID, .key = key}),
        REASON_NONE);
    EVP_PKEY_free(key);
}

static void an_anchor_with_a_key_of_another_kind_vouches_for_nobody(void **state)
{
    (void)state;
    struct test_cert anchor = test_ca_root(&(struct test_cert_options){.key_type = TEST_KEY_RSA, .rsa_bits = 2048});
    struct test_cert small = test_ca_root(&(struct test_cert_options){.key_type = TEST_KEY_SECP256K1});
    const struct test_cert *anchors[] = {&anchor, &small};
    const enum reason wanted[] = {REASON_NONE, REASON_CERTIFICATE_KEY};
    for (size_t i = 0; i < 2; i++) {
        struct trust_bundles *mine = test_bundles_one("prod.example", anchors[i]);
        struct test_cert leaf = test_ca_svid(anchors[i], ID);
        char *text = test_cert_pem_one(&leaf);
        assert_int_equal(verify_text(NULL, text, mine), wanted[i]);
        free(text);
        test_cert_free(&leaf);
        trust_bundles_free(mine);
    }
    test_cert_free(&anchor);
    test_cert_free(&small);
}

/* With the exponent 1 every text is its own signature. A long one makes each check slow. */
static void rsa_exponents_are_odd_and_neither_one_nor_long(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t size;
        enum reason reason;
    } exponents[] = {{{3}, 1, REASON_NONE},
                     {{1, 0, 1}, 3, REASON_NONE},
                     {{0, 0xff, 0xff, 0xff, 0xff}, 5, REASON_NONE},
                     {{1}, 1, REASON_CERTIFICATE_KEY},
                     {{2}, 1, REASON_CERTIFICATE_KEY},
                     {{1, 0, 0}, 3, REASON_CERTIFICATE_KEY},
                     {{1, 0, 0, 0, 1}, 5, REASON_CERTIFICATE_KEY}};
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        EVP_PKEY *key = rsa_of(2048, exponents[i].bytes, exponents[i].size);
        assert_int_equal(verify_leaf(NULL, &(struct test_cert_options){.uri = ID, .key = key}), exponents[i].reason);
        EVP_PKEY_free(key);
    }
}

static void weak_digests_are_refused_wherever_they_sign(void **state)
{
    (void)state;
    const struct test_cert_options authority = {.digest = "SHA1"}, leaf = {.uri = ID, .digest = "SHA1"};
    assert_int_equal(verify_under(NULL, &authority, &plain), REASON_CERTIFICATE_KEY);
    assert_int_equal(verify_under(NULL, NULL, &leaf), REASON_CERTIFICATE_KEY);
    assert_int_equal(verify_under(NULL, &(struct test_cert_options){.digest = "SHA384"}, &plain), REASON_NONE);
    static const char *const digests[] = {"SHA256", "SHA1", "MD5"};
    struct test_cert anchor = test_ca_root(&(struct test_cert_options){.key_type = TEST_KEY_RSA});
    struct trust_bundles *mine = test_bundles_one("prod.example", &anchor);
    for (size_t i = 0; i < 3; i++) {
        struct test_cert signed_so =
            test_ca_leaf(&anchor, &(struct test_cert_options){.uri = ID, .digest = digests[i]});
        char *text = test_cert_pem_one(&signed_so);
        assert_int_equal(verify_text(NULL, text, mine), i == 0 ? REASON_NONE : REASON_CERTIFICATE_KEY);
        free(text);
        test_cert_free(&signed_so);
    }
    trust_bundles_free(mine);
    test_cert_free(&anchor);
}

/* ---- chains -------------------------------------------------------------- */

/* `count` authorities of two names, each the issuer of the other's: every one could stand under every other. */
static void authorities_that_sign_each_other_end_nowhere_soon(void **state)
{
    (void)state;
    struct test_cert first = test_ca_root(&(struct test_cert_options){.common_name = "A"});
    struct test_cert second = test_ca_root(&(struct test_cert_options){.common_name = "B"});
    struct test_cert cross[6], leaf = test_ca_svid(&first, ID);
    const struct test_cert *chain[8] = {&leaf};
    for (size_t i = 0; i < 6; i++) {
        const struct test_cert *own = i % 2 ? &second : &first, *signer = i % 2 ? &first : &second;
        const struct test_cert_options same = {.common_name = i % 2 ? "B" : "A", .key = own->key};
        cross[i] = test_ca_intermediate(signer, &same);
        chain[i + 1] = &cross[i];
    }
    assert_int_equal(verify_chain("six authorities in a circle", chain, 7), REASON_CERTIFICATE_UNTRUSTED);
    for (size_t i = 0; i < 6; i++)
        test_cert_free(&cross[i]);
    test_cert_free(&leaf);
    test_cert_free(&first);
    test_cert_free(&second);
}

/* Forged authorities of the right name that never verify, RSA of 8192 bits: the most that six can cost. */
static void authorities_of_the_right_name_and_the_slowest_key_cost_little(void **state)
{
    (void)state;
    EVP_PKEY *key = rsa_of(8192, f4, sizeof f4);
    struct test_cert forged[6], leaf = test_ca_svid(&root, ID);
    const struct test_cert *chain[8] = {&leaf};
    struct test_cert stranger = test_ca_root(NULL);
    for (size_t i = 0; i < 6; i++) {
        forged[i] = test_ca_intermediate(
            &stranger, &(struct test_cert_options){.common_name = "A", .key = key, .has_no_key_ids = true});
        chain[i + 1] = &forged[i];
    }
    assert_int_equal(verify_chain("six authorities with RSA keys of 8192 bits", chain, 7), REASON_NONE);
    chain[7] = &forged[0];
    assert_int_equal(verify_chain("seven of them", chain, 8), REASON_CERTIFICATE_UNTRUSTED);
    for (size_t i = 0; i < 6; i++)
        test_cert_free(&forged[i]);
    test_cert_free(&leaf);
    test_cert_free(&stranger);
    EVP_PKEY_free(key);
}

static void the_same_authority_six_times_is_one(void **state)
{
    (void)state;
    struct test_cert ca = test_ca_intermediate(&root, NULL), leaf = test_ca_svid(&ca, ID);
    const struct test_cert *chain[] = {&leaf, &ca, &ca, &ca, &ca, &ca, &ca};
    assert_int_equal(verify_chain("one authority six times", chain, 7), REASON_NONE);
    test_cert_free(&ca);
    test_cert_free(&leaf);
}

/* certificatePolicies with 1.2.3.N; OpenSSL's own words for it want a file of configuration. */
#define POLICY(last) "DER:30:07:30:05:06:03:2A:03:" last

/* RFC 5280 section 6.1.5: an authority may demand that every certificate below it has a policy. */
static void a_policy_that_an_authority_demands_is_demanded(void **state)
{
    (void)state;
    const struct test_cert_options demanding = {
        .extensions = {{NID_policy_constraints, "critical,requireExplicitPolicy:0"},
                       {NID_certificate_policies, POLICY("04")}}};
    const struct test_cert_options with = {.uri = ID, .extensions = {{NID_certificate_policies, POLICY("04")}}};
    const struct test_cert_options other = {.uri = ID, .extensions = {{NID_certificate_policies, POLICY("05")}}};
    assert_int_equal(verify_under(NULL, &demanding, &with), REASON_NONE);
    assert_int_equal(verify_under(NULL, &demanding, &other), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify_under(NULL, &demanding, &plain), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify_under(NULL, NULL, &with), REASON_NONE);
}

/* ---- names --------------------------------------------------------------- */

static void a_name_constraint_on_uris_holds_by_the_whole_domain(void **state)
{
    (void)state;
    static const struct {
        const char *constraint;
        enum reason reason;
    } cases[] = {
        {"critical,permitted;URI:prod.example", REASON_NONE},
        {"permitted;URI:PROD.EXAMPLE", REASON_NONE},
        {"critical,permitted;URI:.example", REASON_NONE},
        {"critical,permitted;URI:.prod.example", REASON_CERTIFICATE_UNTRUSTED},
        {"critical,permitted;URI:example", REASON_CERTIFICATE_UNTRUSTED},
        {"critical,permitted;URI:prod.example.evil", REASON_CERTIFICATE_UNTRUSTED},
        {"permitted;URI:other.example", REASON_CERTIFICATE_UNTRUSTED},
        {"critical,excluded;URI:prod.example", REASON_CERTIFICATE_UNTRUSTED},
        {"critical,excluded;URI:.example", REASON_CERTIFICATE_UNTRUSTED},
        {"critical,excluded;URI:other.example", REASON_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            verify_under(NULL, &(struct test_cert_options){.name_constraints = cases[i].constraint}, &plain),
            cases[i].reason);
}

/* OpenSSL 3.0 takes what stands before the first colon for the host: `prod.example` here, as the constraint wants it,
 * where RFC 3986 has `evil.example`. The grammar of SPIFFE IDs has neither colon nor at sign. */
static void a_user_part_gets_no_id_past_a_name_constraint(void **state)
{
    (void)state;
    const struct test_cert_options authority = {.name_constraints = "critical,permitted;URI:prod.example"};
    static const char *const tricks[] = {
        "spiffe://prod.example:x@evil.example/w", "spiffe://prod.example@evil.example/w",
        "spiffe://evil.example:x@prod.example/w", "spiffe://prod.example:443/w", "spiffe://prod.example:/w"};
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++)
        assert_int_equal(verify_under(NULL, &authority, &(struct test_cert_options){.uri = tricks[i]}),
                         REASON_CERTIFICATE_SPIFFE_ID);
    assert_int_equal(verify_under(NULL, &authority, &plain), REASON_NONE);
}

static void a_constraint_on_dns_names_is_about_dns_names(void **state)
{
    (void)state;
    const struct test_cert_options authority = {.name_constraints = "critical,permitted;DNS:prod.example"};
    const struct test_cert_options common = {.uri = ID, .common_name = "evil.example"};
    const struct test_cert_options good = {
        .uri = ID, .sans = {{.kind = GEN_DNS, .bytes = "a.prod.example"}}, .san_count = 1};
    const struct test_cert_options bad = {
        .uri = ID, .sans = {{.kind = GEN_DNS, .bytes = "evil.example"}}, .san_count = 1};
    assert_int_equal(verify_under(NULL, &authority, &common), REASON_NONE);
    assert_int_equal(verify_under(NULL, &authority, &good), REASON_NONE);
    assert_int_equal(verify_under(NULL, &authority, &bad), REASON_CERTIFICATE_UNTRUSTED);
}

/* Names by the thousand, in one certificate as large as may come. */
static enum reason verify_crowd(const char *what, size_t count, const char *constraints, const char *uri, int kind)
{
    struct test_cert ca = test_ca_intermediate(&root, &(struct test_cert_options){.name_constraints = constraints});
    struct test_cert leaf = test_ca_leaf(&ca, &(struct test_cert_options){0});
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    assert_non_null(names);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *string = ASN1_IA5STRING_new();
        assert_true(name && string);
        (void)snprintf(text, sizeof text, "h%zu.x", i);
        assert_int_equal(ASN1_STRING_set(string, i == 0 ? uri : text, -1), 1);
        GENERAL_NAME_set0_value(name, i == 0 ? GEN_URI : kind, string);
        assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    }
    assert_int_equal(X509_add1_ext_i2d(leaf.x509, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND), 1);
    assert_true(X509_sign(leaf.x509, ca.key, EVP_sha256()) > 0);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    const struct test_cert *chain[] = {&leaf, &ca};
    enum reason reason = verify_chain(what, chain, 2);
    test_cert_free(&ca);
    test_cert_free(&leaf);
    return reason;
}

static void thousands_of_names_cost_little(void **state)
{
    (void)state;
    char constraints[4096] = "critical,permitted;URI:prod.example";
    for (int i = 0; i < 100; i++)
        (void)snprintf(constraints + strlen(constraints), sizeof constraints - strlen(constraints),
                       ",excluded;DNS:n%d.y", i);
    assert_int_equal(verify_crowd("4,000 DNS names", 4000, NULL, ID, GEN_DNS), REASON_NONE);
    assert_int_equal(verify_crowd("4,000 DNS names, 100 constraints", 4000, constraints, ID, GEN_DNS), REASON_NONE);
    assert_int_equal(verify_crowd("4,000 URI names", 4000, NULL, ID, GEN_URI), REASON_CERTIFICATE_SPIFFE_ID);
    assert_int_equal(verify_crowd("9,000 names: over 64 KiB", 9000, NULL, ID, GEN_DNS), REASON_CERTIFICATE_MALFORMED);
}

/* ---- forms --------------------------------------------------------------- */

static struct test_cert with_extensions(int count, bool is_twice)
{
    struct test_cert leaf = test_ca_svid(&root, ID);
    for (int i = X509_get_ext_count(leaf.x509); i < count; i++) {
        char oid[32];
        (void)snprintf(oid, sizeof oid, "1.2.3.4.%d", is_twice && i + 1 == count ? i - 1 : i);
        ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        assert_true(object && value && ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2));
        X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
        assert_true(extension && X509_add_ext(leaf.x509, extension, -1) == 1);
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(object);
    }
    assert_true(X509_sign(leaf.x509, root.key, EVP_sha256()) > 0);
    return leaf;
}

static void extensions_are_at_most_64_and_each_is_there_once(void **state)
{
    (void)state;
    const struct {
        int count;
        bool is_twice;
        enum reason reason;
    } cases[] = {{64, false, REASON_NONE},
                 {65, false, REASON_CERTIFICATE_MALFORMED},
                 {2500, false, REASON_CERTIFICATE_MALFORMED},
                 {20, true, REASON_CERTIFICATE_MALFORMED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct test_cert leaf = with_extensions(cases[i].count, cases[i].is_twice);
        const struct test_cert *chain[] = {&leaf};
        assert_int_equal(verify_chain(cases[i].count == 2500 ? "2,500 extensions" : NULL, chain, 1), cases[i].reason);
        test_cert_free(&leaf);
    }
}

static void an_authority_with_an_extension_twice_is_malformed(void **state)
{
    (void)state;
    const struct test_cert_options twice = {.extensions = {{NID_netscape_comment, "a"}, {NID_netscape_comment, "b"}}};
    assert_int_equal(verify_under(NULL, &twice, &plain), REASON_CERTIFICATE_MALFORMED);
    assert_int_equal(
        verify_under(NULL, &(struct test_cert_options){.extensions = {{NID_netscape_comment, "a"}}}, &plain),
        REASON_NONE);
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets. A deny list names serials. */
static void serials_are_at_most_twenty_bytes_and_not_negative(void **state)
{
    (void)state;
    /* 2^159 - 1 and 2^160: 20 and 21 bytes. */
    assert_int_equal(
        verify_leaf(
            NULL, &(struct test_cert_options){.uri = ID, .serial = "730750818665451459101842416358141509827966271487"}),
        REASON_NONE);
    assert_int_equal(
        verify_leaf(NULL, &(struct test_cert_options){.uri = ID,
                                                      .serial = "1461501637330902918203684832716283019655932542976"}),
        REASON_CERTIFICATE_LEAF);
    assert_int_equal(verify_leaf(NULL, &(struct test_cert_options){.uri = ID, .serial = "-5"}),
                     REASON_CERTIFICATE_LEAF);
    assert_int_equal(verify_leaf(NULL, &(struct test_cert_options){.uri = ID, .serial = "0"}), REASON_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_rsa_keys_are_refused_before_anything_is_computed_with_them),
        cmocka_unit_test(an_anchor_with_a_key_of_another_kind_vouches_for_nobody),
        cmocka_unit_test(rsa_exponents_are_odd_and_neither_one_nor_long),
        cmocka_unit_test(weak_digests_are_refused_wherever_they_sign),
        cmocka_unit_test(authorities_that_sign_each_other_end_nowhere_soon),
        cmocka_unit_test(authorities_of_the_right_name_and_the_slowest_key_cost_little),
        cmocka_unit_test(the_same_authority_six_times_is_one),
        cmocka_unit_test(a_policy_that_an_authority_demands_is_demanded),
        cmocka_unit_test(a_name_constraint_on_uris_holds_by_the_whole_domain),
        cmocka_unit_test(a_user_part_gets_no_id_past_a_name_constraint),
        cmocka_unit_test(a_constraint_on_dns_names_is_about_dns_names),
        cmocka_unit_test(thousands_of_names_cost_little),
        cmocka_unit_test(extensions_are_at_most_64_and_each_is_there_once),
        cmocka_unit_test(an_authority_with_an_extension_twice_is_malformed),
        cmocka_unit_test(serials_are_at_most_twenty_bytes_and_not_negative),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
