/* SPDX-License-Identifier: Apache-2.0 */
/* A trust bundle's two forms, as trust_bundles_build reads them: PEM, and a SPIFFE
 * bundle document (SPIFFE_Trust_Domain_and_Bundle.md section 4, X509-SVID.md
 * section 6: `use` x509-svid, no `kid`, one certificate in `x5c`). */
#ifndef BARTIZAN_BUNDLE_PRINT_H
#define BARTIZAN_BUNDLE_PRINT_H

#include "arena.h"

#include <openssl/x509.h>

/* One certificate as PEM in `arena`; absent when out of memory. */
struct view certificate_print(X509 *certificate, struct arena *arena);

/* PEM of all, one behind the other. */
struct view bundle_print_pem(X509 *const *authorities, size_t count, struct arena *arena);

/* True for a certificate that the document can hold: its key is RSA of at most 8192 bits, P-256, P-384, P-521 or
 * Ed25519. */
bool bundle_print_takes(X509 *certificate);

/* The document, with a line feed at its end; absent when out of memory or for a certificate that it cannot hold.
 * `refresh_hint` in seconds. */
struct view bundle_print_document(X509 *const *authorities, size_t count, uint64_t sequence, unsigned refresh_hint,
                                  struct arena *arena);

#endif
