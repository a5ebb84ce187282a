/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event_oracle.h"

#include <audit.pb-c.h>

static bool same_bytes(ProtobufCBinaryData theirs, struct view ours)
{
    return view_equals((struct view){(const char *)theirs.data, theirs.len}, ours);
}

/* protobuf-c ends strings at a NUL; so does the comparison. */
static bool same_string(const char *theirs, struct view ours)
{
    return view_equals(view_of(theirs), view_slice(ours, 0, view_index_of(ours, '\0', 0)));
}

static bool same_list(size_t count, const ProtobufCBinaryData *theirs, size_t our_count, const struct view *ours)
{
    bool is_same = count == our_count;
    for (size_t i = 0; is_same && i < count; i++)
        is_same = same_bytes(theirs[i], ours[i]);
    return is_same;
}

static bool same_who(const Bartizan__Audit__V1__Decision *theirs, const struct audit_decision *ours)
{
    return (int)theirs->proof == (int)ours->proof && same_bytes(theirs->caller, ours->caller) &&
           same_bytes(theirs->trust_domain, ours->trust_domain) &&
           same_bytes(theirs->certificate_sha256, ours->certificate_sha256) &&
           !!theirs->is_caller_verified == ours->is_caller_verified &&
           same_bytes(theirs->user_issuer, ours->user_issuer) && same_bytes(theirs->user_subject, ours->user_subject) &&
           !!theirs->is_subject_hashed == ours->is_subject_hashed &&
           !!theirs->is_user_verified == ours->is_user_verified && same_bytes(theirs->token_id, ours->token_id) &&
           same_bytes(theirs->client, ours->client) && same_bytes(theirs->acr, ours->acr) &&
           same_list(theirs->n_amr, theirs->amr, ours->amr_count, ours->amr) &&
           !!theirs->has_auth_time == ours->has_auth_time && theirs->auth_age == ours->auth_age &&
           same_list(theirs->n_actors, theirs->actors, ours->actor_count, ours->actors) &&
           !!theirs->is_bound_to_certificate == ours->is_bound_to_certificate &&
           !!theirs->is_bound_to_workload == ours->is_bound_to_workload &&
           !!theirs->is_bound_by_dpop == ours->is_bound_by_dpop;
}

static bool same_labels(const Bartizan__Audit__V1__Decision *theirs, const struct audit_decision *ours)
{
    bool is_same = theirs->n_labels == ours->label_count;
    for (size_t i = 0; is_same && i < theirs->n_labels; i++)
        is_same = same_bytes(theirs->labels[i]->name, ours->labels[i].name) &&
                  same_bytes(theirs->labels[i]->value, ours->labels[i].value);
    return is_same;
}

static bool same_what(const Bartizan__Audit__V1__Decision *theirs, const struct audit_decision *ours)
{
    return same_bytes(theirs->method, ours->method) && same_bytes(theirs->host, ours->host) &&
           same_bytes(theirs->path, ours->path) && same_bytes(theirs->action, ours->action) &&
           same_bytes(theirs->resource_type, ours->resource_type) &&
           same_bytes(theirs->resource_id, ours->resource_id) && same_labels(theirs, ours) &&
           same_bytes(theirs->purpose, ours->purpose) && same_bytes(theirs->grpc_method, ours->grpc_method) &&
           same_bytes(theirs->model, ours->model) && same_bytes(theirs->tool, ours->tool) &&
           same_bytes(theirs->policy_digest, ours->policy_digest) &&
           theirs->bundle_generation == ours->bundle_generation && theirs->key_generation == ours->key_generation &&
           theirs->revocation_generation == ours->revocation_generation &&
           same_bytes(theirs->request_id, ours->request_id) && same_bytes(theirs->trace_id, ours->trace_id) &&
           same_bytes(theirs->source_address, ours->source_address) &&
           same_bytes(theirs->asking_peer, ours->asking_peer) && theirs->duration_ns == ours->duration_ns &&
           !!theirs->is_late == ours->is_late && !!theirs->has_shadow == ours->has_shadow &&
           (int)theirs->shadow_verdict == (int)ours->shadow_verdict &&
           same_bytes(theirs->shadow_rule, ours->shadow_rule) && same_bytes(theirs->shadow_digest, ours->shadow_digest);
}

