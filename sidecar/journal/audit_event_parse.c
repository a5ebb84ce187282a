/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event.h"

#include "pb_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each takes one known field; of a field that comes twice the last counts, as in
 * every protobuf decoder. Unknown fields are passed over by the callers. */

static bool take_bytes(const struct pb_field *field, struct view *out)
{
    *out = field->bytes;
    return field->wire == PB_BYTES;
}

static bool take_u64(const struct pb_field *field, uint64_t *out)
{
    *out = field->scalar;
    return field->wire == PB_VARINT;
}

static bool take_bool(const struct pb_field *field, bool *out)
{
    *out = field->scalar != 0;
    return field->wire == PB_VARINT;
}

static bool take_fixed64(const struct pb_field *field, int64_t *out)
{
    *out = (int64_t)field->scalar;
    return field->wire == PB_FIXED64;
}

/* An enumeration value of at most `most`. */
static bool take_choice(const struct pb_field *field, unsigned most, unsigned *out)
{
    *out = (unsigned)field->scalar;
    return field->wire == PB_VARINT && field->scalar <= most;
}

static bool take_append(const struct pb_field *field, struct view *list, size_t capacity, size_t *count)
{
    if (field->wire != PB_BYTES || *count >= capacity)
        return false;
    list[(*count)++] = field->bytes;
    return true;
}

static bool take_label(const struct pb_field *label, struct audit_decision *out)
{
    struct pb_reader reader;
    struct pb_field field;
    if (label->wire != PB_BYTES || out->label_count >= COUNT(out->labels))
        return false;
    struct pair_of_views *pair = &out->labels[out->label_count++];
    pb_reader_init(&reader, label->bytes);
    while (pb_reader_next(&reader, &field)) {
        if ((field.number == 1 && !take_bytes(&field, &pair->name)) ||
            (field.number == 2 && !take_bytes(&field, &pair->value)))
            return false;
    }
    return !reader.is_broken;
}

static bool take_reason(const struct pb_field *field, struct audit_decision *out)
{
    out->reason = REASON_INTERNAL;
    if (!take_bytes(field, &out->reason_name))
        return false;
    (void)reason_parse(out->reason_name, &out->reason);
    return true;
}

static bool take_verdict(const struct pb_field *field, enum verdict *out)
{
    unsigned value;
    bool is_good = take_choice(field, VERDICT_ALLOW, &value);
    *out = is_good ? (enum verdict)value : VERDICT_DENY;
    return is_good;
}

static bool take_proof(const struct pb_field *field, enum proof *out)
{
    unsigned value;
    bool is_good = take_choice(field, PROOF_XFCC_TEXT, &value);
    *out = is_good ? (enum proof)value : PROOF_NONE;
    return is_good;
}

static bool take_level(const struct pb_field *field, enum audit_level *out)
{
    unsigned value;
    bool is_good = take_choice(field, AUDIT_FULL, &value);
    *out = is_good ? (enum audit_level)value : AUDIT_MINIMAL;
    return is_good;
}

static bool take_status(const struct pb_field *field, uint32_t *out)
{
    *out = (uint32_t)field->scalar;
    return field->wire == PB_VARINT && field->scalar <= UINT32_MAX;
}

static bool take_age(const struct pb_field *field, int64_t *out)
{
    *out = (int64_t)field->scalar;
    return field->wire == PB_VARINT;
}

static bool take_verdict_field(const struct pb_field *field, struct audit_decision *out)
{
    switch (field->number) {
    case 1: return take_bytes(field, &out->decision_id);
    case 2: return take_verdict(field, &out->verdict);
    case 3: return take_verdict(field, &out->enforced);
    case 4: return take_reason(field, out);
    case 5: return take_bytes(field, &out->rule);
    case 6: return take_bytes(field, &out->closest);
    case 7: return take_bytes(field, &out->missing);
    case 8: return take_bytes(field, &out->attribute);
    case 9: return take_bytes(field, &out->challenge);
    case 10: return take_bytes(field, &out->obligations);
    case 11: return take_status(field, &out->http_status);
    case 12: return take_level(field, &out->level);
    case 13: return take_bool(field, &out->is_report_only);
    default: return true;
    }
}

