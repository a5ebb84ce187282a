/* SPDX-License-Identifier: Apache-2.0 */
/* Project Wycheproof's vectors for JWS, JWK, JWE and the signature schemes: a few of its
 * files from BARTIZAN_VECTORS or ../shared/vectors beside the checkout, and all that
 * apply from BARTIZAN_WYCHEPROOF, the folder testvectors_v1 of its Go module. */
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
    const char *folder = getenv("BARTIZAN_VECTORS"), *all = getenv("BARTIZAN_WYCHEPROOF");
    (void)snprintf(path, sizeof path, "%s/wycheproof/%s", folder != NULL ? folder : "../../shared/vectors", name);
    if (all != NULL && all[0] != '\0')
        (void)snprintf(path, sizeof path, "%s/%s", all, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        print_message("SKIPPED: no Wycheproof vectors at %s (set BARTIZAN_VECTORS or BARTIZAN_WYCHEPROOF)\n", path);
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
    return signature_algorithm(view_of(alg)) != NULL;
}

/* Called valid there and refused here: the key's `alg` is PS256 and the header says PS384 (346, 350). */
static bool is_stricter_here(json_int_t number)
{
    return number == 346 || number == 350;
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
            bool expected = is_ours(group) && strcmp(text_of(test, "result"), "valid") == 0 &&
                            !is_stricter_here(json_integer_value(json_object_get(test, "tcId")));
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
    run_jws("json_web_signature_test.json", 32);
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
static json_t *key_of(const json_t *group)
{
    enum { COORDINATE_MAX = 66 };
    json_t *jwk = json_object_get(group, "publicKeyJwk");
    const char *point = text_of(json_object_get(group, "publicKey"), "uncompressed");
    uint8_t bytes[1 + 2 * COORDINATE_MAX];
    char x[2 * COORDINATE_MAX] = {0}, y[2 * COORDINATE_MAX] = {0};
    if (jwk == NULL)
        jwk = json_object_get(group, "keyJwk");
    if (jwk != NULL)
        return json_incref(jwk);
    size_t half = (hex(point, bytes, sizeof bytes) - 1) / 2;
    (void)base64url_encode(bytes + 1, half, x);
    (void)base64url_encode(bytes + 1 + half, half, y);
    const char *curve = half == 32 ? "P-256" : half == 48 ? "P-384" : "P-521";
    return json_pack("{ssssssssss}", "kty", "EC", "crv", curve, "kid", "none", "x", x, "y", y);
}

struct tally {
    size_t checked, wrong, groups_without_key;
};

static void run_group(const json_t *group, const struct signature_algorithm *algorithm, struct tally *tally)
{
    static uint8_t message[65536], signature[4096];
    size_t at;
    json_t *test, *jwk = key_of(group);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct jwks_sets *sets = jwk != NULL ? build(jwk, &arena) : NULL;
    const struct jwk *key =
        sets != NULL ? jwks_find(jwks_sets_find(sets, VIEW("i")), view_of(text_of(jwk, "kid"))) : NULL;
    tally->groups_without_key += key == NULL;
    json_array_foreach(json_object_get(group, "tests"), at, test)
    {
        const char *result = text_of(test, "result");
        if (key == NULL || strcmp(result, "acceptable") == 0) /* an encoding that a verifier may take or leave */
            continue;
        struct view text = {(const char *)message, hex(text_of(test, "msg"), message, sizeof message)};
        struct view given = {(const char *)signature, hex(text_of(test, "sig"), signature, sizeof signature)};
        bool got = signature_verify(algorithm, key, text, given);
        tally->checked++;
        if (got == (strcmp(result, "valid") == 0))
            continue;
        tally->wrong++;
        print_message("tc %lld %s: %s\n", json_integer_value(json_object_get(test, "tcId")), text_of(test, "comment"),
                      got ? "accepted" : "refused");
    }
    jwks_sets_free(sets);
    arena_free(&arena);
    json_decref(jwk);
}

static void run_signatures(const char *file, const char *algorithm, size_t least)
{
    size_t index;
    struct tally tally = {0};
    json_t *root = load(file), *group;
    json_array_foreach(json_object_get(root, "testGroups"), index, group)
        run_group(group, signature_algorithm(view_of(algorithm)), &tally);
    print_message("%s: %zu checked by %s\n", file, tally.checked, algorithm);
    json_decref(root);
    assert_int_equal(tally.wrong, 0);
    assert_int_equal(tally.groups_without_key, 0);
    assert_true(tally.checked >= least);
}

static void ecdsa_vectors_are_judged_right(void **state)
{
    (void)state;
    run_signatures("ecdsa_secp256r1_sha256_p1363_test.json", "ES256", 262);
}

static void rsa_vectors_are_judged_right(void **state)
{
    (void)state;
    run_signatures("rsa_signature_2048_sha256_test.json", "RS256", 258);
}

static void the_whole_of_wycheproof_is_judged_right(void **state)
{
    (void)state;
    static const struct {
        const char *file, *algorithm;
        size_t least;
    } ALL[] = {
        {"ecdsa_secp384r1_sha384_p1363_test.json", "ES384", 280},
        {"ecdsa_secp521r1_sha512_p1363_test.json", "ES512", 318},
        {"rsa_signature_2048_sha384_test.json", "RS384", 250},
        {"rsa_signature_2048_sha512_test.json", "RS512", 250},
        {"rsa_signature_3072_sha256_test.json", "RS256", 250},
        {"rsa_signature_3072_sha384_test.json", "RS384", 250},
        {"rsa_signature_3072_sha512_test.json", "RS512", 250},
        {"rsa_signature_4096_sha256_test.json", "RS256", 250},
        {"rsa_signature_4096_sha384_test.json", "RS384", 250},
        {"rsa_signature_4096_sha512_test.json", "RS512", 250},
        {"rsa_pss_2048_sha256_mgf1_32_test.json", "PS256", 100},
        {"rsa_pss_2048_sha384_mgf1_48_test.json", "PS384", 50},
        {"rsa_pss_3072_sha256_mgf1_32_test.json", "PS256", 100},
        {"rsa_pss_4096_sha256_mgf1_32_test.json", "PS256", 100},
        {"rsa_pss_4096_sha384_mgf1_48_test.json", "PS384", 50},
        {"rsa_pss_4096_sha512_mgf1_64_test.json", "PS512", 50},
        {"ed25519_test.json", "EdDSA", 150},
    };
    const char *folder = getenv("BARTIZAN_WYCHEPROOF");
    if (folder == NULL || folder[0] == '\0') {
        print_message("SKIPPED: BARTIZAN_WYCHEPROOF does not name the folder testvectors_v1\n");
        skip();
    }
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        run_signatures(ALL[i].file, ALL[i].algorithm, ALL[i].least);
    run_jws("json_web_crypto_test.json", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jws_vectors_are_judged_right), cmocka_unit_test(jwk_vectors_are_judged_right),
        cmocka_unit_test(encrypted_tokens_are_refused), cmocka_unit_test(ecdsa_vectors_are_judged_right),
        cmocka_unit_test(rsa_vectors_are_judged_right), cmocka_unit_test(the_whole_of_wycheproof_is_judged_right),
    };
    return cmocka_run_group_tests_name("wycheproof_jose", tests, NULL, NULL);
}
