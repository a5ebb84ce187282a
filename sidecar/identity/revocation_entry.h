/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of a deny list, whatever the form of its file (revocation.h). */
#ifndef BARTIZAN_REVOCATION_ENTRY_H
#define BARTIZAN_REVOCATION_ENTRY_H

#include "err.h"
#include "view.h"

enum { REVOCATION_TEXT_MAX = 2048, REVOCATION_OCTETS_MAX = 64 };

enum revocation_kind {
    REVOCATION_SPIFFE = 0,    /* exactly this SPIFFE ID */
    REVOCATION_SPIFFE_PREFIX, /* this ID and everything below it, by whole segments */
    REVOCATION_CERTIFICATE,   /* hex SHA-256 of the DER, in either form of it (x509_twin.h) */
    REVOCATION_SPKI,          /* hex SHA-256 of the SubjectPublicKeyInfo: also after a re-issue of the key */
    REVOCATION_USER,
    REVOCATION_TOKEN,
    REVOCATION_SERIAL,    /* one certificate, by who issued it and its serial number */
    REVOCATION_AUTHORITY, /* everything below a certificate of the verified path, the anchor included */
    REVOCATION_KINDS,
};

struct revocation_entry {
    struct view
        value; /* SPIFFE ID, prefix, hex digits, `subject`, `id`, serial number in hex, or KEY of an authority */
    struct view issuer;    /* USER and TOKEN: its URL; SERIAL: KEY; otherwise absent */
    struct view reason;    /* for people; may be absent */
    struct view author;    /* for people; may be absent */
    int64_t issued_before; /* USER: only tokens issued before it, unix seconds */
    int64_t created;       /* unix seconds */
    int64_t expires;       /* unix seconds; the entry holds before it */
    enum revocation_kind kind;
    bool has_issued_before, has_created, has_expires;
};

/* How kinds are called in both forms of a file. */
extern const struct view revocation_kind_keys[REVOCATION_KINDS];

/* How KEY names an authority: "keyId:" and the hex octets of its key identifier, "spkiSha256:" and 64 hex
 * digits (AUTHORITY), or "nameSha256:" and 64 hex digits of its name's DER (SERIAL). Octets may be
 * parted by colons, as openssl prints them. */
enum revocation_key { REVOCATION_KEY_ID = 0, REVOCATION_KEY_SPKI, REVOCATION_KEY_NAME };

struct revocation_octets {
    uint8_t bytes[REVOCATION_OCTETS_MAX];
    size_t size; /* at least 1 */
};

/* False for a text that is no KEY. */
bool revocation_key_parse(struct view text, enum revocation_key *key, struct revocation_octets *out);

/* Hex digits, parted by colons or not; an odd number of them has a zero in front. */
bool revocation_octets_parse(struct view text, struct revocation_octets *out);

/* NULL for an entry whose kind, value and issuer say something; else what is wrong, for people. */
const char *revocation_entry_fault(const struct revocation_entry *entry);

/* True when both refuse the same: kind, value, issuer and issuedBefore. */
bool revocation_entry_matches(const struct revocation_entry *a, const struct revocation_entry *b);

#endif
