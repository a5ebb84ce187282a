/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_bundles.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err build(struct view domain, struct view text, struct trust_bundles **out)
{
    struct trust_bundle_source source = {.trust_domain = domain, .file = VIEW("f"), .text = text, .generation = 3};
    diag_list_init(&diags, &arena);
    enum err e = trust_bundles_build(&source, 1, &diags, out);
    assert_true(e == ERR_NONE ? diags.errors == 0 : diags.errors == 1);
    return e;
}

/* Authorities of the text, or -1 where it is refused. */
static long count_of(struct view text)
{
    struct trust_bundles *bundles;
    if (build(VIEW("td"), text, &bundles) != ERR_NONE)
        return -1;
    long count = (long)trust_bundle_count(trust_bundles_find(bundles, VIEW("td")));
    trust_bundles_free(bundles);
    return count;
}

static char *joined(const char *a, const char *b, const char *c)
{
    char *text = malloc(strlen(a) + strlen(b) + strlen(c) + 1);
    assert_non_null(text);
    strcpy(text, a);
    strcat(text, b);
    strcat(text, c);
    return text;
}

static long count_joined(const char *a, const char *b, const char *c)
{
    char *text = joined(a, b, c);
    long count = count_of(view_of(text));
    free(text);
    return count;
}

static void bundle_is_pem_blocks_with_white_space_between(void **state)
{
    (void)state;
    struct test_cert a = test_ca_root(NULL), b = test_ca_intermediate(&a, NULL);
    char *first = test_cert_pem_one(&a), *second = test_cert_pem_one(&b);
    assert_int_equal(count_joined(first, "", ""), 1);
    assert_int_equal(count_joined(first, "\n \t\r\n", second), 2);
    assert_int_equal(count_joined("\n\n", first, second), 2);
    assert_int_equal(count_joined(first, "# comment\n", second), -1);
    assert_int_equal(count_joined(first, second, "x"), -1);
    assert_int_equal(count_joined("subject=C = US\n", first, ""), -1);
    assert_int_equal(count_joined("-----BEGIN PRIVATE KEY-----\nTQ==\n-----END PRIVATE KEY-----\n", first, ""), -1);
    assert_int_equal(count_of(VIEW("")), -1);
    assert_int_equal(count_of(VIEW("\n")), -1);
    free(first);
    free(second);
    test_cert_free(&a);
    test_cert_free(&b);
}

static void bundle_refuses_what_is_no_authority(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    struct test_cert bad[] = {
        test_ca_svid(&root, "spiffe://td/a"),
        test_ca_root(&(struct test_cert_options){.basic_constraints = ""}),
        test_ca_root(&(struct test_cert_options){.key_usage = "critical,digitalSignature"}),
        test_ca_root(&(struct test_cert_options){.basic_constraints = "critical,CA:FALSE"}),
    };
    char *good = test_cert_pem_one(&root);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = test_cert_pem_one(&bad[i]);
        assert_int_equal(count_joined(good, text, ""), -1);
        assert_true(view_equals(diags.items[0].code, VIEW("E1003")));
        free(text);
        test_cert_free(&bad[i]);
    }
    assert_int_equal(count_of(view_of(good)), 1);
    free(good);
    test_cert_free(&root);
}

/* SPIFFE's own example of an authority has an ID with a trailing slash. */
static void bundle_takes_an_authority_whose_own_id_is_odd(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(&(struct test_cert_options){.uri = "spiffe://td/"});
    struct test_cert bare = test_ca_root(&(struct test_cert_options){.key_usage = "", .has_no_key_ids = true});
    char *text = test_cert_pem_one(&root), *other = test_cert_pem_one(&bare);
    assert_int_equal(count_joined(text, other, ""), 2);
    free(text);
    free(other);
    test_cert_free(&root);
    test_cert_free(&bare);
}

/* The base64 inside a PEM text, on one line. */
static char *x5c_of(const struct test_cert *cert)
{
    char *pem = test_cert_pem_one(cert), *out = calloc(1, strlen(pem));
    assert_non_null(out);
    size_t size = 0;
    for (char *c = strchr(pem, '\n'); *c != '-'; c++) {
        if (*c != '\n')
            out[size++] = *c;
    }
    free(pem);
    return out;
}

static long count_document(const char *format, const char *x5c)
{
    char *at = strstr(format, "@");
    char *head = strndup(format, at ? (size_t)(at - format) : strlen(format));
    long count = at ? count_joined(head, x5c, at + 1) : count_joined(head, "", "");
    free(head);
    return count;
}

