/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event.h"
#include "builder.h"

static void line(struct builder *out, const char *title, struct view value)
{
    if (value.size == 0)
        return;
    builder_print(out, "  %-16s ", title);
    builder_add_escaped(out, value);
    builder_add(out, VIEW("\n"));
}

static void line_number(struct builder *out, const char *title, uint64_t value)
{
    if (value != 0)
        builder_print(out, "  %-16s %llu\n", title, (unsigned long long)value);
}

static void explain_caller(struct builder *out, const struct audit_decision *decision)
{
    struct view proof = decision->proof == PROOF_CERTIFICATE ? VIEW("certificate, verified here")
                        : decision->proof == PROOF_XFCC_TEXT
                            ? VIEW("text of x-forwarded-client-cert, believed; nothing was verified here")
                            : VIEW("none");
    line(out, "caller", decision->caller);
    if (decision->caller.size > 0 && !decision->is_caller_verified && decision->proof == PROOF_NONE)
        line(out, "", VIEW("NOT verified: what an unverified certificate claims"));
    line(out, "caller's proof", proof);
    if (decision->certificate_sha256.size > 0) {
        builder_print(out, "  %-16s ", "certificate");
        builder_add_hex(out, decision->certificate_sha256);
        builder_add(out, VIEW("\n"));
    }
}

static void explain_user(struct builder *out, const struct audit_decision *decision)
{
    if (decision->user_subject.size > 0 || decision->user_issuer.size > 0) {
        builder_print(out, "  %-16s ", "user");
        builder_add_escaped(out, decision->user_issuer);
        builder_add(out, VIEW("#"));
        builder_add_escaped(out, decision->user_subject);
        builder_add(out, decision->is_subject_hashed ? VIEW(" (keyed hash)\n") : VIEW("\n"));
        if (!decision->is_user_verified)
            line(out, "", VIEW("NOT verified: what a refused token claims"));
    }
    line(out, "token", decision->token_id);
    line(out, "client", decision->client);
    for (size_t i = 0; i < decision->amr_count; i++)
        line(out, i == 0 ? "methods (amr)" : "", decision->amr[i]);
    line(out, "level (acr)", decision->acr);
    if (decision->has_auth_time)
        builder_print(out, "  %-16s %lld s before the decision\n", "authenticated", (long long)decision->auth_age);
    for (size_t i = 0; i < decision->actor_count; i++)
        line(out, i == 0 ? "acting for user" : "", decision->actors[i]);
    if (decision->is_bound_to_certificate)
        line(out, "token bound to", VIEW("the caller's certificate"));
    if (decision->is_bound_to_workload)
        line(out, "token bound to", VIEW("the caller's SPIFFE ID"));
    if (decision->is_bound_by_dpop)
        line(out, "token bound to", VIEW("a DPoP key"));
}

static void explain_request(struct builder *out, const struct audit_decision *decision)
{
    line(out, "method", decision->method);
    line(out, "host", decision->host);
    line(out, "path", decision->path);
    line(out, "gRPC method", decision->grpc_method);
    line(out, "action", decision->action);
    line(out, "resource type", decision->resource_type);
    line(out, "resource", decision->resource_id);
    for (size_t i = 0; i < decision->label_count; i++) {
        builder_print(out, "  %-16s ", i == 0 ? "labels" : "");
        builder_add_escaped(out, decision->labels[i].name);
        builder_add(out, VIEW("="));
        builder_add_escaped(out, decision->labels[i].value);
        builder_add(out, VIEW("\n"));
    }
    line(out, "model", decision->model);
    line(out, "tool", decision->tool);
    line(out, "purpose", decision->purpose);
}

static void explain_outcome(struct builder *out, const struct audit_decision *decision)
{
    line(out, "verdict", view_of(verdict_text(decision->verdict)));
    if (audit_event_is_spared(decision))
        line(out, "answered", view_of(verdict_text(decision->enforced)));
    if (decision->is_report_only)
        line(out, "enforcement", VIEW("report: nothing is refused"));
    if (audit_event_is_spared(decision))
        line(out, "outcome", view_of(audit_event_outcome(decision)));
    builder_print(out, "  %-16s ", "reason");
    builder_add_escaped(out, view_is_present(decision->reason_name) ? decision->reason_name
                                                                    : reason_info(decision->reason)->name);
    builder_add(out, VIEW(": "));
    builder_add_escaped(out, audit_event_reason_words(decision));
    builder_add(out, VIEW("\n"));
    line(out, "rule", decision->rule);
    line(out, "closest rule", decision->closest);
    line(out, "missing", decision->missing);
    line(out, "not judged", decision->attribute);
    line(out, "asked for", decision->challenge);
    line(out, "obligations", decision->obligations);
    line_number(out, "HTTP status", decision->http_status);
    if (decision->has_shadow) {
        line(out, "shadow", view_of(verdict_text(decision->shadow_verdict)));
        line(out, "shadow's rule", decision->shadow_rule.size > 0 ? decision->shadow_rule : VIEW("default"));
        line(out, "shadow's policy", decision->shadow_digest);
    }
}

static void explain_road(struct builder *out, const struct audit_decision *decision)
{
    line(out, "policy", decision->policy_digest);
    line_number(out, "bundles", decision->bundle_generation);
    line_number(out, "keys", decision->key_generation);
    line_number(out, "revocations", decision->revocation_generation);
    line(out, "request id", decision->request_id);
    line(out, "trace id", decision->trace_id);
    line(out, "source", decision->source_address);
    line(out, "asked by", decision->asking_peer);
    if (decision->duration_ns > 0)
        builder_print(out, "  %-16s %.1f us\n", "decided in", (double)decision->duration_ns / 1000);
}

struct view audit_event_explanation(const struct audit_event *event, struct arena *arena)
{
    struct builder out;
    builder_init(&out, arena);
    builder_add(&out, audit_event_sentence(event, arena));
    builder_print(&out, "\n  %-16s ", "record");
    builder_add_hex(&out, (struct view){(const char *)event->epoch, JOURNAL_EPOCH_BYTES});
    builder_print(&out, ":%llu\n  %-16s ", (unsigned long long)event->sequence, "time");
    builder_add_time(&out, event->realtime_ns);
    builder_add(&out, VIEW("\n"));
    line(&out, "instance", event->instance);
    if (event->is_cut)
        line(&out, "", VIEW("a text was too long and is cut"));
    if (event->kind == RECORD_DECISION) {
        line(&out, "decision", event->decision.decision_id);
        explain_outcome(&out, &event->decision);
        explain_caller(&out, &event->decision);
        explain_user(&out, &event->decision);
        explain_request(&out, &event->decision);
        explain_road(&out, &event->decision);
    }
    return builder_view(&out);
}
