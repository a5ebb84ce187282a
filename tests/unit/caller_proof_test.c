/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "caller_proof.h"
#include "test_bundles.h"

#include <stdio.h>
#include <stdlib.h>

#define WEB "spiffe://prod.example/ns/web/sa/web"
#define FRONT "spiffe://prod.example/ns/edge/sa/front"
#define MIDDLE "spiffe://partner.example/ns/edge/sa/middle"
#define BACK "spiffe://prod.example/ns/ml/sa/back"
#define BOSS "spiffe://prod.example/ns/admin/sa/boss"

/* One XFCC element about a certificate. Zero means what Envoy would write. */
struct element {
    const struct test_cert *cert;
    const char *by;
    const char *hash;  /* instead of the certificate's */
    const char *uri;   /* instead of nothing */
    const char *extra; /* more pairs, written raw */
    bool has_no_cert;
    bool has_chain; /* Chain instead of Cert */
};

static struct test_cert root, partner_root, web, front, middle, boss;
static struct trust_bundles *bundles;
static char text[65536];
static size_t text_size;

static int set_up(void **state)
{
    (void)state;
    root = test_ca_root(NULL);
    partner_root = test_ca_root(NULL);
    web = test_ca_svid(&root, WEB);
    boss = test_ca_svid(&root, BOSS);
    front = test_ca_leaf(&root, &(struct test_cert_options){.uri = FRONT, .not_after = TEST_NOW + 60});
    middle = test_ca_svid(&partner_root, MIDDLE);
    const struct test_bundle both[] = {
        {.trust_domain = "prod.example", .authorities = {&root}, .generation = 1},
        {.trust_domain = "partner.example", .authorities = {&partner_root}, .generation = 1},
    };
    bundles = test_bundles(both, 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct test_cert *all[] = {&root, &partner_root, &web, &boss, &front, &middle};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        test_cert_free(all[i]);
    trust_bundles_free(bundles);
    return 0;
}

static void append(const char *head, const char *value, const char *tail)
{
    text_size += (size_t)snprintf(text + text_size, sizeof text - text_size, "%s%s%s", head, value, tail);
    assert_true(text_size < sizeof text);
}

static void append_element(const struct element *element)
{
    char *hash = test_cert_hash(element->cert), *pem = test_cert_urlencoded_one(element->cert);
    append(text_size ? ",Hash=" : "Hash=", element->hash ? element->hash : hash, "");
    if (element->by)
        append(";By=", element->by, "");
    if (!element->has_no_cert)
        append(element->has_chain ? ";Chain=\"" : ";Cert=\"", pem, "\"");
    if (element->uri)
        append(";URI=", element->uri, "");
    if (element->extra)
        append("", element->extra, "");
    free(hash);
    free(pem);
}

static struct view xfcc_of(const struct element *elements, size_t count)
{
    text_size = 0;
    for (size_t i = 0; i < count; i++)
        append_element(&elements[i]);
    return (struct view){.data = text, .size = text_size};
}

static const struct view by_front[] = {{.data = FRONT, .size = sizeof FRONT - 1}};
static const struct view by_both[] = {{.data = MIDDLE, .size = sizeof MIDDLE - 1},
                                      {.data = FRONT, .size = sizeof FRONT - 1}};
static const struct caller_proof_rule only_certificate = {.uses_certificate = true};
static const struct caller_proof_rule only_xfcc = {.uses_xfcc = true};
static const struct caller_proof_rule both_direct = {.uses_certificate = true, .uses_xfcc = true};
static const struct caller_proof_rule one_hop = {.uses_xfcc = true, .hops = 1, .by = by_front, .by_count = 1};
static const struct caller_proof_rule one_hop_both = {
    .uses_certificate = true, .uses_xfcc = true, .hops = 1, .by = by_front, .by_count = 1};
static const struct caller_proof_rule two_hops = {.uses_xfcc = true, .hops = 2, .by = by_both, .by_count = 2};

static const struct caller_proof_rule text_direct = {.uses_xfcc = true, .believes_text = true};
static const struct caller_proof_rule text_waypoint = {
    .uses_xfcc = true, .believes_text = true, .believes_without_hash = true};
static const struct caller_proof_rule text_one_hop = {
    .uses_xfcc = true, .believes_text = true, .hops = 1, .by = by_front, .by_count = 1};

static struct x509_svid caller;

/* `certificate` NULL: none. */
static enum reason verify(const struct caller_proof_rule *rule, const struct test_cert *certificate, struct view xfcc)
{
    char *pem = certificate ? test_cert_urlencoded_one(certificate) : NULL;
    struct caller_proof_input in = {.rule = rule, .source_certificate = view_of(pem), .xfcc = xfcc};
    enum reason reason = caller_proof_verify(&in, bundles, TEST_NOW, &caller);
    /* What presence says in advance is what is found in the end. */
    if (caller_proof_presence(&in) != REASON_NONE)
        assert_int_equal(caller_proof_presence(&in), reason);
    else
        assert_int_not_equal(reason, REASON_CERTIFICATE_NONE);
    free(pem);
    return reason;
}

static void assert_caller(const char *id)
{
    assert_true(view_equals(caller.id.text, view_of(id)));
}

static const struct view none = {0};

static void proof_by_certificate_ignores_xfcc_altogether(void **state)
{
    (void)state;
    assert_int_equal(verify(&only_certificate, &web, none), REASON_NONE);
    assert_caller(WEB);
    assert_int_equal(verify(&only_certificate, &web, VIEW("URI=" BOSS)), REASON_NONE);
    assert_int_equal(verify(&only_certificate, &web, VIEW("\"")), REASON_NONE);
    assert_caller(WEB);
}

static void proof_sources_never_stand_in_for_one_another(void **state)
{
    (void)state;
    const struct element element = {.cert = &web};
    assert_int_equal(verify(&only_certificate, NULL, none), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&only_certificate, NULL, xfcc_of(&element, 1)), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&only_xfcc, &web, none), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&both_direct, NULL, xfcc_of(&element, 1)), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&one_hop_both, NULL, xfcc_of(&element, 1)), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&(struct caller_proof_rule){0}, &web, xfcc_of(&element, 1)), REASON_CERTIFICATE_NONE);
    assert_int_equal(verify(&both_direct, &web, none), REASON_NONE);
}

