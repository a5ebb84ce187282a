/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "caller_proof.h"
#include "decision_record.h"
#include "log.h"
#include "shadow_judge.h"
#include "token_cache.h"
#include "wiring.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    SCRATCH_BYTES = 96 * 1024, /* facts, evaluation and record of one request */
    ID_BYTES = 40,
    CACHE_ENTRY_BYTES = 8 * 1024,
    CACHE_ENTRIES_MAX = 1 << 20, /* of svid_cache and token_cache */
    PROOF_ATTEMPTS = 3,          /* a check whose files change under it this often is refused */
};
#define NANOSECONDS INT64_C(1000000000)

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
    char scratch[SCRATCH_BYTES];
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

/* ---- context ------------------------------------------------------------- */

static void fill_rule(const struct config *config, struct caller_proof_rule *rule)
{
    for (size_t i = 0; i < config->identity.source_count; i++) {
        const struct identity_source *source = &config->identity.sources[i];
        if (source->kind == SOURCE_CERTIFICATE) {
            rule->uses_certificate = true;
        } else {
            rule->uses_xfcc = true;
            rule->believes_text = source->kind == SOURCE_XFCC_TEXT;
            rule->believes_without_hash = rule->believes_text && source->accepts_missing_hash;
            rule->hops = source->hops;
            rule->by = source->by;
            rule->by_count = source->by_count;
        }
    }
}

static enum err read_names(const struct policy *policy, struct header_names *names, struct header_names *settable)
{
    TRY(header_names_build(policy, names));
    enum err result = header_names_build_settable(policy, settable);
    if (result != ERR_NONE)
        header_names_free(names);
    return result;
}

uint32_t check_cache_entries(uint64_t bytes)
{
    uint32_t entries = 16;
    while (entries < CACHE_ENTRIES_MAX && (uint64_t)entries * 2 * CACHE_ENTRY_BYTES <= bytes)
        entries *= 2;
    return entries;
}

enum err check_context_open(const struct check_context_config *config, struct check_context **out)
{
    struct check_context *context = calloc(1, sizeof(*context));
    if (context == NULL)
        return ERR_NO_MEMORY;
    context->config = config->config;
    context->journal = config->journal;
    context->metrics = config->metrics;
    context->refusals = config->refusals;
    context->flights.hash_key = config->hash_key;
    fill_rule(config->config, &context->rule);
    context->limits = (struct check_limits){.headers = config->config->limits.headers,
                                            .header_bytes = config->config->limits.header_bytes,
                                            .request_bytes = config->config->limits.request_bytes};
    memcpy(context->epoch, config->epoch, sizeof(context->epoch));
    hex_encode(context->epoch, sizeof(context->id_prefix) / 2, context->id_prefix);
    uint64_t for_callers = config->config->limits.caller_cache, for_tokens = config->config->limits.token_cache;
    const struct svid_cache_config caller_sizes = {
        .entries = check_cache_entries(for_callers), .key_bytes = 16 * 1024, .memory = for_callers};
    const struct token_cache_config token_sizes = {.entries = check_cache_entries(for_tokens), .memory = for_tokens};
    enum err result = svid_cache_open(&caller_sizes, &config->hash_key, &context->callers);
    if (result == ERR_NONE)
        result = token_cache_open(&token_sizes, &config->hash_key, &context->tokens);
    if (result == ERR_NONE)
        result = subject_hashes_open(config->subject_key, &config->hash_key, &context->subjects);
    if (result == ERR_NONE)
        result = read_names(config->snapshot->policy, &context->names, &context->settable);
    if (result == ERR_NONE && config->config->policy.shadow != NULL)
        result = shadow_judge_open(config->shadow, &context->shadow);
    if (result != ERR_NONE) {
        check_context_close(context);
        return result;
    }
    context->snapshot = snapshot_hold(config->snapshot);
    if (context->shadow != NULL)
        shadow_judge_begin(context->shadow, context->snapshot);
    *out = context;
    return ERR_NONE;
}

void check_context_close(struct check_context *context)
{
    if (context == NULL)
        return;
    if (context->callers != NULL)
        svid_cache_close(context->callers);
    if (context->tokens != NULL)
        token_cache_close(context->tokens);
    subject_hashes_close(context->subjects);
    header_names_free(&context->names);
    header_names_free(&context->settable);
    snapshot_drop(context->snapshot);
    shadow_judge_close(context->shadow);
    free(context);
}

