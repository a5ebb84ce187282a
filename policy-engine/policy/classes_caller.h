/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make classes of callers share. */
#ifndef BARTIZAN_CLASSES_CALLER_H
#define BARTIZAN_CLASSES_CALLER_H

#include "classes.h"

/* How a user signed in. */
struct sign_in {
    const struct view *amr;
    size_t amr_count;
    bool has_amr;
    struct view acr;
    bool has_auth_time;
    int64_t age; /* seconds */
};

struct sign_in_list {
    const struct sign_in *items;
    size_t count;
};

struct caller_search {
    struct classes *classes;
    const struct class_rules *rules;
    const struct facts *request;
    const struct value **claims; /* NULL is the empty set of claims */
    size_t claim_count;
    struct value_question *sign_in; /* tests on amr, acr and sub as claims */
    size_t sign_in_count;
    struct string_list subjects;
    bool emits_subject;
    const struct sign_in_list *ways; /* by issuer */
    const struct workload_facts *workloads;
    size_t workload_count;
    unsigned bindings; /* that some assurance asks for: 1 certificate, 2 workload, 4 dpop */
    unsigned depths;   /* of delegation that some rule tells apart, a bit each */
    size_t signature_room;
    struct class_set set;
};

/* Fills search->claims: every set of them that roles, conditions, purposes and templates tell apart; and
 * search->sign_in: what they ask of amr, acr and sub. */
enum err callers_claims(struct caller_search *search) MUST_CHECK;

/* Fills search->subjects; after the claims. */
enum err callers_subjects(struct caller_search *search) MUST_CHECK;

/* Fills search->ways: every set of methods, acr and age that assurance tells apart. */
enum err callers_sign_in(struct caller_search *search) MUST_CHECK;

/* Fills search->workloads: none, and every SPIFFE ID that selectors tell apart. */
enum err callers_workloads(struct caller_search *search) MUST_CHECK;

#endif