static void proof_by_xfcc_is_its_verified_certificate(void **state)
{
    (void)state;
    const struct element element = {.cert = &web, .by = BACK, .uri = WEB};
    const struct element chained = {.cert = &web, .has_chain = true};
    const struct element empty_uri = {.cert = &web, .uri = ""};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&element, 1)), REASON_NONE);
    assert_caller(WEB);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&chained, 1)), REASON_NONE);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&empty_uri, 1)), REASON_NONE);
    assert_caller(WEB);
}

static void proof_present_and_empty_xfcc_is_malformed_and_not_absent(void **state)
{
    (void)state;
    assert_int_equal(verify(&only_xfcc, NULL, VIEW("")), REASON_XFCC_MALFORMED);
    assert_int_equal(verify(&both_direct, &web, VIEW("")), REASON_XFCC_MALFORMED);
}

static void proof_text_without_a_certificate_proves_nothing(void **state)
{
    (void)state;
    const struct element element = {.cert = &web, .has_no_cert = true, .uri = WEB};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&element, 1)), REASON_XFCC_HOPS);
    assert_int_equal(verify(&both_direct, &web, xfcc_of(&element, 1)), REASON_NONE);
    assert_int_equal(verify(&both_direct, &boss, xfcc_of(&element, 1)), REASON_XFCC_MISMATCH);
}

static void proof_hash_is_that_of_the_certificate(void **state)
{
    (void)state;
    char *hash = test_cert_hash(&boss), *own = test_cert_hash(&web);
    for (char *c = own; *c; c++)
        *c = *c >= 'a' ? (char)(*c - 32) : *c;
    const struct element wrong = {.cert = &web, .hash = hash}, upper = {.cert = &web, .hash = own};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&wrong, 1)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&upper, 1)), REASON_NONE);
    free(hash);
    free(own);
}

static void proof_uri_contradicting_the_certificate_is_refused(void **state)
{
    (void)state;
    const struct element wrong = {.cert = &web, .uri = BOSS};
    const struct element twice = {.cert = &web, .uri = WEB, .extra = ";URI=" WEB};
    const struct element injected = {.cert = &web, .uri = WEB, .extra = ";DNS=a;URI=" BOSS};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&wrong, 1)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&twice, 1)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&injected, 1)), REASON_XFCC_MISMATCH);
}

