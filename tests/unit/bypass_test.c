/* SPDX-License-Identifier: Apache-2.0 */
/* How other gateways were walked around, tried on ours: requests as Envoy writes
 * them, under policies of the shapes that were fatal elsewhere (a broad allow with
 * denials beside it). The known cases are in SECURITY.md. */
#include "check.h"

#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define POLICY(more)                                                                                                   \
    "apiVersion: bartizan.dev/v1alpha1\n"                                                                              \
    "kind: AccessPolicy\n"                                                                                             \
    "metadata: {name: broad}\n"                                                                                        \
    "spec:\n"                                                                                                          \
    "  issuers:\n"                                                                                                     \
    "    sso: {url: \"https://sso.example\", audiences: [inference], profile: generic}\n"                              \
    "  actions:\n"                                                                                                     \
    "    admin: {http: [{paths: [\"/admin\", \"/admin/{**}\", \"/user/profile\"]}]}\n"                                 \
    "    secret: {http: [{hosts: [secret.example], paths: [\"/{**}\"]}]}\n"                                            \
    "    read: {http: [{methods: [GET], paths: [\"/v1/items/{item}\"]}]}\n"                                            \
    "    rpc: {http: [{methods: [POST], paths: [\"/mcp\"]}]}\n"                                                        \
    "    call: {http: [{methods: [POST], paths: [\"/mcp\"], body: mcp, call: tools/call}]}\n"                          \
    "  rules:\n"                                                                                                       \
    "    - {allow: everything, subjects: any}\n"                                                                       \
    "    - {deny: no-admin, subjects: any, actions: [admin]}\n"                                                        \
    "    - {deny: no-secret, subjects: any, actions: [secret]}\n"                                                      \
    "    - {deny: no-calls, subjects: any, actions: [call]}\n"                                                         \
    "    - {deny: no-role, subjects: any, when: {header: {name: x-role, equals: admin}}}\n" more

#define SETS                                                                                                           \
    "    - {allow: a-sets, priority: 1, subjects: {workload: any}, obligations: {requestHeaders: {set: {x-caller: "    \
    "$workload.spiffe}}}}\n"

enum { HEADERS_MAX = 16 };

struct fixture {
    struct world world;
    struct snapshot *snapshot;
    struct metrics metrics;
    struct refusal_log refusals;
    struct check_context *context;
    struct check_reply reply;
    struct check_clock clock;
    char *certificate;
    struct check_request_pair headers[HEADERS_MAX];
    struct check_request_parts parts;
};

static void use_policy(struct fixture *f, const char *text)
{
    struct arena arena;
    struct diag_list diags;
    struct snapshot *next = NULL;
    world_write(f->world.policy, text);
    arena_init(&arena, 4 * 1024 * 1024);
    diag_list_init(&diags, &arena);
    enum err result = snapshot_build(&f->world.config, NULL, f->snapshot, WORLD_NOW, &diags, &next);
    if (result != ERR_NONE)
        diag_list_print(&diags, stderr);
    assert_int_equal(result, ERR_NONE);
    arena_free(&arena);
    snapshot_drop(f->snapshot);
    f->snapshot = next;
    if (f->context != NULL)
        assert_int_equal(check_context_replace(f->context, next), ERR_NONE);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    refusal_log_init(&f->refusals);
    use_policy(f, POLICY(""));
    static const uint8_t epoch[JOURNAL_EPOCH_BYTES] = {1};
    const struct check_context_config config = {.config = &f->world.config,
                                                .snapshot = f->snapshot,
                                                .epoch = epoch,
                                                .metrics = &f->metrics,
                                                .refusals = &f->refusals,
                                                .hash_key = {.seed = {1, 2}}};
    assert_int_equal(check_context_open(&config, &f->context), ERR_NONE);
    f->clock.realtime_ns = WORLD_NOW * 1000000000;
    f->certificate = world_certificate(&f->world, WORLD_WEB);
    f->parts = (struct check_request_parts){.id = "1",
                                            .method = "GET",
                                            .path = "/public",
                                            .host = "eu.models.example",
                                            .scheme = "http",
                                            .headers = f->headers,
                                            .is_header_map = true,
                                            .certificate = f->certificate,
                                            .source_address = "10.1.2.3"};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    check_context_close(f->context);
    snapshot_drop(f->snapshot);
    free(f->certificate);
    world_remove(&f->world);
    free(f);
    return 0;
}

