/* SPDX-License-Identifier: Apache-2.0 */
/* x-forwarded-client-cert, as Envoy writes it.
 *
 *   XFCC    = element *( "," *SP element )     ; one per proxy hop, newest last
 *   element = pair *( ";" *SP pair )
 *   pair    = key "=" value                    ; keys in any case
 *   value   = *token-byte / DQUOTE *( byte / "\" DQUOTE / "\" "\" ) DQUOTE
 * Text of By, URI, DNS and Subject is unescaped by Envoy and thus forgeable: it is no
 * identity (docs/identity.md), but for a configured `xfcc-text`, which demands of an
 * element that it is_as_written. Source: Envoy, "x-forwarded-client-cert". */
#ifndef BARTIZAN_XFCC_H
#define BARTIZAN_XFCC_H

#include "reason.h"
#include "view.h"

enum { XFCC_BYTES_MAX = 64 * 1024, XFCC_ELEMENTS_MAX = 8 };

struct xfcc_element {
    struct view by;
    size_t by_count;  /* `By` may repeat; `by` is the first */
    struct view hash; /* 64 hex digits of either case; absent when not there */
    struct view cert; /* URL-encoded PEM, quotes removed; absent when not there */
    struct view chain;
    struct view subject;
    struct view uri;
    size_t uri_count; /* `uri` is the first; `URI=` empty counts */
    /* Its pairs are all of those that Envoy writes, in the order in which it does: By, Hash,
     * Cert, Chain, Subject, URI, DNS. A pair that a DNS SAN has written comes behind DNS. */
    bool is_as_written;
};

struct xfcc {
    struct xfcc_element elements[XFCC_ELEMENTS_MAX]; /* left to right */
    size_t count;
};

/* REASON_NONE; REASON_XFCC_MALFORMED (grammar, repeated Hash, Cert, Chain or
 * Subject, an empty element); REASON_XFCC_HOPS (more than
 * XFCC_ELEMENTS_MAX). Views borrow from `text`. */
enum reason xfcc_parse(struct view text, struct xfcc *out);

#endif
