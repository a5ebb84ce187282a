/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_bundles.h"
#include "x509_svid.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A real chain, damaged in every place: leaf and intermediate, only the root is in the bundle, so every byte of both
 * counts. What is still accepted must be the same certificate, byte for byte. */

#define ID "spiffe://prod.example/ns/a/sa/b"

static struct test_cert root, authority, leaf;
static struct trust_bundles *bundles;
static struct x509_svid whole;

enum { TEXT_MAX = 16 * 1024 };

static int set_up(void **state)
{
    (void)state;
    root = test_ca_root(NULL);
    authority = test_ca_intermediate(&root, NULL);
    leaf = test_ca_svid(&authority, ID);
    bundles = test_bundles_one("prod.example", &root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    trust_bundles_free(bundles);
    test_cert_free(&leaf);
    test_cert_free(&authority);
    test_cert_free(&root);
    return 0;
}

static enum reason verify(const char *text, size_t size, struct x509_svid *out)
{
    struct view chain = {.data = text, .size = size};
    enum reason reason = x509_svid_verify((struct view){0}, chain, bundles, TEST_NOW, out);
    assert_int_equal(ERR_peek_error(), 0);
    return reason;
}

/* One block of PEM on one line, which the reader takes. */
static size_t add_block(char *text, const unsigned char *der, size_t size)
{
    char *end = stpcpy(text, "-----BEGIN CERTIFICATE-----\n");
    end += EVP_EncodeBlock((unsigned char *)end, der, (int)size);
    return (size_t)(stpcpy(end, "\n-----END CERTIFICATE-----\n") - text);
}

struct damage {
    unsigned char *leaf_der, *authority_der;
    size_t leaf_size, authority_size;
    char text[TEXT_MAX];
    size_t reasons[REASON_COUNT];
};

static void damage_open(struct damage *damage)
{
    memset(damage, 0, sizeof *damage);
    damage->leaf_size = (size_t)i2d_X509(leaf.x509, &damage->leaf_der);
    damage->authority_size = (size_t)i2d_X509(authority.x509, &damage->authority_der);
}

static void damage_close(struct damage *damage, const char *what)
{
    print_message("%s:", what);
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (damage->reasons[i] > 0)
            print_message(" %zu %.*s", damage->reasons[i], VIEW_ARG(reason_info((enum reason)i)->name));
    print_message("\n");
    OPENSSL_free(damage->leaf_der);
    OPENSSL_free(damage->authority_der);
}

static enum reason verify_der(struct damage *damage, size_t leaf_size, size_t authority_size)
{
    struct x509_svid svid;
    size_t size = add_block(damage->text, damage->leaf_der, leaf_size);
    size += add_block(damage->text + size, damage->authority_der, authority_size);
    enum reason reason = verify(damage->text, size, &svid);
    damage->reasons[reason]++;
    return reason;
}

static void every_truncation_of_the_certificates_is_refused(void **state)
{
    (void)state;
    struct damage damage;
    damage_open(&damage);
    assert_int_equal(verify_der(&damage, damage.leaf_size, damage.authority_size), REASON_NONE);
    for (size_t size = 1; size < damage.leaf_size; size++)
        assert_int_equal(verify_der(&damage, size, damage.authority_size), REASON_CERTIFICATE_MALFORMED);
    for (size_t size = 1; size < damage.authority_size; size++)
        assert_int_equal(verify_der(&damage, damage.leaf_size, size), REASON_CERTIFICATE_MALFORMED);
    damage_close(&damage, "truncations");
}

static void flip_each(struct damage *damage, unsigned char *der, size_t size)
{
    for (size_t bit = 0; bit < 8 * size; bit++) {
        der[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (verify_der(damage, damage->leaf_size, damage->authority_size) == REASON_NONE)
            fail_msg("bit %zu of %zu bytes may be flipped", bit, size);
        der[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void every_flipped_bit_of_the_certificates_is_refused(void **state)
{
    (void)state;
    struct damage damage;
    damage_open(&damage);
    flip_each(&damage, damage.leaf_der, damage.leaf_size);
    flip_each(&damage, damage.authority_der, damage.authority_size);
    assert_int_equal(verify_der(&damage, damage.leaf_size, damage.authority_size), REASON_NONE);
    assert_int_equal(damage.reasons[REASON_NONE], 1);
    damage_close(&damage, "flipped bits of DER");
}

/* How many flipped bits of `text` leave the same certificates; every other one is refused. */
static size_t flip_text(char *text)
{
    struct x509_svid svid;
    size_t size = strlen(text), same = 0;
    assert_int_equal(verify(text, size, &whole), REASON_NONE);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (verify(text, size, &svid) == REASON_NONE) {
            assert_memory_equal(svid.sha256, whole.sha256, SHA256_BYTES);
            same++;
        }
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    return same;
}

static void every_flipped_bit_of_the_text_is_refused(void **state)
{
    (void)state;
    const struct test_cert *chain[] = {&leaf, &authority};
    char *text = test_cert_pem(chain, 2);
    assert_int_equal(flip_text(text), 0);
    free(text);
}

/* Only the case of a hexadecimal letter may change: RFC 3986 section 2.1 makes both the same octet. */
static void every_flipped_bit_of_the_escaped_text_is_refused_or_the_case_of_an_escape(void **state)
{
    (void)state;
    const struct test_cert *chain[] = {&leaf, &authority};
    char *text = test_cert_urlencoded(chain, 2);
    size_t letters = 0;
    for (const char *c = text; (c = strchr(c, '%')) != NULL; c++)
        letters += c[2] >= 'A' && c[2] <= 'F';
    assert_true(letters > 20);
    assert_int_equal(flip_text(text), letters);
    free(text);
}

static void every_truncation_of_the_text_is_refused(void **state)
{
    (void)state;
    const struct test_cert *chain[] = {&leaf, &authority};
    char *texts[] = {test_cert_pem(chain, 2), test_cert_urlencoded(chain, 2)};
    struct x509_svid svid;
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(texts[i]), last = i == 0 ? 1 : 3; /* the final line end may be missing */
        for (size_t cut = 0; cut < size - last; cut++) {
            enum reason reason = verify(texts[i], cut, &svid);
            if (reason != REASON_CERTIFICATE_MALFORMED && reason != REASON_CERTIFICATE_UNTRUSTED)
                fail_msg("%zu of %zu bytes: %.*s", cut, size, VIEW_ARG(reason_info(reason)->name));
        }
        assert_int_equal(verify(texts[i], size - last, &svid), REASON_NONE);
        free(texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_of_the_certificates_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_certificates_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_text_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_escaped_text_is_refused_or_the_case_of_an_escape),
        cmocka_unit_test(every_truncation_of_the_text_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
