/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "jwks.h"
#include "test_tokens.h"

#define ISSUER "https://sso.example"

static struct arena arena;
static struct diag_list diags;
static struct test_key *rsa, *ec;
static char *rsa_jwk, *ec_jwk;

static int make_keys(void **state)
{
    (void)state;
    rsa = test_key_rsa("r", 2048);
    ec = test_key_ec("e");
    rsa_jwk = test_key_jwk(rsa);
    ec_jwk = test_key_jwk(ec);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    free(rsa_jwk);
    free(ec_jwk);
    test_key_free(rsa);
    test_key_free(ec);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err build(const char *text, struct jwks_sets **out)
{
    const struct jwks_source source = {
        .issuer = VIEW(ISSUER), .file = VIEW("keys.json"), .text = view_of(text), .generation = 7};
    return jwks_sets_build(&source, 1, &diags, out);
}

/* The number of keys kept of {"keys":[ `text` ]}. */
static size_t kept(const char *text)
{
    char document[16384];
    struct jwks_sets *sets = NULL;
    assert_in_range(snprintf(document, sizeof document, "{\"keys\":[%s]}", text), 1, sizeof document - 1);
    assert_int_equal(build(document, &sets), ERR_NONE);
    size_t count = jwks_count(jwks_sets_find(sets, VIEW(ISSUER)));
    jwks_sets_free(sets);
    return count;
}

static void refuse(const char *text, const char *code)
{
    struct jwks_sets *sets = NULL;
    size_t before = diags.count;
    assert_int_equal(build(text, &sets), ERR_INVALID);
    assert_null(sets);
    assert_true(diags.count > before);
    assert_true(view_equals(diags.items[diags.count - 1].code, view_of(code)));
}

static void refuse_keys(const char *keys, const char *code)
{
    char document[16384];
    assert_in_range(snprintf(document, sizeof document, "{\"keys\":[%s]}", keys), 1, sizeof document - 1);
    refuse(document, code);
}

/* `jwk` with the text `from` turned into `to`; the caller frees it. */
static char *with(const char *jwk, const char *from, const char *to)
{
    const char *at = strstr(jwk, from);
    assert_non_null(at);
    size_t size = strlen(jwk) + strlen(to) + 1;
    char *out = malloc(size);
    assert_non_null(out);
    (void)snprintf(out, size, "%.*s%s%s", (int)(at - jwk), jwk, to, at + strlen(from));
    return out;
}

static size_t kept_with(const char *jwk, const char *from, const char *to)
{
    char *changed = with(jwk, from, to);
    size_t count = kept(changed);
    free(changed);
    return count;
}

static void a_set_gives_its_keys_by_kid(void **state)
{
    (void)state;
    struct test_key *keys[] = {rsa, ec};
    char *text = test_jwks(keys, 2);
    struct jwks_sets *sets = NULL;
    assert_int_equal(build(text, &sets), ERR_NONE);
    free(text); /* what was built borrows nothing from it */
    const struct jwks *jwks = jwks_sets_find(sets, VIEW(ISSUER));
    assert_non_null(jwks);
    assert_true(jwks_is_available(jwks));
    assert_int_equal(jwks_generation(jwks), 7);
    assert_int_equal(jwks_count(jwks), 2);
    assert_int_equal(jwks_find(jwks, VIEW("r"))->type, JWK_RSA);
    assert_int_equal(jwks_find(jwks, VIEW("e"))->type, JWK_EC_P256);
    assert_null(jwks_find(jwks, VIEW("E")));
    assert_null(jwks_find(jwks, VIEW("")));
    assert_ptr_equal(jwks_find_only(jwks, JWK_RSA, VIEW("RS256")), jwks_find(jwks, VIEW("r")));
    assert_null(jwks_find_only(jwks, JWK_RSA, VIEW("PS256"))); /* its `alg` says RS256 */
    assert_null(jwks_sets_find(sets, VIEW("https://sso.example/")));
    jwks_sets_free(sets);
}

static void an_issuer_may_use_the_usual_algorithms_or_those_it_is_given(void **state)
{
    (void)state;
    struct test_key *keys[] = {ec};
    char *text = test_jwks(keys, 1);
    struct jwks_sets *sets = NULL;
    const struct jwks_source sources[] = {
        {.issuer = VIEW("https://usual.example"), .text = view_of(text)},
        {.issuer = VIEW("https://given.example"), .text = view_of(text), .algorithms = 1 << JOSE_EDDSA}};
    assert_int_equal(jwks_sets_build(sources, 2, &diags, &sets), ERR_NONE);
    const struct jwks *usual = jwks_sets_find(sets, sources[0].issuer),
                      *given = jwks_sets_find(sets, sources[1].issuer);
    for (int i = 0; i < JOSE_ALGORITHM_COUNT; i++) {
        assert_int_equal(jwks_allows(usual, (enum jose_algorithm)i), i != JOSE_EDDSA && i != JOSE_ED25519);
        assert_int_equal(jwks_allows(given, (enum jose_algorithm)i), i == JOSE_EDDSA);
    }
    jwks_sets_free(sets);
    free(text);
}

static void an_issuer_without_a_document_is_there_but_not_available(void **state)
{
    (void)state;
    struct jwks_sets *sets = NULL;
    assert_int_equal(build(NULL, &sets), ERR_NONE);
    assert_false(jwks_is_available(jwks_sets_find(sets, VIEW(ISSUER))));
    jwks_sets_free(sets);
    refuse("", "E0701"); /* an empty document is a broken one */
}

static void keys_of_another_purpose_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"x\":1"), 1);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"use\":\"enc\""), 0);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"use\":\"jwt-svid\""), 0);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"use\":null"), 0);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"key_ops\":[\"verify\"]"), 1);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"key_ops\":[\"encrypt\",\"decrypt\"]"), 0);
    assert_int_equal(kept_with(rsa_jwk, "\"use\":\"sig\"", "\"key_ops\":\"verify\""), 0);
    assert_int_equal(diags.errors, 0);
}

