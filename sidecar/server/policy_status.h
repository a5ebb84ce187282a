/* SPDX-License-Identifier: Apache-2.0 */
/* What a decider says about the standing of the policy in force. */
#ifndef BARTIZAN_POLICY_STATUS_H
#define BARTIZAN_POLICY_STATUS_H

#include "policy_gate.h"

#include <stdio.h>

enum { POLICY_STANDING_TEXT = 256 };

/* The members `compiled` and `signature` of snapshot.policy in GET /status, with a comma in front. */
void policy_status_write(const struct policy_standing *standing, int64_t now, FILE *out);

/* Its metrics; docs/metrics.md. Nothing for a policy that nobody signed. */
void policy_status_write_metrics(const struct policy_standing *standing, FILE *out);

/* "revision 42, signed by the key 1a2b3c4d5e6f7081, good until 2027-01-01T00:00:00Z", or empty for one that
 * nobody signed; the view is into `text`. */
struct view policy_status_text(const struct policy_standing *standing, char text[POLICY_STANDING_TEXT]);

/* Why it cannot decide, and what becomes of checks then; empty while it can. */
struct view policy_status_objection(const struct policy_standing *standing, const struct config *config, int64_t now,
                                    char text[POLICY_STANDING_TEXT]);

#endif
