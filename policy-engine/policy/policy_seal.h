/* SPDX-License-Identifier: Apache-2.0 */
/* A signed envelope around a compiled policy, or around a deny list: who vouches for it,
 * which revision it is, and until when it may be used. docs/signed-policies.md tells operators.
 *
 * Layout, little endian; nothing stands before, between or behind:
 *     0  24 bytes  "bartizan policy seal v1\n", of a deny list "bartizan denial seal v1\n"; signed with
 *                  the rest, so that no signature made for anything else is one for this
 *    24  u32       bytes of this header: 128
 *    28  u32       zero
 *    32  u64       revision, 1 to 2^63 - 1; a later policy has a higher one
 *    40  u64       issued, unix seconds
 *    48  u64       expires, unix seconds, after issued; first second at which it is no longer good
 *    56  32 bytes  key id: SHA-256 of the signer's SubjectPublicKeyInfo (DER)
 *    88  u64       bytes of the image, at least 1
 *    96  32 bytes  zero
 *   128  image
 *   end  64 bytes  Ed25519 (RFC 8032 section 5.1) over every byte before it */
#ifndef BARTIZAN_POLICY_SEAL_H
#define BARTIZAN_POLICY_SEAL_H

#include "arena.h"

enum { POLICY_SEAL_HEADER_BYTES = 128, POLICY_SEAL_SIGNATURE_BYTES = 64, POLICY_SEAL_KEY_ID_BYTES = 32 };
enum { POLICY_SEAL_OVERHEAD = POLICY_SEAL_HEADER_BYTES + POLICY_SEAL_SIGNATURE_BYTES };

#define POLICY_SEAL_REVISION_MAX INT64_MAX
#define POLICY_SEAL_TIME_MAX 253402300799 /* the last second of the year 9999 */

enum policy_seal_purpose { POLICY_SEAL_OF_POLICY = 0, POLICY_SEAL_OF_DENIAL };

/* What the header says; nothing of it is to be believed before policy_seal_is_signed_by. */
struct policy_seal {
    enum policy_seal_purpose purpose;
    uint64_t revision;
    int64_t issued, expires; /* unix seconds */
    uint8_t key_id[POLICY_SEAL_KEY_ID_BYTES];
    struct view image;     /* borrowed, like those below */
    struct view covered;   /* what is signed */
    struct view signature; /* over it */
};

/* True for bytes that begin as an envelope of some version does: of a policy, of a deny list. */
bool policy_seal_is(struct view bytes);
bool policy_seal_is_of_denial(struct view bytes);

/* Total. ERR_MALFORMED, also for an envelope of the other purpose; ERR_UNSUPPORTED: one of another version. */
MUST_CHECK enum err policy_seal_parse(struct view bytes, struct policy_seal *out);
MUST_CHECK enum err policy_seal_parse_denial(struct view bytes, struct policy_seal *out);

/* An Ed25519 key: public, or private and then able to sign. */
struct policy_key;

/* Reads a PEM `PUBLIC KEY` (RFC 8410), and an unencrypted PEM `PRIVATE KEY`. ERR_MALFORMED: no
 * such PEM, or text before or behind it; ERR_UNSUPPORTED: a key of another algorithm. Freed by policy_key_free. */
MUST_CHECK enum err policy_key_read_public(struct view pem, struct policy_key **out);
MUST_CHECK enum err policy_key_read_private(struct view pem, struct policy_key **out);
void policy_key_free(struct policy_key *key); /* harmless on NULL */

/* POLICY_SEAL_KEY_ID_BYTES bytes, owned by the key. */
const uint8_t *policy_key_id(const struct policy_key *key);

/* True when the envelope names this key and its signature verifies with it. */
bool policy_seal_is_signed_by(const struct policy_seal *seal, const struct policy_key *key);

/* Writes the envelope of seal->purpose, revision, issued, expires and image, signed with the private
 * `key`, into `arena`. ERR_INVALID: a number outside its range, or the key is only public. */
MUST_CHECK enum err policy_seal_write(const struct policy_seal *seal, const struct policy_key *key, struct arena *arena,
                                      struct view *out);

#endif
