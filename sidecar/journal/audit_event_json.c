/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event.h"
#include "builder.h"

/* An object in the making: knows whether a comma is due. */
struct object {
    struct builder *text;
    bool has_members;
};

static void name(struct object *object, const char *key)
{
    builder_add(object->text, object->has_members ? VIEW(",") : VIEW("{"));
    object->has_members = true;
    builder_add_json(object->text, view_of(key));
    builder_add(object->text, VIEW(":"));
}

static void end(struct object *object)
{
    builder_add(object->text, object->has_members ? VIEW("}") : VIEW("{}"));
}

static void text(struct object *object, const char *key, struct view value)
{
    if (value.size == 0)
        return;
    name(object, key);
    builder_add_json(object->text, value);
}

static void number(struct object *object, const char *key, uint64_t value)
{
    name(object, key);
    builder_print(object->text, "%llu", (unsigned long long)value);
}

static void number_if_set(struct object *object, const char *key, uint64_t value)
{
    if (value != 0)
        number(object, key, value);
}

static void flag(struct object *object, const char *key, bool value)
{
    name(object, key);
    builder_add(object->text, value ? VIEW("true") : VIEW("false"));
}

static void flag_if_set(struct object *object, const char *key, bool value)
{
    if (value)
        flag(object, key, value);
}

static void list(struct object *object, const char *key, const struct view *items, size_t count)
{
    if (count == 0)
        return;
    name(object, key);
    for (size_t i = 0; i < count; i++) {
        builder_add(object->text, i == 0 ? VIEW("[") : VIEW(","));
        builder_add_json(object->text, items[i]);
    }
    builder_add(object->text, VIEW("]"));
}

static void labels(struct object *object, const struct audit_decision *decision)
{
    if (decision->label_count == 0)
        return;
    name(object, "labels");
    for (size_t i = 0; i < decision->label_count; i++) {
        struct object label = {.text = object->text};
        builder_add(object->text, i == 0 ? VIEW("[") : VIEW(","));
        name(&label, "name");
        builder_add_json(object->text, decision->labels[i].name);
        name(&label, "value");
        builder_add_json(object->text, decision->labels[i].value);
        end(&label);
    }
    builder_add(object->text, VIEW("]"));
}

static const char *proof_text(enum proof proof)
{
    switch (proof) {
    case PROOF_NONE: return "none";
    case PROOF_CERTIFICATE: return "certificate";
    case PROOF_XFCC_TEXT: return "xfcc-text";
    }
    return "none";
}

static const char *level_text(enum audit_level level)
{
    switch (level) {
    case AUDIT_MINIMAL: return "minimal";
    case AUDIT_SUMMARY: return "summary";
    case AUDIT_FULL: return "full";
    }
    return "minimal";
}

static void write_who(struct object *object, const struct audit_decision *decision)
{
    text(object, "proof", view_of(proof_text(decision->proof)));
    text(object, "caller", decision->caller);
    text(object, "trust_domain", decision->trust_domain);
    if (decision->certificate_sha256.size > 0) {
        name(object, "certificate_sha256");
        builder_add(object->text, VIEW("\""));
        builder_add_hex(object->text, decision->certificate_sha256);
        builder_add(object->text, VIEW("\""));
    }
    flag(object, "is_caller_verified", decision->is_caller_verified);
    text(object, "user_issuer", decision->user_issuer);
    text(object, "user_subject", decision->user_subject);
    flag_if_set(object, "is_subject_hashed", decision->is_subject_hashed);
    flag(object, "is_user_verified", decision->is_user_verified);
    text(object, "token_id", decision->token_id);
    text(object, "client", decision->client);
    list(object, "amr", decision->amr, decision->amr_count);
    text(object, "acr", decision->acr);
    if (decision->has_auth_time) {
        name(object, "auth_age");
        builder_print(object->text, "%lld", (long long)decision->auth_age);
    }
    list(object, "actors", decision->actors, decision->actor_count);
    flag_if_set(object, "is_bound_to_certificate", decision->is_bound_to_certificate);
    flag_if_set(object, "is_bound_to_workload", decision->is_bound_to_workload);
    flag_if_set(object, "is_bound_by_dpop", decision->is_bound_by_dpop);
}

static void write_what(struct object *object, const struct audit_decision *decision)
{
    text(object, "method", decision->method);
    text(object, "host", decision->host);
    text(object, "path", decision->path);
    text(object, "action", decision->action);
    text(object, "resource_type", decision->resource_type);
    text(object, "resource_id", decision->resource_id);
    labels(object, decision);
    text(object, "purpose", decision->purpose);
    text(object, "grpc_method", decision->grpc_method);
    text(object, "model", decision->model);
    text(object, "tool", decision->tool);
}

static void write_circumstances(struct object *object, const struct audit_decision *decision)
{
    text(object, "policy_digest", decision->policy_digest);
    number_if_set(object, "bundle_generation", decision->bundle_generation);
    number_if_set(object, "key_generation", decision->key_generation);
    number_if_set(object, "revocation_generation", decision->revocation_generation);
    text(object, "request_id", decision->request_id);
    text(object, "trace_id", decision->trace_id);
    text(object, "source_address", decision->source_address);
    text(object, "asking_peer", decision->asking_peer);
    number_if_set(object, "duration_ns", decision->duration_ns);
    flag_if_set(object, "is_late", decision->is_late);
    if (decision->has_shadow) {
        text(object, "shadow_verdict", view_of(verdict_text(decision->shadow_verdict)));
        text(object, "shadow_rule", decision->shadow_rule);
        text(object, "shadow_digest", decision->shadow_digest);
    }
}

