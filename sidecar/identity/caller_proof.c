/* SPDX-License-Identifier: Apache-2.0 */
#include "caller_proof.h"

_Static_assert(SVID_PROXIES_MAX == XFCC_ELEMENTS_MAX - 1, "every element but the caller's is a proxy's");

static bool has_certificate(const struct caller_proof_input *in)
{
    return !view_is_empty(in->source_certificate);
}

static bool has_certificate_text(const struct caller_proof_hop *hop)
{
    return view_is_present(hop->leaf) || view_is_present(hop->chain);
}

enum reason caller_proof_presence(const struct caller_proof_input *in)
{
    const struct caller_proof_rule *rule = in->rule;
    bool is_certificate_missing = rule->uses_certificate && !has_certificate(in);
    if (is_certificate_missing || (!rule->uses_certificate && !rule->uses_xfcc))
        return REASON_CERTIFICATE_NONE;
    if (!rule->uses_xfcc || view_is_present(in->xfcc))
        return REASON_NONE;
    if (!rule->uses_certificate)
        return REASON_CERTIFICATE_NONE;
    return rule->hops == 0 ? REASON_NONE : REASON_XFCC_HOPS;
}

bool caller_proof_is_of_peer(const struct caller_proof_input *in, const struct x509_svid *caller)
{
    bool is_waypoints = in->rule->believes_without_hash && caller->is_believed;
    if (!in->rule->uses_xfcc || !view_is_present(in->xfcc) || is_waypoints)
        return true;
    size_t proxies = caller->proxy_count;
    struct view last = proxies > 0 ? caller->proxies[proxies - 1].id : caller->id.text;
    return view_equals(in->peer, last);
}

struct svid_key caller_proof_key(const struct caller_proof_input *in)
{
    struct svid_key key = {0};
    if (has_certificate(in))
        key.leaf = in->source_certificate;
    if (in->rule->uses_xfcc)
        key.chain = in->xfcc;
    return key;
}

/* Only what an element says exactly once is said at all: a DNS SAN with a
 * semicolon writes further pairs into its own element. */
static enum reason select_element(const struct caller_proof_rule *rule, const struct xfcc_element *element,
                                  struct caller_proof_hop *out)
{
    bool has_certificate = view_is_present(element->cert) || view_is_present(element->chain);
    if (!view_is_present(element->hash) && (has_certificate || !rule->believes_without_hash))
        return REASON_XFCC_MALFORMED;
    if (element->uri_count > 1 || (rule->hops > 0 && element->by_count != 1))
        return REASON_XFCC_MISMATCH;
    *out = (struct caller_proof_hop){
        .leaf = element->cert, .chain = element->chain, .hash = element->hash, .uri = element->uri, .by = element->by};
    return REASON_NONE;
}

/* Hop 0 may come without Cert: `source.certificate` is its certificate then, and
 * has to hash to its Hash like any other. */
static enum reason find_proof(const struct xfcc_element *element, bool is_last, const struct caller_proof_input *in,
                              struct caller_proof_hop *hop)
{
    if (is_last && !has_certificate_text(hop) && has_certificate(in))
        hop->leaf = in->source_certificate;
    if (has_certificate_text(hop))
        return REASON_NONE;
    if (!in->rule->believes_text || !view_is_present(hop->uri))
        return REASON_XFCC_HOPS;
    return element->is_as_written ? REASON_NONE : REASON_XFCC_MISMATCH;
}

static enum reason select_xfcc(const struct caller_proof_input *in, struct caller_proof *out)
{
    struct xfcc xfcc;
    enum reason reason = xfcc_parse(in->xfcc, &xfcc);
    if (reason != REASON_NONE)
        return reason;
    if (xfcc.count != (size_t)in->rule->hops + 1)
        return REASON_XFCC_HOPS;
    for (size_t i = 0; i < xfcc.count; i++) {
        bool is_last = i + 1 == xfcc.count;
        reason = select_element(in->rule, &xfcc.elements[i], &out->hops[i]);
        if (reason == REASON_NONE)
            reason = find_proof(&xfcc.elements[i], is_last, in, &out->hops[i]);
        if (reason != REASON_NONE)
            return reason;
        /* `By` of the last names our own Envoy, which nobody here can verify. */
        if (is_last)
            out->hops[i].by = (struct view){0};
    }
    out->count = xfcc.count;
    if (has_certificate(in))
        out->source_certificate = in->source_certificate;
    return REASON_NONE;
}

enum reason caller_proof_select(const struct caller_proof_input *in, struct caller_proof *out)
{
    memset(out, 0, sizeof *out);
    enum reason reason = caller_proof_presence(in);
    if (reason != REASON_NONE)
        return reason;
    if (in->rule->uses_xfcc && (in->rule->hops >= XFCC_ELEMENTS_MAX || in->rule->by_count != in->rule->hops))
        return REASON_INTERNAL;
    if (in->rule->uses_xfcc && view_is_present(in->xfcc))
        return select_xfcc(in, out);
    out->hops[0].leaf = in->source_certificate;
    out->count = 1;
    return REASON_NONE;
}

/* A domain whose authorities are not there or were all taken back has no callers here either. */
static enum reason check_domain(const struct trust_bundle *bundle)
{
    if (!bundle)
        return REASON_CERTIFICATE_DOMAIN;
    if (!trust_bundle_is_loaded(bundle))
        return REASON_KEYS_UNAVAILABLE;
    return trust_bundle_count(bundle) > 0 ? REASON_NONE : REASON_CERTIFICATE_UNTRUSTED;
}

