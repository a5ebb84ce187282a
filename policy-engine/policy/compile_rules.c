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
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->is_found - b->is_found; /* an action that a rule names twice: who must be asked comes first, and counts */
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
    const struct obligation_set *set = rule->terms->obligations;
    bool is_allow = rule->effect == RULE_ALLOW;
    bool is_filled = has_templates(set->request_headers, set->request_header_count) ||
                     has_templates(set->response_headers, set->response_header_count) ||
                     has_templates(set->metadata, set->metadata_count) ||
                     has_templates(set->query_params, set->query_param_count);
    unsigned parts = 0;
    parts |= rule->subjects->workload_demand != WORKLOAD_UNCONSTRAINED ? RULE_WORKLOAD : 0;
    parts |= rule->subjects->workload_demand == WORKLOAD_ROLES ? RULE_WORKLOAD_ROLES : 0;
    parts |= rule->subjects->workload_demand == WORKLOAD_ANY ? RULE_WORKLOAD_ANY : 0;
    parts |= rule->subjects->user_demand != USER_UNCONSTRAINED ? RULE_USER : 0;
    parts |= rule->subjects->user_demand == USER_ROLES ? RULE_USER_ROLES : 0;
    parts |= rule->has_resources ? RULE_RESOURCES : 0;
    if (rule->subjects->delegation == DELEGATION_NONE)
        parts |= RULE_NO_DELEGATION;
    else if (rule->subjects->delegation != DELEGATION_UNCONSTRAINED)
        parts |= RULE_DELEGATION;
    parts |= rule->terms->purpose->is_demanded ? RULE_PURPOSE : 0;
    parts |= rule->when || rule->terms->unless ? RULE_CONDITIONS : 0;
    parts |= (is_allow ? rule->terms->assurance : rule->terms->unless_assurance) ? RULE_ASSURANCE : 0;
    parts |= is_filled ? RULE_TEMPLATES : 0;
    return (uint16_t)parts;
}

/* A rule to be sorted by its name: most are told apart without a look at their bytes. */
struct name_key {
    uint64_t head; /* of the name, behind what all names begin with */
    const struct rule *rule;
};

static int name_compare(const void *left, const void *right)
{
    const struct name_key *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return view_compare(a->rule->name, b->rule->name);
}

static void names_sort(const struct model *model, struct name_key *keys)
{
    size_t common = model->rule_count > 0 ? model->rules[0].name.size : 0;
    for (size_t i = 1; i < model->rule_count; i++)
        common = view_common(model->rules[0].name, model->rules[i].name, common);
    for (size_t i = 0; i < model->rule_count; i++)
        keys[i] = (struct name_key){.head = view_head(model->rules[i].name, common), .rule = &model->rules[i]};
    qsort(keys, model->rule_count, sizeof *keys, name_compare);
}

/* Smaller is earlier. */
static size_t tier_of(const struct ranked_rule *ranked)
{
    return (size_t)(15 - ranked->priority) * 2 + ranked->is_allow;
}

static bool has_removals(const struct rule *rule)
{
    return rule->terms->obligations->request_header_count + rule->terms->obligations->remove_headers.count > 0;
}

/* Before its name and its removals are known: `removals` says whether it has some of its own. */
static struct ranked_rule ranked_of(const struct rule *rule)
{
    bool is_one = rule->subjects->workload_demand == WORKLOAD_ROLES && rule->subjects->workload_role_count == 1;
    bool is_allow = rule->effect == RULE_ALLOW;
    return (struct ranked_rule){.rule = (uint32_t)rule->index,
                                .role = is_one ? (uint32_t)rule->subjects->workload_roles[0]->index : NO_INDEX,
                                .removals = is_allow && has_removals(rule),
                                .parts = parts_of(rule),
                                .is_allow = is_allow,
                                .priority = (uint8_t)rule->priority,
                                .audit = (uint8_t)rule->terms->obligations->audit};
}

/* Most rules set nothing and share the first list. */
static enum err removals_of(struct compiler *c, const struct rule *rule, struct string_list *lists, uint32_t *out)
{
    TRY(answer_removals(rule, &lists[0], c->arena, &lists[c->program->removal_count]));
    *out = (uint32_t)c->program->removal_count++;
    return ERR_NONE;
}

static size_t own_removals(const struct model *model)
{
    size_t count = 0;
    for (size_t r = 0; r < model->rule_count; r++)
        count += has_removals(&model->rules[r]);
    return count;
}

/* What is known of each rule without the others, in the order of the model; counts[t + 1] is how many tier t has. */
static void rules_survey(struct compiler *c, struct ranked_rule *out, size_t *counts)
{
    for (size_t i = 0; i < c->model->rule_count; i++) {
        out[i] = ranked_of(&c->model->rules[i]);
        counts[tier_of(&out[i]) + 1]++;
        if (out[i].audit > c->program->highest_audit)
            c->program->highest_audit = out[i].audit;
    }
}

