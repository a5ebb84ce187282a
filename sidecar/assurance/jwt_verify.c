/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt_verify.h"

#include "base64url.h"
#include "claims.h"
#include "json.h"
#include "jws.h"

_Static_assert((int)TOKEN_BYTES_MAX == (int)JWS_BYTES_MAX, "one cap on the size of a token");

enum { SUBJECT_BYTES_MAX = 255, NAME_BYTES_MAX = 2048 };

/* ---- claims one by one ---- */

/* An identity claim: absent or null gives the absent view; false when it is there
 * and no string of at most NAME_BYTES_MAX bytes without control characters. */
static bool read_name(const struct json *claims, struct view name, struct view *out)
{
    const struct json *member = json_get(claims, name);
    *out = (struct view){0};
    if (member == NULL || member->kind == JSON_NULL)
        return true;
    if (member->kind != JSON_STRING || member->text.size > NAME_BYTES_MAX || claims_has_control(member->text))
        return false;
    *out = member->text;
    return true;
}

static bool read_identity(const struct json *claims, struct token *out)
{
    struct user_facts *user = &out->user;
    struct view client_id;
    if (!read_name(claims, VIEW("iss"), &user->issuer) || !read_name(claims, VIEW("sub"), &user->subject) ||
        !read_name(claims, VIEW("azp"), &user->client) || !read_name(claims, VIEW("client_id"), &client_id) ||
        !read_name(claims, VIEW("jti"), &out->id))
        return false;
    if (!view_is_present(user->client))
        user->client = client_id;
    return user->subject.size > 0 && user->subject.size <= SUBJECT_BYTES_MAX;
}

static bool read_acr(const struct json *claims, struct user_facts *user)
{
    const struct json *acr = json_get(claims, VIEW("acr"));
    if (acr == NULL)
        return true;
    user->acr = acr->text;
    return acr->kind == JSON_STRING && !claims_has_control(acr->text);
}

static bool read_amr(const struct json *claims, struct arena *arena, struct user_facts *user)
{
    const struct json *amr = json_get(claims, VIEW("amr"));
    if (amr == NULL)
        return true;
    if (amr->kind != JSON_ARRAY)
        return false;
    struct view *values = arena_take_array(arena, amr->count, sizeof *values);
    for (size_t i = 0; values != NULL && i < amr->count; i++) {
        if (amr->items[i].kind != JSON_STRING || claims_has_control(amr->items[i].text))
            return false;
        values[i] = amr->items[i].text;
    }
    user->has_amr = true;
    user->amr = values;
    user->amr_count = amr->count;
    return values != NULL;
}

/* No control character in any name or string of the tree. */
static bool is_clean(const struct json *json)
{
    if (json->kind == JSON_STRING)
        return !claims_has_control(json->text);
    for (size_t i = 0; i < json->count; i++)
        if ((json->kind == JSON_OBJECT && claims_has_control(json->names[i])) || !is_clean(&json->items[i]))
            return false;
    return true;
}

/* RFC 8693 section 4.1: the outermost `act` is the current actor. */
static bool read_actors(const struct json *claims, struct user_facts *user)
{
    const struct json *act = json_get(claims, VIEW("act"));
    if (act == NULL)
        return true;
    if (!is_clean(act))
        return false;
    for (; act != NULL; act = json_get(act, VIEW("act"))) {
        const struct json *subject = json_get(act, VIEW("sub"));
        if (user->actor_count == FACTS_ACTORS_MAX || act->kind != JSON_OBJECT || subject == NULL ||
            subject->kind != JSON_STRING || subject->text.size == 0 || subject->text.size > NAME_BYTES_MAX)
            return false;
        user->actors[user->actor_count++] = subject->text;
    }
    return true;
}

/* A base64url SHA-256; true and *has false where it is absent. */
static bool read_thumbprint(const struct json *cnf, struct view name, bool *has, uint8_t out[SHA256_BYTES])
{
    size_t size = 0;
    const struct json *member = json_get(cnf, name);
    *has = member != NULL;
    return member == NULL ||
           (member->kind == JSON_STRING && base64url_decode(member->text, out, SHA256_BYTES, &size) == ERR_NONE &&
            size == SHA256_BYTES);
}

