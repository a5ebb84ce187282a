/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists: their reading, their age, and what verification makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crl_set.h"
#include "test_bundles.h"
#include "x509_svid.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#define ID "spiffe://prod.example/ns/a/sa/b"
enum { HOUR = 3600 };

static struct arena arena;
static struct diag_list diags;
static struct test_cert root, middle, leaf, other_leaf;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024 * 1024);
    const struct test_cert_options authority = {.key_usage = "critical,keyCertSign,cRLSign"};
    root = test_ca_root(&authority);
    middle = test_ca_intermediate(&root, &authority);
    leaf = test_ca_svid(&middle, ID);
    other_leaf = test_ca_svid(&middle, ID);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct test_cert *const all[] = {&root, &middle, &leaf, &other_leaf};
    for (size_t i = 0; i < 4; i++)
        test_cert_free(all[i]);
    arena_free(&arena);
    return 0;
}

/* ---- lists made for the purpose ---- */

struct wanted {
    const struct test_cert *issuer; /* whose name is on it */
    const struct test_cert *signer; /* who signed it; NULL: the issuer */
    const struct test_cert *revoked;
    int64_t from, until;                 /* 0: an hour before and after TEST_NOW; until -1: no nextUpdate */
    uint64_t number;                     /* 0: none */
    bool has_key_id;                     /* the authority key identifier, of the signer's key */
    const char *scope;                   /* the issuing distribution point, in OpenSSL's words; NULL: none */
    bool is_delta;                       /* to the list before */
    const struct test_cert *const *many; /* revoked, too, in this order */
    size_t many_count;
};

static void add_text(X509_CRL *list, const struct test_cert *signer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer->x509, NULL, NULL, list, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_CRL_add_ext(list, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void revoke(X509_CRL *list, const struct test_cert *cert, const ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert->x509)), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(uintptr_t)when), 1);
    assert_int_equal(X509_CRL_add0_revoked(list, entry), 1);
}

