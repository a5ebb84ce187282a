/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates that a bundle's text holds, in either form: PEM blocks with
 * white space only between them, or a SPIFFE bundle document, a JWK set with
 * x5c entries (SPIFFE_Trust_Domain_and_Bundle.md section 4, X509-SVID.md
 * section 6). The form is told by the first byte that is not white space. JSON is
 * read strictly (json.h). */
#ifndef BARTIZAN_BUNDLE_DOCUMENT_H
#define BARTIZAN_BUNDLE_DOCUMENT_H

#include "err.h"
#include "view.h"

struct bundle_document_error {
    const char *message; /* static, one line */
    uint32_t line;       /* from 1; 0 unknown */
};

/* What a text says beside its certificates. Of PEM: all zero. */
struct bundle_facts {
    bool is_document;
    bool has_sequence, has_refresh_hint;
    uint64_t sequence;     /* `spiffe_sequence` */
    uint64_t refresh_hint; /* `spiffe_refresh_hint`, seconds */
    uint32_t other_uses;   /* elements for another kind of SVID: `jwt-svid` and whatever is not known; passed over */
    uint32_t ignored; /* elements that no reader can use: no object, no `use` or `kty` or none that is known, no x5c */
    uint32_t extra_values; /* x5c values behind the first, which a reader must ignore */
    uint32_t key_ids;      /* x509-svid elements with a `kid`, which must have none: taken, since it changes nothing */
};

/* One certificate; `line` is where its block or element begins, from 1. */
typedef enum err bundle_document_take(void *context, struct view der, uint32_t line);

/* Calls `take` for each certificate, in order, and stops at its first error, which it
 * returns. ERR_MALFORMED or ERR_LIMIT with *error. A document may hold no certificate
 * (the domain's mass revocation); PEM text must hold one. What X509-SVID section 6.2 says
 * is ignored is counted in *facts; an x5c, a `spiffe_sequence` or a `spiffe_refresh_hint`
 * of another type than theirs makes the document malformed. */
MUST_CHECK enum err bundle_document_read(struct view text, bundle_document_take *take, void *context,
                                         struct bundle_facts *facts, struct bundle_document_error *error);

#endif
