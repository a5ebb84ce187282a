/* SPDX-License-Identifier: Apache-2.0 */
/* Project Wycheproof's vectors for JWS, JWK, JWE and the two signature schemes, read
 * from BARTIZAN_VECTORS or ../shared/vectors beside the checkout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base64url.h"
#include "jws.h"
#include "jwt_verify.h"
#include "signature.h"
#include "test_issuers.h"

static json_t *load(const char *name)
{
    char path[1024];
    const char *folder = getenv("BARTIZAN_VECTORS");
    (void)snprintf(path, sizeof path, "%s/wycheproof/%s", folder != NULL ? folder : "../../shared/vectors", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        print_message("SKIPPED: no Wycheproof vectors at %s (set BARTIZAN_VECTORS)\n", path);
        skip();
    }
    json_error_t error;
    json_t *root = json_loadf(file, 0, &error);
    (void)fclose(file);
    assert_non_null(root);
    return root;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* The keys of a group under the issuer "i", or NULL where the set is refused. */
static struct jwks_sets *build(const json_t *key, struct arena *arena)
{
    struct jwks_sets *sets = NULL;
    struct diag_list diags;
    char *text = json_object_get(key, "keys") != NULL ? json_dumps(key, 0) : NULL;
    char *one = text == NULL ? json_dumps(key, 0) : NULL;
    struct view document = view_of(text);
    if (one != NULL)
        document = arena_print(arena, "{\"keys\":[%s]}", one);
    const struct jwks_source source = {.issuer = VIEW("i"), .text = document};
    diag_list_init(&diags, arena);
    if (jwks_sets_build(&source, 1, &diags, &sets) != ERR_NONE)
        sets = NULL;
    free(text);
    free(one);
    return sets;
}

static bool accepts(const char *text, const struct jwks_sets *sets, struct arena *arena)
{
    struct jws jws;
    return sets != NULL && jws_parse(view_of(text), arena, &jws) == REASON_NONE &&
           jws_verify(&jws, jwks_sets_find(sets, VIEW("i"))) == REASON_NONE;
}

static bool is_ours(const json_t *group)
{
    const json_t *keys = json_object_get(json_object_get(group, "public"), "keys");
    const json_t *key = keys != NULL ? json_array_get(keys, 0) : json_object_get(group, "public");
    const char *alg = text_of(key, "alg");
    return strcmp(alg, "RS256") == 0 || strcmp(alg, "ES256") == 0;
}

/* Every valid case of an algorithm that we have is accepted, everything else refused. */
static void run_jws(const char *file, size_t least)
{
    size_t index, at, accepted = 0, refused = 0, wrong = 0;
    json_t *root = load(file), *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), index, group)
    {
        struct arena arena;
        arena_init(&arena, 8 << 20);
        const json_t *key = json_object_get(group, "public");
        struct jwks_sets *sets = build(key != NULL ? key : json_object_get(group, "private"), &arena);
        json_array_foreach(json_object_get(group, "tests"), at, test)
        {
            bool expected = is_ours(group) && strcmp(text_of(test, "result"), "valid") == 0;
            bool got = accepts(text_of(test, "jws"), sets, &arena);
            accepted += got;
            refused += !got;
            if (got == expected)
                continue;
            wrong++;
            print_message("tc %lld %s: %s\n", json_integer_value(json_object_get(test, "tcId")),
                          text_of(test, "comment"), got ? "accepted" : "refused");
        }
        jwks_sets_free(sets);
        arena_free(&arena);
    }
    print_message("%s: %zu accepted, %zu refused\n", file, accepted, refused);
    json_decref(root);
    assert_int_equal(wrong, 0);
    assert_true(accepted >= least);
}

static void jws_vectors_are_judged_right(void **state)
{
    (void)state;
    run_jws("json_web_signature_test.json", 9);
}

static void jwk_vectors_are_judged_right(void **state)
{
    (void)state;
    run_jws("json_web_key_test.json", 1);
}

