/* SPDX-License-Identifier: Apache-2.0 */
/* A subscriber of the live tap (shipper.h has its messages). */
#ifndef BARTIZAN_TAP_H
#define BARTIZAN_TAP_H

#include "err.h"
#include "view.h"

struct tap;

/* Dials `endpoint` (and goes on dialling) and subscribes to the topics that begin
 * with `topic`. ERR_IO: not an endpoint; errno is ZeroMQ's. */
MUST_CHECK enum err tap_open(const char *endpoint, struct view topic, struct tap **out);
void tap_close(struct tap *tap);

/* Waits at most `wait_ms`. ERR_NONE with the record, valid until the next call;
 * ERR_NOT_FOUND when none came; ERR_MALFORMED for a message of another form;
 * ERR_IO. */
MUST_CHECK enum err tap_next(struct tap *tap, int wait_ms, struct view *record);

/* True once a publisher has taken the subscription. */
bool tap_is_ready(const struct tap *tap);

#endif
