/* SPDX-License-Identifier: Apache-2.0 */
/* Entries as an operator writes them, read off certificates, against a verified path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "revocation.h"
#include "test_bundles.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define ID "spiffe://prod.example/ns/ml/sa/batch"
#define HEAD "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 7}\nentries:\n"

static struct test_cert root, other_root, intermediate, leaf, sibling, bare_root, bare_leaf;
static struct x509_svid svid, sibling_svid, bare_svid;

static void verify(const struct test_cert *authority, const struct test_cert *const *path, size_t count,
                   struct x509_svid *out)
{
    struct trust_bundles *bundles = test_bundles_one("prod.example", authority);
    char *chain = test_cert_urlencoded(path, count);
    assert_int_equal(x509_svid_verify((struct view){0}, view_of(chain), bundles, TEST_NOW, out), REASON_NONE);
    free(chain);
    trust_bundles_free(bundles);
}

static int set_up(void **state)
{
    (void)state;
    const struct test_cert_options bare = {.has_no_key_ids = true},
                                   bare_svid_options = {.uri = ID, .has_no_key_ids = true};
    root = test_ca_root(NULL);
    other_root = test_ca_root(NULL);
    bare_root = test_ca_root(&bare);
    intermediate = test_ca_intermediate(&root, NULL);
    leaf = test_ca_svid(&intermediate, ID);
    sibling = test_ca_svid(&intermediate, ID);
    bare_leaf = test_ca_leaf(&bare_root, &bare_svid_options);
    const struct test_cert *path[] = {&leaf, &intermediate}, *its_path[] = {&sibling, &intermediate};
    const struct test_cert *bare_path[] = {&bare_leaf};
    verify(&root, path, 2, &svid);
    verify(&root, its_path, 2, &sibling_svid);
    verify(&bare_root, bare_path, 1, &bare_svid);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct test_cert *all[] = {&root, &other_root, &intermediate, &leaf, &sibling, &bare_root, &bare_leaf};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        test_cert_free(all[i]);
    return 0;
}

/* ---- what openssl prints ---- */

enum { HEX_ROOM = 256 };

/* `between` is what parts the octets, as openssl has it or not. */
static void print_hex(const uint8_t *bytes, size_t size, const char *between, char out[HEX_ROOM])
{
    size_t at = 0;
    for (size_t i = 0; i < size; i++)
        at += (size_t)snprintf(out + at, HEX_ROOM - at, "%s%02X", i == 0 ? "" : between, bytes[i]);
}

static void print_octets(const ASN1_STRING *octets, const char *between, char out[HEX_ROOM])
{
    print_hex(ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets), between, out);
}

static void print_serial(const struct test_cert *cert, char out[HEX_ROOM])
{
    print_octets(X509_get0_serialNumber(cert->x509), "", out);
}

static void print_spki(const struct test_cert *cert, char out[HEX_ROOM])
{
    unsigned char *der = NULL;
    uint8_t digest[SHA256_BYTES];
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &der);
    assert_int_equal(sha256((struct view){(const char *)der, (size_t)size}, digest), ERR_NONE);
    OPENSSL_free(der);
    print_hex(digest, sizeof digest, "", out);
}

static void print_issuer_name(const struct test_cert *cert, char out[HEX_ROOM])
{
    unsigned char *der = NULL;
    uint8_t digest[SHA256_BYTES];
    int size = i2d_X509_NAME(X509_get_issuer_name(cert->x509), &der);
    assert_int_equal(sha256((struct view){(const char *)der, (size_t)size}, digest), ERR_NONE);
    OPENSSL_free(der);
    print_hex(digest, sizeof digest, "", out);
}

/* ---- */

static bool refuses(const char *entry, const struct x509_svid *caller)
{
    char text[2048];
    struct arena arena;
    struct diag_list diags;
    struct revocations *revocations = NULL;
    int size = snprintf(text, sizeof text, HEAD "  - {%s}\n", entry);
    const struct revocation_source source = {.file = VIEW("f"), .text = {.data = text, .size = (size_t)size}};
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    assert_int_equal(revocations_build(&source, 1, &diags, &revocations), ERR_NONE);
    bool is_refused = revocations_has_caller(revocations, caller, TEST_NOW);
    revocations_free(revocations);
    arena_free(&arena);
    return is_refused;
}

static bool refuses_serial(const char *key, const char *issuer, const char *number, const struct x509_svid *caller)
{
    char entry[1024];
    (void)snprintf(entry, sizeof entry, "serial: {issuer: \"%s:%s\", number: \"%s\"}", key, issuer, number);
    return refuses(entry, caller);
}

static bool refuses_authority(const char *key, const char *hex, const struct x509_svid *caller)
{
    char entry[1024];
    (void)snprintf(entry, sizeof entry, "authority: \"%s:%s\"", key, hex);
    return refuses(entry, caller);
}

