/* SPDX-License-Identifier: Apache-2.0 */
/* The one question that token verification asks of a policy, answered from a table,
 * so that its tests need no policy compiler: this file defines policy_issuer(). */
#ifndef BARTIZAN_TEST_ISSUERS_H
#define BARTIZAN_TEST_ISSUERS_H

#include "policy.h"

struct policy {
    const struct policy_issuer *issuers;
    size_t count;
};

#endif
