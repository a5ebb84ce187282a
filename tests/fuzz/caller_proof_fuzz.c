/* SPDX-License-Identifier: Apache-2.0 */
#include "caller_proof.h"
#include "test_bundles.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRONT "spiffe://prod.example/ns/edge/sa/front"
static const struct view by_front[] = {{.data = FRONT, .size = sizeof FRONT - 1}};

/* The ways of reading the header, by the input's first byte. */
static const struct caller_proof_rule rules[] = {
    {.uses_xfcc = true},
    {.uses_xfcc = true, .hops = 1, .by = by_front, .by_count = 1},
    {.uses_xfcc = true, .believes_text = true},
    {.uses_xfcc = true, .believes_text = true, .believes_without_hash = true},
    {.uses_xfcc = true, .believes_text = true, .hops = 1, .by = by_front, .by_count = 1},
    {.uses_certificate = true, .uses_xfcc = true, .hops = 1, .by = by_front, .by_count = 1},
    {.uses_certificate = true},
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Its private key was never kept: whoever is proved here is proved by text alone. */
static const struct trust_bundles *bundles_of_nobody(void)
{
    static struct trust_bundles *bundles;
    if (!bundles) {
        struct test_cert authority = test_ca_root(NULL);
        bundles = test_bundles_one("prod.example", &authority);
        test_cert_free(&authority);
    }
    return bundles;
}

/* Exactly N + 1 elements are taken, none twofold, and one without a certificate only
 * where the rule says so and it is as Envoy writes it. */
static void check_selection(const struct caller_proof_input *in, const struct caller_proof *proof)
{
    const struct caller_proof_rule *rule = in->rule;
    struct xfcc xfcc;
    must(xfcc_parse(in->xfcc, &xfcc) == REASON_NONE);
    must(proof->count == (size_t)rule->hops + 1 && xfcc.count == proof->count);
    for (size_t i = 0; i < proof->count; i++) {
        const struct xfcc_element *element = &xfcc.elements[i];
        bool has_own = view_is_present(element->cert) || view_is_present(element->chain);
        bool has_any = has_own || (i + 1 == proof->count && !view_is_empty(in->source_certificate));
        must(element->uri_count <= 1 && (rule->hops == 0 || element->by_count == 1));
        must(view_is_present(element->hash) || (rule->believes_without_hash && !has_own));
        must(has_any || (rule->believes_text && element->is_as_written && element->uri_count == 1));
    }
}

/* Who is believed has the SPIFFE ID of a workload of a known domain, byte for byte the leftmost URI. */
static void check_belief(const struct caller_proof_input *in)
{
    struct x509_svid caller;
    struct xfcc xfcc;
    if (caller_proof_verify(in, bundles_of_nobody(), TEST_NOW, &caller) != REASON_NONE)
        return;
    must(caller.is_believed && in->rule->believes_text && xfcc_parse(in->xfcc, &xfcc) == REASON_NONE);
    must(view_equals(caller.id.text, xfcc.elements[0].uri));
    must(view_equals(caller.id.trust_domain, VIEW("prod.example")) && !view_is_empty(caller.id.path));
}

/* A byte for the rule, the certificate up to the first NUL, the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct view rest = {.data = (const char *)data + 1, .size = size - 1};
    size_t end = view_index_of(rest, '\0', 0);
    struct caller_proof_input in = {.rule = &rules[data[0] % (sizeof rules / sizeof rules[0])],
                                    .source_certificate = view_slice(rest, 0, end)};
    if (end < rest.size)
        in.xfcc = view_slice(rest, end + 1, rest.size);
    struct caller_proof proof;
    enum reason presence = caller_proof_presence(&in), selected = caller_proof_select(&in, &proof);
    must(presence == REASON_NONE ? selected != REASON_CERTIFICATE_NONE : selected == presence);
    if (selected != REASON_NONE)
        return 0;
    if (in.rule->uses_xfcc && view_is_present(in.xfcc))
        check_selection(&in, &proof);
    check_belief(&in);
    return 0;
}