static bool take_who_field(const struct pb_field *field, struct audit_decision *out)
{
    switch (field->number) {
    case 16: return take_proof(field, &out->proof);
    case 17: return take_bytes(field, &out->caller);
    case 18: return take_bytes(field, &out->trust_domain);
    case 19: return take_bytes(field, &out->certificate_sha256);
    case 20: return take_bool(field, &out->is_caller_verified);
    case 21: return take_bytes(field, &out->user_issuer);
    case 22: return take_bytes(field, &out->user_subject);
    case 23: return take_bool(field, &out->is_subject_hashed);
    case 24: return take_bool(field, &out->is_user_verified);
    case 25: return take_bytes(field, &out->token_id);
    case 26: return take_bytes(field, &out->client);
    case 27: return take_append(field, out->amr, COUNT(out->amr), &out->amr_count);
    case 28: return take_bytes(field, &out->acr);
    case 29: return take_bool(field, &out->has_auth_time);
    case 30: return take_age(field, &out->auth_age);
    case 31: return take_append(field, out->actors, COUNT(out->actors), &out->actor_count);
    case 32: return take_bool(field, &out->is_bound_to_certificate);
    case 33: return take_bool(field, &out->is_bound_to_workload);
    case 34: return take_bool(field, &out->is_bound_by_dpop);
    default: return true;
    }
}

static bool take_what_field(const struct pb_field *field, struct audit_decision *out)
{
    switch (field->number) {
    case 40: return take_bytes(field, &out->method);
    case 41: return take_bytes(field, &out->host);
    case 42: return take_bytes(field, &out->path);
    case 43: return take_bytes(field, &out->action);
    case 44: return take_bytes(field, &out->resource_type);
    case 45: return take_bytes(field, &out->resource_id);
    case 46: return take_label(field, out);
    case 47: return take_bytes(field, &out->purpose);
    case 48: return take_bytes(field, &out->grpc_method);
    case 49: return take_bytes(field, &out->model);
    case 50: return take_bytes(field, &out->tool);
    case 60: return take_bytes(field, &out->policy_digest);
    case 61: return take_u64(field, &out->bundle_generation);
    case 62: return take_u64(field, &out->key_generation);
    case 63: return take_u64(field, &out->revocation_generation);
    case 70: return take_bytes(field, &out->request_id);
    case 71: return take_bytes(field, &out->trace_id);
    case 72: return take_bytes(field, &out->source_address);
    case 73: return take_bytes(field, &out->asking_peer);
    case 74: return take_u64(field, &out->duration_ns);
    case 75: return take_bool(field, &out->is_late);
    case 80: return take_bool(field, &out->has_shadow);
    case 81: return take_verdict(field, &out->shadow_verdict);
    case 82: return take_bytes(field, &out->shadow_rule);
    case 83: return take_bytes(field, &out->shadow_digest);
    default: return true;
    }
}

static bool take_decision_field(const struct pb_field *field, struct audit_event *out)
{
    if (field->number < 16)
        return take_verdict_field(field, &out->decision);
    return field->number < 40 ? take_who_field(field, &out->decision) : take_what_field(field, &out->decision);
}

static bool take_loss_field(const struct pb_field *field, struct audit_event *out)
{
    switch (field->number) {
    case 1: return take_u64(field, &out->loss.count);
    case 2: return take_u64(field, &out->loss.first);
    case 3: return take_u64(field, &out->loss.last);
    case 4: return take_bytes(field, &out->loss.reason);
    case 5: return take_bytes(field, &out->loss.epoch);
    default: return true;
    }
}

static bool take_change_kind(const struct pb_field *field, enum change_kind *out)
{
    unsigned value;
    bool is_good = take_choice(field, CHANGE_SHADOW, &value);
    *out = is_good ? (enum change_kind)value : (enum change_kind)0;
    return is_good;
}

