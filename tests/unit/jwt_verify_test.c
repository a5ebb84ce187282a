/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "jwt_verify.h"
#include "test_issuers.h"
#include "test_tokens.h"

#define ISSUER "https://sso.example"
#define NOW 1767268800

static struct test_key *rsa, *ec, *ec2, *stranger;
static struct jwks_sets *keys;
static struct arena messages;
static char memory[TOKEN_ARENA_BYTES];
static struct arena arena;
static struct token token;

static const struct view AUDIENCES[] = {{"inference", 9}, {"agent", 5}};
static struct policy_issuer issuers[] = {
    {.name = {"sso", 3},
     .url = {ISSUER, sizeof ISSUER - 1},
     .audiences = AUDIENCES,
     .audience_count = 2,
     .clock_skew = 30},
    {.url = {"https://capped.example", 22}, .audiences = AUDIENCES, .audience_count = 2, .max_lifetime = 600},
    {.url = {"https://waiting.example", 23}, .audiences = AUDIENCES, .audience_count = 2},
    {.url = {"https://policy-only.example", 27}, .audiences = AUDIENCES, .audience_count = 2},
    {.url = {"https://ec.example", 18}, .audiences = AUDIENCES, .audience_count = 2},
};
static const struct policy policy = {issuers, sizeof issuers / sizeof *issuers};

static int make_keys(void **state)
{
    (void)state;
    rsa = test_key_rsa("r", 2048);
    ec = test_key_ec("e");
    ec2 = test_key_ec("e2");
    stranger = test_key_ec("e");
    struct test_key *all[] = {rsa, ec, ec2};
    char *text = test_jwks(all, 3), *single = test_jwks(&ec, 1);
    const struct jwks_source sources[] = {
        {.issuer = VIEW(ISSUER), .text = view_of(text), .generation = 42},
        {.issuer = VIEW("https://capped.example"), .text = view_of(text)},
        {.issuer = VIEW("https://waiting.example")},
        {.issuer = VIEW("https://keys-only.example"), .text = view_of(text)},
        {.issuer = VIEW("https://ec.example"), .text = view_of(single)},
    };
    struct diag_list diags;
    arena_init(&messages, 1 << 20);
    diag_list_init(&diags, &messages);
    assert_int_equal(jwks_sets_build(sources, 5, &diags, &keys), ERR_NONE);
    free(text);
    free(single);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    jwks_sets_free(keys);
    arena_free(&messages);
    test_key_free(rsa);
    test_key_free(ec);
    test_key_free(ec2);
    test_key_free(stranger);
    return 0;
}

static enum reason verify_at(const char *text, size_t size, int64_t now)
{
    arena_init_fixed(&arena, memory, sizeof memory);
    return jwt_verify((struct view){text, size}, &policy, keys, now, &arena, &token);
}

/* Verifies `text` and frees it. */
static enum reason verify(char *text)
{
    enum reason reason = verify_at(text, strlen(text), NOW);
    free(text);
    return reason;
}

static char *claims_of(char *out, size_t size, const char *more)
{
    (void)snprintf(out, size, "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\",\"aud\":\"inference\",\"exp\":%d%s}",
                   NOW + 300, more);
    return out;
}

/* A good token's claims and `more` of them, signed with the P-256 key. */
static enum reason verify_claims(const char *more)
{
    char claims[16384];
    return verify(test_token(ec, claims_of(claims, sizeof claims, more)));
}

static enum reason verify_header(const struct test_key *key, const char *header)
{
    char claims[512];
    return verify(test_token_with_header(key, header, claims_of(claims, sizeof claims, "")));
}

#define ACCEPT(more) assert_int_equal(verify_claims(more), REASON_NONE)
#define REFUSE(more) assert_int_equal(verify_claims(more), REASON_TOKEN_CLAIMS)

/* ---- what is accepted ---- */

static void a_token_gives_its_facts(void **state)
{
    (void)state;
    char text[8192];
    (void)snprintf(
        text, sizeof text,
        "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\",\"aud\":[\"x\",\"agent\"],\"exp\":%d,\"nbf\":%d,\"iat\":%d,"
        "\"auth_time\":%d,\"amr\":[\"pwd\",\"otp\"],\"acr\":\"aal2\",\"azp\":\"portal\",\"client_id\":\"other\","
        "\"jti\":\"j1\",\"typ\":\"Bearer\",\"act\":{\"sub\":\"spiffe://prod/agent\",\"act\":{\"sub\":\"b\"}},"
        "\"realm_access\":{\"roles\":[\"a\",\"b\"]},\"age\":4.20e1,\"admin\":true,\"none\":null}",
        NOW + 300, NOW - 10, NOW - 20, NOW - 100);
    assert_int_equal(verify(test_token(rsa, text)), REASON_NONE);
    const struct user_facts *user = &token.user;
    assert_int_equal(user->state, USER_KNOWN);
    assert_true(view_equals(user->issuer, VIEW(ISSUER)));
    assert_true(view_equals(user->subject, VIEW("alice")));
    assert_true(view_equals(user->client, VIEW("portal")));
    assert_true(view_equals(user->acr, VIEW("aal2")));
    assert_true(view_equals(token.id, VIEW("j1")));
    assert_true(user->has_amr);
    assert_int_equal(user->amr_count, 2);
    assert_true(view_equals(user->amr[1], VIEW("otp")));
    assert_true(user->has_auth_time);
    assert_int_equal(user->auth_time, NOW - 100);
    assert_int_equal(user->issued_at, NOW - 20);
    assert_int_equal(user->expires, NOW + 300);
    assert_int_equal(token.not_before, NOW - 10);
    assert_int_equal(token.usable_from, NOW - 10 - 30);
    assert_int_equal(token.usable_until, NOW + 300 + 30);
    assert_int_equal(token.jwks_generation, 42);
    assert_int_equal(user->actor_count, 2);
    assert_true(view_equals(user->actors[0], VIEW("spiffe://prod/agent")));
    assert_true(view_equals(user->actors[1], VIEW("b")));
    assert_false(token.has_confirmation);
}