static void proof_certificate_and_xfcc_agree_or_are_refused(void **state)
{
    (void)state;
    const struct element element = {.cert = &web};
    assert_int_equal(verify(&both_direct, &web, xfcc_of(&element, 1)), REASON_NONE);
    assert_int_equal(verify(&both_direct, &boss, xfcc_of(&element, 1)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&only_xfcc, &web, xfcc_of(&element, 1)), REASON_NONE);
    assert_int_equal(verify(&only_xfcc, &boss, xfcc_of(&element, 1)), REASON_XFCC_MISMATCH);
}

static void proof_behind_one_proxy_is_the_left_of_exactly_two(void **state)
{
    (void)state;
    const struct element good[] = {{.cert = &web, .by = FRONT}, {.cert = &front, .by = BACK}};
    const struct element more[] = {
        {.cert = &boss, .by = FRONT}, {.cert = &web, .by = FRONT}, {.cert = &front, .by = BACK}};
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(good, 2)), REASON_NONE);
    assert_caller(WEB);
    assert_int_equal(caller.not_after, TEST_NOW + 60);
    assert_int_equal(verify(&one_hop_both, &front, xfcc_of(good, 2)), REASON_NONE);
    assert_int_equal(verify(&one_hop_both, &web, xfcc_of(good, 2)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(more, 3)), REASON_XFCC_HOPS);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(&good[1], 1)), REASON_XFCC_HOPS);
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(good, 2)), REASON_XFCC_HOPS);
    assert_int_equal(verify(&one_hop_both, &front, none), REASON_XFCC_HOPS);
}

/* Seen on Envoy: a SAN of the caller's own certificate writes elements on the right. */
static void proof_written_by_a_san_is_refused(void **state)
{
    (void)state;
    char *hash = test_cert_hash(&boss), *pem = test_cert_urlencoded_one(&boss);
    char extra[8192];
    (void)snprintf(extra, sizeof extra, ";DNS=a,Hash=%s;By=" FRONT ";Cert=\"%s\"", hash, pem);
    const struct element elements[] = {{.cert = &web, .by = FRONT, .extra = extra}, {.cert = &front, .by = BACK}};
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(elements, 2)), REASON_XFCC_HOPS);
    const struct element direct = {.cert = &web, .extra = extra};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&direct, 1)), REASON_XFCC_HOPS);
    /* Past the front: two elements, but no trusted proxy in the second. */
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(&direct, 1)), REASON_XFCC_MISMATCH);
    free(hash);
    free(pem);
}

static void proof_proxies_are_exactly_those_of_the_rule(void **state)
{
    (void)state;
    const struct element unknown[] = {{.cert = &web, .by = BOSS}, {.cert = &boss, .by = BACK}};
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(unknown, 2)), REASON_XFCC_MISMATCH);
    const struct element two[] = {
        {.cert = &web, .by = FRONT}, {.cert = &front, .by = MIDDLE}, {.cert = &middle, .by = BACK}};
    const struct element other_way[] = {
        {.cert = &web, .by = MIDDLE}, {.cert = &middle, .by = FRONT}, {.cert = &front, .by = BACK}};
    const struct element same_twice[] = {
        {.cert = &web, .by = FRONT}, {.cert = &front, .by = FRONT}, {.cert = &front, .by = BACK}};
    assert_int_equal(verify(&two_hops, NULL, xfcc_of(two, 3)), REASON_NONE);
    assert_caller(WEB);
    assert_int_equal(caller.proxy_count, 2);
    assert_true(view_equals(caller.proxies[0].id, VIEW(FRONT)));
    assert_true(view_equals(caller.proxies[1].id, VIEW(MIDDLE)));
    assert_true(caller.proxies[1].id.data == by_both[0].data);
    assert_memory_not_equal(caller.proxies[0].sha256, caller.sha256, SHA256_BYTES);
    assert_memory_not_equal(caller.proxies[0].spki_sha256, caller.proxies[1].spki_sha256, SHA256_BYTES);
    assert_int_equal(verify(&two_hops, NULL, xfcc_of(other_way, 3)), REASON_NONE);
    assert_int_equal(verify(&two_hops, NULL, xfcc_of(same_twice, 3)), REASON_XFCC_MISMATCH);
}

