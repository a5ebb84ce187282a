/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled evaluation: the same semantics as interpret.c, by index and lazily.
 *
 * Rules come in rank order out of the few lists that the request's actions and the
 * caller's roles select, so the first deny of a tier, or its first met allow, is the
 * one with the smallest name, and evaluation stops there; only rules that would
 * raise the audit level are still looked at. */
#include "answer.h"
#include "explain.h"
#include "match.h"
#include "policy_internal.h"
#include "program_internal.h"

/* An action that the request is, or cannot be told not to be. */
struct matched_action {
    uint32_t action;
    enum tri fits;
};

/* What the id sources of one type gave so far (S11). */
struct type_state {
    struct view id;
    bool is_on_host;
    bool is_found;
    bool is_unknown;
};

struct head {
    const uint32_t *at, *end;
};

struct evaluation {
    const struct program *program;
    struct inquiry inquiry;
    struct matched_action *actions;
    size_t action_count, action_room;
    struct type_state *types;
    uint64_t *held;  /* roles that the caller holds */
    uint64_t *maybe; /* user roles that cannot be judged */
    bool is_out_of_memory;
    bool is_unreadable; /* the body that a matching operation depends on */
    bool slash_is_data;
    bool is_ambiguous;
    bool is_every_id_known; /* of the resources found */
    uint32_t tests;
};