static void add_header(struct fixture *f, const char *name, const char *value)
{
    f->headers[f->parts.header_count++] = (struct check_request_pair){.name = name, .value = value};
}

/* Bearer and caller of the operations console, whom the token is bound to; freed by free(). */
static char *come_as_operator(struct fixture *f)
{
    free(f->certificate);
    f->certificate = world_certificate(&f->world, WORLD_CONSOLE);
    f->parts.certificate = f->certificate;
    return world_bearer(&f->world, 60);
}

/* REASON_RULE for an allow, else why not. */
static enum reason ask(struct fixture *f)
{
    struct view bytes = check_request_builder_build(&f->parts);
    struct check check = {.bytes = bytes, .asking_peer = VIEW("uid:1337")};
    uint64_t before = f->refusals.count;
    struct refusal recent[REFUSAL_LOG_ENTRIES];
    check_run(f->context, &check, &f->clock, &f->reply);
    free((void *)(uintptr_t)bytes.data);
    assert_true(f->reply.size > 0);
    if (f->refusals.count == before)
        return REASON_RULE;
    assert_true(refusal_log_read(&f->refusals, recent) > 0);
    return recent[0].reason;
}

static void answers(struct fixture *f, enum reason expected, int line)
{
    enum reason reason = ask(f);
    if (reason != expected)
        fail_msg("line %d: %s %s%s: %.*s, not %.*s", line, f->parts.method, f->parts.host, f->parts.path,
                 VIEW_ARG(reason_info(reason)->name), VIEW_ARG(reason_info(expected)->name));
}

#define assert_answer(f, expected) answers(f, expected, __LINE__)

static bool reply_holds(const struct fixture *f, const char *text)
{
    struct view reply = {.data = f->reply.bytes, .size = f->reply.size};
    for (size_t i = 0; i + strlen(text) <= reply.size; i++)
        if (memcmp(reply.data + i, text, strlen(text)) == 0)
            return true;
    return false;
}

/* ---- paths --------------------------------------------------------------- */

struct path_case {
    const char *path;
    enum reason reason;
};

static void try_paths(struct fixture *f, const struct path_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        f->parts.path = cases[i].path;
        assert_answer(f, cases[i].reason);
    }
}

