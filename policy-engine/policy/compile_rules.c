/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks, and the lists of rules by action, role and resource id. */
#include "answer.h"
#include "program_internal.h"

#include <stdlib.h>

enum { INDEXED_IDS_MAX = 8, INDEXED_RULES_OF_ID_MAX = 16, TIERS = 32 };

/* A number to be put into a list, and whether program.ids finds its rule. */
struct number_pair {
    uint32_t list;
    uint32_t number;
    bool is_found;
};

static int number_pair_compare(const void *left, const void *right)
{
    const struct number_pair *a = left, *b = right;
    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* ---- ranks --------------------------------------------------------------- */

static bool has_templates(const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++)
            if (templates[i].value.parts[k].kind != TEMPLATE_TEXT)
                return true;
    return false;
}

static uint16_t parts_of(const struct rule *rule)
{
    const struct obligation_set *set = rule->obligations;
    bool is_allow = rule->effect == RULE_ALLOW;
    bool is_filled = has_templates(set->request_headers, set->request_header_count) ||
                     has_templates(set->response_headers, set->response_header_count) ||
                     has_templates(set->metadata, set->metadata_count) ||
                     has_templates(set->query_params, set->query_param_count);
    unsigned parts = 0;
    parts |= rule->workload_demand != WORKLOAD_UNCONSTRAINED ? RULE_WORKLOAD : 0;
    parts |= rule->workload_demand == WORKLOAD_ROLES ? RULE_WORKLOAD_ROLES : 0;
    parts |= rule->workload_demand == WORKLOAD_ANY ? RULE_WORKLOAD_ANY : 0;
    parts |= rule->user_demand != USER_UNCONSTRAINED ? RULE_USER : 0;
    parts |= rule->user_demand == USER_ROLES ? RULE_USER_ROLES : 0;
    parts |= rule->has_resources ? RULE_RESOURCES : 0;
    if (rule->delegation == DELEGATION_NONE)
        parts |= RULE_NO_DELEGATION;
    else if (rule->delegation != DELEGATION_UNCONSTRAINED)
        parts |= RULE_DELEGATION;
    parts |= rule->purpose->is_demanded ? RULE_PURPOSE : 0;
    parts |= rule->when || rule->unless ? RULE_CONDITIONS : 0;
    parts |= (is_allow ? rule->assurance : rule->unless_assurance) ? RULE_ASSURANCE : 0;
    parts |= is_filled ? RULE_TEMPLATES : 0;
    return (uint16_t)parts;
}

static int name_compare(const void *left, const void *right)
{
    return view_compare((*(const struct rule *const *)left)->name, (*(const struct rule *const *)right)->name);
}

/* Smaller is earlier. */
static size_t tier_of(const struct rule *rule)
{
    return (size_t)(15 - rule->priority) * 2 + (rule->effect == RULE_DENY ? 0 : 1);
}

static struct ranked_rule ranked_of(const struct rule *rule, uint32_t name, uint32_t removals)
{
    bool is_one = rule->workload_demand == WORKLOAD_ROLES && rule->workload_role_count == 1;
    return (struct ranked_rule){.rule = (uint32_t)rule->index,
                                .name = name,
                                .role = is_one ? (uint32_t)rule->workload_roles[0]->index : NO_INDEX,
                                .removals = removals,
                                .parts = parts_of(rule),
                                .is_allow = rule->effect == RULE_ALLOW,
                                .priority = (uint8_t)rule->priority,
                                .audit = (uint8_t)rule->obligations->audit};
}

/* Most rules set nothing and share the first list. */
static enum err removals_of(struct compiler *c, const struct rule *rule, struct string_list *lists, uint32_t *out)
{
    *out = 0;
    if (rule->effect != RULE_ALLOW ||
        rule->obligations->request_header_count + rule->obligations->remove_headers.count == 0)
        return ERR_NONE;
    TRY(answer_removals(rule, &lists[0], c->arena, &lists[c->program->removal_count]));
    *out = (uint32_t)c->program->removal_count++;
    return ERR_NONE;
}

static size_t own_removals(const struct model *model)
{
    size_t count = 0;
    for (size_t r = 0; r < model->rule_count; r++)
        count +=
            model->rules[r].obligations->request_header_count + model->rules[r].obligations->remove_headers.count > 0;
    return count;
}