static void bundle_document_follows_spiffe_on_what_is_ignored(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    char *x5c = x5c_of(&root);
    static const struct {
        const char *text;
        long count;
    } cases[] = {
        {"{\"keys\":[]}", 0},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[\"@\"]}]}", 1},
        {" {\"spiffe_sequence\":1,\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[\"@\",\"ignored\"]}]}", 1},
        {"{\"keys\":[{\"use\":\"jwt-svid\",\"kty\":\"EC\",\"x5c\":[\"@\"]}]}", 0},
        {"{\"keys\":[{\"use\":\"X509-SVID\",\"kty\":\"EC\",\"x5c\":[\"@\"]}]}", 0},
        {"{\"keys\":[{\"kty\":\"EC\",\"x5c\":[\"@\"]}]}", 0},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\"}]}", 0},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[]}]}", 0},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[\"AAAA\"]}]}", -1},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[\"?\"]}]}", -1},
        {"{\"keys\":[{\"use\":\"x509-svid\",\"kty\":\"EC\",\"x5c\":[1]}]}", -1},
        {"{}", -1},
        {"{\"keys\":{}}", -1},
        {"[]", -1},
        {"{\"keys\":[],\"keys\":[]}", -1},
        {"{\"keys\":[]} x", -1},
        {"{\"keys\":[],\"spiffe_sequence\":-1}", -1},
        {"{\"keys\":[],\"spiffe_sequence\":\"1\"}", -1},
        {"{\"keys\":[],\"spiffe_sequence\":1.5}", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(count_document(cases[i].text, x5c), cases[i].count);
    free(x5c);
    test_cert_free(&root);
}

static void bundle_keeps_its_sequence_generation_and_first_expiry(void **state)
{
    (void)state;
    struct trust_bundles *bundles;
    assert_int_equal(build(VIEW("td"), VIEW("{\"keys\":[],\"spiffe_sequence\":9007199254740993}"), &bundles), ERR_NONE);
    const struct trust_bundle *bundle = trust_bundles_find(bundles, VIEW("td"));
    assert_int_equal(trust_bundle_facts(bundle)->sequence, 9007199254740993);
    assert_int_equal(trust_bundle_generation(bundle), 3);
    assert_true(trust_bundle_expires(bundle) == INT64_MAX);
    assert_true(trust_bundle_is_loaded(bundle));
    trust_bundles_free(bundles);

    struct test_cert a = test_ca_root(NULL), b = test_ca_root(&(struct test_cert_options){.not_after = TEST_NOW + 5});
    bundles = test_bundles(&(struct test_bundle){.trust_domain = "td", .authorities = {&a, &b}}, 1);
    assert_int_equal(trust_bundle_expires(trust_bundles_find(bundles, VIEW("td"))), TEST_NOW + 5);
    trust_bundles_free(bundles);
    test_cert_free(&a);
    test_cert_free(&b);
}

static void bundle_that_is_not_there_yet_is_known_and_not_loaded(void **state)
{
    (void)state;
    struct trust_bundles *bundles;
    assert_int_equal(build(VIEW("td"), (struct view){0}, &bundles), ERR_NONE);
    assert_false(trust_bundle_is_loaded(trust_bundles_find(bundles, VIEW("td"))));
    assert_null(trust_bundles_find(bundles, VIEW("td2")));
    trust_bundles_free(bundles);
}

static void bundles_refuse_bad_and_repeated_names(void **state)
{
    (void)state;
    struct trust_bundles *bundles;
    assert_int_equal(build(VIEW("TD"), VIEW("{\"keys\":[]}"), &bundles), ERR_INVALID);
    assert_int_equal(build(VIEW(""), VIEW("{\"keys\":[]}"), &bundles), ERR_INVALID);
    assert_int_equal(build(VIEW("spiffe://td"), VIEW("{\"keys\":[]}"), &bundles), ERR_INVALID);
    const struct trust_bundle_source twice[] = {
        {.trust_domain = VIEW("a"), .text = VIEW("{\"keys\":[]}")},
        {.trust_domain = VIEW("b"), .text = VIEW("{\"keys\":[]}")},
        {.trust_domain = VIEW("a"), .text = VIEW("{\"keys\":[]}")},
    };
    diag_list_init(&diags, &arena);
    assert_int_equal(trust_bundles_build(twice, 3, &diags, &bundles), ERR_INVALID);
    assert_int_equal(trust_bundles_build(twice, 2, &diags, &bundles), ERR_NONE);
    trust_bundles_free(bundles);
}

struct walk {
    char names[64];
    size_t size;
};

static void note(void *context, struct view trust_domain, const struct trust_bundle *bundle)
{
    struct walk *walk = context;
    assert_non_null(bundle);
    memcpy(walk->names + walk->size, trust_domain.data, trust_domain.size);
    walk->size += trust_domain.size;
}

