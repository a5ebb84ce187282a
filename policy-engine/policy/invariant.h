/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: what a policy promises of itself, checked whenever it is compiled.
 *
 * `never` says that no request which it selects gets the verdict, `always` that each
 * does. Every class of requests is decided (classes.h): what holds for one request of
 * each holds for all. Requests that are refused before any rule are not looked at.
 *
 * Where a selector cannot be judged (an id that is not listed, a token without keys),
 * a restriction (never allow, never challenge, always deny) takes the request for
 * selected and a promise (always allow, always challenge, never deny) does not. */
#ifndef BARTIZAN_INVARIANT_H
#define BARTIZAN_INVARIANT_H

#include "policy_internal.h"

/* Checks every invariant of a policy that was compiled. A violation is an error with
 * one witness: a sentence, and a test that shows it. ERR_INVALID: see `diags`. */
MUST_CHECK enum err invariants_check(const struct policy *policy, struct diag_list *diags);

/* The request as a sentence. */
struct view invariant_sentence(const struct facts *facts, struct arena *arena);

/* The request as a line of `tests:`, a flow map, with the answer that it gets. The
 * loader of tests makes the same facts of it. */
struct view invariant_test(struct view name, const struct facts *facts, const struct decision *decision,
                           struct arena *arena);

#endif
