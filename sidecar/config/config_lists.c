/* SPDX-License-Identifier: Apache-2.0 */
#include "config_reader.h"

#include "jose_algorithm.h"
#include "spiffe_id.h"

void config_expect_key(const struct task *task, bool is_there, const char *key)
{
    if (!is_there)
        config_complain(task, "C0103", (struct view){0}, "`%s` is missing here", key);
}

/* True when the node is of `kind` and has between low and high elements. */
static bool expect_many(const struct task *task, enum node_kind kind)
{
    const struct node *node = task->node;
    if (node->kind != kind)
        config_complain(task, "C0104", (struct view){0},
                        kind == NODE_LIST ? "a list is expected here" : "a map is expected here");
    else if (node->count < task->field->low || node->count > task->field->high)
        config_complain(task, "C0202", (struct view){0}, "%zu entries, where %d to %d are possible", node->count,
                        (int)task->field->low, (int)task->field->high);
    else
        return true;
    return false;
}

static struct task element_of(const struct task *list, size_t i)
{
    struct task item = *list;
    item.node = list->node->items[i];
    item.at.schema = config_print(list->reader, "%s[]", list->field->path);
    item.at.shown = config_print(list->reader, "%.*s[%zu]", VIEW_ARG(list->at.shown), i);
    return item;
}

static struct task entry_of(const struct task *map, size_t i)
{
    struct task item = *map;
    item.node = map->node->items[i];
    item.at.schema = config_print(map->reader, "%s.{}", map->field->path);
    item.at.shown =
        config_print(map->reader, "%.*s[\"%.*s\"]", VIEW_ARG(map->at.shown), VIEW_ARG(map->node->keys[i]->text));
    return item;
}

static void check_listener(const struct task *task, const struct listener_config *listener)
{
    const struct node *node = task->node;
    config_expect_key(task, node_get(node, VIEW("address")) != NULL, "address");
    static const char *const socket_keys[] = {"mode", "group", "allow_uids"};
    for (size_t i = 0; i < 3 && listener->kind == LISTENER_TCP; i++) {
        struct task key = *task;
        key.node = node_get(node, view_of(socket_keys[i]));
        if (key.node != NULL)
            config_complain(&key, "C0105", (struct view){0}, "`%s` means something for a unix socket only",
                            socket_keys[i]);
    }
}

static bool is_same_address(const struct listener_config *a, const struct listener_config *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == LISTENER_UNIX)
        return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
    return a->host != NULL && b->host != NULL && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void config_read_listeners(const struct task *task, void *target)
{
    struct config *config = target;
    struct listener_config *all = NULL;
    if (!expect_many(task, NODE_LIST) || (all = config_array(task->reader, task->node->count, sizeof *all)) == NULL)
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = element_of(task, i);
        config_set_fallbacks(task->reader, VIEW("listeners[]"), (char *)&all[i]);
        config_read_map(&item, (char *)&all[i]);
        if (item.node->kind == NODE_MAP)
            check_listener(&item, &all[i]);
        for (size_t k = 0; k < i; k++)
            if (is_same_address(&all[i], &all[k]))
                config_complain(&item, "C0106", (struct view){0}, "this address is given twice");
    }
    config->listeners = all;
    config->listener_count = task->node->count;
}

void config_set_default_listener(struct reader *reader, struct config *config)
{
    struct listener_config *listener = config_array(reader, 1, sizeof *listener);
    if (listener == NULL)
        return;
    config_set_fallbacks(reader, VIEW("listeners[]"), (char *)listener);
    listener->path = "/run/bartizan/check.sock";
    config->listeners = listener;
    config->listener_count = 1;
}

void config_read_by(const struct task *task, void *target)
{
    struct identity_source *source = target;
    const struct node *list = task->node;
    struct view *ids = NULL;
    if (list->kind != NODE_LIST) {
        config_complain(task, "C0104", (struct view){0}, "a list of SPIFFE IDs is expected here");
        return;
    }
    if ((ids = config_array(task->reader, list->count, sizeof *ids)) == NULL)
        return;
    for (size_t i = 0; i < list->count; i++) {
        struct task item = element_of(task, i);
        if (!config_expect_text(&item))
            continue;
        ids[i] = arena_copy(task->reader->arena, item.node->text);
        struct spiffe_id id;
        if (spiffe_id_parse(ids[i], &id) != ERR_NONE)
            config_complain(&item, "C0207", (struct view){0}, "`%.*s` is not a SPIFFE ID", VIEW_ARG(ids[i]));
        for (size_t k = 0; k < i; k++)
            if (view_equals(ids[i], ids[k]))
                config_complain(&item, "C0106", (struct view){0}, "this proxy is given twice");
    }
    source->by = ids;
    source->by_count = list->count;
}

