/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event.h"

enum {
    SHORT_MAX = 64,
    NAME_MAX_BYTES = 256,
    RULE_MAX_BYTES = 257, /* DOCUMENT/RULE, of 128 bytes each */
    TEXT_MAX = 512,
    ID_MAX = 1024,
    CALLER_MAX = 2048, /* a SPIFFE ID is never cut */
    PATH_BYTES_MAX = 4096,
    /* Left free by every text, so that what has no length limit of its own (numbers,
     * the two bytes of is_cut) fits behind it without being asked for. */
    TAIL = 64,
    LENGTH_BYTES = 2, /* of a message: JOURNAL_RECORD_MAX - 1 still fits */
};
_Static_assert(JOURNAL_RECORD_MAX <= 1 << 14, "a length takes two bytes at most");

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- writing --- */

/* This is on the path of every request, with some 45 fields a record: so it asks for
 * room once a text, not once a byte as pb_writer does, and its tags are constants. */
struct pen {
    char *at;
    char *end; /* of the room */
    bool is_cut;
};

static inline void put_varint(struct pen *pen, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *pen->at++ = (char)(value | 0x80);
    *pen->at++ = (char)value;
}

static inline void put_tag(struct pen *pen, uint32_t field, unsigned wire)
{
    put_varint(pen, field << 3 | wire);
}

static inline void put_number(struct pen *pen, uint32_t field, uint64_t value)
{
    if (value == 0)
        return;
    put_tag(pen, field, WIRE_VARINT);
    put_varint(pen, value);
}

static void put_fixed64(struct pen *pen, uint32_t field, int64_t value)
{
    put_tag(pen, field, WIRE_FIXED64);
    for (size_t i = 0; i < 8; i++)
        *pen->at++ = (char)((uint64_t)value >> (8 * i));
}

static inline void put_text(struct pen *pen, uint32_t field, struct view text, size_t limit)
{
    size_t left = (size_t)(pen->end - pen->at);
    if (text.size == 0)
        return;
    if (left < limit + TAIL)
        limit = left > TAIL ? left - TAIL : 0;
    if (text.size > limit) {
        text.size = limit;
        pen->is_cut = true;
    }
    if (text.size == 0)
        return;
    put_tag(pen, field, WIRE_BYTES);
    put_varint(pen, text.size);
    memcpy(pen->at, text.data, text.size);
    pen->at += text.size;
}

/* A message field: its content follows, up to close_message. */
static char *open_message(struct pen *pen, uint32_t field)
{
    put_tag(pen, field, WIRE_BYTES);
    pen->at += LENGTH_BYTES;
    return pen->at;
}

/* The shortest form of the length: a short content moves up to it. */
static void close_message(struct pen *pen, char *content)
{
    size_t size = (size_t)(pen->at - content);
    pen->at = content - LENGTH_BYTES;
    put_varint(pen, size);
    if (pen->at != content)
        memmove(pen->at, content, size);
    pen->at += size;
}

static void put_labels(struct pen *pen, const struct audit_decision *decision)
{
    for (size_t i = 0; i < decision->label_count && i < COUNT(decision->labels); i++) {
        if (pen->end - pen->at < 2 * TAIL) {
            pen->is_cut = true;
            return;
        }
        char *content = open_message(pen, 46);
        put_text(pen, 1, decision->labels[i].name, NAME_MAX_BYTES);
        put_text(pen, 2, decision->labels[i].value, NAME_MAX_BYTES);
        close_message(pen, content);
    }
}

static void put_who(struct pen *pen, const struct audit_decision *decision)
{
    put_number(pen, 16, decision->proof);
    put_text(pen, 17, decision->caller, CALLER_MAX);
    put_text(pen, 18, decision->trust_domain, NAME_MAX_BYTES);
    put_text(pen, 19, decision->certificate_sha256, SHORT_MAX);
    put_number(pen, 20, decision->is_caller_verified);
    put_text(pen, 21, decision->user_issuer, TEXT_MAX);
    put_text(pen, 22, decision->user_subject, TEXT_MAX);
    put_number(pen, 23, decision->is_subject_hashed);
    put_number(pen, 24, decision->is_user_verified);
    put_text(pen, 25, decision->token_id, NAME_MAX_BYTES);
    put_text(pen, 26, decision->client, NAME_MAX_BYTES);
    for (size_t i = 0; i < decision->amr_count && i < COUNT(decision->amr); i++)
        put_text(pen, 27, decision->amr[i], SHORT_MAX);
    put_text(pen, 28, decision->acr, NAME_MAX_BYTES);
    if (decision->has_auth_time) {
        put_number(pen, 29, 1);
        put_number(pen, 30, (uint64_t)decision->auth_age);
    }
    for (size_t i = 0; i < decision->actor_count && i < COUNT(decision->actors); i++)
        put_text(pen, 31, decision->actors[i], TEXT_MAX);
    put_number(pen, 32, decision->is_bound_to_certificate);
    put_number(pen, 33, decision->is_bound_to_workload);
    put_number(pen, 34, decision->is_bound_by_dpop);
}

