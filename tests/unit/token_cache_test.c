/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test_issuers.h"
#include "test_tokens.h"
#include "token_cache.h"

#define ISSUER "https://sso.example"
#define NOW 1767268800
#define EPOCH 3

static const struct hash_key HASH_KEY = {{0x243f6a8885a308d3, 0x13198a2e03707344}};
static const struct view AUDIENCES[] = {{"inference", 9}};
static const struct policy_issuer ISSUERS[] = {
    {.url = {ISSUER, sizeof ISSUER - 1}, .audiences = AUDIENCES, .audience_count = 1, .clock_skew = 30}};
static const struct policy policy = {ISSUERS, 1};

static struct test_key *key;
static struct jwks_sets *keys;
static struct arena messages;
static char memory[TOKEN_ARENA_BYTES];
static struct token_cache *cache;

static int make_keys(void **state)
{
    (void)state;
    key = test_key_ec("e");
    char *text = test_jwks(&key, 1);
    const struct jwks_source source = {.issuer = VIEW(ISSUER), .text = view_of(text)};
    struct diag_list diags;
    arena_init(&messages, 1 << 20);
    diag_list_init(&diags, &messages);
    assert_int_equal(jwks_sets_build(&source, 1, &diags, &keys), ERR_NONE);
    free(text);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    jwks_sets_free(keys);
    arena_free(&messages);
    test_key_free(key);
    return 0;
}

static int open_cache(void **state)
{
    (void)state;
    const struct token_cache_config config = {0};
    return token_cache_open(&config, &HASH_KEY, &cache) != ERR_NONE;
}

static int close_cache(void **state)
{
    (void)state;
    token_cache_close(cache);
    cache = NULL;
    return 0;
}

static enum reason verify(const char *text, struct token *out)
{
    struct arena arena;
    arena_init_fixed(&arena, memory, sizeof memory);
    return jwt_verify(view_of(text), &policy, keys, NOW, &arena, out);
}

static char *make(const char *subject, const char *more)
{
    char claims[8192];
    (void)snprintf(claims, sizeof claims,
                   "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\",\"aud\":\"inference\",\"exp\":%d,\"nbf\":%d%s}", subject,
                   NOW + 300, NOW - 10, more);
    return test_token(key, claims);
}

static void keep(const char *text)
{
    struct token token;
    assert_int_equal(verify(text, &token), REASON_NONE);
    token_cache_insert(cache, view_of(text), EPOCH, &token, REASON_NONE, NOW);
    memset(memory, 0xee, sizeof memory); /* what is found must not point there */
}

static const struct token *find(const char *text, uint64_t epoch, int64_t now)
{
    enum reason refusal;
    const struct token *token = token_cache_find(cache, view_of(text), epoch, now, &refusal);
    assert_int_equal(refusal, REASON_NONE);
    return token;
}

static void a_kept_token_is_found_with_all_its_facts(void **state)
{
    (void)state;
    char *text = make("alice", ",\"amr\":[\"pwd\",\"otp\"],\"acr\":\"aal2\",\"azp\":\"portal\",\"jti\":\"j1\","
                               "\"act\":{\"sub\":\"agent\"},\"cnf\":{\"spiffe_id\":\"spiffe://p/a\"},"
                               "\"groups\":[\"blue\",\"red\"],\"n\":4.50,\"deep\":{\"a\":{\"b\":[true,null]}}");
    assert_null(find(text, EPOCH, NOW));
    keep(text);
    const struct token *token = find(text, EPOCH, NOW);
    assert_non_null(token);
    assert_int_equal(token->user.state, USER_KNOWN);
    assert_true(view_equals(token->user.issuer, VIEW(ISSUER)));
    assert_true(view_equals(token->user.subject, VIEW("alice")));
    assert_true(view_equals(token->user.acr, VIEW("aal2")));
    assert_true(view_equals(token->user.client, VIEW("portal")));
    assert_true(view_equals(token->user.amr[1], VIEW("otp")));
    assert_true(view_equals(token->user.actors[0], VIEW("agent")));
    assert_true(view_equals(token->id, VIEW("j1")));
    assert_true(view_equals(token->confirmed_spiffe_id, VIEW("spiffe://p/a")));
    const struct value *claims = token->user.claims;
    assert_int_equal(claims->kind, VALUE_MAP);
    assert_int_equal(claims->count, 14);
    assert_true(view_equals(claims->names[11], VIEW("groups")));
    assert_true(view_equals(claims->items[11].items[1].text, VIEW("red")));
    assert_true(view_equals(claims->items[12].text, VIEW("4.5")));
    const struct value *list = &claims->items[13].items[0].items[0];
    assert_true(view_equals(list->items[0].text, VIEW("true")));
    assert_int_equal(list->items[1].kind, VALUE_NULL);
    free(text);
}