/* Of x-forwarded-client-cert, whichever way it is read. */
static void read_hops(const struct task *task, enum identity_source_kind kind, struct identity_source *source)
{
    source->kind = kind;
    config_set_fallbacks(task->reader, view_of(task->field->path), (char *)source);
    config_read_map(task, (char *)source);
    if (task->node->kind == NODE_MAP && source->by_count != source->hops)
        config_complain(task, "C0202", VIEW("`by` names each trusted proxy once"),
                        "`hops` is %u, and `by` has %zu SPIFFE IDs", source->hops, source->by_count);
}

void config_read_xfcc(const struct task *task, void *target)
{
    read_hops(task, SOURCE_XFCC, target);
}

void config_read_xfcc_text(const struct task *task, void *target)
{
    read_hops(task, SOURCE_XFCC_TEXT, target);
}

static void read_source(const struct task *task, struct identity_source *source)
{
    const struct node *node = task->node;
    if (node->kind == NODE_SCALAR) {
        static const char words[] = "certificate|xfcc";
        struct field field = {.path = task->field->path, .words = words};
        struct task word = *task;
        word.field = &field;
        if (view_equals(node->text, VIEW("xfcc-text"))) /* never by a word that is easily swapped for another */
            config_complain(task, "C0104", VIEW("write `xfcc-text: {hops: 0}`"), "`xfcc-text` is a map");
        else
            config_read_word(&word, &source->kind);
        return;
    }
    config_read_map(task, (char *)source);
    if (node->kind == NODE_MAP && node->count != 1)
        config_complain(task, "C0104", VIEW("write `certificate` or `xfcc: {hops: N, by: [..]}`"),
                        "a source is one thing, this map has %zu", node->count);
}

void config_read_sources(const struct task *task, void *target)
{
    struct config *config = target;
    if (!expect_many(task, NODE_LIST))
        return;
    struct identity_source *sources = config->identity.sources;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = element_of(task, i);
        read_source(&item, &sources[i]);
        bool is_weak = sources[i].kind == SOURCE_XFCC_TEXT || sources[0].kind == SOURCE_XFCC_TEXT;
        if (i > 0 && sources[i].kind == sources[0].kind)
            config_complain(&item, "C0106", (struct view){0}, "this source is given twice");
        else if (i > 0 && is_weak)
            config_complain(&item, "C0105", VIEW("a certificate that arrives is verified in it as well"),
                            "`xfcc-text` is the only source, or none");
    }
    config->identity.source_count = task->node->count;
}

/* A map that names a file and whose it is. A key that this version does not have is finding enough. */
static void read_owned_file(const struct task *task, char *target)
{
    config_set_fallbacks(task->reader, view_of(task->field->path), target);
    config_read_map(task, target);
    size_t owners = node_get(task->node, VIEW("owner")) != NULL ? 1 : 0;
    if (task->node->kind == NODE_MAP && task->node->count == owners)
        config_expect_key(task, false, "file");
}

void config_read_bundle_map(const struct task *task, void *target)
{
    struct trust_domain_config *domain = target;
    domain->is_map = true;
    config_read_path(task, &domain->bundle);
}

void config_read_bundle(const struct task *task, void *target)
{
    struct trust_domain_config *domain = target;
    bool is_both = node_get(task->node, VIEW("file")) != NULL && node_get(task->node, VIEW("map")) != NULL;
    if (is_both)
        config_complain(task, "C0105", (struct view){0}, "a bundle is a `file` or stands in a `map`, not both");
    else if (task->node->kind == NODE_MAP)
        read_owned_file(task, target);
    else if (view_equals(task->node->text, VIEW("workload-api")) && task->node->is_plain)
        domain->is_from_workload_api = domain->is_map = domain->is_owned_by_feed = true;
    else
        config_read_path(task, &domain->bundle);
}

void config_read_crl(const struct task *task, void *target)
{
    if (task->node->kind != NODE_MAP) {
        config_complain(task, "C0104", VIEW("crl: {file: FILE, missing: refuse, expired: refuse}"),
                        "revocation lists are named by a map");
        return;
    }
    config_set_fallbacks(task->reader, view_of(task->field->path), target);
    config_read_map(task, target);
    bool has_file = node_get(task->node, VIEW("file")) != NULL, has_from = node_get(task->node, VIEW("from")) != NULL;
    if (has_file && has_from)
        config_complain(task, "C0105", (struct view){0}, "the lists are a `file` or come `from` elsewhere, not both");
    else
        config_expect_key(task, has_file || has_from, "file");
}

/* Lists come with the bundle that they are about. */
static void check_crl_origin(const struct task *task, const struct trust_domain_config *domain)
{
    struct task crl = *task;
    crl.node = node_get(task->node, VIEW("crl"));
    if (domain->crl_is_from_workload_api && !domain->is_from_workload_api && crl.node != NULL)
        config_complain(&crl, "C0105", VIEW("bundle: workload-api"),
                        "lists come from the Workload API only where the bundle does");
}

