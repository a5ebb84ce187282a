/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "check.h"

#include "audit_event.h"
#include "ext_authz.pb-c.h"
#include "journal_reader.h"
#include "rfc3339.h"
#include "world.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef Envoy__Service__Auth__V3__CheckResponse reply_message; /* protobuf-c's own name is a typedef */

enum { HEADERS_MAX = 16 };

struct fixture {
    struct world world;
    struct snapshot *snapshot;
    struct metrics metrics;
    struct refusal_log refusals;
    struct shadow_log shadow;
    struct shadow_counts differences;
    char shadow_path[WORLD_PATH_MAX];
    struct journal_writer *journal;
    struct check_context *context;
    struct check_reply reply;
    struct check_clock clock;
    char *certificate, *bearer; /* of the console */
    struct check_request_pair headers[HEADERS_MAX];
    struct check_request_parts parts;
    struct view bytes;
    reply_message *answer;
};

static const uint8_t epoch[JOURNAL_EPOCH_BYTES] = {0xab, 0xcd, 0xef, 0x01, 2, 3, 4};

static void take_snapshot(struct fixture *f)
{
    struct arena arena;
    struct diag_list diags;
    struct snapshot *next = NULL;
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    assert_int_equal(snapshot_build(&f->world.config, NULL, f->snapshot, WORLD_NOW, &diags, &next), ERR_NONE);
    arena_free(&arena);
    snapshot_drop(f->snapshot);
    f->snapshot = next;
    if (f->context != NULL)
        assert_int_equal(check_context_replace(f->context, next), ERR_NONE);
}

static void open_journal(struct fixture *f)
{
    struct journal_config journal = {
        .path = f->world.journal, .segment_bytes = 1024 * 1024, .instance = VIEW("test-pod")};
    memcpy(journal.epoch, epoch, sizeof(epoch));
    assert_int_equal(journal_writer_open(&journal, &f->journal), ERR_NONE);
}

static void open_context(struct fixture *f)
{
    const struct check_context_config config = {.config = &f->world.config,
                                                .snapshot = f->snapshot,
                                                .epoch = epoch,
                                                .journal = f->journal,
                                                .metrics = &f->metrics,
                                                .refusals = &f->refusals,
                                                .shadow = &f->shadow,
                                                .hash_key = {.seed = {1, 2}}};
    assert_int_equal(check_context_open(&config, &f->context), ERR_NONE);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    refusal_log_init(&f->refusals);
    shadow_log_init(&f->shadow);
    take_snapshot(f);
    open_journal(f);
    open_context(f);
    f->clock.realtime_ns = WORLD_NOW * 1000000000;
    f->clock.boottime_ns = 5000000000;
    f->certificate = world_certificate(&f->world, WORLD_CONSOLE);
    f->bearer = world_bearer(&f->world, 60);
    f->headers[0] = (struct check_request_pair){.name = "x-request-id", .value = "r-1"};
    f->parts = (struct check_request_parts){.id = "1",
                                            .method = "POST",
                                            .path = "/v1/models/fraud-v3:predict?k=v",
                                            .host = "eu.models.example",
                                            .scheme = "http",
                                            .headers = f->headers,
                                            .header_count = 1,
                                            .certificate = f->certificate,
                                            .source_address = "10.1.2.3"};
    *state = f;
    return 0;
}

static void forget_reply(struct fixture *f)
{
    if (f->answer != NULL)
        envoy__service__auth__v3__check_response__free_unpacked(f->answer, NULL);
    free((void *)(uintptr_t)f->bytes.data);
    f->answer = NULL;
    f->bytes = (struct view){0};
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    forget_reply(f);
    check_context_close(f->context);
    if (f->journal != NULL)
        journal_writer_close(f->journal);
    snapshot_drop(f->snapshot);
    free(f->certificate);
    free(f->bearer);
    world_remove(&f->world);
    free(f);
    return 0;
}

static void add_header(struct fixture *f, const char *name, const char *value)
{
    f->headers[f->parts.header_count++] = (struct check_request_pair){.name = name, .value = value};
}

static void read_reply(struct fixture *f)
{
    assert_true(f->reply.size > 0); /* an empty answer is an allow */
    f->answer = envoy__service__auth__v3__check_response__unpack(NULL, f->reply.size, (uint8_t *)f->reply.bytes);
    assert_non_null(f->answer);
    assert_non_null(f->answer->status);
    if (f->answer->status->code != 0) {
        assert_non_null(f->answer->denied_response);
        assert_true(f->answer->denied_response->status->code >= 400);
    } else {
        assert_non_null(f->answer->ok_response);
    }
}