static const struct value *member(const struct value *map, struct view name)
{
    for (size_t i = 0; i < map->count; i++)
        if (view_equals(map->names[i], name))
            return &map->items[i];
    return NULL;
}

static void assert_number(struct view name, const char *expected)
{
    const struct value *value = member(token.user.claims, name);
    assert_non_null(value);
    assert_int_equal(value->kind, VALUE_NUMBER);
    assert_true(view_equals(value->text, view_of(expected)));
}

static void claims_become_a_tree_of_values(void **state)
{
    (void)state;
    ACCEPT(",\"roles\":{\"r\":[\"a\",\"b\"]},\"yes\":true,\"no\":false,\"nil\":null,\"text\":\"a\\u0062c\"");
    const struct value *claims = token.user.claims;
    assert_int_equal(claims->kind, VALUE_MAP);
    assert_int_equal(claims->count, 9);
    const struct value *list = member(member(claims, VIEW("roles")), VIEW("r"));
    assert_int_equal(list->kind, VALUE_LIST);
    assert_true(view_equals(list->items[1].text, VIEW("b")));
    assert_int_equal(member(claims, VIEW("yes"))->kind, VALUE_BOOL);
    assert_true(view_equals(member(claims, VIEW("yes"))->text, VIEW("true")));
    assert_true(view_equals(member(claims, VIEW("no"))->text, VIEW("false")));
    assert_int_equal(member(claims, VIEW("nil"))->kind, VALUE_NULL);
    assert_true(view_equals(member(claims, VIEW("text"))->text, VIEW("abc")));
}

static void numbers_are_canonical_decimals(void **state)
{
    (void)state;
    ACCEPT(",\"a\":42,\"b\":42.0,\"c\":4.2e1,\"d\":-0,\"e\":0.0e5,\"f\":-1.50,\"g\":1e3,\"h\":0.001,\"i\":12E-4,"
           "\"j\":100,\"k\":1e400,\"l\":-7,\"m\":1200.0340e2,\"n\":9007199254740993,\"o\":5e-1");
    assert_number(VIEW("a"), "42");
    assert_number(VIEW("b"), "42");
    assert_number(VIEW("c"), "42");
    assert_number(VIEW("d"), "0");
    assert_number(VIEW("e"), "0");
    assert_number(VIEW("f"), "-1.5");
    assert_number(VIEW("g"), "1000");
    assert_number(VIEW("h"), "0.001");
    assert_number(VIEW("i"), "0.0012");
    assert_number(VIEW("j"), "100");
    assert_number(VIEW("k"), "1e400");
    assert_number(VIEW("l"), "-7");
    assert_number(VIEW("m"), "120003.4");
    assert_number(VIEW("n"), "9007199254740993");
    assert_number(VIEW("o"), "0.5");
}

static void both_algorithms_verify(void **state)
{
    (void)state;
    assert_int_equal(verify_header(rsa, "{\"alg\":\"RS256\",\"kid\":\"r\"}"), REASON_NONE);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"e\"}"), REASON_NONE);
    assert_int_equal(verify_header(ec2, "{\"alg\":\"ES256\",\"kid\":\"e2\"}"), REASON_NONE);
}

/* ---- shape ---- */