void config_read_domains(const struct task *task, void *target)
{
    struct config *config = target;
    struct trust_domain_config *all = NULL;
    if (!expect_many(task, NODE_MAP) || (all = config_array(task->reader, task->node->count, sizeof *all)) == NULL)
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = entry_of(task, i), key = item;
        key.node = task->node->keys[i];
        all[i].name = arena_copy(task->reader->arena, key.node->text);
        if (!trust_domain_is_valid(all[i].name))
            config_complain(&key, "C0206", VIEW("lower-case letters, digits, `.`, `-` and `_`"),
                            "`%.*s` is not the name of a trust domain", VIEW_ARG(all[i].name));
        config_read_map(&item, (char *)&all[i]);
        if (item.node->kind == NODE_MAP)
            config_expect_key(&item, node_get(item.node, VIEW("bundle")) != NULL, "bundle");
        check_crl_origin(&item, &all[i]);
    }
    config->identity.domains = all;
    config->identity.domain_count = task->node->count;
}

void config_read_keys(const struct task *task, void *target)
{
    bool is_from_api = node_get(task->node, VIEW("workload-api")) != NULL;
    if (is_from_api && task->node->count > 1)
        config_complain(task, "C0105", (struct view){0}, "keys come from `workload-api` alone, or from a file");
    else
        read_owned_file(task, target);
}

void config_read_algorithms(const struct task *task, void *target)
{
    struct issuer_config *issuer = target;
    if (!expect_many(task, NODE_LIST))
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = element_of(task, i);
        enum jose_algorithm algorithm;
        if (!config_expect_text(&item))
            continue;
        if (!jose_algorithm_find(item.node->text, &algorithm))
            config_complain(&item, "C0203",
                            VIEW("RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA or Ed25519"),
                            "`%.*s` is not an algorithm that tokens are signed with here", VIEW_ARG(item.node->text));
        else
            issuer->algorithms |= UINT32_C(1) << algorithm;
    }
}

void config_read_issuers(const struct task *task, void *target)
{
    struct config *config = target;
    struct issuer_config *all = NULL;
    if (!expect_many(task, NODE_MAP) || (all = config_array(task->reader, task->node->count, sizeof *all)) == NULL)
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = entry_of(task, i), key = item;
        key.node = task->node->keys[i];
        key.field = task->field;
        config_read_issuer_name(&key, &all[i].url);
        config_read_map(&item, (char *)&all[i]);
        if (item.node->kind == NODE_MAP)
            config_expect_key(&item, node_get(item.node, VIEW("keys")) != NULL, "keys");
    }
    config->tokens.issuers = all;
    config->tokens.issuer_count = task->node->count;
}

/* A list of paths, of a length that the field allows. */
static void read_paths(const struct task *task, const char *const **paths, size_t *count)
{
    const char **all = NULL;
    if (!expect_many(task, NODE_LIST) || (all = config_array(task->reader, task->node->count, sizeof *all)) == NULL)
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = element_of(task, i);
        config_read_path(&item, &all[i]);
    }
    *paths = all;
    *count = task->node->count;
}

void config_read_revocations(const struct task *task, void *target)
{
    struct config *config = target;
    read_paths(task, &config->identity.revocations, &config->identity.revocation_count);
}

void config_read_revocation_signers(const struct task *task, void *target)
{
    struct config *config = target;
    read_paths(task, &config->identity.revocation_signers, &config->identity.revocation_signer_count);
}

void config_read_signers(const struct task *task, void *target)
{
    struct config *config = target;
    read_paths(task, &config->policy.signers, &config->policy.signer_count);
}

void config_read_token_sources(const struct task *task, void *target)
{
    (void)target;
    const struct node *list = task->node;
    if (list->kind != NODE_LIST || list->count != 1 || !view_equals(list->items[0]->text, VIEW("authorization")))
        config_complain(task, "C0102", VIEW("write [authorization], or leave the key out"),
                        "tokens from other places than one `authorization` header are not supported in this version");
}

void config_read_platform_owners(const struct task *task, void *target)
{
    struct config *config = target;
    struct view *all = NULL;
    if (!expect_many(task, NODE_LIST) || (all = config_array(task->reader, task->node->count, sizeof *all)) == NULL)
        return;
    for (size_t i = 0; i < task->node->count; i++) {
        struct task item = element_of(task, i);
        config_read_text(&item, &all[i]);
        for (size_t k = 0; k < i; k++)
            if (view_is_present(all[i]) && view_equals(all[i], all[k]))
                config_complain(&item, "C0106", (struct view){0}, "this owner is given twice");
    }
    config->policy.platform_owners = all;
    config->policy.platform_owner_count = task->node->count;
}
