/* SPDX-License-Identifier: Apache-2.0 */
#include "compile_shapes.h"

/* ---- ids that paths hold (S11) ------------------------------------------- */

static bool capture_find(const struct resource_type *type, const struct operation *operation, size_t source,
                         struct id_capture *out)
{
    if (type->ids[source].kind != ID_PATH || operation->kind != OPERATION_HTTP)
        return false;
    const struct path_pattern *path = operation->path;
    for (size_t i = 0; i < path->segment_count; i++) {
        if (path->segments[i].kind != PATTERN_VARIABLE || !view_equals(path->segments[i].text, type->ids[source].name))
            continue;
        bool has_verb = i + 1 == path->segment_count && view_is_present(path->verb);
        *out = (struct id_capture){.type = (uint32_t)type->index,
                                   .segment = (uint32_t)i,
                                   .suffix = has_verb ? (uint32_t)path->verb.size + 1 : 0};
        return true;
    }
    return false;
}

/* What the path of an operation captures: all sources of all types at most. */
static uint32_t captures_list(const struct model *model, const struct operation *operation, struct id_capture *out)
{
    uint32_t count = 0;
    for (size_t t = 0; t < model->type_count; t++)
        for (size_t i = 0; i < model->types[t].id_count; i++)
            count += capture_find(&model->types[t], operation, i, &out[count]);
    return count;
}

/* ---- what operations have in common ---------------------------------------- */