static void write_decision(struct object *object, const struct audit_decision *decision)
{
    text(object, "decision_id", decision->decision_id);
    text(object, "verdict", view_of(verdict_text(decision->verdict)));
    text(object, "enforced", view_of(verdict_text(decision->enforced)));
    if (decision->is_report_only) {
        flag(object, "is_report_only", true);
        text(object, "outcome", view_of(audit_event_outcome(decision)));
    }
    text(object, "reason",
         view_is_present(decision->reason_name) ? decision->reason_name : reason_info(decision->reason)->name);
    text(object, "rule", decision->rule);
    text(object, "closest", decision->closest);
    text(object, "missing", decision->missing);
    text(object, "attribute", decision->attribute);
    text(object, "challenge", decision->challenge);
    text(object, "obligations", decision->obligations);
    number_if_set(object, "http_status", decision->http_status);
    text(object, "level", view_of(level_text(decision->level)));
    write_who(object, decision);
    write_what(object, decision);
    write_circumstances(object, decision);
}

static void write_loss(struct object *object, const struct audit_loss *loss)
{
    number(object, "count", loss->count);
    number(object, "first", loss->first);
    number(object, "last", loss->last);
    text(object, "reason", loss->reason);
    text(object, "epoch", loss->epoch);
}

static const char *change_text(enum change_kind what)
{
    switch (what) {
    case CHANGE_POLICY: return "policy";
    case CHANGE_BUNDLES: return "bundles";
    case CHANGE_KEYS: return "keys";
    case CHANGE_REVOCATIONS: return "revocations";
    case CHANGE_OVERRIDE: return "override";
    case CHANGE_ENFORCEMENT: return "enforcement";
    case CHANGE_SHADOW: return "shadow";
    }
    return "unknown";
}

static const char *lifecycle_text(enum lifecycle_kind what)
{
    switch (what) {
    case LIFECYCLE_EPOCH_START: return "epoch_start";
    case LIFECYCLE_EPOCH_CLOSE: return "epoch_close";
    case LIFECYCLE_CLOCK_STEP: return "clock_step";
    case LIFECYCLE_SANDBOX: return "sandbox";
    }
    return "unknown";
}

static void write_change(struct object *object, const struct audit_change *change)
{
    text(object, "what", view_of(change_text(change->what)));
    flag_if_set(object, "is_refused", change->is_refused);
    text(object, "source", change->source);
    text(object, "before", change->before);
    text(object, "after", change->after);
    text(object, "detail", change->detail);
    number_if_set(object, "generation", change->generation);
}

static void write_lifecycle(struct object *object, const struct audit_lifecycle *lifecycle)
{
    text(object, "what", view_of(lifecycle_text(lifecycle->what)));
    text(object, "previous_epoch", lifecycle->previous_epoch);
    if (view_is_present(lifecycle->previous_epoch))
        number(object, "previous_sequence", lifecycle->previous_sequence);
    text(object, "detail", lifecycle->detail);
}

static const char *kind_text(enum record_kind kind)
{
    switch (kind) {
    case RECORD_DECISION: return "decision";
    case RECORD_LOSS: return "loss";
    case RECORD_CHANGE: return "change";
    case RECORD_LIFECYCLE: return "lifecycle";
    }
    return "unknown";
}

static void write_body(struct object *record, const struct audit_event *event)
{
    struct object body = {.text = record->text};
    name(record, kind_text(event->kind));
    switch (event->kind) {
    case RECORD_DECISION: write_decision(&body, &event->decision); break;
    case RECORD_LOSS: write_loss(&body, &event->loss); break;
    case RECORD_CHANGE: write_change(&body, &event->change); break;
    case RECORD_LIFECYCLE: write_lifecycle(&body, &event->lifecycle); break;
    }
    end(&body);
}

struct view audit_event_json(const struct audit_event *event, struct arena *arena)
{
    struct builder builder;
    struct object record = {.text = &builder};
    builder_init(&builder, arena);
    text(&record, "kind", view_of(kind_text(event->kind)));
    text(&record, "instance", event->instance);
    name(&record, "epoch");
    builder_add(&builder, VIEW("\""));
    builder_add_hex(&builder, (struct view){(const char *)event->epoch, JOURNAL_EPOCH_BYTES});
    builder_add(&builder, VIEW("\""));
    number(&record, "sequence", event->sequence);
    name(&record, "time");
    builder_add(&builder, VIEW("\""));
    builder_add_time(&builder, event->realtime_ns);
    builder_add(&builder, VIEW("\""));
    name(&record, "boottime_ns");
    builder_print(&builder, "%lld", (long long)event->boottime_ns);
    flag_if_set(&record, "is_cut", event->is_cut);
    write_body(&record, event);
    end(&record);
    return builder_view(&builder);
}