static enum err ranks_build(struct compiler *c)
{
    size_t count = c->model->rule_count, starts[TIERS + 1] = {0};
    const struct rule **named = arena_take_array(&c->work, count + 1, sizeof *named);
    struct ranked_rule *rules = arena_take_array(c->arena, count, sizeof *rules);
    uint32_t *by_name = arena_take_array(c->arena, count, sizeof *by_name);
    struct string_list *removals = arena_take_array(c->arena, own_removals(c->model) + 1, sizeof *removals);
    if (!named || !rules || !by_name || !removals)
        return ERR_NO_MEMORY;
    TRY(answer_settable(c->model, c->arena, &removals[0]));
    c->program->removal_count = 1;
    for (size_t i = 0; i < count; i++) {
        named[i] = &c->model->rules[i];
        starts[tier_of(named[i]) + 1]++;
        if (named[i]->obligations->audit > c->program->highest_audit)
            c->program->highest_audit = named[i]->obligations->audit;
    }
    for (size_t t = 0; t < TIERS; t++)
        starts[t + 1] += starts[t];
    qsort(named, count, sizeof *named, name_compare);
    for (uint32_t name = 0; name < count; name++) {
        uint32_t own = 0, rank = (uint32_t)starts[tier_of(named[name])]++;
        TRY(removals_of(c, named[name], removals, &own));
        rules[rank] = ranked_of(named[name], name, own);
        by_name[name] = rank;
    }
    c->program->rules = rules;
    c->program->by_name = by_name;
    c->program->removals = removals;
    return ERR_NONE;
}

static const struct rule *rule_at(const struct compiler *c, uint32_t rank)
{
    return &c->model->rules[c->program->rules[rank].rule];
}

/* ---- where a rule stands --------------------------------------------------- */

/* The i-th role whose list `rule` stands in under one action, or NO_INDEX. */
static uint32_t rule_key(const struct rule *rule, size_t i)
{
    if (rule->workload_demand == WORKLOAD_ROLES)
        return (uint32_t)rule->workload_roles[i]->index;
    return rule->user_demand == USER_ROLES ? (uint32_t)rule->user_roles[i]->index : NO_INDEX;
}

static size_t rule_key_count(const struct rule *rule)
{
    if (rule->workload_demand == WORKLOAD_ROLES)
        return rule->workload_role_count;
    return rule->user_demand == USER_ROLES ? rule->user_role_count : 1;
}

static size_t rule_action(const struct model *model, const struct rule *rule, size_t i)
{
    return rule->action_count == 0 ? model->action_count : rule->actions[i]->index;
}

static size_t rule_action_count(const struct rule *rule)
{
    return rule->action_count == 0 ? 1 : rule->action_count;
}

/* ---- rules by resource id -------------------------------------------------- */

static bool has_few_ids(const struct rule *rule)
{
    for (size_t i = 0; i < rule->id_count && i < INDEXED_IDS_MAX; i++)
        if (rule->ids[i].is_prefix)
            return false;
    return rule->has_resources && rule->id_count > 0 && rule->id_count <= INDEXED_IDS_MAX;
}

/* True when program.ids finds the rule under this action. */
static bool is_indexed(const struct compiler *c, size_t action, const struct rule *rule)
{
    if (!has_few_ids(rule))
        return false;
    for (size_t i = 0; i < rule->id_count; i++) {
        size_t count = 0;
        (void)multimap_find(&c->ids, (uint32_t)action, rule->ids[i].text, &count);
        if (count == 0 || count > INDEXED_RULES_OF_ID_MAX)
            return false;
    }
    return true;
}

static enum err ids_build(struct compiler *c)
{
    const struct model *model = c->model;
    size_t most = 0, count = 0, kept = 0;
    for (size_t r = 0; r < model->rule_count; r++)
        most += has_few_ids(&model->rules[r]) ? model->rules[r].id_count * rule_action_count(&model->rules[r]) : 0;
    struct multimap_pair *pairs = arena_take_array(&c->work, most + 1, sizeof *pairs);
    if (!pairs)
        return ERR_NO_MEMORY;
    for (uint32_t rank = 0; rank < model->rule_count; rank++) {
        const struct rule *rule = rule_at(c, rank);
        for (size_t a = 0; has_few_ids(rule) && a < rule_action_count(rule); a++)
            for (size_t i = 0; i < rule->id_count; i++)
                pairs[count++] = (struct multimap_pair){
                    .space = (uint32_t)rule_action(model, rule, a), .key = rule->ids[i].text, .value = rank};
    }
    TRY(multimap_build(pairs, count, &c->work, &c->ids));
    for (size_t i = 0; i < count; i++)
        if (is_indexed(c, pairs[i].space, rule_at(c, pairs[i].value)))
            pairs[kept++] = pairs[i];
    return multimap_build(pairs, kept, c->arena, &c->program->ids);
}

/* ---- lists ----------------------------------------------------------------- */