static void unknown_members_are_not_looked_at(void **state)
{
    (void)state;
    assert_int_equal(kept_with(rsa_jwk, "\"use\"", "\"x5c\":[\"garbage\"],\"x5t\":7,\"use\""), 1);
}

static void unknown_kinds_of_keys_are_left_out(void **state)
{
    (void)state;
    assert_int_equal(
        kept("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
        1); /* RFC 8037 appendix A.2 */
    assert_int_equal(kept("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"), 0);
    assert_int_equal(kept("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
                     0);
    assert_int_equal(kept("{\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"), 0);
    assert_int_equal(kept_with(ec_jwk, "P-256", "P-384"), 0);
    assert_int_equal(kept_with(ec_jwk, "P-256", "p-256"), 0);
    assert_int_equal(kept_with(ec_jwk, "\"EC\"", "\"ec\""), 0);
    assert_int_equal(kept_with(ec_jwk, "\"EC\"", "\"RSA\""), 0);
    assert_int_equal(kept_with(ec_jwk, "\"kty\"", "\"kyt\""), 0);
    assert_int_equal(kept(""), 0);
    assert_int_equal(diags.errors, 0);
    assert_true(diags.count > 0);
}

static void weak_rsa_keys_are_left_out(void **state)
{
    (void)state;
    struct test_key *weak = test_key_rsa("w", 1024);
    char *jwk = test_key_jwk(weak);
    assert_int_equal(kept(jwk), 0);
    assert_int_equal(kept(rsa_jwk), 1);
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "Aw"), 1);   /* 3 */
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "AQ"), 0);   /* 1 */
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "AA"), 0);   /* 0 */
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "AQAA"), 0); /* 65536 */
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "AQAC"), 0); /* a bit that no byte takes */
    assert_int_equal(kept_with(rsa_jwk, "AQAB", "AQAB="), 0);
    assert_int_equal(kept_with(rsa_jwk, "\"n\":\"", "\"n\":\"_"), 0);
    free(jwk);
    test_key_free(weak);
}

static void an_rsa_modulus_over_8192_bits_is_left_out(void **state)
{
    (void)state;
    uint8_t modulus[1025];
    char text[2048];
    for (size_t size = 1024; size <= 1025; size++) {
        memset(modulus, 0xff, sizeof modulus);
        char *n = test_base64url(modulus, size);
        (void)snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}", n);
        assert_int_equal(kept(text), size == 1024);
        free(n);
    }
}

static void a_point_off_the_curve_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(kept(ec_jwk), 1);
    const char *x = strstr(ec_jwk, "\"x\":\"") + 5;
    char first[] = {x[0], '\0'}, other[] = {x[0] == 'A' ? 'B' : 'A', '\0'}, from[16], to[16];
    (void)snprintf(from, sizeof from, "\"x\":\"%s", first);
    (void)snprintf(to, sizeof to, "\"x\":\"%s", other);
    /* Every second x has a point; with the old y it is never the same one. */
    assert_int_equal(kept_with(ec_jwk, from, to), 0);
    assert_int_equal(kept_with(ec_jwk, "\"x\":\"", "\"x\":\"AAAA"), 0);
    assert_int_equal(kept_with(ec_jwk, "\"x\":\"", "\"z\":\""), 0);
}