static void bundles_are_found_and_walked_by_name(void **state)
{
    (void)state;
    const struct trust_bundle_source sources[] = {
        {.trust_domain = VIEW("c")}, {.trust_domain = VIEW("a")}, {.trust_domain = VIEW("ab")}};
    struct trust_bundles *bundles;
    struct walk walk = {0};
    diag_list_init(&diags, &arena);
    assert_int_equal(trust_bundles_build(sources, 3, &diags, &bundles), ERR_NONE);
    trust_bundles_each(bundles, note, &walk);
    assert_int_equal(walk.size, 4);
    assert_memory_equal(walk.names, "aabc", 4);
    assert_non_null(trust_bundles_find(bundles, VIEW("ab")));
    assert_null(trust_bundles_find(bundles, VIEW("b")));
    assert_null(trust_bundles_find(bundles, VIEW("")));
    trust_bundles_free(bundles);
}

static void bundles_digest_tells_what_is_trusted(void **state)
{
    (void)state;
    struct test_cert a = test_ca_root(NULL), b = test_ca_root(NULL);
    const struct test_bundle sets[] = {
        {.trust_domain = "td", .authorities = {&a}, .generation = 1},
        {.trust_domain = "td", .authorities = {&a}, .generation = 2},
        {.trust_domain = "td", .authorities = {&a, &b}, .generation = 1},
        {.trust_domain = "te", .authorities = {&a}, .generation = 1},
        {.trust_domain = "td", .generation = 1},
        {.trust_domain = "td", .is_absent = true, .generation = 1},
    };
    char digests[6][64];
    for (size_t i = 0; i < 6; i++) {
        struct trust_bundles *bundles = test_bundles(&sets[i], 1);
        assert_int_equal(trust_bundles_digest(bundles).size, 64);
        memcpy(digests[i], trust_bundles_digest(bundles).data, 64);
        trust_bundles_free(bundles);
    }
    assert_memory_equal(digests[0], digests[1], 64);
    for (size_t i = 1; i < 6; i++) {
        for (size_t k = i + 1; k < 6; k++)
            assert_memory_not_equal(digests[i], digests[k], 64);
    }
    test_cert_free(&a);
    test_cert_free(&b);
}

/* A root whose name is that of its issuer and whose signature is another's. */
static void bundle_refuses_a_root_that_is_damaged(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    char *text = test_cert_pem_one(&root), *end = strstr(text, "\n-----END");
    assert_int_equal(count_of(view_of(text)), 1);
    char *at = end - 8; /* in the signature */
    *at = *at == 'A' ? 'B' : 'A';
    assert_int_equal(count_of(view_of(text)), -1);
    assert_true(view_equals(diags.items[0].code, VIEW("E1007")));
    free(text);
    test_cert_free(&root);
}

/* Flips each bit of a text and cuts it at each length: what is taken has the same authority, or none and says so. */
static void assert_whole_or_refused(char *text, size_t size)
{
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct trust_bundles *bundles;
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        arena_reuse(&arena);
        if (build(VIEW("td"), (struct view){text, size}, &bundles) == ERR_NONE) {
            const struct trust_bundle *bundle = trust_bundles_find(bundles, VIEW("td"));
            const struct bundle_facts *facts = trust_bundle_facts(bundle);
            bool is_same = trust_bundle_count(bundle) == 1;
            if (!is_same && facts->ignored + facts->other_uses != 1)
                fail_msg("bit %zu", bit);
            trust_bundles_free(bundles);
        }
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    while (size > 0 && text[size - 1] == '\n')
        size--; /* without which it is the same */
    for (size_t cut = 0; cut < size; cut++) {
        arena_reuse(&arena);
        assert_int_equal(count_of((struct view){text, cut}), -1);
    }
}

static void bundle_is_whole_or_refused_whatever_bit_is_flipped_and_wherever_it_is_cut(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    char *pem = test_cert_pem_one(&root), *x5c = x5c_of(&root);
    char *document = joined("{\"spiffe_sequence\":7,\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"", x5c,
                            "\"]}],\"spiffe_refresh_hint\":300}");
    assert_whole_or_refused(pem, strlen(pem));
    assert_whole_or_refused(document, strlen(document));
    free(pem);
    free(x5c);
    free(document);
    test_cert_free(&root);
}

