/* SPDX-License-Identifier: Apache-2.0 */
/* Two answers of the SPIFFE Workload API, read without a copy (SPIFFE_Workload_API.md
 * sections 5 and 6; the fields are those of workloadapi.proto):
 *
 *   X509BundlesResponse { repeated bytes crl = 1; map<string, bytes> bundles = 2; }
 *   JWTBundlesResponse  { map<string, bytes> bundles = 1; }
 *
 * Each is the full state. Mandatory and hence refused when empty (section 4.5): the
 * map, a key, a value. A key is `spiffe://` and a trust domain, nothing behind it.
 * Unknown fields are passed over, as protobuf has it; refused is a known one of
 * another wire type, an entry with its key or value twice, and a domain named twice,
 * of which two readers would take different ones. */
#ifndef BARTIZAN_WORKLOAD_MESSAGE_H
#define BARTIZAN_WORKLOAD_MESSAGE_H

#include "feed_stamp.h"

enum { WORKLOAD_MESSAGE_BYTES_MAX = 4 * 1024 * 1024, WORKLOAD_DOMAINS_MAX = 1024, WORKLOAD_CRLS_MAX = 64 };

struct workload_bundle {
    struct view trust_domain; /* a valid name */
    struct view bytes;        /* WORKLOAD_X509: certificates in DER, one behind the other; WORKLOAD_JWT: a JWK set */
};

struct workload_message {
    const struct workload_bundle *bundles; /* at least one, each domain once */
    size_t bundle_count;
    const struct view *crls; /* WORKLOAD_X509: DER, none empty */
    size_t crl_count;
};

/* ERR_MALFORMED or ERR_LIMIT with *why, a static phrase; ERR_NO_MEMORY. Views borrow from `bytes`. */
MUST_CHECK enum err workload_message_parse(enum workload_kind kind, struct view bytes, struct arena *arena,
                                           struct workload_message *out, const char **why);

/* The bytes for `trust_domain`, or the absent view when the message does not name it. */
struct view workload_message_find(const struct workload_message *message, struct view trust_domain);

#endif