enum err check_context_replace(struct check_context *context, struct snapshot *snapshot)
{
    struct header_names names, settable;
    TRY(read_names(snapshot->policy, &names, &settable));
    header_names_free(&context->names);
    header_names_free(&context->settable);
    context->names = names;
    context->settable = settable;
    snapshot_drop(context->snapshot);
    context->snapshot = snapshot_hold(snapshot);
    if (context->shadow != NULL)
        shadow_judge_begin(context->shadow, snapshot);
    return ERR_NONE;
}

const struct snapshot *check_context_snapshot(const struct check_context *context)
{
    return context->snapshot;
}

/* Tokens are judged by policy and keys; generations are snapshot numbers, so the
 * younger of the two names the pair. */
static uint64_t token_epoch(const struct snapshot *snapshot)
{
    return snapshot->policy_generation > snapshot->key_generation ? snapshot->policy_generation
                                                                  : snapshot->key_generation;
}

/* ---- decode -------------------------------------------------------------- */

static void decode(struct passage *p, const struct check_clock *clock)
{
    struct check_context *context = p->context;
    enum reason failure = check_request_parse(p->check->bytes, &context->limits, &context->request);
    struct request_facts_input input = {.request = &context->request,
                                        .failure = failure,
                                        .policy = context->snapshot->policy,
                                        .names = &context->names,
                                        .uses_xfcc = context->rule.uses_xfcc};
    request_facts_fill(&input, &p->arena, &p->facts, &p->credentials);
    p->facts.now = clock->realtime_ns / NANOSECONDS;
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

static void identify(struct passage *p)
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

static void prove(struct passage *p)
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
        uint64_t epoch = token_epoch(context->snapshot);
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

void check_drop(struct check_context *context, struct check *check)
{
    proof_flights_leave(&context->flights, &check->waiter);
    if (check->proof == NULL)
        return;
    proof_flights_end(&context->flights, &check->proof->caller_flight);
    proof_flights_end(&context->flights, &check->proof->token_flight);
    snapshot_drop(check->proof->snapshot);
    arena_free(&check->proof->arena);
    free(check->proof);
    check->proof = NULL;
}

static struct proof_flight_key caller_work(const struct passage *p)
{
    struct svid_key key = caller_proof_key(&p->caller_input);
    return (struct proof_flight_key){
        .kind = FLIGHT_CALLER, .epoch = p->context->snapshot->bundle_generation, .parts = {key.leaf, key.chain}};
}

static struct proof_flight_key token_work(const struct passage *p)
{
    return (struct proof_flight_key){
        .kind = FLIGHT_TOKEN, .epoch = token_epoch(p->context->snapshot), .parts = {p->token_text}};
}

/* True when somebody verifies already what this check brings. Once only: what no cache
 * keeps would otherwise be verified by one check after the other. */
static bool wait_for_another(struct passage *p)
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

/* False when there is no memory, or the files changed too often. */
static bool park(struct passage *p)
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

void check_work(struct check *check)
{
    struct check_proof *proof = check->proof;
    if (proof->has_caller)
        proof->caller_refusal =
            caller_proof_verify(&proof->caller_input, proof->snapshot->bundles, proof->now, &proof->caller);
    if (proof->has_token)
        proof->token_refusal = jwt_verify(proof->token_text, proof->snapshot->policy, proof->snapshot->keys, proof->now,
                                          &proof->arena, &proof->token);
}

/* Keeps what the worker found. What was verified against files that are no longer
 * in force is forgotten, and asked for again. */
static void learn(struct check_context *context, struct check *check, int64_t now)
{
    struct check_proof *proof = check->proof;
    const struct snapshot *snapshot = context->snapshot;
    if (proof->snapshot->bundle_generation != snapshot->bundle_generation)
        proof->has_caller = false;
    if (token_epoch(proof->snapshot) != token_epoch(snapshot))
        proof->has_token = false;
    if (proof->has_caller) {
        struct svid_key key = caller_proof_key(&proof->caller_input);
        svid_cache_insert(context->callers, &key, proof->caller_refusal == REASON_NONE ? &proof->caller : NULL,
                          proof->caller_refusal, snapshot->bundles, now);
    }
    if (proof->has_token)
        token_cache_insert(context->tokens, proof->token_text, token_epoch(snapshot),
                           proof->token_refusal == REASON_NONE ? &proof->token : NULL, proof->token_refusal, now);
}

/* ---- decide and record --------------------------------------------------- */

/* The id that a client can quote: it finds the record, and tells nothing else. */
static struct view decision_id(const struct check_context *context, char mark, uint64_t number, char buffer[ID_BYTES])
{
    size_t size = sizeof(context->id_prefix);
    int shift = 60;
    memcpy(buffer, context->id_prefix, size);
    buffer[size++] = '-';
    if (mark != '\0')
        buffer[size++] = mark;
    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        buffer[size++] = "0123456789abcdef"[number >> shift & 15];
    return (struct view){.data = buffer, .size = size};
}

/* How long a stream that this answer allows may last; 0: as long as it likes. */
static uint32_t stream_seconds(const struct passage *p, const struct decision *decision)
{
    const struct obligations *o = &decision->obligations;
    int64_t seconds = o->has_max_stream ? (int64_t)o->max_stream : 0;
    if (o->has_max_stream && o->max_stream_by_credentials) {
        if (p->token != NULL && p->token->user.expires - p->facts.now < seconds)
            seconds = p->token->user.expires - p->facts.now;
        if (p->caller != NULL && p->caller->not_after - p->facts.now < seconds)
            seconds = p->caller->not_after - p->facts.now;
        seconds = seconds < 1 ? 1 : seconds; /* inside the clock skew */
    }
    return (uint32_t)seconds;
}

static uint64_t elapsed(const struct passage *p, const struct check_clock *clock)
{
    int64_t now = clock->boottime_now != NULL ? clock->boottime_now() : clock->boottime_ns;
    return now > p->check->started_ns ? (uint64_t)(now - p->check->started_ns) : 0;
}

static void record(struct passage *p, const struct decision *decision, const struct decision *shadow,
                   const struct check_answer *answer, char *room, uint64_t sequence, uint64_t duration,
                   const struct check_clock *clock)
{
    struct check_context *context = p->context;
    struct decision_record record = {
        .config = context->config,
        .snapshot = context->snapshot,
        .facts = &p->facts,
        .decision = decision,
        .shadow = shadow,
        .answer = answer,
        .request = &context->request,
        .credentials = &p->credentials,
        .caller = p->caller,
        .unverified_caller = p->unverified_caller,
        .token = p->token,
        .asking_peer = p->check->asking_peer,
        .epoch = context->epoch,
        .sequence = sequence,
        .realtime_ns = clock->realtime_ns,
        .boottime_ns = clock->boottime_ns,
        .duration_ns = duration,
        .is_late = p->check->is_late,
    };
    decision_record_fill(&record, context->subjects, &p->arena, &context->event);
    journal_writer_commit(context->journal, audit_event_write(&context->event, room));
}

/* Of what is at fault, once an interval: a flood of bad credentials is one line a minute. */
static void tell(struct passage *p, enum reason reason, struct view decision_id)
{
    const struct reason_info *info = reason_info(reason);
    uint64_t untold = 0;
    if (!reason_is_fault(reason) || !refusal_log_tells(p->context->refusals, p->facts.now, reason, &untold))
        return;
    log_line(LOG_WARN, log_say("refused"), log_text("reason", info->name), log_text("meaning", info->sentence),
             log_text("do", info->advice), log_text("decision", decision_id),
             log_text("caller", p->facts.workload.spiffe_id), log_text("unverified", p->unverified_caller),
             log_number("untold_before", untold));
}

static void count(struct passage *p, const struct decision *decision, const struct check_answer *answer,
                  uint64_t duration)
{
    struct check_context *context = p->context;
    metrics_decided(context->metrics, decision->verdict, decision->reason, duration);
    if (p->check->is_late)
        metrics_add(context->metrics, METRIC_LATE_ANSWERS, 1);
    if (decision->verdict == VERDICT_ALLOW)
        return;
    if (answer->is_report_only)
        metrics_add(context->metrics,
                    decision->verdict == VERDICT_CHALLENGE ? METRIC_WOULD_CHALLENGE : METRIC_WOULD_DENY, 1);
    if (context->refusals == NULL)
        return;
    refusal_log_add(context->refusals, p->facts.now, decision->reason, answer->decision_id,
                    p->facts.workload.spiffe_id);
    tell(p, decision->reason, answer->decision_id);
}

/* What was decided could not be said, and the static denial is sent: record and counters tell of that. The rule
 * stays: its obligations are what to look at. */
static void note_static_denial(struct decision *decision, struct check_answer *answer)
{
    static const struct obligations none;
    decision->verdict = VERDICT_DENY;
    decision->reason = REASON_INTERNAL;
    decision->missing = VIEW("the answer could not be written: its headers are too large, or hold what no header may");
    decision->obligations = none;
    decision->denial = (struct denial){0};
    answer->is_report_only = false;
}

/* The record is complete in the journal before the answer leaves. */
static void answer(struct passage *p, const struct check_clock *clock, struct check_reply *reply)
{
    struct check_context *context = p->context;
    char id[ID_BYTES];
    uint64_t sequence = 0;
    if (p->facts.request_failure == REASON_NONE &&
        policy_standing_has_expired(&context->snapshot->standing, p->facts.now))
        p->facts.request_failure = REASON_POLICY_EXPIRED;
    char *room = context->journal != NULL ? journal_writer_reserve(context->journal, &sequence) : NULL;
    p->facts.decision_id =
        room != NULL ? decision_id(context, '\0', sequence, id) : decision_id(context, 'x', context->unrecorded++, id);
    struct decision decision;
    policy_decide(context->snapshot->policy, &p->facts, &p->arena, &decision);
    struct check_answer answer = {
        .decision = &decision,
        .decision_id = p->facts.decision_id,
        .challenge_scheme = p->is_dpop ? VIEW("DPoP") : VIEW("Bearer"),
        .resource_metadata = context->config->tokens.resource_metadata,
        .stream_seconds = stream_seconds(p, &decision),
        .is_report_only = context->config->policy.enforcement == REPORT,
        .settable = context->settable.items,
        .settable_count = context->settable.count,
        .is_grpc = request_facts_is_grpc(&context->request),
    };
    answer.settable_queries = policy_settable_queries(context->snapshot->policy, &answer.settable_query_count);
    reply->size = check_response_write(&answer, reply->bytes, sizeof(reply->bytes));
    const struct decision *shadow = NULL;
    if (context->shadow != NULL)
        shadow = shadow_judge_decide(context->shadow, context->snapshot, &context->request, &p->facts, &decision);
    if (check_response_is_denial((struct view){.data = reply->bytes, .size = reply->size}))
        note_static_denial(&decision, &answer);
    uint64_t duration = elapsed(p, clock);
    if (room != NULL) {
        record(p, &decision, shadow, &answer, room, sequence, duration, clock);
    } else if (context->journal != NULL) {
        metrics_set(context->metrics, METRIC_JOURNAL_LOST, journal_writer_lost(context->journal));
    }
    count(p, &decision, &answer, duration);
    check_drop(context, p->check);
}

/* ---- the whole ----------------------------------------------------------- */

static void passage_init(struct passage *p, struct check_context *context, struct check *check)
{
    memset(p, 0, sizeof(*p));
    p->context = context;
    p->check = check;
    arena_init_fixed(&p->arena, context->scratch, sizeof(context->scratch));
}

static enum check_step step(struct check_context *context, struct check *check, const struct check_clock *clock,
                            struct check_reply *reply)
{
    struct passage passage;
    passage_init(&passage, context, check);
    decode(&passage, clock);
    if (passage.facts.request_failure == REASON_NONE) {
        identify(&passage);
        prove(&passage);
    }
    if (passage.wants_caller || passage.wants_token) {
        if (wait_for_another(&passage))
            return CHECK_WAITING;
        if (park(&passage))
            return CHECK_PARKED;
        passage.facts.request_failure = REASON_OVERLOAD;
    }
    answer(&passage, clock, reply);
    return CHECK_ANSWERED;
}

enum check_step check_begin(struct check_context *context, struct check *check, const struct check_clock *clock,
                            struct check_reply *reply)
{
    return step(context, check, clock, reply);
}

enum check_step check_resume(struct check_context *context, struct check *check, const struct check_clock *clock,
                             struct check_reply *reply)
{
    learn(context, check, clock->realtime_ns / NANOSECONDS);
    proof_flights_end(&context->flights, &check->proof->caller_flight);
    proof_flights_end(&context->flights, &check->proof->token_flight);
    return step(context, check, clock, reply);
}

struct check *check_next_released(struct check_context *context)
{
    struct proof_waiter *waiter = proof_flights_next_released(&context->flights);
    return waiter == NULL ? NULL : (struct check *)(void *)((char *)waiter - offsetof(struct check, waiter));
}

void check_refuse(struct check_context *context, struct check *check, enum reason reason,
                  const struct check_clock *clock, struct check_reply *reply)
{
    struct passage passage;
    passage_init(&passage, context, check);
    memset(&context->request, 0, sizeof(context->request));
    passage.facts.request_failure = reason;
    passage.facts.now = clock->realtime_ns / NANOSECONDS;
    answer(&passage, clock, reply);
}

void check_run(struct check_context *context, struct check *check, const struct check_clock *clock,
               struct check_reply *reply)
{
    check->has_waited = true; /* nobody works beside this thread */
    enum check_step result = check_begin(context, check, clock, reply);
    while (result == CHECK_PARKED) {
        check_work(check);
        result = check_resume(context, check, clock, reply);
    }
}
