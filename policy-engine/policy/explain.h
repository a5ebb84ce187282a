/* SPDX-License-Identifier: Apache-2.0 */
/* Why nothing allowed it: the allow rule that came closest, and what it lacked.
 *
 * Rulings, table Policy, "reason of a default DENY". Words with values are for the
 * operator and the record, never for the client. */
#ifndef BARTIZAN_EXPLAIN_H
#define BARTIZAN_EXPLAIN_H

#include "decision.h"
#include "inquiry.h"

/* How far a rule came: the first test that it failed, farther is nearer. */
enum explain_stage {
    STAGE_FAR = 0, /* another operation or resource */
    STAGE_WORKLOAD,
    STAGE_USER,
    STAGE_BINDING,
    STAGE_DELEGATION,
    STAGE_PURPOSE,
    STAGE_CONDITION,
    STAGE_OBLIGATION,
    STAGE_INDETERMINATE,
    STAGE_ONLY_USER, /* nothing but a user, or the keys to judge one */
};

/* What the evaluator found of one rule; the rest is judged here. */
struct rule_parts {
    enum tri operation;
    enum tri resource;
    enum tri workload;
    enum tri user;
    const struct found_resource *found;
};

struct nearest {
    enum explain_stage stage;
    enum reason reason;
    const struct rule *rule;
    struct rule_parts parts;
};

/* A test that an allow rule failed, and the reason that a denial would give for it. */
struct explain_fail {
    enum explain_stage stage;
    enum reason reason;
};

enum { EXPLAIN_FAILS_MAX = 8 };

/* The failed tests of an allow rule whose operation and resource fit, in the order of
 * the ruling, into EXPLAIN_FAILS_MAX elements; returns how many. STAGE_ONLY_USER comes
 * before the tests that it stands for; what cannot be judged is not among them. */
size_t explain_fails(const struct inquiry *inquiry, const struct rule *rule, const struct rule_parts *parts,
                     struct explain_fail *out);

/* Takes an allow rule that was not decisive into account: the farthest wins, then
 * the smallest name. Order does not matter. */
void explain_consider(const struct inquiry *inquiry, const struct rule *rule, const struct rule_parts *parts,
                      struct nearest *nearest);

/* The default denial, with its reason, closest rule and words. */
void explain_default(const struct inquiry *inquiry, const struct nearest *nearest, struct decision *out);

/* What a rule that came to this stage lacked, in words with values; sets out->scope and
 * out->attribute where the stage has them. */
struct view explain_words(const struct inquiry *inquiry, const struct nearest *nearest, struct decision *out);

/* The part of a condition that is not met, with its value. */
struct view explain_condition(const struct inquiry *inquiry, const struct condition *condition);

/* What the user lacks of `wanted`, in words with values. */
struct view explain_assurance(const struct inquiry *inquiry, const struct assurance *wanted, unsigned missing);

#endif
