/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of a set and what they share. An import brings in the block of the
 * imported document, and nothing that that one imports itself. */
#include "load.h"

const struct view load_document_kinds[5] = {[DOCUMENT_POLICY] = WORD("AccessPolicy"),
                                            [DOCUMENT_ROLES] = WORD("RoleSet"),
                                            [DOCUMENT_RESOURCES] = WORD("ResourceCatalog"),
                                            [DOCUMENT_OPERATIONS] = WORD("OperationCatalog"),
                                            [DOCUMENT_ISSUERS] = WORD("IssuerCatalog")};

/* ---- what there is --------------------------------------------------------------- */

static bool read_kind(struct load *load, const struct node *root, enum document_kind *out)
{
    const struct node *kind = node_get(root, VIEW("kind"));
    if (kind == NULL || kind->kind != NODE_SCALAR) {
        load_refuse(load, CODE_KIND, kind != NULL ? kind : root, "write kind: AccessPolicy",
                    "a document without a kind");
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(load_document_kinds); i++)
        if (view_equals(kind->text, load_document_kinds[i])) {
            *out = (enum document_kind)i;
            return true;
        }
    struct view near = diag_nearest(kind->text, load_document_kinds, COUNT_OF(load_document_kinds));
    struct view hint = VIEW("AccessPolicy, RoleSet, ResourceCatalog, OperationCatalog or IssuerCatalog");
    if (view_is_present(near))
        hint = arena_print(load->scratch, "did you mean `%.*s`?", VIEW_ARG(near));
    load_refuse(load, CODE_KIND, kind, hint.data, "a document of kind `%.*s` is no policy", VIEW_ARG(kind->text));
    return false;
}

struct set_document *load_document(const struct load *load, enum document_kind kind, struct view name)
{
    for (size_t i = 0; i < load->document_count; i++)
        if (load->documents[i].is_known && load->documents[i].kind == kind && view_is_present(name) &&
            view_equals(load->documents[i].name, name))
            return &load->documents[i];
    return NULL;
}

/* Blocks with an element for each of thousands of rules. */
static const struct view LONG_NAMES[] = {WORD("actions"), WORD("resources"), WORD("rules")};
static const struct string_set LONG_BLOCKS = {.items = LONG_NAMES, .count = COUNT_OF(LONG_NAMES)};

static void survey_one(struct load *load, struct tape *tape, size_t entry)
{
    const struct node *root = document_node(tape, entry, &LONG_BLOCKS, load->scratch);
    struct set_document document = {.tape = tape, .root = root};
    load->root = root;
    if (root == NULL) {
        load->is_exhausted = true;
        return;
    }
    document.is_known = load_is(load, root, NODE_MAP, "a document") && read_kind(load, root, &document.kind);
    const struct node *metadata = document.is_known ? node_get(root, VIEW("metadata")) : NULL;
    const struct node *name = node_get(metadata, VIEW("name")), *owner = node_get(metadata, VIEW("owner"));
    if (name != NULL && name->kind == NODE_SCALAR)
        document.name = name->text;
    if (owner != NULL && owner->kind == NODE_SCALAR)
        document.owner = load_keep(load, owner->text);
    const struct set_document *first = load_document(load, document.kind, document.name);
    if (document.is_known && first != NULL) {
        struct span span = first->root->span;
        struct view hint =
            arena_print(load->scratch, "the first is at %.*s:%u:%u", VIEW_ARG(span.file), span.line, span.column);
        load_refuse(load, CODE_DUPLICATE, name, hint.data, "two documents of kind %.*s are called `%.*s`",
                    VIEW_ARG(load_document_kinds[document.kind]), VIEW_ARG(document.name));
    }
    load->documents[load->document_count++] = document;
}

void load_survey(struct load *load, struct tape *tapes, size_t count)
{
    size_t total = 0;
    bool has_policy = false;
    for (size_t i = 0; i < count; i++)
        total += tapes[i].root_count;
    load->documents = arena_take_array(load->scratch, total, sizeof(*load->documents));
    if (load->documents == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t entry = 0; entry < tapes[i].count && !load->is_exhausted; entry = tape_after(&tapes[i], entry))
            survey_one(load, &tapes[i], entry);
    for (size_t i = 0; i < load->document_count; i++)
        has_policy = has_policy || !load->documents[i].is_known || load->documents[i].kind == DOCUMENT_POLICY;
    if (!has_policy && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, NULL, "add a document of kind AccessPolicy with the rules",
                    "catalogs alone decide nothing");
}

/* ---- imports ----------------------------------------------------------------------- */

struct import {
    size_t kind; /* enum document_kind */
    struct view name;
};

static void read_import_kind(struct load *load, const struct node *node, void *out)
{
    /* The first kind is the policy itself, which nobody imports. */
    *(size_t *)out = 1 + load_word(load, node, "a kind that can be imported", load_document_kinds + 1,
                                   COUNT_OF(load_document_kinds) - 1, 0);
}

static const struct shape IMPORT_KIND = {
    .kind = SHAPE_WORDS, .words = load_document_kinds + 1, .word_count = COUNT_OF(load_document_kinds) - 1};