static void another_spelling_of_a_path_that_is_denied_is_never_allowed(void **state)
{
    static const struct path_case cases[] = {
        {"/public", REASON_RULE},
        {"/admin", REASON_DENY_RULE},
        {"/admin?", REASON_DENY_RULE},
        {"/admin?x=1", REASON_DENY_RULE},
        {"/admin?x=/../public", REASON_DENY_RULE},
        {"/admin/", REASON_DENY_RULE},
        {"/admin/x", REASON_DENY_RULE},
        {"/admin#", REASON_REQUEST_PATH},
        {"/admin#x", REASON_REQUEST_PATH},
        {"/user/profile#section1", REASON_REQUEST_PATH},
        {"/user/profile%23s", REASON_RULE}, /* data of a segment: another path */
        {"//admin", REASON_REQUEST_PATH},
        {"/admin//", REASON_REQUEST_PATH},
        {"//admin/dashboard", REASON_REQUEST_PATH},
        {"/%2Fadmin", REASON_REQUEST_PATH},
        {"/%2fadmin", REASON_REQUEST_PATH},
        {"/a%2Fb", REASON_REQUEST_PATH},
        {"/a%5Cb", REASON_REQUEST_PATH},
        {"/a%5cb", REASON_REQUEST_PATH},
        {"/a\\b", REASON_REQUEST_PATH},
        {"/%5Cadmin", REASON_REQUEST_PATH},
        {"/public/../admin", REASON_REQUEST_PATH},
        {"/public/./../admin", REASON_REQUEST_PATH},
        {"/public/%2e%2e/admin", REASON_REQUEST_PATH},
        {"/public/.%2E/admin", REASON_REQUEST_PATH},
        {"/%61dmin", REASON_REQUEST_PATH},
        {"/admi%6E", REASON_REQUEST_PATH},
        {"/admin;a=b", REASON_REQUEST_PATH},
        {"/..;/admin", REASON_REQUEST_PATH},
        {"/;/admin", REASON_REQUEST_PATH},
        {"/public/%2e%2e;/admin", REASON_REQUEST_PATH},
        {"/admin%00", REASON_REQUEST_PATH},
        {"/admin%0a", REASON_REQUEST_PATH},
        {"/admin%7f", REASON_REQUEST_PATH},
        {"/admin\x01", REASON_REQUEST_PATH},
        {"/admin\t", REASON_REQUEST_PATH},
        {"/admin ", REASON_REQUEST_PATH},
        {"/admin%", REASON_REQUEST_PATH},
        {"/admin%2", REASON_REQUEST_PATH},
        {"/admin%g1", REASON_REQUEST_PATH},
        {"/%252fadmin", REASON_REQUEST_PATH},
        {"/%c0%afadmin", REASON_REQUEST_PATH},
        {"/%c0%ae%c0%ae/admin", REASON_REQUEST_PATH},
        {"/%ed%a0%80", REASON_REQUEST_PATH},
        {"/%u002fadmin", REASON_REQUEST_PATH},
        {"/\xc3\xa9", REASON_REQUEST_PATH},
        {"http://eu.models.example/admin", REASON_REQUEST_PATH},
        {"admin", REASON_REQUEST_PATH},
        {"*", REASON_REQUEST_PATH},
        {"/mypath%3Ffoo", REASON_RULE},
    };
    try_paths(*state, cases, sizeof(cases) / sizeof(cases[0]));
}

static void a_path_that_envoy_normalised_keeps_what_hides_a_separator_out(void **state)
{
    struct fixture *f = *state;
    static const struct path_case cases[] = {
        {"/admin", REASON_DENY_RULE},         {"/%61dmin", REASON_DENY_RULE}, /* taken for the octet itself */
        {"/%61dmi%6E/x", REASON_DENY_RULE},   {"/public/..;/admin", REASON_REQUEST_PATH},
        {"/admin;x", REASON_REQUEST_PATH},    {"//admin", REASON_REQUEST_PATH},
        {"/a/../admin", REASON_REQUEST_PATH}, {"/a/%2e%2e/admin", REASON_REQUEST_PATH},
        {"/%2Fadmin", REASON_REQUEST_PATH},   {"/admin%00", REASON_REQUEST_PATH},
        {"/admin#x", REASON_REQUEST_PATH},    {"/%c0%afadmin", REASON_REQUEST_PATH},
        {"/a%252fb", REASON_REQUEST_PATH},    {"/a%5cb", REASON_REQUEST_PATH},
    };
    char text[8192];
    char *broad = strdup(POLICY(""));
    char *spec = strstr(broad, "spec:\n") + strlen("spec:\n");
    (void)snprintf(text, sizeof(text), "%.*s  paths: envoy\n%s", (int)(spec - broad), broad, spec);
    free(broad);
    use_policy(f, text);
    try_paths(f, cases, sizeof(cases) / sizeof(cases[0]));
}

static void every_escape_of_one_octet_is_refused_or_stays_data_of_its_segment(void **state)
{
    struct fixture *f = *state;
    for (unsigned octet = 0; octet < 256; octet++)
        for (size_t i = 0; i < 2; i++) {
            char path[32], hex[4];
            (void)snprintf(hex, sizeof(hex), i == 0 ? "%02x" : "%02X", octet);
            (void)snprintf(path, sizeof(path), "/%%%szone", hex);
            f->parts.path = path;
            enum reason reason = ask(f);
            bool is_reserved_data = octet >= 0x20 && octet < 0x7f && strchr(" !\"#$%&'()*+,:;<=>?@[]^`{|}", (int)octet);
            if (reason != (is_reserved_data ? REASON_RULE : REASON_REQUEST_PATH))
                fail_msg("%s: %.*s", path, VIEW_ARG(reason_info(reason)->name));
        }
}

