/* SPDX-License-Identifier: Apache-2.0 */
/* A user's access token, verified: RFC 7515, 7519, 8725, 9068.
 *
 * The key and what its issuer may use decide the algorithm, never the header alone. Claims
 * come from the very bytes whose signature verified. Refused whether or not a rule
 * asks: an `exp` that is missing or past, an `nbf` or `iat` ahead of the clock, an
 * `auth_time` ahead of it, wrong types of exp nbf iat auth_time amr acr cnf act (a
 * null among them), an empty `sub` or one over 255 bytes, control characters in iss
 * sub aud azp client_id amr acr act, more than FACTS_ACTORS_MAX levels of `act`, a
 * `jti`, `azp` or `client_id` that is no string, and a payload `typ` that says the
 * token is an ID, refresh, offline or logout token. NumericDates are JSON numbers of
 * 0 to 2^53, a fraction is cut off. Safe from any thread. */
#ifndef BARTIZAN_JWT_VERIFY_H
#define BARTIZAN_JWT_VERIFY_H

#include "authorization.h"
#include "jwks.h"
#include "policy.h"
#include "token.h"

/* TOKEN_ARENA_BYTES holds what verification of any sensible token builds; one that
 * needs more (tens of thousands of array elements) is refused as malformed. */
enum { TOKEN_BYTES_MAX = 16 * 1024, TOKEN_ARENA_BYTES = 256 * 1024 };

/* Verifies the compact JWS `text` for one of the policy's issuers at `now`.
 * REASON_NONE and *out; REASON_KEYS_UNAVAILABLE when the issuer is known and its
 * keys are not there; else a reason of family invalid_token. On a refusal *out may
 * hold issuer and subject for the record, none of it verified. */
enum reason jwt_verify(struct view text, const struct policy *policy, const struct jwks_sets *keys, int64_t now,
                       struct arena *arena, struct token *out);

#endif