static void proof_by_names_the_element_to_its_right_exactly_once(void **state)
{
    (void)state;
    const struct element absent[] = {{.cert = &web}, {.cert = &front, .by = BACK}};
    const struct element wrong[] = {{.cert = &web, .by = BACK}, {.cert = &front, .by = BACK}};
    const struct element twice[] = {{.cert = &web, .by = FRONT, .extra = ";By=" FRONT}, {.cert = &front, .by = BACK}};
    const struct element last[] = {{.cert = &web, .by = FRONT}, {.cert = &front}};
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(absent, 2)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(wrong, 2)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(twice, 2)), REASON_XFCC_MISMATCH);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(last, 2)), REASON_XFCC_MISMATCH);
}

static void proof_of_every_hop_is_verified(void **state)
{
    (void)state;
    struct test_cert forged = test_ca_leaf(NULL, &(struct test_cert_options){.uri = FRONT});
    struct test_cert old = test_ca_leaf(&root, &(struct test_cert_options){.uri = FRONT, .not_after = TEST_NOW});
    struct test_cert fake = test_ca_leaf(NULL, &(struct test_cert_options){.uri = WEB});
    const struct element by_forged[] = {{.cert = &web, .by = FRONT}, {.cert = &forged, .by = BACK}};
    const struct element by_old[] = {{.cert = &web, .by = FRONT}, {.cert = &old, .by = BACK}};
    const struct element of_fake[] = {{.cert = &fake, .by = FRONT}, {.cert = &front, .by = BACK}};
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(by_forged, 2)), REASON_CERTIFICATE_UNTRUSTED);
    assert_caller(WEB); /* for the record */
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(by_old, 2)), REASON_CERTIFICATE_EXPIRED);
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(of_fake, 2)), REASON_CERTIFICATE_UNTRUSTED);
    test_cert_free(&forged);
    test_cert_free(&old);
    test_cert_free(&fake);
}

static void proof_wants_one_hash_in_each_element(void **state)
{
    (void)state;
    const struct element good = {.cert = &web};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&good, 1)), REASON_NONE);
    struct view whole = xfcc_of(&good, 1);
    struct view cut = view_slice(whole, view_index_of(whole, ';', 0) + 1, whole.size);
    assert_int_equal(verify(&only_xfcc, NULL, cut), REASON_XFCC_MALFORMED);
    assert_int_equal(verify(&text_waypoint, NULL, cut), REASON_XFCC_MALFORMED);
}

static void proof_rule_that_contradicts_itself_refuses_everything(void **state)
{
    (void)state;
    const struct element good[] = {{.cert = &web, .by = FRONT}, {.cert = &front, .by = BACK}};
    const struct caller_proof_rule short_by = {.uses_xfcc = true, .hops = 1};
    assert_int_equal(verify(&short_by, NULL, xfcc_of(good, 2)), REASON_INTERNAL);
}

static void proof_key_holds_every_byte_the_verdict_rests_on(void **state)
{
    (void)state;
    struct caller_proof_input in = {.rule = &only_certificate, .source_certificate = VIEW("c"), .xfcc = VIEW("x")};
    struct svid_key key = caller_proof_key(&in);
    assert_true(view_equals(key.leaf, VIEW("c")));
    assert_false(view_is_present(key.chain));
    in.rule = &one_hop;
    key = caller_proof_key(&in);
    assert_true(view_equals(key.leaf, VIEW("c")));
    assert_true(view_equals(key.chain, VIEW("x")));
    in.source_certificate = VIEW("");
    key = caller_proof_key(&in);
    assert_false(view_is_present(key.leaf));
    in.xfcc = VIEW("");
    key = caller_proof_key(&in);
    assert_true(view_is_present(key.chain));
}

/* ---- xfcc-text ------------------------------------------------------------- */

#define ABC "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd"
#define IN_MESH ";Subject=\"\";URI=" /* as Istio's proxy goes on after Hash */
#define DIRECT "By=" BACK ";Hash=" ABC IN_MESH

static void assert_refused(const struct caller_proof_rule *rule, const char *text_, enum reason expected)
{
    assert_int_equal(verify(rule, NULL, view_of(text_)), expected);
}

