/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "revocation.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 7}\nentries:\n"
#define ALICE "spiffe://td/ns/a/sa/alice"
#define NOW INT64_C(1800000000)

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err build(struct view text, struct revocations **out)
{
    struct revocation_source source = {.file = VIEW("f.yaml"), .text = text};
    diag_list_init(&diags, &arena);
    return revocations_build(&source, 1, &diags, out);
}

static struct x509_svid svid_of(const char *id)
{
    static char text[SPIFFE_ID_MAX];
    struct x509_svid svid = {.sha256 = {0xab, 1}, .spki_sha256 = {0xcd, 2}};
    memcpy(text, id, strlen(id));
    assert_int_equal(spiffe_id_parse((struct view){.data = text, .size = strlen(id)}, &svid.id), ERR_NONE);
    return svid;
}

/* Whether the one list `text` refuses `id` at `now`. */
static bool refuses_at(struct view text, const char *id, int64_t now)
{
    struct revocations *revocations;
    struct x509_svid svid = svid_of(id);
    assert_int_equal(build(text, &revocations), ERR_NONE);
    bool is_refused = revocations_has_caller(revocations, &svid, now);
    revocations_free(revocations);
    return is_refused;
}

static bool refuses(struct view text, const char *id)
{
    return refuses_at(text, id, NOW);
}

static bool refuses_token(struct view text, struct revocation_token token)
{
    struct revocations *revocations;
    assert_int_equal(build(text, &revocations), ERR_NONE);
    bool is_refused = revocations_has_token(revocations, &token, NOW);
    revocations_free(revocations);
    return is_refused;
}

static void list_without_entries_refuses_nobody(void **state)
{
    (void)state;
    struct revocations *revocations;
    struct x509_svid svid = svid_of(ALICE);
    assert_int_equal(revocations_build(NULL, 0, &diags, &revocations), ERR_NONE);
    assert_false(revocations_has_caller(revocations, &svid, NOW));
    assert_false(
        revocations_has_token(revocations, &(struct revocation_token){.issuer = VIEW("i"), .subject = VIEW("s")}, NOW));
    assert_int_equal(revocations_sequence(revocations), 0);
    revocations_free(revocations);
    assert_false(refuses(VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\n"
                              "entries: []\n"),
                         ALICE));
}

static void exact_id_refuses_itself_alone(void **state)
{
    (void)state;
    struct view list = VIEW(HEAD "  - {spiffe: \"" ALICE "\", reason: stolen, author: ops}\n");
    assert_true(refuses(list, ALICE));
    assert_false(refuses(list, ALICE "/x"));
    assert_false(refuses(list, ALICE "2"));
    assert_false(refuses(list, "spiffe://td/ns/a/sa"));
    assert_false(refuses(list, "spiffe://te/ns/a/sa/alice"));
}

static void prefix_refuses_whole_segments(void **state)
{
    (void)state;
    struct view list = VIEW(HEAD "  - {spiffePrefix: \"spiffe://td/ns/a\"}\n");
    assert_true(refuses(list, ALICE));
    assert_true(refuses(list, "spiffe://td/ns/a"));
    assert_false(refuses(list, "spiffe://td/ns/ab/sa/x"));
    assert_false(refuses(list, "spiffe://td/ns"));
    struct view domain = VIEW(HEAD "  - {spiffePrefix: \"spiffe://td\"}\n");
    assert_true(refuses(domain, ALICE));
    assert_false(refuses(domain, "spiffe://td.example/ns/a"));
}

static void hashes_refuse_certificate_or_key(void **state)
{
    (void)state;
    assert_true(refuses(
        VIEW(HEAD "  - {certificateSha256: \"AB01000000000000000000000000000000000000000000000000000000000000\"}\n"),
        ALICE));
    assert_true(refuses(
        VIEW(HEAD "  - {spkiSha256: \"cd02000000000000000000000000000000000000000000000000000000000000\"}\n"), ALICE));
    assert_false(refuses(
        VIEW(HEAD "  - {spkiSha256: \"ab01000000000000000000000000000000000000000000000000000000000000\"}\n"), ALICE));
}