static void a_token_needs_exactly_two_dots(void **state)
{
    (void)state;
    char claims[512], changed[4096];
    char *good = test_token(ec, claims_of(claims, sizeof claims, ""));
    assert_int_equal(verify_at(good, strlen(good), NOW), REASON_NONE);
    (void)snprintf(changed, sizeof changed, "%s.", good);
    assert_int_equal(verify_at(changed, strlen(changed), NOW), REASON_TOKEN_MALFORMED);
    (void)snprintf(changed, sizeof changed, ".%s", good);
    assert_int_equal(verify_at(changed, strlen(changed), NOW), REASON_TOKEN_MALFORMED);
    (void)snprintf(changed, sizeof changed, "%s.a.b", good); /* a JWE has five parts */
    assert_int_equal(verify_at(changed, strlen(changed), NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at(good, strcspn(good, "."), NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at(good, (size_t)(strrchr(good, '.') - good), NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at(good, (size_t)(strrchr(good, '.') - good) + 1, NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at("", 0, NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at("..", 2, NOW), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_at("{\"payload\":\"Zm9v\"}", 18, NOW), REASON_TOKEN_MALFORMED);
    free(good);
}

static void every_prefix_of_a_token_is_refused(void **state)
{
    (void)state;
    char claims[512];
    char *good = test_token(ec, claims_of(claims, sizeof claims, ""));
    for (size_t i = 0; i < strlen(good); i++)
        assert_int_not_equal(verify_at(good, i, NOW), REASON_NONE);
    free(good);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    char claims[512];
    char *good = test_token(ec, claims_of(claims, sizeof claims, ""));
    size_t size = strlen(good);
    for (size_t i = 0; i < size; i++) {
        char kept = good[i];
        good[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify_at(good, size, NOW), REASON_NONE);
        good[i] = '\0';
        assert_int_equal(verify_at(good, size, NOW), REASON_TOKEN_MALFORMED);
        good[i] = kept;
    }
    assert_int_equal(verify_at(good, size, NOW), REASON_NONE);
    free(good);
}

static void a_token_over_its_size_is_refused_before_anything_else(void **state)
{
    (void)state;
    char *text = malloc(TOKEN_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, '.', TOKEN_BYTES_MAX + 1);
    assert_int_equal(verify_at(text, TOKEN_BYTES_MAX + 1, NOW), REASON_TOKEN_MALFORMED);
    free(text);
    char more[TOKEN_BYTES_MAX];
    (void)snprintf(more, sizeof more, ",\"x\":\"%0*d\"", 11500, 0);
    ACCEPT(more);
    (void)snprintf(more, sizeof more, ",\"x\":\"%0*d\"", 12200, 0);
    assert_int_equal(verify_claims(more), REASON_TOKEN_MALFORMED);
}

static void a_name_given_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(verify_claims(",\"acr\":\"a\",\"acr\":\"b\""), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_claims(",\"\\u0073ub\":\"bob\""), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"e\"}"), REASON_TOKEN_MALFORMED);
}

static void claims_that_are_no_object_are_refused(void **state)
{
    (void)state;
    assert_int_equal(verify(test_token(ec, "[]")), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify(test_token(ec, "\"x\"")), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify(test_token(ec, "")), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify(test_token(ec, "{} ")), REASON_TOKEN_ISSUER);
    assert_int_equal(verify(test_token(ec, "{}x")), REASON_TOKEN_MALFORMED);
}

static void more_than_256_claims_are_refused(void **state)
{
    (void)state;
    char more[8192];
    for (int extra = 252; extra <= 253; extra++) { /* beside iss, sub, aud and exp */
        size_t size = 0;
        for (int i = 0; i < extra; i++)
            size += (size_t)snprintf(more + size, sizeof more - size, ",\"c%d\":%d", i, i);
        assert_int_equal(verify_claims(more), extra == 252 ? REASON_NONE : REASON_TOKEN_MALFORMED);
    }
}

static void deep_claims_are_refused(void **state)
{
    (void)state;
    ACCEPT(",\"x\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]"); /* with the object 16 */
    assert_int_equal(verify_claims(",\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), REASON_TOKEN_MALFORMED);
}

/* ---- header ---- */

static void headers_that_bring_keys_or_change_the_rules_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "\"jku\":\"https://x\"", "\"x5u\":\"https://x\"", "\"jwk\":{}",    "\"x5c\":[]",
        "\"crit\":[\"exp\"]",    "\"crit\":[]",           "\"b64\":false", "\"b64\":true",
        "\"zip\":\"DEF\"",       "\"cri\\u0074\":[]",     "\"jku\":null",
    };
    char header[256];
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"e\",%s}", BAD[i]);
        assert_int_equal(verify_header(ec, header), REASON_TOKEN_MALFORMED);
    }
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"e\",\"x5t\":\"a\",\"x5t#S256\":1,\"foo\":{}}"),
                     REASON_NONE);
}

static void only_types_of_access_tokens_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *typ;
        enum reason reason;
    } CASES[] = {
        {"\"JWT\"", REASON_NONE},
        {"\"at+jwt\"", REASON_NONE},
        {"\"application/at+jwt\"", REASON_NONE},
        {"\"dpop+jwt\"", REASON_TOKEN_TYPE},
        {"\"JOSE\"", REASON_TOKEN_TYPE},
        {"\"logout+jwt\"", REASON_TOKEN_TYPE},
        {"\"\"", REASON_TOKEN_TYPE},
        {"\"JWT \"", REASON_TOKEN_TYPE},
        {"1", REASON_TOKEN_MALFORMED},
        {"null", REASON_TOKEN_MALFORMED},
    };
    char header[256];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":%s}", CASES[i].typ);
        assert_int_equal(verify_header(ec, header), CASES[i].reason);
    }
}

static void no_other_algorithm_is_accepted(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"none",   "None",  "NONE",  "nOnE",   "HS256",   "HS512",
                                        "PS256",  "RS384", "ES384", "ES512",  "EdDSA",   "es256",
                                        "ES256K", "RS1",   "",      "ES256 ", "RSA-OAEP"};
    char header[256];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"e\"}", NAMES[i]);
        assert_int_equal(verify_header(ec, header), REASON_TOKEN_ALGORITHM);
    }
    assert_int_equal(verify_header(ec, "{\"kid\":\"e\"}"), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_header(ec, "{\"alg\":null,\"kid\":\"e\"}"), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_header(ec, "{\"alg\":[\"ES256\"],\"kid\":\"e\"}"), REASON_TOKEN_MALFORMED);
}

static void the_key_decides_the_algorithm(void **state)
{
    (void)state;
    assert_int_equal(verify_header(ec, "{\"alg\":\"RS256\",\"kid\":\"e\"}"), REASON_TOKEN_ALGORITHM);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"r\"}"), REASON_TOKEN_ALGORITHM);
    assert_int_equal(verify_header(rsa, "{\"alg\":\"ES256\",\"kid\":\"r\"}"), REASON_TOKEN_ALGORITHM);
    assert_int_equal(verify_header(rsa, "{\"alg\":\"RS256\",\"kid\":\"e\"}"), REASON_TOKEN_ALGORITHM);
}

static void an_unknown_kid_has_no_key(void **state)
{
    (void)state;
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"x\"}"), REASON_TOKEN_KEY);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"\"}"), REASON_TOKEN_KEY);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":1}"), REASON_TOKEN_MALFORMED);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"../e\"}"), REASON_TOKEN_KEY);
}