static void believed_text_is_uri_and_hash_of_the_one_element(void **state)
{
    (void)state;
    assert_int_equal(verify(&text_direct, NULL, VIEW(DIRECT WEB)), REASON_NONE);
    assert_caller(WEB);
    assert_true(caller.is_believed);
    assert_true(view_equals(caller.id.trust_domain, VIEW("prod.example")));
    assert_int_equal(caller.sha256[0], 0xab);
    assert_int_equal(caller.sha256[31], 0xcd);
    assert_true(caller.not_before == INT64_MIN && caller.not_after == INT64_MAX);
    assert_int_equal(verify(&text_direct, NULL, VIEW(DIRECT WEB ";DNS=web.example;DNS=web")), REASON_NONE);
    /* Without the mode, the same text is nobody. */
    assert_refused(&only_xfcc, DIRECT WEB, REASON_XFCC_HOPS);
    assert_int_equal(verify(&text_direct, NULL, none), REASON_CERTIFICATE_NONE);
    assert_refused(&text_direct, "", REASON_XFCC_MALFORMED);
}

static void believed_text_is_a_spiffe_id_of_a_workload_of_a_known_domain(void **state)
{
    (void)state;
    assert_refused(&text_direct, DIRECT "spiffe://partner.example/a", REASON_NONE);
    assert_refused(&text_direct, DIRECT, REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "spiffe://prod.example", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "spiffe://Prod.example/a", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "SPIFFE://prod.example/a", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "spiffe://prod.example/a/../b", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "spiffe://prod.example/%61", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "https://prod.example/a", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "web.example", REASON_CERTIFICATE_SPIFFE_ID);
    assert_refused(&text_direct, DIRECT "spiffe://other.example/a", REASON_CERTIFICATE_DOMAIN);
    assert_true(view_equals(caller.id.text, VIEW("spiffe://other.example/a"))); /* for the record */
}

static void believed_text_wants_a_domain_that_has_authorities(void **state)
{
    (void)state;
    const struct trust_bundle_source states[] = {
        {.trust_domain = VIEW("prod.example")},
        {.trust_domain = VIEW("partner.example"), .text = VIEW("{\"spiffe_sequence\": 2, \"keys\": []}")}};
    struct trust_bundles *all = bundles;
    struct arena arena;
    struct diag_list diags;
    arena_init(&arena, 64 * 1024);
    diag_list_init(&diags, &arena);
    assert_int_equal(trust_bundles_build(states, 2, &diags, &bundles), ERR_NONE);
    arena_free(&arena);
    assert_refused(&text_direct, DIRECT WEB, REASON_KEYS_UNAVAILABLE);
    assert_refused(&text_direct, DIRECT "spiffe://partner.example/a", REASON_CERTIFICATE_UNTRUSTED);
    trust_bundles_free(bundles);
    bundles = all;
    assert_refused(&text_direct, DIRECT WEB, REASON_NONE);
}

/* Envoy writes SANs as they are: what a URI or DNS SAN adds is an element or a pair too many, or stands
 * where Envoy writes none. */
static void believed_text_that_a_san_has_written_is_refused(void **state)
{
    (void)state;
    assert_refused(&text_direct, DIRECT WEB ";URI=" BOSS, REASON_XFCC_MISMATCH);
    assert_refused(&text_direct, DIRECT ";DNS=a;URI=" BOSS, REASON_XFCC_MISMATCH);
    assert_refused(&text_direct, DIRECT WEB ",By=" BACK ";Hash=" ABC ";URI=" BOSS, REASON_XFCC_HOPS);
    assert_refused(&text_direct, "By=" BACK ";Hash=" ABC ";URI=" BOSS "," DIRECT WEB, REASON_XFCC_HOPS);
    assert_refused(&text_direct, DIRECT WEB ";Hash=" ABC, REASON_XFCC_MALFORMED);
    assert_refused(&text_direct, DIRECT WEB ";Role=admin", REASON_XFCC_MISMATCH);
    /* A certificate without URI SAN, where Envoy is not asked for URI: its DNS SAN is the only one to say one. */
    assert_refused(&text_direct, "By=" BACK ";Hash=" ABC ";DNS=a;URI=" BOSS, REASON_XFCC_MISMATCH);
    assert_refused(&text_direct, "By=" BACK ";Hash=" ABC ";Subject=\"CN=a\";DNS=spiffe://prod.example/a",
                   REASON_XFCC_HOPS);
}