static void caller_behind_a_refused_proxy_is_refused(void **state)
{
    (void)state;
    const struct view lists[] = {
        VIEW(HEAD "  - {spiffe: \"spiffe://td/edge/front\"}\n"),
        VIEW(HEAD "  - {spiffePrefix: \"spiffe://td/edge\"}\n"),
        VIEW(HEAD "  - {certificateSha256: \"ee03000000000000000000000000000000000000000000000000000000000000\"}\n"),
        VIEW(HEAD "  - {spkiSha256: \"ff04000000000000000000000000000000000000000000000000000000000000\"}\n"),
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct revocations *revocations;
        struct x509_svid svid = svid_of(ALICE);
        assert_int_equal(build(lists[i], &revocations), ERR_NONE);
        assert_false(revocations_has_caller(revocations, &svid, NOW));
        svid.proxies[0] = (struct x509_svid_proxy){.id = VIEW("spiffe://td/other")};
        svid.proxies[1] = (struct x509_svid_proxy){
            .id = VIEW("spiffe://td/edge/front"), .sha256 = {0xee, 3}, .spki_sha256 = {0xff, 4}};
        svid.proxy_count = 1;
        assert_false(revocations_has_caller(revocations, &svid, NOW));
        svid.proxy_count = 2;
        assert_true(revocations_has_caller(revocations, &svid, NOW));
        revocations_free(revocations);
    }
}

static void entry_ends_when_it_expires(void **state)
{
    (void)state;
    struct view list = VIEW(HEAD "  - {spiffe: \"" ALICE "\", expires: \"2027-01-15T08:00:01Z\"}\n"); /* NOW + 1 */
    assert_true(refuses_at(list, ALICE, NOW));
    assert_false(refuses_at(list, ALICE, NOW + 1));
    struct view over = VIEW(HEAD "  - {spiffe: \"" ALICE "\", expires: \"2027-01-15T08:00:00Z\"}\n");
    assert_false(refuses_at(over, ALICE, NOW));
    assert_true(refuses_at(over, ALICE, NOW - 1)); /* by a clock that was set back since */
    /* A second entry for the same caller that lasts longer still holds. */
    struct view two = VIEW(HEAD "  - {spiffe: \"" ALICE "\", expires: \"2027-01-15T08:00:01Z\"}\n"
                                "  - {spiffe: \"" ALICE "\"}\n");
    assert_true(refuses_at(two, ALICE, NOW + 100));
}

static void user_is_refused_by_issuer_and_subject(void **state)
{
    (void)state;
    struct view list = VIEW(HEAD "  - {user: {issuer: \"https://a\", subject: alice}}\n");
    const struct revocation_token alice = {.issuer = VIEW("https://a"), .subject = VIEW("alice"), .issued_at = NOW};
    const struct revocation_token elsewhere = {.issuer = VIEW("https://b"), .subject = VIEW("alice")};
    const struct revocation_token shifted = {.issuer = VIEW("alice"), .subject = VIEW("https://a")};
    const struct revocation_token as_id = {.issuer = VIEW("https://a"), .subject = VIEW("bob"), .id = VIEW("alice")};
    assert_true(refuses_token(list, alice));
    assert_false(refuses_token(list, elsewhere));
    assert_false(refuses_token(list, shifted));
    assert_false(refuses_token(list, as_id));
}

static void user_issued_before_spares_newer_tokens(void **state)
{
    (void)state;
    struct view list =
        VIEW(HEAD "  - {user: {issuer: \"https://a\", subject: alice, issuedBefore: \"2027-01-15T08:00:00Z\"}}\n");
    struct revocation_token token = {.issuer = VIEW("https://a"), .subject = VIEW("alice"), .issued_at = NOW - 1};
    assert_true(refuses_token(list, token));
    token.issued_at = NOW;
    assert_false(refuses_token(list, token));
    token.issued_at = 0; /* does not say: cannot prove to be newer */
    assert_true(refuses_token(list, token));
}

static void token_is_refused_by_issuer_and_id(void **state)
{
    (void)state;
    struct view list = VIEW(HEAD "  - {token: {issuer: \"https://a\", id: \"onrtac:1\"}}\n");
    const struct revocation_token same = {.issuer = VIEW("https://a"), .subject = VIEW("x"), .id = VIEW("onrtac:1")};
    const struct revocation_token other = {.issuer = VIEW("https://a"), .subject = VIEW("x"), .id = VIEW("onrtac:2")};
    const struct revocation_token without = {.issuer = VIEW("https://a"), .subject = VIEW("onrtac:1")};
    assert_true(refuses_token(list, same));
    assert_false(refuses_token(list, other));
    assert_false(refuses_token(list, without));
}

