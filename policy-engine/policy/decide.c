/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled evaluation: the same semantics as interpret.c, by index and lazily.
 *
 * Rules come in rank order out of the few lists that the request's actions and the
 * caller's roles select, so the first deny of a tier, or its first met allow, is the
 * one with the smallest name, and evaluation stops there; only rules that would
 * raise the audit level are still looked at. */
#include "answer.h"
#include "evaluation.h"
#include "explain.h"
#include "policy_internal.h"

/* Some of these are large and filled as far as they are used: zeroing them would cost as much as a
 * decision's other fixed parts together. Whoever opens one sets what is read before it is written. */
#define UNINITIALISED __attribute__((uninitialized))

/* ---- one rule ------------------------------------------------------------ */

static enum tri operation_part(const struct evaluation *e, const struct rule *rule)
{
    enum tri any = rule->action_count == 0 ? TRI_TRUE : TRI_FALSE;
    for (size_t a = 0; a < rule->action_count && any != TRI_TRUE; a++)
        for (size_t i = 0; i < e->action_count; i++)
            if (e->actions[i].action == rule->actions[a]->index)
                any = tri_or(any, e->actions[i].fits);
    return any;
}

static enum tri workload_part(const struct evaluation *e, const struct rule *rule)
{
    bool holds = false;
    for (size_t i = 0; i < rule->subjects->workload_role_count && !holds; i++)
        holds = bit_of(e->held, rule->subjects->workload_roles[i]->index);
    return inquiry_workload_demand(&e->inquiry, rule, holds);
}

static enum tri user_part(const struct evaluation *e, const struct rule *rule)
{
    enum tri holds = TRI_FALSE;
    for (size_t i = 0; i < rule->subjects->user_role_count && holds != TRI_TRUE; i++) {
        size_t role = rule->subjects->user_roles[i]->index;
        holds = tri_or(holds, bit_of(e->held, role) ? TRI_TRUE : bit_of(e->maybe, role) ? TRI_UNKNOWN : TRI_FALSE);
    }
    return inquiry_user_demand(&e->inquiry, rule, holds);
}

static const struct rule *rule_of(const struct evaluation *e, const struct ranked_rule *row)
{
    return &e->program->model->rules[row->rule];
}

/* Whom the rule is for. `is_held`: it stands under a role that the caller holds. */
static enum tri subject_match(const struct evaluation *e, const struct ranked_rule *row, bool is_held)
{
    const struct rule *rule = rule_of(e, row);
    bool by_workload = (row->parts & RULE_WORKLOAD_ROLES) != 0;
    bool is_workload = (row->parts & RULE_WORKLOAD) == 0 ||
                       (e->is_certified && ((by_workload && is_held) || (row->parts & RULE_WORKLOAD_ANY) != 0 ||
                                            (row->role != NO_INDEX && bit_of(e->held, row->role))));
    bool is_user = (row->parts & RULE_USER) == 0 || ((row->parts & RULE_USER_ROLES) != 0 && !by_workload && is_held);
    enum tri match = is_workload ? TRI_TRUE : workload_part(e, rule);
    return is_user || match == TRI_FALSE ? match : tri_and(match, user_part(e, rule));
}

/* Cheap tests first; what is false stays false. The rule itself is read only where its row
 * does not say enough. */
static enum tri rule_match(const struct evaluation *e, const struct ranked_rule *row, bool is_held,
                           const struct found_resource **found)
{
    const struct inquiry *inquiry = &e->inquiry;
    const struct rule *rule = rule_of(e, row);
    enum tri match = e->is_doubtful ? operation_part(e, rule) : TRI_TRUE;
    *found = e->first_known;
    if (match != TRI_FALSE)
        match = tri_and(match, subject_match(e, row, is_held));
    if ((row->parts & RULE_RESOURCES) != 0 && match != TRI_FALSE)
        match = tri_and(match, inquiry_resource(inquiry, rule, found));
    if (((row->parts & RULE_DELEGATION) != 0 || ((row->parts & RULE_NO_DELEGATION) != 0 && !e->is_undelegated)) &&
        match != TRI_FALSE)
        match = tri_and(match, inquiry_delegation(inquiry, rule));
    if ((row->parts & RULE_PURPOSE) != 0 && match != TRI_FALSE)
        match = tri_and(match, inquiry_purpose(inquiry, rule));
    if ((row->parts & RULE_CONDITIONS) != 0 && match != TRI_FALSE)
        match = tri_and(match, inquiry_conditions(inquiry, rule));
    return match;
}

