/* SPDX-License-Identifier: Apache-2.0 */
/* One evaluation of a program: what the request is and who asks, found by index, and the
 * rules that can be about it, in rank order. */
#ifndef BARTIZAN_EVALUATION_H
#define BARTIZAN_EVALUATION_H

#include "inquiry.h"
#include "program_internal.h"

enum { ACTIONS_INLINE = 16, HEADS_INLINE = 32, NODES_INLINE = 32 };

/* An action that the request is, or cannot be told not to be. */
struct matched_action {
    uint32_t action;
    enum tri fits;
};

/* What the id sources of one type gave so far (S11). */
struct type_state {
    struct view id;
    bool is_on_host;
    bool is_found;
    bool is_unknown;
};

struct evaluation {
    const struct program *program;
    struct matched_action *actions; /* `own_actions` while they are few */
    size_t action_count, action_room;
    struct type_state *types;
    uint64_t *held;                           /* roles that the caller holds */
    uint64_t *maybe;                          /* user roles that cannot be judged */
    uint64_t *wanted;                         /* roles whose rules are asked for */
    const struct found_resource *first_known; /* what a rule without resources is about; NULL: nothing */
    uint32_t shape;                           /* the last operation_shape that was looked at, or NO_INDEX */
    bool shape_fits, shape_is_captured;
    bool is_certified;   /* the caller has an ID that each rule accepts */
    bool is_undelegated; /* no token with actors */
    bool is_doubtful;    /* of some action it cannot be told whether the request is it */
    bool is_out_of_memory;
    bool is_unreadable; /* the body that a matching operation depends on */
    bool slash_is_data;
    bool is_ambiguous;
    bool is_every_id_known; /* of the resources found */
    bool has_candidates;    /* some rule was selected, whether or not it matched */
    uint32_t tests;
    struct matched_action own_actions[ACTIONS_INLINE];
    uint32_t own_nodes[2][NODES_INLINE];
    struct inquiry inquiry;
};

static inline bool bit_of(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* Every field that is read before it is written; REASON_NONE, or why the request is denied before any rule. */
enum reason evaluation_open(struct evaluation *evaluation, const struct program *program, const struct facts *facts,
                            struct arena *scratch);

/* The name of the first action that the request is for certain, or the absent view. */
struct view evaluation_action(const struct evaluation *evaluation);

/* ---- candidates ------------------------------------------------------------ */

struct head {
    const uint32_t *at, *end;
    bool is_held; /* the list of a role that the caller holds */
};

struct candidates {
    struct head *heads; /* `own` while they are few; none is empty */
    size_t count, room;
    bool is_held; /* the last rank stands under a role that the caller holds */
    struct head own[HEADS_INLINE];
};

/* The rules that an action of the request and a role of the caller select; with `all_users` also
 * rules for users that this one is not, for the explanation. False: out of memory. */
bool candidates_open(struct evaluation *evaluation, bool all_users, struct candidates *out);

/* The next rank over all lists, each rank once; false at the end. */
bool candidates_next(struct candidates *candidates, uint32_t *rank);

/* What program.ids leaves of a list, when it can be asked. */
struct head candidates_list(const struct evaluation *evaluation, const struct rule_list *list);

/* Ranks of the rules of an action that name the i-th resource; only when every id is known. */
const uint32_t *candidates_named(const struct evaluation *evaluation, uint32_t action, size_t i, size_t *count);

#endif
