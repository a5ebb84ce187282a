/* SPDX-License-Identifier: Apache-2.0 */
/* The reference interpreter rule by rule: how each one stands to a request.
 *
 * For explanations and coverage, which ask about rules that did not decide. */
#ifndef BARTIZAN_INTERPRET_H
#define BARTIZAN_INTERPRET_H

#include "explain.h"
#include "inquiry.h"

/* What one rule came to. */
struct rule_standing {
    struct rule_parts parts;
    struct rule_result result;
};

/* Everything that comes before the rules: REASON_NONE, or why the request is denied.
 * Fills *inquiry with what the request is about, and what *out says of it. `model`,
 * `facts` and `scratch` must outlive the inquiry. */
enum reason interpret_open(struct inquiry *inquiry, const struct model *model, const struct facts *facts,
                           struct arena *scratch, struct decision *out);

/* How `rule` stands to an inquiry that was opened with REASON_NONE. */
struct rule_standing interpret_rule(const struct inquiry *inquiry, const struct rule *rule);

/* Is the request one of `action`? */
enum tri interpret_action(const struct inquiry *inquiry, const struct action *action);

/* Does the caller hold `role`, itself or by inheritance? */
enum tri interpret_role(const struct inquiry *inquiry, const struct role *role);

#endif
