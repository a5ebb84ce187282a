/* SPDX-License-Identifier: Apache-2.0 */
/* A RevocationList document (its form: revocation.h) as entries, and back.
 * print then parse gives the same entries. */
#ifndef BARTIZAN_REVOCATION_LIST_H
#define BARTIZAN_REVOCATION_LIST_H

#include "diag.h"

enum { REVOCATION_ENTRIES_MAX = 100000, REVOCATION_TEXT_MAX = 2048 };

enum revocation_kind {
    REVOCATION_SPIFFE = 0,    /* exactly this SPIFFE ID */
    REVOCATION_SPIFFE_PREFIX, /* this ID and everything below it, by whole segments */
    REVOCATION_CERTIFICATE,   /* hex SHA-256 of the DER; a holder can re-encode an ECDSA signature, so SPKI is safer */
    REVOCATION_SPKI,          /* hex SHA-256 of the SubjectPublicKeyInfo: also after a re-issue of the key */
    REVOCATION_USER,
    REVOCATION_TOKEN,
};

struct revocation_entry {
    enum revocation_kind kind;
    struct view value;  /* SPIFFE ID, prefix, hex digits, `subject` or `id` */
    struct view issuer; /* USER and TOKEN; otherwise absent */
    bool has_issued_before;
    int64_t issued_before; /* USER: only tokens issued before it, unix seconds */
    struct view reason;    /* for people; may be absent */
    struct view author;    /* for people; may be absent */
    bool has_created;
    int64_t created; /* unix seconds */
    bool has_expires;
    int64_t expires; /* unix seconds; the entry holds before it */
};

struct revocation_list {
    uint64_t sequence;
    const struct revocation_entry *entries;
    size_t count;
};

/* Everything lives in `arena` or borrows from `text`. ERR_INVALID with diags,
 * ERR_NO_MEMORY. */
MUST_CHECK enum err revocation_list_parse(struct view file, struct view text, struct arena *arena,
                                          struct diag_list *diags, struct revocation_list *out);

/* The document as YAML, every text quoted; the absent view at the arena's
 * ceiling or where an instant has no RFC 3339 form. */
struct view revocation_list_print(const struct revocation_list *list, struct arena *arena);

/* True when both refuse the same: kind, value, issuer and issuedBefore. */
bool revocation_entry_matches(const struct revocation_entry *a, const struct revocation_entry *b);

#endif