static X509_CRL *make(const struct wanted *wanted)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)(wanted->from ? wanted->from : TEST_NOW - HOUR));
    ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)(wanted->until ? wanted->until : TEST_NOW + HOUR / 2));
    assert_int_equal(X509_CRL_set_version(list, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(list, X509_get_subject_name(wanted->issuer->x509)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(list, from), 1);
    if (wanted->until >= 0)
        assert_int_equal(X509_CRL_set1_nextUpdate(list, until), 1);
    if (wanted->revoked)
        revoke(list, wanted->revoked, from);
    for (size_t i = 0; i < wanted->many_count; i++)
        revoke(list, wanted->many[i], from);
    if (wanted->number) {
        ASN1_INTEGER *number = ASN1_INTEGER_new();
        assert_int_equal(ASN1_INTEGER_set_uint64(number, wanted->number), 1);
        assert_int_equal(X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, X509V3_ADD_DEFAULT), 1);
        ASN1_INTEGER_free(number);
    }
    const struct test_cert *signer = wanted->signer ? wanted->signer : wanted->issuer;
    if (wanted->has_key_id)
        add_text(list, signer, NID_authority_key_identifier, "keyid:always");
    if (wanted->scope)
        add_text(list, signer, NID_issuing_distribution_point, wanted->scope);
    if (wanted->is_delta)
        add_text(list, signer, NID_delta_crl, "critical,DER:020101");
    assert_true(X509_CRL_sign(list, signer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return list;
}

static struct view text_of(const struct wanted *wanted, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    for (size_t i = 0; i < count; i++) {
        X509_CRL *list = make(&wanted[i]);
        assert_int_equal(PEM_write_bio_X509_CRL(bio, list), 1);
        X509_CRL_free(list);
    }
    long size = BIO_get_mem_data(bio, &bytes);
    struct view text = arena_copy(&arena, (struct view){size ? bytes : "", (size_t)size});
    BIO_free(bio);
    return text;
}

static struct view der_of(const struct wanted *wanted)
{
    unsigned char *der = NULL;
    X509_CRL *list = make(wanted);
    int size = i2d_X509_CRL(list, &der);
    struct view text = arena_copy(&arena, (struct view){(const char *)der, (size_t)size});
    OPENSSL_free(der);
    X509_CRL_free(list);
    return text;
}

/* ---- reading ---- */

static struct crl_set *read_lists(struct view text)
{
    X509_STORE *store = X509_STORE_new();
    struct crl_set *set = NULL;
    diag_list_init(&diags, &arena);
    enum err err = crl_set_build(VIEW("lists.pem"), text, store, &diags, &set);
    X509_STORE_free(store);
    assert_true(err == ERR_NONE ? diags.errors == 0 : err == ERR_INVALID && diags.errors == 1);
    return err == ERR_NONE ? set : NULL;
}

/* Lists of the text, or -1 where it is refused. */
static int count_of(struct view text)
{
    struct crl_set *set = read_lists(text);
    int count = set ? (int)crl_set_count(set) : -1;
    crl_set_free(set);
    return count;
}

static void lists_are_read_from_pem_and_from_der(void **state)
{
    (void)state;
    const struct wanted two[] = {{.issuer = &root}, {.issuer = &middle}};
    assert_int_equal(count_of(VIEW("")), 0);
    assert_int_equal(count_of(VIEW("\n \t\r\n")), 0);
    assert_int_equal(count_of(text_of(two, 1)), 1);
    assert_int_equal(count_of(text_of(two, 2)), 2);
    assert_int_equal(count_of(der_of(two)), 1);
}

static void what_is_no_list_is_refused_with_its_line(void **state)
{
    (void)state;
    const struct wanted one = {.issuer = &root};
    struct view good = text_of(&one, 1), der = der_of(&one);
    char *certificate = test_cert_pem_one(&root);
    assert_int_equal(count_of(view_of(certificate)), -1);
    free(certificate);
    assert_int_equal(count_of(arena_print(&arena, "%.*shello\n", VIEW_ARG(good))), -1);
    uint32_t lines = 0;
    for (size_t i = 0; i < good.size; i++)
        lines += good.data[i] == '\n';
    assert_int_equal(diags.items[0].span.line, lines + 1);
    assert_int_equal(count_of(arena_print(&arena, "# my list\n%.*s", VIEW_ARG(good))), -1);
    assert_int_equal(diags.items[0].span.line, 1);
    assert_true(view_equals(diags.items[0].code, VIEW("E1010")));
    assert_int_equal(count_of(VIEW("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")), -1);
    assert_int_equal(count_of(view_slice(good, 0, good.size - 1)), 1); /* the end line ends with the text */
    for (size_t size = 1; size < good.size - 1; size += 7)
        assert_int_equal(count_of(view_slice(good, 0, size)), -1);
    for (size_t size = 1; size < der.size; size++)
        assert_int_equal(count_of(view_slice(der, 0, size)), -1);
    assert_int_equal(count_of(arena_print(&arena, "%.*s!", VIEW_ARG(good))), -1);
}

/* OpenSSL would read none of them, and whom they name would be good under `missing: accept`. */
static void a_list_that_is_not_complete_is_refused(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root, .number = 2, .is_delta = true},
                                   {.issuer = &root, .scope = "critical,indirectCRL:TRUE"},
                                   {.issuer = &root, .scope = "critical,onlysomereasons:keyCompromise"},
                                   {.issuer = &root, .scope = "critical,onlyuser:TRUE,onlyCA:TRUE"},
                                   {.issuer = &root, .scope = "critical,DER:020101"}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct wanted second[] = {{.issuer = &root, .number = 1}, lists[i]};
        assert_int_equal(count_of(text_of(&lists[i], 1)), -1);
        assert_true(view_equals(diags.items[0].code, VIEW("E1012")));
        assert_int_equal(count_of(der_of(&lists[i])), -1);
        assert_int_equal(count_of(text_of(second, 2)), -1);
    }
    const struct wanted partial[] = {{.issuer = &root, .scope = "critical,onlyuser:TRUE"},
                                     {.issuer = &root, .scope = "critical,fullname:URI:http://lists.example/1"}};
    assert_int_equal(count_of(text_of(partial, 2)), 2);
}