static void without_a_kid_exactly_one_key_must_fit(void **state)
{
    (void)state;
    char claims[512];
    assert_int_equal(verify_header(rsa, "{\"alg\":\"RS256\"}"), REASON_NONE);     /* one RSA key */
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\"}"), REASON_TOKEN_KEY); /* two P-256 keys */
    (void)snprintf(claims, sizeof claims, "{\"iss\":\"https://ec.example\",\"sub\":\"a\",\"aud\":\"agent\",\"exp\":%d}",
                   NOW + 1);
    assert_int_equal(verify(test_token_with_header(ec, "{\"alg\":\"ES256\"}", claims)), REASON_NONE);
    assert_int_equal(verify(test_token_with_header(ec2, "{\"alg\":\"ES256\"}", claims)), REASON_TOKEN_SIGNATURE);
    assert_int_equal(verify(test_token_with_header(rsa, "{\"alg\":\"RS256\"}", claims)), REASON_TOKEN_KEY);
}

/* ---- signature ---- */

static void another_key_of_the_same_kid_does_not_verify(void **state)
{
    (void)state;
    assert_int_equal(verify_header(stranger, "{\"alg\":\"ES256\",\"kid\":\"e\"}"), REASON_TOKEN_SIGNATURE);
    assert_int_equal(verify_header(ec, "{\"alg\":\"ES256\",\"kid\":\"e2\"}"), REASON_TOKEN_SIGNATURE);
}

static void other_claims_under_the_same_signature_do_not_verify(void **state)
{
    (void)state;
    char claims[512], forged[512], text[4096];
    char *good = test_token(ec, claims_of(claims, sizeof claims, ""));
    char *other = test_token(stranger, claims_of(forged, sizeof forged, ",\"admin\":true"));
    (void)snprintf(text, sizeof text, "%.*s%s", (int)(strrchr(other, '.') - other), other, strrchr(good, '.'));
    assert_int_equal(verify_at(text, strlen(text), NOW), REASON_TOKEN_SIGNATURE);
    free(good);
    free(other);
}

static enum reason verify_signature(const char *unsigned_part, const uint8_t *bytes, size_t size)
{
    char text[4096];
    char *signature = test_base64url(bytes, size);
    (void)snprintf(text, sizeof text, "%s.%s", unsigned_part, signature);
    free(signature);
    return verify_at(text, strlen(text), NOW);
}

/* RFC 7518 section 3.4; CVE-2022-21449. */
static void signatures_of_zero_and_of_wrong_sizes_do_not_verify(void **state)
{
    (void)state;
    static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    char claims[512];
    uint8_t bytes[256] = {0};
    char *good = test_token(ec, claims_of(claims, sizeof claims, ""));
    *strrchr(good, '.') = '\0';
    static const size_t SIZES[] = {1, 32, 63, 64, 65, 70, 72, 128, 256};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
        assert_int_equal(verify_signature(good, bytes, SIZES[i]), REASON_TOKEN_SIGNATURE);
    memcpy(bytes, ORDER, 32);
    memcpy(bytes + 32, ORDER, 32);
    assert_int_equal(verify_signature(good, bytes, 64), REASON_TOKEN_SIGNATURE);
    memset(bytes, 0xff, 64);
    assert_int_equal(verify_signature(good, bytes, 64), REASON_TOKEN_SIGNATURE);
    free(good);
}

static void an_rsa_signature_has_the_size_of_its_modulus(void **state)
{
    (void)state;
    char claims[512], text[4096];
    char *good = test_token(rsa, claims_of(claims, sizeof claims, ""));
    assert_int_equal(verify_at(good, strlen(good), NOW), REASON_NONE);
    (void)snprintf(text, sizeof text, "%.*s.AAAA%s", (int)(strrchr(good, '.') - good), good, strrchr(good, '.') + 1);
    assert_int_equal(verify_at(text, strlen(text), NOW), REASON_TOKEN_SIGNATURE);
    assert_int_equal(verify_at(good, strlen(good) - 2, NOW), REASON_TOKEN_SIGNATURE);
    free(good);
}

/* ---- issuer and audience ---- */

static enum reason verify_issuer(const char *issuer)
{
    char claims[512];
    (void)snprintf(claims, sizeof claims, "{\"iss\":%s,\"sub\":\"a\",\"aud\":\"agent\",\"exp\":%d}", issuer, NOW + 60);
    return verify(test_token(ec, claims));
}

static void the_issuer_must_be_named_by_policy_and_configuration(void **state)
{
    (void)state;
    assert_int_equal(verify_issuer("\"" ISSUER "\""), REASON_NONE);
    assert_int_equal(verify_issuer("\"" ISSUER "/\""), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("\"HTTPS://sso.example\""), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("\"https://policy-only.example\""), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("\"https://keys-only.example\""), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("\"\""), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("null"), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("[\"" ISSUER "\"]"), REASON_TOKEN_ISSUER);
    assert_int_equal(verify_issuer("\"" ISSUER "\\u0001\""), REASON_TOKEN_ISSUER);
}

static void keys_that_are_not_there_make_a_token_unjudgeable(void **state)
{
    (void)state;
    assert_int_equal(verify_issuer("\"https://waiting.example\""), REASON_KEYS_UNAVAILABLE);
    assert_int_equal(token.user.state, USER_UNKNOWN);
    assert_true(view_equals(token.user.issuer, VIEW("https://waiting.example")));
}

static void a_refused_token_says_only_whom_it_speaks_of(void **state)
{
    (void)state;
    assert_int_equal(verify_claims(",\"acr\":1"), REASON_TOKEN_CLAIMS);
    assert_int_equal(token.user.state, USER_ABSENT);
    assert_true(view_equals(token.user.subject, VIEW("alice")));
    assert_null(token.user.claims);
    assert_int_equal(token.usable_until, 0);
}

