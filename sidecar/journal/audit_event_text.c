/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_event.h"
#include "builder.h"

/* --- parts of a sentence --- */

static void add_clock(struct builder *out, int64_t realtime_ns)
{
    int64_t of_day = realtime_ns / 1000000000 % 86400;
    if (of_day < 0)
        of_day += 86400;
    builder_print(out, "%02d:%02d:%02d ", (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}

/* RFC 8176 values, and those that providers add, in words; else the value itself. */
static struct view factor_words(struct view amr)
{
    static const struct {
        const char *value, *words;
    } table[] = {
        {"pwd", "password"},
        {"otp", "one-time code"},
        {"sms", "text message"},
        {"tel", "phone call"},
        {"hwk", "key"},
        {"swk", "key"},
        {"pop", "key"},
        {"sc", "smart card"},
        {"fpt", "biometrics"},
        {"face", "biometrics"},
        {"iris", "biometrics"},
        {"retina", "biometrics"},
        {"vbm", "biometrics"},
        {"pin", "PIN"},
        {"kba", "known answers"},
        {"wia", "Windows sign-in"},
        {"mfa", "several factors"},
        {"mca", "several channels"},
        {"user", "presence"},
        {"geo", "location"},
        {"rba", "risk check"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (view_equals(view_of(table[i].value), amr))
            return view_of(table[i].words);
    }
    return amr;
}

static bool is_said_before(const struct audit_decision *decision, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (view_equals(factor_words(decision->amr[i]), factor_words(decision->amr[index])))
            return true;
    }
    return false;
}

static void add_age(struct builder *out, int64_t seconds)
{
    long long age = (long long)seconds;
    if (age < 0)
        builder_add(out, VIEW("in the future"));
    else if (age < 60)
        builder_print(out, "%lld s ago", age);
    else if (age < 2 * 3600)
        builder_print(out, "%lld min ago", age / 60);
    else if (age < 2 * 86400)
        builder_print(out, "%lld h ago", age / 3600);
    else
        builder_print(out, "%lld days ago", age / 86400);
}

/* " (password + key, 2 min ago)" */
static void add_strength(struct builder *out, const struct audit_decision *decision)
{
    if (decision->amr_count == 0 && !decision->has_auth_time)
        return;
    builder_add(out, VIEW(" ("));
    for (size_t i = 0; i < decision->amr_count; i++) {
        if (is_said_before(decision, i))
            continue;
        if (i > 0)
            builder_add(out, VIEW(" + "));
        builder_add_escaped(out, factor_words(decision->amr[i]));
    }
    if (decision->amr_count > 0 && decision->has_auth_time)
        builder_add(out, VIEW(", "));
    if (decision->has_auth_time)
        add_age(out, decision->auth_age);
    builder_add(out, VIEW(")"));
}

static bool add_user(struct builder *out, const struct audit_decision *decision)
{
    if (decision->user_subject.size == 0)
        return false;
    if (!decision->is_user_verified)
        builder_add(out, VIEW("someone claiming to be "));
    if (decision->is_subject_hashed)
        builder_add(out, VIEW("user "));
    builder_add_escaped(out, view_slice(decision->user_subject, 0, decision->is_subject_hashed ? 12 : SIZE_MAX));
    add_strength(out, decision);
    return true;
}

/* The last segment of a SPIFFE ID's path, or its trust domain. */
static struct view short_name(struct view id)
{
    size_t from = id.size;
    while (from > 0 && id.data[from - 1] != '/')
        from--;
    return view_slice(id, from, id.size);
}

static void add_caller(struct builder *out, const struct audit_decision *decision)
{
    if (decision->caller.size == 0) {
        builder_add(out, VIEW("a caller without identity"));
        return;
    }
    if (!decision->is_caller_verified && decision->proof == PROOF_NONE)
        builder_add(out, VIEW("unverified "));
    builder_add_escaped(out, short_name(decision->caller));
    if (decision->proof == PROOF_XFCC_TEXT)
        builder_add(out, VIEW(" (by header)"));
}

static void add_object(struct builder *out, const struct audit_decision *decision)
{
    builder_add(out, VIEW(" → "));
    if (decision->resource_type.size > 0) {
        builder_add_escaped(out, decision->resource_type);
        builder_add(out, decision->resource_id.size > 0 ? VIEW(" ") : VIEW(""));
        builder_add_escaped(out, decision->resource_id);
    } else {
        builder_add_escaped(out, decision->method.size > 0 ? decision->method : VIEW("request"));
        builder_add(out, decision->path.size > 0 ? VIEW(" ") : VIEW(""));
        builder_add_escaped(out, decision->path);
    }
    if (decision->purpose.size > 0) {
        builder_add(out, VIEW(", purpose "));
        builder_add_escaped(out, decision->purpose);
    }
}

/* --- the outcome --- */

/* The value of `key` in `acr_values="a b", max_age=300`, quotes off; or absent. */
static struct view parameter(struct view text, struct view key)
{
    for (size_t at = 0; at + key.size < text.size; at++) {
        bool is_start = at == 0 || text.data[at - 1] == ' ' || text.data[at - 1] == ',';
        struct view rest = view_slice(text, at + key.size, text.size);
        if (!is_start || !view_starts_with(view_slice(text, at, text.size), key) || !view_starts_with(rest, VIEW("=")))
            continue;
        if (rest.size > 1 && rest.data[1] == '"')
            return view_slice(rest, 2, view_index_of(rest, '"', 2));
        return view_slice(rest, 1, view_index_of(rest, ',', 1));
    }
    return (struct view){0};
}

static void add_challenge(struct builder *out, const struct audit_decision *decision)
{
    struct view acr = parameter(decision->challenge, VIEW("acr_values"));
    struct view age = parameter(decision->challenge, VIEW("max_age"));
    if (decision->challenge.size > 0)
        builder_add(out, VIEW(": asked for "));
    if (acr.size == 0 && age.size == 0)
        builder_add_escaped(out, decision->challenge);
    builder_add_escaped(out, acr);
    if (age.size > 0) {
        builder_add(out, acr.size > 0 ? VIEW(", at most ") : VIEW("a sign-in at most "));
        builder_add_escaped(out, age);
        builder_add(out, VIEW(" s old"));
    }
}

static void add_by(struct builder *out, struct view rule)
{
    if (rule.size == 0)
        return;
    builder_add(out, VIEW(" by "));
    builder_add_escaped(out, rule);
}

struct view audit_event_reason_words(const struct audit_decision *decision)
{
    bool is_known = decision->reason != REASON_INTERNAL || decision->reason_name.size == 0 ||
                    view_equals(decision->reason_name, reason_info(REASON_INTERNAL)->name);
    return is_known ? reason_info(decision->reason)->sentence : decision->reason_name;
}

static void add_refusal(struct builder *out, const struct audit_decision *decision)
{
    if (decision->reason == REASON_DENY_RULE) {
        add_by(out, decision->rule);
        return;
    }
    builder_add(out, VIEW(", "));
    builder_add_escaped(out, audit_event_reason_words(decision));
    if (decision->closest.size == 0 && decision->missing.size == 0)
        return;
    builder_add(out, VIEW(" ("));
    if (decision->closest.size > 0) {
        builder_add(out, VIEW("closest is "));
        builder_add_escaped(out, decision->closest);
        builder_add(out, decision->missing.size > 0 ? VIEW(": ") : VIEW(""));
    }
    builder_add_escaped(out, decision->missing);
    builder_add(out, VIEW(")"));
}

const char *audit_event_outcome(const struct audit_decision *decision)
{
    if (!audit_event_is_spared(decision))
        return verdict_text(decision->verdict);
    return decision->verdict == VERDICT_CHALLENGE ? "would_challenge" : "would_deny";
}

bool audit_event_shadow_differs(const struct audit_decision *decision)
{
    return decision->has_shadow &&
           (decision->shadow_verdict != decision->verdict || !view_equals(decision->shadow_rule, decision->rule));
}

static struct view verdict_words(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ALLOW: return VIEW("allowed");
    case VERDICT_CHALLENGE: return VIEW("challenged");
    case VERDICT_DENY: return VIEW("denied");
    }
    return VIEW("denied");
}

/* What the shadow says, where it differs. */
static void add_shadow(struct builder *out, const struct audit_decision *decision)
{
    if (!audit_event_shadow_differs(decision))
        return;
    builder_add(out, VIEW("; the shadow policy would have it "));
    builder_add(out, verdict_words(decision->shadow_verdict));
    add_by(out, decision->shadow_rule.size > 0 ? decision->shadow_rule : VIEW("default"));
}

static void add_outcome(struct builder *out, const struct audit_decision *decision)
{
    if (audit_event_is_spared(decision))
        builder_add(out, VIEW("would be "));
    switch (decision->verdict) {
    case VERDICT_ALLOW:
        builder_add(out, VIEW("allowed"));
        add_by(out, decision->rule);
        break;
    case VERDICT_CHALLENGE:
        builder_add(out, VIEW("challenged"));
        add_by(out, decision->rule.size > 0 ? decision->rule : decision->closest);
        add_challenge(out, decision);
        if (decision->missing.size > 0) {
            builder_add(out, VIEW(" ("));
            builder_add_escaped(out, decision->missing);
            builder_add(out, VIEW(")"));
        }
        break;
    case VERDICT_DENY:
        builder_add(out, VIEW("denied"));
        add_refusal(out, decision);
        break;
    }
    if (audit_event_is_spared(decision))
        builder_print(out, "; answered %s, enforcement is off", verdict_text(decision->enforced));
    if (decision->is_late)
        builder_add(out, VIEW("; the caller had gone before the answer"));
    add_shadow(out, decision);
}

static void add_decision(struct builder *out, const struct audit_decision *decision)
{
    if (add_user(out, decision))
        builder_add(out, VIEW(" via "));
    add_caller(out, decision);
    add_object(out, decision);
    builder_add(out, VIEW(": "));
    add_outcome(out, decision);
}

/* --- the other kinds --- */

static void add_short_hex(struct builder *out, struct view hex)
{
    if (hex.size == 0)
        builder_add(out, VIEW("none"));
    builder_add_escaped(out, view_slice(hex, 0, 12));
}

static void add_loss(struct builder *out, const struct audit_loss *loss)
{
    bool is_capped = view_equals(loss->reason, VIEW("capped"));
    builder_print(out, "%llu record%s ", (unsigned long long)loss->count, loss->count == 1 ? "" : "s");
    if (is_capped) {
        builder_print(out, "removed to keep the journal under its cap: sequence %llu to %llu",
                      (unsigned long long)loss->first, (unsigned long long)loss->last);
    } else {
        builder_print(out, "lost at sequence %llu: ", (unsigned long long)loss->first);
        builder_add_escaped(out, loss->reason);
    }
    if (loss->epoch.size > 0) {
        builder_add(out, VIEW(" of epoch "));
        add_short_hex(out, loss->epoch);
    }
}

static struct view change_words(enum change_kind what)
{
    switch (what) {
    case CHANGE_POLICY: return VIEW("policy");
    case CHANGE_BUNDLES: return VIEW("trust bundles");
    case CHANGE_KEYS: return VIEW("issuers' keys");
    case CHANGE_REVOCATIONS: return VIEW("revocations");
    case CHANGE_OVERRIDE: return VIEW("override");
    case CHANGE_ENFORCEMENT: return VIEW("enforcement");
    case CHANGE_SHADOW: return VIEW("shadow policy");
    }
    return VIEW("something unknown");
}

static void add_change(struct builder *out, const struct audit_change *change)
{
    builder_add(out, change_words(change->what));
    builder_add(out, change->is_refused ? VIEW(" refused, the old generation stays: ") : VIEW(" changed: "));
    add_short_hex(out, change->before);
    builder_add(out, VIEW(" → "));
    add_short_hex(out, change->after);
    builder_print(out, ", generation %llu", (unsigned long long)change->generation);
    if (change->source.size > 0) {
        builder_add(out, VIEW(", by "));
        builder_add_escaped(out, change->source);
    }
    if (change->detail.size > 0) {
        builder_add(out, VIEW(": "));
        builder_add_escaped(out, change->detail);
    }
}

static void add_lifecycle(struct builder *out, const struct audit_event *event)
{
    const struct audit_lifecycle *lifecycle = &event->lifecycle;
    switch (lifecycle->what) {
    case LIFECYCLE_EPOCH_START:
        builder_add(out, VIEW("started, epoch "));
        builder_add_hex(out, (struct view){(const char *)event->epoch, 6});
        if (lifecycle->previous_epoch.size == 0) {
            builder_add(out, VIEW(", the epoch before is unknown"));
            break;
        }
        builder_add(out, VIEW(", after epoch "));
        add_short_hex(out, lifecycle->previous_epoch);
        builder_print(out, " record %llu", (unsigned long long)lifecycle->previous_sequence);
        break;
    case LIFECYCLE_EPOCH_CLOSE: builder_add(out, VIEW("stopped")); break;
    case LIFECYCLE_CLOCK_STEP: builder_add(out, VIEW("the clock stepped")); break;
    case LIFECYCLE_SANDBOX: builder_add(out, VIEW("sandbox")); break;
    }
    if (lifecycle->detail.size > 0) {
        builder_add(out, VIEW(": "));
        builder_add_escaped(out, lifecycle->detail);
    }
}

struct view audit_event_sentence(const struct audit_event *event, struct arena *arena)
{
    struct builder out;
    builder_init(&out, arena);
    add_clock(&out, event->realtime_ns);
    switch (event->kind) {
    case RECORD_DECISION: add_decision(&out, &event->decision); break;
    case RECORD_LOSS: add_loss(&out, &event->loss); break;
    case RECORD_CHANGE: add_change(&out, &event->change); break;
    case RECORD_LIFECYCLE: add_lifecycle(&out, event); break;
    }
    return builder_view(&out);
}

/* --- the topic --- */

static void add_part(char topic[AUDIT_TOPIC_MAX], size_t *size, struct view part)
{
    struct view rest = part.size > 0 ? part : VIEW("-");
    if (*size > 0 && *size < AUDIT_TOPIC_MAX)
        topic[(*size)++] = '.';
    for (size_t i = 0; i < rest.size && *size < AUDIT_TOPIC_MAX; i++) {
        char c = rest.data[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
                        c == '-' || c == ':' || c == '/';
        topic[(*size)++] = is_plain ? c : '_';
    }
}

size_t audit_event_topic(const struct audit_event *event, char topic[AUDIT_TOPIC_MAX])
{
    size_t size = 0;
    add_part(topic, &size, VIEW("v1"));
    switch (event->kind) {
    case RECORD_DECISION:
        add_part(topic, &size, view_of(verdict_text(event->decision.verdict)));
        add_part(topic, &size, event->decision.resource_type);
        add_part(topic, &size, event->decision.rule);
        break;
    case RECORD_LOSS: add_part(topic, &size, VIEW("loss")); break;
    case RECORD_CHANGE: add_part(topic, &size, VIEW("change")); break;
    case RECORD_LIFECYCLE: add_part(topic, &size, VIEW("lifecycle")); break;
    }
    return size;
}
