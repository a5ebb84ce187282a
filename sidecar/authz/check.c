/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "decision_record.h"
#include "log.h"
#include "passage.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    ID_BYTES = 40,
    CACHE_ENTRY_BYTES = 8 * 1024,
    CACHE_ENTRIES_MAX = 1 << 20, /* of svid_cache and token_cache */
};
#define NANOSECONDS INT64_C(1000000000)

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

/* ---- parked --------------------------------------------------------------- */

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
    if (passage_token_epoch(proof->snapshot) != passage_token_epoch(snapshot))
        proof->has_token = false;
    if (proof->has_caller) {
        struct svid_key key = caller_proof_key(&proof->caller_input);
        svid_cache_insert(context->callers, &key, proof->caller_refusal == REASON_NONE ? &proof->caller : NULL,
                          proof->caller_refusal, snapshot->bundles, now);
    }
    if (proof->has_token)
        token_cache_insert(context->tokens, proof->token_text, passage_token_epoch(snapshot),
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
        passage_identify(&passage);
        passage_prove(&passage);
    }
    if (passage.wants_caller || passage.wants_token) {
        if (passage_wait(&passage))
            return CHECK_WAITING;
        if (passage_park(&passage))
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
