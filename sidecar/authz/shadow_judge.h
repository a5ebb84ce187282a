/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy of policy.shadow says of the same facts, in memory of its own: a
 * decision in force never waits for room in it. */
#ifndef BARTIZAN_SHADOW_JUDGE_H
#define BARTIZAN_SHADOW_JUDGE_H

#include "check_request.h"
#include "shadow_log.h"
#include "snapshot.h"

struct shadow_judge;

/* Differences go to `log`, which outlives the judge; NULL: none are kept. */
MUST_CHECK enum err shadow_judge_open(struct shadow_log *log, struct shadow_judge **out);
void shadow_judge_close(struct shadow_judge *judge); /* harmless on NULL */

/* `snapshot` is judged by from now on: the log starts over unless both policies are the same as before. */
void shadow_judge_begin(struct shadow_judge *judge, const struct snapshot *snapshot);

/* Judges what `enforced` was said of; good until the next call. NULL: the snapshot has no
 * shadow. Allocates nothing. */
const struct decision *shadow_judge_decide(struct shadow_judge *judge, const struct snapshot *snapshot,
                                           const struct check_request *request, const struct facts *facts,
                                           const struct decision *enforced);

#endif
