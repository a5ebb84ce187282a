/* SPDX-License-Identifier: Apache-2.0 */
/* What a decider says about `bartizan feed`, out of the stamp that it leaves (feed_stamp.h). */
#ifndef BARTIZAN_FEED_STATUS_H
#define BARTIZAN_FEED_STATUS_H

#include "config.h"

#include <stdio.h>

/* The member `feed` of GET /status, with a comma in front; null where nothing comes from the Workload
 * API; docs/admin-api.md. */
void feed_status_write(const struct config *config, FILE *out);

/* Its metrics; docs/metrics.md. Nothing where nothing comes from there. */
void feed_status_write_metrics(const struct config *config, FILE *out);

#endif