static void a_kid_given_twice_refuses_the_set(void **state)
{
    (void)state;
    char both[8192];
    char *same = with(ec_jwk, "\"kid\":\"e\"", "\"kid\":\"r\"");
    (void)snprintf(both, sizeof both, "%s,%s", rsa_jwk, same);
    refuse_keys(both, "E0704");
    (void)snprintf(both, sizeof both, "%s,%s", rsa_jwk, ec_jwk);
    assert_int_equal(kept(both), 2);
    free(same);
}

static void a_private_or_symmetric_key_refuses_the_set(void **state)
{
    (void)state;
    char *private = with(ec_jwk, "\"x\":", "\"d\":\"AAAA\",\"x\":");
    refuse_keys(private, "E0703");
    refuse_keys("{\"kty\":\"oct\",\"k\":\"AAAA\"}", "E0703");
    refuse_keys("{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"qi\":\"AQ\"}", "E0703");
    free(private);
}

static void what_is_no_key_set_is_refused(void **state)
{
    (void)state;
    refuse("{", "E0701");
    refuse("{} x", "E0701");
    refuse("<html>", "E0701");
    refuse("[]", "E0702");
    refuse("{}", "E0702");
    refuse("{\"keys\":{}}", "E0702");
    refuse("{\"keys\":[1]}", "E0702");
    refuse("{\"keys\":[],\"keys\":[]}", "E0701");
    refuse("{\"keys\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "E0701");
}

static void a_finding_names_its_line_and_column(void **state)
{
    (void)state;
    refuse("{\"keys\":\n  [{\"kty\":\"oct\",\n  \"k\":\"AAAA\"}]}", "E0703");
    assert_int_equal(diags.items[diags.count - 1].span.line, 2);
    assert_int_equal(diags.items[diags.count - 1].span.column, 6);
    refuse("{\"keys\":[\n\"\xc3\xa9\",x]}", "E0701");
    assert_int_equal(diags.items[diags.count - 1].span.line, 2);
    assert_int_equal(diags.items[diags.count - 1].span.column, 5);
}

static void two_sets_for_one_issuer_are_refused(void **state)
{
    (void)state;
    struct jwks_sets *sets = NULL;
    struct jwks_source sources[] = {{.issuer = VIEW(ISSUER), .text = VIEW("{\"keys\":[]}")},
                                    {.issuer = VIEW(ISSUER "/2"), .text = VIEW("{\"keys\":[]}")}};
    assert_int_equal(jwks_sets_build(sources, 2, &diags, &sets), ERR_NONE);
    jwks_sets_free(sets);
    sources[1].issuer = sources[0].issuer;
    assert_int_equal(jwks_sets_build(sources, 2, &diags, &sets), ERR_INVALID);
}

static void the_digest_tells_documents_apart(void **state)
{
    (void)state;
    struct jwks_sets *one = NULL, *same = NULL, *other = NULL, *none = NULL;
    assert_int_equal(build("{\"keys\":[]}", &one), ERR_NONE);
    assert_int_equal(build("{\"keys\":[]}", &same), ERR_NONE);
    assert_int_equal(build("{\"keys\": []}", &other), ERR_NONE);
    assert_int_equal(build(NULL, &none), ERR_NONE);
    assert_int_equal(jwks_sets_digest(one).size, 64);
    assert_true(view_equals(jwks_sets_digest(one), jwks_sets_digest(same)));
    assert_false(view_equals(jwks_sets_digest(one), jwks_sets_digest(other)));
    assert_false(view_equals(jwks_sets_digest(one), jwks_sets_digest(none)));
    jwks_sets_free(one);
    jwks_sets_free(same);
    jwks_sets_free(other);
    jwks_sets_free(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_set_gives_its_keys_by_kid),
        TEST(an_issuer_may_use_the_usual_algorithms_or_those_it_is_given),
        TEST(an_issuer_without_a_document_is_there_but_not_available),
        TEST(keys_of_another_purpose_are_passed_over),
        TEST(unknown_members_are_not_looked_at),
        TEST(unknown_kinds_of_keys_are_left_out),
        TEST(weak_rsa_keys_are_left_out),
        TEST(an_rsa_modulus_over_8192_bits_is_left_out),
        TEST(a_point_off_the_curve_is_left_out),
        TEST(a_kid_given_twice_refuses_the_set),
        TEST(a_private_or_symmetric_key_refuses_the_set),
        TEST(what_is_no_key_set_is_refused),
        TEST(a_finding_names_its_line_and_column),
        TEST(two_sets_for_one_issuer_are_refused),
        TEST(the_digest_tells_documents_apart),
    };
    return cmocka_run_group_tests_name("jwks", tests, make_keys, free_keys);
}