/* The list of pairs[0 .. count), which are sorted. */
static enum err list_build(struct compiler *c, const struct number_pair *pairs, size_t count, struct rule_list *out)
{
    struct number_pool *pool = &c->numbers;
    *out = (struct rule_list){.first = (uint32_t)pool->count};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && pairs[i].number == pairs[i - 1].number)
            continue;
        TRY(number_add(pool, pairs[i].number));
        out->count++;
        out->rest += !pairs[i].is_found;
    }
    if (out->count == 1) {
        pool->count--;
        out->first = pairs[0].number;
    }
    if (out->count <= 1 || out->rest == 0 || out->rest == out->count)
        return ERR_NONE;
    for (size_t i = 0; i < count; i++)
        if (!pairs[i].is_found && (i == 0 || pairs[i].number != pairs[i - 1].number))
            TRY(number_add(pool, pairs[i].number));
    return ERR_NONE;
}

static size_t list_end(const struct number_pair *pairs, size_t count, size_t from)
{
    size_t to = from;
    while (to < count && pairs[to].list == pairs[from].list)
        to++;
    return to;
}

/* How many numbers each action has, as where they start. */
static enum err starts_build(struct compiler *c, bool by_name, size_t **out)
{
    const struct model *model = c->model;
    size_t *start = arena_take_array(&c->work, model->action_count + 3, sizeof *start);
    if (!start)
        return ERR_NO_MEMORY;
    for (size_t r = 0; r < model->rule_count; r++) {
        const struct rule *rule = &model->rules[r];
        for (size_t a = 0; a < rule_action_count(rule) && (!by_name || rule->effect == RULE_ALLOW); a++)
            start[rule_action(model, rule, a) + 2] += by_name ? 1 : rule_key_count(rule);
    }
    for (size_t a = 1; a < model->action_count + 3; a++)
        start[a] += start[a - 1];
    *out = start;
    return ERR_NONE;
}

/* The rules under every action, grouped by action in *starts: of each role, or (`by_name`) all allows. */
static enum err pairs_build(struct compiler *c, bool by_name, struct number_pair **out, size_t **starts)
{
    const struct model *model = c->model;
    TRY(starts_build(c, by_name, starts));
    size_t *start = *starts;
    struct number_pair *pairs = arena_take_array(&c->work, start[model->action_count + 2] + 1, sizeof *pairs);
    if (!pairs)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = rule_at(c, by_name ? c->program->by_name[i] : i);
        for (size_t a = 0; a < rule_action_count(rule) && (!by_name || rule->effect == RULE_ALLOW); a++) {
            size_t action = rule_action(model, rule, a);
            bool is_found = is_indexed(c, action, rule);
            for (size_t k = 0; k < (by_name ? 1 : rule_key_count(rule)); k++)
                pairs[start[action + 1]++] = (struct number_pair){
                    .list = by_name ? NO_INDEX : rule_key(rule, k), .number = i, .is_found = is_found};
        }
    }
    *out = pairs;
    return ERR_NONE;
}

static enum err roles_build(struct compiler *c, struct action_rules *actions)
{
    size_t count = c->model->action_count + 1, *starts = NULL, list_count = 0, at = 0;
    struct number_pair *pairs = NULL;
    TRY(pairs_build(c, false, &pairs, &starts));
    for (size_t a = 0; a < count; a++) {
        qsort(pairs + starts[a], starts[a + 1] - starts[a], sizeof *pairs, number_pair_compare);
        for (size_t i = starts[a]; i < starts[a + 1]; i = list_end(pairs, starts[a + 1], i))
            list_count++;
    }
    struct role_rules *lists = arena_take_array(c->arena, list_count, sizeof *lists);
    if (!lists)
        return ERR_NO_MEMORY;
    for (size_t a = 0; a < count; a++) {
        actions[a].lists = (uint32_t)at;
        for (size_t i = starts[a], end = 0; i < starts[a + 1]; i = end, at++) {
            end = list_end(pairs, starts[a + 1], i);
            lists[at].role = pairs[i].list;
            TRY(list_build(c, pairs + i, end - i, &lists[at].ranks));
        }
    }
    actions[count].lists = (uint32_t)at;
    c->program->lists = lists;
    return ERR_NONE;
}

static enum err allows_build(struct compiler *c, struct action_rules *actions)
{
    size_t *starts = NULL;
    struct number_pair *pairs = NULL;
    TRY(pairs_build(c, true, &pairs, &starts));
    for (size_t a = 0; a <= c->model->action_count; a++)
        TRY(list_build(c, pairs + starts[a], starts[a + 1] - starts[a], &actions[a].allows));
    return ERR_NONE;
}

enum err compile_rules(struct compiler *compiler)
{
    struct action_rules *actions =
        arena_take_array(compiler->arena, compiler->model->action_count + 2, sizeof *actions);
    if (!actions)
        return ERR_NO_MEMORY;
    TRY(ranks_build(compiler));
    TRY(ids_build(compiler));
    TRY(roles_build(compiler, actions));
    TRY(allows_build(compiler, actions));
    compiler->program->actions = actions;
    return ERR_NONE;
}