static bool bit_of(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* ---- operations ---------------------------------------------------------- */

static void id_add(struct evaluation *e, size_t type, struct view id)
{
    struct type_state *state = &e->types[type];
    if (!state->is_on_host || !view_is_present(id))
        return;
    if (!match_is_plain_id(id)) {
        state->is_unknown = true;
        return;
    }
    if (state->is_found && !view_equals(state->id, id))
        e->is_ambiguous = true;
    state->is_found = true;
    state->id = id;
}

static void action_add(struct evaluation *e, uint32_t action, enum tri fits)
{
    for (size_t i = 0; i < e->action_count; i++)
        if (e->actions[i].action == action) {
            e->actions[i].fits = tri_or(e->actions[i].fits, fits);
            return;
        }
    if (e->action_count == e->action_room) {
        size_t room = e->action_room == 0 ? 8 : 2 * e->action_room;
        struct matched_action *actions = arena_take_array(e->inquiry.scratch, room, sizeof *actions);
        if (!actions) {
            e->is_out_of_memory = true;
            return;
        }
        if (e->action_count > 0)
            memcpy(actions, e->actions, e->action_count * sizeof *actions);
        e->actions = actions;
        e->action_room = room;
    }
    e->actions[e->action_count++] = (struct matched_action){.action = action, .fits = fits};
}

/* The path fits already. */
static void entry_add(struct evaluation *e, const struct operation_entry *entry)
{
    const struct operation *operation = entry->operation;
    const struct inquiry *inquiry = &e->inquiry;
    if (operation->methods.count > 0 && !match_string(&operation->methods, inquiry->facts->method))
        return;
    if (!match_hosts(operation->hosts, operation->host_count, inquiry->host, inquiry->port))
        return;
    if (inquiry->facts->body.state == BODY_UNREADABLE && inquiry_needs_body(inquiry, operation))
        e->is_unreadable = true;
    enum tri fits = inquiry_operation(inquiry, operation);
    if (fits == TRI_FALSE)
        return;
    action_add(e, entry->action, fits);
    if (fits != TRI_TRUE)
        return;
    e->slash_is_data = true;
    for (uint32_t i = 0; i < entry->capture_count; i++) {
        struct view segment = inquiry->segments[entry->captures[i].segment];
        id_add(e, entry->captures[i].type, view_slice(segment, 0, segment.size - entry->captures[i].suffix));
    }
}

static void entries_add(struct evaluation *e, const struct operation_entry *entry)
{
    for (; entry; entry = entry->next)
        entry_add(e, entry);
}

/* `{name}:verb`: what follows the last colon, with something before it. */
static void verbs_add(struct evaluation *e, uint32_t node, struct view segment)
{
    size_t colon = segment.size;
    while (colon > 0 && segment.data[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return;
    size_t count = 0;
    const uint32_t *entries = multimap_find(&e->program->verbs, node, view_slice(segment, colon, segment.size), &count);
    for (size_t i = 0; i < count; i++)
        entry_add(e, &e->program->entries[entries[i]]);
}

/* Visits each node of the trie at most once, to a depth of PATH_SEGMENTS_MAX. */
static void trie_walk(struct evaluation *e, uint32_t index, size_t depth)
{
    const struct trie_node *node = &e->program->nodes[index];
    size_t count = e->inquiry.path.segment_count, found = 0;
    entries_add(e, node->rests);
    if (depth == count) {
        entries_add(e, node->ends);
        return;
    }
    struct view segment = e->inquiry.segments[depth];
    for (const struct operation_entry *entry = depth + 1 == count ? node->prefixes : NULL; entry; entry = entry->next)
        if (segment.size > 0 && view_starts_with(segment, entry->operation->method))
            entry_add(e, entry);
    const uint32_t *child = multimap_find(&e->program->literals, index, segment, &found);
    if (found > 0)
        trie_walk(e, *child, depth + 1);
    if (node->open == 0 || segment.size == 0)
        return;
    if (depth + 1 == count)
        verbs_add(e, node->open, segment);
    trie_walk(e, node->open, depth + 1);
}

static struct view action_name(const struct evaluation *e)
{
    size_t best = e->program->model->action_count;
    for (size_t i = 0; i < e->action_count; i++)
        if (e->actions[i].fits == TRI_TRUE && e->actions[i].action < best)
            best = e->actions[i].action;
    return best < e->program->model->action_count ? e->program->model->actions[best].name : (struct view){0};
}

/* ---- resources ----------------------------------------------------------- */

static enum reason types_open(struct evaluation *e)
{
    const struct model *model = e->program->model;
    e->types = arena_take_array(e->inquiry.scratch, model->type_count + 1, sizeof *e->types);
    if (!e->types)
        return REASON_INTERNAL;
    for (size_t t = 0; t < model->type_count; t++)
        e->types[t].is_on_host =
            match_hosts(model->types[t].hosts, model->types[t].host_count, e->inquiry.host, e->inquiry.port);
    return REASON_NONE;
}

/* Every source but the path, whose ids came with the operations. */
static void source_add(struct evaluation *e, size_t type, const struct id_source *source)
{
    const struct facts *facts = e->inquiry.facts;
    bool has_body = facts->body.state == BODY_READ;
    const struct pair *header = NULL;
    switch (source->kind) {
    case ID_PATH: break;
    case ID_BODY_MODEL: id_add(e, type, has_body ? facts->body.model : (struct view){0}); break;
    case ID_BODY_TOOL: id_add(e, type, has_body ? facts->body.tool : (struct view){0}); break;
    case ID_LITERAL: id_add(e, type, source->name); break;
    case ID_HEADER:
        header = facts_header(facts, source->name);
        if (header && header->is_repeated)
            e->types[type].is_unknown = true;
        else
            id_add(e, type, header ? header->value : (struct view){0});
        break;
    }
}

static const struct resource *entry_find(const struct program *program, size_t type, struct view id)
{
    size_t count = 0;
    const uint32_t *hit = multimap_find(&program->resources, (uint32_t)(2 * type), id, &count);
    const struct number_list *lengths = &program->prefix_lengths[type];
    for (uint32_t i = 0; count == 0 && i < lengths->count; i++)
        if (lengths->items[i] <= id.size)
            hit = multimap_find(&program->resources, (uint32_t)(2 * type + 1), view_slice(id, 0, lengths->items[i]),
                                &count);
    return count > 0 ? &program->model->resources[*hit] : NULL;
}

static enum reason resources_open(struct evaluation *e)
{
    const struct model *model = e->program->model;
    size_t on_host = 0, named = 0, count = 0;
    for (size_t t = 0; t < model->type_count; t++) {
        for (size_t i = 0; e->types[t].is_on_host && i < model->types[t].id_count; i++)
            source_add(e, t, &model->types[t].ids[i]);
        on_host += e->types[t].is_on_host;
        named += e->types[t].is_found || e->types[t].is_unknown;
    }
    if (e->is_ambiguous)
        return REASON_RESOURCE_AMBIGUOUS;
    struct found_resource *list = arena_take_array(e->inquiry.scratch, on_host + 1, sizeof *list);
    if (!list)
        return REASON_INTERNAL;
    for (size_t t = 0; t < model->type_count; t++) {
        const struct type_state *state = &e->types[t];
        if (!state->is_on_host || (named > 0 && !state->is_found && !state->is_unknown))
            continue;
        struct found_resource *found = &list[count++];
        *found = (struct found_resource){.type = &model->types[t], .is_known = state->is_found && !state->is_unknown};
        if (found->is_known) {
            found->id = state->id;
            found->entry = entry_find(e->program, t, state->id);
        }
    }
    e->is_every_id_known = true;
    for (size_t i = 0; i < count; i++)
        e->is_every_id_known = e->is_every_id_known && list[i].is_known;
    e->inquiry.resources = list;
    e->inquiry.resource_count = count;
    return REASON_NONE;
}

/* ---- roles --------------------------------------------------------------- */

static void role_add(uint64_t *bits, const struct role *role)
{
    for (size_t i = 0; i < role->held_count; i++)
        bits[role->held[i]->index / 64] |= (uint64_t)1 << (role->held[i]->index % 64);
}

static void workloads_test(struct evaluation *e, const uint32_t *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct workload_member *member = &e->program->workloads[members[i]];
        if (match_workload(member->selector, &e->inquiry.facts->workload))
            role_add(e->held, member->role);
    }
}

/* N of an ID `spiffe://domain/ns/N…`, or the absent view. */
static struct view namespace_of(struct view spiffe_id)
{
    static const struct view scheme = {.data = "spiffe://", .size = 9};
    if (!view_starts_with(spiffe_id, scheme))
        return (struct view){0};
    size_t start = view_index_of(spiffe_id, '/', scheme.size);
    if (!view_starts_with(view_slice(spiffe_id, start, spiffe_id.size), VIEW("/ns/")))
        return (struct view){0};
    return view_slice(spiffe_id, start + 4, view_index_of(spiffe_id, '/', start + 4));
}

static void workload_roles_find(struct evaluation *e)
{
    const struct program *program = e->program;
    const struct workload_facts *workload = &e->inquiry.facts->workload;
    if (workload->proof == PROOF_NONE || !view_is_present(workload->spiffe_id))
        return;
    size_t count = 0;
    const uint32_t *members = multimap_find(&program->workload_index, SPACE_ID, workload->spiffe_id, &count);
    workloads_test(e, members, count);
    struct view name = namespace_of(workload->spiffe_id);
    if (view_is_present(name)) {
        members = multimap_find(&program->workload_index, SPACE_NAMESPACE, name, &count);
        workloads_test(e, members, count);
    }
    workloads_test(e, program->workload_scan.items, program->workload_scan.count);
}

static void users_test(struct evaluation *e, const uint32_t *members, size_t count)
{
    const struct inquiry *inquiry = &e->inquiry;
    for (size_t i = 0; i < count; i++) {
        const struct user_member *member = &e->program->users[members[i]];
        enum tri fits = match_user(member->selector, inquiry->model, &inquiry->facts->user, inquiry->issuer);
        if (fits != TRI_FALSE)
            role_add(fits == TRI_TRUE ? e->held : e->maybe, member->role);
    }
}

struct group_search {
    struct evaluation *e;
    uint32_t group;
    bool is_odd; /* a value that equality cannot be looked up for: test all members */
};

static void value_lookup(struct group_search *search, struct view value)
{
    size_t count = 0;
    const uint32_t *members = multimap_find(&search->e->program->user_index, search->group, value, &count);
    users_test(search->e, members, count);
}

static bool group_value(void *context, const struct value *value)
{
    struct group_search *search = context;
    const struct value *items = value->kind == VALUE_LIST ? value->items : value;
    size_t count = value->kind == VALUE_LIST ? value->count : 1;
    if (value->kind == VALUE_LIST && count > search->e->program->model->max_groups)
        search->is_odd = true;
    for (size_t i = 0; i < count && !search->is_odd; i++) {
        bool is_scalar = items[i].kind == VALUE_STRING || items[i].kind == VALUE_NUMBER || items[i].kind == VALUE_BOOL;
        search->is_odd = !is_scalar;
        if (is_scalar)
            value_lookup(search, items[i].text);
    }
    return !search->is_odd;
}

static void user_roles_find(struct evaluation *e)
{
    const struct program *program = e->program;
    const struct user_facts *user = &e->inquiry.facts->user;
    if (user->state == USER_ABSENT)
        return;
    if (user->state != USER_KNOWN) {
        memcpy(e->maybe, program->user_role_bits, program->role_words * sizeof *e->maybe);
        return;
    }
    for (uint32_t g = 0; g < program->group_count; g++) {
        const struct user_group *group = &program->groups[g];
        struct group_search search = {.e = e, .group = g};
        if (group->issuer != e->inquiry.issuer)
            continue;
        if (!group->path)
            value_lookup(&search, user->subject);
        else if (!match_walk(group->path, user->claims, true, group_value, &search))
            search.is_odd = true;
        if (search.is_odd)
            users_test(e, group->members.items, group->members.count);
    }
    users_test(e, program->user_scan.items, program->user_scan.count);
}

static enum reason roles_open(struct evaluation *e)
{
    size_t words = e->program->role_words + 1;
    e->held = arena_take_array(e->inquiry.scratch, words, sizeof *e->held);
    e->maybe = arena_take_array(e->inquiry.scratch, words, sizeof *e->maybe);
    if (!e->held || !e->maybe)
        return REASON_INTERNAL;
    workload_roles_find(e);
    user_roles_find(e);
    return REASON_NONE;
}

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
    for (size_t i = 0; i < rule->workload_role_count && !holds; i++)
        holds = bit_of(e->held, rule->workload_roles[i]->index);
    return inquiry_workload_demand(&e->inquiry, rule, holds);
}

static enum tri user_part(const struct evaluation *e, const struct rule *rule)
{
    enum tri holds = TRI_FALSE;
    for (size_t i = 0; i < rule->user_role_count && holds != TRI_TRUE; i++) {
        size_t role = rule->user_roles[i]->index;
        holds = tri_or(holds, bit_of(e->held, role) ? TRI_TRUE : bit_of(e->maybe, role) ? TRI_UNKNOWN : TRI_FALSE);
    }
    return inquiry_user_demand(&e->inquiry, rule, holds);
}

/* Cheap tests first; what is false stays false. */
static struct rule_result rule_test(struct evaluation *e, const struct rule *rule, const struct found_resource **found)
{
    const struct inquiry *inquiry = &e->inquiry;
    e->tests++;
    *found = NULL;
    enum tri match = tri_and(operation_part(e, rule), workload_part(e, rule));
    if (match != TRI_FALSE)
        match = tri_and(match, user_part(e, rule));
    if (match != TRI_FALSE)
        match = tri_and(match, inquiry_resource(inquiry, rule, found));
    if (match != TRI_FALSE)
        match = tri_and(match, inquiry_delegation(inquiry, rule));
    if (match != TRI_FALSE)
        match = tri_and(match, inquiry_purpose(inquiry, rule));
    if (match != TRI_FALSE)
        match = tri_and(match, inquiry_conditions(inquiry, rule));
    return inquiry_outcome(inquiry, rule, match, *found);
}

/* ---- candidates in rank order -------------------------------------------- */

struct candidates {
    struct head *heads;
    size_t count;
};

static bool head_add(struct candidates *candidates, size_t room, const uint32_t *items, size_t count)
{
    if (count == 0)
        return true;
    if (candidates->count == room)
        return false;
    candidates->heads[candidates->count++] = (struct head){.at = items, .end = items + count};
    return true;
}

/* What program.ids leaves of a list, when it can be asked. */
static struct number_list list_of(const struct evaluation *e, const struct rule_list *list)
{
    bool is_whole = !e->is_every_id_known || list->rest == list->count;
    return is_whole ? (struct number_list){.items = list->items, .count = list->count}
                    : (struct number_list){.items = list->items + list->count, .count = list->rest};
}

/* The rules of an action that name the i-th resource. */
static const uint32_t *named_rules(const struct evaluation *e, uint32_t action, size_t i, size_t *count)
{
    return multimap_find(&e->program->ids, action, e->inquiry.resources[i].id, count);
}

/* The roles whose rules are wanted, by the words of their bits that are not zero. */
struct role_words {
    const uint64_t *bits; /* of each word in `at` */
    const uint32_t *at;
    size_t count;
};

/* `all_users`: also rules for users that this one is not, for the explanation. */
static bool role_words_open(const struct evaluation *e, bool all_users, struct role_words *out)
{
    size_t words = e->program->role_words;
    uint64_t *bits = arena_take_array(e->inquiry.scratch, words + 1, sizeof *bits);
    uint32_t *at = arena_take_array(e->inquiry.scratch, words + 1, sizeof *at);
    if (!bits || !at)
        return false;
    *out = (struct role_words){.bits = bits, .at = at};
    for (uint32_t w = 0; w < words; w++) {
        bits[out->count] = e->held[w] | e->maybe[w] | (all_users ? e->program->user_role_bits[w] : 0);
        at[out->count] = w;
        out->count += bits[out->count] != 0;
    }
    return true;
}

/* At most so many lists of one action. */
static size_t action_list_count(const struct evaluation *e, const struct action_rules *rules,
                                const struct role_words *roles)
{
    size_t count = 1 + e->inquiry.resource_count;
    for (size_t i = 0; rules->role_count > 0 && i < roles->count; i++)
        count += (size_t)__builtin_popcountll(rules->role_bits[roles->at[i]] & roles->bits[i]);
    return count;
}

static bool action_lists_add(const struct evaluation *e, uint32_t action, const struct role_words *roles,
                             struct candidates *candidates, size_t room)
{
    const struct action_rules *rules = &e->program->actions[action];
    struct number_list list = list_of(e, &rules->open);
    bool fits = head_add(candidates, room, list.items, list.count);
    for (size_t i = 0; e->is_every_id_known && i < e->inquiry.resource_count; i++) {
        size_t count = 0;
        const uint32_t *items = named_rules(e, action, i, &count);
        fits = head_add(candidates, room, items, count) && fits;
    }
    for (size_t i = 0; rules->role_count > 0 && i < roles->count; i++) {
        uint64_t word = rules->role_bits[roles->at[i]];
        for (uint64_t rest = word & roles->bits[i]; rest != 0; rest &= rest - 1) {
            uint64_t below = (rest & -rest) - 1;
            size_t at = rules->roles_before[roles->at[i]] + (size_t)__builtin_popcountll(word & below);
            list = list_of(e, &rules->by_role[at]);
            fits = head_add(candidates, room, list.items, list.count) && fits;
        }
    }
    return fits;
}

static bool candidates_open(struct evaluation *e, bool all_users, struct candidates *out)
{
    uint32_t every = (uint32_t)e->program->model->action_count;
    struct role_words roles;
    if (!role_words_open(e, all_users, &roles))
        return false;
    size_t room = action_list_count(e, &e->program->actions[every], &roles);
    for (size_t i = 0; i < e->action_count; i++)
        room += action_list_count(e, &e->program->actions[e->actions[i].action], &roles);
    *out = (struct candidates){.heads = arena_take_array(e->inquiry.scratch, room + 1, sizeof *out->heads)};
    if (!out->heads)
        return false;
    bool fits = action_lists_add(e, every, &roles, out, room);
    for (size_t i = 0; i < e->action_count; i++)
        fits = action_lists_add(e, e->actions[i].action, &roles, out, room) && fits;
    return fits;
}

/* The next rank over all lists, each rank once; false at the end. */
static bool candidates_next(struct candidates *candidates, uint32_t *rank)
{
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->heads[i].at < candidates->heads[i].end && *candidates->heads[i].at < best)
            best = *candidates->heads[i].at;
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->heads[i].at < candidates->heads[i].end && *candidates->heads[i].at == best)
            candidates->heads[i].at++;
    *rank = best;
    return best != UINT32_MAX;
}

