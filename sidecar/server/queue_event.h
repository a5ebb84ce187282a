/* SPDX-License-Identifier: Apache-2.0 */
/* What a tag in the completion queue points to: whoever is to hear of the event. */
#ifndef BARTIZAN_QUEUE_EVENT_H
#define BARTIZAN_QUEUE_EVENT_H

#include <stdbool.h>

struct queue_event {
    void (*handle)(struct queue_event *event, bool is_good);
};

/* The struct `type` whose member `member` is at `pointer`. */
#define QUEUE_EVENT_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
