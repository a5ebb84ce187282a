/* SPDX-License-Identifier: Apache-2.0 */
/* How the texts of a policy become one: here, or in a process of its own. */
#ifndef BARTIZAN_POLICY_COMPILER_H
#define BARTIZAN_POLICY_COMPILER_H

#include "digest.h"
#include "policy.h"

struct policy_order {
    const struct policy_source *sources;
    size_t count;
    const uint8_t *fingerprint; /* of the sources, SHA256_BYTES: equal ones are one order */
    bool is_shadow;             /* of policy.shadow; what is enforced goes first */
    bool is_later;              /* see below */
};

struct policy_compiler {
    /* As policy_build; ERR_IO, ERR_LIMIT and ERR_NO_MEMORY come with a finding as well. Of an order with
     * `is_later` nothing is waited for that happens elsewhere: ERR_NONE with *out NULL, and the same order,
     * given again, brings the end. The newest order counts, and an older one is given up. */
    enum err (*build)(void *context, const struct policy_order *order, struct diag_list *diags, struct policy **out);
    /* All orders of a moment were given: what none of them asked for is given up. */
    void (*rest)(void *context);
    void *context;
    int fd; /* readable when something that happens elsewhere may have ended; poll alone */
};

#endif