static void a_bang_that_may_stand_for_lost_bytes_is_refused(void **state)
{
    struct fixture *f = *state;
    f->parts.path = "/public/!!";
    assert_answer(f, REASON_RULE); /* header_map shows that these are the bytes */
    f->parts.is_header_map = false;
    assert_answer(f, REASON_REQUEST_PATH);
}

/* ---- hosts, methods ------------------------------------------------------ */

static void another_spelling_of_a_host_is_never_allowed(void **state)
{
    struct fixture *f = *state;
    static const struct path_case cases[] = {
        {"secret.example", REASON_DENY_RULE},
        {"Secret.example", REASON_DENY_RULE},
        {"SECRET.EXAMPLE", REASON_DENY_RULE},
        {"secret.example:8080", REASON_DENY_RULE},
        {"secret.example.", REASON_REQUEST_HOST},
        {"u@secret.example", REASON_REQUEST_HOST},
        {"a.example,secret.example", REASON_REQUEST_HOST},
        {"secret.example:80:80", REASON_REQUEST_HOST},
        {"secret.example:080", REASON_REQUEST_HOST},
        {"secret.example:", REASON_REQUEST_HOST},
        {"secret%2eexample", REASON_REQUEST_HOST},
        {"secret.example\t", REASON_REQUEST_HOST},
        {"s\xc3\xa9"
         "cret.example",
         REASON_REQUEST_HOST},
        {"", REASON_REQUEST_HOST},
        {"[::1]:80", REASON_RULE},
        {"[0:0::1]:80", REASON_REQUEST_HOST},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->parts.host = cases[i].path;
        assert_answer(f, cases[i].reason);
    }
}

static void a_method_is_upper_case_letters_and_connect_has_no_path_here(void **state)
{
    struct fixture *f = *state;
    static const struct path_case cases[] = {
        {"GET", REASON_RULE},           {"FOO", REASON_RULE},           {"get", REASON_REQUEST_METHOD},
        {"Get", REASON_REQUEST_METHOD}, {"G E", REASON_REQUEST_METHOD}, {"", REASON_REQUEST_METHOD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->parts.method = cases[i].path;
        assert_answer(f, cases[i].reason);
    }
    f->parts.method = "CONNECT";
    f->parts.path = NULL;
    f->parts.has_no_pseudo_headers = true;
    assert_answer(f, REASON_REQUEST_PATH);
    f->parts.method = "OPTIONS";
    f->parts.path = "*";
    assert_answer(f, REASON_REQUEST_PATH);
}

/* ---- headers ------------------------------------------------------------- */

static void a_header_that_repeats_never_hides_one_of_its_values(void **state)
{
    struct fixture *f = *state;
    add_header(f, "x-role", "user");
    assert_answer(f, REASON_RULE);
    add_header(f, "x-role", "admin");
    assert_answer(f, REASON_DENY_RULE);
    f->headers[0].value = "admin";
    f->headers[1].value = "user";
    assert_answer(f, REASON_DENY_RULE);
}

static void lines_that_arrive_joined_are_repeated_lines(void **state)
{
    struct fixture *f = *state;
    static const char *const joined[] = {"user,admin", "admin,admin", "admin,", "user, admin"};
    f->parts.is_header_map = false;
    add_header(f, "x-role", "user");
    assert_answer(f, REASON_RULE);
    for (size_t i = 0; i < sizeof(joined) / sizeof(joined[0]); i++) {
        f->headers[0].value = joined[i];
        assert_answer(f, REASON_DENY_RULE);
    }
}

static void white_space_around_a_value_hides_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const padded[] = {"admin", " admin", "admin ", "\tadmin \t", "  admin  "};
    for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++) {
        f->parts.header_count = 0;
        add_header(f, "x-role", padded[i]);
        assert_answer(f, REASON_DENY_RULE);
    }
    f->headers[0].value = " administrator ";
    assert_answer(f, REASON_RULE);
}

