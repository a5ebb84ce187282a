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

static enum err workloads_build(const struct model *model, struct arena *arena, struct arena *work,
                                struct program *program)
{
    size_t count = 0;
    for (size_t r = 0; r < model->role_count; r++)
        count += model->roles[r].workload_count;
    struct workload_member *members = arena_take_array(arena, count + 1, sizeof *members);
    uint32_t *scan = arena_take_array(arena, count + 1, sizeof *scan);
    struct pair_sink keys = {.arena = work};
    uint32_t member = 0, scanned = 0;
    if (!members || !scan)
        return ERR_NO_MEMORY;
    for (size_t r = 0; r < model->role_count; r++)
        for (size_t i = 0; i < model->roles[r].workload_count; i++, member++) {
            bool has_keys = false;
            members[member] =
                (struct workload_member){.role = &model->roles[r], .selector = &model->roles[r].workloads[i]};
            TRY(workload_keys(members[member].selector, member, &keys, &has_keys));
            if (!has_keys)
                scan[scanned++] = member;
        }
    program->workloads = members;
    program->workload_scan = (struct number_list){.items = scan, .count = scanned};
    return multimap_build(keys.items, keys.count, arena, &program->workload_index);
}

/* ---- users --------------------------------------------------------------- */

struct group_builder {
    struct user_group *groups;
    size_t count;
    struct pair_sink keys;    /* group, value -> members */
    struct pair_sink members; /* group -> members */
};

/* The claim that tells a selector's users apart by equality, or NULL. Words of a
 * scope are not looked up. */
static const struct claim_test *selector_claim(const struct user_selector *selector)
{
    for (size_t i = 0; i < selector->claim_count; i++) {
        const struct claim_test *claim = &selector->claims[i];
        if (claim->test.kind == TEST_ANY_OF && !match_is_scope(&claim->path))
            return claim;
    }
    return NULL;
}

static uint32_t group_of(struct group_builder *builder, const struct issuer *issuer, const struct claim_path *path)
{
    size_t i = 0;
    for (; i < builder->count; i++) {
        const struct user_group *group = &builder->groups[i];
        if (group->issuer == issuer && (group->path == NULL) == (path == NULL) &&
            (!path || view_equals(group->path->text, path->text)))
            return (uint32_t)i;
    }
    builder->groups[builder->count++] = (struct user_group){.issuer = issuer, .path = path};
    return (uint32_t)i;
}

static enum err user_keys(struct group_builder *builder, const struct user_selector *selector, uint32_t member,
                          bool *has_keys)
{
    const struct claim_test *claim = selector_claim(selector);
    *has_keys = selector->subjects.count > 0 || claim;
    if (!*has_keys)
        return ERR_NONE;
    bool by_subject = selector->subjects.count > 0;
    const struct string_list *values = by_subject ? &selector->subjects : &claim->test.values;
    uint32_t group = group_of(builder, selector->issuer, by_subject ? NULL : &claim->path);
    for (size_t i = 0; i < values->count; i++)
        TRY(pair_add(&builder->keys, group, values->items[i], member));
    return pair_add(&builder->members, group, VIEW(""), member);
}

static enum err users_build(const struct model *model, struct arena *arena, struct arena *work, struct program *program)
{
    size_t count = 0;
    for (size_t r = 0; r < model->role_count; r++)
        count += model->roles[r].user_count;
    struct user_member *members = arena_take_array(arena, count + 1, sizeof *members);
    uint32_t *scan = arena_take_array(arena, count + 1, sizeof *scan);
    struct group_builder builder = {.groups = arena_take_array(arena, count + 1, sizeof *builder.groups),
                                    .keys = {.arena = work},
                                    .members = {.arena = work}};
    uint32_t member = 0, scanned = 0;
    if (!members || !scan || !builder.groups)
        return ERR_NO_MEMORY;
    for (size_t r = 0; r < model->role_count; r++)
        for (size_t i = 0; i < model->roles[r].user_count; i++, member++) {
            bool has_keys = false;
            members[member] = (struct user_member){.role = &model->roles[r], .selector = &model->roles[r].users[i]};
            TRY(user_keys(&builder, members[member].selector, member, &has_keys));
            if (!has_keys)
                scan[scanned++] = member;
        }
    struct multimap by_group;
    TRY(multimap_build(builder.members.items, builder.members.count, arena, &by_group));
    for (size_t i = 0; i < builder.count; i++) {
        size_t size = 0;
        const uint32_t *items = multimap_find(&by_group, (uint32_t)i, VIEW(""), &size);
        builder.groups[i].members = (struct number_list){.items = items, .count = (uint32_t)size};
    }
    program->users = members;
    program->user_scan = (struct number_list){.items = scan, .count = scanned};
    program->groups = builder.groups;
    program->group_count = builder.count;
    return multimap_build(builder.keys.items, builder.keys.count, arena, &program->user_index);
}

enum err compile_subjects(const struct model *model, struct arena *arena, struct arena *work, struct program *program)
{
    uint64_t *bits = arena_take_array(arena, program->role_words + 1, sizeof *bits);
    if (!bits)
        return ERR_NO_MEMORY;
    for (size_t r = 0; r < model->role_count; r++)
        if (model->roles[r].kind == ROLE_USER)
            bits[r / 64] |= (uint64_t)1 << (r % 64);
    program->user_role_bits = bits;
    TRY(workloads_build(model, arena, work, program));
    return users_build(model, arena, work, program);
}

/* ---- resources ----------------------------------------------------------- */

static int longest_first(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a < b) - (a > b);
}

enum err compile_resources(const struct model *model, struct arena *arena, struct arena *work, struct program *program)
{
    struct pair_sink keys = {.arena = work};
    struct number_list *lengths = arena_take_array(arena, model->type_count + 1, sizeof *lengths);
    uint32_t *all = arena_take_array(arena, model->resource_count + 1, sizeof *all);
    if (!lengths || !all)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *entry = &model->resources[i];
        uint32_t space = 2 * (uint32_t)entry->type->index + (entry->id.is_prefix ? 1 : 0);
        TRY(pair_add(&keys, space, entry->id.text, (uint32_t)i));
    }
    for (size_t t = 0; t < model->type_count; t++) {
        uint32_t count = 0, kept = 0;
        for (size_t i = 0; i < model->resource_count; i++)
            if (model->resources[i].type->index == t && model->resources[i].id.is_prefix)
                all[count++] = (uint32_t)model->resources[i].id.text.size;
        qsort(all, count, sizeof *all, longest_first);
        for (uint32_t i = 0; i < count; i++)
            if (kept == 0 || all[kept - 1] != all[i])
                all[kept++] = all[i];
        lengths[t] = (struct number_list){.items = all, .count = kept};
        all += kept;
    }
    program->prefix_lengths = lengths;
    return multimap_build(keys.items, keys.count, arena, &program->resources);
}
