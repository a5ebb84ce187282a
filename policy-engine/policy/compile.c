/* SPDX-License-Identifier: Apache-2.0 */
/* Model to program: ranks, the operation trie, the lists by action and role, and
 * the indexes of subjects and resources. Nothing is looked at here that the
 * reference interpreter does not look at; only the order differs. */
#include "answer.h"
#include "codes.h"
#include "match.h"
#include "program_internal.h"

#include <stdlib.h>

/* Numbers to be put into lists: (list, number), sorted and split later. */
struct number_pair {
    uint32_t list;
    uint32_t number;
};

static int number_pair_compare(const void *left, const void *right)
{
    const struct number_pair *a = left, *b = right;
    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

enum { INDEXED_IDS_MAX = 8, INDEXED_RULES_OF_ID_MAX = 16 };

struct compiler {
    const struct model *model;
    struct arena *arena; /* of the program */
    struct arena work;   /* freed at the end */
    struct diag_list *diags;
    struct program *program;
    struct multimap ids; /* action, id -> ranks, of every rule that could be found by its ids */
};

/* ---- ranks --------------------------------------------------------------- */

static int rank_compare(const void *left, const void *right)
{
    const struct rule *a = ((const struct ranked_rule *)left)->rule, *b = ((const struct ranked_rule *)right)->rule;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->effect != b->effect)
        return a->effect == RULE_DENY ? -1 : 1;
    return view_compare(a->name, b->name);
}

static enum err ranks_build(struct compiler *c)
{
    size_t count = c->model->rule_count;
    struct ranked_rule *rules = arena_take_array(c->arena, count + 1, sizeof *rules);
    struct string_list settable;
    if (!rules)
        return ERR_NO_MEMORY;
    TRY(answer_settable(c->model, c->arena, &settable));
    for (size_t i = 0; i < count; i++) {
        rules[i].rule = &c->model->rules[i];
        if (rules[i].rule->obligations.audit > c->program->highest_audit)
            c->program->highest_audit = rules[i].rule->obligations.audit;
        if (rules[i].rule->effect == RULE_ALLOW &&
            rules[i].rule->obligations.request_header_count + rules[i].rule->obligations.remove_headers.count == 0)
            rules[i].removals = settable; /* shared: most rules set none */
        else if (rules[i].rule->effect == RULE_ALLOW)
            TRY(answer_removals(rules[i].rule, &settable, c->arena, &rules[i].removals));
    }
    qsort(rules, count, sizeof *rules, rank_compare);
    c->program->rules = rules;
    return ERR_NONE;
}

/* ---- lists by action and role -------------------------------------------- */

/* The i-th list that `rule` stands in under one action: a role's index, or
 * role_count for the open list. */
static size_t rule_key(const struct model *model, const struct rule *rule, size_t i)
{
    if (rule->workload_demand == WORKLOAD_ROLES)
        return rule->workload_roles[i]->index;
    if (rule->user_demand == USER_ROLES)
        return rule->user_roles[i]->index;
    return model->role_count;
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
    for (size_t i = 0; i < rule->id_count; i++)
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
        const struct rule *rule = c->program->rules[rank].rule;
        for (size_t a = 0; has_few_ids(rule) && a < rule_action_count(rule); a++) {
            size_t action = rule_action(model, rule, a);
            for (size_t i = 0; i < rule->id_count; i++)
                pairs[count++] =
                    (struct multimap_pair){.space = (uint32_t)action, .key = rule->ids[i].text, .value = rank};
        }
    }
    TRY(multimap_build(pairs, count, &c->work, &c->ids));
    for (size_t i = 0; i < count; i++)
        if (is_indexed(c, pairs[i].space, c->program->rules[pairs[i].value].rule))
            pairs[kept++] = pairs[i];
    return multimap_build(pairs, kept, c->arena, &c->program->ids);
}

