/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes that lead from a caller to the few members of roles it can be, and from
 * a resource id to its catalog entry. A member that is found is still tested
 * whole: the index may only ever leave out what cannot match. */
#include "match.h"
#include "program_internal.h"

#include <stdlib.h>

/* What is collected before it is known how long it gets. */
struct pair_sink {
    struct arena *arena;
    struct multimap_pair *items;
    size_t count, room;
};

static enum err pair_add(struct pair_sink *sink, uint32_t space, struct view key, uint32_t value)
{
    if (sink->count == sink->room) {
        size_t room = sink->room == 0 ? 64 : 2 * sink->room;
        struct multimap_pair *items = arena_take_array(sink->arena, room, sizeof *items);
        if (!items)
            return ERR_NO_MEMORY;
        if (sink->count > 0)
            memcpy(items, sink->items, sink->count * sizeof *items);
        sink->items = items;
        sink->room = room;
    }
    sink->items[sink->count++] = (struct multimap_pair){.space = space, .key = key, .value = value};
    return ERR_NONE;
}

/* ---- workloads ----------------------------------------------------------- */

static bool is_literal(struct view text)
{
    return view_index_of(text, '*', 0) == text.size;
}

static bool glob_is_literal(const struct spiffe_glob *glob)
{
    if (glob->has_rest || !view_is_present(glob->trust_domain))
        return false;
    for (size_t i = 0; i < glob->segments.count; i++)
        if (!is_literal(glob->segments.items[i]))
            return false;
    return true;
}

/* `/ns/NAME/…` with a literal NAME, or the absent view. */
static struct view glob_namespace(const struct spiffe_glob *glob)
{
    bool has = glob->segments.count >= 2 && view_equals(glob->segments.items[0], VIEW("ns")) &&
               is_literal(glob->segments.items[1]);
    return has ? glob->segments.items[1] : (struct view){0};
}

/* False when some glob has no key: then the selector must always be tested. */
static bool globs_have_keys(const struct workload_selector *selector)
{
    for (size_t i = 0; i < selector->spiffe_count; i++)
        if (!glob_is_literal(&selector->spiffe[i]) && !view_is_present(glob_namespace(&selector->spiffe[i])))
            return false;
    return selector->spiffe_count > 0;
}

static enum err workload_keys(const struct workload_selector *selector, uint32_t member, struct pair_sink *keys,
                              bool *has_keys)
{
    *has_keys = true;
    if (globs_have_keys(selector)) {
        for (size_t i = 0; i < selector->spiffe_count; i++) {
            const struct spiffe_glob *glob = &selector->spiffe[i];
            bool is_id = glob_is_literal(glob);
            TRY(pair_add(keys, is_id ? SPACE_ID : SPACE_NAMESPACE, is_id ? glob->text : glob_namespace(glob), member));
        }
        return ERR_NONE;
    }
    for (size_t i = 0; i < selector->namespaces.count; i++)
        TRY(pair_add(keys, SPACE_NAMESPACE, selector->namespaces.items[i], member));
    for (size_t i = 0; selector->namespaces.count == 0 && i < selector->service_account_count; i++)
        TRY(pair_add(keys, SPACE_NAMESPACE, selector->service_accounts[i].namespace, member));
    *has_keys = selector->namespaces.count + selector->service_account_count > 0;
    return ERR_NONE;
}

/* Every caller whose ID is a key of the selector fits it. */
static bool workload_is_whole(const struct workload_selector *selector)
{
    bool is_whole = selector->spiffe_count > 0 && selector->trust_domains.count == 0 &&
                    selector->namespaces.count == 0 && selector->service_account_count == 0;
    for (size_t i = 0; i < selector->spiffe_count; i++)
        is_whole = is_whole && glob_is_literal(&selector->spiffe[i]) &&
                   match_spiffe(&selector->spiffe[i], selector->spiffe[i].text);
    return is_whole;
}

static struct range range_open(const struct compiler *c)
{
    return (struct range){.first = (uint32_t)c->numbers.count};
}

static enum err range_add(struct compiler *c, struct range *range, uint32_t number)
{
    range->count++;
    return number_add(&c->numbers, number);
}