static void encrypted_tokens_are_refused(void **state)
{
    (void)state;
    static const struct policy policy = {0};
    size_t index, at, count = 0;
    json_t *root = load("json_web_encryption_test.json"), *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), index, group)
    {
        json_array_foreach(json_object_get(group, "tests"), at, test)
        {
            struct arena arena;
            struct token token;
            struct diag_list diags;
            struct jwks_sets *none = NULL;
            arena_init(&arena, 1 << 20);
            diag_list_init(&diags, &arena);
            assert_int_equal(jwks_sets_build(NULL, 0, &diags, &none), ERR_NONE);
            assert_int_equal(jwt_verify(view_of(text_of(test, "jwe")), &policy, none, 0, &arena, &token),
                             REASON_TOKEN_MALFORMED);
            jwks_sets_free(none);
            arena_free(&arena);
            count++;
        }
    }
    json_decref(root);
    assert_true(count > 100);
}

static size_t hex(const char *text, uint8_t *out, size_t capacity)
{
    size_t size = strlen(text) / 2;
    assert_true(size <= capacity);
    assert_true(hex_decode((struct view){text, size * 2}, out, size));
    return size;
}

/* The group's JWK; some of Wycheproof's elliptic ones have only the point. */
static json_t *key_of(const json_t *group, const char *name)
{
    json_t *jwk = json_object_get(group, name);
    const char *point = text_of(json_object_get(group, "publicKey"), "uncompressed");
    uint8_t bytes[65];
    char x[44] = {0}, y[44] = {0};
    if (jwk != NULL)
        return json_incref(jwk);
    assert_int_equal(hex(point, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(base64url_encode(bytes + 1, 32, x), 43);
    assert_int_equal(base64url_encode(bytes + 33, 32, y), 43);
    return json_pack("{ssssssssss}", "kty", "EC", "crv", "P-256", "kid", "none", "x", x, "y", y);
}

static void run_signatures(const char *file, const char *key_name, struct view algorithm, size_t least)
{
    static uint8_t message[65536], signature[4096];
    size_t index, at, checked = 0, wrong = 0;
    json_t *root = load(file), *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), index, group)
    {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        json_t *jwk = key_of(group, key_name);
        struct jwks_sets *sets = build(jwk, &arena);
        const struct jwk *key = sets != NULL ? jwks_find(jwks_sets_find(sets, VIEW("i")), VIEW("none")) : NULL;
        json_array_foreach(json_object_get(group, "tests"), at, test)
        {
            const char *result = text_of(test, "result");
            assert_non_null(key);
            if (strcmp(result, "acceptable") == 0) /* an encoding that a verifier may take or leave */
                continue;
            struct view text = {(const char *)message, hex(text_of(test, "msg"), message, sizeof message)};
            struct view given = {(const char *)signature, hex(text_of(test, "sig"), signature, sizeof signature)};
            bool got = signature_verify(signature_algorithm(algorithm), key, text, given);
            checked++;
            if (got == (strcmp(result, "valid") == 0))
                continue;
            wrong++;
            print_message("tc %lld %s: %s\n", json_integer_value(json_object_get(test, "tcId")),
                          text_of(test, "comment"), got ? "accepted" : "refused");
        }
        jwks_sets_free(sets);
        arena_free(&arena);
        json_decref(jwk);
    }
    print_message("%s: %zu checked\n", file, checked);
    json_decref(root);
    assert_int_equal(wrong, 0);
    assert_true(checked >= least);
}

static void ecdsa_vectors_are_judged_right(void **state)
{
    (void)state;
    run_signatures("ecdsa_secp256r1_sha256_p1363_test.json", "publicKeyJwk", VIEW("ES256"), 262);
}

static void rsa_vectors_are_judged_right(void **state)
{
    (void)state;
    run_signatures("rsa_signature_2048_sha256_test.json", "keyJwk", VIEW("RS256"), 258);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jws_vectors_are_judged_right), cmocka_unit_test(jwk_vectors_are_judged_right),
        cmocka_unit_test(encrypted_tokens_are_refused), cmocka_unit_test(ecdsa_vectors_are_judged_right),
        cmocka_unit_test(rsa_vectors_are_judged_right),
    };
    return cmocka_run_group_tests_name("wycheproof_jose", tests, NULL, NULL);
}