static struct check fresh_check(struct fixture *f)
{
    forget_reply(f);
    f->bytes = check_request_builder_build(&f->parts);
    return (struct check){
        .bytes = f->bytes, .asking_peer = VIEW("uid:1337"), .started_ns = f->clock.boottime_ns - 1000};
}

/* Asks; the HTTP status that the client would see, 200 for an allow. */
static int ask(struct fixture *f)
{
    struct check check = fresh_check(f);
    check_run(f->context, &check, &f->clock, &f->reply);
    assert_null(check.proof);
    read_reply(f);
    return f->answer->status->code == 0 ? 200 : f->answer->denied_response->status->code;
}

/* The reason of the newest refusal. */
static enum reason refused_for(struct fixture *f)
{
    struct refusal recent[REFUSAL_LOG_ENTRIES];
    assert_true(refusal_log_read(&f->refusals, recent) > 0);
    return recent[0].reason;
}

#define assert_refused(f, status, reason)                                                                              \
    do {                                                                                                               \
        assert_int_equal(ask(f), status);                                                                              \
        assert_int_equal(refused_for(f), reason);                                                                      \
    } while (0)

static const char *denied_header(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->answer->denied_response->n_headers; i++)
        if (strcmp(f->answer->denied_response->headers[i]->header->key, name) == 0)
            return f->answer->denied_response->headers[i]->header->value;
    return NULL;
}

/* ---- decisions ----------------------------------------------------------- */

static void a_fresh_operator_at_the_console_is_allowed_and_named(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    bool is_named = false;
    for (size_t i = 0; i < f->answer->ok_response->n_headers; i++)
        if (strcmp(f->answer->ok_response->headers[i]->header->key, "x-caller") == 0)
            is_named = strcmp(f->answer->ok_response->headers[i]->header->value, "alice") == 0;
    assert_true(is_named);
}

static void a_stale_operator_is_challenged(void **state)
{
    struct fixture *f = *state;
    free(f->bearer);
    f->bearer = world_bearer(&f->world, 1200);
    add_header(f, "authorization", f->bearer);
    assert_refused(f, 401, REASON_ASSURANCE);
    assert_int_equal(f->answer->status->code, 16);
    assert_non_null(strstr(denied_header(f, "www-authenticate"), "insufficient_user_authentication"));
}

static void the_console_without_a_user_is_told_that_one_is_needed(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, 401, REASON_NO_USER);
}

static void nobody_is_refused_where_a_workload_is_needed(void **state)
{
    struct fixture *f = *state;
    f->parts.certificate = NULL;
    assert_int_equal(ask(f), 403);
}

static void nobody_is_allowed_where_the_rule_is_for_anybody(void **state)
{
    struct fixture *f = *state;
    f->parts.certificate = NULL;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
    assert_int_equal(ask(f), 200);
}

static void a_certificate_that_fails_is_refused_even_where_none_is_needed(void **state)
{
    struct fixture *f = *state;
    free(f->certificate);
    f->certificate = world_expired_certificate(&f->world, WORLD_CONSOLE);
    f->parts.certificate = f->certificate;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
    assert_refused(f, 403, REASON_CERTIFICATE_EXPIRED);
}

static void a_token_that_fails_is_refused_even_where_none_is_needed(void **state)
{
    struct fixture *f = *state;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
    add_header(f, "authorization", "Bearer e30.e30.AAAA");
    assert_int_equal(ask(f), 401);
    assert_non_null(strstr(denied_header(f, "www-authenticate"), "invalid_token"));
}

static void another_scheme_than_bearer_is_no_token(void **state)
{
    struct fixture *f = *state;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
    add_header(f, "authorization", "Basic YWxhZGRpbg==");
    assert_int_equal(ask(f), 200);
}

static void a_missing_key_set_is_neither_an_invalid_nor_an_absent_token(void **state)
{
    struct fixture *f = *state;
    f->world.issuer_config.is_owned_by_feed = true;
    assert_int_equal(remove(f->world.keys), 0);
    take_snapshot(f);
    add_header(f, "authorization", f->bearer);
    assert_refused(f, 503, REASON_KEYS_UNAVAILABLE);
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live"; /* rules without a user go on */
    assert_int_equal(ask(f), 200);
}

