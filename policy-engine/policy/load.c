/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "test_case.h"

enum {
    GROUPS_DEFAULT = 128,
    GROUPS_MAX = 4096,
    DOCUMENTS_MAX = 256,
};

/* ---- metadata ------------------------------------------------------------------- */

struct metadata {
    struct view name, namespace, revision, owner;
};

static void read_strings(struct load *load, const struct node *node, void *out)
{
    struct view ignored;
    (void)out;
    if (!load_is(load, node, NODE_MAP, "the value"))
        return;
    for (size_t i = 0; i < node->count; i++)
        load_text(load, node->items[i], &ignored);
}

static void read_metadata(struct load *load, const struct node *node, void *out)
{
    static const struct field fields[] = {
        FIELD_MUST("name", load_name, struct metadata, name),
        FIELD("namespace", load_name, struct metadata, namespace),
        FIELD("revision", load_text, struct metadata, revision),
        FIELD("owner", load_text, struct metadata, owner),
        FIELD_WHOLE("labels", read_strings),
        FIELD_WHOLE("annotations", read_strings),
    };
    struct metadata metadata = {0};
    (void)out;
    (void)load_map(load, node, "metadata", fields, COUNT_OF(fields), &metadata);
}

/* ---- spec ------------------------------------------------------------------------- */

/* How requests are read holds for the whole set: two documents cannot differ. */
static void read_paths(struct load *load, const struct node *node, void *out)
{
    static const struct view modes[] = {[PATH_STRICT] = WORD("strict"), [PATH_ENVOY] = WORD("envoy")};
    struct model *model = load->model;
    (void)out;
    enum path_mode mode = (enum path_mode)load_word(load, node, "a path mode", modes, COUNT_OF(modes), PATH_STRICT);
    if (load->has_paths && mode != model->path_mode)
        load_refuse(load, CODE_CONFLICT, node, NULL, "another document of the set says `paths` otherwise");
    load->has_paths = true;
    model->path_mode = mode;
}

struct limits {
    uint32_t groups, segments, path_bytes;
};

static void read_limit(struct load *load, const struct node *node, uint64_t most, uint32_t *out)
{
    uint64_t number;
    if (load_number(load, node, 1, most, &number))
        *out = (uint32_t)number;
}

static void read_groups(struct load *load, const struct node *node, void *out)
{
    read_limit(load, node, GROUPS_MAX, out);
}

static void read_segments(struct load *load, const struct node *node, void *out)
{
    read_limit(load, node, PATH_SEGMENTS_MAX, out);
}

static void read_path_bytes(struct load *load, const struct node *node, void *out)
{
    read_limit(load, node, PATH_BYTES_MAX, out);
}

static void read_limits(struct load *load, const struct node *node, void *out)
{
    static const struct field fields[] = {
        FIELD("maxGroups", read_groups, struct limits, groups),
        FIELD("maxSegments", read_segments, struct limits, segments),
        FIELD("maxPathBytes", read_path_bytes, struct limits, path_bytes),
    };
    struct model *model = load->model;
    struct limits limits = {GROUPS_DEFAULT, PATH_SEGMENTS_MAX, PATH_BYTES_MAX};
    (void)out;
    (void)load_map(load, node, "limits", fields, COUNT_OF(fields), &limits);
    if (load->has_limits && (limits.groups != model->max_groups || limits.segments != model->max_segments ||
                             limits.path_bytes != model->max_path_bytes))
        load_refuse(load, CODE_CONFLICT, node, NULL, "another document of the set says `limits` otherwise");
    load->has_limits = true;
    model->max_groups = limits.groups;
    model->max_segments = limits.segments;
    model->max_path_bytes = limits.path_bytes;
}

/* The blocks in the order in which each refers to those before it. */
static const struct {
    struct view key;
    void (*load)(struct load *load, const struct node *node);
} BLOCKS[] = {
    {WORD("issuers"), load_issuers}, {WORD("assurance"), load_assurances}, {WORD("roles"), load_roles},
    {WORD("actions"), load_actions}, {WORD("resourceTypes"), load_types},  {WORD("resources"), load_resources},
    {WORD("rules"), load_rules},     {WORD("tests"), load_tests},
};

static void read_spec(struct load *load, const struct node *node, void *out)
{
    static const struct field fields[] = {
        FIELD_LATER("imports"),    FIELD_WHOLE("paths", read_paths),
        FIELD_SEEN("issuers"),     FIELD_WHOLE("limits", read_limits),
        FIELD_SEEN("assurance"),   FIELD_SEEN("roles"),
        FIELD_SEEN("actions"),     FIELD_SEEN("resourceTypes"),
        FIELD_SEEN("resources"),   FIELD_WHOLE_MUST("rules", NULL),
        FIELD_LATER("invariants"), FIELD_SEEN("tests"),
    };
    (void)out;
    if (!load_map(load, node, "spec", fields, COUNT_OF(fields), NULL))
        return;
    for (size_t i = 0; i < COUNT_OF(BLOCKS) && !load->is_exhausted; i++) {
        const struct node *block = node_get(node, BLOCKS[i].key);
        if (block != NULL)
            BLOCKS[i].load(load, block);
    }
}

/* ---- documents ---------------------------------------------------------------------- */

static void read_api_version(struct load *load, const struct node *node, void *out)
{
    (void)out;
    if (load_is(load, node, NODE_SCALAR, "apiVersion") && !view_equals(node->text, VIEW("bartizan.dev/v1alpha1")))
        load_refuse(load, CODE_API_VERSION, node, "write bartizan.dev/v1alpha1",
                    "apiVersion `%.*s` is not one this version reads", VIEW_ARG(node->text));
}

