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

static const struct field METADATA_FIELDS[] = {
    FIELD_MUST("name", load_name, struct metadata, name, NAME, "The name of the document."),
    FIELD("namespace", load_name, struct metadata, namespace, NAME, "Where the workload runs; for people."),
    FIELD("revision", load_text, struct metadata, revision, TEXT, "What the writer calls this state of it."),
    FIELD("owner", load_text, struct metadata, owner, TEXT,
          "Who answers for it; rules of priority 8 to 15 want one of `policy.platform_owners` of the configuration."),
    FIELD_WHOLE("labels", read_strings, ENTRIES(TEXT), "As in Kubernetes; nothing is decided on them."),
    FIELD_WHOLE("annotations", read_strings, ENTRIES(TEXT), "As in Kubernetes; nothing is decided on them."),
};
static const struct block METADATA = BLOCK("metadata", "metadata", METADATA_FIELDS);

static void read_metadata(struct load *load, const struct node *node, void *out)
{
    struct metadata metadata = {0};
    (void)out;
    (void)load_map(load, node, &METADATA, &metadata);
}

/* ---- spec ------------------------------------------------------------------------- */

static const struct view PATH_MODES[] = {[PATH_STRICT] = WORD("strict"), [PATH_ENVOY] = WORD("envoy")};

