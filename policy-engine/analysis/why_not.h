/* SPDX-License-Identifier: Apache-2.0 */
/* How every rule that covers a request stands to it, and what each allow lacks.
 *
 * The reference interpreter's view, in words with values: for operators and authors,
 * never for the client. A decision's own `closest` and `missing` name the nearest rule
 * and its first lack; here is all of it. */
#ifndef BARTIZAN_WHY_NOT_H
#define BARTIZAN_WHY_NOT_H

#include "arena.h"
#include "inquiry.h"

/* One thing that keeps an allow rule from deciding. */
struct lack {
    struct view what;  /* resource, workload, user, binding, delegation, purpose, condition, obligation,
                          assurance, unjudged */
    struct view words; /* "purpose is absent; the rule allows incident, evaluation" */
};

struct rule_view {
    const struct rule *rule;
    enum outcome outcome; /* of an allow: OUTCOME_NONE lacks something, OUTCOME_CHALLENGE only assurance;
                             of a deny: OUTCOME_NONE does not match, OUTCOME_ASK waits for a step-up */
    const struct lack *lacks;
    size_t lack_count;
};

struct why_not {
    enum reason refused;           /* REASON_NONE, or why no rule was asked at all */
    const struct rule_view *rules; /* whose actions cover the request: highest priority first, then by name */
    size_t rule_count;
    size_t other_count; /* rules about other actions */
};

/* The model and the facts must outlive *out; the rest of it lives in `arena`. ERR_NO_MEMORY. */
MUST_CHECK enum err why_not(const struct model *model, const struct facts *facts, struct arena *arena,
                            struct why_not *out);

/* "allow", "challenge", "ask", "deny", "none". */
const char *why_not_outcome(enum outcome outcome);

#endif
