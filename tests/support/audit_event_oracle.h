/* SPDX-License-Identifier: Apache-2.0 */
/* What protobuf-c says of a record, to hold audit_event_parse against. */
#ifndef BARTIZAN_AUDIT_EVENT_ORACLE_H
#define BARTIZAN_AUDIT_EVENT_ORACLE_H

#include "audit_event.h"

enum oracle {
    ORACLE_AGREES = 0, /* both refuse, or both read the same */
    ORACLE_STRICTER,   /* only protobuf-c takes it */
    ORACLE_DISAGREES,  /* protobuf-c refuses what we took, or reads something else: a defect */
};

enum oracle audit_event_compare(struct view bytes);

#endif