enum err compile_shapes_open(struct compiler *compiler, size_t operations, struct shape_builder *out)
{
    size_t sources = 0;
    for (size_t t = 0; t < compiler->model->type_count; t++)
        sources += compiler->model->types[t].id_count;
    *out = (struct shape_builder){
        .compiler = compiler,
        .shapes = arena_take_array(&compiler->work, operations + 1, sizeof *out->shapes),
        .own = arena_take_array(&compiler->work, sources + 1, sizeof *out->own),
    };
    table_init(&out->known_shapes, &compiler->work);
    table_init(&out->known_captures, &compiler->work);
    return out->shapes && out->own ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err captures_keep(struct shape_builder *b, uint32_t count, uint32_t *first)
{
    struct view bytes = {.data = (const char *)b->own, .size = count * sizeof *b->own};
    size_t at = b->capture_count;
    *first = 0;
    if (count == 0)
        return ERR_NONE;
    if (!table_find(&b->known_captures, bytes, &at)) {
        if (b->capture_count + count > b->capture_room) {
            size_t room = 2 * (b->capture_count + count);
            struct id_capture *captures = arena_take_array(&b->compiler->work, room, sizeof *captures);
            if (!captures)
                return ERR_NO_MEMORY;
            if (b->capture_count > 0)
                memcpy(captures, b->captures, b->capture_count * sizeof *captures);
            b->captures = captures;
            b->capture_room = room;
        }
        bytes = arena_copy(&b->compiler->work, bytes);
        if (!view_is_present(bytes))
            return ERR_NO_MEMORY;
        TRY(table_put(&b->known_captures, bytes, at));
        memcpy(b->captures + at, b->own, count * sizeof *b->own);
        b->capture_count += count;
    }
    *first = (uint32_t)at;
    return ERR_NONE;
}

static char *text_write(struct view text, char *at)
{
    memcpy(at, &text.size, sizeof text.size);
    at += sizeof text.size;
    if (text.size > 0)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

/* Bytes that are equal when the shapes are. */
static enum err shape_key(struct shape_builder *b, const struct operation *operation,
                          const struct operation_shape *shape, struct view *out)
{
    const uint32_t numbers[] = {shape->captures, shape->capture_count, shape->parts, (uint32_t)operation->methods.count,
                                (uint32_t)operation->host_count};
    size_t size = sizeof numbers;
    for (size_t i = 0; i < operation->methods.count; i++)
        size += sizeof(size_t) + operation->methods.items[i].size;
    for (size_t i = 0; i < operation->host_count; i++)
        size += sizeof(size_t) + operation->hosts[i].name.size + sizeof(uint32_t);
    if (size > b->key_room && !(b->key = arena_take(&b->compiler->work, b->key_room = 2 * size)))
        return ERR_NO_MEMORY;
    memcpy(b->key, numbers, sizeof numbers);
    char *at = b->key + sizeof numbers;
    for (size_t i = 0; i < operation->methods.count; i++)
        at = text_write(operation->methods.items[i], at);
    for (size_t i = 0; i < operation->host_count; i++) {
        const struct host_pattern *host = &operation->hosts[i];
        uint32_t rest = (uint32_t)host->port << 1 | (host->is_suffix ? 1 : 0);
        at = text_write(host->name, at);
        memcpy(at, &rest, sizeof rest);
        at += sizeof rest;
    }
    *out = (struct view){.data = b->key, .size = size};
    return ERR_NONE;
}

static enum err shape_keep(struct shape_builder *b, const struct operation *operation,
                           const struct operation_shape *shape, uint32_t *out)
{
    size_t index = b->shape_count;
    struct view key;
    TRY(shape_key(b, operation, shape, &key));
    if (!table_find(&b->known_shapes, key, &index)) {
        key = arena_copy(&b->compiler->work, key);
        if (!view_is_present(key))
            return ERR_NO_MEMORY;
        TRY(table_put(&b->known_shapes, key, index));
        b->shapes[b->shape_count++] = *shape;
    }
    *out = (uint32_t)index;
    return ERR_NONE;
}

/* Whether it has the shape that was found last, as far as that shows without a look at each byte. */
static bool is_as_last(const struct shape_builder *b, const struct operation *operation,
                       const struct operation_shape *shape)
{
    const struct operation *last = b->last;
    return last && last->methods.items == operation->methods.items && last->methods.count == operation->methods.count &&
           last->hosts == operation->hosts && last->host_count == operation->host_count &&
           b->last_shape.parts == shape->parts && b->last_shape.capture_count == shape->capture_count &&
           (shape->capture_count == 0 ||
            memcmp(b->captures + b->last_shape.captures, b->own, shape->capture_count * sizeof *b->own) == 0);
}

enum err compile_shapes_find(struct shape_builder *b, uint32_t action, uint32_t index, uint32_t *out)
{
    const struct operation *operation = &b->compiler->model->actions[action].operations[index];
    struct operation_shape shape = {.action = action, .operation = index};
    shape.capture_count = captures_list(b->compiler->model, operation, b->own);
    shape.parts = (operation->extras->query_count > 0 ? (uint32_t)OPERATION_QUERIES : 0) |
                  (view_is_present(operation->extras->call) ? (uint32_t)OPERATION_CALL : 0) |
                  (operation->body != BODY_PROTOCOL_NONE ? (uint32_t)OPERATION_BODY : 0);
    if (!is_as_last(b, operation, &shape)) {
        TRY(captures_keep(b, shape.capture_count, &shape.captures));
        TRY(shape_keep(b, operation, &shape, &b->last_index));
        b->last = operation;
        b->last_shape = shape;
    }
    *out = b->last_index;
    return ERR_NONE;
}

enum err compile_shapes_close(const struct shape_builder *b, struct shape_numbers *out)
{
    struct compiler *c = b->compiler;
    *out = (struct shape_numbers){
        .shapes = arena_take_unset(&c->work, (b->shape_count + 1) * sizeof *out->shapes),
        .captures = arena_take_unset(&c->work, (b->capture_count + 1) * sizeof *out->captures),
        .made = arena_take_array(c->arena, b->shape_count, sizeof *out->made),
        .made_captures = arena_take_array(c->arena, b->capture_count, sizeof *out->made_captures),
    };
    if (!out->shapes || !out->captures || !out->made || !out->made_captures)
        return ERR_NO_MEMORY;
    memset(out->shapes, 0xff, (b->shape_count + 1) * sizeof *out->shapes);
    memset(out->captures, 0xff, (b->capture_count + 1) * sizeof *out->captures);
    c->program->shapes = out->made;
    c->program->captures = out->made_captures;
    return ERR_NONE;
}

uint32_t compile_shapes_number(const struct shape_builder *b, struct shape_numbers *numbers, uint32_t found,
                               uint32_t action, uint32_t index)
{
    uint32_t *number = &numbers->shapes[found];
    if (*number != NO_INDEX)
        return *number;
    struct operation_shape shape = b->shapes[found];
    uint32_t *first = &numbers->captures[shape.captures];
    if (shape.capture_count > 0 && *first == NO_INDEX) {
        *first = numbers->capture_count;
        memcpy(numbers->made_captures + *first, b->captures + shape.captures,
               shape.capture_count * sizeof *b->captures);
        numbers->capture_count += shape.capture_count;
    }
    shape.captures = shape.capture_count > 0 ? *first : 0;
    shape.action = action;
    shape.operation = index;
    numbers->made[numbers->count] = shape;
    return *number = numbers->count++;
}
