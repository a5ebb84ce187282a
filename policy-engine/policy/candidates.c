/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluation.h"

enum { LISTS_FEW = 16 };

struct head candidates_list(const struct evaluation *evaluation, const struct rule_list *list)
{
    const uint32_t *numbers = list->count == 1 ? &list->first : evaluation->program->numbers + list->first;
    if (evaluation->is_every_id_known && list->rest != list->count)
        return (struct head){.at = numbers + list->count, .end = numbers + list->count + list->rest};
    return (struct head){.at = numbers, .end = numbers + list->count};
}

const uint32_t *candidates_named(const struct evaluation *evaluation, uint32_t action, size_t i, size_t *count)
{
    return multimap_find(&evaluation->program->ids, action, evaluation->inquiry.resources[i].id, count);
}

static bool heads_grow(const struct evaluation *e, struct candidates *candidates)
{
    size_t room = 2 * candidates->room;
    struct head *heads = arena_take_array(e->inquiry.scratch, room, sizeof *heads);
    if (!heads)
        return false;
    memcpy(heads, candidates->heads, candidates->count * sizeof *heads);
    candidates->heads = heads;
    candidates->room = room;
    return true;
}

static bool head_add(const struct evaluation *e, struct candidates *candidates, struct head head)
{
    if (head.at == head.end)
        return true;
    if (candidates->count == candidates->room && !heads_grow(e, candidates))
        return false;
    __builtin_prefetch(&e->program->rules[*head.at]);
    candidates->heads[candidates->count++] = head;
    return true;
}

static bool list_add(const struct evaluation *e, struct candidates *candidates, const struct role_rules *list)
{
    struct head head = candidates_list(e, &list->ranks);
    head.is_held = list->role != NO_INDEX && bit_of(e->held, list->role);
    return head_add(e, candidates, head);
}

/* The list of `role` among sorted ones, or NULL. */
static const struct role_rules *list_find(const struct role_rules *lists, size_t count, size_t role)
{
    while (count > 0) {
        size_t half = count / 2;
        if (lists[half].role == role)
            return &lists[half];
        if (lists[half].role < role) {
            lists += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return NULL;
}

/* Of many lists those of the roles that are wanted. */
static bool lists_pick(const struct evaluation *e, struct candidates *candidates, const struct role_rules *lists,
                       size_t count)
{
    bool is_good = true;
    if (lists[count - 1].role == NO_INDEX)
        is_good = list_add(e, candidates, &lists[--count]);
    for (size_t w = 0; w < e->program->role_words; w++)
        for (uint64_t rest = e->wanted[w]; rest != 0; rest &= rest - 1) {
            const struct role_rules *list = list_find(lists, count, 64 * w + (size_t)__builtin_ctzll(rest));
            if (list)
                is_good = list_add(e, candidates, list) && is_good;
        }
    return is_good;
}

static bool lists_scan(const struct evaluation *e, struct candidates *candidates, const struct role_rules *lists,
                       size_t count)
{
    bool is_good = true;
    for (size_t i = 0; i < count; i++)
        if (lists[i].role == NO_INDEX || bit_of(e->wanted, lists[i].role))
            is_good = list_add(e, candidates, &lists[i]) && is_good;
    return is_good;
}

static bool action_add(const struct evaluation *e, uint32_t action, struct candidates *candidates)
{
    const struct action_rules *rules = &e->program->actions[action];
    const struct role_rules *lists = e->program->lists + rules->lists;
    size_t count = rules[1].lists - rules->lists;
    bool is_good =
        count <= LISTS_FEW ? lists_scan(e, candidates, lists, count) : lists_pick(e, candidates, lists, count);
    bool has_ids = e->is_every_id_known && e->program->ids.slot_count > 0;
    for (size_t i = 0; has_ids && i < e->inquiry.resource_count; i++) {
        size_t named = 0;
        const uint32_t *ranks = candidates_named(e, action, i, &named);
        is_good = named == 0 || (head_add(e, candidates, (struct head){.at = ranks, .end = ranks + named}) && is_good);
    }
    return is_good;
}

bool candidates_open(struct evaluation *evaluation, bool all_users, struct candidates *out)
{
    const struct program *program = evaluation->program;
    bool is_good = true;
    out->heads = out->own;
    out->count = 0;
    out->room = HEADS_INLINE;
    for (size_t w = 0; w < program->role_words; w++)
        evaluation->wanted[w] =
            evaluation->held[w] | evaluation->maybe[w] | (all_users ? program->user_role_bits[w] : 0);
    for (size_t i = 0; i < evaluation->action_count; i++)
        is_good = action_add(evaluation, evaluation->actions[i].action, out) && is_good;
    return action_add(evaluation, (uint32_t)program->model->action_count, out) && is_good;
}

bool candidates_next(struct candidates *candidates, uint32_t *rank)
{
    struct head *heads = candidates->heads;
    uint32_t best = UINT32_MAX;
    if (candidates->count == 1) {
        *rank = *heads->at++;
        candidates->is_held = heads->is_held;
        candidates->count = heads->at < heads->end;
        return true;
    }
    candidates->is_held = false;
    for (size_t i = 0; i < candidates->count; i++)
        best = *heads[i].at < best ? *heads[i].at : best;
    for (size_t i = 0; i < candidates->count;) {
        bool is_best = *heads[i].at == best;
        candidates->is_held = candidates->is_held || (is_best && heads[i].is_held);
        heads[i].at += is_best;
        if (heads[i].at == heads[i].end)
            heads[i] = heads[--candidates->count];
        else
            i++;
    }
    *rank = best;
    return best != UINT32_MAX;
}