static const struct field IMPORT_FIELDS[] = {
    FIELD_MUST("kind", read_import_kind, struct import, kind, &IMPORT_KIND, "What the document is."),
    FIELD_MUST("name", load_name, struct import, name, NAME, "Its metadata.name."),
};
const struct block load_import_block = BLOCK("import", "an import", IMPORT_FIELDS);

static struct set_document *read_import(struct load *load, const struct node *node)
{
    struct import import = {0};
    size_t errors = load->diags->errors;
    if (!load_map(load, node, &load_import_block, &import) || load->diags->errors > errors)
        return NULL;
    struct set_document *document = load_document(load, (enum document_kind)import.kind, import.name);
    if (document == NULL)
        load_refuse(load, CODE_IMPORT, node, "it must be in the same file or folder",
                    "the set has no %.*s called `%.*s`", VIEW_ARG(load_document_kinds[import.kind]),
                    VIEW_ARG(import.name));
    else if (document->state == DOCUMENT_READING)
        load_refuse(load, CODE_IMPORT, node, "put what both need into a third document",
                    "importing `%.*s` leads back to this document", VIEW_ARG(import.name));
    return document != NULL && document->state != DOCUMENT_READING ? document : NULL;
}

static void share(struct load *load, const struct node *import, const struct names *from, const char *what,
                  struct names *to)
{
    for (size_t i = 0; i < from->count && !load->is_exhausted; i++) {
        enum err err = names_share(to, from, i);
        if (err == ERR_CONFLICT) {
            load_refuse(load, CODE_DUPLICATE, import, NULL, "%s `%.*s` comes from two imports", what,
                        VIEW_ARG(from->names[i].key));
            continue;
        }
        load->is_exhausted = load->is_exhausted || err != ERR_NONE;
    }
}

static size_t own_count(const struct node *spec, struct view key)
{
    const struct node *block = node_get(spec, key);
    return block != NULL ? block->count : 0;
}

/* What one imported document can bring in. */
static const struct {
    struct view key;
    const char *what;
    enum document_kind kind;
    size_t offset; /* in struct scope */
} SHARED[] = {
    {WORD("issuers"), "issuer", DOCUMENT_ISSUERS, offsetof(struct scope, issuers)},
    {WORD("assurance"), "assurance", DOCUMENT_POLICY, offsetof(struct scope, assurances)},
    {WORD("roles"), "role", DOCUMENT_ROLES, offsetof(struct scope, roles)},
    {WORD("actions"), "action", DOCUMENT_OPERATIONS, offsetof(struct scope, actions)},
    {WORD("resourceTypes"), "resource type", DOCUMENT_RESOURCES, offsetof(struct scope, types)},
};

static struct names *names_of(struct scope *scope, size_t block)
{
    return (struct names *)(void *)((char *)scope + SHARED[block].offset);
}

/* Names that stand in an imported document because they were defined there. */
static size_t count_shared(const struct set_document *document, size_t block)
{
    return document->kind == SHARED[block].kind ? own_count(node_get(document->root, VIEW("spec")), SHARED[block].key)
                                                : 0;
}

/* The last names of its scope are its own; those before came by its imports. */
static struct names own_names(struct set_document *document, size_t block)
{
    struct names all = *names_of(&document->scope, block);
    size_t imported = document->scope.imported[block];
    if (all.count <= imported) /* none, or a document whose block could not be read */
        return (struct names){0};
    return (struct names){
        .names = all.names + imported, .definitions = all.definitions + imported, .count = all.count - imported};
}

void load_scope(struct load *load, const struct node *spec, void (*read)(struct load *, struct set_document *))
{
    const struct node *imports = node_get(spec, VIEW("imports"));
    size_t count = imports != NULL && load_is(load, imports, NODE_LIST, "imports") ? imports->count : 0;
    struct set_document **imported = arena_take_array(load->scratch, count + 1, sizeof(*imported));
    struct scope *scope = load->scope;
    if (imported == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < count && !load->is_exhausted; i++) {
        imported[i] = read_import(load, imports->items[i]);
        if (imported[i] != NULL && imported[i]->state == DOCUMENT_UNREAD)
            read(load, imported[i]);
    }
    for (size_t block = 0; block < COUNT_OF(SHARED) && !load->is_exhausted; block++) {
        size_t room = own_count(spec, SHARED[block].key);
        for (size_t i = 0; i < count; i++)
            room += imported[i] != NULL ? count_shared(imported[i], block) : 0;
        names_init(load, names_of(scope, block), room);
        for (size_t i = 0; i < count && !load->is_exhausted; i++) {
            if (imported[i] == NULL || imported[i]->kind != SHARED[block].kind)
                continue;
            struct names own = own_names(imported[i], block);
            share(load, imports->items[i], &own, SHARED[block].what, names_of(scope, block));
        }
        scope->imported[block] = names_of(scope, block)->count;
    }
    if (!load->is_exhausted)
        names_init(load, &scope->rules, own_count(spec, VIEW("rules")));
    scope->first_role = load->model->role_count;
}