/* As many as the limit are taken, and one more is not. */
static void bundle_holds_at_most_256_authorities_and_1_mib(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    char *pem = test_cert_pem_one(&root), *text = malloc(10 * 1024 * 1024);
    size_t one = strlen(pem);
    for (size_t i = 0; i <= TRUST_BUNDLE_AUTHORITIES_MAX; i++)
        memcpy(text + i * one, pem, one);
    assert_int_equal(count_of((struct view){text, TRUST_BUNDLE_AUTHORITIES_MAX * one}), TRUST_BUNDLE_AUTHORITIES_MAX);
    assert_int_equal(count_of((struct view){text, (TRUST_BUNDLE_AUTHORITIES_MAX + 1) * one}), -1);
    assert_true(view_equals(diags.items[0].code, VIEW("E1004")));
    memset(text, '\n', 10 * 1024 * 1024);
    memcpy(text, pem, one);
    assert_int_equal(count_of((struct view){text, TRUST_BUNDLE_BYTES_MAX}), 1);
    assert_int_equal(count_of((struct view){text, TRUST_BUNDLE_BYTES_MAX + 1}), -1);
    assert_int_equal(count_of((struct view){text, 10 * 1024 * 1024}), -1);
    free(pem);
    free(text);
    test_cert_free(&root);
}

/* The file, the line of the element and the domain: one broken bundle among hundreds is found. */
static void a_finding_names_domain_and_line(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL), leaf = test_ca_svid(&root, "spiffe://td/a");
    char *good = test_cert_pem_one(&root), *bad = test_cert_pem_one(&leaf), *text = joined(good, "\n", bad);
    uint32_t line = 2;
    for (const char *c = good; *c != '\0'; c++)
        line += *c == '\n';
    assert_int_equal(count_of(view_of(text)), -1);
    assert_int_equal(diags.items[0].span.line, line);
    assert_true(view_equals(diags.items[0].path, VIEW("td")));
    free(good);
    free(bad);
    free(text);
    test_cert_free(&leaf);
    test_cert_free(&root);
}

/* The vector `name`, or the absent view where vectors are not there. */
static struct view vector(const char *name)
{
    const char *folder = getenv("BARTIZAN_VECTORS");
    char path[512];
    (void)snprintf(path, sizeof path, "%s/spiffe-bundles/%s", folder ? folder : "../../shared/vectors", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return (struct view){0};
    char *text = arena_take(&arena, 65536);
    size_t size = fread(text, 1, 65536, file);
    fclose(file);
    return (struct view){.data = text, .size = size};
}

/* go-spiffe fails a document whose x5c has not exactly one value; SPIFFE takes the first. */
static void bundle_reads_go_spiffe_vectors_as_spiffe_says(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long count;
    } cases[] = {
        {"certs.pem", -1}, /* no authorities: go-spiffe does not look */
        {"corrupted.pem", -1},
        {"empty.pem", -1},
        {"not-pem.pem", -1},
        {"spiffebundle_valid_1.json", 1},
        {"spiffebundle_valid_2.json", 1},
        {"spiffebundle_valid_with_wit.json", 1},
        {"spiffebundle_missing_kid.json", 1},
        {"spiffebundle_multiple_x509.json", 1},
        {"spiffebundle_no_keys.json", -1},
        {"jwks_valid_1.json", 0},
        {"jwks_valid_2.json", 0},
        {"jwks_missing_kid.json", 0},
    };
    if (!view_is_present(vector("certs.pem"))) {
        print_message("SKIPPED: no vectors in ../../shared/vectors/spiffe-bundles; set BARTIZAN_VECTORS\n");
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long count = count_of(vector(cases[i].name));
        if (count != cases[i].count)
            fail_msg("%s: %ld authorities, not %ld", cases[i].name, count, cases[i].count);
    }
    print_message("spiffe-bundles: %zu vectors, all as docs/identity.md says\n", sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle_is_pem_blocks_with_white_space_between),
        cmocka_unit_test(bundle_refuses_what_is_no_authority),
        cmocka_unit_test(bundle_takes_an_authority_whose_own_id_is_odd),
        cmocka_unit_test(bundle_document_follows_spiffe_on_what_is_ignored),
        cmocka_unit_test(bundle_keeps_its_sequence_generation_and_first_expiry),
        cmocka_unit_test(bundle_that_is_not_there_yet_is_known_and_not_loaded),
        cmocka_unit_test(bundles_refuse_bad_and_repeated_names),
        cmocka_unit_test(bundles_are_found_and_walked_by_name),
        cmocka_unit_test(bundles_digest_tells_what_is_trusted),
        cmocka_unit_test(bundle_refuses_a_root_that_is_damaged),
        cmocka_unit_test(bundle_is_whole_or_refused_whatever_bit_is_flipped_and_wherever_it_is_cut),
        cmocka_unit_test(bundle_holds_at_most_256_authorities_and_1_mib),
        cmocka_unit_test(a_finding_names_domain_and_line),
        cmocka_unit_test(bundle_reads_go_spiffe_vectors_as_spiffe_says),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
