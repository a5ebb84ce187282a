/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"
#include "policy_internal.h"

static bool is_platform(struct view owner, const struct view *owners, size_t count)
{
    for (size_t i = 0; i < count && view_is_present(owner); i++)
        if (view_equals(owners[i], owner))
            return true;
    return false;
}

static void refuse(const struct model *model, const struct rule *rule, struct diag_list *diags)
{
    struct span span = model_span(model, rule->span);
    if (view_is_present(rule->terms->owner))
        diag_error(diags, code_text(CODE_PLATFORM_PRIORITY), &span,
                   "`%.*s` has priority %u, and `%.*s` is none of policy.platform_owners", VIEW_ARG(rule->name),
                   rule->priority, VIEW_ARG(rule->terms->owner));
    else
        diag_error(diags, code_text(CODE_PLATFORM_PRIORITY), &span,
                   "`%.*s` has priority %u, and its document has no metadata.owner", VIEW_ARG(rule->name),
                   rule->priority);
}

enum err policy_check_owners(const struct policy *policy, const struct view *owners, size_t count,
                             struct diag_list *diags)
{
    enum err result = ERR_NONE;
    for (size_t i = 0; i < policy->model.rule_count; i++) {
        const struct rule *rule = &policy->model.rules[i];
        if (rule->priority < PLATFORM_PRIORITY || is_platform(rule->terms->owner, owners, count))
            continue;
        refuse(&policy->model, rule, diags);
        result = ERR_INVALID;
    }
    return result;
}
