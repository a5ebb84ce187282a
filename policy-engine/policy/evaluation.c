/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluation.h"

#include "match.h"

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

static void action_add(struct evaluation *e, uint32_t action, bool is_only, enum tri fits)
{
    for (size_t i = 0; !is_only && i < e->action_count; i++)
        if (e->actions[i].action == action) {
            e->actions[i].fits = tri_or(e->actions[i].fits, fits);
            return;
        }
    __builtin_prefetch(&e->program->actions[action]);
    if (e->action_count == e->action_room) {
        size_t room = 2 * e->action_room;
        struct matched_action *actions = arena_take_array(e->inquiry.scratch, room, sizeof *actions);
        if (!actions) {
            e->is_out_of_memory = true;
            return;
        }
        memcpy(actions, e->actions, e->action_count * sizeof *actions);
        e->actions = actions;
        e->action_room = room;
    }
    e->actions[e->action_count++] = (struct matched_action){.action = action, .fits = fits};
}

static const struct operation *operation_of(const struct evaluation *e, uint32_t action, uint32_t operation)
{
    return &e->program->model->actions[action].operations[operation];
}

/* Many operations that fit one path have one shape: it is looked at once. */
static const struct operation_shape *shape_open(struct evaluation *e, uint32_t index)
{
    const struct operation_shape *shape = &e->program->shapes[index];
    if (e->shape == index)
        return shape;
    const struct operation *operation = operation_of(e, shape->action, shape->operation);
    const struct inquiry *inquiry = &e->inquiry;
    e->shape = index;
    e->shape_is_captured = false;
    e->shape_fits = (operation->methods.count == 0 || match_string(&operation->methods, inquiry->facts->method)) &&
                    match_hosts(operation->hosts, operation->host_count, inquiry->host, inquiry->port);
    return shape;
}

static void captures_add(struct evaluation *e, const struct operation_shape *shape)
{
    const struct id_capture *captures = e->program->captures + shape->captures;
    e->slash_is_data = true;
    for (uint32_t i = 0; i < shape->capture_count && !e->shape_is_captured; i++) {
        struct view segment = e->inquiry.segments[captures[i].segment];
        id_add(e, captures[i].type, view_slice(segment, 0, segment.size - captures[i].suffix));
    }
    e->shape_is_captured = true;
}

/* The path fits already. */
static void entry_add(struct evaluation *e, const struct operation_entry *entry)
{
    const struct inquiry *inquiry = &e->inquiry;
    const struct operation_shape *shape = shape_open(e, entry->shape);
    const struct operation *operation = operation_of(e, entry->action, entry->operation);
    if (!e->shape_fits)
        return;
    if (inquiry->facts->body.state == BODY_UNREADABLE && (shape->parts & (OPERATION_CALL | OPERATION_BODY)) != 0 &&
        inquiry_needs_body(inquiry, operation))
        e->is_unreadable = true;
    bool is_plain = inquiry->slashes == 0 && (shape->parts & (OPERATION_CALL | OPERATION_QUERIES)) == 0;
    enum tri fits = is_plain ? TRI_TRUE : inquiry_operation(inquiry, operation);
    if (fits == TRI_FALSE)
        return;
    action_add(e, entry->action, entry->is_only != 0, fits);
    if (fits == TRI_TRUE)
        captures_add(e, shape);
}

