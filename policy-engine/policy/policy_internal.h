/* SPDX-License-Identifier: Apache-2.0 */
/* What a `struct policy` holds; seen inside the policy floor only. */
#ifndef BARTIZAN_POLICY_INTERNAL_H
#define BARTIZAN_POLICY_INTERNAL_H

#include "model.h"
#include "policy.h"

struct program;
struct test_case; /* test_case.h */

struct policy {
    struct arena arena; /* holds everything below, and the policy itself is malloc'ed */
    struct model model; /* for the interpreter, explanations and analysis */
    struct program *program;
    struct policy_issuer *issuers; /* model.issuer_count, same order */
    const struct test_case *tests; /* in file order */
    size_t test_count;
    char digest[64];
};

/* An empty policy, or NULL. Freed by policy_free. */
struct policy *policy_open(void);

/* Fills policy->issuers from the model. ERR_NO_MEMORY. */
MUST_CHECK enum err policy_issuers_make(struct policy *policy);

#endif
