/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as an audit record: who asked for what, and what was answered. */
#ifndef BARTIZAN_DECISION_RECORD_H
#define BARTIZAN_DECISION_RECORD_H

#include "audit_event.h"
#include "check_response.h"
#include "jwt_verify.h"
#include "request_facts.h"
#include "snapshot.h"

/* Subjects under a key, kept so that one seen before costs no HMAC. */
struct subject_hashes;

/* `key` absent: subjects stay plain. ERR_NO_MEMORY. */
MUST_CHECK enum err subject_hashes_open(struct view key, const struct hash_key *hash_key, struct subject_hashes **out);
void subject_hashes_close(struct subject_hashes *hashes);

struct decision_record {
    const struct config *config;
    const struct snapshot *snapshot;
    const struct facts *facts;
    const struct decision *decision;
    const struct decision *shadow; /* what the policy of policy.shadow says; NULL: none was asked */
    const struct check_answer *answer;
    const struct check_request *request;
    const struct request_credentials *credentials;
    const struct x509_svid *caller; /* verified; NULL: see unverified_caller */
    struct view unverified_caller;  /* what a refused certificate claims; may be absent */
    const struct token *token;      /* verified; NULL without */
    struct view asking_peer;
    const uint8_t *epoch;
    uint64_t sequence;
    int64_t realtime_ns, boottime_ns;
    uint64_t duration_ns;
    bool is_late;
};

/* Fills *event. Views borrow from the record's parts, `hashes` and `arena`. */
void decision_record_fill(const struct decision_record *record, struct subject_hashes *hashes, struct arena *arena,
                          struct audit_event *event);

#endif
