/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "bundle_print.h"
#include "certificate_issue.h"
#include "crl_issue.h"
#include "key_pair.h"
#include "svid_report.h"
#include "x509_svid.h"

#include <openssl/x509v3.h>

#define NOW INT64_C(1800000000)
enum { HOUR = 3600, DAY = 24 * HOUR };

struct world {
    struct arena arena;
    EVP_PKEY *root_key, *key, *leaf_key;
    X509 *root, *intermediate;
};

static X509 *issue(enum certificate_kind kind, const char *id, EVP_PKEY *key, int64_t days,
                   const struct certificate_issuer *issuer)
{
    X509 *out = NULL;
    const struct certificate_request request = {
        .kind = kind, .spiffe_id = view_of(id), .key = key, .now = NOW, .not_after = NOW + days * DAY};
    assert_int_equal(certificate_issue(&request, issuer, &out), ERR_NONE);
    return out;
}

static int open_world(void **state)
{
    static struct world world;
    const struct certificate_issuer nobody = {0};
    arena_init(&world.arena, 1 << 24);
    world.root_key = key_pair_generate(KEY_PAIR_P256);
    world.key = key_pair_generate(KEY_PAIR_P384);
    world.leaf_key = key_pair_generate(KEY_PAIR_P256);
    world.root = issue(CERTIFICATE_ROOT, "spiffe://prod.example", world.root_key, 100, &nobody);
    const struct certificate_issuer root = {world.root, world.root_key};
    world.intermediate = issue(CERTIFICATE_INTERMEDIATE, "spiffe://prod.example", world.key, 50, &root);
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    X509_free(world->root);
    X509_free(world->intermediate);
    EVP_PKEY_free(world->root_key);
    EVP_PKEY_free(world->key);
    EVP_PKEY_free(world->leaf_key);
    arena_free(&world->arena);
    return 0;
}

static enum err try_issue(struct world *world, const struct certificate_request *changes)
{
    struct certificate_request request = *changes;
    const struct certificate_issuer issuer = {world->intermediate, world->key};
    AUTO(certificate_drop) X509 *out = NULL;
    request.key = world->leaf_key;
    request.now = NOW;
    request.not_after = request.not_after ? request.not_after : NOW + HOUR;
    return certificate_issue(&request, &issuer, &out);
}

static enum reason verify(struct world *world, X509 *const *chain, size_t count, X509 *anchor)
{
    struct diag_list diags;
    struct trust_bundles *bundles = NULL;
    struct x509_svid svid;
    diag_list_init(&diags, &world->arena);
    const struct trust_bundle_source source = {
        .trust_domain = VIEW("prod.example"), .file = VIEW("bundle"), .text = certificate_print(anchor, &world->arena)};
    assert_int_equal(trust_bundles_build(&source, 1, &diags, &bundles), ERR_NONE);
    enum reason reason =
        x509_svid_verify((struct view){0}, bundle_print_pem(chain, count, &world->arena), bundles, NOW, &svid);
    trust_bundles_free(bundles);
    return reason;
}

static void an_issued_svid_verifies_through_its_intermediate_and_not_without(void **state)
{
    struct world *world = *state;
    const struct certificate_issuer issuer = {world->intermediate, world->key};
    AUTO(certificate_drop) X509 *leaf = issue(CERTIFICATE_SVID, "spiffe://prod.example/a", world->leaf_key, 1, &issuer);
    X509 *const chain[] = {leaf, world->intermediate};
    assert_int_equal(verify(world, chain, 2, world->root), REASON_NONE);
    assert_int_equal(verify(world, chain, 1, world->root), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify(world, chain, 1, world->intermediate), REASON_NONE);
}

static void an_authority_is_no_caller(void **state)
{
    struct world *world = *state;
    X509 *const chain[] = {world->intermediate};
    assert_int_equal(verify(world, chain, 1, world->root), REASON_CERTIFICATE_LEAF);
}

