/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a token. Since nobody guesses a signature, the first byte says which
 * part the rest is: 'c' claims, which are then signed, 'h' a header, signed over good
 * claims, 'a' an authorization value, else the whole token. */
#include <stdlib.h>

#include "test_issuers.h"
#include "test_tokens.h"
#include "token_cache.h"

#define ISSUER "https://sso.example"
#define NOW 1767268800
#define GOOD_CLAIMS "{\"iss\":\"" ISSUER "\",\"sub\":\"a\",\"aud\":\"x\",\"exp\":1767268900}"

static const struct view AUDIENCES[] = {{"x", 1}};
static const struct policy_issuer ISSUERS[] = {{.url = {ISSUER, sizeof ISSUER - 1},
                                                .audiences = AUDIENCES,
                                                .audience_count = 1,
                                                .clock_skew = 30,
                                                .max_lifetime = 0}};
static const struct policy policy = {ISSUERS, 1};
static struct test_key *key;
static struct jwks_sets *keys;
static struct token_cache *cache;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void set_up(void)
{
    static struct arena arena;
    static struct diag_list diags;
    const struct hash_key hash_key = {{1, 2}};
    const struct token_cache_config config = {.entries = 64, .memory = 1024 * 1024};
    key = test_key_ec("k");
    char *text = test_jwks(&key, 1);
    const struct jwks_source source = {.issuer = VIEW(ISSUER), .text = view_of(text)};
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    must(jwks_sets_build(&source, 1, &diags, &keys) == ERR_NONE);
    must(token_cache_open(&config, &hash_key, &cache) == ERR_NONE);
    free(text);
}

/* What a verified token says of itself, and that the cache gives it back. */
static void check_token(struct view text, const struct token *token)
{
    enum reason refusal;
    struct user_facts user = token->user;
    uint8_t certificate[SHA256_BYTES] = {0};
    must(user.state == USER_KNOWN && user.claims != NULL && user.claims->kind == VALUE_MAP);
    must(view_equals(user.issuer, VIEW(ISSUER)));
    must(user.subject.size > 0 && user.subject.size <= 255);
    must(token->usable_from <= NOW && NOW < token->usable_until);
    must(user.actor_count <= FACTS_ACTORS_MAX);
    (void)token_check_binding(token, certificate, VIEW("spiffe://p/a"), &user);
    token_cache_insert(cache, text, 1, token, REASON_NONE, NOW);
    const struct token *found = token_cache_find(cache, text, 1, NOW, &refusal);
    must(found == NULL || view_equals(found->user.subject, token->user.subject));
    must(found == NULL || found->user.claims->count == token->user.claims->count);
}

static void try_token(struct view text)
{
    static char memory[TOKEN_ARENA_BYTES];
    struct arena arena;
    struct token token;
    arena_init_fixed(&arena, memory, sizeof memory);
    enum reason reason = jwt_verify(text, &policy, keys, NOW, &arena, &token);
    must(reason != REASON_INTERNAL && reason != REASON_RULE && reason < REASON_COUNT);
    if (reason == REASON_NONE)
        check_token(text, &token);
    else
        must(token.user.state != USER_KNOWN && token.user.claims == NULL);
}

static void try_authorization(struct view value)
{
    struct view token;
    bool is_dpop;
    enum reason reason = authorization_parse(value, &token, &is_dpop);
    must(reason == REASON_NONE || !view_is_present(token));
    must(!view_is_present(token) || (token.size > 0 && token.size + 5 <= value.size));
    must(!authorization_is_token(token) || memchr(token.data, ' ', token.size) == NULL);
}

static void try_signed(char kind, struct view part)
{
    char *text = malloc(part.size + 1);
    must(text != NULL);
    memcpy(text, part.data, part.size);
    text[part.size] = '\0'; /* the signer takes C strings; NUL inside is the whole-token form's business */
    char *token = kind == 'c' ? test_token(key, text) : test_token_with_header(key, text, GOOD_CLAIMS);
    try_token(view_of(token));
    free(token);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view all = {(const char *)data, size};
    char kind = size > 0 ? all.data[0] : '\0';
    struct view part = view_slice(all, 1, size);
    if (key == NULL)
        set_up();
    if ((kind == 'c' || kind == 'h') && size < 32768)
        try_signed(kind, part);
    else if (kind == 'a')
        try_authorization(part);
    else
        try_token(all);
    return 0;
}
