/* SPDX-License-Identifier: Apache-2.0 */
#include "decision_record.h"

#include <stdlib.h>

enum { SUBJECT_SLOTS = 256, SUBJECT_BYTES_MAX = 512, SUBJECT_HEX = 2 * SHA256_BYTES, KEY_BYTES_MAX = 4096 };
enum { CHALLENGE_BYTES_MAX = 1024, OBLIGATION_BYTES_MAX = 1024 };

struct subject_slot {
    size_t size;                  /* 0: empty */
    char text[SUBJECT_BYTES_MAX]; /* issuer, NUL, subject */
    char hex[SUBJECT_HEX];
};

struct subject_hashes {
    size_t key_size; /* 0: plain */
    char key[KEY_BYTES_MAX];
    struct hash_key hash_key;
    struct subject_slot slots[SUBJECT_SLOTS];
};

enum err subject_hashes_open(struct view key, const struct hash_key *hash_key, struct subject_hashes **out)
{
    if (key.size > KEY_BYTES_MAX)
        return ERR_LIMIT;
    struct subject_hashes *hashes = calloc(1, sizeof(*hashes));
    if (hashes == NULL)
        return ERR_NO_MEMORY;
    if (key.size > 0)
        memcpy(hashes->key, key.data, key.size);
    hashes->key_size = key.size;
    hashes->hash_key = *hash_key;
    *out = hashes;
    return ERR_NONE;
}

void subject_hashes_close(struct subject_hashes *hashes)
{
    free(hashes);
}

/* The HMAC of issuer and subject in hex; absent when it cannot be made: a subject
 * that must not be plain is then not in the record at all. */
static struct view subject_hash(struct subject_hashes *hashes, struct view issuer, struct view subject)
{
    char text[SUBJECT_BYTES_MAX];
    size_t size = issuer.size + 1 + subject.size;
    if (issuer.size > sizeof(text) || subject.size > sizeof(text) || size > sizeof(text))
        return (struct view){0};
    memcpy(text, issuer.data, issuer.size);
    text[issuer.size] = '\0';
    memcpy(text + issuer.size + 1, subject.data, subject.size);
    struct view whole = {.data = text, .size = size};
    struct subject_slot *slot = &hashes->slots[keyed_hash(&hashes->hash_key, whole) % SUBJECT_SLOTS];
    if (slot->size != size || memcmp(slot->text, text, size) != 0) {
        uint8_t digest[SHA256_BYTES];
        slot->size = 0;
        if (hmac_sha256((struct view){.data = hashes->key, .size = hashes->key_size}, whole, digest) != ERR_NONE)
            return (struct view){0};
        hex_encode(digest, sizeof(digest), slot->hex);
        memcpy(slot->text, text, size);
        slot->size = size;
    }
    return (struct view){.data = slot->hex, .size = SUBJECT_HEX};
}

static void fill_caller(const struct decision_record *r, struct audit_decision *d)
{
    d->proof = r->facts->workload.proof;
    if (r->caller == NULL) {
        d->caller = r->unverified_caller;
        return;
    }
    d->caller = r->caller->id.text;
    d->trust_domain = r->caller->id.trust_domain;
    d->is_caller_verified = !r->caller->is_believed;
    static const uint8_t not_stated[SHA256_BYTES];
    if (memcmp(r->caller->sha256, not_stated, sizeof(not_stated)) != 0)
        d->certificate_sha256 = (struct view){.data = (const char *)r->caller->sha256, .size = SHA256_BYTES};
}

static void fill_user(const struct decision_record *r, struct subject_hashes *hashes, struct audit_decision *d)
{
    const struct user_facts *user = &r->facts->user;
    if (user->state != USER_KNOWN)
        return;
    d->is_user_verified = true;
    d->user_issuer = user->issuer;
    d->is_subject_hashed = hashes->key_size > 0;
    d->user_subject = d->is_subject_hashed ? subject_hash(hashes, user->issuer, user->subject) : user->subject;
    d->token_id = r->token != NULL ? r->token->id : (struct view){0};
    d->client = user->client;
    d->amr_count = user->amr_count < 8 ? user->amr_count : 8;
    for (size_t i = 0; i < d->amr_count; i++)
        d->amr[i] = user->amr[i];
    d->acr = user->acr;
    d->has_auth_time = user->has_auth_time;
    d->auth_age = user->has_auth_time ? r->facts->now - user->auth_time : 0;
    d->actor_count = user->actor_count;
    for (size_t i = 0; i < user->actor_count && i < FACTS_ACTORS_MAX; i++)
        d->actors[i] = user->actors[i];
    d->is_bound_to_certificate = user->is_bound_to_certificate;
    d->is_bound_to_workload = user->is_bound_to_workload;
    d->is_bound_by_dpop = user->is_bound_by_dpop;
}

