/* SPDX-License-Identifier: Apache-2.0 */
/* What a decider says about the policy under policy.shadow. */
#ifndef BARTIZAN_SHADOW_STATUS_H
#define BARTIZAN_SHADOW_STATUS_H

#include "shadow_log.h"
#include "snapshot.h"

#include <stdio.h>

/* The member `shadow` of GET /status, with a comma in front; docs/admin-api.md. */
void shadow_status_write(struct shadow_log *log, const struct config *config, const struct snapshot *snapshot,
                         FILE *out);

/* Its metrics; docs/metrics.md. A rule's name is the policy's, its quotes escaped. */
void shadow_status_write_metrics(struct shadow_log *log, FILE *out);

#endif
