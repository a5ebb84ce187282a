/* SPDX-License-Identifier: Apache-2.0 */
/* What a program holds: written by compile.c, read by the evaluation.
 *
 * Flat: every table is one array, and what refers to another table is an index into it, so what is
 * looked at together stands together. Of each table it is said what its readers rely on ("always");
 * an index into the model is always below the model's own count. */
#ifndef BARTIZAN_PROGRAM_INTERNAL_H
#define BARTIZAN_PROGRAM_INTERNAL_H

#include "multimap.h"
#include "path_pattern.h"
#include "program.h"

#define NO_INDEX UINT32_MAX /* an enumerator is an int */

/* ---- rules --------------------------------------------------------------- */

/* The parts of a rule that have to be looked at; what is not here holds. */
enum rule_part {
    RULE_WORKLOAD = 1,
    RULE_USER = 2,
    RULE_RESOURCES = 4,
    RULE_DELEGATION = 8,     /* any but none */
    RULE_NO_DELEGATION = 16, /* DELEGATION_NONE */
    RULE_PURPOSE = 32,
    RULE_CONDITIONS = 64,
    RULE_ASSURANCE = 128, /* `assurance` of an allow, `unless_assurance` of a deny */
    RULE_TEMPLATES = 256, /* some value of an obligation is not plain text */
    /* Of RULE_WORKLOAD and RULE_USER, what is looked at by role_rules or is but that somebody is there. */
    RULE_WORKLOAD_ROLES = 512,
    RULE_WORKLOAD_ANY = 1024,
    RULE_USER_ROLES = 2048,
};

/* A rule at its rank: priority descending, denies first, then name. What most tests need of it. */
struct ranked_rule {
    uint32_t rule;     /* model.rules; always each rule once */
    uint32_t name;     /* where `by_name` holds this rank */
    uint32_t role;     /* the one role that it asks of the workload, else NO_INDEX */
    uint32_t removals; /* allow: program.removals */
    uint16_t parts;    /* always those of the rule */
    uint8_t is_allow;
    uint8_t priority;
    uint8_t audit;
};

/* Numbers, and behind them again those of rules that program.ids does not find, unless that is all or
 * none of them. Always ascending, each once, the rest a part of the whole; first + count (+ rest) is
 * within program.numbers. */
struct rule_list {
    uint32_t first; /* in program.numbers; where count is 1: the number itself */
    uint32_t count;
    uint32_t rest; /* always at most count */
};

/* Ranks of the rules of one action: a rule stands under each of its workload roles, else under each of
 * its user roles, else under NO_INDEX. */
struct role_rules {
    uint32_t role;
    struct rule_list ranks;
};

/* lists[lists .. that of the next action), roles always ascending. */
struct action_rules {
    uint32_t lists;
    struct rule_list allows; /* every allow rule: indices into `by_name` */
};

/* ---- operations ---------------------------------------------------------- */

/* Where an operation's path holds an id: a whole segment, less a `:verb`. */
struct id_capture {
    uint32_t type;
    uint32_t segment; /* always one that each path has which fits the operation */
    uint32_t suffix;  /* bytes to leave off at the end; always fewer than the segment has */
};

/* Where a route ends; the entries of a node stand in this order. */
enum route_place {
    PLACE_REST = 0, /* {**} */
    PLACE_PREFIX,   /* a gRPC method by prefix */
    PLACE_END,
    PLACE_VERB, /* found in program.verbs */
};

/* What makes the rest of an operation more than its method, host and path. */
enum operation_part {
    OPERATION_QUERIES = 1,
    OPERATION_CALL = 2,
    OPERATION_BODY = 4, /* its body names a resource */
};

/* What many operations have in common: methods, hosts, what they capture, parts. */
struct operation_shape {
    uint32_t action, operation; /* one that has it */
    uint32_t captures;          /* program.captures; always captures + capture_count within */
    uint32_t capture_count;
    uint32_t parts;
};

struct operation_entry {
    uint32_t action;
    uint32_t operation; /* of the action */
    uint32_t shape;     /* program.shapes; always that of the operation */
    uint16_t place;     /* enum route_place; always that of the operation */
    uint16_t is_only;   /* always whether the action has no other operation */
};

/* Its entries are entries[entry .. that of the next node), its literal children edges[edges .. that of
 * the next node): as many slots as a power of two, or none. */
struct trie_node {
    uint32_t open; /* child for {name} and {*}; 0: none; always above the node's own index */
    uint32_t entry;
    uint32_t edges;
};