static enum reason verify_audience(const char *audience)
{
    char claims[512];
    (void)snprintf(claims, sizeof claims, "{\"iss\":\"" ISSUER "\",\"sub\":\"a\",%s\"exp\":%d}", audience, NOW + 60);
    return verify(test_token(ec, claims));
}

static void the_audience_must_contain_one_of_ours(void **state)
{
    (void)state;
    assert_int_equal(verify_audience("\"aud\":\"agent\","), REASON_NONE);
    assert_int_equal(verify_audience("\"aud\":[\"other\",\"inference\"],"), REASON_NONE);
    assert_int_equal(verify_audience("\"aud\":\"Agent\","), REASON_TOKEN_AUDIENCE);
    assert_int_equal(verify_audience("\"aud\":\"agent inference\","), REASON_TOKEN_AUDIENCE);
    assert_int_equal(verify_audience("\"aud\":[],"), REASON_TOKEN_AUDIENCE);
    assert_int_equal(verify_audience(""), REASON_TOKEN_AUDIENCE);
    assert_int_equal(verify_audience("\"aud\":[\"agent\",1],"), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_audience("\"aud\":{\"agent\":1},"), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_audience("\"aud\":[[\"agent\"]],"), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_audience("\"aud\":[\"agent\",\"a\\u0007\"],"), REASON_TOKEN_CLAIMS);
}

/* ---- claims ---- */

static enum reason verify_subject(const char *subject)
{
    char claims[1024];
    (void)snprintf(claims, sizeof claims, "{\"iss\":\"" ISSUER "\",%s\"aud\":\"agent\",\"exp\":%d}", subject, NOW + 60);
    return verify(test_token(ec, claims));
}

static void the_subject_is_a_string_of_1_to_255_bytes(void **state)
{
    (void)state;
    char text[400];
    assert_int_equal(verify_subject(""), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_subject("\"sub\":\"\","), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_subject("\"sub\":7,"), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_subject("\"sub\":null,"), REASON_TOKEN_CLAIMS);
    for (int size = 255; size <= 256; size++) {
        (void)snprintf(text, sizeof text, "\"sub\":\"%0*d\",", size, 0);
        assert_int_equal(verify_subject(text), size == 255 ? REASON_NONE : REASON_TOKEN_CLAIMS);
    }
}

static void control_characters_in_identity_claims_are_refused(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"azp", "client_id", "acr", "jti"};
    char more[128];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)snprintf(more, sizeof more, ",\"%s\":\"a b\xc3\xa9\"", NAMES[i]);
        ACCEPT(more);
        (void)snprintf(more, sizeof more, ",\"%s\":\"a\\nb\"", NAMES[i]);
        REFUSE(more);
        (void)snprintf(more, sizeof more, ",\"%s\":\"a\x7f\"", NAMES[i]);
        REFUSE(more);
        (void)snprintf(more, sizeof more, ",\"%s\":\"a\xc2\x85\"", NAMES[i]);
        REFUSE(more);
        (void)snprintf(more, sizeof more, ",\"%s\":\"a\\u0000\"", NAMES[i]);
        assert_int_equal(verify_claims(more), REASON_TOKEN_MALFORMED);
    }
    assert_int_equal(verify_subject("\"sub\":\"a\\tb\","), REASON_TOKEN_CLAIMS);
    REFUSE(",\"amr\":[\"pwd\\u0001\"]");
    REFUSE(",\"act\":{\"sub\":\"a\",\"iss\":\"x\\u0002\"}");
    REFUSE(",\"act\":{\"sub\":\"a\",\"x\\u0002\":1}");
    ACCEPT(",\"other\":\"a\\nb\"");
}

static void the_client_is_azp_else_client_id(void **state)
{
    (void)state;
    ACCEPT(",\"client_id\":\"c\"");
    assert_true(view_equals(token.user.client, VIEW("c")));
    ACCEPT(",\"azp\":null,\"client_id\":\"c\"");
    assert_true(view_equals(token.user.client, VIEW("c")));
    ACCEPT("");
    assert_false(view_is_present(token.user.client));
    REFUSE(",\"azp\":7,\"client_id\":\"c\"");
    REFUSE(",\"client_id\":[\"c\"]");
    REFUSE(",\"jti\":7");
}

static void amr_is_an_array_of_strings(void **state)
{
    (void)state;
    ACCEPT(",\"amr\":[]");
    assert_true(token.user.has_amr);
    ACCEPT("");
    assert_false(token.user.has_amr);
    REFUSE(",\"amr\":\"pwd\"");
    REFUSE(",\"amr\":[\"pwd\",1]");
    REFUSE(",\"amr\":[[\"pwd\"]]");
    REFUSE(",\"amr\":null");
    REFUSE(",\"amr\":{\"0\":\"pwd\"}");
}

static void acr_is_a_string(void **state)
{
    (void)state;
    ACCEPT(",\"acr\":\"\"");
    REFUSE(",\"acr\":2");
    REFUSE(",\"acr\":[\"phr\"]");
    REFUSE(",\"acr\":null");
}

