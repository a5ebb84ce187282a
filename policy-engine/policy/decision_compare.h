/* SPDX-License-Identifier: Apache-2.0 */
/* Two answers to one request, compared in all that callers, records and operators see. */
#ifndef BARTIZAN_DECISION_COMPARE_H
#define BARTIZAN_DECISION_COMPARE_H

#include "decision.h"

/* The first part in which they differ, or NULL. The work counter is no part. */
const char *decisions_differ(const struct decision *a, const struct decision *b);

#endif