static void a_twin_of_a_header_name_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const twins[] = {"x_role", "x.role", "x~role", "x|role"};
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
        f->parts.header_count = 0;
        add_header(f, twins[i], "anything");
        assert_answer(f, REASON_REQUEST_HEADER);
    }
    f->headers[0].name = "x_roles";
    assert_answer(f, REASON_RULE);
    f->headers[0].name = "X-Role";
    assert_answer(f, REASON_REQUEST_HEADER);
}

static void headers_about_forwarding_decide_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "x-envoy-original-path", "x-original-url", "x-rewrite-url", "x-forwarded-uri",       "x-forwarded-host",
        "x-forwarded-prefix",    "forwarded",      "x-real-ip",     "x-http-method-override"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        f->parts.header_count = 0;
        add_header(f, names[i], "/public");
        f->parts.path = "/admin";
        assert_answer(f, REASON_DENY_RULE);
        f->headers[0].value = "/admin";
        f->parts.path = "/public";
        assert_answer(f, REASON_RULE);
    }
}

static void a_dpop_scheme_is_never_taken_for_a_bearer(void **state)
{
    struct fixture *f = *state;
    char header[8192];
    char *bearer = come_as_operator(f);
    add_header(f, "authorization", bearer);
    assert_answer(f, REASON_RULE);
    (void)snprintf(header, sizeof(header), "DPoP %s", strchr(bearer, ' ') + 1);
    f->headers[0].value = header;
    assert_answer(f, REASON_TOKEN_BINDING);
    add_header(f, "dpop", "e30.e30.AAAA"); /* a proof that nobody verifies proves nothing */
    assert_answer(f, REASON_TOKEN_BINDING);
    memcpy(header, "dpop", 4);
    assert_answer(f, REASON_TOKEN_BINDING);
    free(bearer);
}

/* ---- bodies -------------------------------------------------------------- */

#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}"

static void post(struct fixture *f, const char *type, const char *body)
{
    f->parts.method = "POST";
    f->parts.path = "/mcp";
    f->parts.raw_body = view_of(body);
    f->parts.size = (int64_t)strlen(body);
    f->parts.header_count = 0;
    if (type != NULL)
        add_header(f, "content-type", type);
}

static void a_call_that_is_denied_hides_behind_no_content_type(void **state)
{
    struct fixture *f = *state;
    static const char *const types[] = {"text/plain",       "application/x-www-form-urlencoded",
                                        "application/grpc", "application/json-rpc",
                                        "text/json",        "application/json, text/plain"};
    post(f, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    assert_answer(f, REASON_RULE);
    post(f, "application/json", CALL);
    assert_answer(f, REASON_DENY_RULE);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        post(f, types[i], CALL);
        assert_answer(f, REASON_REQUEST_BODY);
    }
    post(f, NULL, CALL);
    assert_answer(f, REASON_REQUEST_BODY);
    post(f, "application/json", "[" CALL "]");
    assert_answer(f, REASON_REQUEST_BODY);
    post(f, "text/plain", "hello");
    f->parts.path = "/elsewhere"; /* where the policy does not depend on it */
    assert_answer(f, REASON_RULE);
}

static void two_content_types_leave_the_body_unreadable(void **state)
{
    struct fixture *f = *state;
    post(f, "application/json", "{\"method\":\"tools/list\"}");
    add_header(f, "content-type", "text/plain");
    assert_answer(f, REASON_REQUEST_BODY);
    post(f, "text/plain", CALL);
    add_header(f, "content-type", "application/json");
    assert_answer(f, REASON_REQUEST_BODY);
}

