/* SPDX-License-Identifier: Apache-2.0 */
/* A user's access token, verified: RFC 7515, 7519, 8725, 9068 and docs/assurance.md.
 *
 * RS256 and ES256; the key decides the algorithm, never the header alone. Claims
 * come from the very bytes whose signature verified. */
#ifndef BARTIZAN_JWT_VERIFY_H
#define BARTIZAN_JWT_VERIFY_H

#include "digest.h"
#include "facts.h"
#include "jwks.h"
#include "policy.h"

enum { TOKEN_BYTES_MAX = 16 * 1024, TOKEN_ARENA_BYTES = 64 * 1024 };

/* A verified token. Everything it points to lives in the arena given to jwt_verify. */
struct token {
    struct user_facts user; /* state USER_KNOWN; bindings and actors' fit not yet judged */
    struct view id;         /* `jti`; absent when there is none */
    int64_t not_before;     /* unix seconds; INT64_MIN when absent */
    int64_t usable_from;    /* nbf and iat with the issuer's skew taken off */
    int64_t usable_until;   /* exp with the issuer's skew added */
    uint64_t jwks_generation;
    bool has_confirmation; /* `cnf` is there */
    bool has_x5t_s256;
    uint8_t x5t_s256[SHA256_BYTES];
    bool has_jkt;
    uint8_t jkt[SHA256_BYTES];
    struct view confirmed_spiffe_id; /* cnf's SPIFFE ID member; absent when none */
};

/* Verifies the compact JWS `text` for one of the policy's issuers at `now`.
 * REASON_NONE and *out; REASON_KEYS_UNAVAILABLE when the issuer is known and its
 * keys are not there; else a reason of family invalid_token. On a refusal *out may
 * hold issuer and subject for the record, none of it verified. */
enum reason jwt_verify(struct view text, const struct policy *policy, const struct jwks_sets *keys, int64_t now,
                       struct arena *arena, struct token *out);

/* Judges the token's binding against the caller (RFC 8705 section 3): sets the
 * is_bound_* flags of *user and returns REASON_NONE; or REASON_TOKEN_BINDING when
 * `cnf` names something that is not this caller or only methods unknown to us.
 * `certificate_sha256` is NULL and `spiffe_id` absent when there is no caller. */
enum reason token_check_binding(const struct token *token, const uint8_t *certificate_sha256, struct view spiffe_id,
                                struct user_facts *user);

/* The credential of an `authorization` value: REASON_NONE and *token; an absent
 * view with REASON_NONE when the scheme is another one than Bearer or DPoP;
 * REASON_TOKEN_MALFORMED for more than one space, a tab, or an empty token.
 * *is_dpop tells the scheme. RFC 6750 section 2.1, RFC 9449 section 7.1. */
enum reason authorization_parse(struct view value, struct view *token, bool *is_dpop);

#endif