/* The text of an element is all there is: nothing tells from when and until when it holds. */
static enum reason believe_hop(const struct caller_proof_hop *hop, const struct trust_bundles *bundles,
                               struct x509_svid *out)
{
    memset(out, 0, sizeof *out);
    out->is_believed = true;
    out->not_before = INT64_MIN;
    out->not_after = INT64_MAX;
    if (view_is_empty(hop->uri) || hop->uri.size > sizeof out->id_text)
        return REASON_CERTIFICATE_SPIFFE_ID;
    memcpy(out->id_text, hop->uri.data, hop->uri.size);
    struct view text = {.data = out->id_text, .size = hop->uri.size};
    if (spiffe_id_parse(text, &out->id) != ERR_NONE || view_is_empty(out->id.path)) {
        out->id = (struct spiffe_id){0};
        return REASON_CERTIFICATE_SPIFFE_ID;
    }
    if (view_is_present(hop->hash) && !hex_decode(hop->hash, out->sha256, sizeof out->sha256))
        return REASON_XFCC_MALFORMED;
    const struct trust_bundle *bundle = trust_bundles_find(bundles, out->id.trust_domain);
    enum reason reason = check_domain(bundle);
    if (reason == REASON_NONE)
        out->bundle_generation = trust_bundle_generation(bundle);
    return reason;
}

static enum reason verify_hop(const struct caller_proof_hop *hop, const struct trust_bundles *bundles, int64_t now,
                              struct x509_svid *out)
{
    if (!has_certificate_text(hop))
        return believe_hop(hop, bundles, out);
    enum reason reason = x509_svid_verify(hop->leaf, hop->chain, bundles, now, out);
    if (reason != REASON_NONE)
        return reason;
    uint8_t hash[SHA256_BYTES];
    if (view_is_present(hop->hash) &&
        (!hex_decode(hop->hash, hash, sizeof hash) || memcmp(hash, out->sha256, sizeof hash) != 0))
        return REASON_XFCC_MISMATCH;
    if (!view_is_empty(hop->uri) && !view_equals(hop->uri, out->id.text))
        return REASON_XFCC_MISMATCH;
    return REASON_NONE;
}

/* The rule's ID that is `id` and stood in no hop so far, or NULL; *seen has one
 * bit for each. */
static const struct view *find_proxy(const struct caller_proof_rule *rule, struct view id, uint32_t *seen)
{
    for (size_t i = 0; i < rule->by_count; i++) {
        if ((*seen >> i & 1) != 0 || !view_equals(rule->by[i], id))
            continue;
        *seen |= 1u << i;
        return &rule->by[i];
    }
    return NULL;
}

/* The caller is one for as long as every hop is, and while none of them is revoked. */
static enum reason rest_on(const struct x509_svid *hop, const struct view *id, struct x509_svid *caller)
{
    struct x509_svid_proxy *proxy = &caller->proxies[caller->proxy_count++];
    proxy->id = *id;
    memcpy(proxy->sha256, hop->sha256, sizeof proxy->sha256);
    memcpy(proxy->twin_sha256, hop->twin_sha256, sizeof proxy->twin_sha256);
    memcpy(proxy->spki_sha256, hop->spki_sha256, sizeof proxy->spki_sha256);
    proxy->serial = hop->serial;
    proxy->bundle_generation = hop->bundle_generation;
    caller->is_believed = caller->is_believed || hop->is_believed;
    caller->not_before = hop->not_before > caller->not_before ? hop->not_before : caller->not_before;
    caller->not_after = hop->not_after < caller->not_after ? hop->not_after : caller->not_after;
    for (size_t i = 0; i < hop->authority_count; i++)
        if (!x509_svid_add_authority(caller, &hop->authorities[i]))
            return REASON_INTERNAL;
    return REASON_NONE;
}

/* Hops 1 to the last: the proxies, left to right. *last is hop 0 at the end. */
static enum reason verify_proxies(const struct caller_proof_input *in, const struct caller_proof *proof,
                                  const struct trust_bundles *bundles, int64_t now, struct x509_svid *caller,
                                  struct x509_svid *last)
{
    uint32_t seen = 0;
    for (size_t i = 1; i < proof->count; i++) {
        enum reason reason = verify_hop(&proof->hops[i], bundles, now, last);
        if (reason != REASON_NONE)
            return reason;
        const struct view *id = find_proxy(in->rule, last->id.text, &seen);
        if (!id || !view_equals(proof->hops[i - 1].by, last->id.text))
            return REASON_XFCC_MISMATCH;
        reason = rest_on(last, id, caller);
        if (reason != REASON_NONE)
            return reason;
    }
    return REASON_NONE;
}

/* Hop 0 as XFCC has it is the certificate that Envoy itself names. */
static enum reason check_source(const struct caller_proof *proof, const struct x509_svid *last)
{
    if (!view_is_present(proof->source_certificate))
        return REASON_NONE;
    uint8_t hash[SHA256_BYTES];
    enum reason reason = x509_svid_fingerprint(proof->source_certificate, hash);
    if (reason != REASON_NONE)
        return reason;
    return memcmp(hash, last->sha256, sizeof hash) == 0 ? REASON_NONE : REASON_XFCC_MISMATCH;
}

enum reason caller_proof_verify(const struct caller_proof_input *in, const struct trust_bundles *bundles, int64_t now,
                                struct x509_svid *out)
{
    struct caller_proof proof;
    struct x509_svid last;
    memset(out, 0, sizeof *out);
    enum reason reason = caller_proof_select(in, &proof);
    if (reason == REASON_NONE)
        reason = verify_hop(&proof.hops[0], bundles, now, out);
    if (reason != REASON_NONE)
        return reason;
    x509_svid_copy(out, &last);
    reason = verify_proxies(in, &proof, bundles, now, out, &last);
    return reason == REASON_NONE ? check_source(&proof, &last) : reason;
}