static void a_body_that_is_partial_by_any_of_its_signs_is_unreadable(void **state)
{
    struct fixture *f = *state;
    post(f, "application/json", "{\"method\":\"tools/list\"}");
    assert_answer(f, REASON_RULE);
    add_header(f, "x-envoy-auth-partial-body", "false");
    assert_answer(f, REASON_RULE);
    add_header(f, "x-envoy-auth-partial-body", "true");
    assert_answer(f, REASON_REQUEST_BODY);
    f->parts.header_count = 1;
    f->parts.size++;
    assert_answer(f, REASON_REQUEST_BODY);
}

/* ---- report -------------------------------------------------------------- */

static void report_takes_forged_headers_off_whatever_it_lets_pass(void **state)
{
    struct fixture *f = *state;
    use_policy(f, POLICY(SETS));
    f->world.config.policy.enforcement = REPORT;
    add_header(f, "x-caller", "mallory");
    f->parts.path = "/admin";
    f->parts.certificate = NULL;
    assert_answer(f, REASON_DENY_RULE);
    assert_true(reply_holds(f, "\x2a\x08x-caller")); /* headers_to_remove, field 5 */
    f->parts.path = "/admin#";
    assert_answer(f, REASON_REQUEST_PATH);
    assert_true(reply_holds(f, "\x2a\x08x-caller"));
}

static void report_fulfils_the_obligations_of_a_true_allow(void **state)
{
    struct fixture *f = *state;
    use_policy(f, POLICY(SETS));
    f->world.config.policy.enforcement = REPORT;
    add_header(f, "x-caller", "mallory");
    assert_answer(f, REASON_RULE);
    assert_true(reply_holds(f, WORLD_WEB));
    assert_false(reply_holds(f, "\x2a\x08x-caller"));
}

/* ---- caches and time ----------------------------------------------------- */

static void a_cached_caller_ends_with_its_authority(void **state)
{
    struct fixture *f = *state;
    assert_answer(f, REASON_RULE);
    assert_answer(f, REASON_RULE);
    world_replace_authority(&f->world);
    use_policy(f, POLICY(""));
    assert_answer(f, REASON_CERTIFICATE_UNTRUSTED);
}

static void a_clock_that_steps_back_ends_what_was_cached(void **state)
{
    struct fixture *f = *state;
    char *bearer = come_as_operator(f);
    add_header(f, "authorization", bearer);
    assert_answer(f, REASON_RULE);
    f->clock.realtime_ns -= INT64_C(3600) * 1000000000; /* before the token was issued */
    assert_answer(f, REASON_TOKEN_NOT_YET_VALID);
    f->clock.realtime_ns -= INT64_C(86400) * 365 * 40 * 1000000000;
    assert_answer(f, REASON_CERTIFICATE_NOT_YET_VALID);
    free(bearer);
}

static void a_cached_token_with_another_payload_is_another_token(void **state)
{
    struct fixture *f = *state;
    char header[8192];
    char *bearer = come_as_operator(f), *other = world_token(&f->world, "\"sub\":\"mallory\"");
    add_header(f, "authorization", bearer);
    assert_answer(f, REASON_RULE);
    const char *payload_end = strrchr(other, '.');
    (void)snprintf(header, sizeof(header), "Bearer %.*s%s", (int)(payload_end - other), other, strrchr(bearer, '.'));
    f->headers[0].value = header;
    assert_answer(f, REASON_TOKEN_SIGNATURE);
    free(bearer);
    free(other);
}

static void a_revocation_that_came_while_a_check_waited_holds_for_it(void **state)
{
    struct fixture *f = *state;
    char path[WORLD_PATH_MAX + 16];
    struct view bytes = check_request_builder_build(&f->parts);
    struct check check = {.bytes = bytes};
    assert_int_equal(check_begin(f->context, &check, &f->clock, &f->reply), CHECK_PARKED);
    check_work(&check);
    (void)snprintf(path, sizeof(path), "%s/list.yaml", f->world.revocations);
    world_write(path, "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries:\n"
                      "  - {spiffe: \"" WORLD_WEB "\", reason: test}\n");
    use_policy(f, POLICY(""));
    assert_int_equal(check_resume(f->context, &check, &f->clock, &f->reply), CHECK_ANSWERED);
    struct refusal recent[REFUSAL_LOG_ENTRIES];
    assert_int_equal(refusal_log_read(&f->refusals, recent), 1);
    assert_int_equal(recent[0].reason, REASON_CERTIFICATE_REVOKED);
    free((void *)(uintptr_t)bytes.data);
}