static void lists_that_cannot_be_read_whole_are_refused_whole(void **state)
{
    (void)state;
    const struct view bad[] = {
        VIEW(""),
        VIEW("entries: []\n"),
        VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: Policy\nmetadata: {sequence: 1}\n"),
        VIEW("apiVersion: bartizan.dev/v2\nkind: RevocationList\nmetadata: {sequence: 1}\n"),
        VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\n"),
        VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: -1}\n"),
        VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: x}\n"),
        VIEW(HEAD "  - {}\n"),
        VIEW(HEAD "  - {spiffe: \"" ALICE "\"}\n  - {spiffe: \"not an id\"}\n"),
        VIEW(HEAD "  - {spiffe: \"spiffe://td\"}\n"),
        VIEW(HEAD "  - {spiffePrefix: \"spiffe://td/\"}\n"),
        VIEW(HEAD "  - {spife: \"" ALICE "\"}\n"),
        VIEW(HEAD "  - {spiffe: \"" ALICE "\", spiffePrefix: \"spiffe://td\"}\n"),
        VIEW(HEAD "  - {spiffe: [\"" ALICE "\"]}\n"),
        VIEW(HEAD "  - {spiffe: \"" ALICE "\", expires: tomorrow}\n"),
        VIEW(HEAD "  - {spkiSha256: \"abcd\"}\n"),
        VIEW(HEAD "  - {user: {issuer: \"https://a\"}}\n"),
        VIEW(HEAD "  - {user: {issuer: \"https://a\", subject: a, id: b}}\n"),
        VIEW(HEAD "  - {token: {issuer: \"https://a\", id: \"\"}}\n"),
        VIEW(HEAD "  - {token: \"x\"}\n"),
        VIEW(HEAD "  - text\n"),
        VIEW(HEAD "  a: b\n"),
        VIEW(HEAD "  - {spiffe: \"" ALICE "\"}\n---\n" HEAD "  - {spiffe: \"" ALICE "\"}\n"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct revocations *revocations;
        assert_int_equal(build(bad[i], &revocations), ERR_INVALID);
        assert_true(diags.errors > 0);
    }
    struct revocations *revocations;
    assert_int_equal(build(VIEW(HEAD "  - {spife: \"" ALICE "\"}\n"), &revocations), ERR_INVALID);
    assert_true(view_equals(diags.items[0].hint, VIEW("did you mean `spiffe`?")));
}

static void lists_join_and_the_highest_sequence_counts(void **state)
{
    (void)state;
    const struct revocation_source sources[] = {
        {.file = VIEW("a"), .text = VIEW(HEAD "  - {spiffe: \"" ALICE "\"}\n")},
        {.file = VIEW("b"),
         .text = VIEW("apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 12}\n"
                      "entries: [{spiffe: \"spiffe://td/bob\"}]\n")},
        {.file = VIEW("c"), .text = VIEW("nonsense")},
    };
    struct revocations *both, *one;
    struct x509_svid bob = svid_of("spiffe://td/bob");
    diag_list_init(&diags, &arena);
    assert_int_equal(revocations_build(sources, 2, &diags, &both), ERR_NONE);
    assert_int_equal(revocations_count(both), 2);
    assert_int_equal(revocations_sequence(both), 12);
    assert_true(revocations_has_caller(both, &bob, NOW));
    assert_int_equal(revocations_build(sources, 1, &diags, &one), ERR_NONE);
    assert_int_equal(revocations_digest(one).size, 64);
    assert_false(view_equals(revocations_digest(both), revocations_digest(one)));
    revocations_free(both);
    revocations_free(one);
    assert_int_equal(revocations_build(sources, 3, &diags, &both), ERR_INVALID);
}

static void thousands_of_entries_are_each_found(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs(HEAD, out);
    for (int i = 0; i < 5000; i++)
        fprintf(out, "  - {spiffe: \"spiffe://td/w/%d\"}\n", i);
    fclose(out);
    struct revocations *revocations;
    struct arena large;
    arena_init(&large, 64 * 1024 * 1024);
    assert_int_equal(build((struct view){.data = text, .size = size}, &revocations), ERR_NONE);
    for (int i = 0; i < 5100; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "spiffe://td/w/%d", i);
        struct x509_svid svid = svid_of(id);
        assert_true(revocations_has_caller(revocations, &svid, NOW) == (i < 5000));
    }
    arena_free(&large);
    revocations_free(revocations);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_without_entries_refuses_nobody),
        cmocka_unit_test(exact_id_refuses_itself_alone),
        cmocka_unit_test(prefix_refuses_whole_segments),
        cmocka_unit_test(hashes_refuse_certificate_or_key),
        cmocka_unit_test(caller_behind_a_refused_proxy_is_refused),
        cmocka_unit_test(entry_ends_when_it_expires),
        cmocka_unit_test(user_is_refused_by_issuer_and_subject),
        cmocka_unit_test(user_issued_before_spares_newer_tokens),
        cmocka_unit_test(token_is_refused_by_issuer_and_id),
        cmocka_unit_test(lists_that_cannot_be_read_whole_are_refused_whole),
        cmocka_unit_test(lists_join_and_the_highest_sequence_counts),
        cmocka_unit_test(thousands_of_entries_are_each_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
