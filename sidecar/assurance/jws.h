/* SPDX-License-Identifier: Apache-2.0 */
/* A compact JWS, taken apart and checked against an issuer's keys: RFC 7515.
 *
 *   token = base64url(header) "." base64url(payload) "." base64url(signature)
 *
 * Header parameters that would bring keys along, change the encoding or extend the
 * rules are refused: jku x5u jwk x5c crit b64 zip. */
#ifndef BARTIZAN_JWS_H
#define BARTIZAN_JWS_H

#include "jwks.h"
#include "reason.h"

enum { JWS_BYTES_MAX = 16 * 1024 };

struct jws {
    struct view signed_text; /* header "." payload, as sent */
    struct view algorithm;   /* `alg` */
    struct view kid;         /* absent when there is none */
    struct view type;        /* `typ`; absent when there is none */
    struct view payload;     /* decoded; may be empty */
    struct view signature;   /* decoded, not empty */
};

/* REASON_NONE and *out, or REASON_TOKEN_MALFORMED. Nothing of it is verified yet.
 * Everything lives in `arena` or borrows from `text`. */
enum reason jws_parse(struct view text, struct arena *arena, struct jws *out);

/* True when `alg` names an algorithm of ours. */
bool jws_is_supported(const struct jws *jws);

/* REASON_NONE when the signature verifies with the key that `kid` names, or, without
 * a kid, with the only one that fits the algorithm; REASON_TOKEN_KEY when there is no
 * such key, REASON_TOKEN_ALGORITHM when the key is for another algorithm or the issuer
 * may not use it,
 * REASON_TOKEN_SIGNATURE. Safe from any thread. */
enum reason jws_verify(const struct jws *jws, const struct jwks *jwks);

#endif