static void believed_text_without_hash_is_a_waypoints_and_configured(void **state)
{
    (void)state;
    assert_refused(&text_direct, "By=" BACK ";URI=" WEB, REASON_XFCC_MALFORMED);
    assert_refused(&text_waypoint, "By=" BACK ";URI=" WEB, REASON_NONE);
    assert_true(caller.is_believed);
    assert_int_equal(caller.sha256[0], 0);
    assert_refused(&text_waypoint, "URI=" WEB, REASON_NONE);
    assert_refused(&text_waypoint, "URI=" WEB ";Cert=\"x\"", REASON_XFCC_MALFORMED);
    assert_refused(&text_waypoint, "URI=" WEB ",URI=" BOSS, REASON_XFCC_HOPS);
}

#define LEFT(by) "By=" by ";Hash=" ABC IN_MESH
static void believed_text_behind_a_proxy_has_its_element_and_names_it(void **state)
{
    (void)state;
    assert_refused(&text_one_hop, LEFT(FRONT) WEB "," DIRECT FRONT, REASON_NONE);
    assert_caller(WEB);
    assert_true(caller.is_believed);
    assert_int_equal(caller.proxy_count, 1);
    assert_true(view_equals(caller.proxies[0].id, VIEW(FRONT)));
    assert_int_equal(caller.proxies[0].sha256[0], 0xab);
    assert_refused(&text_one_hop, LEFT(FRONT) WEB "," DIRECT BOSS, REASON_XFCC_MISMATCH);
    assert_refused(&text_one_hop, LEFT(BACK) WEB "," DIRECT FRONT, REASON_XFCC_MISMATCH);
    assert_refused(&text_one_hop, DIRECT WEB, REASON_XFCC_HOPS);
    assert_refused(&text_one_hop, LEFT(FRONT) BOSS "," LEFT(FRONT) WEB "," DIRECT FRONT, REASON_XFCC_HOPS);
    /* Straight to the back, the caller's DNS SAN writes a proxy's element: By of its own gives it away. */
    assert_refused(&text_one_hop, DIRECT WEB ";DNS=a,By=" BACK ";Hash=" ABC ";URI=" FRONT, REASON_XFCC_MISMATCH);
    assert_refused(&text_one_hop, DIRECT WEB ";DNS=a;By=" FRONT ",By=" BACK ";Hash=" ABC ";URI=" FRONT,
                   REASON_XFCC_MISMATCH);
    /* The same of a back whose own certificate has no URI SAN, so that Envoy writes no By. */
    assert_refused(&text_one_hop, "Hash=" ABC ";URI=" WEB ";DNS=a;By=" FRONT ",By=" BACK ";Hash=" ABC ";URI=" FRONT,
                   REASON_XFCC_MISMATCH);
}

