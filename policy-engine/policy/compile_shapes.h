/* SPDX-License-Identifier: Apache-2.0 */
/* What operations have in common, of which the program has one each.
 *
 * Equal lists of captures, and equal shapes, are kept once. They are found in the order of the model, which is that
 * of memory; the program has them in the order of its entries. */
#ifndef BARTIZAN_COMPILE_SHAPES_H
#define BARTIZAN_COMPILE_SHAPES_H

#include "program_internal.h"
#include "table.h"

struct shape_builder {
    struct compiler *compiler;
    struct operation_shape *shapes; /* room for one of each operation */
    struct id_capture *captures, *own;
    size_t shape_count, capture_count, capture_room;
    struct table known_shapes, known_captures;
    char *key;
    size_t key_room;
    const struct operation *last; /* whose shape was found last: neighbours mostly have the same */
    struct operation_shape last_shape;
    uint32_t last_index;
};

/* Numbers in the program of what a shape_builder numbered: NO_INDEX until some entry has it. */
struct shape_numbers {
    uint32_t *shapes, *captures;
    struct operation_shape *made; /* of the program */
    struct id_capture *made_captures;
    uint32_t count, capture_count;
};

/* For as many `operations`. ERR_NO_MEMORY. */
MUST_CHECK enum err compile_shapes_open(struct compiler *compiler, size_t operations, struct shape_builder *out);

/* The builder's number of an operation's shape. ERR_NO_MEMORY. */
MUST_CHECK enum err compile_shapes_find(struct shape_builder *b, uint32_t action, uint32_t index, uint32_t *out);

/* When all are found: room in the program. ERR_NO_MEMORY. */
MUST_CHECK enum err compile_shapes_close(const struct shape_builder *b, struct shape_numbers *out);

/* The program's number of a shape that was `found`, for one entry after the other in their order: the first that has
 * a shape is the one that stands for it. */
uint32_t compile_shapes_number(const struct shape_builder *b, struct shape_numbers *numbers, uint32_t found,
                               uint32_t action, uint32_t index);

#endif
