/* SPDX-License-Identifier: Apache-2.0 */
/* The two policies of a snapshot: the one that decides and its shadow. */
#ifndef BARTIZAN_POLICY_PARTS_H
#define BARTIZAN_POLICY_PARTS_H

#include "part.h"

/* Each builds its part of b->next, or shares that of b->previous where nothing changed. */
MUST_CHECK enum err policy_parts_build(struct builder *b);
MUST_CHECK enum err policy_parts_build_shadow(struct builder *b);

/* The policy of `from`, with its standing. */
void policy_parts_keep(struct builder *b, const struct snapshot_owner *from);

/* True when the gate would still let pass the policy of `policies`, which is to follow that of b->previous. */
bool policy_parts_hold(const struct builder *b, const struct snapshot_owner *policies);

#endif
