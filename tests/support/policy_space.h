/* SPDX-License-Identifier: Apache-2.0 */
/* A small policy out of a seed, and every request that it can tell apart.
 *
 * The policy looks at a few dimensions of a request (a header, the caller, a claim, the time of login ...). Each has
 * atoms: a value of every class that the vocabulary can tell apart in it, and their neighbours: one less and one
 * more than a limit, absent, empty, another writing, of the wrong type, repeated. The space is the product of the
 * atoms of all dimensions that the policy's text looks at; two evaluators that agree on all of it agree on the
 * policy. A request that is refused before any rule (semantics S5b), a caller or user who is not there: each once,
 * for nothing else about it matters then. */
#ifndef BARTIZAN_POLICY_SPACE_H
#define BARTIZAN_POLICY_SPACE_H

#include "policy_generator.h"

enum dimension {
    DIM_FAULT = 0, /* what is refused before any rule */
    DIM_PATH,
    DIM_METHOD,
    DIM_HOST,
    DIM_QUERY_Q,
    DIM_QUERY_N,
    DIM_QUERY_OP,
    DIM_QUERY_T,
    DIM_BODY,
    DIM_CALLER,
    DIM_PROOF,
    DIM_USER,
    DIM_SUBJECT, /* from here to DIM_CLIENT_ID: of a user who is known */
    DIM_AMR,
    DIM_ACR,
    DIM_AGE,
    DIM_BOUND,
    DIM_CLIENT,
    DIM_ACTORS,
    DIM_GROUPS, /* from here: claims */
    DIM_ROLES,
    DIM_REALM,
    DIM_DOTTED,
    DIM_SCOPE,
    DIM_EMAIL,
    DIM_PURPOSE,
    DIM_LEVEL,
    DIM_DETAILS,
    DIM_SID,
    DIM_CLIENT_ID,
    DIM_X_A, /* from here: headers */
    DIM_X_N,
    DIM_X_PURPOSE,
    DIM_X_MODEL,
    DIM_NOW, /* from here: where and when */
    DIM_SOURCE_IP,
    DIM_REMOTE_IP,
    DIM_PORT,
    DIM_SNI,
    DIM_CONTEXT,
    DIM_METADATA,
    DIM_ID,
    DIMENSIONS,
};

enum {
    SPACE_TEXT_MAX = 16384,
    SPACE_PATHS_MAX = 96,
    SPACE_INSTANTS_MAX = 12,
    SPACE_AGES_MAX = 16,
    SPACE_CLAIMS_MAX = 16
};

/* What the policy is made of; filled by policy_space_build. */
struct space_policy {
    char text[SPACE_TEXT_MAX];
    size_t text_size;
    uint64_t reads;        /* bit per dimension that the text looks at */
    unsigned actions;      /* bit per action that it defines */
    bool has_types;        /* resource types, whose ids stand in paths */
    bool has_other_issuer; /* a second issuer, which trusts a mere `mfa` */
    bool is_keycloak;      /* the second issuer has tokens without a user */
    bool is_raw_path;
    int64_t instants[SPACE_INSTANTS_MAX];
    size_t instant_count;
    uint32_t max_ages[2];
    size_t max_age_count;
};

struct policy_space {
    struct space_policy policy;
    uint64_t size; /* requests; UINT64_MAX when there are more */

    /* The request where the walk stands, and its atom of each dimension. */
    struct facts facts;
    size_t at[DIMENSIONS], counts[DIMENSIONS];
    enum dimension walked[DIMENSIONS]; /* dimensions of more than one atom; the last changes fastest */
    size_t walked_count;

    struct view paths[SPACE_PATHS_MAX];
    char path_text[SPACE_PATHS_MAX][32];
    struct view methods[8];
    int64_t ages[SPACE_AGES_MAX]; /* the first stands for an absent auth_time */
    char target[512];
    struct pair headers[4], route;
    struct value claim_map, claim_values[SPACE_CLAIMS_MAX];
    struct view claim_names[SPACE_CLAIMS_MAX];
};

/* A policy and its space, of at most `most` requests where some draws give one; the walk stands at the first. */
void policy_space_build(struct random *random, uint64_t most, struct policy_space *out);

/* On to the next request: false when every one was there. */
bool policy_space_next(struct policy_space *space);

/* To a request that differs in one dimension taken by chance. */
void policy_space_stray(struct policy_space *space, struct random *random);

/* ---- shared by the files that make spaces ---------------------------------------- */

enum {
    SPACE_NO_USERS = 3,      /* atoms of DIM_USER without a user who is known: the first ones */
    SPACE_ACTORS_SILENT = 2, /* atoms of DIM_ACTORS that a policy tells apart which says nothing of delegation */
};

/* The atoms of all dimensions whose number does not depend on the policy (policy_space_facts.c). */
void space_counts_fill(struct policy_space *space);

/* Writes the atoms of some dimensions, a bit each, into space->facts. */
void space_fill(struct policy_space *space, uint64_t dimensions);

/* Likewise that of DIM_FAULT, over the others. */
void space_fault_fill(struct policy_space *space);

/* Is a caller, or a user who is known, where the walk stands? */
bool space_has_caller(const struct policy_space *space);
bool space_has_user(const struct policy_space *space);

/* The text of a small policy (policy_space_text.c). */
void space_policy_generate(struct random *random, struct space_policy *out);

/* The path templates and methods of action `index`, for their atoms. In a path `$` stands for the id of a model,
 * `&` for that of a data set. NULL past the last. */
const char *space_action_path(unsigned index, size_t i);
const char *space_action_method(unsigned index, size_t i);

#endif
