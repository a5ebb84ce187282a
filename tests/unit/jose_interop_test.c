/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that another implementation signed: the `jose` command (libjose), which
 * makes the keys, the key set and the signatures. Skipped where it is not installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "jwt_verify.h"
#include "test_issuers.h"

#define ISSUER "https://sso.example"
#define NOW 1767268800

static const struct view AUDIENCES[] = {{"x", 1}};
static const struct policy_issuer ISSUERS[] = {
    {.url = {ISSUER, sizeof ISSUER - 1}, .audiences = AUDIENCES, .audience_count = 1, .clock_skew = 30}};
static const struct policy policy = {ISSUERS, 1};

static char folder[256];

static int make_folder(void **state)
{
    const char *parent = getenv("TMPDIR");
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/jose-interop-XXXXXX", parent != NULL ? parent : P_tmpdir);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    static const char *const NAMES[] = {"key", "set", "claims", "token"};
    char path[300];
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void need_jose(void)
{
    if (system("command -v jose >/dev/null 2>&1") != 0) {
        print_message("SKIPPED: the jose command is not installed\n");
        skip();
    }
}

static size_t read_file(const char *name, char *out, size_t capacity)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(out, 1, capacity, file);
    (void)fclose(file);
    return size;
}

/* Keys and a token of `jose`, and what we say of it with `cut` bytes cut off its end. */
static enum reason verify(const char *algorithm, const char *claims, size_t cut)
{
    char command[2048], keys_text[8192], text[8192];
    (void)snprintf(command, sizeof command,
                   "cd %s && rm -f key set token && printf '%%s' '%s' >claims && "
                   "jose jwk gen -i '{\"alg\":\"%s\",\"kid\":\"k\"}' -o key && jose jwk pub -s -i key -o set && "
                   "jose jws sig -I claims -k key -c -o token "
                   "-s '{\"protected\":{\"alg\":\"%s\",\"kid\":\"k\",\"typ\":\"at+jwt\"}}'",
                   folder, claims, algorithm, algorithm);
    assert_int_equal(system(command), 0);
    const struct jwks_source source = {.issuer = VIEW(ISSUER),
                                       .text = {keys_text, read_file("set", keys_text, sizeof keys_text)}};
    struct view token_text = {text, read_file("token", text, sizeof text) - cut};
    struct arena arena;
    struct diag_list diags;
    struct jwks_sets *keys = NULL;
    struct token token;
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    assert_int_equal(jwks_sets_build(&source, 1, &diags, &keys), ERR_NONE);
    enum reason reason = jwt_verify(token_text, &policy, keys, NOW, &arena, &token);
    jwks_sets_free(keys);
    arena_free(&arena);
    return reason;
}

#define CLAIMS "{\"iss\":\"" ISSUER "\",\"sub\":\"a\",\"aud\":\"x\",\"exp\":1767268900}"
#define EXPIRED "{\"iss\":\"" ISSUER "\",\"sub\":\"a\",\"aud\":\"x\",\"exp\":1767268000}"

static void an_es256_token_of_jose_verifies(void **state)
{
    (void)state;
    need_jose();
    assert_int_equal(verify("ES256", CLAIMS, 0), REASON_NONE);
    assert_int_equal(verify("ES256", EXPIRED, 0), REASON_TOKEN_EXPIRED);
    assert_int_equal(verify("ES256", CLAIMS, 2), REASON_TOKEN_SIGNATURE);
}

static void an_rs256_token_of_jose_verifies(void **state)
{
    (void)state;
    need_jose();
    assert_int_equal(verify("RS256", CLAIMS, 0), REASON_NONE);
    assert_int_equal(verify("RS256", CLAIMS, 2), REASON_TOKEN_SIGNATURE);
}

static void tokens_of_jose_in_every_other_algorithm_verify(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512"};
    need_jose();
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        assert_int_equal(verify(NAMES[i], CLAIMS, 0), REASON_NONE);
        size_t cut = NAMES[i][0] == 'E' ? 4 : 2; /* what is left is whole base64 */
        assert_int_equal(verify(NAMES[i], CLAIMS, cut), REASON_TOKEN_SIGNATURE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_es256_token_of_jose_verifies),
        cmocka_unit_test(an_rs256_token_of_jose_verifies),
        cmocka_unit_test(tokens_of_jose_in_every_other_algorithm_verify),
    };
    return cmocka_run_group_tests_name("jose_interop", tests, make_folder, remove_folder);
}
