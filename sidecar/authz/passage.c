/* SPDX-License-Identifier: Apache-2.0 */
#include "passage.h"

#include "log.h"

#include <stdlib.h>

enum { PROOF_ATTEMPTS = 3 }; /* a check whose files change under it this often is refused */

uint64_t passage_token_epoch(const struct snapshot *snapshot)
{
    return snapshot->policy_generation > snapshot->key_generation ? snapshot->policy_generation
                                                                  : snapshot->key_generation;
}

/* ---- identify and prove -------------------------------------------------- */

static bool is_cleared(const struct passage *p, const struct clearance *clearance)
{
    return clearance != NULL && clearance_holds(clearance, p->context->snapshot->revocation_generation, p->facts.now);
}

static void clear(const struct passage *p, struct clearance *clearance)
{
    if (clearance != NULL)
        *clearance =
            (struct clearance){.generation = p->context->snapshot->revocation_generation, .since = p->facts.now};
}

static bool is_caller_revoked(struct passage *p)
{
    if (is_cleared(p, p->caller_clearance))
        return false;
    if (revocations_has_caller(p->context->snapshot->revocations, p->caller, p->facts.now))
        return true;
    clear(p, p->caller_clearance);
    return false;
}

static bool is_token_revoked(struct passage *p)
{
    const struct user_facts *user = &p->token->user;
    const struct revocation_token revocation = {
        .issuer = user->issuer, .subject = user->subject, .id = p->token->id, .issued_at = user->issued_at};
    if (is_cleared(p, p->token_clearance))
        return false;
    if (revocations_has_token(p->context->snapshot->revocations, &revocation, p->facts.now))
        return true;
    clear(p, p->token_clearance);
    return false;
}

/* Peer and revocation are judged on every request, outside the cache. */
static enum reason judge_caller(struct passage *p)
{
    const struct x509_svid *caller = p->caller;
    if (!caller_proof_is_of_peer(&p->caller_input, caller)) {
        p->unverified_caller = caller->id.text;
        p->caller = NULL;
        return REASON_XFCC_MISMATCH;
    }
    if (caller->is_believed)
        metrics_add(p->context->metrics, METRIC_BELIEVED_CALLERS, 1);
    p->facts.workload = (struct workload_facts){.proof = caller->is_believed ? PROOF_XFCC_TEXT : PROOF_CERTIFICATE,
                                                .spiffe_id = caller->id.text,
                                                .trust_domain = caller->id.trust_domain};
    return is_caller_revoked(p) ? REASON_CERTIFICATE_REVOKED : REASON_NONE;
}

/* Told once an interval, however many requests give it away. */
static void note_wiring(struct passage *p)
{
    struct check_context *context = p->context;
    enum wiring_fault fault;
    if (!wiring_find(&p->caller_input, &fault))
        return;
    const struct wiring_info *info = wiring_info(fault);
    int64_t *told_at = &context->wiring_told_at[fault], now = p->facts.now;
    metrics_add(context->metrics, info->metric, 1);
    bool is_told = *told_at != 0 && now >= *told_at && now - *told_at < REFUSAL_LOG_INTERVAL;
    if (is_told || context->refusals == NULL)
        return;
    *told_at = now;
    log_line(LOG_WARN, log_say("a client's certificate does not arrive"), log_text("code", view_of(info->code)),
             log_text("meaning", view_of(info->meaning)), log_text("do", view_of(info->advice)));
}

void passage_identify(struct passage *p)
{
    struct check_context *context = p->context;
    struct facts *facts = &p->facts;
    const struct check_proof *proof = p->check->proof;
    p->caller_input = (struct caller_proof_input){.rule = &context->rule,
                                                  .source_certificate = context->request.source.certificate,
                                                  .xfcc = p->credentials.xfcc,
                                                  .peer = context->request.source.principal};
    enum reason refusal = caller_proof_presence(&p->caller_input);
    if (refusal != REASON_NONE && proof == NULL && !p->check->is_again)
        note_wiring(p);
    if (refusal == REASON_CERTIFICATE_NONE) { /* nobody is no failure: rules may be for anybody */
        facts->workload_failure = REASON_NONE;
        return;
    }
    if (refusal == REASON_NONE) {
        struct svid_key key = caller_proof_key(&p->caller_input);
        struct x509_svid *kept =
            svid_cache_find(context->callers, &key, context->snapshot->bundles, facts->now, &refusal);
        p->caller = kept;
        p->caller_clearance = kept != NULL ? &kept->clearance : NULL;
        bool is_known = p->caller != NULL || refusal != REASON_NONE;
        if (proof == NULL && !p->check->is_again) /* not again when it comes back */
            metrics_add(context->metrics, is_known ? METRIC_CERTIFICATE_HITS : METRIC_CERTIFICATE_MISSES, 1);
        if (!is_known && proof != NULL && proof->has_caller) { /* too large for the cache */
            refusal = proof->caller_refusal;
            p->caller = refusal == REASON_NONE ? &proof->caller : NULL;
        } else if (!is_known) {
            p->wants_caller = true;
            return;
        }
    }
    if (refusal != REASON_NONE && proof != NULL && proof->has_caller)
        p->unverified_caller = proof->caller.id.text;
    facts->workload_failure = p->caller != NULL ? judge_caller(p) : refusal;
}

