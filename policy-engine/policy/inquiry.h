/* SPDX-License-Identifier: Apache-2.0 */
/* One request under decision: what both evaluators share about it.
 *
 * inquiry_open does what semantics S5b asks before any rule and prepares the
 * canonical request; the evaluators then find operations, roles and resources
 * each in their own way, and meet again in the judgements on a single rule. */
#ifndef BARTIZAN_INQUIRY_H
#define BARTIZAN_INQUIRY_H

#include "arena.h"
#include "factors.h"
#include "facts.h"
#include "model.h"
#include "tri.h"

/* S11: one resource that the request is about. */
struct found_resource {
    const struct resource_type *type;
    bool is_known;                /* false: the id cannot be judged, U */
    struct view id;               /* when known; canonical */
    const struct resource *entry; /* the longest matching catalog entry; NULL: not in the catalog */
};

struct inquiry {
    const struct model *model;
    const struct facts *facts;
    struct arena *scratch;
    const struct issuer *issuer; /* of a known user, else NULL */
    struct request_path path;
    struct view segments[PATH_SEGMENTS_MAX]; /* decoded */
    uint64_t slashes;                        /* bit i: segment i holds an encoded slash */
    struct view host;                        /* canonical */
    uint16_t port;
    const struct found_resource *resources; /* set by the evaluator */
    size_t resource_count;
};

/* REASON_NONE, or why the request is denied before any rule. */
enum reason inquiry_open(struct inquiry *inquiry, const struct model *model, const struct facts *facts,
                         struct arena *scratch);

/* Of an operation whose method, host and path fit: does the rest? An encoded slash
 * that is not the operation's data is U, as is a query that cannot be judged: an allow does not match, a deny does. */
enum tri inquiry_operation(const struct inquiry *inquiry, const struct operation *operation);

/* True when `operation`, which fits the path, makes the policy depend on the body. */
bool inquiry_needs_body(const struct inquiry *inquiry, const struct operation *operation);

/* The outcome of one rule, weakest first. */
enum outcome {
    OUTCOME_NONE = 0,
    OUTCOME_ALLOW,
    OUTCOME_CHALLENGE, /* lacks only assurance */
    OUTCOME_ASK,       /* a deny whose unlessAssurance a step-up would meet */
    OUTCOME_DENY,
};

/* The caller's ID as `rule` may see it: absent when its proof is not accepted. */
struct view inquiry_workload(const struct inquiry *inquiry, const struct rule *rule);

/* The parts of a rule's match that no index helps with. */
enum tri inquiry_user_demand(const struct inquiry *inquiry, const struct rule *rule, enum tri holds_role);
enum tri inquiry_workload_demand(const struct inquiry *inquiry, const struct rule *rule, bool holds_role);
enum tri inquiry_delegation(const struct inquiry *inquiry, const struct rule *rule);
enum tri inquiry_purpose(const struct inquiry *inquiry, const struct rule *rule);
enum tri inquiry_conditions(const struct inquiry *inquiry, const struct rule *rule);

/* S11 over inquiry->resources; *found is one that fits best, or NULL. T for a rule
 * without a resource selector. */
enum tri inquiry_resource(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource **found);

/* What a rule with this match comes to (S2, S4, S5, S6). */
struct rule_result {
    enum outcome outcome;
    struct assurance_result assurance;
};
struct rule_result inquiry_outcome(const struct inquiry *inquiry, const struct rule *rule, enum tri match,
                                   const struct found_resource *found);

#endif
