/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow_judge.h"

#include "request_facts.h"

#include <stdlib.h>

enum { SCRATCH_BYTES = 96 * 1024 };

struct shadow_judge {
    struct shadow_log *log;
    struct shadow_era era; /* what the log counts; all zero at first */
    struct facts facts;
    struct decision decision;
    char scratch[SCRATCH_BYTES];
};

enum err shadow_judge_open(struct shadow_log *log, struct shadow_judge **out)
{
    struct shadow_judge *judge = calloc(1, sizeof(*judge));
    if (judge == NULL)
        return ERR_NO_MEMORY;
    judge->log = log;
    *out = judge;
    return ERR_NONE;
}

void shadow_judge_close(struct shadow_judge *judge)
{
    free(judge);
}

void shadow_judge_begin(struct shadow_judge *judge, const struct snapshot *snapshot)
{
    const struct shadow_era era = {.policy_generation = snapshot->policy_generation,
                                   .shadow_generation = snapshot->shadow_generation,
                                   .since = snapshot->built_at};
    bool is_same =
        era.policy_generation == judge->era.policy_generation && era.shadow_generation == judge->era.shadow_generation;
    if (judge->log == NULL || snapshot->shadow == NULL || is_same)
        return;
    judge->era = era;
    shadow_log_restart(judge->log, &era);
}

const struct decision *shadow_judge_decide(struct shadow_judge *judge, const struct snapshot *snapshot,
                                           const struct check_request *request, const struct facts *facts,
                                           const struct decision *enforced)
{
    const struct policy *policy = snapshot->shadow;
    struct arena scratch;
    if (policy == NULL)
        return NULL;
    arena_init_fixed(&scratch, judge->scratch, sizeof(judge->scratch));
    judge->facts = *facts;
    if (facts->request_failure == REASON_NONE && policy_reads_body(policy) && !policy_reads_body(snapshot->policy))
        request_facts_read_body(request, &scratch, &judge->facts);
    policy_decide(policy, &judge->facts, &scratch, &judge->decision);
    if (judge->log != NULL)
        shadow_log_add(judge->log, facts->now, enforced, &judge->decision, facts->decision_id);
    return &judge->decision;
}