static void a_serial_number_of_an_issuer_refuses_one_certificate(void **state)
{
    (void)state;
    char serial[HEX_ROOM], other[HEX_ROOM], key[HEX_ROOM], colons[HEX_ROOM], name[HEX_ROOM], wrong[HEX_ROOM];
    print_serial(&leaf, serial);
    print_serial(&sibling, other);
    print_octets(X509_get0_authority_key_id(leaf.x509), "", key);
    print_octets(X509_get0_authority_key_id(leaf.x509), ":", colons);
    print_octets(X509_get0_subject_key_id(root.x509), "", wrong);
    print_issuer_name(&leaf, name);
    assert_true(refuses_serial("keyId", key, serial, &svid));
    assert_true(refuses_serial("keyId", colons, serial, &svid));
    assert_true(refuses_serial("nameSha256", name, serial, &svid));
    assert_false(refuses_serial("keyId", key, serial, &sibling_svid));
    assert_false(refuses_serial("nameSha256", name, serial, &sibling_svid));
    assert_false(refuses_serial("keyId", key, other, &svid));
    assert_false(refuses_serial("keyId", wrong, serial, &svid));
}

static void leading_zeros_of_a_serial_number_say_nothing(void **state)
{
    (void)state;
    char serial[HEX_ROOM], zeros[HEX_ROOM + 8], key[HEX_ROOM];
    print_serial(&leaf, serial);
    print_octets(X509_get0_authority_key_id(leaf.x509), "", key);
    (void)snprintf(zeros, sizeof zeros, "000%s", serial);
    assert_true(refuses_serial("keyId", key, zeros, &svid));
    (void)snprintf(zeros, sizeof zeros, "%s00", serial);
    assert_false(refuses_serial("keyId", key, zeros, &svid));
}

static void an_authority_refuses_all_below_it(void **state)
{
    (void)state;
    const struct test_cert *above[] = {&intermediate, &root};
    char hex[HEX_ROOM];
    for (size_t i = 0; i < 2; i++) {
        print_spki(above[i], hex);
        assert_true(refuses_authority("spkiSha256", hex, &svid));
        assert_true(refuses_authority("spkiSha256", hex, &sibling_svid));
        print_octets(X509_get0_subject_key_id(above[i]->x509), ":", hex);
        assert_true(refuses_authority("keyId", hex, &svid));
    }
    print_spki(&other_root, hex);
    assert_false(refuses_authority("spkiSha256", hex, &svid));
    print_octets(X509_get0_subject_key_id(other_root.x509), "", hex);
    assert_false(refuses_authority("keyId", hex, &svid));
    print_spki(&leaf, hex); /* the leaf's own key is no authority's */
    assert_false(refuses_authority("spkiSha256", hex, &svid));
}

/* X509_pubkey_digest is what `openssl x509` makes of "keyid:hash". */
static void an_authority_without_a_key_identifier_is_known_by_its_keys_hash(void **state)
{
    (void)state;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char hex[HEX_ROOM], serial[HEX_ROOM];
    assert_null(X509_get0_subject_key_id(bare_root.x509));
    assert_null(X509_get0_authority_key_id(bare_leaf.x509));
    assert_int_equal(X509_pubkey_digest(bare_root.x509, EVP_sha1(), hash, &size), 1);
    print_hex(hash, size, "", hex);
    print_serial(&bare_leaf, serial);
    assert_true(refuses_authority("keyId", hex, &bare_svid));
    assert_true(refuses_serial("keyId", hex, serial, &bare_svid));
    assert_false(refuses_authority("keyId", hex, &svid));
}

static void a_caller_behind_a_proxy_of_a_refused_authority_is_refused(void **state)
{
    (void)state;
    char hex[HEX_ROOM], serial[HEX_ROOM], key[HEX_ROOM];
    struct x509_svid caller;
    x509_svid_copy(&svid, &caller);
    print_spki(&bare_root, hex);
    assert_false(refuses_authority("spkiSha256", hex, &caller));
    for (size_t i = 0; i < bare_svid.authority_count; i++)
        assert_true(x509_svid_add_authority(&caller, &bare_svid.authorities[i]));
    assert_true(refuses_authority("spkiSha256", hex, &caller));
    caller.proxies[0] =
        (struct x509_svid_proxy){.id = VIEW("spiffe://prod.example/edge"), .serial = sibling_svid.serial};
    print_serial(&sibling, serial);
    print_octets(X509_get0_authority_key_id(sibling.x509), "", key);
    assert_false(refuses_serial("keyId", key, serial, &caller));
    caller.proxy_count = 1;
    assert_true(refuses_serial("keyId", key, serial, &caller));
}

static void an_authority_is_kept_once(void **state)
{
    (void)state;
    struct x509_svid caller;
    x509_svid_copy(&svid, &caller);
    assert_int_equal(caller.authority_count, 2);
    assert_true(x509_svid_add_authority(&caller, &sibling_svid.authorities[1]));
    assert_int_equal(caller.authority_count, 2);
    struct deny_authority another = {0};
    for (; caller.authority_count < SVID_AUTHORITIES_MAX; another.spki[0]++)
        assert_true(x509_svid_add_authority(&caller, &another));
    another.spki[1] = 1;
    assert_false(x509_svid_add_authority(&caller, &another));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serial_number_of_an_issuer_refuses_one_certificate),
        cmocka_unit_test(leading_zeros_of_a_serial_number_say_nothing),
        cmocka_unit_test(an_authority_refuses_all_below_it),
        cmocka_unit_test(an_authority_without_a_key_identifier_is_known_by_its_keys_hash),
        cmocka_unit_test(a_caller_behind_a_proxy_of_a_refused_authority_is_refused),
        cmocka_unit_test(an_authority_is_kept_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