static enum err workloads_build(struct compiler *c)
{
    const struct model *model = c->model;
    struct pair_sink keys = {.arena = &c->work};
    struct range scan = range_open(c);
    uint32_t member = 0;
    size_t count = 0;
    for (size_t r = 0; r < model->role_count; r++)
        count += model->roles[r].workload_count;
    struct member *members = arena_take_array(c->arena, count, sizeof *members);
    if (!members)
        return ERR_NO_MEMORY;
    for (uint32_t r = 0; r < model->role_count; r++)
        for (uint32_t i = 0; i < model->roles[r].workload_count; i++, member++) {
            const struct workload_selector *selector = &model->roles[r].workloads[i];
            bool has_keys = false;
            members[member] = (struct member){.role = r, .selector = i, .is_whole = workload_is_whole(selector)};
            TRY(workload_keys(selector, member, &keys, &has_keys));
            if (!has_keys)
                TRY(range_add(c, &scan, member));
        }
    c->program->workloads = members;
    c->program->workload_scan = scan;
    return multimap_build(keys.items, keys.count, c->arena, &c->program->workload_index);
}

/* ---- users --------------------------------------------------------------- */

struct group_builder {
    const struct model *model;
    struct user_group *groups;
    size_t count;
    struct pair_sink keys;    /* group, value -> members */
    struct pair_sink members; /* group -> members */
};

/* The claim that tells a selector's users apart by equality, or NO_INDEX. Words of a
 * scope are not looked up. */
static uint32_t selector_claim(const struct user_selector *selector)
{
    for (uint32_t i = 0; i < selector->claim_count; i++)
        if (selector->claims[i].test.kind == TEST_ANY_OF && !match_is_scope(&selector->claims[i].path))
            return i;
    return NO_INDEX;
}

static const struct user_selector *selector_of(const struct model *model, uint32_t role, uint32_t selector)
{
    return &model->roles[role].users[selector];
}

/* The group of what `wanted` says. */
static uint32_t group_of(struct group_builder *builder, const struct user_group *wanted)
{
    const struct user_selector *own = selector_of(builder->model, wanted->role, wanted->selector);
    uint32_t i = 0;
    for (; i < builder->count; i++) {
        const struct user_group *group = &builder->groups[i];
        const struct user_selector *other = selector_of(builder->model, group->role, group->selector);
        if (group->issuer != wanted->issuer || (group->claim == NO_INDEX) != (wanted->claim == NO_INDEX))
            continue;
        if (wanted->claim == NO_INDEX ||
            view_equals(own->claims[wanted->claim].path.text, other->claims[group->claim].path.text))
            return i;
    }
    builder->groups[builder->count++] = *wanted;
    return i;
}

static enum err user_keys(struct group_builder *builder, const struct member *member, uint32_t index, bool *has_keys)
{
    const struct user_selector *selector = selector_of(builder->model, member->role, member->selector);
    bool by_subject = selector->subjects.count > 0;
    uint32_t claim = by_subject ? NO_INDEX : selector_claim(selector);
    *has_keys = by_subject || claim != NO_INDEX;
    if (!*has_keys)
        return ERR_NONE;
    const struct string_list *values = by_subject ? &selector->subjects : &selector->claims[claim].test.values;
    const struct user_group wanted = {.issuer = (uint32_t)selector->issuer->index,
                                      .role = member->role,
                                      .selector = member->selector,
                                      .claim = claim};
    uint32_t group = group_of(builder, &wanted);
    for (size_t i = 0; i < values->count; i++)
        TRY(pair_add(&builder->keys, group, values->items[i], index));
    return pair_add(&builder->members, group, VIEW(""), index);
}

/* Every user of the issuer whose subject, or claim, is a key of the selector fits it. */
static bool user_is_whole(const struct user_selector *selector)
{
    return selector->subjects.count > 0 ? selector->claim_count == 0 : selector->claim_count == 1;
}

static enum err groups_close(struct compiler *c, struct group_builder *builder)
{
    struct multimap by_group;
    TRY(multimap_build(builder->members.items, builder->members.count, &c->work, &by_group));
    for (uint32_t i = 0; i < builder->count; i++) {
        size_t count = 0;
        const uint32_t *items = multimap_find(&by_group, i, VIEW(""), &count);
        builder->groups[i].members = range_open(c);
        for (size_t k = 0; k < count; k++)
            TRY(range_add(c, &builder->groups[i].members, items[k]));
    }
    struct user_group *groups = arena_take_array(c->arena, builder->count, sizeof *groups);
    if (!groups)
        return ERR_NO_MEMORY;
    if (builder->count > 0)
        memcpy(groups, builder->groups, builder->count * sizeof *groups);
    c->program->groups = groups;
    c->program->group_count = builder->count;
    return multimap_build(builder->keys.items, builder->keys.count, c->arena, &c->program->user_index);
}

