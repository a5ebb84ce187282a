/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of any size for the sweep, and requests that are aimed at their rules.
 *
 * A shape writes YAML as an operator would, in documents of at most RULES_PER_DOCUMENT
 * rules, for a document ends at 8 MiB. Nothing is random: the same size gives the same text. */
#ifndef BARTIZAN_BENCH_POLICY_SHAPES_H
#define BARTIZAN_BENCH_POLICY_SHAPES_H

#include "policy.h"

#include <stdio.h>

enum { RULES_PER_DOCUMENT = 34000 };

/* A part of a policy: rules first .. first + count - 1 of `rules`. */
struct shape_part {
    size_t rules;
    size_t first, count;
    size_t document; /* 0, 1 .. */
};

struct policy_shape {
    const char *name;
    void (*write)(const struct shape_part *part, FILE *out);
    /* A request that rule `j` of the part allows, or (`is_miss`) one atom away from it, which no rule allows. */
    void (*aim)(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena, struct facts *out);
};

/* The shape of that name, or NULL. */
const struct policy_shape *policy_shape_find(struct view name);

/* The part that rule `rule` of `rules` stands in, all of it. */
struct shape_part policy_shape_part(size_t rules, size_t rule);

/* The YAML of a part, malloc'ed; absent when there is no memory. */
struct view policy_shape_text(const struct policy_shape *shape, const struct shape_part *part);

/* One rule of `rules` after the other, spread evenly but not regularly; *state begins as 0. */
size_t policy_shape_pick(size_t rules, uint64_t *state);

#endif
