/* SPDX-License-Identifier: Apache-2.0 */
/* A policy: from YAML documents to one immutable thing that decides.
 *
 * Built once, then read by any number of threads without a lock. Two evaluators
 * stand behind it: the compiled program (policy_decide) and the naive reference
 * interpreter over the model (policy_interpret), which must agree on everything
 * and is what tests and `policy eval` compare with. */
#ifndef BARTIZAN_POLICY_H
#define BARTIZAN_POLICY_H

#include "decision.h"
#include "diag.h"
#include "facts.h"

struct policy;
struct model; /* model.h */

struct policy_source {
    struct view name; /* as shown in messages, e.g. a path */
    struct view text;
};

/* Compiles the documents of all sources as one set; or reads the one source that is a
 * compiled policy (policy_image.h), known by its first bytes. Finds every error it can.
 * ERR_INVALID: see `diags`; *out is untouched. The sources may be freed after. */
MUST_CHECK enum err policy_build(const struct policy_source *sources, size_t count, struct diag_list *diags,
                                 struct policy **out);

/* Reads a file, or every *.yaml and *.yml of a folder in name order (entries that
 * begin with a dot are passed over, so a ConfigMap mount works), and builds it.
 * ERR_IO and ERR_INVALID: see `diags`. */
MUST_CHECK enum err policy_read(const char *path, struct diag_list *diags, struct policy **out);

/* Holds rules of priority 8 to 15, which override everybody else's, against the owners whose
 * documents may have them. ERR_INVALID: a finding for each rule of another's document, or of
 * one without `metadata.owner`, without the line's text (diag_list_locate). */
MUST_CHECK enum err policy_check_owners(const struct policy *policy, const struct view *owners, size_t count,
                                        struct diag_list *diags);

void policy_free(struct policy *policy);

/* Lower-case hex SHA-256 of the meaning-bearing source documents: 64 bytes, owned by the policy. */
struct view policy_digest(const struct policy *policy);

/* The number of rules. */
size_t policy_rule_count(const struct policy *policy);

/* Decides. Never fails: whatever goes wrong, *out is a denial. Views in *out
 * point into the policy, the facts or `scratch`; they live as long as the
 * shortest of these. No allocation beside `scratch`. */
void policy_decide(const struct policy *policy, const struct facts *facts, struct arena *scratch, struct decision *out);

/* The same answer by the reference interpreter, as slow as it is plain. */
void policy_interpret(const struct policy *policy, const struct facts *facts, struct arena *scratch,
                      struct decision *out);

/* What the policy says of a token issuer; what verification needs to know. */
struct policy_issuer {
    struct view name; /* as the policy calls it */
    struct view url;  /* equals `iss` byte for byte */
    const struct view *audiences;
    size_t audience_count; /* at least 1 */
    uint32_t clock_skew;   /* seconds, 0 to 60, default 30 */
    uint32_t max_lifetime; /* seconds of exp - iat; 0: no limit and iat not required */
};

/* The issuer with this URL, or NULL. Owned by the policy. */
const struct policy_issuer *policy_issuer(const struct policy *policy, struct view url);

/* One issuer after the other, from 0; NULL past the last. */
const struct policy_issuer *policy_issuer_at(const struct policy *policy, size_t index);

/* True when some resource type or action of the policy reads the body. */
bool policy_reads_body(const struct policy *policy);

/* Calls `each` for every request header (lower case) that some rule or resource
 * type reads, and that some rule sets or removes. A name may come more than once. */
void policy_headers(const struct policy *policy, void (*each)(void *context, struct view name), void *context);

/* Likewise for those that some rule sets. */
void policy_settable_headers(const struct policy *policy, void (*each)(void *context, struct view name), void *context);

/* The query parameters that some rule sets, each once; owned by the policy. */
const struct view *policy_settable_queries(const struct policy *policy, size_t *count);

/* The `tests:` of a policy. */
struct policy_test_result {
    struct view name;
    bool passed;
    struct view expected; /* in words */
    struct view got;      /* in words, with the explanation */
    struct span span;
    const struct facts *facts;
    const struct decision *decision; /* of the compiled program; gone after the call */
};

/* Runs the embedded tests with both evaluators, calling `each` per test case.
 * Returns the number of failures. */
size_t policy_test(const struct policy *policy, void (*each)(void *context, const struct policy_test_result *result),
                   void *context);

/* The request of test case `index`, or NULL past the last; lives as long as the policy. */
const struct facts *policy_test_facts(const struct policy *policy, size_t index);

/* The typed policy behind it (model.h), for analysis. */
const struct model *policy_model(const struct policy *policy);

/* Reads the description of one request, as policy_eval_given does, into *out, which
 * lives as long as the policy and `arena`. ERR_INVALID: see `diags`. */
MUST_CHECK enum err policy_given(const struct policy *policy, const struct policy_source *given, int64_t now,
                                 struct arena *arena, struct diag_list *diags, const struct facts **out);

/* Decides about one request that is described as in a test's `given` block: a YAML
 * or JSON map with the same keys, which may refer to the policy's issuers by name.
 * For `bartizan policy eval`. ERR_INVALID: see `diags`. Views in *out live as long as
 * the policy and `arena`. */
MUST_CHECK enum err policy_eval_given(const struct policy *policy, const struct policy_source *given, int64_t now,
                                      struct arena *arena, struct diag_list *diags, struct decision *out);

#endif