static void fill_request(const struct decision_record *r, struct audit_decision *d)
{
    const struct facts *facts = r->facts;
    d->method = facts->method;
    d->host = facts->host;
    d->path = view_is_present(r->decision->path) ? r->decision->path
                                                 : view_slice(facts->path, 0, view_index_of(facts->path, '?', 0));
    d->action = r->decision->action;
    d->resource_type = r->decision->resource_type;
    d->resource_id = r->decision->resource_id;
    d->label_count = r->decision->resource_label_count;
    for (size_t i = 0; i < d->label_count && i < DECISION_LABELS_MAX; i++)
        d->labels[i] = r->decision->resource_labels[i];
    d->purpose = r->decision->purpose;
    d->request_id = r->credentials->request_id;
    d->trace_id = r->credentials->trace_id;
    d->source_address = r->request->source.address;
    d->asking_peer = r->asking_peer;
}

static void append_names(char *buffer, size_t *size, const struct header_obligation *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].name.size + 1 > OBLIGATION_BYTES_MAX - *size)
            return;
        if (*size > 0)
            buffer[(*size)++] = ' ';
        memcpy(buffer + *size, items[i].name.data, items[i].name.size);
        *size += items[i].name.size;
    }
}

static struct view obligation_names(const struct obligations *o, struct arena *arena)
{
    if (o->request_header_count + o->response_header_count + o->metadata_count + o->query_param_count == 0)
        return (struct view){0};
    char *buffer = arena_take(arena, OBLIGATION_BYTES_MAX);
    size_t size = 0;
    if (buffer == NULL)
        return (struct view){0};
    append_names(buffer, &size, o->request_headers, o->request_header_count);
    append_names(buffer, &size, o->response_headers, o->response_header_count);
    append_names(buffer, &size, o->metadata, o->metadata_count);
    append_names(buffer, &size, o->query_params, o->query_param_count);
    return (struct view){.data = buffer, .size = size};
}

static void fill_answer(const struct decision_record *r, struct arena *arena, struct audit_decision *d)
{
    const struct decision *decision = r->decision;
    d->decision_id = r->answer->decision_id;
    d->verdict = decision->verdict;
    d->is_report_only = r->answer->is_report_only;
    d->enforced = d->is_report_only ? VERDICT_ALLOW : decision->verdict;
    d->reason = decision->reason;
    d->rule = decision->rule;
    d->closest = decision->closest;
    d->missing = decision->missing;
    d->attribute = decision->attribute;
    d->level = decision->audit;
    d->http_status = (uint32_t)decision_http_status(decision);
    d->obligations = obligation_names(&decision->obligations, arena);
    if (decision->verdict == VERDICT_CHALLENGE) {
        char *buffer = arena_take(arena, CHALLENGE_BYTES_MAX);
        if (buffer != NULL)
            d->challenge = check_response_challenge(r->answer, buffer, CHALLENGE_BYTES_MAX);
    }
}

static void fill_shadow(const struct decision_record *r, struct audit_decision *d)
{
    if (r->shadow == NULL)
        return;
    d->has_shadow = true;
    d->shadow_verdict = r->shadow->verdict;
    d->shadow_rule = r->shadow->rule;
    d->shadow_digest = policy_digest(r->snapshot->shadow);
}

void decision_record_fill(const struct decision_record *record, struct subject_hashes *hashes, struct arena *arena,
                          struct audit_event *event)
{
    memset(event, 0, sizeof(*event));
    event->kind = RECORD_DECISION;
    event->instance = record->config->instance;
    memcpy(event->epoch, record->epoch, sizeof(event->epoch));
    event->sequence = record->sequence;
    event->realtime_ns = record->realtime_ns;
    event->boottime_ns = record->boottime_ns;
    struct audit_decision *d = &event->decision;
    fill_answer(record, arena, d);
    fill_caller(record, d);
    fill_user(record, hashes, d);
    fill_request(record, d);
    fill_shadow(record, d);
    d->policy_digest = policy_digest(record->snapshot->policy);
    d->bundle_generation = record->snapshot->bundle_generation;
    d->key_generation = record->snapshot->key_generation;
    d->revocation_generation = record->snapshot->revocation_generation;
    d->duration_ns = record->duration_ns;
    d->is_late = record->is_late;
}
