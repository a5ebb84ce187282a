/* SPDX-License-Identifier: Apache-2.0 */
#include "lint_covers.h"

/* Of two rules that both hold, S3 prefers the higher priority, then deny, then the smaller name. */
static bool is_preferred(const struct rule *broad, const struct rule *narrow)
{
    if (broad->priority != narrow->priority)
        return broad->priority > narrow->priority;
    if (broad->effect != narrow->effect)
        return broad->effect == RULE_DENY;
    return view_compare(broad->name, narrow->name) < 0;
}

/* What could make `rule` not decide though its subjects and actions fit. */
static bool has_demands(const struct rule *rule)
{
    const struct obligation_set *set = rule->terms->obligations;
    return rule->has_resources || rule->terms->assurance || rule->terms->purpose->is_demanded || rule->when ||
           rule->terms->unless || rule->terms->unless_assurance ||
           set->request_header_count + set->response_header_count + set->metadata_count > 0;
}

static bool covers_actions(const struct rule *broad, const struct rule *narrow)
{
    bool all = broad->action_count == 0 || narrow->action_count > 0;
    for (size_t i = 0; broad->action_count > 0 && i < narrow->action_count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < broad->action_count; k++)
            is_there = is_there || broad->actions[k] == narrow->actions[i];
        all = all && is_there;
    }
    return all;
}

static bool covers_roles(const struct role *const *broad, size_t broad_count, const struct role *const *narrow,
                         size_t narrow_count)
{
    for (size_t i = 0; i < narrow_count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < broad_count; k++)
            is_there = is_there || broad[k] == narrow[i];
        if (!is_there)
            return false;
    }
    return true;
}

static bool covers_workload(const struct rule *broad, const struct rule *narrow)
{
    if (broad->subjects->workload_demand == WORKLOAD_UNCONSTRAINED)
        return true;
    if (narrow->subjects->accepts_xfcc_text && !broad->subjects->accepts_xfcc_text)
        return false;
    if (broad->subjects->workload_demand == WORKLOAD_ANY)
        return narrow->subjects->workload_demand != WORKLOAD_UNCONSTRAINED;
    return broad->subjects->workload_demand == WORKLOAD_ROLES && narrow->subjects->workload_demand == WORKLOAD_ROLES &&
           covers_roles(broad->subjects->workload_roles, broad->subjects->workload_role_count,
                        narrow->subjects->workload_roles, narrow->subjects->workload_role_count);
}

static bool covers_user(const struct rule *broad, const struct rule *narrow)
{
    if (broad->subjects->user_demand == USER_UNCONSTRAINED)
        return true;
    if (broad->subjects->user_demand == USER_ANY)
        return narrow->subjects->user_demand == USER_ANY || narrow->subjects->user_demand == USER_ROLES;
    if (broad->subjects->user_demand == USER_NONE)
        return narrow->subjects->user_demand == USER_NONE;
    return narrow->subjects->user_demand == USER_ROLES &&
           covers_roles(broad->subjects->user_roles, broad->subjects->user_role_count, narrow->subjects->user_roles,
                        narrow->subjects->user_role_count);
}

/* What cannot be judged matches a deny and no allow: an allow covers no deny by its subjects or actions. */
static bool covers_unjudged(const struct rule *broad, const struct rule *narrow)
{
    bool is_bare = broad->action_count == 0 && broad->subjects->user_demand == USER_UNCONSTRAINED &&
                   broad->subjects->delegation == DELEGATION_UNCONSTRAINED;
    return broad->effect == RULE_DENY || narrow->effect == RULE_ALLOW || is_bare;
}

bool lint_covers(const struct rule *broad, const struct rule *narrow)
{
    bool covers_delegation = broad->subjects->delegation == DELEGATION_UNCONSTRAINED ||
                             broad->subjects->delegation == narrow->subjects->delegation;
    bool covers_depth =
        broad->subjects->delegation != DELEGATION_PEER || broad->subjects->max_depth >= narrow->subjects->max_depth;
    return broad != narrow && is_preferred(broad, narrow) && !has_demands(broad) && covers_actions(broad, narrow) &&
           covers_workload(broad, narrow) && covers_user(broad, narrow) && covers_delegation && covers_depth &&
           covers_unjudged(broad, narrow);
}