static bool same_decision(const Bartizan__Audit__V1__Decision *theirs, const struct audit_decision *ours)
{
    return same_bytes(theirs->decision_id, ours->decision_id) && (int)theirs->verdict == (int)ours->verdict &&
           (int)theirs->enforced == (int)ours->enforced && same_string(theirs->reason, ours->reason_name) &&
           same_bytes(theirs->rule, ours->rule) && same_bytes(theirs->closest, ours->closest) &&
           same_bytes(theirs->missing, ours->missing) && same_bytes(theirs->attribute, ours->attribute) &&
           same_bytes(theirs->challenge, ours->challenge) && same_bytes(theirs->obligations, ours->obligations) &&
           theirs->http_status == ours->http_status && (int)theirs->level == (int)ours->level &&
           !!theirs->is_report_only == ours->is_report_only && same_who(theirs, ours) && same_what(theirs, ours);
}

static bool same_loss(const Bartizan__Audit__V1__Loss *theirs, const struct audit_loss *ours)
{
    return theirs->count == ours->count && theirs->first == ours->first && theirs->last == ours->last &&
           same_string(theirs->reason, ours->reason) && same_bytes(theirs->epoch, ours->epoch);
}

static bool same_change(const Bartizan__Audit__V1__Change *theirs, const struct audit_change *ours)
{
    return (int)theirs->what == (int)ours->what && !!theirs->is_refused == ours->is_refused &&
           same_bytes(theirs->source, ours->source) && same_bytes(theirs->before, ours->before) &&
           same_bytes(theirs->after, ours->after) && same_bytes(theirs->detail, ours->detail) &&
           theirs->generation == ours->generation;
}

static bool same_lifecycle(const Bartizan__Audit__V1__Lifecycle *theirs, const struct audit_lifecycle *ours)
{
    return (int)theirs->what == (int)ours->what && same_bytes(theirs->previous_epoch, ours->previous_epoch) &&
           theirs->previous_sequence == ours->previous_sequence && same_bytes(theirs->detail, ours->detail);
}

static bool same_record(const Bartizan__Audit__V1__Record *theirs, const struct audit_event *ours)
{
    bool is_same = (int)theirs->kind == (int)ours->kind && same_bytes(theirs->instance, ours->instance) &&
                   same_bytes(theirs->epoch, (struct view){(const char *)ours->epoch, sizeof(ours->epoch)}) &&
                   theirs->sequence == ours->sequence && theirs->realtime_ns == ours->realtime_ns &&
                   theirs->boottime_ns == ours->boottime_ns && !!theirs->is_cut == ours->is_cut;
    if (!is_same || (theirs->decision != NULL) != (ours->kind == RECORD_DECISION) ||
        (theirs->loss != NULL) != (ours->kind == RECORD_LOSS) ||
        (theirs->change != NULL) != (ours->kind == RECORD_CHANGE) ||
        (theirs->lifecycle != NULL) != (ours->kind == RECORD_LIFECYCLE))
        return false;
    switch (ours->kind) {
    case RECORD_DECISION: return same_decision(theirs->decision, &ours->decision);
    case RECORD_LOSS: return same_loss(theirs->loss, &ours->loss);
    case RECORD_CHANGE: return same_change(theirs->change, &ours->change);
    case RECORD_LIFECYCLE: return same_lifecycle(theirs->lifecycle, &ours->lifecycle);
    }
    return false;
}

enum oracle audit_event_compare(struct view bytes)
{
    struct audit_event ours;
    enum err error = audit_event_parse(bytes, &ours);
    Bartizan__Audit__V1__Record *theirs =
        bartizan__audit__v1__record__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
    enum oracle result = ORACLE_AGREES;
    if (error == ERR_NONE)
        result = theirs != NULL && same_record(theirs, &ours) ? ORACLE_AGREES : ORACLE_DISAGREES;
    else if (theirs != NULL)
        result = ORACLE_STRICTER;
    if (theirs != NULL)
        bartizan__audit__v1__record__free_unpacked(theirs, NULL);
    return result;
}