static bool take_change_field(const struct pb_field *field, struct audit_event *out)
{
    switch (field->number) {
    case 1: return take_change_kind(field, &out->change.what);
    case 2: return take_bool(field, &out->change.is_refused);
    case 3: return take_bytes(field, &out->change.source);
    case 4: return take_bytes(field, &out->change.before);
    case 5: return take_bytes(field, &out->change.after);
    case 6: return take_bytes(field, &out->change.detail);
    case 7: return take_u64(field, &out->change.generation);
    default: return true;
    }
}

static bool take_lifecycle_kind(const struct pb_field *field, enum lifecycle_kind *out)
{
    unsigned value;
    bool is_good = take_choice(field, LIFECYCLE_SANDBOX, &value);
    *out = is_good ? (enum lifecycle_kind)value : (enum lifecycle_kind)0;
    return is_good;
}

static bool take_lifecycle_field(const struct pb_field *field, struct audit_event *out)
{
    switch (field->number) {
    case 1: return take_lifecycle_kind(field, &out->lifecycle.what);
    case 2: return take_bytes(field, &out->lifecycle.previous_epoch);
    case 3: return take_u64(field, &out->lifecycle.previous_sequence);
    case 4: return take_bytes(field, &out->lifecycle.detail);
    default: return true;
    }
}

/* A body: the sub-message whose fields `take` knows. */
static bool take_body(const struct pb_field *body, bool (*take)(const struct pb_field *, struct audit_event *),
                      struct audit_event *out)
{
    struct pb_reader reader;
    struct pb_field field;
    if (body->wire != PB_BYTES)
        return false;
    pb_reader_init(&reader, body->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (!take(&field, out))
            return false;
    }
    return !reader.is_broken;
}

static bool take_kind(const struct pb_field *field, enum record_kind *out)
{
    unsigned value;
    bool is_good = take_choice(field, RECORD_LIFECYCLE, &value);
    *out = is_good ? (enum record_kind)value : (enum record_kind)0;
    return is_good;
}

static bool take_epoch(const struct pb_field *field, struct audit_event *out)
{
    if (field->wire != PB_BYTES || field->bytes.size != JOURNAL_EPOCH_BYTES)
        return false;
    memcpy(out->epoch, field->bytes.data, JOURNAL_EPOCH_BYTES);
    return true;
}

/* `seen` has a bit for each field that may come once only. */
static bool take_record_field(const struct pb_field *field, unsigned *seen, struct audit_event *out)
{
    unsigned bit = field->number < 16 ? 1U << field->number : 0;
    if (field->number >= 10 && field->number <= 13 && (*seen & bit) != 0)
        return false;
    *seen |= bit;
    switch (field->number) {
    case 1: return take_kind(field, &out->kind);
    case 2: return take_bytes(field, &out->instance);
    case 3: return take_epoch(field, out);
    case 4: return take_u64(field, &out->sequence);
    case 5: return take_fixed64(field, &out->realtime_ns);
    case 6: return take_fixed64(field, &out->boottime_ns);
    case 7: return take_bool(field, &out->is_cut);
    case 10: return take_body(field, take_decision_field, out);
    case 11: return take_body(field, take_loss_field, out);
    case 12: return take_body(field, take_change_field, out);
    case 13: return take_body(field, take_lifecycle_field, out);
    default: return true;
    }
}

enum err audit_event_parse(struct view bytes, struct audit_event *out)
{
    enum { EPOCH = 1U << 3, BODIES = 0xfU << 10 };
    struct pb_reader reader;
    struct pb_field field;
    unsigned seen = 0;
    *out = (struct audit_event){0};
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        if (!take_record_field(&field, &seen, out))
            return ERR_MALFORMED;
    }
    unsigned kind = (unsigned)out->kind;
    if (reader.is_broken || kind == 0 || (seen & EPOCH) == 0 || (seen & BODIES) != 1U << (9 + kind))
        return ERR_MALFORMED;
    return ERR_NONE;
}
