/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "path_pattern.h"

/* ---- resource types ----------------------------------------------------------------- */

static void read_type_hosts(struct load *load, const struct node *node, void *out)
{
    struct resource_type *type = out;
    struct host_list hosts = {0};
    load_hosts(load, node, &hosts);
    type->hosts = hosts.items;
    type->host_count = hosts.count;
}

static void read_id_source(struct load *load, const struct node *node, void *out)
{
    struct id_source *source = out;
    struct view text;
    load_text(load, node, &text);
    size_t dot = view_index_of(text, '.', 0);
    struct view from = view_slice(text, 0, dot);
    source->name = view_slice(text, dot + 1, text.size);
    if (view_starts_with(text, VIEW("="))) {
        *source = (struct id_source){.kind = ID_LITERAL, .name = view_slice(text, 1, text.size)};
    } else if (view_equals(from, VIEW("path"))) {
        source->kind = ID_PATH;
    } else if (view_equals(text, VIEW("body.model"))) {
        source->kind = ID_BODY_MODEL;
    } else if (view_equals(text, VIEW("body.tool"))) {
        source->kind = ID_BODY_TOOL;
    } else if (view_equals(from, VIEW("header"))) {
        struct node name = *node;
        name.text = source->name;
        source->kind = ID_HEADER;
        load_read_header(load, &name, &source->name);
    } else {
        source->name = (struct view){0};
    }
    if (text.size > 0 && source->name.size == 0)
        load_refuse(load, CODE_RESOURCE_ID, node, "write path.VARIABLE, body.model, body.tool, header.NAME or =literal",
                    "`%.*s` is no place to find an id", VIEW_ARG(text));
}

static void read_ids(struct load *load, const struct node *node, void *out)
{
    struct resource_type *type = out;
    struct id_source *ids = load_array(load, node, sizeof(*ids), read_id_source, &type->id_count);
    type->ids = ids;
    for (size_t i = 0; i < type->id_count; i++) {
        if (ids[i].kind == ID_LITERAL && type->id_count > 1)
            load_refuse(load, CODE_RESOURCE_ID, node, NULL, "`=%.*s` must be the only source", VIEW_ARG(ids[i].name));
        load->model->reads_body |= ids[i].kind == ID_BODY_MODEL || ids[i].kind == ID_BODY_TOOL;
    }
    if (type->id_count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, NULL, "the list is empty");
}

/* A path variable that no operation of the document captures would never give an id. */
static void check_variables(struct load *load, const struct node *node, const struct resource_type *type)
{
    for (size_t i = 0; i < type->id_count; i++) {
        bool is_refused = view_is_empty(type->ids[i].name);
        if (type->ids[i].kind != ID_PATH || is_refused || load->scope->actions.count == 0)
            continue;
        bool is_captured = false;
        for (size_t j = 0; j < load->scope->actions.count && !is_captured; j++) {
            const struct action *action = &load->actions[load->scope->actions.definitions[j].index];
            for (size_t k = 0; k < action->operation_count && !is_captured; k++) {
                const struct path_pattern *path = action->operations[k].path;
                is_captured = path != NULL && path_pattern_variable(path, type->ids[i].name) < path->variable_count;
            }
        }
        if (!is_captured)
            load_refuse(load, CODE_RESOURCE_ID, node, NULL, "no action of this document captures `{%.*s}`",
                        VIEW_ARG(type->ids[i].name));
    }
}

static const struct shape ID_SOURCE = {.title = "id source",
                                       .pattern = "^(path\\..+|body\\.model|body\\.tool|header\\..+|=.+)$"};

static const struct field TYPE_FIELDS[] = {
    FIELD_WHOLE("hosts", read_type_hosts, MANY(HOST), "Left out: requests to any host."),
    FIELD_WHOLE_MUST("id", read_ids, MANY(&ID_SOURCE),
                     "Where a request names it: path.VARIABLE, body.model, body.tool, header.NAME, or =literal alone."),
};
const struct block load_type_block = BLOCK("resourceType", "a resource type", TYPE_FIELDS);

