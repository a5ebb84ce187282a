/* SPDX-License-Identifier: Apache-2.0 */
/* Where the Workload API is: `workload_api.endpoint`, else the environment. */
#ifndef BARTIZAN_FEED_ENDPOINT_H
#define BARTIZAN_FEED_ENDPOINT_H

#include "config.h"
#include "workload_endpoint.h"

/* EXIT_GOOD and the address in gRPC's form, or EXIT_DATA and why not is told on standard error. */
int feed_endpoint(const struct config *config, char target[WORKLOAD_ENDPOINT_TARGET_MAX]);

#endif