/* ---- the choice (S3, S4) ------------------------------------------------- */

struct chosen {
    const struct ranked_rule *ranked;
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
    bool is_asked = selection->asking.ranked != NULL;
    selection->outcome = outcome == OUTCOME_DENY || !is_asked ? outcome : OUTCOME_ASK;
    selection->by = is_asked ? selection->asking : *by;
}

/* No deny stands in the tier and no allow is met: a challenge decides. */
static void tier_close(struct selection *selection)
{
    if (selection->outcome == OUTCOME_NONE && selection->challenge.ranked)
        selection_decide(selection, OUTCOME_CHALLENGE, &selection->challenge);
}

static void selection_take(struct selection *selection, enum outcome outcome, const struct chosen *own)
{
    switch (outcome) {
    case OUTCOME_NONE: return;
    case OUTCOME_DENY:
    case OUTCOME_ALLOW: selection_decide(selection, outcome, own); return;
    case OUTCOME_ASK:
        if (!selection->asking.ranked)
            selection->asking = *own;
        return;
    case OUTCOME_CHALLENGE:
        if (!selection->challenge.ranked ||
            __builtin_popcount(own->assurance.missing) < __builtin_popcount(selection->challenge.assurance.missing))
            selection->challenge = *own;
        return;
    }
}