/* `{name}:verb`: what follows the last colon, with something before it. */
static void verbs_add(struct evaluation *e, uint32_t node, struct view segment)
{
    size_t colon = e->program->verbs.slot_count > 0 ? segment.size : 0;
    while (colon > 0 && segment.data[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return;
    size_t count = 0;
    const uint32_t *entries = multimap_find(&e->program->verbs, node, view_slice(segment, colon, segment.size), &count);
    for (size_t i = 0; i < count; i++)
        entry_add(e, &e->program->entries[entries[i]]);
}

/* Nodes of one depth that the path so far leads to. */
struct frontier {
    uint32_t *nodes;
    size_t count, room;
};

static void node_push(struct evaluation *e, struct frontier *frontier, uint32_t node)
{
    __builtin_prefetch(&e->program->nodes[node]);
    if (frontier->count == frontier->room) {
        uint32_t *nodes = arena_take_array(e->inquiry.scratch, 2 * frontier->room, sizeof *nodes);
        if (!nodes) {
            e->is_out_of_memory = true;
            return;
        }
        memcpy(nodes, frontier->nodes, frontier->count * sizeof *nodes);
        frontier->nodes = nodes;
        frontier->room *= 2;
    }
    frontier->nodes[frontier->count++] = node;
}

/* The number of a word, or NO_INDEX. */
static uint32_t word_of(const struct evaluation *e, struct view segment)
{
    size_t count = 0;
    const uint32_t *word = multimap_find(&e->program->words, 0, segment, &count);
    return count > 0 ? *word : NO_INDEX;
}

/* The child of `node` for a word, or 0. */
static uint32_t child_find(const struct evaluation *e, const struct trie_node *node, uint32_t word)
{
    const struct trie_edge *edges = e->program->edges + node->edges;
    uint32_t size = node[1].edges - node->edges, at = edge_place(word, size);
    for (uint32_t i = 0; i < size; i++) {
        const struct trie_edge *edge = &edges[(at + i) & (size - 1)];
        if (edge->word == word || edge->child == 0)
            return edge->child;
    }
    return 0;
}

/* What ends at a node that is `depth` segments deep, or takes the rest from there on. */
static void entries_add(struct evaluation *e, const struct trie_node *node, size_t depth)
{
    const struct operation_entry *entry = e->program->entries + node->entry, *end = e->program->entries + node[1].entry;
    size_t count = e->inquiry.path.segment_count;
    struct view segment = depth + 1 == count ? e->inquiry.segments[depth] : (struct view){0};
    for (; entry < end && entry->place == PLACE_REST; entry++)
        entry_add(e, entry);
    for (; entry < end && entry->place == PLACE_PREFIX; entry++)
        if (segment.size > 0 &&
            view_starts_with(segment, operation_of(e, entry->action, entry->operation)->grpc->method))
            entry_add(e, entry);
    for (; depth == count && entry < end && entry->place == PLACE_END; entry++)
        entry_add(e, entry);
}

/* The literal children for a segment of all nodes of `here`. */
static void literals_push(struct evaluation *e, const struct frontier *here, struct view segment, struct frontier *next)
{
    uint32_t word = 0;
    bool has_word = false;
    for (size_t i = 0; i < here->count && word != NO_INDEX; i++) {
        const struct trie_node *node = &e->program->nodes[here->nodes[i]];
        if (node[1].edges == node->edges)
            continue;
        word = has_word ? word : word_of(e, segment);
        has_word = true;
        uint32_t child = word == NO_INDEX ? 0 : child_find(e, node, word);
        if (child != 0)
            node_push(e, next, child);
    }
}

static void opens_push(struct evaluation *e, const struct frontier *here, size_t depth, struct frontier *next)
{
    struct view segment = e->inquiry.segments[depth];
    for (size_t i = 0; i < here->count && segment.size > 0; i++) {
        uint32_t open = e->program->nodes[here->nodes[i]].open;
        if (open == 0)
            continue;
        if (depth + 1 == e->inquiry.path.segment_count)
            verbs_add(e, open, segment);
        node_push(e, next, open);
    }
}

/* Visits each node of the trie at most once, to a depth of PATH_SEGMENTS_MAX. */
static void trie_walk(struct evaluation *e)
{
    struct frontier here = {.nodes = e->own_nodes[0], .room = NODES_INLINE};
    struct frontier next = {.nodes = e->own_nodes[1], .room = NODES_INLINE};
    here.nodes[here.count++] = 0;
    for (size_t depth = 0; here.count > 0; depth++) {
        for (size_t i = 0; i < here.count; i++) {
            const struct trie_node *node = &e->program->nodes[here.nodes[i]];
            if (node->entry != node[1].entry)
                entries_add(e, node, depth);
        }
        if (depth == e->inquiry.path.segment_count)
            return;
        struct frontier other = here;
        next.count = 0;
        literals_push(e, &here, e->inquiry.segments[depth], &next);
        opens_push(e, &here, depth, &next);
        here = next;
        next = other;
    }
}

struct view evaluation_action(const struct evaluation *evaluation)
{
    const struct evaluation *e = evaluation;
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
    const struct range *lengths = &program->prefix_lengths[type];
    for (uint32_t i = 0; count == 0 && i < lengths->count; i++) {
        uint32_t length = program->numbers[lengths->first + i];
        if (length <= id.size)
            hit = multimap_find(&program->resources, (uint32_t)(2 * type + 1), view_slice(id, 0, length), &count);
    }
    if (count == 0)
        return NULL;
    __builtin_prefetch(&program->model->resources[*hit]);
    return &program->model->resources[*hit];
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
    e->first_known = count > 0 && list[0].is_known ? list : NULL;
    e->inquiry.resources = list;
    e->inquiry.resource_count = count;
    return REASON_NONE;
}

/* ---- roles --------------------------------------------------------------- */

static void role_add(const struct program *program, uint64_t *bits, uint32_t role)
{
    for (uint32_t i = program->held_starts[role]; i < program->held_starts[role + 1]; i++)
        bits[program->held[i] / 64] |= (uint64_t)1 << (program->held[i] % 64);
}

/* `is_found`: by a key of theirs. */
static void workloads_test(struct evaluation *e, const uint32_t *members, size_t count, bool is_found)
{
    const struct program *program = e->program;
    for (size_t i = 0; i < count; i++) {
        const struct member *member = &program->workloads[members[i]];
        if ((is_found && member->is_whole != 0) ||
            match_workload(&program->model->roles[member->role].workloads[member->selector],
                           &e->inquiry.facts->workload))
            role_add(program, e->held, member->role);
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
    workloads_test(e, members, count, true);
    struct view name = namespace_of(workload->spiffe_id);
    if (view_is_present(name)) {
        members = multimap_find(&program->workload_index, SPACE_NAMESPACE, name, &count);
        workloads_test(e, members, count, true);
    }
    workloads_test(e, program->numbers + program->workload_scan.first, program->workload_scan.count, false);
}

static void users_test(struct evaluation *e, const uint32_t *members, size_t count, bool is_found)
{
    const struct inquiry *inquiry = &e->inquiry;
    for (size_t i = 0; i < count; i++) {
        const struct member *member = &e->program->users[members[i]];
        enum tri fits = TRI_TRUE;
        if (!is_found || member->is_whole == 0)
            fits = match_user(&inquiry->model->roles[member->role].users[member->selector], inquiry->model,
                              &inquiry->facts->user, inquiry->issuer);
        if (fits != TRI_FALSE)
            role_add(e->program, fits == TRI_TRUE ? e->held : e->maybe, member->role);
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
    users_test(search->e, members, count, true);
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
        if (group->issuer != e->inquiry.issuer->index)
            continue;
        const struct user_selector *selector = &program->model->roles[group->role].users[group->selector];
        if (group->claim == NO_INDEX)
            value_lookup(&search, user->subject);
        else if (!match_walk(&selector->claims[group->claim].path, user->claims, true, group_value, &search))
            search.is_odd = true;
        if (search.is_odd)
            users_test(e, program->numbers + group->members.first, group->members.count, false);
    }
    users_test(e, program->numbers + program->user_scan.first, program->user_scan.count, false);
}

static enum reason roles_open(struct evaluation *e)
{
    size_t words = e->program->role_words;
    e->held = arena_take_array(e->inquiry.scratch, 3 * words, sizeof *e->held);
    if (!e->held)
        return REASON_INTERNAL;
    e->maybe = e->held + words;
    e->wanted = e->maybe + words;
    workload_roles_find(e);
    user_roles_find(e);
    return REASON_NONE;
}

/* ---- the whole ----------------------------------------------------------- */

static void evaluation_clear(struct evaluation *e, const struct program *program)
{
    memset(e, 0, offsetof(struct evaluation, own_actions));
    e->program = program;
    e->actions = e->own_actions;
    e->action_room = ACTIONS_INLINE;
    e->shape = NO_INDEX;
}

/* What the rules need to know of the caller again and again. */
static void caller_open(struct evaluation *e)
{
    const struct facts *facts = e->inquiry.facts;
    e->is_certified = facts->workload.proof == PROOF_CERTIFICATE && view_is_present(facts->workload.spiffe_id);
    e->is_undelegated =
        facts->user.state == USER_ABSENT || (facts->user.state == USER_KNOWN && facts->user.actor_count == 0);
    for (size_t i = 0; i < e->action_count; i++)
        e->is_doubtful = e->is_doubtful || e->actions[i].fits != TRI_TRUE;
}

enum reason evaluation_open(struct evaluation *evaluation, const struct program *program, const struct facts *facts,
                            struct arena *scratch)
{
    struct evaluation *e = evaluation;
    evaluation_clear(e, program);
    enum reason reason = inquiry_open(&e->inquiry, program->model, facts, scratch);
    if (reason == REASON_NONE)
        reason = types_open(e);
    if (reason != REASON_NONE)
        return reason;
    e->slash_is_data = e->inquiry.slashes == 0;
    trie_walk(e);
    if (e->is_out_of_memory)
        return REASON_INTERNAL;
    if (e->is_unreadable)
        return REASON_REQUEST_BODY;
    if (!e->slash_is_data)
        return REASON_REQUEST_PATH;
    for (size_t i = 0; i < e->action_count; i++) /* needed once the roles are known */
        __builtin_prefetch(&program->lists[program->actions[e->actions[i].action].lists]);
    reason = resources_open(e);
    if (reason == REASON_NONE)
        reason = roles_open(e);
    caller_open(e);
    return reason;
}
