/* SPDX-License-Identifier: Apache-2.0 */
#include "proof_flights.h"

static uint64_t key_hash(const struct proof_flights *flights, const struct proof_flight_key *key)
{
    uint64_t first = keyed_hash(&flights->hash_key, key->parts[0]);
    uint64_t second = keyed_hash(&flights->hash_key, key->parts[1]);
    return first ^ (second << 23 | second >> 41);
}

static bool is_same_part(struct view a, struct view b)
{
    return view_is_present(a) == view_is_present(b) && view_equals(a, b);
}

static bool is_same(const struct proof_flight_key *a, const struct proof_flight_key *b)
{
    return a->kind == b->kind && a->epoch == b->epoch && is_same_part(a->parts[0], b->parts[0]) &&
           is_same_part(a->parts[1], b->parts[1]);
}

struct proof_flight *proof_flights_find(const struct proof_flights *flights, const struct proof_flight_key *key)
{
    uint64_t hash = key_hash(flights, key);
    struct proof_flight *flight = flights->buckets[hash % PROOF_FLIGHT_BUCKETS];
    while (flight != NULL && (flight->hash != hash || !is_same(&flight->key, key)))
        flight = flight->next;
    return flight;
}

void proof_flights_begin(struct proof_flights *flights, struct proof_flight *flight, const struct proof_flight_key *key)
{
    uint64_t hash = key_hash(flights, key);
    struct proof_flight **bucket = &flights->buckets[hash % PROOF_FLIGHT_BUCKETS];
    *flight = (struct proof_flight){.key = *key, .hash = hash, .next = *bucket, .link = bucket};
    if (flight->next != NULL)
        flight->next->link = &flight->next;
    *bucket = flight;
}

static void put_first(struct proof_waiter **list, struct proof_waiter *waiter)
{
    *waiter = (struct proof_waiter){.next = *list, .link = list};
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    *list = waiter;
}

static void take_out(struct proof_waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    *waiter = (struct proof_waiter){0};
}

void proof_flights_end(struct proof_flights *flights, struct proof_flight *flight)
{
    if (flight->link == NULL)
        return;
    *flight->link = flight->next;
    if (flight->next != NULL)
        flight->next->link = flight->link;
    while (flight->waiting != NULL) { /* from last to first: the first is released in front */
        struct proof_waiter *waiter = flight->waiting;
        take_out(waiter);
        put_first(&flights->released, waiter);
    }
    *flight = (struct proof_flight){0};
}

void proof_flights_wait(struct proof_flights *flights, struct proof_flight *flight, struct proof_waiter *waiter)
{
    put_first(&flight->waiting, waiter);
    flights->waiting++;
}

void proof_flights_leave(struct proof_flights *flights, struct proof_waiter *waiter)
{
    if (waiter->link == NULL)
        return;
    take_out(waiter);
    flights->waiting--;
}

struct proof_waiter *proof_flights_next_released(struct proof_flights *flights)
{
    struct proof_waiter *waiter = flights->released;
    if (waiter != NULL)
        proof_flights_leave(flights, waiter);
    return waiter;
}