static enum err ranks_build(struct compiler *c)
{
    size_t count = c->model->rule_count, starts[TIERS + 1] = {0};
    struct name_key *names = arena_take_array(&c->work, count + 1, sizeof *names);
    struct ranked_rule *surveyed = arena_take_array(&c->work, count + 1, sizeof *surveyed);
    struct ranked_rule *rules = arena_take_array(c->arena, count, sizeof *rules);
    uint32_t *by_name = arena_take_array(c->arena, count, sizeof *by_name);
    struct string_list *removals = arena_take_array(c->arena, own_removals(c->model) + 1, sizeof *removals);
    c->ranks = arena_take_array(&c->kept, count + 1, sizeof *c->ranks);
    if (!names || !surveyed || !rules || !by_name || !removals || !c->ranks)
        return ERR_NO_MEMORY;
    TRY(answer_settable(c->model, c->arena, &removals[0]));
    c->program->removal_count = 1;
    rules_survey(c, surveyed, starts);
    for (size_t t = 0; t < TIERS; t++)
        starts[t + 1] += starts[t];
    names_sort(c->model, names);
    for (uint32_t name = 0; name < count; name++) {
        size_t rule = (size_t)(names[name].rule - c->model->rules);
        uint32_t rank = (uint32_t)starts[tier_of(&surveyed[rule])]++;
        rules[rank] = surveyed[rule];
        rules[rank].name = name;
        if (rules[rank].removals)
            TRY(removals_of(c, names[name].rule, removals, &rules[rank].removals));
        by_name[name] = rank;
        c->ranks[rule] = rank;
    }
    c->program->rules = rules;
    c->program->by_name = by_name;
    c->program->removals = removals;
    return ERR_NONE;
}

/* ---- where a rule stands --------------------------------------------------- */

/* The i-th role whose list `rule` stands in under one action, or NO_INDEX. */
static uint32_t rule_key(const struct rule *rule, size_t i)
{
    if (rule->subjects->workload_demand == WORKLOAD_ROLES)
        return (uint32_t)rule->subjects->workload_roles[i]->index;
    return rule->subjects->user_demand == USER_ROLES ? (uint32_t)rule->subjects->user_roles[i]->index : NO_INDEX;
}

static size_t rule_key_count(const struct rule *rule)
{
    if (rule->subjects->workload_demand == WORKLOAD_ROLES)
        return rule->subjects->workload_role_count;
    return rule->subjects->user_demand == USER_ROLES ? rule->subjects->user_role_count : 1;
}

static size_t rule_action_count(const struct rule *rule)
{
    return rule->action_count == 0 ? 1 : rule->action_count;
}

static enum err actions_list(struct compiler *c)
{
    const struct model *model = c->model;
    size_t count = 0;
    for (size_t r = 0; r < model->rule_count; r++)
        count += rule_action_count(&model->rules[r]);
    if (count >= UINT32_MAX)
        return ERR_LIMIT;
    c->action_starts = arena_take_array(&c->kept, model->rule_count + 1, sizeof *c->action_starts);
    c->actions = arena_take_array(&c->kept, count + 1, sizeof *c->actions);
    c->is_found = arena_take_array(&c->kept, count + 1, sizeof *c->is_found);
    if (!c->action_starts || !c->actions || !c->is_found)
        return ERR_NO_MEMORY;
    uint32_t at = 0;
    for (size_t r = 0; r < model->rule_count; r++) {
        const struct rule *rule = &model->rules[r];
        c->action_starts[r] = at;
        if (rule->action_count == 0)
            c->actions[at++] = (uint32_t)model->action_count;
        for (size_t a = 0; a < rule->action_count; a++)
            c->actions[at++] = rule->actions[a]->index;
    }
    c->action_starts[model->rule_count] = at;
    return ERR_NONE;
}

/* ---- rules by resource id -------------------------------------------------- */

static bool has_few_ids(const struct rule *rule)
{
    for (size_t i = 0; i < rule->resources->id_count && i < INDEXED_IDS_MAX; i++)
        if (rule->resources->ids[i].is_prefix)
            return false;
    return rule->has_resources && rule->resources->id_count > 0 && rule->resources->id_count <= INDEXED_IDS_MAX;
}

/* Whether program.ids finds the rule at `rank` under `action`. */
static bool *found_at(const struct compiler *c, uint32_t rank, uint32_t action)
{
    uint32_t at = c->action_starts[c->program->rules[rank].rule];
    while (c->actions[at] != action)
        at++;
    return &c->is_found[at];
}

static size_t ids_collect(struct compiler *c, struct multimap_pair *pairs)
{
    size_t count = 0;
    for (size_t r = 0; r < c->model->rule_count; r++) {
        const struct rule *rule = &c->model->rules[r];
        if (!has_few_ids(rule))
            continue;
        for (uint32_t a = c->action_starts[r]; a < c->action_starts[r + 1]; a++) {
            c->is_found[a] = true;
            for (size_t i = 0; i < rule->resources->id_count; i++)
                pairs[count++] = (struct multimap_pair){
                    .space = c->actions[a], .key = rule->resources->ids[i].text, .value = c->ranks[r]};
        }
    }
    return count;
}