static void actors_are_at_most_four_deep(void **state)
{
    (void)state;
    ACCEPT(",\"act\":{\"sub\":\"1\",\"act\":{\"sub\":\"2\",\"act\":{\"sub\":\"3\",\"act\":{\"sub\":\"4\"}}}}");
    assert_int_equal(token.user.actor_count, 4);
    assert_true(view_equals(token.user.actors[3], VIEW("4")));
    REFUSE(",\"act\":{\"sub\":\"1\",\"act\":{\"sub\":\"2\",\"act\":{\"sub\":\"3\",\"act\":{\"sub\":\"4\",\"act\":{"
           "\"sub\":\"5\"}}}}}");
    REFUSE(",\"act\":\"agent\"");
    REFUSE(",\"act\":[{\"sub\":\"1\"}]");
    REFUSE(",\"act\":{}");
    REFUSE(",\"act\":{\"sub\":\"\"}");
    REFUSE(",\"act\":{\"sub\":1}");
    REFUSE(",\"act\":null");
    REFUSE(",\"act\":{\"sub\":\"1\",\"act\":null}");
}

static void tokens_for_other_uses_are_refused(void **state)
{
    (void)state;
    ACCEPT(",\"typ\":\"Bearer\"");
    ACCEPT(",\"typ\":\"id\"");
    assert_int_equal(verify_claims(",\"typ\":\"ID\""), REASON_TOKEN_TYPE);
    assert_int_equal(verify_claims(",\"typ\":\"Refresh\""), REASON_TOKEN_TYPE);
    assert_int_equal(verify_claims(",\"typ\":\"Offline\""), REASON_TOKEN_TYPE);
    assert_int_equal(verify_claims(",\"typ\":\"Logout\""), REASON_TOKEN_TYPE);
}

/* ---- time ---- */

static enum reason verify_dates(const char *issuer, const char *dates)
{
    char claims[512];
    (void)snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"sub\":\"a\",\"aud\":\"agent\"%s}", issuer, dates);
    return verify(test_token(ec, claims));
}

static enum reason verify_date(const char *name, int64_t at)
{
    char dates[128];
    if (strcmp(name, "exp") == 0)
        (void)snprintf(dates, sizeof dates, ",\"exp\":%lld", (long long)at);
    else
        (void)snprintf(dates, sizeof dates, ",\"exp\":%d,\"%s\":%lld", NOW + 300, name, (long long)at);
    return verify_dates(ISSUER, dates);
}

static void a_token_is_good_until_exp_and_the_skew(void **state)
{
    (void)state;
    assert_int_equal(verify_date("exp", NOW + 1), REASON_NONE);
    assert_int_equal(verify_date("exp", NOW - 29), REASON_NONE);
    assert_int_equal(verify_date("exp", NOW - 30), REASON_TOKEN_EXPIRED);
    assert_int_equal(verify_date("exp", 0), REASON_TOKEN_EXPIRED);
    assert_int_equal(verify_dates(ISSUER, ""), REASON_TOKEN_CLAIMS);
}

static void times_ahead_of_the_clock_are_refused(void **state)
{
    (void)state;
    assert_int_equal(verify_date("nbf", NOW + 30), REASON_NONE);
    assert_int_equal(verify_date("nbf", NOW + 31), REASON_TOKEN_NOT_YET_VALID);
    assert_int_equal(verify_date("iat", NOW + 30), REASON_NONE);
    assert_int_equal(verify_date("iat", NOW + 31), REASON_TOKEN_NOT_YET_VALID);
    assert_int_equal(verify_date("auth_time", NOW + 30), REASON_NONE);
    assert_int_equal(verify_date("auth_time", NOW + 31), REASON_TOKEN_CLAIMS);
}

static void dates_are_numbers_from_zero_to_2_to_53(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum reason reason;
    } CASES[] = {
        {"9007199254740992", REASON_NONE},
        {"9007199254740993", REASON_TOKEN_CLAIMS},
        {"9223372036854775808", REASON_TOKEN_CLAIMS},
        {"99999999999999999999999999", REASON_TOKEN_CLAIMS},
        {"1e400", REASON_TOKEN_CLAIMS},
        {"1e99999999999999999999", REASON_TOKEN_CLAIMS},
        {"2.0e9", REASON_NONE},
        {"2000000000.9999", REASON_NONE},
        {"200000000000e-2", REASON_NONE},
        {"1767268770.999", REASON_TOKEN_EXPIRED}, /* cut off, not rounded: NOW - 30 */
        {"1767268771.0", REASON_NONE},
        {"0.0", REASON_TOKEN_EXPIRED},
        {"1e-99999999999999999999", REASON_TOKEN_EXPIRED},
        {"-1", REASON_TOKEN_CLAIMS},
        {"-0", REASON_TOKEN_CLAIMS},
        {"\"2000000000\"", REASON_TOKEN_CLAIMS},
        {"null", REASON_TOKEN_CLAIMS},
        {"true", REASON_TOKEN_CLAIMS},
        {"[2000000000]", REASON_TOKEN_CLAIMS},
        {"NaN", REASON_TOKEN_MALFORMED},
        {"02000000000", REASON_TOKEN_MALFORMED},
    };
    char dates[128];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        (void)snprintf(dates, sizeof dates, ",\"exp\":%s", CASES[i].text);
        assert_int_equal(verify_dates(ISSUER, dates), CASES[i].reason);
    }
    static const char *const NAMES[] = {"nbf", "iat", "auth_time"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)snprintf(dates, sizeof dates, ",\"exp\":%d,\"%s\":\"1\"", NOW + 60, NAMES[i]);
        assert_int_equal(verify_dates(ISSUER, dates), REASON_TOKEN_CLAIMS);
        (void)snprintf(dates, sizeof dates, ",\"exp\":%d,\"%s\":null", NOW + 60, NAMES[i]);
        assert_int_equal(verify_dates(ISSUER, dates), REASON_TOKEN_CLAIMS);
        (void)snprintf(dates, sizeof dates, ",\"exp\":%d,\"%s\":1.5", NOW + 60, NAMES[i]);
        assert_int_equal(verify_dates(ISSUER, dates), REASON_NONE);
    }
}

