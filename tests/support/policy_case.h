/* SPDX-License-Identifier: Apache-2.0 */
/* A policy and one described request, decided by both evaluators. */
#ifndef BARTIZAN_POLICY_CASE_H
#define BARTIZAN_POLICY_CASE_H

#include "policy.h"

enum { POLICY_CASE_SCRATCH = 65536 };

/* Builds `spec` (the YAML under `spec:`, two spaces in) with the one test whose
 * `given` is the flow map `given`, and decides it twice: the answers must agree.
 * Fails the running test when the policy does not build. Views in *out live until
 * the next call. */
void policy_case(const char *spec, const char *given, struct decision *out);

/* Likewise with the rules apart: `common` is the rest of the spec, `given` the inside of the flow map. */
struct decision policy_case_ask(const char *common, const char *rules, const char *given);

/* The compiled answer to the request of the last call, with `size` bytes (at most POLICY_CASE_SCRATCH) to work in.
 * Its views live until the next call. */
void policy_case_within(size_t size, struct decision *out);

/* True when `rule` is that rule of a policy_case, without its document's name; "": none. */
bool policy_case_rule_is(struct view rule, const char *name);

/* The policy of the last call. */
const struct policy *policy_case_policy(void);

/* Frees what the last call made; a teardown of cmocka. */
int policy_case_close(void **state);

#endif
