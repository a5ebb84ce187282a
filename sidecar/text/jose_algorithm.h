/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms that a token can be signed with, as RFC 7518 section 3.1 and RFC 8037
 * section 3.1 name them; Ed25519 is RFC 9864's name for what EdDSA is with such a key. */
#ifndef BARTIZAN_JOSE_ALGORITHM_H
#define BARTIZAN_JOSE_ALGORITHM_H

#include "view.h"

/* X(symbol, name) */
/* clang-format off */
#define JOSE_ALGORITHMS(X) \
    X(RS256, "RS256") X(RS384, "RS384") X(RS512, "RS512") \
    X(PS256, "PS256") X(PS384, "PS384") X(PS512, "PS512") \
    X(ES256, "ES256") X(ES384, "ES384") X(ES512, "ES512") \
    X(EDDSA, "EdDSA") X(ED25519, "Ed25519")
/* clang-format on */

enum jose_algorithm {
#define JOSE_ENUM(symbol, name) JOSE_##symbol,
    JOSE_ALGORITHMS(JOSE_ENUM)
#undef JOSE_ENUM
        JOSE_ALGORITHM_COUNT
};

/* Sets of them have bit 1 << a for algorithm a. The usual ones, which every issuer may use
 * unless it is given others, are all but EdDSA: the JWT-SVID has none, and few issuers do. */
enum { JOSE_USUAL = (1 << JOSE_EDDSA) - 1 };

/* False when no algorithm has this name, letter case included. */
bool jose_algorithm_find(struct view name, enum jose_algorithm *out);

struct view jose_algorithm_name(enum jose_algorithm algorithm);

#endif