/* The list of `count` numbers, with those that no id finds written behind them. Returns the words it takes. */
static size_t list_close(const struct compiler *c, size_t action, uint32_t *numbers, uint32_t count,
                         struct rule_list *out)
{
    *out = (struct rule_list){.items = numbers, .count = count};
    for (uint32_t i = 0; i < count; i++)
        out->rest += !is_indexed(c, action, c->program->rules[numbers[i]].rule);
    if (out->rest == count)
        return count;
    uint32_t at = count;
    for (uint32_t i = 0; i < count; i++)
        if (!is_indexed(c, action, c->program->rules[numbers[i]].rule))
            numbers[at++] = numbers[i];
    return at;
}

/* The numbers of pairs[from..to), which are of one list, each once. */
static uint32_t list_copy(const struct number_pair *pairs, size_t from, size_t to, uint32_t *numbers)
{
    uint32_t count = 0;
    for (size_t i = from; i < to; i++)
        if (count == 0 || numbers[count - 1] != pairs[i].number)
            numbers[count++] = pairs[i].number;
    return count;
}

static size_t list_end(const struct number_pair *pairs, size_t count, size_t from)
{
    size_t to = from;
    while (to < count && pairs[to].list == pairs[from].list)
        to++;
    return to;
}

/* `pairs` are those of one action, `list` being the role index. */
static enum err action_build(struct compiler *c, size_t action, const struct number_pair *pairs, size_t count,
                             struct action_rules *out)
{
    size_t words = c->program->role_words, roles = 0, rest = 0;
    uint64_t *bits = arena_take_array(c->arena, words + 1, sizeof *bits);
    uint32_t *before = arena_take_array(c->arena, words + 1, sizeof *before);
    for (size_t i = 0; i < count; i = list_end(pairs, count, i))
        roles += pairs[i].list < c->model->role_count;
    for (size_t i = 0; i < count; i++)
        rest += !is_indexed(c, action, c->program->rules[pairs[i].number].rule);
    uint32_t *numbers = arena_take_array(c->arena, count + (rest < count ? rest : 0), sizeof *numbers);
    struct rule_list *lists = arena_take_array(c->arena, roles + 1, sizeof *lists);
    if (!bits || !before || !lists || !numbers)
        return ERR_NO_MEMORY;
    for (size_t i = 0, at = 0, end = 0; i < count; i = end) {
        end = list_end(pairs, count, i);
        bool is_open = pairs[i].list == c->model->role_count;
        if (!is_open)
            bits[pairs[i].list / 64] |= (uint64_t)1 << (pairs[i].list % 64);
        numbers +=
            list_close(c, action, numbers, list_copy(pairs, i, end, numbers), is_open ? &out->open : &lists[at++]);
    }
    for (size_t w = 1; w < words; w++)
        before[w] = before[w - 1] + (uint32_t)__builtin_popcountll(bits[w - 1]);
    out->role_bits = bits;
    out->roles_before = before;
    out->by_role = lists;
    out->role_count = roles;
    return ERR_NONE;
}

/* Pairs of every rule under every action, grouped by action in *starts. */
static enum err action_pairs(struct compiler *c, struct number_pair **out, size_t **starts)
{
    const struct model *model = c->model;
    size_t *start = arena_take_array(&c->work, model->action_count + 3, sizeof *start);
    if (!start)
        return ERR_NO_MEMORY;
    for (size_t r = 0; r < model->rule_count; r++)
        for (size_t a = 0; a < rule_action_count(&model->rules[r]); a++)
            start[rule_action(model, &model->rules[r], a) + 2] += rule_key_count(&model->rules[r]);
    for (size_t a = 1; a < model->action_count + 3; a++)
        start[a] += start[a - 1];
    struct number_pair *pairs = arena_take_array(&c->work, start[model->action_count + 2] + 1, sizeof *pairs);
    if (!pairs)
        return ERR_NO_MEMORY;
    for (uint32_t rank = 0; rank < model->rule_count; rank++) {
        const struct rule *rule = c->program->rules[rank].rule;
        for (size_t a = 0; a < rule_action_count(rule); a++)
            for (size_t k = 0; k < rule_key_count(rule); k++)
                pairs[start[rule_action(model, rule, a) + 1]++] =
                    (struct number_pair){.list = (uint32_t)rule_key(model, rule, k), .number = rank};
    }
    *out = pairs;
    *starts = start;
    return ERR_NONE;
}

