/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_internal.h"

struct walk {
    void (*each)(void *context, struct view name);
    void *context;
};

static void walk_condition(const struct walk *walk, const struct condition *condition)
{
    if (condition == NULL)
        return;
    if (condition->kind == CONDITION_HEADER)
        walk->each(walk->context, condition->name);
    for (size_t i = 0; i < condition->child_count; i++) /* depth is bounded by the loader */
        walk_condition(walk, &condition->children[i]);
}

static void walk_obligations(const struct walk *walk, const struct obligation_set *set)
{
    for (size_t i = 0; i < set->request_header_count; i++)
        walk->each(walk->context, set->request_headers[i].name);
    for (size_t i = 0; i < set->remove_headers.count; i++)
        walk->each(walk->context, set->remove_headers.items[i]);
}

static void walk_rule(const struct walk *walk, const struct rule *rule)
{
    if (rule->terms->purpose->is_demanded && !rule->terms->purpose->is_claim)
        walk->each(walk->context, rule->terms->purpose->header);
    walk_condition(walk, rule->when);
    walk_condition(walk, rule->terms->unless);
    walk_obligations(walk, rule->terms->obligations);
}

void policy_headers(const struct policy *policy, void (*each)(void *context, struct view name), void *context)
{
    struct walk walk = {.each = each, .context = context};
    const struct model *model = &policy->model;
    for (size_t i = 0; i < model->rule_count; i++)
        walk_rule(&walk, &model->rules[i]);
    for (size_t i = 0; i < model->type_count; i++)
        for (size_t j = 0; j < model->types[i].id_count; j++)
            if (model->types[i].ids[j].kind == ID_HEADER)
                each(context, model->types[i].ids[j].name);
}

void policy_settable_headers(const struct policy *policy, void (*each)(void *context, struct view name), void *context)
{
    const struct model *model = &policy->model;
    for (size_t i = 0; i < model->rule_count; i++)
        for (size_t k = 0; k < model->rules[i].terms->obligations->request_header_count; k++)
            each(context, model->rules[i].terms->obligations->request_headers[k].name);
}

const struct view *policy_settable_queries(const struct policy *policy, size_t *count)
{
    *count = policy->model.settable_queries.count;
    return policy->model.settable_queries.items;
}
