/* SPDX-License-Identifier: Apache-2.0 */
/* The request headers that a policy relies on, as a set. */
#ifndef BARTIZAN_HEADER_NAMES_H
#define BARTIZAN_HEADER_NAMES_H

#include "policy.h"

struct header_names {
    struct view *items; /* sorted, unique; the texts are the policy's */
    size_t count;
};

/* The policy outlives the set. ERR_NO_MEMORY. */
MUST_CHECK enum err header_names_build(const struct policy *policy, struct header_names *out);
void header_names_free(struct header_names *names);

bool header_names_has(const struct header_names *names, struct view name);

#endif
