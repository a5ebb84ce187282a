/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of Envoy's settings that one request gives away: Envoy saw a client's certificate,
 * since `source.principal` has its name, and what identity.sources expects of it did not
 * come. Without this a caller with a good certificate looks like one without. */
#ifndef BARTIZAN_WIRING_H
#define BARTIZAN_WIRING_H

#include "caller_proof.h"
#include "metrics.h"

enum wiring_fault {
    WIRING_CERTIFICATE = 0, /* include_peer_certificate is not set */
    WIRING_XFCC,            /* the header is not set, or not passed on to us */
    WIRING_FAULTS,
};

struct wiring_info {
    const char *code; /* W0941 */
    const char *meaning;
    const char *advice;
    enum metric metric; /* checks that gave it away */
};

const struct wiring_info *wiring_info(enum wiring_fault fault);

/* True with *out when `in`, for which caller_proof_presence has no proof, shows a fault. */
bool wiring_find(const struct caller_proof_input *in, enum wiring_fault *out);

#endif
