/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates that a bundle's text holds, in either form: PEM blocks with
 * white space only between them, or a SPIFFE bundle document, a JWK set with
 * x5c entries (SPIFFE_Trust_Domain_and_Bundle.md section 4, X509-SVID.md
 * section 6). The form is told by the first byte that is not white space. */
#ifndef BARTIZAN_BUNDLE_DOCUMENT_H
#define BARTIZAN_BUNDLE_DOCUMENT_H

#include "err.h"
#include "view.h"

struct bundle_document_error {
    const char *message; /* static, one line */
    uint32_t line;       /* from 1; 0 unknown */
};

/* Calls `take` with the DER of each certificate, in order, and stops at its first
 * error, which it returns. *sequence is `spiffe_sequence`, or 0 without one.
 * ERR_MALFORMED or ERR_LIMIT with *error. A document may hold no certificate (the
 * domain's mass revocation); PEM text must hold one. */
MUST_CHECK enum err bundle_document_read(struct view text, enum err (*take)(void *context, struct view der),
                                         void *context, uint64_t *sequence, struct bundle_document_error *error);

#endif