/* Every allow rule of each action, by name. */
static enum err allows_build(struct compiler *c, struct action_rules *actions)
{
    const struct model *model = c->model;
    size_t count = model->rule_count;
    struct multimap_pair *named = arena_take_array(&c->work, count + 1, sizeof *named);
    uint32_t **lists = arena_take_array(&c->work, model->action_count + 1, sizeof *lists);
    size_t *room = arena_take_array(&c->work, model->action_count + 1, sizeof *room);
    struct multimap ignored;
    if (!named || !lists || !room)
        return ERR_NO_MEMORY;
    for (uint32_t rank = 0; rank < count; rank++)
        named[rank] = (struct multimap_pair){.key = c->program->rules[rank].rule->name, .value = rank};
    TRY(multimap_build(named, count, &c->work, &ignored)); /* for its order: names are unique */
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = c->program->rules[named[i].value].rule;
        for (size_t a = 0; rule->effect == RULE_ALLOW && a < rule_action_count(rule); a++)
            room[rule_action(model, rule, a)] += is_indexed(c, rule_action(model, rule, a), rule) ? 1 : 2;
    }
    for (size_t a = 0; a <= model->action_count; a++)
        if (!(lists[a] = arena_take_array(c->arena, room[a], sizeof **lists)))
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = c->program->rules[named[i].value].rule;
        for (size_t a = 0; rule->effect == RULE_ALLOW && a < rule_action_count(rule); a++) {
            size_t action = rule_action(model, rule, a);
            lists[action][actions[action].allows.count++] = named[i].value;
        }
    }
    for (size_t a = 0; a <= model->action_count; a++)
        (void)list_close(c, a, lists[a], actions[a].allows.count, &actions[a].allows);
    return ERR_NONE;
}

static enum err actions_build(struct compiler *c)
{
    size_t count = c->model->action_count + 1, *starts = NULL;
    struct number_pair *pairs = NULL;
    struct action_rules *actions = arena_take_array(c->arena, count, sizeof *actions);
    if (!actions)
        return ERR_NO_MEMORY;
    c->program->role_words = (c->model->role_count + 63) / 64;
    TRY(action_pairs(c, &pairs, &starts));
    TRY(ids_build(c));
    for (size_t a = 0; a < count; a++) {
        size_t from = starts[a], to = starts[a + 1];
        qsort(pairs + from, to - from, sizeof *pairs, number_pair_compare);
        TRY(action_build(c, a, pairs + from, to - from, &actions[a]));
    }
    TRY(allows_build(c, actions));
    c->program->actions = actions;
    return ERR_NONE;
}

enum err program_build(const struct model *model, struct arena *arena, struct diag_list *diags, struct program **out)
{
    struct program *program = arena_take(arena, sizeof *program);
    if (!program)
        return ERR_NO_MEMORY;
    program->model = model;
    struct compiler compiler = {.model = model, .arena = arena, .diags = diags, .program = program};
    arena_init(&compiler.work, SIZE_MAX);
    enum err result = ranks_build(&compiler);
    if (result == ERR_NONE)
        result = actions_build(&compiler);
    if (result == ERR_NONE)
        result = compile_operations(model, arena, &compiler.work, diags, program);
    if (result == ERR_NONE)
        result = compile_subjects(model, arena, &compiler.work, program);
    if (result == ERR_NONE)
        result = compile_resources(model, arena, &compiler.work, program);
    arena_free(&compiler.work);
    if (result == ERR_NONE)
        *out = program;
    return result;
}