static void so_many_lists_and_bytes_and_no_more(void **state)
{
    (void)state;
    struct wanted many[CRL_SET_LISTS_MAX + 1];
    for (size_t i = 0; i < CRL_SET_LISTS_MAX + 1; i++)
        many[i] = (struct wanted){.issuer = &root, .number = i + 1};
    assert_int_equal(count_of(text_of(many, CRL_SET_LISTS_MAX)), CRL_SET_LISTS_MAX);
    assert_int_equal(count_of(text_of(many, CRL_SET_LISTS_MAX + 1)), -1);
    assert_true(view_equals(diags.items[0].code, VIEW("E1011")));
    char *spaces = arena_take(&arena, CRL_SET_BYTES_MAX + 1);
    memset(spaces, ' ', CRL_SET_BYTES_MAX + 1);
    assert_int_equal(count_of((struct view){spaces, CRL_SET_BYTES_MAX}), 0);
    assert_int_equal(count_of((struct view){spaces, CRL_SET_BYTES_MAX + 1}), -1);
    assert_true(view_equals(diags.items[0].code, VIEW("E1011")));
}

/* ---- age ---- */

static void a_set_holds_until_its_first_next_update(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root, .until = TEST_NOW + 10},
                                   {.issuer = &middle, .until = TEST_NOW + 20},
                                   {.issuer = &leaf, .until = -1}};
    struct crl_set *set = read_lists(text_of(lists, 3));
    assert_int_equal(crl_set_until(set, TEST_NOW), TEST_NOW + 10);
    assert_int_equal(crl_set_until(set, TEST_NOW + 9), TEST_NOW + 10);
    assert_int_equal(crl_set_until(set, TEST_NOW + 10), TEST_NOW + 20);
    assert_int_equal(crl_set_until(set, TEST_NOW + 20), INT64_MAX);
    assert_int_equal(crl_set_expires(set), TEST_NOW + 10);
    crl_set_free(set);
}

/* Whether `now` is older than `before`, at TEST_NOW. */
static bool is_older(const struct wanted *now, size_t now_count, const struct wanted *before, size_t before_count)
{
    struct crl_set *a = read_lists(text_of(now, now_count)), *b = read_lists(text_of(before, before_count));
    bool result = crl_set_is_older(a, b, TEST_NOW);
    crl_set_free(a);
    crl_set_free(b);
    return result;
}

static void a_lower_number_or_a_list_that_is_gone_is_older(void **state)
{
    (void)state;
    const struct wanted two = {.issuer = &root, .number = 2}, three = {.issuer = &root, .number = 3};
    const struct wanted of_middle = {.issuer = &middle, .number = 1};
    const struct wanted both[] = {{.issuer = &root, .number = 2}, {.issuer = &middle, .number = 1}};
    assert_false(is_older(&two, 1, &two, 1));
    assert_false(is_older(&three, 1, &two, 1));
    assert_true(is_older(&two, 1, &three, 1));
    assert_true(is_older(&of_middle, 1, &two, 1));
    assert_true(is_older(&two, 1, both, 2));
    assert_false(is_older(both, 2, &two, 1));
    assert_true(is_older(NULL, 0, &two, 1));
}

static void a_list_that_has_run_out_may_go(void **state)
{
    (void)state;
    const struct wanted past = {.issuer = &root, .number = 9, .until = TEST_NOW};
    const struct wanted next = {.issuer = &root, .number = 9, .until = TEST_NOW + 1};
    assert_false(is_older(NULL, 0, &past, 1));
    assert_true(is_older(NULL, 0, &next, 1));
}

static void lists_without_numbers_are_told_apart_by_their_update(void **state)
{
    (void)state;
    const struct wanted early = {.issuer = &root, .from = TEST_NOW - 20};
    const struct wanted late = {.issuer = &root, .from = TEST_NOW - 10};
    assert_true(is_older(&early, 1, &late, 1));
    assert_false(is_older(&late, 1, &early, 1));
}

/* ---- verification ---- */

static struct x509_svid svid;

static enum reason verify(const struct test_cert *caller, const struct test_cert *anchor, const struct wanted *lists,
                          size_t count, struct x509_path_crls rule)
{
    const struct test_cert *chain[] = {caller, &middle};
    char *authority = test_cert_pem_one(anchor), *text = test_cert_pem(chain, 2);
    struct trust_bundles *bundles = NULL;
    const struct trust_bundle_source source = {.trust_domain = VIEW("prod.example"),
                                               .file = VIEW("bundle"),
                                               .text = view_of(authority),
                                               .generation = 1,
                                               .has_crls = true,
                                               .crls = rule,
                                               .crl_file = VIEW("lists"),
                                               .crl_text = text_of(lists, count)};
    diag_list_init(&diags, &arena);
    assert_int_equal(trust_bundles_build(&source, 1, &diags, &bundles), ERR_NONE);
    enum reason reason = x509_svid_verify((struct view){0}, view_of(text), bundles, TEST_NOW, &svid);
    trust_bundles_free(bundles);
    free(authority);
    free(text);
    return reason;
}