static void what_is_absent_stays_absent(void **state)
{
    (void)state;
    char *text = make("alice", "");
    keep(text);
    const struct token *token = find(text, EPOCH, NOW);
    assert_non_null(token);
    assert_false(view_is_present(token->user.acr));
    assert_false(view_is_present(token->user.client));
    assert_false(view_is_present(token->id));
    assert_false(view_is_present(token->confirmed_spiffe_id));
    assert_false(token->user.has_amr);
    free(text);
}

/* Cerbos 0.53: a hit by signature alone let another payload through. */
static void other_claims_under_a_kept_signature_are_not_found(void **state)
{
    (void)state;
    char *kept = make("alice", ""), *other = make("mallory", "");
    char forged[2048];
    keep(kept);
    (void)snprintf(forged, sizeof forged, "%.*s%s", (int)(strrchr(other, '.') - other), other, strrchr(kept, '.'));
    assert_null(find(forged, EPOCH, NOW));
    assert_null(find(other, EPOCH, NOW));
    (void)snprintf(forged, sizeof forged, "%s", kept);
    for (size_t i = 0; i < strlen(kept); i++) {
        forged[i] = kept[i] == 'A' ? 'B' : 'A';
        assert_null(find(forged, EPOCH, NOW));
        forged[i] = kept[i];
    }
    assert_non_null(find(kept, EPOCH, NOW));
    free(kept);
    free(other);
}

static void a_token_is_found_only_while_it_is_good(void **state)
{
    (void)state;
    char *text = make("alice", "");
    keep(text);
    assert_non_null(find(text, EPOCH, NOW - 10 - 30));
    assert_null(find(text, EPOCH, NOW - 10 - 31));
    assert_non_null(find(text, EPOCH, NOW + 300 + 29));
    assert_null(find(text, EPOCH, NOW + 300 + 30));
    free(text);
}

static void another_policy_or_key_set_finds_nothing(void **state)
{
    (void)state;
    char *text = make("alice", "");
    keep(text);
    assert_null(find(text, EPOCH + 1, NOW));
    assert_null(find(text, EPOCH - 1, NOW));
    assert_non_null(find(text, EPOCH, NOW));
    free(text);
}

static void a_refusal_is_kept_for_two_seconds_of_its_epoch(void **state)
{
    (void)state;
    enum reason refusal;
    struct view text = VIEW("a.b.c");
    token_cache_insert(cache, text, EPOCH, NULL, REASON_TOKEN_SIGNATURE, NOW);
    assert_null(token_cache_find(cache, text, EPOCH, NOW + 1, &refusal));
    assert_int_equal(refusal, REASON_TOKEN_SIGNATURE);
    assert_null(token_cache_find(cache, text, EPOCH, NOW + 2, &refusal));
    assert_int_equal(refusal, REASON_NONE);
    assert_null(token_cache_find(cache, text, EPOCH, NOW - 1, &refusal));
    assert_int_equal(refusal, REASON_NONE);
    assert_null(token_cache_find(cache, text, EPOCH + 1, NOW, &refusal));
    assert_int_equal(refusal, REASON_NONE);
    assert_null(token_cache_find(cache, VIEW("a.b.d"), EPOCH, NOW, &refusal));
    assert_int_equal(refusal, REASON_NONE);
}

static void no_refusal_stands_for_something_else(void **state)
{
    (void)state;
    enum reason refusal;
    token_cache_insert(cache, VIEW("a.b.c"), EPOCH, NULL, REASON_NONE, NOW);
    assert_null(token_cache_find(cache, VIEW("a.b.c"), EPOCH, NOW, &refusal));
    assert_int_equal(refusal, REASON_NONE);
    token_cache_insert(cache, VIEW(""), EPOCH, NULL, REASON_TOKEN_MALFORMED, NOW);
    assert_null(token_cache_find(cache, (struct view){0}, EPOCH, NOW, &refusal));
    assert_int_equal(refusal, REASON_TOKEN_MALFORMED);
}

static void a_token_refused_later_is_no_longer_found(void **state)
{
    (void)state;
    enum reason refusal;
    char *text = make("alice", "");
    keep(text);
    token_cache_insert(cache, view_of(text), EPOCH, NULL, REASON_TOKEN_EXPIRED, NOW);
    assert_null(token_cache_find(cache, view_of(text), EPOCH, NOW, &refusal));
    assert_int_equal(refusal, REASON_TOKEN_EXPIRED);
    free(text);
}

static void a_flood_of_refusals_pushes_out_no_token(void **state)
{
    (void)state;
    char *text = make("alice", "");
    char bad[64];
    keep(text);
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(bad, sizeof bad, "a.%d.c", i);
        token_cache_insert(cache, view_of(bad), EPOCH, NULL, REASON_TOKEN_SIGNATURE, NOW);
    }
    assert_non_null(find(text, EPOCH, NOW));
    free(text);
}