/* How requests are read holds for the whole set: two documents cannot differ. */
static void read_paths(struct load *load, const struct node *node, void *out)
{
    struct model *model = load->model;
    (void)out;
    enum path_mode mode =
        (enum path_mode)load_word(load, node, "a path mode", PATH_MODES, COUNT_OF(PATH_MODES), PATH_STRICT);
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

static const struct field LIMITS_FIELDS[] = {
    FIELD("maxGroups", read_groups, struct limits, groups, NUMBER(1, GROUPS_MAX),
          "Values of one claim that are looked at; a longer list cannot be judged. 128 when left out."),
    FIELD("maxSegments", read_segments, struct limits, segments, NUMBER(1, PATH_SEGMENTS_MAX),
          "Segments a path may have. 64 when left out."),
    FIELD("maxPathBytes", read_path_bytes, struct limits, path_bytes, NUMBER(1, PATH_BYTES_MAX),
          "Bytes a path may have. 8192 when left out."),
};
static const struct block LIMITS = BLOCK("limits", "limits", LIMITS_FIELDS);

static void read_limits(struct load *load, const struct node *node, void *out)
{
    struct model *model = load->model;
    struct limits limits = {GROUPS_DEFAULT, PATH_SEGMENTS_MAX, PATH_BYTES_MAX};
    (void)out;
    (void)load_map(load, node, &LIMITS, &limits);
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
    {WORD("issuers"), load_issuers}, {WORD("assurance"), load_assurances},  {WORD("roles"), load_roles},
    {WORD("actions"), load_actions}, {WORD("resourceTypes"), load_types},   {WORD("resources"), load_resources},
    {WORD("rules"), load_rules},     {WORD("invariants"), load_invariants},
};

#define IMPORTS "Documents of the same set whose block can be referred to here."

static const struct field SPEC_FIELDS[] = {
    FIELD_SEEN("imports", LIST(KEYS(load_import_block)), IMPORTS),
    FIELD_WHOLE("paths", read_paths, ONE_WORD(PATH_MODES),
                "strict: a path that a normaliser would change is refused; envoy: the mesh normalises before us."),
    FIELD_WHOLE("limits", read_limits, KEYS(LIMITS), "How much of a request is looked at."),
    FIELD_SEEN("issuers", NAMED(KEYS(load_issuer_block)), "The identity providers whose tokens are taken, by name."),
    FIELD_SEEN("assurance", NAMED(KEYS(load_assurance_block)), "How sure one must be of a user, by name."),
    FIELD_SEEN("roles", NAMED(KEYS(load_role_block)), "Who: sets of workloads or of users, by name."),
    FIELD_SEEN("actions", NAMED(KEYS(load_action_block)), "What is asked for: sets of operations, by name."),
    FIELD_SEEN("resourceTypes", NAMED(KEYS(load_type_block)), "Where a request names what it is about, by name."),
    FIELD_SEEN("resources", LIST(KEYS(load_resource_block)),
               "Known resources and their labels; the longest match wins."),
    FIELD_SEEN_MUST("rules", LIST(KEYS(load_rule_block)), "What is allowed and denied; their order means nothing."),
    FIELD_SEEN("invariants", LIST(KEYS(load_invariant_block)),
               "What no request, or every request, may get; checked whenever the policy is compiled."),
    FIELD_SEEN("tests", LIST(KEYS(load_test_block)), "Requests and the answers that they must get."),
};
static const struct block SPEC = BLOCK("spec", "spec", SPEC_FIELDS);

static const struct field ROLE_SET_FIELDS[] = {
    FIELD_SEEN("imports", LIST(KEYS(load_import_block)), IMPORTS),
    FIELD_SEEN_MUST("roles", ENTRIES(KEYS(load_role_block)), "Who: sets of workloads or of users, by name."),
};
static const struct block ROLE_SET = BLOCK("roleSet", "the spec of a RoleSet", ROLE_SET_FIELDS);

static const struct field RESOURCE_CATALOG_FIELDS[] = {
    FIELD_SEEN("imports", LIST(KEYS(load_import_block)), IMPORTS),
    FIELD_SEEN("resourceTypes", ENTRIES(KEYS(load_type_block)), "Where a request names what it is about, by name."),
    FIELD_SEEN("resources", LIST(KEYS(load_resource_block)),
               "Known resources and their labels; the longest match wins."),
};
static const struct block RESOURCE_CATALOG =
    BLOCK_SOME("resourceCatalog", "the spec of a ResourceCatalog", RESOURCE_CATALOG_FIELDS);

static const struct field OPERATION_CATALOG_FIELDS[] = {
    FIELD_SEEN("imports", LIST(KEYS(load_import_block)), IMPORTS),
    FIELD_SEEN_MUST("actions", ENTRIES(KEYS(load_action_block)), "What is asked for: sets of operations, by name."),
};
static const struct block OPERATION_CATALOG =
    BLOCK("operationCatalog", "the spec of an OperationCatalog", OPERATION_CATALOG_FIELDS);

static const struct field ISSUER_CATALOG_FIELDS[] = {
    FIELD_SEEN("imports", LIST(KEYS(load_import_block)), IMPORTS),
    FIELD_SEEN_MUST("issuers", ENTRIES(KEYS(load_issuer_block)),
                    "The identity providers whose tokens are taken, by name."),
};
static const struct block ISSUER_CATALOG =
    BLOCK("issuerCatalog", "the spec of an IssuerCatalog", ISSUER_CATALOG_FIELDS);

static const struct block *const SPECS[] = {[DOCUMENT_POLICY] = &SPEC,
                                            [DOCUMENT_ROLES] = &ROLE_SET,
                                            [DOCUMENT_RESOURCES] = &RESOURCE_CATALOG,
                                            [DOCUMENT_OPERATIONS] = &OPERATION_CATALOG,
                                            [DOCUMENT_ISSUERS] = &ISSUER_CATALOG};

static void read_document(struct load *load, struct set_document *document);

static void read_spec(struct load *load, const struct node *node, void *out)
{
    const struct block *spec = SPECS[load->document->kind];
    (void)out;
    if (!load_map(load, node, spec, NULL))
        return;
    load_scope(load, node, read_document);
    for (size_t i = 0; i < COUNT_OF(BLOCKS) && !load->is_exhausted; i++) {
        const struct node *block = node_get(node, BLOCKS[i].key);
        if (block != NULL && block_field(spec, BLOCKS[i].key) != NULL)
            BLOCKS[i].load(load, block);
    }
}

/* ---- documents ---------------------------------------------------------------------- */

static const struct view VERSIONS[] = {WORD("bartizan.dev/v1alpha1")};

static void read_api_version(struct load *load, const struct node *node, void *out)
{
    (void)out;
    if (load_is(load, node, NODE_SCALAR, "apiVersion") && !view_equals(node->text, VERSIONS[0]))
        load_refuse(load, CODE_API_VERSION, node, "write bartizan.dev/v1alpha1",
                    "apiVersion `%.*s` is not one this version reads", VIEW_ARG(node->text));
}

static const struct field DOCUMENT_FIELDS[] = {
    FIELD_WHOLE_MUST("apiVersion", read_api_version, ONE_WORD(VERSIONS), "The version of the language."),
    FIELD_SEEN_MUST("kind", ONE_WORD(load_document_kinds), "What the document is."),
    FIELD_WHOLE_MUST("metadata", read_metadata, KEYS(METADATA), "What it is called, and whose it is."),
    FIELD_WHOLE_MUST("spec", read_spec, KEYS_BY("kind", load_document_kinds, SPECS, SPEC),
                     "What it says, by its kind."),
};
const struct block load_document_block = BLOCK("document", "a document", DOCUMENT_FIELDS);

static bool drops_names(const struct load *load, const struct set_document *document)
{
    return document->kind == DOCUMENT_POLICY && !load->has_tests;
}

/* From here on it is the document being read; NULL: none. */
static void enter(struct load *load, struct set_document *document)
{
    load->document = document;
    load->root = document != NULL ? document->root : NULL;
    load->scope = document != NULL ? &document->scope : NULL;
    load->names = document != NULL && drops_names(load, document) ? &load->own_names : load->scratch;
    if (document != NULL && !view_equals(load->file, document->root->span.file))
        load->file = load_keep(load, document->root->span.file);
}

static void read_document(struct load *load, struct set_document *document)
{
    struct set_document *outer = load->document;
    document->state = DOCUMENT_READING;
    enter(load, document);
    if (document->is_known)
        (void)load_map(load, document->root, &load_document_block, NULL);
    document->state = DOCUMENT_READ;
    if (drops_names(load, document)) {
        arena_free(&load->own_names);
        document->scope = (struct scope){0};
    }
    enter(load, outer);
}

static void read_tests(struct load *load, struct set_document *document)
{
    const struct node *spec = node_get(document->root, VIEW("spec")), *tests = node_get(spec, VIEW("tests"));
    enter(load, document);
    if (tests != NULL && document->is_known && document->kind == DOCUMENT_POLICY)
        load_tests(load, tests);
}

/* ---- the set --------------------------------------------------------------------------- */

/* How many entries all documents have under spec.`key`: the room of one array. */
static size_t count_entries(const struct load *load, struct view key)
{
    size_t total = 0;
    for (size_t i = 0; i < load->document_count; i++) {
        const struct node *block = node_get(node_get(load->documents[i].root, VIEW("spec")), key);
        total += block != NULL ? block->count : 0;
    }
    return total;
}

static void take_room(struct load *load)
{
    load->has_tests = count_entries(load, VIEW("tests")) > 0;
    load->files = load_take(load, DOCUMENTS_MAX, sizeof(*load->files));
    load->model->files = load->files;
    load->issuer_room = count_entries(load, VIEW("issuers"));
    load->issuers = load_take(load, load->issuer_room, sizeof(*load->issuers));
    load->issuer_nodes = arena_take_array(load->scratch, load->issuer_room + 1, sizeof(struct node *));
    load->assurances = load_take(load, count_entries(load, VIEW("assurance")), sizeof(*load->assurances));
    load->roles = load_take(load, count_entries(load, VIEW("roles")), sizeof(*load->roles));
    load->actions = load_take(load, count_entries(load, VIEW("actions")), sizeof(*load->actions));
    load->types = load_take(load, count_entries(load, VIEW("resourceTypes")), sizeof(*load->types));
    load->resources = load_take(load, count_entries(load, VIEW("resources")), sizeof(*load->resources));
    load->invariants = load_take(load, count_entries(load, VIEW("invariants")), sizeof(*load->invariants));
    load->rules_made = load_take(load, count_entries(load, VIEW("rules")), sizeof(*load->rules_made));
    table_init(&load->resource_ids, load->scratch);
    if (load->issuer_nodes == NULL ||
        table_reserve(&load->resource_ids, count_entries(load, VIEW("resources"))) != ERR_NONE)
        load->is_exhausted = true;
}

/* A body is read for a type that asks, and to tell JSON-RPC methods apart. */
static bool reads_call(const struct model *model)
{
    for (size_t i = 0; i < model->action_count; i++)
        for (size_t j = 0; j < model->actions[i].operation_count; j++)
            if (view_is_present(model->actions[i].operations[j].extras->call))
                return true;
    return false;
}

static void add_name(struct string_list *list, struct view *names, struct view name)
{
    for (size_t i = 0; i < list->count; i++)
        if (view_equals(names[i], name))
            return;
    names[list->count++] = name;
}

/* What rules set in a query, and what they set or remove. */
static void collect_queries(struct load *load, struct model *model)
{
    size_t sets = 0, removals = 0;
    for (size_t i = 0; i < model->rule_count; i++) {
        sets += load->rules_made[i].terms->obligations->query_param_count;
        removals += load->rules_made[i].terms->obligations->remove_queries.count;
    }
    struct view *settable = load_take(load, sets, sizeof(*settable));
    struct view *touched = load_take(load, sets + removals, sizeof(*touched));
    if (load->is_exhausted)
        return;
    model->settable_queries.items = settable;
    model->touched_queries.items = touched;
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct obligation_set *set = load->rules_made[i].terms->obligations;
        for (size_t k = 0; k < set->query_param_count; k++) {
            add_name(&model->settable_queries, settable, set->query_params[k].name);
            add_name(&model->touched_queries, touched, set->query_params[k].name);
        }
        for (size_t k = 0; k < set->remove_queries.count; k++)
            add_name(&model->touched_queries, touched, set->remove_queries.items[k]);
    }
}