/* Bindings are judged on every request, outside the cache. */
static enum reason judge_token(struct passage *p)
{
    const struct token *token = p->token;
    struct user_facts *user = &p->facts.user;
    *user = token->user;
    if (is_token_revoked(p))
        return REASON_TOKEN_REVOKED;
    /* RFC 8705 section 3 binds to a certificate whose possession was seen; a Hash is hearsay. */
    const uint8_t *certificate = p->caller != NULL && !p->caller->is_believed ? p->caller->sha256 : NULL;
    return token_check_binding(token, certificate, p->facts.workload.spiffe_id, user);
}

void passage_prove(struct passage *p)
{
    struct check_context *context = p->context;
    struct facts *facts = &p->facts;
    const struct check_proof *proof = p->check->proof;
    facts->user_failure = REASON_NONE;
    if (!view_is_present(p->credentials.authorization))
        return;
    enum reason refusal = authorization_parse(p->credentials.authorization, &p->token_text, &p->is_dpop);
    if (refusal == REASON_NONE && !view_is_present(p->token_text))
        return; /* another scheme: nothing to us */
    if (refusal == REASON_NONE &&
        p->is_dpop) /* RFC 9449 section 7.1: never without the proof, and none is verified here */
        refusal = REASON_TOKEN_BINDING;
    if (refusal == REASON_NONE) {
        uint64_t epoch = passage_token_epoch(context->snapshot);
        struct token *kept = token_cache_find(context->tokens, p->token_text, epoch, facts->now, &refusal);
        p->token = kept;
        p->token_clearance = kept != NULL ? &kept->clearance : NULL;
        bool is_known = p->token != NULL || refusal != REASON_NONE;
        if (proof == NULL && !p->check->is_again)
            metrics_add(context->metrics, is_known ? METRIC_TOKEN_HITS : METRIC_TOKEN_MISSES, 1);
        if (!is_known && proof != NULL && proof->has_token) {
            refusal = proof->token_refusal;
            p->token = refusal == REASON_NONE ? &proof->token : NULL;
        } else if (!is_known && !authorization_is_token(p->token_text)) {
            refusal = REASON_TOKEN_MALFORMED;
        } else if (!is_known) {
            p->wants_token = true;
            return;
        }
    }
    if (p->token != NULL && !p->wants_caller)
        refusal = judge_token(p);
    if (refusal == REASON_KEYS_UNAVAILABLE) { /* neither invalid nor absent: it cannot be judged */
        facts->user.state = USER_UNKNOWN;
        return;
    }
    facts->user_failure = refusal;
}

/* ---- parking ------------------------------------------------------------- */

static struct proof_flight_key caller_work(const struct passage *p)
{
    struct svid_key key = caller_proof_key(&p->caller_input);
    return (struct proof_flight_key){
        .kind = FLIGHT_CALLER, .epoch = p->context->snapshot->bundle_generation, .parts = {key.leaf, key.chain}};
}

static struct proof_flight_key token_work(const struct passage *p)
{
    return (struct proof_flight_key){
        .kind = FLIGHT_TOKEN, .epoch = passage_token_epoch(p->context->snapshot), .parts = {p->token_text}};
}

bool passage_wait(struct passage *p)
{
    struct check_context *context = p->context;
    struct proof_flight *flight = NULL;
    if (p->check->has_waited || context->flights.waiting >= context->config->limits.queue)
        return false;
    if (p->wants_caller) {
        struct proof_flight_key key = caller_work(p);
        flight = proof_flights_find(&context->flights, &key);
    }
    if (flight == NULL && p->wants_token) {
        struct proof_flight_key key = token_work(p);
        flight = proof_flights_find(&context->flights, &key);
    }
    if (flight == NULL)
        return false;
    check_drop(context, p->check);
    p->check->has_waited = true;
    p->check->is_again = true;
    proof_flights_wait(&context->flights, flight, &p->check->waiter);
    metrics_add(context->metrics, METRIC_CHECKS_SHARED, 1);
    return true;
}

bool passage_park(struct passage *p)
{
    struct check *check = p->check;
    int attempts = check->proof != NULL ? check->proof->attempts : 0;
    check_drop(p->context, check);
    struct check_proof *proof = attempts < PROOF_ATTEMPTS ? calloc(1, sizeof(*proof)) : NULL;
    if (proof == NULL)
        return false;
    proof->attempts = attempts + 1;
    proof->now = p->facts.now;
    proof->snapshot = snapshot_hold(p->context->snapshot);
    arena_init(&proof->arena, TOKEN_ARENA_BYTES);
    proof->has_caller = p->wants_caller;
    proof->rule = p->context->rule;
    proof->caller_input = p->caller_input;
    proof->caller_input.rule = &proof->rule;
    proof->has_token = p->wants_token;
    proof->token_text = p->token_text;
    check->proof = proof;
    struct proof_flights *flights = &p->context->flights;
    if (p->wants_caller) {
        struct proof_flight_key key = caller_work(p);
        proof_flights_begin(flights, &proof->caller_flight, &key);
    }
    if (p->wants_token) {
        struct proof_flight_key key = token_work(p);
        proof_flights_begin(flights, &proof->token_flight, &key);
    }
    return true;
}
