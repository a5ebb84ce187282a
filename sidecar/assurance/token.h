/* SPDX-License-Identifier: Apache-2.0 */
/* A verified token, and whether it is bound to who presents it. */
#ifndef BARTIZAN_TOKEN_H
#define BARTIZAN_TOKEN_H

#include "clearance.h"
#include "digest.h"
#include "facts.h"

/* Everything it points to lives in the arena given to jwt_verify, or in the cache's slot. */
struct token {
    struct user_facts user; /* state USER_KNOWN; bindings and actors' fit not yet judged */
    struct view id;         /* `jti`; absent when there is none */
    int64_t not_before;     /* unix seconds; INT64_MIN when absent */
    int64_t usable_from;    /* nbf, iat and auth_time with the issuer's skew taken off */
    int64_t usable_until;   /* exp with the issuer's skew added; good while now is below it */
    uint64_t jwks_generation;
    bool has_confirmation; /* `cnf` is there */
    bool has_x5t_s256;
    uint8_t x5t_s256[SHA256_BYTES]; /* RFC 8705 section 3.1 */
    bool has_jkt;
    uint8_t jkt[SHA256_BYTES];       /* RFC 9449 section 6.1 */
    struct view confirmed_spiffe_id; /* cnf.spiffe_id: the one workload that may present it; absent when none */
    struct clearance clearance;      /* of a kept one: what the deny list said last; zero from jwt_verify */
};

/* Judges the token's binding against the caller (RFC 7800, RFC 8705 section 3): sets
 * the is_bound_* flags of *user and returns REASON_NONE; or REASON_TOKEN_BINDING when
 * `cnf` names something that is not this caller or only methods unknown to us.
 * Every method that `cnf` names must fit. `jkt` asks for a DPoP proof, which this
 * build does not verify, so such a token fits nobody; nothing falls back to bearer.
 * `certificate_sha256` is NULL and `spiffe_id` absent when there is no caller. */
enum reason token_check_binding(const struct token *token, const uint8_t *certificate_sha256, struct view spiffe_id,
                                struct user_facts *user);

#endif
