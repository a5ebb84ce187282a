/* SPDX-License-Identifier: Apache-2.0 */
/* SPIFFE IDs, strictly: SPIFFE-ID.md sections 2 to 2.4.
 *
 *   spiffe-id    = "spiffe://" trust-domain path
 *   trust-domain = 1*255( a-z / 0-9 / "." / "-" / "_" )
 *   path         = *( "/" segment )    ; no empty, "." or ".." segment, no trailing "/"
 *   segment      = 1*( a-z / A-Z / 0-9 / "." / "-" / "_" )
 * At most 2048 bytes. Nothing is normalised: two byte strings never name one identity. */
#ifndef BARTIZAN_SPIFFE_ID_H
#define BARTIZAN_SPIFFE_ID_H

#include "err.h"
#include "view.h"

enum { SPIFFE_ID_MAX = 2048, TRUST_DOMAIN_MAX = 255 };

struct spiffe_id {
    struct view text;
    struct view trust_domain;
    struct view path; /* with its leading "/"; empty for a trust domain's own ID */
};

/* ERR_MALFORMED for anything outside the grammar. Views borrow from `text`. */
MUST_CHECK enum err spiffe_id_parse(struct view text, struct spiffe_id *out);

/* True when `text` is a trust domain name. */
bool trust_domain_is_valid(struct view text);

#endif