static void a_capped_lifetime_needs_iat_and_counts_exp_minus_iat(void **state)
{
    (void)state;
    char dates[128];
    for (int lifetime = 600; lifetime <= 601; lifetime++) {
        (void)snprintf(dates, sizeof dates, ",\"exp\":%d,\"iat\":%d", NOW + 10, NOW + 10 - lifetime);
        assert_int_equal(verify_dates("https://capped.example", dates),
                         lifetime == 600 ? REASON_NONE : REASON_TOKEN_LIFETIME);
    }
    (void)snprintf(dates, sizeof dates, ",\"exp\":%d", NOW + 10);
    assert_int_equal(verify_dates("https://capped.example", dates), REASON_TOKEN_CLAIMS);
    assert_int_equal(verify_dates(ISSUER, dates), REASON_NONE);
}

/* ---- binding ---- */

#define THUMBPRINT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* bytes 0 to 31 */
static uint8_t certificate[SHA256_BYTES];

static enum reason check(const char *cnf, bool has_certificate, const char *spiffe_id, struct user_facts *user)
{
    char more[512];
    (void)snprintf(more, sizeof more, ",\"cnf\":%s", cnf);
    for (size_t i = 0; i < sizeof certificate; i++)
        certificate[i] = (uint8_t)i;
    assert_int_equal(verify_claims(more), REASON_NONE);
    *user = token.user;
    return token_check_binding(&token, has_certificate ? certificate : NULL, view_of(spiffe_id), user);
}

static void a_token_bound_to_a_certificate_fits_that_certificate_only(void **state)
{
    (void)state;
    struct user_facts user;
    const char *cnf = "{\"x5t#S256\":\"" THUMBPRINT "\"}";
    assert_int_equal(check(cnf, true, "spiffe://prod/a", &user), REASON_NONE);
    assert_true(user.is_bound_to_certificate);
    assert_false(user.is_bound_to_workload);
    assert_int_equal(check(cnf, false, NULL, &user), REASON_TOKEN_BINDING);
    assert_false(user.is_bound_to_certificate);
    for (int i = 0; i < SHA256_BYTES; i += 31) {
        assert_int_equal(check(cnf, true, NULL, &user), REASON_NONE);
        certificate[i] ^= 1;
        assert_int_equal(token_check_binding(&token, certificate, VIEW("x"), &user), REASON_TOKEN_BINDING);
    }
}

static void a_token_bound_to_a_workload_fits_that_workload_only(void **state)
{
    (void)state;
    struct user_facts user;
    const char *cnf = "{\"spiffe_id\":\"spiffe://prod/a\"}";
    assert_int_equal(check(cnf, true, "spiffe://prod/a", &user), REASON_NONE);
    assert_true(user.is_bound_to_workload);
    assert_int_equal(check(cnf, true, "spiffe://prod/ab", &user), REASON_TOKEN_BINDING);
    assert_false(user.is_bound_to_workload);
    assert_int_equal(check(cnf, false, NULL, &user), REASON_TOKEN_BINDING);
}

static void every_known_method_of_a_confirmation_must_fit(void **state)
{
    (void)state;
    struct user_facts user;
    const char *cnf = "{\"x5t#S256\":\"" THUMBPRINT "\",\"spiffe_id\":\"spiffe://prod/a\",\"new\":1}";
    assert_int_equal(check(cnf, true, "spiffe://prod/a", &user), REASON_NONE);
    assert_true(user.is_bound_to_certificate && user.is_bound_to_workload);
    assert_int_equal(check(cnf, true, "spiffe://prod/b", &user), REASON_TOKEN_BINDING);
    assert_int_equal(check(cnf, false, "spiffe://prod/a", &user), REASON_TOKEN_BINDING);
}

static void a_confirmation_that_nobody_here_can_prove_never_falls_back_to_bearer(void **state)
{
    (void)state;
    struct user_facts user;
    assert_int_equal(check("{\"jkt\":\"" THUMBPRINT "\"}", true, "spiffe://prod/a", &user), REASON_TOKEN_BINDING);
    assert_int_equal(check("{\"jkt\":\"" THUMBPRINT "\",\"x5t#S256\":\"" THUMBPRINT "\"}", true, "s", &user),
                     REASON_TOKEN_BINDING);
    assert_int_equal(check("{\"kid\":\"k\"}", true, "spiffe://prod/a", &user), REASON_TOKEN_BINDING);
    assert_int_equal(check("{\"jwk\":{}}", true, "spiffe://prod/a", &user), REASON_TOKEN_BINDING);
    assert_int_equal(check("{}", true, "spiffe://prod/a", &user), REASON_TOKEN_BINDING);
}

static void a_token_without_confirmation_is_bound_to_nothing(void **state)
{
    (void)state;
    ACCEPT("");
    struct user_facts user = token.user;
    user.is_bound_to_workload = user.is_bound_to_certificate = user.is_bound_by_dpop = true;
    assert_int_equal(token_check_binding(&token, certificate, VIEW("spiffe://prod/a"), &user), REASON_NONE);
    assert_false(user.is_bound_to_workload || user.is_bound_to_certificate || user.is_bound_by_dpop);
}

