/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include "part.h"
#include "policy_parts.h"
#include "revocation_gate.h"

#include <stdlib.h>

enum { SOURCES_ARENA_BYTES = 192 * 1024 * 1024 /* for each part: three compiled policies, and the rest */ };

static void release_bundles(void *thing)
{
    trust_bundles_free(thing);
}

static void release_keys(void *thing)
{
    jwks_sets_free(thing);
}

static void release_revocations(void *thing)
{
    revocations_free(thing);
}

static struct source_reader source_reader(const struct builder *b)
{
    return (struct source_reader){.arena = b->arena, .diags = b->diags, .generation = b->next->snapshot.generation};
}

/* The fingerprint of a part that is made of several sources. */
static enum err fingerprint_sources(const struct source_state *states, size_t count, uint8_t out[SHA256_BYTES])
{
    return sha256((struct view){.data = (const char *)states, .size = count * sizeof(*states)}, out);
}

/* Each domain is taken or keeps what it had by itself. */
static enum err build_bundles(struct builder *b)
{
    struct trust_bundles *bundles = NULL;
    struct bundle_load load = {.config = b->config,
                               .reader = source_reader(b),
                               .feed = b->feed,
                               .now = b->now,
                               .before = b->previous != NULL ? b->previous->snapshot.bundles : NULL,
                               .before_states = b->previous != NULL ? b->previous->domains : NULL,
                               .states = b->next->domains};
    enum err error = bundle_load_build(&load, &bundles);
    if (bundles == NULL)
        return error;
    b->domain_error = error;
    bool is_lent = part_lend(b, PART_BUNDLES, load.fingerprint);
    struct part *part = is_lent ? NULL : part_new(b, PART_BUNDLES, load.fingerprint, release_bundles);
    if (part != NULL)
        part->thing = bundles;
    else
        trust_bundles_free(bundles);
    return b->next->parts[PART_BUNDLES] != NULL ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err build_keys(struct builder *b)
{
    size_t count = b->config->tokens.issuer_count;
    struct jwks_source *sources = arena_take_array(b->arena, count + 1, sizeof(*sources));
    if (sources == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct issuer_config *issuer = &b->config->tokens.issuers[i];
        const struct source_state *before = b->previous != NULL ? &b->previous->issuers[i] : NULL;
        struct source_state *state = &b->next->issuers[i];
        sources[i] = (struct jwks_source){
            .issuer = issuer->url, .file = view_of(issuer->keys_file), .algorithms = issuer->algorithms};
        struct source_reader reader = source_reader(b);
        state->is_stale = view_is_present(issuer->workload_api) && b->feed.left_ns[WORKLOAD_JWT] == 0;
        if (!state->is_stale)
            TRY(source_file_read(&reader, issuer->keys_file, issuer->is_owned_by_feed, &sources[i].text));
        TRY(source_file_mark(&reader, sources[i].text, before, state));
        sources[i].generation = state->generation;
    }
    uint8_t fingerprint[SHA256_BYTES];
    TRY(fingerprint_sources(b->next->issuers, count, fingerprint));
    if (part_lend(b, PART_KEYS, fingerprint))
        return ERR_NONE;
    struct part *part = part_new(b, PART_KEYS, fingerprint, release_keys);
    if (part == NULL)
        return ERR_NO_MEMORY;
    struct jwks_sets *keys = NULL;
    TRY(jwks_sets_build(sources, count, b->diags, &keys));
    part->thing = keys;
    return ERR_NONE;
}

/* An older list would let back in whom a newer one refuses. A file may only go away
 * together with a higher sequence in another. */
static enum err check_age(struct builder *b, const struct revocations *before, const struct revocations *now)
{
    bool is_newer = revocations_sequence(now) > revocations_sequence(before);
    for (size_t i = 0; i < revocations_source_count(before); i++) {
        uint64_t sequence = 0, old = 0;
        struct view file = revocations_source(before, i, &old);
        bool is_there = revocations_find_source(now, file, &sequence);
        if (is_there ? sequence >= old : is_newer)
            continue;
        struct span span = {.file = file};
        if (is_there)
            diag_error(b->diags, "E0903", &span, "sequence %llu is older than %llu, which is in force",
                       (unsigned long long)sequence, (unsigned long long)old);
        else
            diag_error(b->diags, "E0903", &span, "this list is in force, and its file is gone");
        return ERR_STALE;
    }
    return ERR_NONE;
}

/* The lists as they are, out of their envelopes; in `revisions` what each envelope says. */
static enum err open_lists(struct builder *b, const struct revocation_gate *gate, struct revocation_source *sources,
                           uint64_t *revisions)
{
    enum err worst = ERR_NONE;
    for (size_t i = 0; i < b->files->count; i++) {
        const struct file_text *item = &b->files->items[i];
        sources[i].file = item->file;
        enum err error = revocation_gate_pass(gate, item->file, item->text, b->diags, &sources[i].text, &revisions[i]);
        worst = worst == ERR_NONE ? error : worst;
    }
    return worst;
}

/* Lists that are whole, against what was in force. */
static enum err check_lists_age(struct builder *b, const struct revocation_gate *gate, const uint64_t *revisions,
                                const struct revocations *now)
{
    for (size_t i = 0; i < b->files->count; i++)
        TRY(revocation_gate_compare(now, i, revisions[i], b->diags));
    if (b->previous != NULL)
        return check_age(b, b->previous->snapshot.revocations, now);
    return revocation_gate_remember(gate, b->config, now, b->arena, b->diags);
}

static enum err build_revocations(struct builder *b)
{
    uint8_t fingerprint[SHA256_BYTES];
    AUTO(revocation_gate_close) struct revocation_gate gate = {0};
    TRY(revocation_gate_open(b->config, b->arena, b->diags, &gate));
    b->files->count = 0;
    for (size_t i = 0; i < b->config->identity.revocation_count; i++)
        TRY(file_set_read_revocations(b->config->identity.revocations[i], b->arena, b->diags, b->files));
    TRY(file_set_fingerprint(b->files, b->arena, fingerprint));
    TRY(revocation_gate_mix(&gate, fingerprint));
    if (part_lend(b, PART_REVOCATIONS, fingerprint))
        return ERR_NONE;
    struct revocation_source *sources = arena_take_array(b->arena, b->files->count + 1, sizeof(*sources));
    uint64_t *revisions = arena_take_array(b->arena, b->files->count + 1, sizeof(*revisions));
    struct part *part = part_new(b, PART_REVOCATIONS, fingerprint, release_revocations);
    if (sources == NULL || revisions == NULL || part == NULL)
        return ERR_NO_MEMORY;
    TRY(open_lists(b, &gate, sources, revisions));
    struct revocations *revocations = NULL;
    TRY(revocations_build(sources, b->files->count, b->diags, &revocations));
    part->thing = revocations;
    return check_lists_age(b, &gate, revisions, revocations);
}

/* The part of the previous snapshot in place of one that was refused. */
static void keep_previous(struct builder *b, enum part_kind kind)
{
    part_share(b, kind, b->previous);
    if (kind == PART_POLICY)
        policy_parts_keep(b, b->previous);
    if (kind == PART_BUNDLES)
        memcpy(b->next->domains, b->previous->domains, b->config->identity.domain_count * sizeof(struct domain_state));
    if (kind == PART_KEYS)
        memcpy(b->next->issuers, b->previous->issuers, b->config->tokens.issuer_count * sizeof(struct source_state));
}

/* Nothing is decided by it, so that a broken one is no reason not to start. */
static void go_without_shadow(struct builder *b)
{
    part_drop(b->next->parts[PART_SHADOW]);
    b->next->parts[PART_SHADOW] = NULL;
}

/* All of [from, to) are tried, so that one load names everything that is wrong, and that a
 * mistake in one file keeps no revocation in another from being enforced; nor does
 * the size of one, since each part has the memory for sources to itself. */
static enum err build_parts(struct builder *b, enum part_kind from, enum part_kind to)
{
    static enum err (*const builds[PART_COUNT])(struct builder * b) = {policy_parts_build, build_bundles, build_keys,
                                                                       build_revocations, policy_parts_build_shadow};
    enum err first = ERR_NONE;
    for (enum part_kind kind = from; kind < to; kind++) {
        arena_reuse(b->arena);
        enum err result = builds[kind](b);
        if (kind == PART_BUNDLES)
            first = first == ERR_NONE ? b->domain_error : first;
        if (result == ERR_NONE)
            continue;
        if (b->previous != NULL)
            keep_previous(b, kind);
        if (b->previous == NULL && kind == PART_SHADOW)
            go_without_shadow(b);
        else
            first = first == ERR_NONE ? result : first;
    }
    return first;
}

static uint64_t part_generation(const struct builder *b, enum part_kind kind, uint64_t before)
{
    bool is_same = b->previous != NULL && b->previous->parts[kind] == b->next->parts[kind];
    return is_same ? before : b->next->snapshot.generation;
}

static void fill(struct builder *b)
{
    static const struct snapshot none;
    struct snapshot *s = &b->next->snapshot;
    const struct snapshot *old = b->previous != NULL ? &b->previous->snapshot : &none;
    s->policy = b->next->parts[PART_POLICY]->thing;
    s->bundles = b->next->parts[PART_BUNDLES]->thing;
    s->keys = b->next->parts[PART_KEYS]->thing;
    s->revocations = b->next->parts[PART_REVOCATIONS]->thing;
    s->policy_generation = part_generation(b, PART_POLICY, old->policy_generation);
    s->bundle_generation = part_generation(b, PART_BUNDLES, old->bundle_generation);
    s->key_generation = part_generation(b, PART_KEYS, old->key_generation);
    s->revocation_generation = part_generation(b, PART_REVOCATIONS, old->revocation_generation);
    if (b->next->parts[PART_SHADOW] != NULL) {
        s->shadow = b->next->parts[PART_SHADOW]->thing;
        s->shadow_generation = part_generation(b, PART_SHADOW, old->shadow_generation);
    }
    s->built_at = b->now;
    s->is_ready = true;
    for (size_t i = 0; i < b->config->identity.domain_count; i++)
        s->is_ready = s->is_ready && b->next->domains[i].text.is_there;
    for (size_t i = 0; i < b->config->tokens.issuer_count; i++)
        s->is_ready = s->is_ready && b->next->issuers[i].is_there;
}

static void warn(struct builder *b, struct view code, const char *file, struct view message)
{
    const struct diag diag = {
        .severity = DIAG_WARNING, .code = code, .span = {.file = view_of(file)}, .message = message};
    diag_add(b->diags, &diag);
}

static bool has_keys(const struct config *config, struct view url)
{
    for (size_t i = 0; i < config->tokens.issuer_count; i++)
        if (view_equals(config->tokens.issuers[i].url, url))
            return true;
    return false;
}

/* An issuer stands in the policy (what its claims mean) and in the configuration (where its keys are); with one
 * of them missing every token is refused, which nobody means. */
static void compare_issuers(struct builder *b)
{
    const struct policy *policy = b->next->snapshot.policy;
    if (b->previous != NULL && b->previous->parts[PART_POLICY] == b->next->parts[PART_POLICY])
        return;
    const struct policy_issuer *issuer;
    for (size_t i = 0; (issuer = policy_issuer_at(policy, i)) != NULL; i++)
        if (!has_keys(b->config, issuer->url))
            warn(b, VIEW("W0905"), b->config->policy.path,
                 arena_print(b->arena, "no keys are configured for issuer `%.*s`: its tokens are refused",
                             VIEW_ARG(issuer->url)));
    for (size_t i = 0; i < b->config->tokens.issuer_count; i++)
        if (policy_issuer(policy, b->config->tokens.issuers[i].url) == NULL)
            warn(b, VIEW("W0906"), b->config->file,
                 arena_print(b->arena, "no policy names issuer `%.*s`: its tokens are refused",
                             VIEW_ARG(b->config->tokens.issuers[i].url)));
}

/* A token is judged once, by the policy in force: an issuer of the shadow alone makes its users strangers. */
static void compare_shadow_issuers(struct builder *b)
{
    const struct snapshot *s = &b->next->snapshot;
    if (s->shadow == NULL || (s->shadow_generation != s->generation && s->policy_generation != s->generation))
        return;
    const struct policy_issuer *issuer;
    for (size_t i = 0; (issuer = policy_issuer_at(s->shadow, i)) != NULL; i++)
        if (policy_issuer(s->policy, issuer->url) == NULL)
            warn(b, VIEW("W0907"), b->config->policy.shadow,
                 arena_print(b->arena,
                             "the policy in force does not name issuer `%.*s`: its tokens are refused under the shadow "
                             "too",
                             VIEW_ARG(issuer->url)));
}

static enum err make_room(struct builder *b)
{
    size_t domains = b->config->identity.domain_count, issuers = b->config->tokens.issuer_count;
    b->next->domains = calloc(domains + 1, sizeof(struct domain_state));
    b->next->issuers = calloc(issuers + 1, sizeof(struct source_state));
    return b->next->domains != NULL && b->next->issuers != NULL ? ERR_NONE : ERR_NO_MEMORY;
}

/* What every build begins with. ERR_NO_MEMORY: what there is of it is freed by close_builder. */
static enum err open_builder(const struct snapshot_work *work, struct builder *out)
{
    *out = (struct builder){.config = work->config,
                            .compiler = work->compiler,
                            .previous = (const struct snapshot_owner *)work->previous,
                            .next = calloc(1, sizeof(*out->next)),
                            .arena = malloc(sizeof(*out->arena)),
                            .diags = work->diags,
                            .files = malloc(sizeof(*out->files)),
                            .now = work->now};
    if (out->arena != NULL)
        arena_init(out->arena, SOURCES_ARENA_BYTES);
    if (out->next == NULL || out->arena == NULL || out->files == NULL)
        return ERR_NO_MEMORY;
    feed_freshness_read(work->config, &out->feed);
    atomic_init(&out->next->references, 1);
    out->next->snapshot.generation = work->previous != NULL ? work->previous->generation + 1 : 1;
    return ERR_NONE;
}

static void close_builder(struct builder *b)
{
    if (b->next != NULL)
        snapshot_drop(&b->next->snapshot);
    if (b->arena != NULL)
        arena_free(b->arena);
    free(b->arena);
    free(b->files);
}

static void hand_over(struct builder *b, struct snapshot **out)
{
    *out = &b->next->snapshot;
    b->next = NULL;
}

static void complete(struct builder *b, struct snapshot **out)
{
    fill(b);
    compare_issuers(b);
    compare_shadow_issuers(b);
    hand_over(b, out);
}

enum err snapshot_build(const struct config *config, const struct policy_compiler *compiler, struct snapshot *previous,
                        int64_t now, struct diag_list *diags, struct snapshot **out)
{
    const struct snapshot_work work = {
        .config = config, .compiler = compiler, .previous = previous, .now = now, .diags = diags};
    AUTO(close_builder) struct builder builder = {0};
    TRY(open_builder(&work, &builder));
    TRY(make_room(&builder));
    enum err result = build_parts(&builder, PART_POLICY, PART_COUNT);
    if (result != ERR_NONE && previous == NULL)
        return result;
    complete(&builder, out);
    return result;
}

enum err snapshot_build_policies(const struct snapshot_work *work, struct snapshot_policies *out)
{
    AUTO(close_builder) struct builder builder = {0};
    *out = (struct snapshot_policies){0};
    TRY(open_builder(work, &builder));
    builder.is_later = true;
    enum err result = build_parts(&builder, PART_POLICY, PART_POLICY + 1);
    out->shadow_from = work->diags->count;
    enum err of_shadow = build_parts(&builder, PART_SHADOW, PART_SHADOW + 1);
    if (work->compiler != NULL)
        work->compiler->rest(work->compiler->context);
    out->is_under_way = builder.is_under_way;
    hand_over(&builder, &out->parts);
    return result != ERR_NONE ? result : of_shadow;
}

bool snapshot_policies_hold(const struct snapshot_work *work, const struct snapshot *policies)
{
    AUTO(close_builder) struct builder builder = {0};
    return open_builder(work, &builder) == ERR_NONE &&
           policy_parts_hold(&builder, (const struct snapshot_owner *)policies);
}

enum err snapshot_build_rest(const struct snapshot_work *work, const struct snapshot *policies, struct snapshot **out)
{
    AUTO(close_builder) struct builder builder = {0};
    const struct snapshot *lender = policies != NULL ? policies : work->previous;
    TRY(open_builder(work, &builder));
    TRY(make_room(&builder));
    policy_parts_keep(&builder, (const struct snapshot_owner *)lender);
    part_share(&builder, PART_SHADOW, (const struct snapshot_owner *)lender);
    enum err result = build_parts(&builder, PART_BUNDLES, PART_SHADOW);
    complete(&builder, out);
    return result;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    if (snapshot != NULL)
        atomic_fetch_add(&((struct snapshot_owner *)snapshot)->references, 1);
    return snapshot;
}

void snapshot_drop(struct snapshot *snapshot)
{
    struct snapshot_owner *owner = (struct snapshot_owner *)snapshot;
    if (owner == NULL || atomic_fetch_sub(&owner->references, 1) != 1)
        return;
    for (size_t i = 0; i < PART_COUNT; i++)
        part_drop(owner->parts[i]);
    free(owner->domains);
    free(owner->issuers);
    free(owner);
}

void snapshot_each_missing(const struct snapshot *snapshot, const struct config *config,
                           void (*each)(void *context, const struct missing_file *file), void *context)
{
    const struct snapshot_owner *owner = (const struct snapshot_owner *)snapshot;
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        const struct trust_domain_config *domain = &config->identity.domains[i];
        if (!owner->domains[i].text.is_there)
            each(context, &(struct missing_file){.what = "bundle",
                                                 .of = domain->name,
                                                 .path = domain->bundle,
                                                 .is_stale = owner->domains[i].text.is_stale});
    }
    for (size_t i = 0; i < config->tokens.issuer_count; i++) {
        const struct issuer_config *issuer = &config->tokens.issuers[i];
        if (!owner->issuers[i].is_there)
            each(context, &(struct missing_file){.what = "key set",
                                                 .of = issuer->url,
                                                 .path = issuer->keys_file,
                                                 .is_stale = owner->issuers[i].is_stale});
    }
}
