/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

const struct shape shape_text = {.kind = SHAPE_TEXT, .title = "text", .takes_numbers = true};
const struct shape shape_value = {.kind = SHAPE_VALUE, .title = "value"};
const struct shape shape_bool = {.kind = SHAPE_BOOL, .title = "true or false"};
const struct shape shape_name = {
    .kind = SHAPE_TEXT, .title = "name", .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", .takes_numbers = true};
const struct shape shape_duration = {
    .kind = SHAPE_TEXT, .title = "duration", .pattern = "^([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"};
const struct shape shape_header = {.kind = SHAPE_TEXT,
                                   .title = "header name",
                                   .pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$",
                                   .takes_numbers = true};
const struct shape shape_host = {.kind = SHAPE_TEXT,
                                 .title = "host",
                                 .pattern =
                                     "^(\\*\\.)?([A-Za-z0-9._-]{1,253}|\\[[0-9A-Fa-f:.]+\\])(:0*[1-9][0-9]{0,4})?$",
                                 .takes_numbers = true};
const struct shape shape_instant = {
    .kind = SHAPE_TEXT,
    .title = "instant",
    .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$"};
const struct shape shape_clock = {
    .kind = SHAPE_TEXT, .title = "hh:mm", .pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"};
const struct shape shape_address = {
    .kind = SHAPE_TEXT, .title = "address range", .pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"};
const struct shape shape_spiffe_id = {.kind = SHAPE_TEXT, .title = "SPIFFE ID", .pattern = "^spiffe://[^*]+$"};
const struct shape shape_anything = {.kind = SHAPE_ANYTHING, .title = "anything"};

const struct field *block_field(const struct block *block, struct view key)
{
    if (key.size == 0)
        return NULL;
    for (const struct field *field = block->fields; field < block->fields + block->count; field++)
        if (field->name.size == key.size && view_equals(field->name, key))
            return field;
    return NULL;
}

static bool takes(const struct shape *shape, enum node_kind kind)
{
    switch (shape->kind) {
    case SHAPE_BLOCK:
    case SHAPE_ENTRIES: return kind == NODE_MAP;
    case SHAPE_LIST: return kind == NODE_LIST;
    case SHAPE_MANY: return kind == NODE_LIST || takes(shape->of, kind);
    case SHAPE_EITHER: return takes(shape->of, kind) || takes(shape->other, kind);
    case SHAPE_TEXT:
    case SHAPE_VALUE:
    case SHAPE_BOOL:
    case SHAPE_NUMBER:
    case SHAPE_WORDS: return kind == NODE_SCALAR;
    case SHAPE_ANYTHING: break;
    }
    return false;
}

const struct shape *shape_for(const struct shape *shape, enum node_kind kind)
{
    while (shape) {
        if (shape->kind == SHAPE_EITHER)
            shape = takes(shape->of, kind) ? shape->of : shape->other;
        else if (shape->kind == SHAPE_MANY && kind != NODE_LIST)
            shape = shape->of;
        else
            break;
    }
    return shape && takes(shape, kind) ? shape : NULL;
}

const struct shape *shape_below(const struct shape *shape, enum node_kind kind, struct view key)
{
    const struct shape *part = shape_for(shape, kind);
    if (kind == NODE_LIST)
        return part ? part->of : shape; /* of a matrix: each element is what its key takes */
    if (!part)
        return NULL;
    if (part->kind == SHAPE_ENTRIES)
        return part->of;
    const struct field *field = block_field(part->block, key);
    return field ? field->shape : NULL;
}