static bool read_confirmation(const struct json *claims, struct token *out)
{
    const struct json *cnf = json_get(claims, VIEW("cnf"));
    if (cnf == NULL)
        return true;
    const struct json *workload = json_get(cnf, VIEW("spiffe_id"));
    out->has_confirmation = true;
    if (workload != NULL) {
        out->confirmed_spiffe_id = workload->text;
        if (workload->kind != JSON_STRING || workload->text.size == 0)
            return false;
    }
    return cnf->kind == JSON_OBJECT && read_thumbprint(cnf, VIEW("x5t#S256"), &out->has_x5t_s256, out->x5t_s256) &&
           read_thumbprint(cnf, VIEW("jkt"), &out->has_jkt, out->jkt);
}

/* ---- audience, type, time ---- */

static bool is_ours(const struct policy_issuer *issuer, struct view audience)
{
    for (size_t i = 0; i < issuer->audience_count; i++)
        if (view_equals(issuer->audiences[i], audience))
            return true;
    return false;
}

/* RFC 7519 section 4.1.3: a string or an array of strings. */
static enum reason check_audience(const struct json *claims, const struct policy_issuer *issuer)
{
    bool is_match = false;
    const struct json *aud = json_get(claims, VIEW("aud"));
    if (aud == NULL || aud->kind == JSON_NULL)
        return REASON_TOKEN_AUDIENCE;
    const struct json *items = aud->kind == JSON_ARRAY ? aud->items : aud;
    size_t count = aud->kind == JSON_ARRAY ? aud->count : 1;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != JSON_STRING || claims_has_control(items[i].text))
            return REASON_TOKEN_CLAIMS;
        is_match |= is_ours(issuer, items[i].text);
    }
    return is_match ? REASON_NONE : REASON_TOKEN_AUDIENCE;
}

