/* SPDX-License-Identifier: Apache-2.0 */
/* A model compiled for deciding: an immutable index over it.
 *
 *   request -> operation trie -> actions -> (action, role) -> rules in rank order
 *
 * A rule is looked at only when its action fits the request and the caller holds
 * one of its roles, so rules about other things cost nothing. Ranks order the
 * rules as semantics S3 asks: priority, denies first, then name. Ids are found in
 * hash tables fixed when the policy is built: a caller can pick what is looked
 * up, never what is stored. */
#ifndef BARTIZAN_PROGRAM_H
#define BARTIZAN_PROGRAM_H

#include "facts.h"
#include "model.h"

struct program;

/* Compiles `model`, which must outlive the program; everything lives in `arena`.
 * ERR_INVALID: two operations could give one request two different resource ids,
 * see `diags`. ERR_NO_MEMORY. */
MUST_CHECK enum err program_build(const struct model *model, struct arena *arena, struct diag_list *diags,
                                  struct program **out);

/* policy_decide over a program. */
void program_decide(const struct program *program, const struct facts *facts, struct arena *scratch,
                    struct decision *out);

#endif