/* ---- identity ------------------------------------------------------------ */

static void a_name_without_a_certificate_is_nobody(void **state)
{
    struct fixture *f = *state;
    use_policy(f, POLICY("    - {deny: nobody, priority: 6, subjects: any, unless: {claim: {name: x, present: true}}}\n"
                         "    - {allow: web, priority: 7, subjects: {workload: {spiffe: \"" WORLD_WEB "\"}}}\n"));
    assert_answer(f, REASON_RULE);
    f->parts.certificate = NULL;
    f->parts.principal = WORLD_WEB;
    add_header(f, "x-forwarded-client-cert", "Hash=00;URI=" WORLD_WEB);
    assert_answer(f, REASON_DENY_RULE);
}

/* The lines that asking so often writes to the log, into `text`. */
static size_t lines_logged(struct fixture *f, size_t times, char *text, size_t capacity)
{
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_non_null(log);
    assert_true(before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    for (size_t i = 0; i < times; i++)
        (void)ask(f);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    rewind(log);
    size_t size = fread(text, 1, capacity - 1, log), lines = 0;
    fclose(log);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

static void a_thousand_refused_certificates_are_one_line_of_log_a_minute(void **state)
{
    struct fixture *f = *state;
    static char text[64 * 1024];
    f->parts.certificate = "-----BEGIN CERTIFICATE-----%0Anone%0A";
    assert_int_equal(lines_logged(f, 1000, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "warn  refused reason=\"certificate_malformed\" meaning=\""));
    assert_non_null(strstr(text, " do=\"look at the caller's certificate with `bartizan pki show`"));
    assert_non_null(strstr(text, "untold_before=0\n"));
    f->clock.realtime_ns += INT64_C(60) * 1000000000;
    assert_int_equal(lines_logged(f, 10, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "untold_before=999\n"));
    f->parts.certificate = f->certificate;
    f->parts.path = "/admin"; /* a rule's answer, not a fault */
    assert_int_equal(lines_logged(f, 10, text, sizeof(text)), 0);
    f->parts.path = "/admin#";
    assert_int_equal(lines_logged(f, 10, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "caller=\"" WORLD_WEB "\""));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(another_spelling_of_a_path_that_is_denied_is_never_allowed),
        CASE(a_path_that_envoy_normalised_keeps_what_hides_a_separator_out),
        CASE(every_escape_of_one_octet_is_refused_or_stays_data_of_its_segment),
        CASE(a_bang_that_may_stand_for_lost_bytes_is_refused),
        CASE(another_spelling_of_a_host_is_never_allowed),
        CASE(a_method_is_upper_case_letters_and_connect_has_no_path_here),
        CASE(a_header_that_repeats_never_hides_one_of_its_values),
        CASE(lines_that_arrive_joined_are_repeated_lines),
        CASE(white_space_around_a_value_hides_nothing),
        CASE(a_twin_of_a_header_name_is_refused),
        CASE(headers_about_forwarding_decide_nothing),
        CASE(a_dpop_scheme_is_never_taken_for_a_bearer),
        CASE(a_call_that_is_denied_hides_behind_no_content_type),
        CASE(two_content_types_leave_the_body_unreadable),
        CASE(a_body_that_is_partial_by_any_of_its_signs_is_unreadable),
        CASE(report_takes_forged_headers_off_whatever_it_lets_pass),
        CASE(report_fulfils_the_obligations_of_a_true_allow),
        CASE(a_cached_caller_ends_with_its_authority),
        CASE(a_clock_that_steps_back_ends_what_was_cached),
        CASE(a_cached_token_with_another_payload_is_another_token),
        CASE(a_revocation_that_came_while_a_check_waited_holds_for_it),
        CASE(a_name_without_a_certificate_is_nobody),
        CASE(a_thousand_refused_certificates_are_one_line_of_log_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