/* Marks the rules of an id that many name; true when there are such. `pairs` are sorted. */
static bool many_mark(struct compiler *c, const struct multimap_pair *pairs, size_t count)
{
    bool is_any = false;
    for (size_t i = 0, end = 0; i < count; i = end) {
        end = i + 1;
        while (end < count && pairs[end].space == pairs[i].space && view_equals(pairs[end].key, pairs[i].key))
            end++;
        for (size_t k = i; end - i > INDEXED_RULES_OF_ID_MAX && k < end; k++)
            *found_at(c, pairs[k].value, pairs[k].space) = false;
        is_any = is_any || end - i > INDEXED_RULES_OF_ID_MAX;
    }
    return is_any;
}

static enum err ids_build(struct compiler *c)
{
    const struct model *model = c->model;
    size_t most = 0, kept = 0;
    for (size_t r = 0; r < model->rule_count; r++)
        most += has_few_ids(&model->rules[r])
                    ? model->rules[r].resources->id_count * rule_action_count(&model->rules[r])
                    : 0;
    struct multimap_pair *pairs = arena_take_array(&c->work, most + 1, sizeof *pairs);
    if (!pairs)
        return ERR_NO_MEMORY;
    size_t count = ids_collect(c, pairs);
    TRY(multimap_sort(pairs, &count));
    if (!many_mark(c, pairs, count))
        return multimap_build(pairs, count, c->arena, &c->program->ids);
    for (size_t i = 0; i < count; i++)
        if (*found_at(c, pairs[i].value, pairs[i].space))
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
        size_t times = by_name ? rule->effect == RULE_ALLOW : rule_key_count(rule);
        for (uint32_t a = c->action_starts[r]; a < c->action_starts[r + 1]; a++)
            start[c->actions[a] + 2] += times;
    }
    for (size_t a = 1; a < model->action_count + 3; a++)
        start[a] += start[a - 1];
    *out = start;
    return ERR_NONE;
}

/* The lists that a rule stands in under one action, which the rule itself is asked for only where it must be. */
static size_t keys_count(const struct compiler *c, const struct ranked_rule *ranked)
{
    bool has_roles = (ranked->parts & (RULE_WORKLOAD_ROLES | RULE_USER_ROLES)) != 0;
    return ranked->role != NO_INDEX || !has_roles ? 1 : rule_key_count(&c->model->rules[ranked->rule]);
}

static uint32_t key_at(const struct compiler *c, const struct ranked_rule *ranked, size_t count, size_t i)
{
    bool has_roles = (ranked->parts & (RULE_WORKLOAD_ROLES | RULE_USER_ROLES)) != 0;
    return count == 1 && (ranked->role != NO_INDEX || !has_roles) ? ranked->role
                                                                  : rule_key(&c->model->rules[ranked->rule], i);
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
        const struct ranked_rule *ranked = &c->program->rules[by_name ? c->program->by_name[i] : i];
        size_t keys = by_name ? ranked->is_allow : keys_count(c, ranked);
        for (uint32_t a = c->action_starts[ranked->rule]; a < c->action_starts[ranked->rule + 1]; a++)
            for (size_t k = 0; k < keys; k++)
                pairs[start[c->actions[a] + 1]++] = (struct number_pair){
                    .list = by_name ? NO_INDEX : key_at(c, ranked, keys, k), .number = i, .is_found = c->is_found[a]};
    }
    *out = pairs;
    return ERR_NONE;
}

/* Ranks come in their order: where an action has the rules of one role, nothing is to be sorted. */
static void pairs_sort(struct number_pair *pairs, size_t count)
{
    size_t i = 1;
    while (i < count && number_pair_compare(&pairs[i - 1], &pairs[i]) <= 0)
        i++;
    if (i < count)
        qsort(pairs, count, sizeof *pairs, number_pair_compare);
}

static enum err roles_build(struct compiler *c, struct action_rules *actions)
{
    size_t count = c->model->action_count + 1, *starts = NULL, list_count = 0, at = 0;
    struct number_pair *pairs = NULL;
    TRY(pairs_build(c, false, &pairs, &starts));
    for (size_t a = 0; a < count; a++) {
        pairs_sort(pairs + starts[a], starts[a + 1] - starts[a]);
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
    arena_free(&compiler->work);
    TRY(actions_list(compiler));
    TRY(ids_build(compiler));
    arena_free(&compiler->work);
    TRY(roles_build(compiler, actions));
    arena_free(&compiler->work);
    TRY(allows_build(compiler, actions));
    compiler->program->actions = actions;
    return ERR_NONE;
}
