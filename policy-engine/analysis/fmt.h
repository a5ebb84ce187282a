/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's text in its one canonical form, comments kept.
 *
 * Two spaces of indentation; the keys of the language in the order of its reference,
 * names that the writer chose in the writer's order; a flow collection stays one while
 * it fits on its line and has no comment inside; scalars as they were written; at most
 * one empty line in a row. A text that cannot be laid out so that it means the same, has
 * the same comments and would not change when formatted again is refused. */
#ifndef BARTIZAN_FMT_H
#define BARTIZAN_FMT_H

#include "arena.h"
#include "diag.h"

enum { FMT_WIDTH = 120 };

/* ERR_INVALID: `text` is no YAML that a policy can be, see `diags`. ERR_UNSUPPORTED: it
 * cannot be formatted faithfully. *out lives in `arena`. */
MUST_CHECK enum err fmt(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                        struct view *out);

#endif