static struct rule_result rule_test(struct evaluation *e, const struct ranked_rule *row, bool is_held,
                                    const struct found_resource **found)
{
    struct rule_result result = {.outcome = OUTCOME_NONE, .assurance = {.state = ASSURANCE_MET}};
    enum tri match = rule_match(e, row, is_held, found);
    e->tests++;
    if ((row->parts & (RULE_ASSURANCE | RULE_TEMPLATES)) != 0)
        return inquiry_outcome(&e->inquiry, rule_of(e, row), match, *found);
    if (row->is_allow != 0 && match == TRI_TRUE)
        result.outcome = OUTCOME_ALLOW;
    if (row->is_allow == 0 && match != TRI_FALSE)
        result.outcome = OUTCOME_DENY;
    return result;
}

/* ---- the choice (S3, S4) ------------------------------------------------- */

struct chosen {
    const struct ranked_rule *row;
    const struct found_resource *found;
    struct assurance_result assurance;
};

struct selection {
    enum outcome outcome; /* OUTCOME_NONE while nothing decided */
    struct chosen by;
    struct chosen asking;    /* the first deny that a step-up would lift, of the highest such tier */
    struct chosen challenge; /* of the current tier: asks for the fewest missing facts */
    uint32_t tier;
    enum audit_level audit;
};

static void selection_decide(struct selection *selection, enum outcome outcome, const struct chosen *by)
{
    bool is_asked = selection->asking.row != NULL;
    selection->outcome = outcome == OUTCOME_DENY || !is_asked ? outcome : OUTCOME_ASK;
    selection->by = is_asked ? selection->asking : *by;
}

/* No deny stands in the tier and no allow is met: a challenge decides. */
static void tier_close(struct selection *selection)
{
    if (selection->outcome == OUTCOME_NONE && selection->challenge.row)
        selection_decide(selection, OUTCOME_CHALLENGE, &selection->challenge);
}

static void selection_take(struct selection *selection, enum outcome outcome, const struct chosen *own)
{
    switch (outcome) {
    case OUTCOME_NONE: return;
    case OUTCOME_DENY:
    case OUTCOME_ALLOW: selection_decide(selection, outcome, own); return;
    case OUTCOME_ASK:
        if (!selection->asking.row)
            selection->asking = *own;
        return;
    case OUTCOME_CHALLENGE:
        if (!selection->challenge.row ||
            __builtin_popcount(own->assurance.missing) < __builtin_popcount(selection->challenge.assurance.missing))
            selection->challenge = *own;
        return;
    }
}

static bool select_rule(struct evaluation *e, struct selection *selection)
{
    UNINITIALISED struct candidates candidates;
    uint32_t rank = 0;
    if (!candidates_open(e, false, &candidates))
        return false;
    e->has_candidates = candidates.count > 0;
    while (candidates_next(&candidates, &rank)) {
        const struct ranked_rule *row = &e->program->rules[rank];
        struct chosen own = {.row = row};
        if (row->priority != selection->tier)
            tier_close(selection);
        selection->tier = row->priority;
        if (selection->outcome != OUTCOME_NONE && row->audit <= selection->audit) {
            if (selection->audit == e->program->highest_audit)
                break;
            continue;
        }
        struct rule_result result = rule_test(e, row, candidates.is_held, &own.found);
        if (result.outcome == OUTCOME_NONE)
            continue;
        if (row->audit > selection->audit)
            selection->audit = row->audit;
        own.assurance = result.assurance;
        if (selection->outcome == OUTCOME_NONE)
            selection_take(selection, result.outcome, &own);
    }
    tier_close(selection);
    if (selection->outcome == OUTCOME_NONE && selection->asking.row)
        selection_decide(selection, OUTCOME_DENY, &selection->asking);
    return true;
}

/* ---- the answer ---------------------------------------------------------- */

static void rule_explain(struct evaluation *e, const struct ranked_rule *row, struct nearest *nearest)
{
    const struct rule *rule = rule_of(e, row);
    struct rule_parts parts = {.operation = e->is_doubtful ? operation_part(e, rule) : TRI_TRUE,
                               .resource = TRI_TRUE,
                               .found = e->first_known};
    e->tests++;
    if ((row->parts & RULE_RESOURCES) != 0)
        parts.resource = inquiry_resource(&e->inquiry, rule, &parts.found);
    if (parts.operation == TRI_FALSE || parts.resource == TRI_FALSE)
        return;
    parts.workload = workload_part(e, rule);
    parts.user = user_part(e, rule);
    explain_consider(&e->inquiry, rule, &parts, nearest);
}

/* An allow of a matching action, whose operation and resources may be the request's. */
static bool rule_is_about(struct evaluation *e, const struct ranked_rule *row)
{
    const struct found_resource *found = NULL;
    const struct rule *rule = rule_of(e, row);
    e->tests++;
    return (!e->is_doubtful || operation_part(e, rule) != TRI_FALSE) &&
           ((row->parts & RULE_RESOURCES) == 0 || inquiry_resource(&e->inquiry, rule, &found) != TRI_FALSE);
}

