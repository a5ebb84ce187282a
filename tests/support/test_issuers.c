/* SPDX-License-Identifier: Apache-2.0 */
#include "test_issuers.h"

const struct policy_issuer *policy_issuer(const struct policy *policy, struct view url)
{
    for (size_t i = 0; i < policy->count; i++)
        if (view_equals(policy->issuers[i].url, url))
            return &policy->issuers[i];
    return NULL;
}