/* A literal child; it stands as near behind edge_place as it found room, around the end. */
struct trie_edge {
    uint32_t word;  /* program.words */
    uint32_t child; /* 0: an empty slot; always above the parent's index */
};

/* Where in `size` slots, a power of two, the search for a word begins: numbers that follow one another
 * are spread. */
static inline uint32_t edge_place(uint32_t word, uint32_t size)
{
    return (uint32_t)((uint64_t)(word * 0x9e3779b1u) * size >> 32);
}

/* ---- subjects ------------------------------------------------------------ */

/* One selector of a role. */
struct member {
    uint32_t role;
    uint32_t selector; /* of the role's `workloads` or `users` */
    uint32_t is_whole; /* who is found by a key of it fits it: nothing else is asked */
};

/* numbers[first .. first + count) */
struct range {
    uint32_t first;
    uint32_t count;
};

/* Members of user roles that one claim of one issuer (or its subject) tells apart. */
struct user_group {
    uint32_t issuer;
    uint32_t role, selector; /* a user selector that has the claim */
    uint32_t claim;          /* which of its claims; NO_INDEX: the subject */
    struct range members;    /* numbers: of program.users */
};

enum workload_space { SPACE_ID = 0, SPACE_NAMESPACE };

/* ---- the whole ----------------------------------------------------------- */

struct program {
    const struct model *model;
    enum audit_level highest_audit; /* of all rules */

    const struct ranked_rule *rules;    /* model.rule_count */
    const uint32_t *by_name;            /* ranks, in the order of the rules' names */
    const struct string_list *removals; /* what answer_removals gives, each list once; the first is answer_settable */
    size_t removal_count;
    const struct action_rules *actions; /* model.action_count, then the rules on every action, then an end */
    const struct role_rules *lists;
    const uint32_t *numbers; /* of all that is a list of numbers */
    /* Action, resource id -> ranks, of whatever roles, of rules that name just a few ids which few others of the
     * action name. Those of other ids cannot match a request all of whose ids are known. */
    struct multimap ids;

    const struct trie_node *nodes; /* node_count and an end; the first is the root */
    size_t node_count;
    const struct trie_edge *edges;
    const struct operation_entry *entries;
    const struct operation_shape *shapes;
    const struct id_capture *captures;
    struct multimap words; /* 0, literal segment -> its number */
    struct multimap verbs; /* node, verb -> entries */

    size_t role_words;           /* 64 bits each, for a bit per role */
    const uint32_t *held_starts; /* model.role_count and an end: of `held`, always ascending */
    const uint32_t *held;        /* roles that a member of a role holds: itself and what it inherits */
    const struct member *workloads;
    struct multimap workload_index; /* enum workload_space -> members */
    struct range workload_scan;     /* numbers: members that no index finds */
    const struct member *users;
    const struct user_group *groups;
    size_t group_count;
    struct multimap user_index; /* group, value -> members */
    struct range user_scan;
    const uint64_t *user_role_bits; /* every user role; role_words */

    struct multimap resources;          /* 2 * type + is_prefix, text -> model.resources */
    const struct range *prefix_lengths; /* per type: numbers, the lengths of its prefixes, longest first */
};

/* Numbers while they are collected; they end up in program.numbers. */
struct number_pool {
    struct arena *arena;
    uint32_t *items;
    size_t count, room;
};

/* ERR_NO_MEMORY, ERR_LIMIT. */
MUST_CHECK enum err number_add(struct number_pool *pool, uint32_t number);

/* What the parts of program_build that have files of their own work on. */
struct compiler {
    const struct model *model;
    struct arena *arena; /* of the program */
    struct arena work;   /* freed at the end of each step */
    struct arena kept;   /* freed at the end of all */
    struct diag_list *diags;
    struct program *program;
    struct number_pool numbers;
    /* Of each rule, in the order of the model: its rank, and where its actions begin in the two arrays below. */
    uint32_t *ranks;
    uint32_t *action_starts; /* and an end */
    uint32_t *actions;       /* model.action_count: the rule is about every action */
    bool *is_found;          /* program.ids finds the rule under the action */
};

MUST_CHECK enum err compile_rules(struct compiler *compiler);
MUST_CHECK enum err compile_operations(struct compiler *compiler);
MUST_CHECK enum err compile_subjects(struct compiler *compiler);
MUST_CHECK enum err compile_resources(struct compiler *compiler);

#endif
