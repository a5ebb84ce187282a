/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_parts.h"

#include "policy_image.h"

#include <stdlib.h>

static void release_policy(void *thing)
{
    policy_free(thing);
}

/* Policies that are to become one, and what lets them pass. */
struct candidate {
    enum part_kind kind;
    const char *path;
    const struct policy_gate *gate;
    uint8_t fingerprint[SHA256_BYTES]; /* of the texts, and of what the gate read */
    struct policy_standing standing;   /* set when they passed */
};

/* ERR_NONE with *out NULL: it is compiled elsewhere. */
static enum err compile_documents(struct builder *b, const struct candidate *c, struct policy **out)
{
    struct policy_source *sources = arena_take_array(b->arena, b->files->count + 1, sizeof(*sources));
    if (sources == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < b->files->count; i++)
        sources[i] = (struct policy_source){.name = b->files->items[i].file, .text = b->files->items[i].text};
    if (b->compiler == NULL)
        return policy_build(sources, b->files->count, b->diags, out);
    const struct policy_order order = {.sources = sources,
                                       .count = b->files->count,
                                       .fingerprint = c->fingerprint,
                                       .is_shadow = c->kind == PART_SHADOW,
                                       .is_later = b->is_later};
    return b->compiler->build(b->compiler->context, &order, b->diags, out);
}

static enum err check_owners(struct builder *b, const struct policy *policy)
{
    size_t before = b->diags->count;
    enum err result = policy_check_owners(policy, b->config->policy.platform_owners,
                                          b->config->policy.platform_owner_count, b->diags);
    for (size_t i = 0; i < b->files->count; i++)
        diag_list_locate(b->diags, before, b->files->items[i].file, b->files->items[i].text);
    return result;
}

/* A compiled policy is whole, whatever its name: what stands beside it would silently not be in force. */
static enum err refuse_company(struct builder *b)
{
    for (size_t i = 0; b->files->count > 1 && i < b->files->count; i++) {
        const struct file_text *item = &b->files->items[i];
        if (!policy_seal_is(item->text) && !policy_image_is(item->text))
            continue;
        struct span span = {.file = item->file};
        diag_error(b->diags, "E0927", &span, "this is a compiled policy, and other files stand beside it");
        return ERR_INVALID;
    }
    return ERR_NONE;
}

/* What the gate lets pass of b->files: documents, or one compiled policy. *out NULL: under way elsewhere. */
static enum err take_policy(struct builder *b, struct candidate *c, struct policy **out)
{
    const struct file_text empty = {.file = view_of(b->config->policy.path)}; /* a folder without any file */
    const struct file_text *first = b->files->count > 0 ? &b->files->items[0] : &empty;
    struct view image = {0};
    struct policy *policy = NULL;
    TRY(policy_gate_pass(c->gate, first->file, first->text, b->diags, &image, &c->standing));
    TRY(refuse_company(b));
    if (view_is_present(image))
        TRY(policy_image_read(first->file, image, b->diags, &policy));
    else
        TRY(compile_documents(b, c, &policy));
    enum err result = policy != NULL ? check_owners(b, policy) : ERR_NONE;
    if (result != ERR_NONE)
        policy_free(policy);
    else
        *out = policy;
    return result;
}

static void keep_standing(struct builder *b, const struct candidate *c)
{
    if (c->kind == PART_POLICY)
        b->next->snapshot.standing = c->standing;
}

static enum err build(struct builder *b, struct candidate *c)
{
    b->files->count = 0;
    TRY(file_set_read_policy(c->path, b->arena, b->diags, b->files));
    TRY(file_set_fingerprint(b->files, b->arena, c->fingerprint));
    TRY(policy_gate_mix(c->gate, c->fingerprint));
    if (part_lend(b, c->kind, c->fingerprint)) {
        c->standing = b->previous->snapshot.standing;
        keep_standing(b, c);
        return ERR_NONE;
    }
    struct policy *policy = NULL;
    TRY(take_policy(b, c, &policy));
    if (policy == NULL) {
        b->is_under_way = true;
        c->standing = b->previous->snapshot.standing;
        keep_standing(b, c);
        part_share(b, c->kind, b->previous);
        return ERR_NONE;
    }
    struct part *part = part_new(b, c->kind, c->fingerprint, release_policy);
    if (part == NULL) {
        policy_free(policy);
        return ERR_NO_MEMORY;
    }
    part->thing = policy;
    keep_standing(b, c);
    return ERR_NONE;
}

enum err policy_parts_build(struct builder *b)
{
    const struct policy_standing *before = b->previous != NULL ? &b->previous->snapshot.standing : NULL;
    AUTO(policy_gate_close) struct policy_gate gate = {0};
    TRY(policy_gate_open(b->config, before, b->now, b->arena, b->diags, &gate));
    memcpy(b->next->gate, gate.fingerprint, sizeof(b->next->gate));
    b->next->floor = gate.floor;
    struct candidate candidate = {.kind = PART_POLICY, .path = b->config->policy.path, .gate = &gate};
    return build(b, &candidate);
}

/* Whatever stands there may judge, since nothing is decided by it. */
enum err policy_parts_build_shadow(struct builder *b)
{
    static const struct policy_gate open_gate = {.is_of_shadow = true};
    struct candidate candidate = {.kind = PART_SHADOW, .path = b->config->policy.shadow, .gate = &open_gate};
    return b->config->policy.shadow != NULL ? build(b, &candidate) : ERR_NONE;
}

void policy_parts_keep(struct builder *b, const struct snapshot_owner *from)
{
    part_share(b, PART_POLICY, from);
    b->next->snapshot.standing = from->snapshot.standing;
}

bool policy_parts_hold(const struct builder *b, const struct snapshot_owner *policies)
{
    AUTO(policy_gate_close) struct policy_gate gate = {0};
    const struct policy_standing *before = &b->previous->snapshot.standing;
    if (policies->parts[PART_POLICY] == b->previous->parts[PART_POLICY])
        return true;
    return !policy_standing_has_expired(&policies->snapshot.standing, b->now) &&
           policy_gate_open(b->config, before, b->now, b->arena, b->diags, &gate) == ERR_NONE &&
           gate.floor == policies->floor && memcmp(gate.fingerprint, policies->gate, sizeof(policies->gate)) == 0;
}
