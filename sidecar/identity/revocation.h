/* SPDX-License-Identifier: Apache-2.0 */
/* The deny list: who is refused although their proof is good. Asked about every
 * request, outside every cache, but not twice under one generation (clearance.h).
 * Immutable once built. Millions of entries take at most 24 bytes each (deny_table.h).
 *
 * File form (YAML, `kind: RevocationList`, written by `bartizan revoke`):
 *   apiVersion: bartizan.dev/v1alpha1
 *   kind: RevocationList
 *   metadata: {sequence: 7}
 *   entries:
 *     - {spiffe: "spiffe://td/ns/a/sa/b", reason: text, author: text, created: RFC 3339, expires: RFC 3339}
 *     - {spiffePrefix: "spiffe://td/ns/a"}      # whole path segments
 *     - {certificateSha256: HEX} | {spkiSha256: HEX}
 *     - {serial: {issuer: "keyId:HEX", number: HEX}}   # or nameSha256:HEX, of the issuer name's DER
 *     - {authority: "spkiSha256:HEX"} | {authority: "keyId:HEX"}
 *     - {user: {issuer: URL, subject: TEXT, issuedBefore: RFC 3339}}   # issuedBefore optional
 *     - {token: {issuer: URL, id: JTI}}
 *
 * A list that a program writes has one entry a line instead: revocation_lines.h. */
#ifndef BARTIZAN_REVOCATION_H
#define BARTIZAN_REVOCATION_H

#include "diag.h"
#include "x509_svid.h"

struct revocations;

struct revocation_source {
    struct view file;
    struct view text; /* a RevocationList, in either form */
};

/* One set from all files. `expires` is judged at each lookup. ERR_INVALID with diags for any file that is not valid:
 * a deny list that cannot be read whole is never half applied. */
MUST_CHECK enum err revocations_build(const struct revocation_source *sources, size_t count, struct diag_list *diags,
                                      struct revocations **out);
void revocations_free(struct revocations *revocations);

/* The caller, or a proxy that vouched for it, by ID, certificate, key, serial number or an authority
 * above it; true also when that cannot be told for want of memory. */
bool revocations_has_caller(const struct revocations *revocations, const struct x509_svid *svid, int64_t now);

struct revocation_token {
    struct view issuer, subject, id; /* `jti`; absent when the token has none */
    int64_t issued_at;               /* 0 when the token has none: issuedBefore then applies */
};
bool revocations_has_token(const struct revocations *revocations, const struct revocation_token *token, int64_t now);

size_t revocations_count(const struct revocations *revocations);
size_t revocations_bytes(const struct revocations *revocations); /* of memory that entries take */
/* The highest metadata.sequence over the sources; 0 when there are none. */
uint64_t revocations_sequence(const struct revocations *revocations);
/* The sequence of each source, which borrow from the revocations. */
size_t revocations_source_count(const struct revocations *revocations);
struct view revocations_source(const struct revocations *revocations, size_t i, uint64_t *sequence);
/* True and *sequence when `file` is a source. */
bool revocations_find_source(const struct revocations *revocations, struct view file, uint64_t *sequence);
struct view revocations_digest(const struct revocations *revocations); /* hex SHA-256 of the sources, owned */

#endif