static void an_intermediate_issues_no_further_authority_that_would_be_accepted(void **state)
{
    struct world *world = *state;
    const struct certificate_issuer issuer = {world->intermediate, world->key};
    AUTO(key_pair_drop) EVP_PKEY *key = key_pair_generate(KEY_PAIR_P256);
    AUTO(certificate_drop)
    X509 *lower = issue(CERTIFICATE_INTERMEDIATE, "spiffe://prod.example", key, 10, &issuer);
    const struct certificate_issuer below = {lower, key};
    AUTO(certificate_drop) X509 *leaf = issue(CERTIFICATE_SVID, "spiffe://prod.example/a", world->leaf_key, 1, &below);
    X509 *const chain[] = {leaf, lower, world->intermediate};
    assert_int_equal(verify(world, chain, 3, world->root), REASON_CERTIFICATE_UNTRUSTED);
}

static void a_leaf_needs_a_path_and_an_authority_has_none(void **state)
{
    struct world *world = *state;
    const struct {
        enum certificate_kind kind;
        const char *id;
        enum err err;
    } cases[] = {
        {CERTIFICATE_SVID, "spiffe://prod.example/a", ERR_NONE},
        {CERTIFICATE_SVID, "spiffe://prod.example", ERR_MALFORMED},
        {CERTIFICATE_SVID, "spiffe://prod.example/", ERR_MALFORMED},
        {CERTIFICATE_SVID, "https://prod.example/a", ERR_MALFORMED},
        {CERTIFICATE_SVID, "spiffe://prod.example/a b", ERR_MALFORMED},
        {CERTIFICATE_INTERMEDIATE, "spiffe://prod.example", ERR_NONE},
        {CERTIFICATE_INTERMEDIATE, "spiffe://prod.example/a", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct certificate_request request = {.kind = cases[i].kind, .spiffe_id = view_of(cases[i].id)};
        assert_int_equal(try_issue(world, &request), cases[i].err);
    }
}

static void nothing_outlives_its_issuer_or_ends_before_it_begins(void **state)
{
    struct world *world = *state;
    struct certificate_request request = {.spiffe_id = VIEW("spiffe://prod.example/a")};
    request.not_after = NOW + 50 * DAY - 1;
    assert_int_equal(try_issue(world, &request), ERR_NONE);
    request.not_after = NOW + 50 * DAY + 1;
    assert_int_equal(try_issue(world, &request), ERR_LIMIT);
    request.not_after = NOW + 1;
    assert_int_equal(try_issue(world, &request), ERR_NONE);
    request.not_after = NOW;
    assert_int_equal(try_issue(world, &request), ERR_LIMIT);
}

static void dns_names_are_host_names(void **state)
{
    (void)state;
    static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; /* 64 */
    assert_true(certificate_dns_is_valid(VIEW("a.example")));
    assert_true(certificate_dns_is_valid(VIEW("*.a-1.example")));
    assert_true(certificate_dns_is_valid((struct view){label, 63}));
    assert_false(certificate_dns_is_valid((struct view){label, 64}));
    static const struct view bad[] = {
        {"", 0},    {".", 1},    {"a.", 2}, {".a", 2},    {"a..b", 4}, {"-a", 2},   {"a-", 2},  {"*", 1},
        {"a.*", 3}, {"*a.b", 4}, {"*.", 2}, {"*.*.a", 5}, {"a b", 3},  {"a\0b", 3}, {"a/b", 3}, {"a_b", 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(certificate_dns_is_valid(bad[i]));
}

static void an_svid_has_so_many_dns_names_and_no_more(void **state)
{
    struct world *world = *state;
    struct view names[CERTIFICATE_DNS_MAX + 1];
    for (size_t i = 0; i < CERTIFICATE_DNS_MAX + 1; i++)
        names[i] = VIEW("a.example");
    struct certificate_request request = {
        .spiffe_id = VIEW("spiffe://prod.example/a"), .dns = names, .dns_count = CERTIFICATE_DNS_MAX};
    assert_int_equal(try_issue(world, &request), ERR_NONE);
    request.dns_count++;
    assert_int_equal(try_issue(world, &request), ERR_MALFORMED);
}

static void serials_are_positive_and_never_the_same(void **state)
{
    struct world *world = *state;
    const ASN1_INTEGER *a = X509_get0_serialNumber(world->root), *b = X509_get0_serialNumber(world->intermediate);
    assert_int_equal(ASN1_STRING_length(a), 20);
    assert_int_equal(ASN1_STRING_type(a), V_ASN1_INTEGER);
    assert_int_not_equal(ASN1_INTEGER_cmp(a, b), 0);
}

static void a_private_key_reads_back_and_one_with_a_passphrase_does_not(void **state)
{
    struct world *world = *state;
    struct view pem = key_pair_print(world->key, &world->arena);
    AUTO(key_pair_drop) EVP_PKEY *again = key_pair_parse(pem);
    assert_non_null(again);
    assert_int_equal(EVP_PKEY_eq(again, world->key), 1);
    static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDVnjQTLxPZu/RZwVyX\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_null(key_pair_parse(view_of(encrypted)));
    assert_null(key_pair_parse(view_slice(pem, 0, pem.size / 2)));
    assert_null(key_pair_parse(VIEW("")));
}

static void a_revocation_list_has_what_it_was_given_and_counts_up(void **state)
{
    struct world *world = *state;
    const struct certificate_issuer issuer = {world->intermediate, world->key};
    const ASN1_INTEGER *first = X509_get0_serialNumber(world->root),
                       *other = X509_get0_serialNumber(world->intermediate);
    struct crl_request request = {
        .serial = first, .reason = CRL_REASON_SUPERSEDED, .now = NOW, .next_update = NOW + DAY};
    AUTO(crl_drop) X509_CRL *one = NULL;
    AUTO(crl_drop) X509_CRL *two = NULL;
    assert_int_equal(crl_issue(&request, &issuer, &one), ERR_NONE);
    assert_int_equal(crl_number(one), 1);
    assert_true(crl_has(one, first));
    assert_false(crl_has(one, other));
    request.previous = one;
    assert_int_equal(crl_issue(&request, &issuer, &two), ERR_CONFLICT);
    request.serial = other;
    assert_int_equal(crl_issue(&request, &issuer, &two), ERR_NONE);
    assert_int_equal(crl_number(two), 2);
    assert_true(crl_has(two, first) && crl_has(two, other));
    assert_int_equal(X509_CRL_verify(two, world->key), 1);
    assert_int_not_equal(X509_CRL_verify(two, world->root_key), 1);
}

static void revocation_reasons_are_those_of_the_standard(void **state)
{
    (void)state;
    int reason = 0;
    assert_true(crl_reason_parse(VIEW("keyCompromise"), &reason));
    assert_int_equal(reason, CRL_REASON_KEY_COMPROMISE);
    assert_string_equal(crl_reason_text(reason), "keyCompromise");
    assert_false(crl_reason_parse(VIEW("keycompromise"), &reason));
    assert_string_equal(crl_reason_text(99), "unspecified");
}

static void a_report_finds_nothing_wrong_with_what_is_issued_here(void **state)
{
    struct world *world = *state;
    struct svid_report report;
    assert_int_equal(svid_report_make(world->intermediate, NOW, &world->arena, &report), ERR_NONE);
    assert_int_equal(report.kind, SVID_REPORT_SIGNING);
    assert_int_equal(report.finding_count, 0);
    assert_int_equal(svid_report_make(world->intermediate, NOW + 51 * DAY, &world->arena, &report), ERR_NONE);
    assert_int_equal(report.finding_count, 1);
    assert_int_equal(svid_report_make(world->intermediate, NOW - DAY, &world->arena, &report), ERR_NONE);
    assert_int_equal(report.finding_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issued_svid_verifies_through_its_intermediate_and_not_without),
        cmocka_unit_test(an_authority_is_no_caller),
        cmocka_unit_test(an_intermediate_issues_no_further_authority_that_would_be_accepted),
        cmocka_unit_test(a_leaf_needs_a_path_and_an_authority_has_none),
        cmocka_unit_test(nothing_outlives_its_issuer_or_ends_before_it_begins),
        cmocka_unit_test(dns_names_are_host_names),
        cmocka_unit_test(an_svid_has_so_many_dns_names_and_no_more),
        cmocka_unit_test(serials_are_positive_and_never_the_same),
        cmocka_unit_test(a_private_key_reads_back_and_one_with_a_passphrase_does_not),
        cmocka_unit_test(a_revocation_list_has_what_it_was_given_and_counts_up),
        cmocka_unit_test(revocation_reasons_are_those_of_the_standard),
        cmocka_unit_test(a_report_finds_nothing_wrong_with_what_is_issued_here),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