static const struct x509_path_crls strict = {0};

static void a_revoked_leaf_is_refused_and_its_neighbour_is_not(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root}, {.issuer = &middle, .revoked = &leaf}};
    assert_int_equal(verify(&leaf, &root, lists, 2, strict), REASON_CERTIFICATE_REVOKED);
    assert_int_equal(verify(&other_leaf, &root, lists, 2, strict), REASON_NONE);
    assert_int_equal(verify(&leaf, &middle, &lists[1], 1, strict), REASON_CERTIFICATE_REVOKED);
    assert_int_equal(verify(&other_leaf, &middle, &lists[1], 1, strict), REASON_NONE);
}

/* RFC 5280 section 5.1.2.6 asks for no order; an issuer writes the entries as they come. Sorting them must not change
 * what the issuer signed. */
static void entries_stand_in_any_order(void **state)
{
    (void)state;
    enum { MORE = 200 };
    struct test_cert others[MORE];
    const struct test_cert *first[MORE + 1], *last[MORE + 1];
    for (size_t i = 0; i < MORE; i++) {
        others[i] = (struct test_cert){.x509 = X509_new()};
        /* Falling, and away from the serials of the leaves. */
        assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(others[i].x509), (long)(1000000 - i)), 1);
        first[i + 1] = last[i] = &others[i];
    }
    first[0] = last[MORE] = &leaf;
    const struct wanted at_first[] = {{.issuer = &root}, {.issuer = &middle, .many = first, .many_count = MORE + 1}};
    const struct wanted at_last[] = {{.issuer = &root}, {.issuer = &middle, .many = last, .many_count = MORE + 1}};
    assert_int_equal(verify(&leaf, &root, at_first, 2, strict), REASON_CERTIFICATE_REVOKED);
    assert_int_equal(verify(&other_leaf, &root, at_first, 2, strict), REASON_NONE);
    assert_int_equal(verify(&leaf, &root, at_last, 2, strict), REASON_CERTIFICATE_REVOKED);
    assert_int_equal(verify(&other_leaf, &root, at_last, 2, strict), REASON_NONE);
    for (size_t i = 0; i < MORE; i++)
        test_cert_free(&others[i]);
}

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Nearly as long as a file may be. The bound is one that sanitizers hold as well. */
static void a_list_of_150000_entries_is_asked_in_bounded_time(void **state)
{
    (void)state;
    enum { MORE = 150000 };
    static const struct test_cert *many[MORE];
    struct test_cert others[1000];
    for (size_t i = 0; i < 1000; i++) {
        others[i] = (struct test_cert){.x509 = X509_new()};
        assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(others[i].x509), (long)(0x7fffffffffff - i)), 1);
    }
    for (size_t i = 0; i < MORE; i++)
        many[i] = &others[i % 1000];
    const struct wanted list = {.issuer = &middle, .revoked = &leaf, .many = many, .many_count = MORE};
    double before = milliseconds();
    assert_int_equal(verify(&other_leaf, &middle, &list, 1, strict), REASON_NONE);
    double cost = milliseconds() - before;
    print_message("a list of %d entries, made, read and asked: %.0f ms\n", MORE, cost);
    assert_true(cost < 20000);
    assert_int_equal(verify(&leaf, &middle, &list, 1, strict), REASON_CERTIFICATE_REVOKED);
    for (size_t i = 0; i < 1000; i++)
        test_cert_free(&others[i]);
}