static void a_malformed_confirmation_is_refused(void **state)
{
    (void)state;
    REFUSE(",\"cnf\":\"x\"");
    REFUSE(",\"cnf\":null");
    REFUSE(",\"cnf\":[]");
    REFUSE(",\"cnf\":{\"x5t#S256\":1}");
    REFUSE(",\"cnf\":{\"x5t#S256\":null}");
    REFUSE(",\"cnf\":{\"x5t#S256\":\"AAAA\"}");
    REFUSE(",\"cnf\":{\"x5t#S256\":\"" THUMBPRINT "AA\"}");
    REFUSE(",\"cnf\":{\"x5t#S256\":\"" THUMBPRINT "=\"}");
    REFUSE(",\"cnf\":{\"jkt\":\"\"}");
    REFUSE(",\"cnf\":{\"spiffe_id\":\"\"}");
    REFUSE(",\"cnf\":{\"spiffe_id\":[\"spiffe://prod/a\"]}");
}

/* ---- robustness ---- */

static void a_small_arena_refuses_and_never_accepts(void **state)
{
    (void)state;
    char claims[512];
    char *good = test_token(ec, claims_of(claims, sizeof claims, ",\"amr\":[\"pwd\"],\"x\":[1,2.50,{\"a\":\"b\"}]"));
    bool was_accepted = false;
    for (size_t size = 0; size < 8192; size += 16) {
        arena_init_fixed(&arena, memory, size);
        enum reason reason = jwt_verify(view_of(good), &policy, keys, NOW, &arena, &token);
        if (was_accepted)
            assert_int_equal(reason, REASON_NONE);
        was_accepted = reason == REASON_NONE;
    }
    assert_true(was_accepted);
    free(good);
}

struct job {
    const char *text;
    size_t failures;
};

static void *verify_often(void *context)
{
    struct job *job = context;
    struct arena own;
    struct token out;
    arena_init(&own, 1 << 20);
    for (int i = 0; i < 50; i++) {
        job->failures += jwt_verify(view_of(job->text), &policy, keys, NOW, &own, &out) != REASON_NONE;
        arena_free(&own);
        arena_init(&own, 1 << 20);
    }
    arena_free(&own);
    return NULL;
}

static void many_threads_verify_with_the_same_keys(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    char claims[512];
    char *by_rsa = test_token(rsa, claims_of(claims, sizeof claims, ""));
    char *by_ec = test_token(ec, claims_of(claims, sizeof claims, ""));
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.text = i % 2 ? by_rsa : by_ec};
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(jobs[i].failures, 0);
    }
    free(by_rsa);
    free(by_ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_gives_its_facts),
        cmocka_unit_test(claims_become_a_tree_of_values),
        cmocka_unit_test(numbers_are_canonical_decimals),
        cmocka_unit_test(both_algorithms_verify),
        cmocka_unit_test(a_token_needs_exactly_two_dots),
        cmocka_unit_test(every_prefix_of_a_token_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(a_token_over_its_size_is_refused_before_anything_else),
        cmocka_unit_test(a_name_given_twice_is_refused),
        cmocka_unit_test(claims_that_are_no_object_are_refused),
        cmocka_unit_test(more_than_256_claims_are_refused),
        cmocka_unit_test(deep_claims_are_refused),
        cmocka_unit_test(headers_that_bring_keys_or_change_the_rules_are_refused),
        cmocka_unit_test(only_types_of_access_tokens_are_accepted),
        cmocka_unit_test(no_other_algorithm_is_accepted),
        cmocka_unit_test(the_key_decides_the_algorithm),
        cmocka_unit_test(an_unknown_kid_has_no_key),
        cmocka_unit_test(without_a_kid_exactly_one_key_must_fit),
        cmocka_unit_test(another_key_of_the_same_kid_does_not_verify),
        cmocka_unit_test(other_claims_under_the_same_signature_do_not_verify),
        cmocka_unit_test(signatures_of_zero_and_of_wrong_sizes_do_not_verify),
        cmocka_unit_test(an_rsa_signature_has_the_size_of_its_modulus),
        cmocka_unit_test(the_issuer_must_be_named_by_policy_and_configuration),
        cmocka_unit_test(keys_that_are_not_there_make_a_token_unjudgeable),
        cmocka_unit_test(a_refused_token_says_only_whom_it_speaks_of),
        cmocka_unit_test(the_audience_must_contain_one_of_ours),
        cmocka_unit_test(the_subject_is_a_string_of_1_to_255_bytes),
        cmocka_unit_test(control_characters_in_identity_claims_are_refused),
        cmocka_unit_test(the_client_is_azp_else_client_id),
        cmocka_unit_test(amr_is_an_array_of_strings),
        cmocka_unit_test(acr_is_a_string),
        cmocka_unit_test(actors_are_at_most_four_deep),
        cmocka_unit_test(tokens_for_other_uses_are_refused),
        cmocka_unit_test(a_token_is_good_until_exp_and_the_skew),
        cmocka_unit_test(times_ahead_of_the_clock_are_refused),
        cmocka_unit_test(dates_are_numbers_from_zero_to_2_to_53),
        cmocka_unit_test(a_capped_lifetime_needs_iat_and_counts_exp_minus_iat),
        cmocka_unit_test(a_token_bound_to_a_certificate_fits_that_certificate_only),
        cmocka_unit_test(a_token_bound_to_a_workload_fits_that_workload_only),
        cmocka_unit_test(every_known_method_of_a_confirmation_must_fit),
        cmocka_unit_test(a_confirmation_that_nobody_here_can_prove_never_falls_back_to_bearer),
        cmocka_unit_test(a_token_without_confirmation_is_bound_to_nothing),
        cmocka_unit_test(a_malformed_confirmation_is_refused),
        cmocka_unit_test(a_small_arena_refuses_and_never_accepts),
        cmocka_unit_test(many_threads_verify_with_the_same_keys),
    };
    return cmocka_run_group_tests_name("jwt_verify", tests, make_keys, free_keys);
}
