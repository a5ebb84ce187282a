/* SPDX-License-Identifier: Apache-2.0 */
/* What is being verified now, so that a crowd that brings the same new certificate
 * or token costs one verification: the first check verifies, the others wait for it
 * and are begun again when it has ended, whichever way. Used by one thread; owns
 * nothing, allocates nothing. */
#ifndef BARTIZAN_PROOF_FLIGHTS_H
#define BARTIZAN_PROOF_FLIGHTS_H

#include "digest.h"

enum { PROOF_FLIGHT_BUCKETS = 256 };

enum proof_flight_kind { FLIGHT_CALLER = 0, FLIGHT_TOKEN };

/* The same work: equal in every member, the parts byte for byte. */
struct proof_flight_key {
    enum proof_flight_kind kind;
    uint64_t epoch;       /* of the files it is verified against */
    struct view parts[2]; /* leaf and chain, or the token; absent is not empty */
};

/* Somebody who waits; part of what waits. All zero: waits for nothing. */
struct proof_waiter {
    struct proof_waiter *next, **link;
};

/* One verification under way; part of whoever does it. All zero: none. */
struct proof_flight {
    struct proof_flight_key key; /* its views hold until proof_flights_end */
    uint64_t hash;
    struct proof_flight *next, **link;
    struct proof_waiter *waiting;
};

/* All zero but `hash_key` is a good start. */
struct proof_flights {
    struct hash_key hash_key;
    struct proof_flight *buckets[PROOF_FLIGHT_BUCKETS];
    struct proof_waiter *released;
    size_t waiting; /* who waits, or was released and not handed back yet */
};

/* The flight that does this work, or NULL. */
struct proof_flight *proof_flights_find(const struct proof_flights *flights, const struct proof_flight_key *key);

void proof_flights_begin(struct proof_flights *flights, struct proof_flight *flight,
                         const struct proof_flight_key *key);

/* Takes it out and releases who waits for it. Harmless on one that is not under way. */
void proof_flights_end(struct proof_flights *flights, struct proof_flight *flight);

void proof_flights_wait(struct proof_flights *flights, struct proof_flight *flight, struct proof_waiter *waiter);

/* Takes back a waiter that is waiting or released. Harmless on one that is neither. */
void proof_flights_leave(struct proof_flights *flights, struct proof_waiter *waiter);

/* One that was released, taken out, longest waiting first within its flight; NULL: no more. */
struct proof_waiter *proof_flights_next_released(struct proof_flights *flights);

#endif