static void put_circumstances(struct pen *pen, const struct audit_decision *decision)
{
    put_text(pen, 60, decision->policy_digest, SHORT_MAX);
    put_number(pen, 61, decision->bundle_generation);
    put_number(pen, 62, decision->key_generation);
    put_number(pen, 63, decision->revocation_generation);
    put_text(pen, 70, decision->request_id, NAME_MAX_BYTES);
    put_text(pen, 71, decision->trace_id, SHORT_MAX);
    put_text(pen, 72, decision->source_address, SHORT_MAX);
    put_text(pen, 73, decision->asking_peer, SHORT_MAX);
    put_number(pen, 74, decision->duration_ns);
    put_number(pen, 75, decision->is_late);
    if (decision->has_shadow) {
        put_number(pen, 80, 1);
        put_number(pen, 81, decision->shadow_verdict);
        put_text(pen, 82, decision->shadow_rule, RULE_MAX_BYTES);
        put_text(pen, 83, decision->shadow_digest, SHORT_MAX);
    }
}

static void put_what(struct pen *pen, const struct audit_decision *decision)
{
    put_text(pen, 40, decision->method, SHORT_MAX);
    put_text(pen, 43, decision->action, NAME_MAX_BYTES);
    put_text(pen, 44, decision->resource_type, NAME_MAX_BYTES);
    put_text(pen, 45, decision->resource_id, ID_MAX);
    put_text(pen, 47, decision->purpose, TEXT_MAX);
    put_text(pen, 49, decision->model, TEXT_MAX);
    put_text(pen, 50, decision->tool, TEXT_MAX);
    put_text(pen, 41, decision->host, TEXT_MAX);
    put_text(pen, 48, decision->grpc_method, TEXT_MAX);
    put_text(pen, 42, decision->path, PATH_BYTES_MAX);
    put_labels(pen, decision);
}

/* In order of weight: what comes last is cut first. */
static void put_decision(struct pen *pen, const struct audit_decision *decision)
{
    put_text(pen, 1, decision->decision_id, NAME_MAX_BYTES);
    put_number(pen, 2, decision->verdict);
    put_number(pen, 3, decision->enforced);
    put_text(pen, 4, reason_info(decision->reason)->name, SHORT_MAX);
    put_text(pen, 5, decision->rule, RULE_MAX_BYTES);
    put_text(pen, 6, decision->closest, RULE_MAX_BYTES);
    put_text(pen, 7, decision->missing, TEXT_MAX);
    put_text(pen, 8, decision->attribute, NAME_MAX_BYTES);
    put_text(pen, 9, decision->challenge, TEXT_MAX);
    put_text(pen, 10, decision->obligations, TEXT_MAX);
    put_number(pen, 11, decision->http_status);
    put_number(pen, 12, decision->level);
    put_number(pen, 13, decision->is_report_only);
    put_who(pen, decision);
    put_circumstances(pen, decision);
    put_what(pen, decision);
}

static void put_loss(struct pen *pen, const struct audit_loss *loss)
{
    put_number(pen, 1, loss->count);
    put_number(pen, 2, loss->first);
    put_number(pen, 3, loss->last);
    put_text(pen, 4, loss->reason, SHORT_MAX);
    put_text(pen, 5, loss->epoch, SHORT_MAX);
}

static void put_change(struct pen *pen, const struct audit_change *change)
{
    put_number(pen, 1, change->what);
    put_number(pen, 2, change->is_refused);
    put_text(pen, 3, change->source, ID_MAX);
    put_text(pen, 4, change->before, NAME_MAX_BYTES);
    put_text(pen, 5, change->after, NAME_MAX_BYTES);
    put_number(pen, 7, change->generation);
    put_text(pen, 6, change->detail, PATH_BYTES_MAX);
}

static void put_lifecycle(struct pen *pen, const struct audit_lifecycle *lifecycle)
{
    put_number(pen, 1, lifecycle->what);
    put_text(pen, 2, lifecycle->previous_epoch, SHORT_MAX);
    put_number(pen, 3, lifecycle->previous_sequence);
    put_text(pen, 4, lifecycle->detail, PATH_BYTES_MAX);
}

static void put_body(struct pen *pen, const struct audit_event *event)
{
    char *content = open_message(pen, 9U + (uint32_t)event->kind);
    switch (event->kind) {
    case RECORD_DECISION: put_decision(pen, &event->decision); break;
    case RECORD_LOSS: put_loss(pen, &event->loss); break;
    case RECORD_CHANGE: put_change(pen, &event->change); break;
    case RECORD_LIFECYCLE: put_lifecycle(pen, &event->lifecycle); break;
    }
    close_message(pen, content);
}

size_t audit_event_write(const struct audit_event *event, char *buffer)
{
    struct pen pen = {.at = buffer, .end = buffer + JOURNAL_RECORD_MAX};
    put_number(&pen, 1, event->kind);
    put_text(&pen, 2, event->instance, NAME_MAX_BYTES);
    put_text(&pen, 3, (struct view){(const char *)event->epoch, JOURNAL_EPOCH_BYTES}, SHORT_MAX);
    put_number(&pen, 4, event->sequence);
    put_fixed64(&pen, 5, event->realtime_ns);
    put_fixed64(&pen, 6, event->boottime_ns);
    put_body(&pen, event);
    put_number(&pen, 7, pen.is_cut);
    return (size_t)(pen.at - buffer);
}