static void finish(struct load *load, struct model *model)
{
    collect_queries(load, model);
    model->issuers = load->issuers;
    model->assurances = load->assurances;
    model->roles = load->roles;
    model->actions = load->actions;
    model->types = load->types;
    model->resources = load->resources;
    model->rules = load->rules_made;
    model->invariants = load->invariants;
    model->reads_body = model->reads_body || reads_call(model);
}

static size_t count_roots(const struct tape *tapes, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += tapes[i].root_count;
    return total;
}

/* A tape is the largest thing there is: each goes as soon as all of it was read. */
static void read_documents(struct load *load)
{
    for (size_t i = 0; i < load->document_count && !load->is_exhausted; i++) {
        struct set_document *document = &load->documents[i];
        if (document->state == DOCUMENT_UNREAD)
            read_document(load, document);
        if (i + 1 == load->document_count || document[1].tape != document->tape)
            tape_drop(document->tape);
    }
    for (size_t i = 0; i < load->document_count && !load->is_exhausted; i++)
        read_tests(load, &load->documents[i]);
}

enum err load_documents(struct tape *tapes, size_t count, struct arena *arena, struct arena *scratch,
                        struct diag_list *diags, struct model *model, const struct test_case **tests,
                        size_t *test_count)
{
    size_t errors = diags->errors, roots = count_roots(tapes, count);
    struct arena passing;
    struct text_pool *texts = arena_take(scratch, sizeof(*texts));
    struct recent *lists = arena_take_array(scratch, LOAD_RECENT, sizeof(*lists));
    struct load load = {.arena = arena, .scratch = scratch, .passing = &passing, .diags = diags, .model = model};
    *model = (struct model){
        .max_groups = GROUPS_DEFAULT, .max_segments = PATH_SEGMENTS_MAX, .max_path_bytes = PATH_BYTES_MAX};
    if (roots == 0 || roots > DOCUMENTS_MAX) {
        struct span span = {0};
        diag_error(diags, code_text(roots == 0 ? CODE_EMPTY : CODE_LIMIT), &span,
                   roots == 0 ? "no policy document was found" : "more than %d policy documents", DOCUMENTS_MAX);
        return ERR_INVALID;
    }
    if (texts == NULL || lists == NULL)
        return ERR_NO_MEMORY;
    load.texts = texts;
    load.lists = lists;
    arena_init(&passing, scratch->ceiling);
    arena_init(&load.own_names, scratch->ceiling);
    load_survey(&load, tapes, count);
    if (!load.is_exhausted)
        take_room(&load);
    if (!load.is_exhausted)
        read_documents(&load);
    arena_free(&load.own_names);
    arena_free(&passing);
    if (!load.is_exhausted)
        finish(&load, model);
    if (load.is_exhausted)
        return ERR_NO_MEMORY;
    *tests = load.tests;
    *test_count = load.test_count;
    return diags->errors > errors ? ERR_INVALID : ERR_NONE;
}
