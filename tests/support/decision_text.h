/* SPDX-License-Identifier: Apache-2.0 */
/* A decision with everything that it says, as text: two are the same when their texts are. */
#ifndef BARTIZAN_DECISION_TEXT_H
#define BARTIZAN_DECISION_TEXT_H

#include "arena.h"
#include "decision.h"

/* One line a member, in `arena`. What both evaluators need not share, the work counter, is left out. */
struct view decision_text(const struct decision *decision, struct arena *arena);

#endif
