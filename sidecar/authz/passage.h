/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a check (check.h), for what identifies and proves: one context, one
 * passage for each time that a check is looked at. */
#ifndef BARTIZAN_PASSAGE_H
#define BARTIZAN_PASSAGE_H

#include "audit_event.h"
#include "caller_proof.h"
#include "check.h"
#include "header_names.h"
#include "request_facts.h"
#include "shadow_judge.h"
#include "token_cache.h"
#include "wiring.h"

enum { PASSAGE_SCRATCH_BYTES = 96 * 1024 }; /* facts, evaluation and record of one request */

struct check_context {
    const struct config *config;
    struct snapshot *snapshot;
    struct header_names names;    /* that its policy relies on */
    struct header_names settable; /* that some rule of it can set */
    struct caller_proof_rule rule;
    struct check_limits limits;
    struct svid_cache *callers;
    struct token_cache *tokens;
    struct proof_flights flights;
    struct subject_hashes *subjects;
    struct journal_writer *journal;
    struct metrics *metrics;
    struct refusal_log *refusals;
    struct shadow_judge *shadow; /* NULL unless policy.shadow is configured */
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    char id_prefix[8];
    int64_t wiring_told_at[WIRING_FAULTS]; /* unix seconds; 0: not yet */
    uint64_t unrecorded;                   /* decisions that have no record's number */
    struct check_request request;
    struct audit_event event;
    char scratch[PASSAGE_SCRATCH_BYTES];
};

/* What a worker verifies, and what came out. */
struct check_proof {
    struct snapshot *snapshot; /* verified against; held */
    int64_t now;
    int attempts;
    bool has_caller; /* a caller is to be verified, or was */
    struct caller_proof_rule rule;
    struct caller_proof_input caller_input;
    enum reason caller_refusal;
    struct x509_svid caller;
    bool has_token;
    struct view token_text;
    enum reason token_refusal;
    struct token token;
    struct arena arena; /* the token's claims */
    struct proof_flight caller_flight, token_flight;
};

/* What is known of one request on its way. */
struct passage {
    struct check_context *context;
    struct check *check;
    struct arena arena;
    struct facts facts;
    struct request_credentials credentials;
    struct caller_proof_input caller_input;
    const struct x509_svid *caller;
    struct clearance *caller_clearance; /* NULL: the caller is not kept */
    struct view unverified_caller;
    struct view token_text;
    bool is_dpop;
    const struct token *token;
    struct clearance *token_clearance; /* NULL: the token is not kept */
    bool wants_caller;                 /* not known yet: to be verified */
    bool wants_token;
};

/* Tokens are judged by policy and keys; generations are snapshot numbers, so that the
 * younger of the two names the pair. */
uint64_t passage_token_epoch(const struct snapshot *snapshot);

/* Who the caller is, and what the token says, out of the caches or of what a worker has
 * verified for this check, into the facts; or wants_caller, wants_token. In this order. */
void passage_identify(struct passage *p);
void passage_prove(struct passage *p);

/* True when somebody verifies already what this check brings: it waits. Once only: what no
 * cache keeps would otherwise be verified by one check after the other. */
bool passage_wait(struct passage *p);

/* Makes the check's proof, for check_work. False when there is no memory, or the files
 * changed too often. */
bool passage_park(struct passage *p);

#endif