/* The first allow rule of an action by name, below *best, that is about the request's resources. */
static void action_explain(struct evaluation *e, uint32_t action, uint32_t *best)
{
    const struct program *program = e->program;
    struct head names = candidates_list(e, &program->actions[action].allows);
    for (; names.at < names.end && *names.at < *best; names.at++)
        if (rule_is_about(e, &program->rules[program->by_name[*names.at]]))
            *best = *names.at;
    bool has_ids = e->is_every_id_known && program->ids.slot_count > 0;
    for (size_t i = 0; has_ids && i < e->inquiry.resource_count; i++) {
        size_t count = 0;
        const uint32_t *ranks = candidates_named(e, action, i, &count);
        for (size_t k = 0; k < count; k++) {
            const struct ranked_rule *row = &program->rules[ranks[k]];
            if (row->is_allow != 0 && row->name < *best && rule_is_about(e, row))
                *best = row->name;
        }
    }
}

/* Rules whose workload roles the caller lacks come last in the order of the ruling, and
 * lack all the same thing: of them the first by name is the closest. */
static void strangers_explain(struct evaluation *e, struct nearest *nearest)
{
    const struct program *program = e->program;
    uint32_t best = UINT32_MAX;
    action_explain(e, (uint32_t)program->model->action_count, &best);
    for (size_t i = 0; i < e->action_count; i++)
        action_explain(e, e->actions[i].action, &best);
    if (best != UINT32_MAX)
        rule_explain(e, &program->rules[program->by_name[best]], nearest);
}

/* False when there were no candidates and there are none for other users either. */
static bool has_more_candidates(const struct evaluation *e)
{
    bool has_more = e->has_candidates;
    for (size_t w = 0; w < e->program->role_words && !has_more; w++)
        has_more = (e->program->user_role_bits[w] & ~e->wanted[w]) != 0;
    return has_more;
}

/* False: out of memory. */
static bool candidates_explain(struct evaluation *e, struct nearest *nearest)
{
    UNINITIALISED struct candidates candidates;
    uint32_t rank = 0;
    if (!has_more_candidates(e))
        return true;
    if (!candidates_open(e, true, &candidates))
        return false;
    while (candidates_next(&candidates, &rank))
        if (e->program->rules[rank].is_allow != 0)
            rule_explain(e, &e->program->rules[rank], nearest);
    return true;
}

static void default_deny(struct evaluation *e, struct decision *out)
{
    struct nearest nearest = {0};
    if (!candidates_explain(e, &nearest)) {
        answer_refuse(REASON_INTERNAL, out);
        return;
    }
    if (nearest.stage <= STAGE_WORKLOAD)
        strangers_explain(e, &nearest);
    answer_describe(&e->inquiry, nearest.rule ? nearest.parts.found : NULL, out);
    explain_default(&e->inquiry, &nearest, out);
}

static void answer(struct evaluation *e, const struct selection *selection, struct decision *out)
{
    const struct chosen *by = &selection->by;
    if (selection->outcome == OUTCOME_NONE) {
        default_deny(e, out);
        return;
    }
    const struct rule *rule = rule_of(e, by->row);
    out->audit = selection->audit;
    answer_describe(&e->inquiry, by->found, out);
    answer_purpose(&e->inquiry, rule, out);
    if (selection->outcome == OUTCOME_DENY) {
        answer_deny(rule, out);
    } else if (selection->outcome == OUTCOME_ALLOW) {
        answer_allow(&e->inquiry, rule, by->found, &e->program->removals[by->row->removals], out);
    } else {
        const struct assurance *wanted =
            rule->effect == RULE_ALLOW ? rule->terms->assurance : rule->terms->unless_assurance;
        answer_challenge(&e->inquiry, rule, wanted, out);
        out->missing = explain_assurance(&e->inquiry, wanted, by->assurance.missing);
    }
}

void program_decide(const struct program *program, const struct facts *facts, struct arena *scratch,
                    struct decision *out)
{
    *out = (struct decision){.audit = AUDIT_SUMMARY};
    UNINITIALISED struct evaluation e;
    struct selection selection = {.tier = UINT32_MAX};
    enum reason reason = evaluation_open(&e, program, facts, scratch);
    out->path = e.inquiry.path.path;
    out->action = evaluation_action(&e);
    if (reason == REASON_NONE && !select_rule(&e, &selection))
        reason = REASON_INTERNAL;
    if (reason != REASON_NONE)
        answer_refuse(reason, out);
    else
        answer(&e, &selection, out);
    out->candidate_tests = e.tests;
}

void policy_decide(const struct policy *policy, const struct facts *facts, struct arena *scratch, struct decision *out)
{
    program_decide(policy->program, facts, scratch, out);
}
