/* SPDX-License-Identifier: Apache-2.0 */
/* Who the caller is, out of `source.certificate` and x-forwarded-client-cert,
 * by the configured sources and hops (docs/identity.md).
 *
 * With N trusted proxies in front, XFCC has exactly N + 1 elements: the caller
 * leftmost, then each proxy as the next one saw it; the rightmost is hop 0, the
 * peer of our own Envoy, which is also `source.certificate`. Sources never stand
 * in for one another ("first that parses" is forgeable):
 *
 *   declared      arrived                 caller
 *   certificate   certificate             it; XFCC is ignored altogether
 *   certificate   XFCC only, or nothing   none
 *   xfcc          XFCC                    leftmost element
 *   xfcc          both                    leftmost element; hop 0 must be the certificate
 *   xfcc          certificate, nothing    none
 *   both          both                    leftmost element; hop 0 must be the certificate
 *   both          certificate only        it when N is 0; else REASON_XFCC_HOPS, since it is a proxy's
 *   both          XFCC only, or nothing   none
 *   xfcc-text     as xfcc                 as xfcc; an element without a certificate is believed
 *
 * What an element of `xfcc-text` is believed is its URI and its Hash, where it is as
 * Envoy writes it; the caller is then `is_believed`, and so it is behind a proxy that
 * is. A certificate that is there is verified as ever, and refuses where it fails.
 *
 * Warm path, no parsing: caller_proof_presence, caller_proof_key, svid_cache_find.
 * Cold path, on a worker: caller_proof_verify. */
#ifndef BARTIZAN_CALLER_PROOF_H
#define BARTIZAN_CALLER_PROOF_H

#include "svid_cache.h"
#include "xfcc.h"

/* The configured sources. Outlives its use; the same for every request of a process. */
struct caller_proof_rule {
    bool uses_certificate;
    bool uses_xfcc;
    bool believes_text;         /* with uses_xfcc: it is xfcc-text */
    bool believes_without_hash; /* with believes_text: a waypoint knows no certificate */
    uint32_t hops;              /* N, 0 to XFCC_ELEMENTS_MAX - 1; with uses_xfcc */
    const struct view *by;      /* SPIFFE IDs of the N proxies, in any order */
    size_t by_count;            /* equals hops; otherwise everything is refused */
};

struct caller_proof_input {
    const struct caller_proof_rule *rule;
    struct view source_certificate; /* empty or absent: none was presented */
    struct view xfcc;               /* the header's value; absent: not there (empty is there, and malformed) */
    struct view peer;               /* `source.principal`; empty or absent: Envoy saw no certificate */
};

/* One certificate to verify, and what its XFCC element says about it; without leaf
 * and chain, what is to be believed. */
struct caller_proof_hop {
    struct view leaf;  /* PEM text; absent: the first certificate of `chain` */
    struct view chain; /* absent: none supplied */
    struct view hash;  /* 64 hex digits of its DER; absent: not stated */
    struct view uri;   /* absent or empty: not stated, which nobody believes */
    struct view by;    /* must be the ID of the next hop; absent: not stated */
};

/* Left to right: hops[0] is the caller, hops[count - 1] is hop 0. */
struct caller_proof {
    struct caller_proof_hop hops[XFCC_ELEMENTS_MAX];
    size_t count;
    struct view source_certificate; /* present: must be the certificate of the last hop */
};

/* In constant time: REASON_NONE when there is something to verify,
 * REASON_CERTIFICATE_NONE when the declared sources hold no identity (which is
 * "absent", not "failed"), REASON_XFCC_HOPS as in the table above. */
enum reason caller_proof_presence(const struct caller_proof_input *in);

/* False when `caller` comes of an XFCC that the peer of Envoy's connection has not: hop 0
 * is another, or nobody showed Envoy a certificate, so that a client wrote the header and
 * FORWARD_ONLY or ALWAYS_FORWARD_ONLY let it through. `source.principal`, the first URI SAN,
 * proves nothing and is only ever held against somebody. True where XFCC is no source or
 * did not arrive, and of who is believed behind a waypoint (believes_without_hash), which is
 * not the peer. A certificate is public: copied into a header it proves nobody there either. */
bool caller_proof_is_of_peer(const struct caller_proof_input *in, const struct x509_svid *caller);

/* Every byte of the request on which the verdict of caller_proof_verify depends.
 * Views borrow from `in`. */
struct svid_key caller_proof_key(const struct caller_proof_input *in);

/* Text only: which certificates are to be verified, without reading one.
 * REASON_NONE; what caller_proof_presence says; REASON_XFCC_MALFORMED (as xfcc_parse,
 * or no Hash); REASON_XFCC_HOPS (not exactly N + 1 elements, or one without a
 * certificate, nor a URI to believe); REASON_XFCC_MISMATCH (N > 0 and `By` not exactly
 * once in each element, `URI` more than once, or one to believe that is not as Envoy
 * writes it). Views borrow from `in`. */
enum reason caller_proof_select(const struct caller_proof_input *in, struct caller_proof *out);

/* The whole judgement: every hop's certificate verified at `now` (or its URI a SPIFFE
 * ID of a workload in a domain that has authorities), each `Hash`, `URI` and `By` found to fit, the hops' IDs exactly
 * those of the rule, hop 0 the same certificate as `source.certificate`. REASON_NONE and the caller in *out, its
 * validity and that of every hop intersected, the proxies among what a deny list is asked about (their IDs point into
 * the rule's `by`); else a refusal, with what could be read of the caller in *out as x509_svid_verify has it. Safe from
 * any thread; allocates and frees. */
enum reason caller_proof_verify(const struct caller_proof_input *in, const struct trust_bundles *bundles, int64_t now,
                                struct x509_svid *out);

#endif
