/* SPDX-License-Identifier: Apache-2.0 */
/* What a decider says about the trust bundles in force. */
#ifndef BARTIZAN_BUNDLE_STATUS_H
#define BARTIZAN_BUNDLE_STATUS_H

#include "trust_bundles.h"

#include <stdio.h>

/* The array `domains` of snapshot.bundles in GET /status, in order of name; docs/admin-api.md. */
void bundle_status_write(const struct trust_bundles *bundles, FILE *out);

#endif
