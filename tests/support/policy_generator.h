/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and requests out of a seed, for tests that compare evaluators.
 *
 * Policies are text, so that the loader is in the loop. Requests are directed at
 * the policies' atoms: values are those that rules name, or their neighbours. */
#ifndef BARTIZAN_POLICY_GENERATOR_H
#define BARTIZAN_POLICY_GENERATOR_H

#include "arena.h"
#include "facts.h"

struct random {
    uint64_t state;
};

struct random random_of(uint64_t seed);
uint32_t random_below(struct random *random, uint32_t bound);

enum { GENERATED_RULES_MAX = 24, GENERATED_TEXT_MAX = 32768 };

/* A policy in pieces: rules stand in `rules`, each a line of YAML. */
struct generated_policy {
    char head[GENERATED_TEXT_MAX];
    size_t head_size;
    char rules[GENERATED_RULES_MAX][1536];
    size_t rule_count;
};

void generate_policy(struct random *random, struct generated_policy *out);

/* One more rule with this name; `is_deny` says which kind. */
void generate_rule(struct random *random, const char *name, bool is_deny, char *out, size_t size);

/* The text with its rules in the order of `order` (NULL: as they are). */
struct view generated_text(const struct generated_policy *policy, const size_t *order, char *buffer, size_t size);

/* A request; everything it points to lives in `arena`. */
void generate_facts(struct random *random, struct arena *arena, struct facts *out);

#endif
