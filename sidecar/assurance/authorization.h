/* SPDX-License-Identifier: Apache-2.0 */
/* The credential in an `authorization` header: RFC 9110 section 11.4, RFC 6750
 * section 2.1, RFC 9449 section 7.1.
 *
 *   credentials = scheme SP b64token      scheme: Bearer or DPoP, any letter case
 *   b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
#ifndef BARTIZAN_AUTHORIZATION_H
#define BARTIZAN_AUTHORIZATION_H

#include "reason.h"

/* REASON_NONE and *token; an absent view with REASON_NONE when the value is empty or
 * its scheme is another one than Bearer or DPoP; REASON_TOKEN_MALFORMED when no space
 * and no token follow. *is_dpop tells the scheme. Refused rather than trimmed: what we
 * read must be what the service behind us reads.
 * *token is all that stands behind the first space, and no token yet: see below. */
enum reason authorization_parse(struct view value, struct view *token, bool *is_dpop);

/* True when it is one b64token, so with no further space or credential in it. This
 * looks at every byte: a text that was found to be a good token before needs it not. */
bool authorization_is_token(struct view text);

#endif
