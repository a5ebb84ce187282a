/* SPDX-License-Identifier: Apache-2.0 */
/* From a deciding rule to the answer: obligations, challenges, refusals. */
#ifndef BARTIZAN_ANSWER_H
#define BARTIZAN_ANSWER_H

#include "decision.h"
#include "inquiry.h"

/* S6: every template of the rule has a value that can stand in a header. */
bool answer_can_fill(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found);

/* The first template of the rule that has none, or NULL. */
const struct template_part *answer_unfilled(const struct inquiry *inquiry, const struct rule *rule,
                                            const struct found_resource *found);

/* Every header that some rule of the model can set, sorted, each once. ERR_NO_MEMORY. */
MUST_CHECK enum err answer_settable(const struct model *model, struct arena *arena, struct string_list *out);

/* What an allow by `rule` removes: `settable` minus what the rule sets itself
 * (Envoy removes after it sets), plus the rule's own removals. ERR_NO_MEMORY. */
MUST_CHECK enum err answer_removals(const struct rule *rule, const struct string_list *settable, struct arena *arena,
                                    struct string_list *out);

/* The one place where an ALLOW comes from. Out of memory it denies. */
void answer_allow(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found,
                  const struct string_list *removals, struct decision *out);

/* What `wanted` asks of the user's issuer. */
void answer_challenge(const struct inquiry *inquiry, const struct rule *rule, const struct assurance *wanted,
                      struct decision *out);

void answer_deny(const struct rule *rule, struct decision *out);

/* A refusal before any rule, or by none. */
void answer_refuse(enum reason reason, struct decision *out);

/* What the request was found to be, for the record. */
void answer_describe(const struct inquiry *inquiry, const struct found_resource *found, struct decision *out);

/* The purpose that a matching rule names, when it is one of its own. */
void answer_purpose(const struct inquiry *inquiry, const struct rule *rule, struct decision *out);

#endif