static enum err users_build(struct compiler *c)
{
    const struct model *model = c->model;
    size_t count = 0;
    uint32_t member = 0;
    struct range scan = range_open(c);
    for (size_t r = 0; r < model->role_count; r++)
        count += model->roles[r].user_count;
    struct member *members = arena_take_array(c->arena, count, sizeof *members);
    struct group_builder builder = {.model = model,
                                    .groups = arena_take_array(&c->work, count + 1, sizeof *builder.groups),
                                    .keys = {.arena = &c->work},
                                    .members = {.arena = &c->work}};
    if (!members || !builder.groups)
        return ERR_NO_MEMORY;
    for (uint32_t r = 0; r < model->role_count; r++)
        for (uint32_t i = 0; i < model->roles[r].user_count; i++, member++) {
            bool has_keys = false;
            members[member] =
                (struct member){.role = r, .selector = i, .is_whole = user_is_whole(&model->roles[r].users[i])};
            TRY(user_keys(&builder, &members[member], member, &has_keys));
            if (!has_keys)
                TRY(range_add(c, &scan, member));
        }
    c->program->users = members;
    c->program->user_scan = scan;
    return groups_close(c, &builder);
}

/* ---- roles ----------------------------------------------------------------- */

static enum err held_build(struct compiler *c)
{
    const struct model *model = c->model;
    size_t count = 0;
    for (size_t r = 0; r < model->role_count; r++)
        count += model->roles[r].held_count;
    uint32_t *starts = arena_take_array(c->arena, model->role_count + 1, sizeof *starts);
    uint32_t *held = arena_take_array(c->arena, count, sizeof *held);
    uint64_t *bits = arena_take_array(c->arena, c->program->role_words, sizeof *bits);
    if (!starts || !held || !bits)
        return ERR_NO_MEMORY;
    if (count > UINT32_MAX)
        return ERR_LIMIT;
    for (size_t r = 0; r < model->role_count; r++) {
        const struct role *role = &model->roles[r];
        starts[r + 1] = starts[r];
        for (size_t i = 0; i < role->held_count; i++)
            held[starts[r + 1]++] = (uint32_t)role->held[i]->index;
        if (role->kind == ROLE_USER)
            bits[r / 64] |= (uint64_t)1 << (r % 64);
    }
    c->program->held_starts = starts;
    c->program->held = held;
    c->program->user_role_bits = bits;
    return ERR_NONE;
}

enum err compile_subjects(struct compiler *compiler)
{
    TRY(held_build(compiler));
    TRY(workloads_build(compiler));
    return users_build(compiler);
}

/* ---- resources ----------------------------------------------------------- */

static int longest_first(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a < b) - (a > b);
}

/* The lengths of the prefixes of one type, longest first. `all` has room for them. */
static enum err lengths_build(struct compiler *c, size_t type, uint32_t *all, struct range *out)
{
    const struct model *model = c->model;
    size_t count = 0;
    *out = range_open(c);
    for (size_t i = 0; i < model->resource_count; i++)
        if (model->resources[i].type->index == type && model->resources[i].id.is_prefix)
            all[count++] = (uint32_t)model->resources[i].id.text.size;
    qsort(all, count, sizeof *all, longest_first);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || all[i - 1] != all[i])
            TRY(range_add(c, out, all[i]));
    return ERR_NONE;
}

enum err compile_resources(struct compiler *compiler)
{
    const struct model *model = compiler->model;
    struct pair_sink keys = {.arena = &compiler->work};
    struct range *lengths = arena_take_array(compiler->arena, model->type_count, sizeof *lengths);
    uint32_t *all = arena_take_array(&compiler->work, model->resource_count + 1, sizeof *all);
    if (!lengths || !all)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *entry = &model->resources[i];
        uint32_t space = 2 * (uint32_t)entry->type->index + (entry->id.is_prefix ? 1 : 0);
        TRY(pair_add(&keys, space, entry->id.text, (uint32_t)i));
    }
    for (size_t t = 0; t < model->type_count; t++)
        TRY(lengths_build(compiler, t, all, &lengths[t]));
    compiler->program->prefix_lengths = lengths;
    return multimap_build(keys.items, keys.count, compiler->arena, &compiler->program->resources);
}
