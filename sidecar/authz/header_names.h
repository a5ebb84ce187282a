/* SPDX-License-Identifier: Apache-2.0 */
/* Request headers that a policy speaks of, as a set. */
#ifndef BARTIZAN_HEADER_NAMES_H
#define BARTIZAN_HEADER_NAMES_H

#include "policy.h"

struct header_names {
    struct view *items; /* sorted, unique; the texts are the policy's */
    size_t count;
    uint64_t sizes; /* bit N: some name has N bytes, by 64s */
};

/* Those that the policy relies on: reads, sets or removes. The policy outlives the
 * set. ERR_NO_MEMORY. */
MUST_CHECK enum err header_names_build(const struct policy *policy, struct header_names *out);
/* Those that some rule can set: an upstream takes them for ours. */
MUST_CHECK enum err header_names_build_settable(const struct policy *policy, struct header_names *out);
void header_names_free(struct header_names *names);

bool header_names_has(const struct header_names *names, struct view name);

/* False when no name is as long as that: the quick way past what a request has many of. */
static inline bool header_names_has_size(const struct header_names *names, size_t size)
{
    return (names->sizes >> size % 64 & 1) != 0;
}

#endif