void load_types(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_MAP, "resourceTypes"))
        return;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        size_t index = load->model->type_count;
        if (!names_add(load, &load->scope->types, node->keys[i], "resource type", index))
            continue;
        struct resource_type *type = &load->types[index];
        *type = (struct resource_type){
            .index = index, .name = load_keep(load, node->keys[i]->text), .span = load_position(load, node->keys[i])};
        load->model->type_count++;
        if (load_map(load, node->items[i], &load_type_block, type))
            check_variables(load, node->items[i], type);
    }
}

/* ---- resources ------------------------------------------------------------------------ */

static void read_type_name(struct load *load, const struct node *node, void *out)
{
    struct resource *resource = out;
    size_t index;
    if (names_find(load, &load->scope->types, node, CODE_UNKNOWN_TYPE, "resource type", &index))
        resource->type = &load->types[index];
}

void load_id_pattern(struct load *load, const struct node *node, void *out)
{
    struct id_pattern *id = out;
    load_text(load, node, &id->text);
    id->is_prefix = view_ends_with(id->text, VIEW("*"));
    id->text = view_slice(id->text, 0, id->text.size - id->is_prefix);
    if (view_index_of(id->text, '*', 0) < id->text.size)
        load_refuse(load, CODE_RESOURCE_ID, node, "`*` stands at the end only",
                    "`%.*s` is neither a literal nor a prefix", VIEW_ARG(node->text));
}

static void read_labels(struct load *load, const struct node *node, void *out)
{
    struct resource *resource = out;
    if (!load_is(load, node, NODE_MAP, "labels"))
        return;
    if (node->count > DECISION_LABELS_MAX) {
        load_refuse(load, CODE_LIMIT, node, NULL, "a resource has at most %d labels", DECISION_LABELS_MAX);
        return;
    }
    struct label *labels = load_take(load, node->count, sizeof(*labels));
    for (size_t i = 0; labels != NULL && i < node->count; i++) {
        load_name(load, node->keys[i], &labels[i].key);
        load_text(load, node->items[i], &labels[i].value);
    }
    resource->labels = labels;
    resource->label_count = labels != NULL ? (uint32_t)node->count : 0;
}

static const struct shape ID_PATTERN = {.title = "literal or prefix*", .pattern = "^[^*]*\\*?$", .takes_numbers = true};

static const struct field RESOURCE_FIELDS[] = {
    FIELD_WHOLE_MUST("type", read_type_name, NAME, "One of `resourceTypes`."),
    FIELD_MUST("id", load_id_pattern, struct resource, id, &ID_PATTERN, "A literal, or a prefix that ends in `*`."),
    FIELD_WHOLE("labels", read_labels, NAMED(TEXT), "What is known of it; rules ask for it."),
};
const struct block load_resource_block = BLOCK("resource", "a resource", RESOURCE_FIELDS);

static void refuse_twice(struct load *load, const struct node *node, const struct resource *first)
{
    struct span span = model_span(load->model, first->span);
    struct view hint = arena_print(load->scratch, "the first is at %.*s:%u", VIEW_ARG(span.file), span.line);
    load_refuse(load, CODE_DUPLICATE, node, hint.data, "the resource is listed twice");
}

static void read_resource(struct load *load, const struct node *node)
{
    size_t index = load->model->resource_count;
    struct resource *resource = &load->resources[index];
    *resource = (struct resource){.index = (uint32_t)index, .span = load_position(load, node)};
    if (!load_map(load, node, &load_resource_block, resource) || resource->type == NULL)
        return;
    load->model->resource_count++;
    struct view key = arena_print(load->scratch, "%zu/%.*s%s", resource->type->index, VIEW_ARG(resource->id.text),
                                  resource->id.is_prefix ? "*" : "");
    enum err err = view_is_present(key) ? table_put(&load->resource_ids, key, index) : ERR_NO_MEMORY;
    size_t first = 0;
    if (err == ERR_NO_MEMORY)
        load->is_exhausted = true;
    else if (err == ERR_CONFLICT && table_find(&load->resource_ids, key, &first))
        refuse_twice(load, node, &load->resources[first]);
}

void load_resources(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_LIST, "resources"))
        return;
    struct document_walk walk = document_walk(load->document->tape, node);
    const struct node *key, *item;
    while (load_next(load, node, &walk, &key, &item))
        read_resource(load, item);
}
