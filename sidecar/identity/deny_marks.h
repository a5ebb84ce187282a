/* SPDX-License-Identifier: Apache-2.0 */
/* What a deny list is asked about a certificate beside its ID, its bytes and its key: who
 * issued it under which serial number, and the authorities above it. Kept with a caller
 * at fixed size, so that a new list is asked without verifying again.
 *
 * A mark is the first 16 bytes of a SHA-256: whom a mark refuses wrongly is whom somebody
 * found a second preimage of 128 bits for, and no mark is ever overlooked.
 *
 * Everything marked stands under the issuer's signature, so that a holder cannot change
 * it. What is marked of an authority is that of a verified path. */
#ifndef BARTIZAN_DENY_MARKS_H
#define BARTIZAN_DENY_MARKS_H

#include "err.h"
#include "view.h"

enum { DENY_MARK_BYTES = 16 };

/* An authority: by its key, and by the name its issuer gave the key. */
struct deny_authority {
    uint8_t spki[DENY_MARK_BYTES];   /* of the SubjectPublicKeyInfo DER */
    uint8_t key_id[DENY_MARK_BYTES]; /* of the subject key identifier; of RFC 5280 section 4.2.1.2 method (1) without */
};

/* A certificate by issuer and serial number. */
struct deny_serial {
    uint8_t by_name[DENY_MARK_BYTES]; /* the issuer by its name's DER */
    uint8_t by_key[DENY_MARK_BYTES];  /* the issuer by the authority key identifier, or by its own without one;
                                         zero for an anchor that says neither */
};

struct x509_st;

/* ERR_NO_MEMORY; ERR_MALFORMED for what does not encode. */
MUST_CHECK enum err deny_marks_authority(struct x509_st *certificate, struct deny_authority *out);
/* `issuer` is the authority next above in the verified path; NULL: there is none. */
MUST_CHECK enum err deny_marks_serial(struct x509_st *certificate, const struct deny_authority *issuer,
                                      struct deny_serial *out);

/* The same marks from what a list says. `serial` is big endian, leading zeros or not. */
MUST_CHECK enum err deny_marks_of_bytes(struct view bytes, uint8_t out[DENY_MARK_BYTES]);
MUST_CHECK enum err deny_marks_of_serial(const uint8_t issuer[DENY_MARK_BYTES], struct view serial,
                                         uint8_t out[DENY_MARK_BYTES]);

#endif