/* A verified token's shape under any text, so that thousands need no signature. */
static void keep_text(const char *text, const struct token *like)
{
    token_cache_insert(cache, view_of(text), EPOCH, like, REASON_NONE, NOW);
}

static void a_token_in_use_outlives_a_stream_of_others(void **state)
{
    (void)state;
    char name[64];
    struct token like;
    char *text = make("alice", ",\"groups\":[\"a\",\"b\",\"c\"]");
    assert_int_equal(verify(text, &like), REASON_NONE);
    keep_text("kept", &like);
    size_t found = 0;
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "other-%d", i);
        keep_text(name, &like);
        found += find("kept", EPOCH, NOW) != NULL;
    }
    assert_int_equal(found, 10000);
    assert_non_null(find("other-9999", EPOCH, NOW));
    assert_null(find("other-0", EPOCH, NOW));
    free(text);
}

/* Against a plain list of what went in: what is found is always what was kept. */
static void a_small_cache_of_mixed_sizes_never_mixes_entries(void **state)
{
    (void)state;
    const struct token_cache_config config = {.entries = 16, .memory = 96 * 1024};
    char name[64], subject[256];
    uint32_t random = 1;
    size_t found = 0;
    token_cache_close(cache);
    assert_int_equal(token_cache_open(&config, &HASH_KEY, &cache), ERR_NONE);
    for (int i = 0; i < 50000; i++) {
        random = random * 1664525 + 1013904223;
        int id = (int)(random >> 16) % 64, size = 1 + (id * 37) % 250;
        (void)snprintf(name, sizeof name, "token-%d", id);
        (void)snprintf(subject, sizeof subject, "%0*d", size, id);
        if (random >> 8 & 1) {
            struct value leaf = {.kind = VALUE_STRING, .text = view_of(subject)};
            struct view claim = VIEW("c");
            struct value claims = {.kind = VALUE_MAP, .items = &leaf, .names = &claim, .count = 1};
            struct token token = {.user = {.state = USER_KNOWN, .subject = view_of(subject), .claims = &claims},
                                  .usable_from = INT64_MIN,
                                  .usable_until = INT64_MAX};
            token_cache_insert(cache, view_of(name), EPOCH, &token, REASON_NONE, NOW);
        }
        const struct token *token = find(name, EPOCH, NOW);
        if (token != NULL) {
            found++;
            assert_true(view_equals(token->user.subject, view_of(subject)));
            assert_true(view_equals(token->user.claims->items[0].text, view_of(subject)));
        }
    }
    assert_in_range(found, 1000, 49999);
}

static void a_token_too_big_for_the_cache_is_not_kept(void **state)
{
    (void)state;
    const struct token_cache_config config = {.entries = 8, .memory = 32 * 1024};
    struct token like;
    char more[6000];
    token_cache_close(cache);
    assert_int_equal(token_cache_open(&config, &HASH_KEY, &cache), ERR_NONE);
    (void)snprintf(more, sizeof more, ",\"x\":\"%05000d\"", 0);
    char *big = make("alice", more), *small = make("alice", "");
    assert_int_equal(verify(big, &like), REASON_NONE);
    keep_text(big, &like);
    assert_null(find(big, EPOCH, NOW));
    keep(small);
    assert_non_null(find(small, EPOCH, NOW));
    free(big);
    free(small);
}

static void too_little_memory_is_refused_at_open(void **state)
{
    (void)state;
    struct token_cache *none = NULL;
    const struct token_cache_config little = {.entries = 1024, .memory = 4096}, many = {.entries = UINT32_MAX};
    assert_int_equal(token_cache_open(&little, &HASH_KEY, &none), ERR_LIMIT);
    assert_int_equal(token_cache_open(&many, &HASH_KEY, &none), ERR_LIMIT);
    assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_cache, close_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kept_token_is_found_with_all_its_facts),
        TEST(what_is_absent_stays_absent),
        TEST(other_claims_under_a_kept_signature_are_not_found),
        TEST(a_token_is_found_only_while_it_is_good),
        TEST(another_policy_or_key_set_finds_nothing),
        TEST(a_refusal_is_kept_for_two_seconds_of_its_epoch),
        TEST(no_refusal_stands_for_something_else),
        TEST(a_token_refused_later_is_no_longer_found),
        TEST(a_flood_of_refusals_pushes_out_no_token),
        TEST(a_token_in_use_outlives_a_stream_of_others),
        TEST(a_small_cache_of_mixed_sizes_never_mixes_entries),
        TEST(a_token_too_big_for_the_cache_is_not_kept),
        TEST(too_little_memory_is_refused_at_open),
    };
    return cmocka_run_group_tests_name("token_cache", tests, make_keys, free_keys);
}
