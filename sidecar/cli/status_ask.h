/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a running decider for GET /status, and says on standard error why there is no answer. */
#ifndef BARTIZAN_STATUS_ASK_H
#define BARTIZAN_STATUS_ASK_H

#include "json_print.h"

/* EXIT_GOOD with the answer as it came and as an object that the caller lets go of
 * (json_drop); EXIT_IO: nobody answers; EXIT_DATA: the answer is no status. */
int status_ask(const char *socket, struct arena *arena, struct view *body, json_t **status);

/* The member `key`: the absent view when it is no string; 0 when it is no number. */
struct view status_text(const json_t *object, const char *key);
int64_t status_number(const json_t *object, const char *key);

#endif