static void a_forged_certificate_is_refused_before_a_list_is_asked(void **state)
{
    (void)state;
    struct test_cert forger = test_ca_intermediate(
        &root, &(struct test_cert_options){.key_usage = "critical,keyCertSign,cRLSign", .has_no_key_ids = true});
    X509_set_subject_name(forger.x509, X509_get_subject_name(middle.x509));
    struct test_cert forged = test_ca_leaf(&forger, &(struct test_cert_options){.uri = ID, .has_no_key_ids = true});
    /* Without any list an honest certificate cannot be judged. */
    assert_int_equal(verify(&leaf, &root, NULL, 0, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&forged, &root, NULL, 0, strict), REASON_CERTIFICATE_UNTRUSTED);
    test_cert_free(&forged);
    test_cert_free(&forger);
}

static void a_revoked_intermediate_takes_its_leaves_with_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool says_key = i == 1;
        const struct wanted lists[] = {{.issuer = &root, .revoked = &middle, .has_key_id = says_key},
                                       {.issuer = &middle, .has_key_id = says_key}};
        const struct wanted other[] = {{.issuer = &root, .revoked = &leaf, .has_key_id = says_key}, lists[1]};
        assert_int_equal(verify(&leaf, &root, lists, 2, strict), REASON_CERTIFICATE_REVOKED);
        /* Also where the bundle itself still trusts it, and the list of who stands above it is known. */
        assert_int_equal(verify(&leaf, &middle, lists, 2, strict), REASON_CERTIFICATE_REVOKED);
        assert_int_equal(verify(&leaf, &middle, other, 2, strict), REASON_NONE);
    }
}

static void a_missing_list_refuses_unless_that_is_accepted(void **state)
{
    (void)state;
    const struct wanted of_root = {.issuer = &root}, of_middle = {.issuer = &middle, .revoked = &leaf};
    const struct x509_path_crls lenient = {.accepts_missing = true};
    assert_int_equal(verify(&other_leaf, &root, &of_root, 1, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, &of_middle, 1, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, NULL, 0, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, NULL, 0, lenient), REASON_NONE);
    assert_int_equal(verify(&other_leaf, &root, &of_middle, 1, lenient), REASON_NONE);
    assert_int_equal(verify(&leaf, &root, &of_middle, 1, lenient), REASON_CERTIFICATE_REVOKED);
}

/* OpenSSL finds no list of the issuer then; the certificate's name and serial stand on one. */
static void a_list_of_another_key_still_tells_whom_it_names(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root},
                                   {.issuer = &middle, .signer = &root, .has_key_id = true, .revoked = &leaf}};
    const struct x509_path_crls lenient = {.accepts_missing = true};
    assert_int_equal(verify(&leaf, &root, lists, 2, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&leaf, &root, lists, 2, lenient), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, lists, 2, lenient), REASON_NONE);
}

static void a_list_that_has_run_out_refuses_unless_that_is_accepted(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root},
                                   {.issuer = &middle, .revoked = &leaf, .from = TEST_NOW - 9, .until = TEST_NOW - 1}};
    const struct x509_path_crls lenient = {.accepts_expired = true}, other = {.accepts_missing = true};
    assert_int_equal(verify(&other_leaf, &root, lists, 2, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, lists, 2, other), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&other_leaf, &root, lists, 2, lenient), REASON_NONE);
    assert_int_equal(verify(&leaf, &root, lists, 2, lenient), REASON_CERTIFICATE_REVOKED);
}

static void a_list_of_the_future_or_of_another_signer_tells_nothing(void **state)
{
    (void)state;
    const struct wanted future[] = {{.issuer = &root}, {.issuer = &middle, .from = TEST_NOW + 9}};
    const struct wanted forged[] = {{.issuer = &root}, {.issuer = &middle, .signer = &root}};
    const struct x509_path_crls lenient = {true, true};
    assert_int_equal(verify(&leaf, &root, future, 2, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&leaf, &root, forged, 2, strict), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&leaf, &root, future, 2, lenient), REASON_CERTIFICATE_STATUS);
    assert_int_equal(verify(&leaf, &root, forged, 2, lenient), REASON_CERTIFICATE_STATUS);
}

