/* SPDX-License-Identifier: Apache-2.0 */
#include "state_record.h"

#include "clock.h"
#include "digest.h"
#include "policy_status.h"

/* Completes and appends record->event; a journal that cannot take it counts the loss. */
static void append(struct state_record *record)
{
    uint64_t sequence = 0;
    char *room = journal_writer_reserve(record->journal, &sequence);
    if (room == NULL)
        return;
    struct audit_event *event = &record->event;
    event->instance = record->config->instance;
    memcpy(event->epoch, record->epoch, sizeof(event->epoch));
    event->sequence = sequence;
    event->realtime_ns = clock_ns(CLOCK_REALTIME);
    event->boottime_ns = clock_ns(CLOCK_BOOTTIME);
    journal_writer_commit(record->journal, audit_event_write(event, room));
}

void state_record_start(struct state_record *record)
{
    uint8_t previous[JOURNAL_EPOCH_BYTES];
    char hex[2 * JOURNAL_EPOCH_BYTES];
    record->event = (struct audit_event){.kind = RECORD_LIFECYCLE, .lifecycle.what = LIFECYCLE_EPOCH_START};
    if (journal_writer_previous(record->journal, previous, &record->event.lifecycle.previous_sequence)) {
        hex_encode(previous, sizeof(previous), hex);
        record->event.lifecycle.previous_epoch = (struct view){.data = hex, .size = sizeof(hex)};
    }
    append(record);
}

void state_record_close(struct state_record *record)
{
    record->event = (struct audit_event){.kind = RECORD_LIFECYCLE, .lifecycle.what = LIFECYCLE_EPOCH_CLOSE};
    append(record);
}

static void change(struct state_record *record, enum change_kind what, struct view before, struct view after,
                   uint64_t generation)
{
    record->event = (struct audit_event){
        .kind = RECORD_CHANGE,
        .change = {.what = what, .before = before, .after = after, .generation = generation, .source = VIEW("files")}};
    append(record);
}

/* The policy, with whose signature and revision it is, and what an operator had overridden for it. */
static void change_policy(struct state_record *record, struct view before, const struct snapshot *after)
{
    char text[POLICY_STANDING_TEXT];
    struct view digest = policy_digest(after->policy);
    record->event = (struct audit_event){.kind = RECORD_CHANGE,
                                         .change = {.what = CHANGE_POLICY,
                                                    .before = before,
                                                    .after = digest,
                                                    .generation = after->policy_generation,
                                                    .source = VIEW("files"),
                                                    .detail = policy_status_text(&after->standing, text)}};
    append(record);
    if (after->standing.override[0] == '\0')
        return;
    record->event.change.what = CHANGE_OVERRIDE;
    record->event.change.source = VIEW("policy.accept");
    record->event.change.detail = view_of(after->standing.override);
    append(record);
}

void state_record_change(struct state_record *record, const struct snapshot *before, const struct snapshot *after)
{
    static const struct snapshot none;
    const struct snapshot *old = before != NULL ? before : &none;
    const struct view absent = {0};
    if (old->policy_generation != after->policy_generation)
        change_policy(record, before != NULL ? policy_digest(old->policy) : absent, after);
    if (old->shadow_generation != after->shadow_generation)
        change(record, CHANGE_SHADOW, old->shadow != NULL ? policy_digest(old->shadow) : absent,
               policy_digest(after->shadow), after->shadow_generation);
    if (old->bundle_generation != after->bundle_generation)
        change(record, CHANGE_BUNDLES, before != NULL ? trust_bundles_digest(old->bundles) : absent,
               trust_bundles_digest(after->bundles), after->bundle_generation);
    if (old->key_generation != after->key_generation)
        change(record, CHANGE_KEYS, before != NULL ? jwks_sets_digest(old->keys) : absent,
               jwks_sets_digest(after->keys), after->key_generation);
    if (old->revocation_generation != after->revocation_generation)
        change(record, CHANGE_REVOCATIONS, before != NULL ? revocations_digest(old->revocations) : absent,
               revocations_digest(after->revocations), after->revocation_generation);
}

void state_record_mended(struct state_record *record)
{
    record->refused[0] = '\0';
}

void state_record_enforcement(struct state_record *record)
{
    if (record->config->policy.enforcement != REPORT)
        return;
    record->event = (struct audit_event){.kind = RECORD_CHANGE,
                                         .change = {.what = CHANGE_ENFORCEMENT,
                                                    .after = VIEW("report"),
                                                    .source = view_of(record->config->file),
                                                    .detail = VIEW("nothing is refused, only recorded")}};
    append(record);
}

/* True for `path` itself and for what lies in that folder. */
static bool is_at(struct view file, const char *path)
{
    struct view whole = view_of(path);
    while (whole.size > 1 && whole.data[whole.size - 1] == '/')
        whole.size--;
    return view_starts_with(file, whole) && (file.size == whole.size || file.data[whole.size] == '/');
}

/* What the refused file belongs to: the configuration says. */
static enum change_kind kind_of(const struct config *config, struct view file)
{
    for (size_t i = 0; i < config->identity.revocation_count; i++)
        if (is_at(file, config->identity.revocations[i]))
            return CHANGE_REVOCATIONS;
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        const struct trust_domain_config *domain = &config->identity.domains[i];
        if (is_at(file, domain->bundle) || (domain->crl != NULL && is_at(file, domain->crl)))
            return CHANGE_BUNDLES;
    }
    for (size_t i = 0; i < config->tokens.issuer_count; i++)
        if (is_at(file, config->tokens.issuers[i].keys_file))
            return CHANGE_KEYS;
    return CHANGE_POLICY;
}

void state_record_refusal(struct state_record *record, const struct snapshot *in_force,
                          const struct reload_outcome *outcome)
{
    if (strcmp(record->refused, outcome->message) == 0)
        return;
    memcpy(record->refused, outcome->message, sizeof(record->refused));
    struct view file = view_of(outcome->file);
    enum change_kind kind = outcome->is_of_shadow ? CHANGE_SHADOW : kind_of(record->config, file);
    if (outcome->is_of_shadow && !is_at(file, record->config->policy.shadow)) /* of a document in a compiled one */
        file = view_of(record->config->policy.shadow);
    const struct policy *kept = kind == CHANGE_SHADOW ? in_force->shadow : in_force->policy;
    record->event = (struct audit_event){.kind = RECORD_CHANGE,
                                         .change = {.what = kind,
                                                    .is_refused = true,
                                                    .source = file,
                                                    .before = kept != NULL ? policy_digest(kept) : (struct view){0},
                                                    .detail = view_of(outcome->message),
                                                    .generation = in_force->generation}};
    append(record);
}
