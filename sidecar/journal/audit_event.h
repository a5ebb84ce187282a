/* SPDX-License-Identifier: Apache-2.0 */
/* One audit record, bartizan.audit.v1.Record, from facts and decision to bytes.
 *
 * Never a token, key, query string or body. Written straight into the journal's
 * room; the read side gives back a struct of views. */
#ifndef BARTIZAN_AUDIT_EVENT_H
#define BARTIZAN_AUDIT_EVENT_H

#include "arena.h"
#include "decision.h"
#include "facts.h"
#include "journal_writer.h"

enum record_kind { RECORD_DECISION = 1, RECORD_LOSS, RECORD_CHANGE, RECORD_LIFECYCLE };
enum change_kind {
    CHANGE_POLICY = 1,
    CHANGE_BUNDLES,
    CHANGE_KEYS,
    CHANGE_REVOCATIONS,
    CHANGE_OVERRIDE,
    CHANGE_ENFORCEMENT,
    CHANGE_SHADOW
};
enum lifecycle_kind { LIFECYCLE_EPOCH_START = 1, LIFECYCLE_EPOCH_CLOSE, LIFECYCLE_CLOCK_STEP, LIFECYCLE_SANDBOX };

/* Both the writer's input and the reader's output; absent views and zeros are left out on the wire. */
struct audit_event {
    enum record_kind kind;
    struct view instance; /* pod or host name */
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t sequence;
    int64_t realtime_ns;
    int64_t boottime_ns;
    bool is_cut; /* read: a text was longer than its limit and is not whole */

    struct audit_decision {
        struct view decision_id;
        enum verdict verdict;
        enum verdict enforced; /* what was answered: differs under enforcement: report */
        bool is_report_only;   /* enforcement was `report`: nothing was refused, whatever the verdict */
        enum reason reason;
        struct view reason_name; /* read: as recorded, also where this build does not know it */
        struct view rule, closest, missing, attribute;
        /* who */
        enum proof proof;
        struct view caller; /* SPIFFE ID */
        struct view trust_domain;
        struct view certificate_sha256; /* 32 bytes */
        bool is_caller_verified;        /* false: the caller field is what an unverified certificate claims,
                                         * with PROOF_XFCC_TEXT what a trusted proxy wrote */
        struct view user_issuer, user_subject;
        bool is_subject_hashed; /* user_subject is a keyed HMAC in hex */
        bool is_user_verified;
        struct view token_id, client;
        struct view amr[8];
        size_t amr_count;
        struct view acr;
        bool has_auth_time;
        int64_t auth_age; /* seconds at the decision */
        struct view actors[FACTS_ACTORS_MAX];
        size_t actor_count;
        bool is_bound_to_certificate, is_bound_to_workload, is_bound_by_dpop;
        /* what */
        struct view method, host, path; /* path without query */
        struct view action, resource_type, resource_id;
        struct pair_of_views labels[DECISION_LABELS_MAX];
        size_t label_count;
        struct view purpose;
        struct view grpc_method; /* "package.Service/Method" of a gRPC request; `path` has it too */
        struct view model, tool; /* what the body names */
        /* how it was answered */
        struct view challenge;   /* acr_values="a b", max_age=300: the parameters of RFC 9470 as sent */
        struct view obligations; /* names only, space separated */
        enum audit_level level;
        uint32_t http_status;
        struct view policy_digest; /* hex */
        uint64_t bundle_generation, key_generation, revocation_generation;
        struct view request_id, trace_id; /* x-request-id; the id of traceparent */
        struct view source_address;
        struct view asking_peer; /* "uid:1337" or "tcp-unauthenticated" */
        uint64_t duration_ns;
        bool is_late; /* the caller had gone before the answer */
        /* what the policy of policy.shadow would have said */
        bool has_shadow;
        enum verdict shadow_verdict;
        struct view shadow_rule, shadow_digest; /* as rule and policy_digest */
    } decision;

    struct audit_loss {
        uint64_t count;
        uint64_t first, last; /* capped: what was removed; refused records never had a number: this record's own */
        struct view reason;   /* capped, disk-full, io-error, torn */
        struct view epoch;    /* 32 hex digits; absent: this record's epoch */
    } loss;

    struct audit_change {
        enum change_kind what;
        bool is_refused;                   /* the new generation was not taken; the old one stays */
        struct view source, before, after; /* digests in hex */
        struct view detail;                /* the first diag of a refusal */
        uint64_t generation;
    } change;

    struct audit_lifecycle {
        enum lifecycle_kind what;
        struct view previous_epoch; /* 32 hex digits; absent: unknown */
        uint64_t previous_sequence;
        struct view detail;
    } lifecycle;
};

/* Writes the record into `buffer` of JOURNAL_RECORD_MAX bytes; long texts are cut
 * to fit (and the record says so). The bytes written, never 0. No allocation. */
size_t audit_event_write(const struct audit_event *event, char *buffer);

/* Reads a record. Views borrow from `bytes`. ERR_MALFORMED: not protobuf; a kind
 * without its body or with another's; a body or an epoch twice or of the wrong size;
 * more values than the struct holds; an enumeration outside its range. Whatever is
 * taken, protobuf-c takes too and reads the same from. */
MUST_CHECK enum err audit_event_parse(struct view bytes, struct audit_event *out);

enum { AUDIT_TOPIC_MAX = 512 };

/* The topic of the live tap, without a NUL; its size. A decision has
 * `v1.VERDICT.RESOURCE_TYPE.RULE`, with `-` where a part is missing; other records
 * `v1.loss`, `v1.change`, `v1.lifecycle`. A byte outside [0-9A-Za-z_:/-] is `_`. */
size_t audit_event_topic(const struct audit_event *event, char topic[AUDIT_TOPIC_MAX]);

/* True when it was answered otherwise than decided: enforcement is `report`. */
static inline bool audit_event_is_spared(const struct audit_decision *decision)
{
    return decision->enforced != decision->verdict;
}

/* The reason as a sentence; for one that this build does not know, the name it has in the record. */
struct view audit_event_reason_words(const struct audit_decision *decision);

/* What became of the request, in one word: allow, deny or challenge, and where
 * enforcement is `report` would_deny or would_challenge. */
const char *audit_event_outcome(const struct audit_decision *decision);

/* True when the shadow's verdict or rule is another. */
bool audit_event_shadow_differs(const struct audit_decision *decision);

/* A record for people and programs; each form is the absent view at the arena's
 * ceiling. Nothing that came from a request is written raw: control bytes,
 * bidirectional and invisible characters and bytes that are no UTF-8 are escaped.
 * Times are UTC. */

/* One sentence:
 *   09:14:02 alice (password + key, 2 min ago) via console → model fraud-v3: allowed by
 * inference-gateway/operators-high */
struct view audit_event_sentence(const struct audit_event *event, struct arena *arena);

/* One JSON object without line breaks, fields named as in audit.proto:
 *   {"kind":"decision","instance":"..","epoch":"<hex>","sequence":7,"time":"<RFC 3339>",..,"decision":{..}} */
struct view audit_event_json(const struct audit_event *event, struct arena *arena);

/* The whole explanation, several lines. */
struct view audit_event_explanation(const struct audit_event *event, struct arena *arena);

#endif