static void a_policy_past_its_time_denies_whatever_its_rules_say(void **state)
{
    struct fixture *f = *state;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
    f->snapshot->standing.good_until = WORLD_NOW + 1;
    assert_int_equal(ask(f), 200);
    f->snapshot->standing.good_until = WORLD_NOW;
    assert_refused(f, 503, REASON_POLICY_EXPIRED);
}

/* ---- bytes that are no request ------------------------------------------- */

static void garbage_is_denied_not_failed(void **state)
{
    struct fixture *f = *state;
    static const char *const garbage[] = {"\xff\xff\xff", "\x0a\x7f", "", "\x0a\x00"};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        struct check check = {.bytes = view_of(garbage[i])};
        forget_reply(f);
        check_run(f->context, &check, &f->clock, &f->reply);
        read_reply(f);
        assert_int_equal(f->answer->denied_response->status->code, 400);
    }
}

static void every_prefix_of_a_good_request_is_answered(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    struct view whole = check_request_builder_build(&f->parts);
    for (size_t size = 0; size < whole.size; size++) {
        struct check check = {.bytes = view_slice(whole, 0, size)};
        forget_reply(f);
        check_run(f->context, &check, &f->clock, &f->reply);
        read_reply(f);
        assert_int_not_equal(f->answer->status->code, 0);
    }
    free((void *)(uintptr_t)whole.data);
}

/* ---- headers ------------------------------------------------------------- */

static void a_second_authorization_refuses_the_request(void **state)
{
    struct fixture *f = *state;
    f->parts.is_header_map = true;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    add_header(f, "authorization", f->bearer);
    assert_refused(f, 400, REASON_REQUEST_HEADER);
}

static void an_underscore_twin_of_a_header_we_set_refuses_the_request(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    add_header(f, "x_other", "fine");
    assert_int_equal(ask(f), 200);
    add_header(f, "x_caller", "mallory");
    assert_refused(f, 400, REASON_REQUEST_HEADER);
}

static void connection_may_not_name_a_header_we_rely_on(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    add_header(f, "connection", "upgrade, keep-alive");
    assert_int_equal(ask(f), 200);
    f->headers[f->parts.header_count - 1].value = "upgrade ,Authorization";
    assert_refused(f, 400, REASON_REQUEST_HEADER);
    f->headers[f->parts.header_count - 1].value = "x-caller";
    assert_refused(f, 400, REASON_REQUEST_HEADER);
}

static void hearsay_headers_change_no_decision(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    add_header(f, "x-forwarded-for", "1.2.3.4");
    add_header(f, "x-original-url", "/admin");
    add_header(f, "x-http-method-override", "DELETE");
    add_header(f, "x-envoy-internal", "true");
    add_header(f, "x-forwarded-client-cert", "Hash=00;URI=spiffe://prod.example/ns/evil/sa/x");
    add_header(f, "forwarded", "for=1.2.3.4");
    assert_int_equal(ask(f), 200);
}

/* ---- proofs, caches, revocation ------------------------------------------ */

