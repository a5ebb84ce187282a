/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to one check: the record of it, and what Envoy and the client would get. */
#ifndef BARTIZAN_REPLY_PRINT_H
#define BARTIZAN_REPLY_PRINT_H

#include "audit_event.h"

/* `reply` is a CheckResponse. EXIT_GOOD, or EXIT_FAILED when it is none. */
int reply_print(const struct audit_event *event, struct view reply, bool is_json, struct arena *arena);

#endif
