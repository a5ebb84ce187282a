/* SPDX-License-Identifier: Apache-2.0 */
/* Views as jansson's JSON. Not to be included beside text/json.h: both name their kinds JSON_*. */
#ifndef BARTIZAN_JSON_PRINT_H
#define BARTIZAN_JSON_PRINT_H

#include "arena.h"

#include <jansson.h>

/* A JSON string, null for the absent view. What is not UTF-8 is escaped as text_print does. */
json_t *json_of_view(struct view text, struct arena *arena);

/* Prints `value` over as many lines as it takes to read it, and lets go of it. */
void json_print(json_t *value);

/* Prints `value` on one line, as JSON Lines has it, and lets go of it. */
void json_print_line(json_t *value);

/* For AUTO. */
void json_drop(json_t **value);

#endif