/* Keycloak says in the payload what a token is for; only an access token is a credential. */
static bool is_access_token(const struct json *claims)
{
    static const struct view OTHERS[] = {{"ID", 2}, {"Refresh", 7}, {"Offline", 7}, {"Logout", 6}};
    const struct json *typ = json_get(claims, VIEW("typ"));
    for (size_t i = 0; typ != NULL && typ->kind == JSON_STRING && i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (view_equals(OTHERS[i], typ->text))
            return false;
    return true;
}

struct times {
    bool has_expiry, has_start, has_issue, has_login;
    int64_t expiry, start, issue, login; /* exp, nbf, iat, auth_time */
};

static bool read_date(const struct json *claims, struct view name, bool *has, int64_t *out)
{
    const struct json *member = json_get(claims, name);
    *has = member != NULL;
    return member == NULL || claims_read_date(member, out);
}

static bool read_times(const struct json *claims, struct times *out)
{
    return read_date(claims, VIEW("exp"), &out->has_expiry, &out->expiry) &&
           read_date(claims, VIEW("nbf"), &out->has_start, &out->start) &&
           read_date(claims, VIEW("iat"), &out->has_issue, &out->issue) &&
           read_date(claims, VIEW("auth_time"), &out->has_login, &out->login) && out->has_expiry;
}

static int64_t later(int64_t limit, bool has, int64_t time)
{
    return has && time > limit ? time : limit;
}

static enum reason check_times(const struct times *times, const struct policy_issuer *issuer, int64_t now,
                               struct token *out)
{
    int64_t skew = issuer->clock_skew;
    int64_t from =
        later(later(INT64_MIN, times->has_start, times->start - skew), times->has_issue, times->issue - skew);
    out->usable_until = times->expiry + skew;
    out->usable_from = later(from, times->has_login, times->login - skew);
    out->not_before = times->has_start ? times->start : INT64_MIN;
    out->user.expires = times->expiry;
    out->user.issued_at = times->has_issue ? times->issue : 0;
    out->user.has_auth_time = times->has_login;
    out->user.auth_time = times->login;
    if (now >= out->usable_until)
        return REASON_TOKEN_EXPIRED;
    if (now < from)
        return REASON_TOKEN_NOT_YET_VALID;
    if (now < out->usable_from)
        return REASON_TOKEN_CLAIMS; /* a login that has not happened yet */
    if (issuer->max_lifetime == 0)
        return REASON_NONE;
    if (!times->has_issue)
        return REASON_TOKEN_CLAIMS;
    return times->expiry - times->issue > (int64_t)issuer->max_lifetime ? REASON_TOKEN_LIFETIME : REASON_NONE;
}

static enum reason check_claims(const struct json *claims, const struct policy_issuer *issuer, int64_t now,
                                struct arena *arena, struct token *out)
{
    struct times times = {0};
    if (!is_access_token(claims))
        return REASON_TOKEN_TYPE;
    if (!read_identity(claims, out) || !read_acr(claims, &out->user) || !read_amr(claims, arena, &out->user) ||
        !read_actors(claims, &out->user) || !read_confirmation(claims, out) || !read_times(claims, &times))
        return REASON_TOKEN_CLAIMS;
    enum reason reason = check_audience(claims, issuer);
    return reason != REASON_NONE ? reason : check_times(&times, issuer, now, out);
}

/* ---- the token ---- */

/* RFC 9068 section 4 and, for issuers before it, the plain JWT of RFC 7519 section 5.1. */
static bool is_access_token_type(struct view typ)
{
    return !view_is_present(typ) || view_equals(typ, VIEW("JWT")) || view_equals(typ, VIEW("at+jwt")) ||
           view_equals(typ, VIEW("application/at+jwt"));
}

/* Whom a token that may still be refused speaks of: for the record only. */
static void note_claimed(const struct json *claims, struct token *out)
{
    struct view subject;
    (void)read_name(claims, VIEW("iss"), &out->user.issuer);
    if (read_name(claims, VIEW("sub"), &subject) && subject.size <= SUBJECT_BYTES_MAX)
        out->user.subject = subject;
}

/* On anything but REASON_NONE the token holds nothing but whom it speaks of. */
static enum reason refuse(enum reason reason, struct token *out)
{
    struct user_facts claimed = {.issuer = out->user.issuer, .subject = out->user.subject};
    if (reason == REASON_KEYS_UNAVAILABLE)
        claimed.state = USER_UNKNOWN;
    *out = (struct token){.user = claimed};
    return reason;
}

static enum reason accept(const struct json *claims, const struct jwks *jwks, struct arena *arena, struct token *out)
{
    struct value *tree = arena_take(arena, sizeof *tree);
    if (tree == NULL || claims_build(claims, arena, tree) != ERR_NONE)
        return REASON_TOKEN_MALFORMED;
    out->user.claims = tree;
    out->user.state = USER_KNOWN;
    out->jwks_generation = jwks_generation(jwks);
    return REASON_NONE;
}

/* `jws` and `claims` are well formed; nothing is verified. */
static enum reason verify(const struct jws *jws, const struct json *claims, const struct policy *policy,
                          const struct jwks_sets *keys, int64_t now, struct arena *arena, struct token *out)
{
    note_claimed(claims, out);
    if (view_is_empty(out->user.issuer))
        return REASON_TOKEN_ISSUER;
    const struct policy_issuer *issuer = policy_issuer(policy, out->user.issuer);
    const struct jwks *jwks = jwks_sets_find(keys, out->user.issuer);
    if (issuer == NULL || jwks == NULL)
        return REASON_TOKEN_ISSUER;
    if (!jwks_is_available(jwks))
        return REASON_KEYS_UNAVAILABLE;
    enum reason reason = jws_verify(jws, jwks);
    if (reason == REASON_NONE)
        reason = check_claims(claims, issuer, now, arena, out);
    return reason == REASON_NONE ? accept(claims, jwks, arena, out) : reason;
}

static enum reason parse(struct view text, struct arena *arena, struct jws *jws, struct json *claims)
{
    enum reason reason = jws_parse(text, arena, jws);
    if (reason != REASON_NONE)
        return reason;
    if (!jws_is_supported(jws))
        return REASON_TOKEN_ALGORITHM;
    if (!is_access_token_type(jws->type))
        return REASON_TOKEN_TYPE;
    bool is_object = json_parse(jws->payload, arena, claims) == ERR_NONE && claims->kind == JSON_OBJECT;
    return is_object ? REASON_NONE : REASON_TOKEN_MALFORMED;
}

enum reason jwt_verify(struct view text, const struct policy *policy, const struct jwks_sets *keys, int64_t now,
                       struct arena *arena, struct token *out)
{
    struct jws jws;
    struct json claims;
    *out = (struct token){0};
    enum reason reason = parse(text, arena, &jws, &claims);
    if (reason == REASON_NONE)
        reason = verify(&jws, &claims, policy, keys, now, arena, out);
    return reason == REASON_NONE ? reason : refuse(reason, out);
}