static void a_certificate_in_the_weaker_mode_is_verified_and_refuses_where_it_fails(void **state)
{
    (void)state;
    struct test_cert fake = test_ca_leaf(NULL, &(struct test_cert_options){.uri = WEB});
    const struct element good = {.cert = &web, .uri = WEB}, bad = {.cert = &fake, .uri = WEB};
    const struct element hearsay = {.cert = &web, .has_no_cert = true, .uri = WEB};
    const struct element other = {.cert = &boss, .has_no_cert = true, .uri = WEB};
    assert_int_equal(verify(&text_direct, NULL, xfcc_of(&good, 1)), REASON_NONE);
    assert_false(caller.is_believed);
    assert_int_equal(verify(&text_direct, NULL, xfcc_of(&bad, 1)), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify(&text_direct, &web, xfcc_of(&hearsay, 1)), REASON_NONE);
    assert_false(caller.is_believed);
    assert_int_equal(verify(&text_direct, &fake, xfcc_of(&hearsay, 1)), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(verify(&text_direct, &web, xfcc_of(&other, 1)), REASON_XFCC_MISMATCH);
    /* One hop without a certificate is enough for the whole to be believed only. */
    const struct element left = {.cert = &web, .by = FRONT};
    (void)xfcc_of(&left, 1);
    append(",", DIRECT FRONT, "");
    assert_int_equal(verify(&text_one_hop, NULL, (struct view){.data = text, .size = text_size}), REASON_NONE);
    assert_true(caller.is_believed);
    assert_true(caller.not_after < INT64_MAX);
    test_cert_free(&fake);
}

/* As Authorino's mtls evaluator takes it: a header with nobody behind it (ALWAYS_FORWARD_ONLY), or somebody else
 * (FORWARD_ONLY). */
static void proof_is_of_the_peer_that_envoy_saw_or_of_nobody(void **state)
{
    (void)state;
    const struct element direct = {.cert = &web}, hops[] = {{.cert = &web, .by = FRONT}, {.cert = &front, .by = BACK}};
    struct caller_proof_input in = {.rule = &only_xfcc, .xfcc = VIEW("x"), .peer = VIEW(WEB)};
    assert_int_equal(verify(&only_xfcc, NULL, xfcc_of(&direct, 1)), REASON_NONE);
    assert_true(caller_proof_is_of_peer(&in, &caller));
    in.peer = VIEW(BOSS);
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.peer = VIEW("");
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.peer = (struct view){0};
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.rule = &text_direct;
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.rule = &text_waypoint; /* a certificate is its peer's there too */
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.peer = VIEW(WEB);
    assert_true(caller_proof_is_of_peer(&in, &caller));
    in.peer = VIEW(BOSS); /* text is of whoever reached the waypoint */
    caller.is_believed = true;
    assert_true(caller_proof_is_of_peer(&in, &caller));
    in.rule = &only_certificate;
    assert_true(caller_proof_is_of_peer(&in, &caller));
    assert_int_equal(verify(&one_hop, NULL, xfcc_of(hops, 2)), REASON_NONE);
    in.rule = &one_hop;
    in.peer = VIEW(FRONT);
    assert_true(caller_proof_is_of_peer(&in, &caller));
    in.peer = VIEW(WEB);
    assert_false(caller_proof_is_of_peer(&in, &caller));
    in.rule = &one_hop_both; /* both sources, only a certificate came */
    in.xfcc = none;
    assert_true(caller_proof_is_of_peer(&in, &caller));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proof_by_certificate_ignores_xfcc_altogether),
        cmocka_unit_test(proof_sources_never_stand_in_for_one_another),
        cmocka_unit_test(proof_by_xfcc_is_its_verified_certificate),
        cmocka_unit_test(proof_present_and_empty_xfcc_is_malformed_and_not_absent),
        cmocka_unit_test(proof_text_without_a_certificate_proves_nothing),
        cmocka_unit_test(proof_hash_is_that_of_the_certificate),
        cmocka_unit_test(proof_uri_contradicting_the_certificate_is_refused),
        cmocka_unit_test(proof_certificate_and_xfcc_agree_or_are_refused),
        cmocka_unit_test(proof_behind_one_proxy_is_the_left_of_exactly_two),
        cmocka_unit_test(proof_written_by_a_san_is_refused),
        cmocka_unit_test(proof_proxies_are_exactly_those_of_the_rule),
        cmocka_unit_test(proof_by_names_the_element_to_its_right_exactly_once),
        cmocka_unit_test(proof_of_every_hop_is_verified),
        cmocka_unit_test(proof_wants_one_hash_in_each_element),
        cmocka_unit_test(proof_rule_that_contradicts_itself_refuses_everything),
        cmocka_unit_test(proof_is_of_the_peer_that_envoy_saw_or_of_nobody),
        cmocka_unit_test(proof_key_holds_every_byte_the_verdict_rests_on),
        cmocka_unit_test(believed_text_is_uri_and_hash_of_the_one_element),
        cmocka_unit_test(believed_text_is_a_spiffe_id_of_a_workload_of_a_known_domain),
        cmocka_unit_test(believed_text_wants_a_domain_that_has_authorities),
        cmocka_unit_test(believed_text_that_a_san_has_written_is_refused),
        cmocka_unit_test(believed_text_without_hash_is_a_waypoints_and_configured),
        cmocka_unit_test(believed_text_behind_a_proxy_has_its_element_and_names_it),
        cmocka_unit_test(a_certificate_in_the_weaker_mode_is_verified_and_refuses_where_it_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
