/* SPDX-License-Identifier: Apache-2.0 */
/* How the texts of a policy become one: here, or in a process of its own. */
#ifndef BARTIZAN_POLICY_COMPILER_H
#define BARTIZAN_POLICY_COMPILER_H

#include "policy.h"

struct policy_compiler {
    /* As policy_build; ERR_IO, ERR_LIMIT and ERR_NO_MEMORY come with a finding as well. */
    enum err (*build)(void *context, const struct policy_source *sources, size_t count, struct diag_list *diags,
                      struct policy **out);
    void *context;
};

#endif