static void what_was_verified_once_is_not_parked_again(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    struct check check = fresh_check(f);
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    check_work(&check);
    assert_int_equal(check_resume(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    check = fresh_check(f);
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    read_reply(f);
    assert_int_equal(f->answer->status->code, 0);
}

static uint64_t misses(const struct fixture *f)
{
    return metrics_get(&f->metrics, METRIC_CERTIFICATE_MISSES) + metrics_get(&f->metrics, METRIC_TOKEN_MISSES);
}

static void a_check_that_is_begun_again_is_no_second_miss(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    struct check check = fresh_check(f);
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    assert_int_equal(misses(f), 2);
    check_drop(f->context, &check);
    check.is_again = true;
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    assert_int_equal(misses(f), 2);
    check_work(&check);
    assert_int_equal(check_resume(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    check = fresh_check(f);
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    assert_int_equal(misses(f), 2);
}

static void a_parked_check_whose_bundle_was_replaced_is_proved_again(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    struct check check = fresh_check(f);
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    check_work(&check); /* good under the old bundle */
    world_replace_authority(&f->world);
    take_snapshot(f);
    assert_int_equal(check_resume(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    check_work(&check);
    assert_int_equal(check_resume(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    read_reply(f);
    assert_int_equal(refused_for(f), REASON_CERTIFICATE_UNTRUSTED);
}

static void files_that_change_for_ever_end_in_a_refusal(void **state)
{
    struct fixture *f = *state;
    struct check check = fresh_check(f);
    enum check_step step = check_begin(f->context, &check, &f->clock, &f->reply);
    int rounds = 0;
    for (; step == CHECK_PARKED && rounds < 100; rounds++) {
        check_work(&check);
        world_replace_authority(&f->world);
        take_snapshot(f);
        step = check_resume(f->context, &check, &f->clock, &f->reply);
    }
    assert_int_equal(step, CHECK_ANSWERED);
    assert_true(rounds > 1);
    assert_int_equal(refused_for(f), REASON_OVERLOAD);
}

static void a_revoked_caller_is_refused_from_the_next_check_on(void **state)
{
    struct fixture *f = *state;
    char path[WORLD_PATH_MAX + 16];
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    (void)snprintf(path, sizeof(path), "%s/list.yaml", f->world.revocations);
    world_write(path, "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries:\n"
                      "  - {spiffe: \"" WORLD_CONSOLE "\", reason: test, author: test, created: "
                      "\"2026-01-01T00:00:00Z\"}\n");
    take_snapshot(f);
    assert_refused(f, 403, REASON_CERTIFICATE_REVOKED);
}

/* What was said of what is kept holds under one generation, and while no clock is set back. `entry` has run out. */
static void is_asked_again_when_the_clock_is_set_back(struct fixture *f, const char *entry, int status,
                                                      enum reason reason)
{
    char list[256], expires[RFC3339_BYTES];
    add_header(f, "authorization", f->bearer);
    assert_true(rfc3339_write(f->clock.realtime_ns / 1000000000 - 10, expires));
    (void)snprintf(list, sizeof(list), "  - {%s, expires: \"%.*s\"}\n", entry, RFC3339_BYTES, expires);
    world_write_revocations(&f->world, "list.yaml", 1, list);
    take_snapshot(f);
    assert_int_equal(ask(f), 200);
    assert_int_equal(ask(f), 200);
    f->clock.realtime_ns -= INT64_C(11000000000);
    assert_refused(f, status, reason);
}

static void a_kept_caller_is_asked_about_again_when_the_clock_is_set_back(void **state)
{
    is_asked_again_when_the_clock_is_set_back(*state, "spiffe: \"" WORLD_CONSOLE "\"", 403, REASON_CERTIFICATE_REVOKED);
}

static void a_kept_token_is_asked_about_again_when_the_clock_is_set_back(void **state)
{
    is_asked_again_when_the_clock_is_set_back(*state, "token: {issuer: \"https://sso.example\", id: j-1}", 401,
                                              REASON_TOKEN_REVOKED);
}

static void a_revoked_authority_refuses_a_caller_that_is_kept(void **state)
{
    struct fixture *f = *state;
    char path[WORLD_PATH_MAX + 32], list[512], hex[2 * SHA256_BYTES + 1] = {0};
    uint8_t digest[SHA256_BYTES];
    unsigned char *der = NULL;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    FILE *bundle = fopen(f->world.bundle, "r");
    assert_non_null(bundle);
    X509 *authority = PEM_read_X509(bundle, NULL, NULL, NULL);
    fclose(bundle);
    assert_non_null(authority);
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(authority), &der);
    X509_free(authority);
    assert_int_equal(sha256((struct view){(const char *)der, (size_t)size}, digest), ERR_NONE);
    OPENSSL_free(der);
    hex_encode(digest, sizeof(digest), hex);
    (void)snprintf(path, sizeof(path), "%s/list.revocations", f->world.revocations);
    (void)snprintf(list, sizeof(list), "bartizan-revocations v1\nsequence 1\nauthority\tspkiSha256:%s\nend\n", hex);
    world_write(path, list);
    take_snapshot(f);
    assert_refused(f, 403, REASON_CERTIFICATE_REVOKED);
}

static void a_revoked_token_is_refused_from_the_next_check_on(void **state)
{
    struct fixture *f = *state;
    char path[WORLD_PATH_MAX + 16];
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    (void)snprintf(path, sizeof(path), "%s/list.yaml", f->world.revocations);
    world_write(path, "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries:\n"
                      "  - {token: {issuer: \"https://sso.example\", id: j-1}, reason: test, author: test, created: "
                      "\"2026-01-01T00:00:00Z\"}\n");
    take_snapshot(f);
    assert_refused(f, 401, REASON_TOKEN_REVOKED);
}

static void a_token_bound_to_another_workload_is_refused(void **state)
{
    struct fixture *f = *state;
    free(f->certificate);
    f->certificate = world_certificate(&f->world, WORLD_WEB);
    f->parts.certificate = f->certificate;
    add_header(f, "authorization", f->bearer);
    assert_refused(f, 401, REASON_TOKEN_BINDING);
}

static void a_cached_token_ends_with_its_time(void **state)
{
    struct fixture *f = *state;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    f->clock.realtime_ns += INT64_C(700) * 1000000000; /* past exp and skew */
    assert_refused(f, 401, REASON_TOKEN_EXPIRED);
}

/* ---- answers without a verdict of the policy ------------------------------ */

static void a_refusal_needs_no_bytes(void **state)
{
    struct fixture *f = *state;
    struct check check = {0};
    check_refuse(f->context, &check, REASON_OVERLOAD, &f->clock, &f->reply);
    read_reply(f);
    assert_int_equal(f->answer->denied_response->status->code, 503);
    assert_non_null(denied_header(f, "retry-after"));
}

static void report_mode_allows_and_remembers_what_would_have_been(void **state)
{
    struct fixture *f = *state;
    f->world.config.policy.enforcement = REPORT;
    assert_int_equal(ask(f), 200);
    assert_int_equal(metrics_get(&f->metrics, METRIC_WOULD_DENY), 1);
    assert_int_equal(refused_for(f), REASON_NO_USER);
}

/* ---- the record ---------------------------------------------------------- */

static void every_answer_has_a_record_that_its_id_finds(void **state)
{
    struct fixture *f = *state;
    struct journal_reader *reader = NULL;
    struct journal_position position;
    struct audit_event event;
    struct view payload;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    f->parts.header_count = 1;
    assert_int_equal(ask(f), 401);
    const char *id = denied_header(f, "x-bartizan-decision");
    assert_non_null(id);
    assert_int_equal(journal_reader_open(f->world.journal, false, &reader), ERR_NONE);
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
    assert_int_equal(audit_event_parse(payload, &event), ERR_NONE);
    const struct audit_decision *d = &event.decision;
    assert_int_equal(event.kind, RECORD_DECISION);
    assert_int_equal(event.sequence, 0);
    assert_int_equal(d->verdict, VERDICT_ALLOW);
    assert_int_equal(d->enforced, VERDICT_ALLOW);
    assert_true(view_equals(d->rule, VIEW("inference-gateway/operators-high")));
    assert_true(view_equals(d->caller, VIEW(WORLD_CONSOLE)));
    assert_true(d->is_caller_verified && d->is_user_verified);
    assert_true(view_equals(d->user_subject, VIEW("alice")));
    assert_true(view_equals(d->resource_id, VIEW("fraud-v3")));
    assert_true(view_equals(d->path, VIEW("/v1/models/fraud-v3:predict"))); /* without the query */
    assert_true(view_equals(d->asking_peer, VIEW("uid:1337")));
    assert_true(view_equals(d->request_id, VIEW("r-1")));
    assert_int_equal(d->auth_age, 60);
    assert_int_equal(d->duration_ns, 1000);
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
    assert_int_equal(audit_event_parse(payload, &event), ERR_NONE);
    assert_int_equal(event.sequence, 1);
    assert_int_equal(event.decision.verdict, VERDICT_DENY);
    assert_true(view_equals(event.decision.decision_id, view_of(id)));
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NOT_FOUND);
    journal_reader_close(reader);
}

static void a_record_never_holds_the_token(void **state)
{
    struct fixture *f = *state;
    struct journal_reader *reader = NULL;
    struct journal_position position;
    struct view payload;
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    assert_int_equal(journal_reader_open(f->world.journal, false, &reader), ERR_NONE);
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
    const char *signature = strrchr(f->bearer, '.') + 1;
    assert_null(memmem(payload.data, payload.size, signature, strlen(signature)));
    assert_null(memmem(payload.data, payload.size, "k=v", 3));
    journal_reader_close(reader);
}

/* ---- the shadow ---------------------------------------------------------- */

/* The policy with `from` replaced by `to` (of the same length or shorter), as policy.shadow. */
static void write_shadow(struct fixture *f, const char *from, const char *to)
{
    char *text = world_read(f->world.policy), *at = strstr(text, from);
    assert_non_null(at);
    memset(at, ' ', strlen(from));
    memcpy(at, to, strlen(to));
    world_write(f->shadow_path, text);
    free(text);
}

/* Opens the context anew with a shadow. */
static void set_shadow(struct fixture *f, const char *from, const char *to)
{
    check_context_close(f->context);
    f->context = NULL;
    (void)snprintf(f->shadow_path, sizeof(f->shadow_path), "%.200s/shadow.yaml", f->world.folder);
    write_shadow(f, from, to);
    f->world.config.policy.shadow = f->shadow_path;
    snapshot_drop(f->snapshot);
    f->snapshot = NULL;
    take_snapshot(f);
    open_context(f);
}

static const struct shadow_counts *differences(struct fixture *f)
{
    shadow_log_read(&f->shadow, &f->differences);
    return &f->differences;
}

/* The newest record of the journal. */
static void last_record(struct fixture *f, char buffer[JOURNAL_RECORD_MAX], struct audit_event *event)
{
    struct journal_reader *reader = NULL;
    struct journal_position position;
    struct view payload, last = {0};
    assert_int_equal(journal_reader_open(f->world.journal, false, &reader), ERR_NONE);
    while (journal_reader_next(reader, &position, &payload) == ERR_NONE) {
        memcpy(buffer, payload.data, payload.size);
        last = (struct view){.data = buffer, .size = payload.size};
    }
    journal_reader_close(reader);
    assert_int_equal(audit_event_parse(last, event), ERR_NONE);
}

static void a_shadow_that_refuses_is_counted_and_recorded_and_refuses_nobody(void **state)
{
    struct fixture *f = *state;
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    set_shadow(f, "[incident, evaluation]", "[audit]");
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    assert_int_equal(differences(f)->checks, 1);
    assert_int_equal(differences(f)->differences, 1);
    assert_int_equal(differences(f)->pair_count, 1);
    const struct shadow_pair *pair = &f->differences.pairs[0];
    assert_int_equal(pair->from.verdict, VERDICT_ALLOW);
    assert_string_equal(pair->from.rule, "inference-gateway/operators-high");
    assert_int_equal(pair->to.verdict, VERDICT_DENY);
    assert_string_equal(pair->to.rule, "");
    assert_int_equal(pair->count, 1);
    assert_int_equal(pair->at, WORLD_NOW);
    last_record(f, buffer, &event);
    assert_int_equal(event.decision.verdict, VERDICT_ALLOW);
    assert_int_equal(event.decision.enforced, VERDICT_ALLOW);
    assert_true(event.decision.has_shadow);
    assert_int_equal(event.decision.shadow_verdict, VERDICT_DENY);
    assert_true(view_equals(event.decision.shadow_digest, policy_digest(f->snapshot->shadow)));
    assert_true(view_equals(event.decision.decision_id, view_of(pair->decision_id)));
}

static void a_shadow_that_allows_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    set_shadow(f, "fresh-5m: {factors: 2, maxAge: 5m,", "fresh-5m: {factors: 2, maxAge: 9h,");
    free(f->bearer);
    f->bearer = world_bearer(&f->world, 1200);
    add_header(f, "authorization", f->bearer);
    assert_refused(f, 401, REASON_ASSURANCE);
    assert_int_equal(differences(f)->pair_count, 1);
    assert_int_equal(f->differences.pairs[0].from.verdict, VERDICT_CHALLENGE);
    assert_int_equal(f->differences.pairs[0].to.verdict, VERDICT_ALLOW);
    assert_string_equal(f->differences.pairs[0].to.rule, "inference-gateway/operators-high");
    assert_string_equal(f->differences.pairs[0].decision_id, denied_header(f, "x-bartizan-decision"));
}

static void a_shadow_that_agrees_is_recorded_and_counts_no_difference(void **state)
{
    struct fixture *f = *state;
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    set_shadow(f, "frozen", "locked");
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    assert_int_equal(differences(f)->checks, 1);
    assert_int_equal(f->differences.differences, 0);
    last_record(f, buffer, &event);
    assert_true(event.decision.has_shadow);
    assert_true(view_equals(event.decision.shadow_rule, VIEW("inference-gateway/operators-high")));
}

static void without_a_shadow_no_record_speaks_of_one(void **state)
{
    struct fixture *f = *state;
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    assert_int_equal(ask(f), 401);
    last_record(f, buffer, &event);
    assert_false(event.decision.has_shadow);
    assert_int_equal(differences(f)->checks, 0);
}

static void counting_starts_over_when_the_shadow_changes(void **state)
{
    struct fixture *f = *state;
    set_shadow(f, "[incident, evaluation]", "[audit]");
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    take_snapshot(f); /* nothing changed */
    assert_int_equal(differences(f)->differences, 1);
    write_shadow(f, "[incident, evaluation]", "[incident]");
    take_snapshot(f);
    assert_int_equal(differences(f)->checks, 0);
    assert_int_equal(ask(f), 200);
    assert_int_equal(differences(f)->checks, 1);
    assert_int_equal(f->differences.differences, 0);
}

/* Allows whoever asks for health, with more in its headers than an answer holds. */
static void write_unanswerable(struct fixture *f)
{
    enum { HEADERS = 10, VALUE = 2000 };
    static char text[HEADERS * (VALUE + 64) + 1024];
    int size = snprintf(text, sizeof(text),
                        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n"
                        "  issuers: {sso: {url: \"https://sso.example\", audiences: [inference], profile: generic}}\n"
                        "  actions: {health: {uses: [kserve-v2.health]}}\n"
                        "  rules:\n    - allow: all\n      subjects: any\n      actions: [health]\n"
                        "      obligations: {requestHeaders: {set: {");
    for (int i = 0; i < HEADERS; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%sx-h%d: \"%0*d\"", i > 0 ? ", " : "", i, VALUE, i);
    (void)snprintf(text + size, sizeof(text) - (size_t)size, "}}}\n");
    world_write(f->world.policy, text);
    take_snapshot(f);
    f->parts.certificate = NULL;
    f->parts.method = "GET";
    f->parts.path = "/v2/health/live";
}

static void expect_static_denial(struct fixture *f)
{
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    assert_refused(f, 503, REASON_INTERNAL);
    last_record(f, buffer, &event);
    assert_int_equal(event.decision.verdict, VERDICT_DENY);
    assert_int_equal(event.decision.enforced, VERDICT_DENY);
    assert_int_equal(event.decision.http_status, 503);
    assert_int_equal(event.decision.reason, REASON_INTERNAL);
    assert_false(event.decision.is_report_only);
    assert_true(view_equals(event.decision.rule, VIEW("p/all")));
    assert_false(view_is_present(event.decision.obligations));
}

static void an_allow_that_cannot_be_said_is_recorded_as_the_denial_that_was_sent(void **state)
{
    struct fixture *f = *state;
    write_unanswerable(f);
    expect_static_denial(f);
    assert_int_equal(metrics_decisions(&f->metrics, VERDICT_ALLOW, REASON_RULE), 0);
    assert_int_equal(metrics_decisions(&f->metrics, VERDICT_DENY, REASON_INTERNAL), 1);
}

/* There the headers are not written, so that the answer can be. */
static void in_report_mode_the_record_says_allow_since_that_is_what_was_answered(void **state)
{
    struct fixture *f = *state;
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    f->world.config.policy.enforcement = REPORT;
    assert_int_equal(ask(f), 200); /* refused otherwise: no user */
    last_record(f, buffer, &event);
    assert_int_equal(event.decision.verdict, VERDICT_DENY);
    assert_int_equal(event.decision.enforced, VERDICT_ALLOW);
    write_unanswerable(f);
    expect_static_denial(f); /* an allow by rule carries them there too */
}

static void a_shadow_may_read_the_body_where_the_policy_does_not(void **state)
{
    struct fixture *f = *state;
    struct audit_event event;
    char buffer[JOURNAL_RECORD_MAX];
    static const char policy[] =
        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n"
        "  issuers: {sso: {url: \"https://sso.example\", audiences: [inference], profile: generic}}\n"
        "  actions: {chat: {http: [{methods: [POST], paths: [\"/v1/chat/completions\"]}]}}\n"
        "  rules: [{allow: all, subjects: any, actions: [chat]}]\n";
    set_shadow(f, "frozen", "locked");
    world_write(f->world.policy, policy);
    take_snapshot(f);
    assert_false(policy_reads_body(f->snapshot->policy));
    assert_true(policy_reads_body(f->snapshot->shadow));
    free(f->certificate);
    f->certificate = world_certificate(&f->world, WORLD_WEB);
    f->parts.certificate = f->certificate;
    f->parts.path = "/v1/chat/completions";
    add_header(f, "content-type", "application/json");
    f->parts.body = "{\"model\":\"ranker-v9\",\"messages\":[]}";
    assert_int_equal(ask(f), 200);
    last_record(f, buffer, &event);
    assert_true(view_equals(event.decision.rule, VIEW("p/all")));
    assert_int_equal(event.decision.shadow_verdict, VERDICT_ALLOW);
    assert_true(view_equals(event.decision.shadow_rule, VIEW("inference-gateway/apps-low-and-medium")));
    f->parts.body = "{\"model\":\"fraud-v3\",\"messages\":[]}";
    assert_int_equal(ask(f), 200);
    last_record(f, buffer, &event);
    assert_int_equal(event.decision.shadow_verdict, VERDICT_DENY);
}

static void a_shadow_that_was_refused_at_the_start_judges_nothing(void **state)
{
    struct fixture *f = *state;
    set_shadow(f, "rules:", "rulez:");
    assert_null(f->snapshot->shadow);
    add_header(f, "authorization", f->bearer);
    assert_int_equal(ask(f), 200);
    assert_int_equal(differences(f)->checks, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_fresh_operator_at_the_console_is_allowed_and_named),
        CASE(a_stale_operator_is_challenged),
        CASE(the_console_without_a_user_is_told_that_one_is_needed),
        CASE(nobody_is_refused_where_a_workload_is_needed),
        CASE(nobody_is_allowed_where_the_rule_is_for_anybody),
        CASE(a_certificate_that_fails_is_refused_even_where_none_is_needed),
        CASE(a_token_that_fails_is_refused_even_where_none_is_needed),
        CASE(another_scheme_than_bearer_is_no_token),
        CASE(a_missing_key_set_is_neither_an_invalid_nor_an_absent_token),
        CASE(a_policy_past_its_time_denies_whatever_its_rules_say),
        CASE(garbage_is_denied_not_failed),
        CASE(every_prefix_of_a_good_request_is_answered),
        CASE(a_second_authorization_refuses_the_request),
        CASE(an_underscore_twin_of_a_header_we_set_refuses_the_request),
        CASE(connection_may_not_name_a_header_we_rely_on),
        CASE(hearsay_headers_change_no_decision),
        CASE(what_was_verified_once_is_not_parked_again),
        CASE(a_check_that_is_begun_again_is_no_second_miss),
        CASE(a_parked_check_whose_bundle_was_replaced_is_proved_again),
        CASE(files_that_change_for_ever_end_in_a_refusal),
        CASE(a_revoked_caller_is_refused_from_the_next_check_on),
        CASE(a_kept_caller_is_asked_about_again_when_the_clock_is_set_back),
        CASE(a_kept_token_is_asked_about_again_when_the_clock_is_set_back),
        CASE(a_revoked_authority_refuses_a_caller_that_is_kept),
        CASE(a_revoked_token_is_refused_from_the_next_check_on),
        CASE(a_token_bound_to_another_workload_is_refused),
        CASE(a_cached_token_ends_with_its_time),
        CASE(a_refusal_needs_no_bytes),
        CASE(report_mode_allows_and_remembers_what_would_have_been),
        CASE(every_answer_has_a_record_that_its_id_finds),
        CASE(a_record_never_holds_the_token),
        CASE(a_shadow_that_refuses_is_counted_and_recorded_and_refuses_nobody),
        CASE(a_shadow_that_allows_lets_nobody_in),
        CASE(a_shadow_that_agrees_is_recorded_and_counts_no_difference),
        CASE(without_a_shadow_no_record_speaks_of_one),
        CASE(counting_starts_over_when_the_shadow_changes),
        CASE(an_allow_that_cannot_be_said_is_recorded_as_the_denial_that_was_sent),
        CASE(in_report_mode_the_record_says_allow_since_that_is_what_was_answered),
        CASE(a_shadow_may_read_the_body_where_the_policy_does_not),
        CASE(a_shadow_that_was_refused_at_the_start_judges_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
