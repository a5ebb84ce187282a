/* SPDX-License-Identifier: Apache-2.0 */
/* What a program holds: written by compile.c, read by decide.c. */
#ifndef BARTIZAN_PROGRAM_INTERNAL_H
#define BARTIZAN_PROGRAM_INTERNAL_H

#include "multimap.h"
#include "path_pattern.h"
#include "program.h"

/* ---- rules --------------------------------------------------------------- */

/* A rule at its rank: priority descending, denies first, then name. */
struct ranked_rule {
    const struct rule *rule;
    struct string_list removals; /* answer_removals */
};

struct number_list {
    const uint32_t *items;
    uint32_t count;
};

/* Rules, and behind them again those that program.ids does not find, unless that is all of them. */
struct rule_list {
    const uint32_t *items;
    uint32_t count;
    uint32_t rest;
};

/* The rules of one action; lists of ranks ascend and hold each once. A rule stands under each of its workload roles,
 * else under each of its user roles, else in `open`. */
struct action_rules {
    struct rule_list open;
    const uint64_t *role_bits;    /* bit per role that has a list here; program.role_words words */
    const uint32_t *roles_before; /* how many bits stand in the words before */
    const struct rule_list *by_role;
    size_t role_count;
    struct rule_list allows; /* every allow rule by name: their ranks in that order */
};

/* ---- operations ---------------------------------------------------------- */

/* Where an operation's path holds an id: a whole segment, less a `:verb`. */
struct id_capture {
    uint32_t type;
    uint32_t segment;
    uint32_t suffix; /* bytes to leave off at the end */
};

struct operation_entry {
    const struct operation *operation;
    uint32_t action;
    const struct id_capture *captures;
    uint32_t capture_count;
    const struct operation_entry *next; /* of the same place in the trie */
};

/* Literal children are found in program.literals, verbs in program.verbs, both by
 * the node's number. */
struct trie_node {
    uint32_t open;                          /* child for {name} and {*}; 0: none */
    const struct operation_entry *ends;     /* the path ends here */
    const struct operation_entry *rests;    /* {**} */
    const struct operation_entry *prefixes; /* gRPC methods by prefix */
};

/* ---- subjects ------------------------------------------------------------ */

struct workload_member {
    const struct role *role;
    const struct workload_selector *selector;
};

struct user_member {
    const struct role *role;
    const struct user_selector *selector;
};

/* Members of user roles that one claim of one issuer (or its subject) tells apart. */
struct user_group {
    const struct issuer *issuer;
    const struct claim_path *path; /* NULL: the subject */
    struct number_list members;
};

enum workload_space { SPACE_ID = 0, SPACE_NAMESPACE };

/* ---- the whole ----------------------------------------------------------- */

struct program {
    const struct model *model;
    enum audit_level highest_audit;

    const struct ranked_rule *rules;
    const struct action_rules *actions; /* model.action_count, then the rules on every action */
    size_t role_words;
    /* Action, resource id -> rules, of whatever roles, that name just a few ids which few others of the action name.
     * Those of other ids cannot match a request all of whose ids are known. */
    struct multimap ids;

    const struct trie_node *nodes; /* the first is the root */
    const struct operation_entry *entries;
    size_t entry_count;
    struct multimap literals; /* node, segment -> node */
    struct multimap verbs;    /* node, verb -> entries */

    const struct workload_member *workloads;
    struct multimap workload_index;   /* enum workload_space -> members */
    struct number_list workload_scan; /* members that no index finds */
    const struct user_member *users;
    const struct user_group *groups;
    size_t group_count;
    struct multimap user_index; /* group, value -> members */
    struct number_list user_scan;
    const uint64_t *user_role_bits; /* every user role */

    struct multimap resources;                /* 2 * type + is_prefix, text -> model.resources */
    const struct number_list *prefix_lengths; /* per type: lengths of its prefixes, longest first */
};

/* The parts of program_build that have files of their own. `work` is freed after. */
MUST_CHECK enum err compile_operations(const struct model *model, struct arena *arena, struct arena *work,
                                       struct diag_list *diags, struct program *program);
MUST_CHECK enum err compile_subjects(const struct model *model, struct arena *arena, struct arena *work,
                                     struct program *program);
MUST_CHECK enum err compile_resources(const struct model *model, struct arena *arena, struct arena *work,
                                      struct program *program);

#endif