static bool select_rule(struct evaluation *e, struct selection *selection)
{
    struct candidates candidates;
    uint32_t rank = 0;
    if (!candidates_open(e, false, &candidates))
        return false;
    while (candidates_next(&candidates, &rank)) {
        struct chosen own = {.ranked = &e->program->rules[rank]};
        const struct rule *rule = own.ranked->rule;
        if (rule->priority != selection->tier)
            tier_close(selection);
        selection->tier = rule->priority;
        if (selection->outcome != OUTCOME_NONE && rule->obligations.audit <= selection->audit) {
            if (selection->audit == e->program->highest_audit)
                break;
            continue;
        }
        struct rule_result result = rule_test(e, rule, &own.found);
        if (result.outcome == OUTCOME_NONE)
            continue;
        if (rule->obligations.audit > selection->audit)
            selection->audit = rule->obligations.audit;
        own.assurance = result.assurance;
        if (selection->outcome == OUTCOME_NONE)
            selection_take(selection, result.outcome, &own);
    }
    tier_close(selection);
    if (selection->outcome == OUTCOME_NONE && selection->asking.ranked)
        selection_decide(selection, OUTCOME_DENY, &selection->asking);
    return true;
}

/* ---- the answer ---------------------------------------------------------- */

static void rule_explain(struct evaluation *e, const struct rule *rule, struct nearest *nearest)
{
    struct rule_parts parts = {
        .operation = operation_part(e, rule), .workload = workload_part(e, rule), .user = user_part(e, rule)};
    e->tests++;
    parts.resource = inquiry_resource(&e->inquiry, rule, &parts.found);
    explain_consider(&e->inquiry, rule, &parts, nearest);
}