/* Such a list is read, and says nothing of whom it does not cover, whatever the rule. */
static void a_list_of_another_scope_tells_nothing(void **state)
{
    (void)state;
    const struct x509_path_crls lenient = {true, true};
    static const char *const scopes[] = {"critical,onlyCA:TRUE", "critical,onlyAA:TRUE",
                                         "critical,fullname:URI:http://lists.example/1"};
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        const struct wanted lists[] = {{.issuer = &root}, {.issuer = &middle, .revoked = &leaf, .scope = scopes[i]}};
        assert_int_equal(verify(&leaf, &root, lists, 2, lenient), REASON_CERTIFICATE_STATUS);
    }
    const struct wanted users[] = {{.issuer = &root},
                                   {.issuer = &middle, .revoked = &leaf, .scope = "critical,onlyuser:TRUE"}};
    assert_int_equal(verify(&leaf, &root, users, 2, strict), REASON_CERTIFICATE_REVOKED);
    assert_int_equal(verify(&other_leaf, &root, users, 2, strict), REASON_NONE);
}

static void a_verdict_lasts_no_longer_than_the_lists_it_rests_on(void **state)
{
    (void)state;
    const struct wanted lists[] = {{.issuer = &root, .until = TEST_NOW + 60}, {.issuer = &middle}};
    assert_int_equal(verify(&leaf, &root, lists, 2, strict), REASON_NONE);
    assert_int_equal(svid.not_after, TEST_NOW + 60);
}

static void a_verdict_lasts_until_a_list_of_the_future_takes_over(void **state)
{
    (void)state;
    const struct wanted lists[] = {
        {.issuer = &root}, {.issuer = &middle}, {.issuer = &middle, .revoked = &leaf, .from = TEST_NOW + 60}};
    assert_int_equal(verify(&leaf, &root, lists, 3, strict), REASON_NONE);
    assert_int_equal(svid.not_after, TEST_NOW + 60);
}

static void the_digest_of_bundles_tells_their_lists_and_rules(void **state)
{
    (void)state;
    const struct wanted one = {.issuer = &root, .number = 1}, two = {.issuer = &root, .number = 2};
    char *authority = test_cert_pem_one(&root);
    struct trust_bundle_source source = {
        .trust_domain = VIEW("prod.example"), .file = VIEW("bundle"), .text = view_of(authority)};
    struct view texts[] = {text_of(&one, 1), text_of(&two, 1)};
    char digests[5][64];
    for (size_t i = 0; i < 5; i++) {
        struct trust_bundles *bundles = NULL;
        source.has_crls = i > 0;
        source.crl_text = texts[i == 2];
        source.crls = (struct x509_path_crls){.accepts_missing = i == 3, .accepts_expired = i == 4};
        assert_int_equal(trust_bundles_build(&source, 1, &diags, &bundles), ERR_NONE);
        memcpy(digests[i], trust_bundles_digest(bundles).data, 64);
        trust_bundles_free(bundles);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(digests[i], digests[k], 64);
    }
    free(authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_from_pem_and_from_der),
        cmocka_unit_test(what_is_no_list_is_refused_with_its_line),
        cmocka_unit_test(a_list_that_is_not_complete_is_refused),
        cmocka_unit_test(so_many_lists_and_bytes_and_no_more),
        cmocka_unit_test(a_set_holds_until_its_first_next_update),
        cmocka_unit_test(a_lower_number_or_a_list_that_is_gone_is_older),
        cmocka_unit_test(a_list_that_has_run_out_may_go),
        cmocka_unit_test(lists_without_numbers_are_told_apart_by_their_update),
        cmocka_unit_test(a_revoked_leaf_is_refused_and_its_neighbour_is_not),
        cmocka_unit_test(entries_stand_in_any_order),
        cmocka_unit_test(a_list_of_150000_entries_is_asked_in_bounded_time),
        cmocka_unit_test(a_forged_certificate_is_refused_before_a_list_is_asked),
        cmocka_unit_test(a_revoked_intermediate_takes_its_leaves_with_it),
        cmocka_unit_test(a_missing_list_refuses_unless_that_is_accepted),
        cmocka_unit_test(a_list_of_another_key_still_tells_whom_it_names),
        cmocka_unit_test(a_list_that_has_run_out_refuses_unless_that_is_accepted),
        cmocka_unit_test(a_list_of_the_future_or_of_another_signer_tells_nothing),
        cmocka_unit_test(a_list_of_another_scope_tells_nothing),
        cmocka_unit_test(a_verdict_lasts_no_longer_than_the_lists_it_rests_on),
        cmocka_unit_test(a_verdict_lasts_until_a_list_of_the_future_takes_over),
        cmocka_unit_test(the_digest_of_bundles_tells_their_lists_and_rules),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