static bool is_policy(struct load *load, const struct node *root)
{
    static const struct view later[] = {WORD("RoleSet"), WORD("ResourceCatalog"), WORD("OperationCatalog"),
                                        WORD("IssuerCatalog")};
    const struct node *kind = node_get(root, VIEW("kind"));
    if (kind == NULL || kind->kind != NODE_SCALAR) {
        load_refuse(load, CODE_KIND, kind != NULL ? kind : root, "write kind: AccessPolicy",
                    "a document without a kind");
        return false;
    }
    if (view_equals(kind->text, VIEW("AccessPolicy")))
        return true;
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (!view_equals(kind->text, later[i]))
            continue;
        load_refuse(load, CODE_NOT_SUPPORTED, kind, "write its block into the AccessPolicy that uses it",
                    "documents of kind %.*s are not supported in this version", VIEW_ARG(kind->text));
        return false;
    }
    static const struct view known[] = {WORD("AccessPolicy")};
    bool is_near = view_is_present(diag_nearest(kind->text, known, 1));
    load_refuse(load, CODE_KIND, kind, is_near ? "did you mean `AccessPolicy`?" : "a policy is of kind AccessPolicy",
                "a document of kind `%.*s` is no policy", VIEW_ARG(kind->text));
    return false;
}

static void read_document(struct load *load, const struct node *root)
{
    static const struct field fields[] = {
        FIELD_WHOLE_MUST("apiVersion", read_api_version),
        FIELD_WHOLE_MUST("kind", NULL),
        FIELD_WHOLE_MUST("metadata", read_metadata),
        FIELD_WHOLE_MUST("spec", read_spec),
    };
    struct scope scope = {0};
    load->root = root;
    load->scope = &scope;
    if (!view_equals(load->file, root->span.file))
        load->file = load_keep(load, root->span.file);
    if (load_is(load, root, NODE_MAP, "a document") && is_policy(load, root))
        (void)load_map(load, root, "a document", fields, COUNT_OF(fields), NULL);
    load->scope = NULL;
}

/* ---- the set --------------------------------------------------------------------------- */

/* How many entries all documents have under spec.`key`: the room of one array. */
static size_t count_entries(const struct document *documents, size_t count, struct view key)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < documents[i].count; j++) {
            const struct node *block = node_get(node_get(documents[i].roots[j], VIEW("spec")), key);
            total += block != NULL ? block->count : 0;
        }
    return total;
}

static void take_room(struct load *load, const struct document *documents, size_t count)
{
    size_t rules = count_entries(documents, count, VIEW("rules"));
    load->issuer_room = count_entries(documents, count, VIEW("issuers"));
    load->issuers = load_take(load, load->issuer_room, sizeof(*load->issuers));
    load->issuer_nodes = arena_take_array(load->scratch, load->issuer_room + 1, sizeof(struct node *));
    load->assurances = load_take(load, count_entries(documents, count, VIEW("assurance")), sizeof(*load->assurances));
    load->roles = load_take(load, count_entries(documents, count, VIEW("roles")), sizeof(*load->roles));
    load->actions = load_take(load, count_entries(documents, count, VIEW("actions")), sizeof(*load->actions));
    load->types = load_take(load, count_entries(documents, count, VIEW("resourceTypes")), sizeof(*load->types));
    load->resources = load_take(load, count_entries(documents, count, VIEW("resources")), sizeof(*load->resources));
    load->rules_made = load_take(load, rules, sizeof(*load->rules_made));
    if (load->issuer_nodes == NULL)
        load->is_exhausted = true;
    if (!load->is_exhausted)
        names_init(load, &load->rules, rules);
}

/* A body is read for a type that asks, and to tell JSON-RPC methods apart. */
static bool reads_call(const struct model *model)
{
    for (size_t i = 0; i < model->action_count; i++)
        for (size_t j = 0; j < model->actions[i].operation_count; j++)
            if (view_is_present(model->actions[i].operations[j].call))
                return true;
    return false;
}

static void finish(struct load *load, struct model *model)
{
    model->issuers = load->issuers;
    model->assurances = load->assurances;
    model->roles = load->roles;
    model->actions = load->actions;
    model->types = load->types;
    model->resources = load->resources;
    model->rules = load->rules_made;
    model->reads_body = model->reads_body || reads_call(model);
}

static size_t count_roots(const struct document *documents, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += documents[i].count;
    return total;
}

enum err load_documents(const struct document *documents, size_t count, struct arena *arena, struct arena *scratch,
                        struct diag_list *diags, struct model *model, const struct test_case **tests,
                        size_t *test_count)
{
    size_t errors = diags->errors, roots = count_roots(documents, count);
    struct load load = {.arena = arena, .scratch = scratch, .diags = diags, .model = model};
    *model = (struct model){
        .max_groups = GROUPS_DEFAULT, .max_segments = PATH_SEGMENTS_MAX, .max_path_bytes = PATH_BYTES_MAX};
    if (roots == 0 || roots > DOCUMENTS_MAX) {
        struct span span = {0};
        diag_error(diags, code_text(roots == 0 ? CODE_EMPTY : CODE_LIMIT), &span,
                   roots == 0 ? "no policy document was found" : "more than %d policy documents", DOCUMENTS_MAX);
        return ERR_INVALID;
    }
    take_room(&load, documents, count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < documents[i].count && !load.is_exhausted; j++)
            read_document(&load, documents[i].roots[j]);
    if (load.is_exhausted)
        return ERR_NO_MEMORY;
    finish(&load, model);
    *tests = load.tests;
    *test_count = load.test_count;
    return diags->errors > errors ? ERR_INVALID : ERR_NONE;
}