/* Rules whose workload roles the caller lacks come last in the order of the
 * ruling: of each action only the first by name can be the closest. */
static void action_explain(struct evaluation *e, uint32_t action, struct nearest *nearest)
{
    const struct number_list allows = list_of(e, &e->program->actions[action].allows);
    struct nearest first = {0};
    for (uint32_t i = 0; i < allows.count && !first.rule; i++)
        rule_explain(e, e->program->rules[allows.items[i]].rule, &first);
    if (first.rule)
        explain_consider(&e->inquiry, first.rule, &first.parts, nearest);
    for (size_t i = 0; e->is_every_id_known && i < e->inquiry.resource_count; i++) {
        size_t count = 0;
        const uint32_t *named = named_rules(e, action, i, &count);
        for (size_t k = 0; k < count; k++)
            rule_explain(e, e->program->rules[named[k]].rule, nearest);
    }
}

static void default_deny(struct evaluation *e, struct decision *out)
{
    struct nearest nearest = {0};
    struct candidates candidates;
    uint32_t rank = 0;
    if (!candidates_open(e, true, &candidates)) {
        answer_refuse(REASON_INTERNAL, out);
        return;
    }
    while (candidates_next(&candidates, &rank))
        if (e->program->rules[rank].rule->effect == RULE_ALLOW)
            rule_explain(e, e->program->rules[rank].rule, &nearest);
    if (nearest.stage <= STAGE_WORKLOAD) {
        action_explain(e, (uint32_t)e->program->model->action_count, &nearest);
        for (size_t i = 0; i < e->action_count; i++)
            action_explain(e, e->actions[i].action, &nearest);
    }
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
    const struct rule *rule = by->ranked->rule;
    out->audit = selection->audit;
    answer_describe(&e->inquiry, by->found, out);
    answer_purpose(&e->inquiry, rule, out);
    if (selection->outcome == OUTCOME_DENY) {
        answer_deny(rule, out);
    } else if (selection->outcome == OUTCOME_ALLOW) {
        answer_allow(&e->inquiry, rule, by->found, &by->ranked->removals, out);
    } else {
        const struct assurance *wanted = rule->effect == RULE_ALLOW ? rule->assurance : rule->unless_assurance;
        answer_challenge(&e->inquiry, rule, wanted, out);
        out->missing = explain_assurance(&e->inquiry, wanted, by->assurance.missing);
    }
}

static enum reason request_open(struct evaluation *e, const struct facts *facts, struct arena *scratch,
                                struct decision *out)
{
    enum reason reason = inquiry_open(&e->inquiry, e->program->model, facts, scratch);
    out->path = e->inquiry.path.path;
    if (reason == REASON_NONE)
        reason = types_open(e);
    if (reason != REASON_NONE)
        return reason;
    e->slash_is_data = e->inquiry.slashes == 0;
    trie_walk(e, 0, 0);
    out->action = action_name(e);
    if (e->is_out_of_memory)
        return REASON_INTERNAL;
    if (e->is_unreadable)
        return REASON_REQUEST_BODY;
    if (!e->slash_is_data)
        return REASON_REQUEST_PATH;
    reason = resources_open(e);
    return reason == REASON_NONE ? roles_open(e) : reason;
}

void program_decide(const struct program *program, const struct facts *facts, struct arena *scratch,
                    struct decision *out)
{
    *out = (struct decision){.audit = AUDIT_SUMMARY};
    struct evaluation e = {.program = program};
    struct selection selection = {.tier = UINT32_MAX};
    enum reason reason = request_open(&e, facts, scratch, out);
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
