/* SPDX-License-Identifier: Apache-2.0 */
/* A decision for a person, or as JSON: verdict, rule, reason, and what the client would see. */
#ifndef BARTIZAN_DECISION_PRINT_H
#define BARTIZAN_DECISION_PRINT_H

#include "decision.h"
#include "json_print.h"

/* Lines "  name  value" on standard output; `is_whole` adds what the request was found to be and the obligations. */
void decision_print(const struct decision *decision, bool is_whole, struct arena *arena);

json_t *decision_json(const struct decision *decision, struct arena *arena);

#endif
