/* SPDX-License-Identifier: Apache-2.0 */
/* What of a policy its tests exercise.
 *
 * A rule is exercised when it decided some test; an action when some test's request is
 * one of it; a resource when a test's request is about that entry; a role when some
 * test's caller holds it; an assurance when a rule that wants it came as far as asking. */
#ifndef BARTIZAN_COVERAGE_H
#define BARTIZAN_COVERAGE_H

#include "arena.h"
#include "decision.h"
#include "facts.h"
#include "model.h"

enum coverage_part {
    COVERAGE_RULES = 0,
    COVERAGE_ACTIONS,
    COVERAGE_RESOURCES,
    COVERAGE_ROLES,
    COVERAGE_ASSURANCES,
    COVERAGE_PARTS,
};

struct coverage {
    const struct model *model;
    bool *is_seen[COVERAGE_PARTS]; /* by index in the model */
    size_t total[COVERAGE_PARTS];
};

/* ERR_NO_MEMORY. The model must outlive it. */
MUST_CHECK enum err coverage_init(struct coverage *coverage, const struct model *model, struct arena *arena);

/* Takes one test into account: its request, and what was decided. ERR_NO_MEMORY. */
MUST_CHECK enum err coverage_add(struct coverage *coverage, const struct facts *facts, const struct decision *decision);

/* "rules", "actions", "resources", "roles", "assurances". */
const char *coverage_part_name(enum coverage_part part);

/* How element `index` of a part is called: its name, or "type id" of a resource. */
struct view coverage_name(const struct coverage *coverage, enum coverage_part part, size_t index, struct arena *arena);

/* Where it stands. */
struct span coverage_span(const struct coverage *coverage, enum coverage_part part, size_t index);

/* How many of the part were exercised. */
size_t coverage_seen(const struct coverage *coverage, enum coverage_part part);

#endif
