/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one rule always decides before another, by the shape of both.
 *
 * One-sided: true is certain, false says nothing. */
#ifndef BARTIZAN_LINT_COVERS_H
#define BARTIZAN_LINT_COVERS_H

#include "model.h"

/* True when `broad` holds for every request for which `narrow` does and is preferred to it. */
bool lint_covers(const struct rule *broad, const struct rule *narrow);

#endif
