/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "jose_algorithm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "apiVersion: bartizan.dev/v1alpha1\nkind: SidecarConfig\n"
#define GOOD HEAD "policy: {path: policy}\n" /* whatever follows starts on line 4 */

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)8 << 20);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum err parse(const char *text, struct config *out)
{
    *out = (struct config){0};
    enum err err = config_parse("/etc/bartizan/config.yaml", view_of(text), &arena, &diags, out);
    if (err != ERR_NONE && diags.count == 0)
        fail_msg("an error without a finding");
    return err;
}

static void config_has_a_default_for_all_but_the_policy(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD, &config), ERR_NONE);
    assert_string_equal(config.file, "/etc/bartizan/config.yaml");
    assert_string_equal(config.policy.path, "/etc/bartizan/policy");
    assert_int_equal(config.listener_count, 1);
    assert_int_equal(config.listeners[0].kind, LISTENER_UNIX);
    assert_string_equal(config.listeners[0].path, "/run/bartizan/check.sock");
    assert_int_equal(config.listeners[0].mode, 0660);
    assert_int_equal(config.listeners[0].allow_uid_count, 0);
    assert_int_equal(config.identity.source_count, 1);
    assert_int_equal(config.identity.sources[0].kind, SOURCE_CERTIFICATE);
    assert_int_equal(config.identity.domain_count + config.identity.revocation_count + config.tokens.issuer_count, 0);
    assert_int_equal(config.policy.enforcement, ENFORCE);
    assert_null(config.policy.shadow);
    assert_int_equal(config.policy.platform_owner_count, 0);
    assert_int_equal(config.policy.compile.child_above, 1 << 20);
    assert_int_equal(config.policy.compile.memory, 512 << 20);
    assert_int_equal(config.policy.compile.seconds, 60);
    assert_string_equal(config.audit.journal.path, "/var/lib/bartizan/journal");
    assert_int_equal(config.audit.journal.mode, JOURNAL_BATCH);
    assert_int_equal(config.audit.journal.max_bytes, 256 << 20);
    assert_null(config.audit.tap.bind);
    assert_null(config.audit.subject_key);
    assert_null(config.admin.address_host);
    assert_string_equal(config.admin.socket, "/run/bartizan/admin.sock");
    assert_int_equal(config.limits.headers, 100);
    assert_int_equal(config.limits.header_bytes, 65536);
    assert_int_equal(config.limits.request_bytes, 1 << 20);
    assert_int_equal(config.limits.connections, 64);
    assert_int_equal(config.limits.streams, 256);
    assert_int_equal(config.limits.queue, 1024);
    assert_int_equal(config.limits.caller_cache, 4 << 20);
    assert_int_equal(config.limits.token_cache, 4 << 20);
    assert_false(view_is_empty(config.instance));
}

static void config_reads_the_weaker_mode_which_is_off_unless_written(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD, &config), ERR_NONE);
    assert_false(config_believes_text(&config));
    assert_int_equal(parse(GOOD "identity: {sources: [{xfcc: {hops: 0}}]}\n", &config), ERR_NONE);
    assert_false(config_believes_text(&config));
    assert_int_equal(parse(GOOD "identity: {sources: [{xfcc-text: {hops: 1, by: [\"spiffe://a/gw\"]}}]}\n", &config),
                     ERR_NONE);
    assert_true(config_believes_text(&config));
    assert_int_equal(config.identity.sources[0].kind, SOURCE_XFCC_TEXT);
    assert_int_equal(config.identity.sources[0].hops, 1);
    assert_int_equal(config.identity.sources[0].by_count, 1);
    assert_false(config.identity.sources[0].accepts_missing_hash);
    assert_int_equal(parse(GOOD "identity: {sources: [{xfcc-text: {missing_hash: accept}}]}\n", &config), ERR_NONE);
    assert_true(config.identity.sources[0].accepts_missing_hash);
}

static void config_reads_every_key(void **state)
{
    (void)state;
    struct config config;
    enum err err = parse(
        GOOD "instance: inference-0\n"
             "listeners:\n"
             "  - {address: \"unix:///run/b/check.sock\", mode: \"0600\", group: envoy, allow_uids: [1337, 0]}\n"
             "  - {address: \"127.0.0.1:9191\"}\n"
             "  - {address: \"[::1]:9192\"}\n"
             "identity:\n"
             "  sources: [{xfcc: {hops: 1, by: [\"spiffe://prod.example/gw\"]}}, certificate]\n"
             "  trust_domains: {prod.example: {bundle: prod.pem}, other: {bundle: /x/other.json,\n"
             "    crl: {file: other.crl, expired: accept}}}\n"
             "  revocations: [/var/lib/r, more]\n"
             "tokens:\n"
             "  from: [authorization]\n"
             "  issuers: {\"https://sso.example\": {keys: {file: sso.jwks}, algorithms: [ES256, EdDSA]}}\n"
             "  resource_metadata: https://api.example/meta\n"
             "audit: {journal: {path: j, mode: batch, max_bytes: 1GiB}, tap: {bind: \"ipc://tap\"}, subject_key: k}\n"
             "admin: {address: \":8282\", socket: admin.sock}\n"
             "limits: {headers: 1, header_bytes: 1KiB, request_bytes: 4096, connections: 2, streams: 3, queue: 4}\n",
        &config);
    diag_list_print(&diags, stderr);
    assert_int_equal(err, ERR_NONE);
    assert_true(view_equals(config.instance, VIEW("inference-0")));
    assert_int_equal(config.listener_count, 3);
    assert_string_equal(config.listeners[0].path, "/run/b/check.sock");
    assert_int_equal(config.listeners[0].mode, 0600);
    assert_string_equal(config.listeners[0].group, "envoy");
    assert_int_equal(config.listeners[0].allow_uid_count, 2);
    assert_int_equal(config.listeners[0].allow_uids[0], 1337);
    assert_int_equal(config.listeners[1].kind, LISTENER_TCP);
    assert_string_equal(config.listeners[1].host, "127.0.0.1");
    assert_int_equal(config.listeners[1].port, 9191);
    assert_string_equal(config.listeners[2].host, "::1");
    assert_int_equal(config.identity.source_count, 2);
    assert_int_equal(config.identity.sources[0].kind, SOURCE_XFCC);
    assert_int_equal(config.identity.sources[0].hops, 1);
    assert_true(view_equals(config.identity.sources[0].by[0], VIEW("spiffe://prod.example/gw")));
    assert_int_equal(config.identity.sources[1].kind, SOURCE_CERTIFICATE);
    assert_string_equal(config.identity.domains[0].bundle, "/etc/bartizan/prod.pem");
    assert_string_equal(config.identity.domains[1].bundle, "/x/other.json");
    assert_null(config.identity.domains[0].crl);
    assert_string_equal(config.identity.domains[1].crl, "/etc/bartizan/other.crl");
    assert_false(config.identity.domains[1].accepts_missing_crl);
    assert_true(config.identity.domains[1].accepts_expired_crl);
    assert_string_equal(config.identity.revocations[1], "/etc/bartizan/more");
    assert_true(view_equals(config.tokens.issuers[0].url, VIEW("https://sso.example")));
    assert_string_equal(config.tokens.issuers[0].keys_file, "/etc/bartizan/sso.jwks");
    assert_int_equal(config.tokens.issuers[0].algorithms, 1 << JOSE_ES256 | 1 << JOSE_EDDSA);
    assert_true(view_equals(config.tokens.resource_metadata, VIEW("https://api.example/meta")));
    assert_string_equal(config.audit.journal.path, "/etc/bartizan/j");
    assert_int_equal(config.audit.journal.mode, JOURNAL_BATCH);
    assert_int_equal(config.audit.journal.max_bytes, 1ULL << 30);
    assert_string_equal(config.audit.tap.bind, "ipc:///etc/bartizan/tap");
    assert_string_equal(config.audit.subject_key, "/etc/bartizan/k");
    assert_string_equal(config.admin.address_host, "");
    assert_int_equal(config.admin.address_port, 8282);
    assert_string_equal(config.admin.socket, "/etc/bartizan/admin.sock");
    assert_int_equal(config.limits.headers, 1);
    assert_int_equal(config.limits.header_bytes, 1024);
    assert_int_equal(config.limits.request_bytes, 4096);
    assert_int_equal(config.limits.connections, 2);
    assert_int_equal(config.limits.streams, 3);
    assert_int_equal(config.limits.queue, 4);
}

static void signers_are_files_and_leave_is_for_one_revision(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(HEAD "policy: {path: p, signers: [a.pem, /b.pem], accept: {revision: 9223372036854775807, "
                                "until: \"2026-01-01T00:00:00Z\", reason: 42 denies}}\n",
                           &config),
                     ERR_NONE);
    assert_int_equal(config.policy.signer_count, 2);
    assert_string_equal(config.policy.signers[0], "/etc/bartizan/a.pem");
    assert_string_equal(config.policy.signers[1], "/b.pem");
    assert_int_equal(config.policy.accept.revision, INT64_MAX);
    assert_int_equal(config.policy.accept.until, 1767225600);
    assert_true(view_equals(config.policy.accept.reason, VIEW("42 denies")));
    assert_int_equal(parse(GOOD, &config), ERR_NONE);
    assert_int_equal(config.policy.signer_count, 0);
    assert_int_equal(config.policy.accept.revision, 0);
}

static void what_comes_from_the_workload_api_has_files_in_the_folder_of_feed(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD, &config), ERR_NONE);
    assert_false(config.workload_api.needs_x509 || config.workload_api.needs_jwt || config.workload_api.is_separate);
    assert_int_equal(config.workload_api.max_age, 3600);
    assert_false(view_is_present(config.workload_api.endpoint));
    assert_string_equal(config.workload_api.stamp, "/var/lib/bartizan/feed/feed.json");
    assert_int_equal(parse(GOOD "identity: {trust_domains: {a: {bundle: workload-api, crl: {from: workload-api}}, b: "
                                "{bundle: workload-api}, c: {bundle: c.pem}}}\n"
                                "tokens: {issuers: {\"https://i\": {keys: {workload-api: b}}}}\n"
                                "workload_api: {endpoint: \"unix:///a\", folder: f, max_age: 90s, process: separate}\n",
                           &config),
                     ERR_NONE);
    const struct trust_domain_config *domains = config.identity.domains;
    for (size_t i = 0; i < 2; i++) {
        assert_true(domains[i].is_from_workload_api && domains[i].is_map && domains[i].is_owned_by_feed);
        assert_string_equal(domains[i].bundle, "/etc/bartizan/f/bundles.json");
    }
    assert_true(domains[0].crl_is_from_workload_api && !domains[1].crl_is_from_workload_api);
    assert_string_equal(domains[0].crl, "/etc/bartizan/f/a.crl.pem");
    assert_null(domains[1].crl);
    assert_false(domains[2].is_from_workload_api || domains[2].is_owned_by_feed);
    assert_true(config.tokens.issuers[0].is_owned_by_feed);
    assert_string_equal(config.tokens.issuers[0].keys_file, "/etc/bartizan/f/b.jwks.json");
    assert_true(config.workload_api.needs_x509 && config.workload_api.needs_jwt && config.workload_api.is_separate);
    assert_int_equal(config.workload_api.max_age, 90);
    assert_true(view_equals(config.workload_api.endpoint, VIEW("unix:///a")));
    assert_string_equal(config.workload_api.stamp, "/etc/bartizan/f/feed.json");
}

static void platform_owners_are_a_list_of_names(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(HEAD "policy: {path: p, platform_owners: [platform, Security]}\n", &config), ERR_NONE);
    assert_int_equal(config.policy.platform_owner_count, 2);
    assert_true(view_equals(config.policy.platform_owners[0], VIEW("platform")));
    assert_true(view_equals(config.policy.platform_owners[1], VIEW("Security")));
}

static const struct bad_file {
    const char *text;
    uint32_t line, column;
    const char *code, *path, *hint;
} bad_files[] = {
    {HEAD, 1, 1, "C0103", NULL, NULL},
    {HEAD "policy: {}\n", 3, 9, "C0103", NULL, NULL},
    {"kind: SidecarConfig\npolicy: {path: p}\n", 1, 1, "C0103", NULL, NULL},
    {"apiVersion: bartizan.dev/v9\nkind: SidecarConfig\npolicy: {path: p}\n", 1, 13, "C0003", "apiVersion", NULL},
    {"apiVersion: bartizan.dev/v1alpha1\nkind: Sidecar\npolicy: {path: p}\n", 2, 7, "C0003", "kind", NULL},
    {"- a\n", 1, 1, "C0104", NULL, NULL},
    {"", 0, 0, "C0002", NULL, NULL},
    {GOOD "---\na: b\n", 5, 1, "C0002", NULL, NULL},
    {GOOD "a: [\n", 5, 1, "E0101", NULL, NULL},
    {GOOD "admin: {}\nadmin: {}\n", 5, 1, "E0108", NULL, NULL},
    /* keys */
    {GOOD "listner: []\n", 4, 1, "C0101", "listner", "did you mean `listeners`?"},
    {GOOD "nothing_like_it: 1\n", 4, 1, "C0101", "nothing_like_it", NULL},
    {GOOD "audit: {jurnal: {path: x}}\n", 4, 9, "C0101", "audit.jurnal", "did you mean `journal`?"},
    {GOOD "listeners: [{address: \"127.0.0.1:1\", mod: 1}]\n", 4, 38, "C0101", "listeners[0].mod",
     "did you mean `mode`?"},
    {GOOD "audit: {collectors: []}\n", 4, 9, "C0102", "audit.collectors", NULL},
    {HEAD "policy: {path: p, signers: []}\n", 3, 28, "C0202", "policy.signers", NULL},
    {HEAD "policy: {path: p, signers: q}\n", 3, 28, "C0104", "policy.signers", NULL},
    {HEAD "policy: {path: p, accept: {revision: 1, until: \"2026-01-01T00:00:00Z\", reason: r}}\n", 3, 27, "C0105",
     "policy.accept", NULL},
    {HEAD "policy: {path: p, signers: [q], accept: {revision: 1, until: \"2026-01-01T00:00:00Z\"}}\n", 3, 41, "C0103",
     "policy.accept", NULL},
    {HEAD "policy: {path: p, signers: [q], accept: {until: \"2026-01-01T00:00:00Z\", reason: r}}\n", 3, 41, "C0103",
     "policy.accept", NULL},
    {HEAD "policy: {path: p, signers: [q], accept: {revision: 1, reason: r}}\n", 3, 41, "C0103", "policy.accept", NULL},
    {HEAD "policy: {path: p, signers: [q], accept: {revision: 0, until: \"2026-01-01T00:00:00Z\", reason: r}}\n", 3, 52,
     "C0202", "policy.accept.revision", NULL},
    {HEAD "policy: {path: p, signers: [q], accept: {revision: 1, until: tomorrow, reason: r}}\n", 3, 62, "C0201",
     "policy.accept.until", NULL},
    {HEAD
     "policy: {path: p, signers: [q], accept: {revision: 1, until: \"2026-01-01T00:00:00Z\", reason: \"a\\nb\"}}\n",
     3, 94, "C0204", "policy.accept.reason", NULL},
    {HEAD "policy: {path: p, platform_owners: [q, r, q]}\n", 3, 43, "C0106", "policy.platform_owners[2]", NULL},
    {HEAD "policy: {path: p, compile: {memory: 15MiB}}\n", 3, 37, "C0202", "policy.compile.memory", NULL},
    {HEAD "policy: {path: p, compile: {seconds: 0}}\n", 3, 38, "C0202", "policy.compile.seconds", NULL},
    {HEAD "policy: {path: p, platform_owners: []}\n", 3, 36, "C0202", "policy.platform_owners", NULL},
    {HEAD "policy: {path: p, platform_owners: q}\n", 3, 36, "C0104", "policy.platform_owners", NULL},
    {HEAD "policy: {path: p, platform_owners: [\"\"]}\n", 3, 37, "C0104", "policy.platform_owners[0]", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: b, crl: {from: workload-api}}}}\n", 4, 48, "C0105",
     "identity.trust_domains[\"a\"]", "bundle: workload-api"},
    {GOOD "identity: {trust_domains: {a: {bundle: workload-api, crl: {from: there}}}}\n", 4, 66, "C0003",
     "identity.trust_domains[\"a\"].crl.from", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: workload-api, crl: {from: workload-api, file: f}}}}\n", 4, 59,
     "C0105", "identity.trust_domains[\"a\"].crl", NULL},
    {GOOD "workload_api: {endpoint: \"tcp://agent:1\"}\n", 4, 26, "C0205", "workload_api.endpoint", NULL},
    {GOOD "workload_api: {max_age: 1s}\n", 4, 25, "C0202", "workload_api.max_age", NULL},
    {GOOD "workload_api: {max_age: 31d}\n", 4, 25, "C0202", "workload_api.max_age", NULL},
    {GOOD "workload_api: {max_age: 60}\n", 4, 25, "C0201", "workload_api.max_age", NULL},
    {GOOD "workload_api: {max_age: -1m}\n", 4, 25, "C0201", "workload_api.max_age", NULL},
    {GOOD "workload_api: {process: none}\n", 4, 25, "C0203", "workload_api.process", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: {owner: feed}}}}\n", 4, 40, "C0103",
     "identity.trust_domains[\"a\"].bundle", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: {}}}}\n", 4, 40, "C0103", NULL, NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: {file: b, map: b}}}}\n", 4, 40, "C0105",
     "identity.trust_domains[\"a\"].bundle", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: {map: [b]}}}}\n", 4, 46, "C0104",
     "identity.trust_domains[\"a\"].bundle.map", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: [b]}}}\n", 4, 40, "C0104", NULL, NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: {file: b, owner: fed}}}}\n", 4, 57, "C0203",
     "identity.trust_domains[\"a\"].bundle.owner", "did you mean `feed`?"},
    {GOOD "identity: {trust_domains: {a: {bundle: {file: b, ower: feed}}}}\n", 4, 50, "C0101",
     "identity.trust_domains[\"a\"].bundle.ower", "did you mean `owner`?"},
    {GOOD "identity: {trust_domains: {a: {bundle: b, owner: feed}}}\n", 4, 43, "C0101", NULL, NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: b, crl: require}}}\n", 4, 48, "C0104",
     "identity.trust_domains[\"a\"].crl", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: b, crl: {missing: refuse}}}}\n", 4, 48, "C0103",
     "identity.trust_domains[\"a\"].crl", NULL},
    {GOOD "identity: {trust_domains: {a: {bundle: b, crl: {file: c, expired: maybe}}}}\n", 4, 67, "C0203",
     "identity.trust_domains[\"a\"].crl.expired", NULL},
    {GOOD "identity: {sources: [xfcc-text]}\n", 4, 22, "C0104", "identity.sources[0]", NULL},
    {GOOD "identity: {sources: [{xfcc-text: {hops: 1}}]}\n", 4, 34, "C0202", "identity.sources[0].xfcc-text", NULL},
    {GOOD "identity: {sources: [{xfcc-text: {missing_hash: fine}}]}\n", 4, 49, "C0203", NULL, NULL},
    {GOOD "identity: {sources: [{xfcc: {missing_hash: accept}}]}\n", 4, 30, "C0101", NULL, NULL},
    {GOOD "identity: {sources: [certificate, {xfcc-text: {hops: 0}}]}\n", 4, 35, "C0105", "identity.sources[1]", NULL},
    {GOOD "identity: {sources: [{xfcc-text: {hops: 0}}, {xfcc: {hops: 0}}]}\n", 4, 46, "C0105", "identity.sources[1]",
     NULL},
    {GOOD "identity: {sources: [{xfcc-text: {}}, {xfcc-text: {}}]}\n", 4, 39, "C0106", "identity.sources[1]", NULL},
    {GOOD "identity: {sources: [{xfcc-text: {}, xfcc: {}}]}\n", 4, 22, "C0104", "identity.sources[0]", NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {url: u}}}}\n", 4, 41, "C0102",
     "tokens.issuers[\"https://i\"].keys.url", NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {discovery: u}}}}\n", 4, 41, "C0102", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {workload-api: U}}}}\n", 4, 55, "C0206",
     "tokens.issuers[\"https://i\"].keys.workload-api", NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {workload-api: u, file: f}}}}\n", 4, 40, "C0105", NULL, NULL},
    {GOOD "tokens: {from: [authorization, cookie]}\n", 4, 16, "C0102", "tokens.from", NULL},
    {GOOD "audit: {journal: {mode: strict}}\n", 4, 25, "C0102", "audit.journal.mode", NULL},
    {GOOD "audit: {journal: {mode: tap}}\n", 4, 25, "C0102", "audit.journal.mode", NULL},
    {GOOD "identity: {trust_domains: {a: {}}}\n", 4, 31, "C0103", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {}}}\n", 4, 33, "C0103", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {file: k}, algorithms: []}}}\n", 4, 63, "C0202", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {file: k}, algorithms: [ES256, HS256]}}}\n", 4, 71, "C0203", NULL,
     NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {file: k}, algorithms: [none]}}}\n", 4, 64, "C0203", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {}}}}\n", 4, 40, "C0103", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {owner: operator}}}}\n", 4, 40, "C0103", NULL, NULL},
    {GOOD "tokens: {issuers: {\"https://i\": {keys: {file: f, owner: me}}}}\n", 4, 57, "C0203",
     "tokens.issuers[\"https://i\"].keys.owner", "it knows `operator`, `feed`"},
    {GOOD "listeners: [{mode: \"0660\"}]\n", 4, 13, "C0103", "listeners[0]", NULL},
    {GOOD "listeners: [{address: \"127.0.0.1:1\", mode: \"0660\"}]\n", 4, 44, "C0105", "listeners[0]", NULL},
    {GOOD "listeners: [{address: \"127.0.0.1:1\"}, {address: \"127.0.0.1:1\"}]\n", 4, 39, "C0106", "listeners[1]",
     NULL},
    {GOOD "identity: {sources: [certificate, certificate]}\n", 4, 35, "C0106", "identity.sources[1]", NULL},
    /* shapes */
    {GOOD "listeners: here\n", 4, 12, "C0104", "listeners", NULL},
    {GOOD "listeners: []\n", 4, 12, "C0202", "listeners", NULL},
    {GOOD "listeners: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n", 4, 12, "C0202", "listeners", NULL},
    {GOOD "listeners: [here]\n", 4, 13, "C0104", "listeners[0]", NULL},
    {GOOD "admin: here\n", 4, 8, "C0104", "admin", NULL},
    {GOOD "admin: {socket: [a]}\n", 4, 17, "C0104", "admin.socket", NULL},
    {GOOD "admin: {socket: \"\"}\n", 4, 17, "C0104", "admin.socket", NULL},
    {GOOD "identity: {sources: [{certificate: 1}]}\n", 4, 23, "C0101", NULL, NULL},
    {GOOD "identity: {sources: [{}]}\n", 4, 22, "C0104", NULL, NULL},
    /* values */
    {GOOD "limits: {headers: many}\n", 4, 19, "C0201", "limits.headers", NULL},
    {GOOD "limits: {headers: 0}\n", 4, 19, "C0202", "limits.headers", NULL},
    {GOOD "limits: {headers: 101}\n", 4, 19, "C0202", "limits.headers", NULL},
    {GOOD "limits: {headers: -1}\n", 4, 19, "C0201", "limits.headers", NULL},
    {GOOD "limits: {header_bytes: 65KiB}\n", 4, 24, "C0202", "limits.header_bytes", NULL},
    {GOOD "limits: {header_bytes: 64KB}\n", 4, 24, "C0201", "limits.header_bytes", NULL},
    {GOOD "limits: {request_bytes: 9223372036854775807GiB}\n", 4, 25, "C0201", NULL, NULL},
    {GOOD "limits: {queue: 99999999999999999999}\n", 4, 17, "C0201", NULL, NULL},
    {GOOD "audit: {journal: {max_bytes: 1}}\n", 4, 30, "C0202", "audit.journal.max_bytes", NULL},
    {GOOD "audit: {journal: {mode: bath}}\n", 4, 25, "C0203", "audit.journal.mode", "did you mean `batch`?"},
    {HEAD "policy: {path: p, enforcement: off}\n", 3, 32, "C0203", "policy.enforcement",
     "it knows `enforce`, `report`"},
    {GOOD "instance: \"a b\"\n", 4, 11, "C0204", "instance", NULL},
    {GOOD "admin: {socket: "
          "/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
          "123456789}\n",
     4, 17, "C0204", "admin.socket", NULL},
    {GOOD "listeners: [{address: \"localhost:1\"}]\n", 4, 23, "C0205", "listeners[0].address", NULL},
    {GOOD "listeners: [{address: \":1\"}]\n", 4, 23, "C0205", "listeners[0].address", NULL},
    {GOOD "listeners: [{address: \"127.0.0.1:0\"}]\n", 4, 23, "C0205", NULL, NULL},
    {GOOD "listeners: [{address: \"127.0.0.1:65536\"}]\n", 4, 23, "C0205", NULL, NULL},
    {GOOD "listeners: [{address: \"::1:80\"}]\n", 4, 23, "C0205", NULL, NULL},
    {GOOD "listeners: [{address: \"unix:@abstract\"}]\n", 4, 23, "C0205", NULL, NULL},
    {GOOD "listeners: [{address: \"unix://host/p\"}]\n", 4, 23, "C0205", NULL, NULL},
    {GOOD "listeners: [{address: \"unix:p\", mode: \"660\"}]\n", 4, 39, "C0209", "listeners[0].mode", NULL},
    {GOOD "listeners: [{address: \"unix:p\", mode: \"0668\"}]\n", 4, 39, "C0209", NULL, NULL},
    {GOOD "listeners: [{address: \"unix:p\", mode: \"0066\"}]\n", 4, 39, "C0209", NULL, NULL},
    {GOOD "listeners: [{address: \"unix:p\", allow_uids: []}]\n", 4, 45, "C0104", NULL, NULL},
    {GOOD "listeners: [{address: \"unix:p\", allow_uids: [0, root]}]\n", 4, 49, "C0201", "listeners[0].allow_uids[1]",
     NULL},
    {GOOD "audit: {tap: {bind: \"inproc://x\"}}\n", 4, 21, "C0205", "audit.tap.bind", NULL},
    {GOOD "audit: {tap: {bind: \"tcp://*:1\"}}\n", 4, 21, "C0205", "audit.tap.bind", NULL},
    {GOOD "identity: {trust_domains: {Prod: {bundle: b}}}\n", 4, 28, "C0206", NULL, NULL},
    {GOOD "identity: {sources: [{xfcc: {hops: 1, by: [\"spiffe://Prod/gw\"]}}]}\n", 4, 44, "C0207", NULL, NULL},
    {GOOD "identity: {sources: [{xfcc: {hops: 1, by: [\"spiffe://a/\"]}}]}\n", 4, 44, "C0207", NULL, NULL},
    {GOOD "identity: {sources: [{xfcc: {hops: 1}}]}\n", 4, 29, "C0202", "identity.sources[0].xfcc", NULL},
    {GOOD "identity: {sources: [{xfcc: {by: [\"spiffe://a/b\"]}}]}\n", 4, 29, "C0202", NULL, NULL},
    {GOOD "identity: {sources: [{xfcc: {hops: 8}}]}\n", 4, 36, "C0202", NULL, NULL},
    {GOOD "tokens: {resource_metadata: ftp://x}\n", 4, 29, "C0208", "tokens.resource_metadata", NULL},
    {GOOD "tokens: {resource_metadata: 'https://x/\"'}\n", 4, 29, "C0208", NULL, NULL},
    {GOOD "tokens: {issuers: {\"a b\": {keys: {file: f}}}}\n", 4, 20, "C0208", NULL, NULL},
};

static bool has_finding(const struct bad_file *bad)
{
    for (size_t i = 0; i < diags.count; i++) {
        const struct diag *diag = &diags.items[i];
        if (diag->severity == DIAG_ERROR && view_equals(diag->code, view_of(bad->code)) &&
            diag->span.line == bad->line && diag->span.column == bad->column &&
            (bad->path == NULL || view_equals(diag->path, view_of(bad->path))) &&
            (bad->hint == NULL || view_equals(diag->hint, view_of(bad->hint))))
            return true;
    }
    return false;
}

static void config_says_where_each_bad_file_is_wrong(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        struct config config;
        tear_down(NULL);
        set_up(NULL);
        enum err err = parse(bad_files[i].text, &config);
        if (err != ERR_INVALID || diags.errors != 1 || !has_finding(&bad_files[i])) {
            print_error("expected %s at %u:%u of\n%s\ngot:\n", bad_files[i].code, bad_files[i].line,
                        bad_files[i].column, bad_files[i].text);
            diag_list_print(&diags, stderr);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void config_finds_every_error_of_a_file(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(HEAD "polcy: {path: p}\nlimits: {headers: 0, queue: x}\nadmin: 1\n", &config), ERR_INVALID);
    assert_int_equal(diags.errors, 5); /* and policy.path is missing */
}

static void config_warns_of_a_listener_that_others_can_reach(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD "listeners: [{address: \"0.0.0.0:9191\"}]\n", &config), ERR_NONE);
    assert_int_equal(diags.count, 1);
    assert_true(view_equals(diags.items[0].code, VIEW("C0301")));
    tear_down(NULL);
    set_up(NULL);
    assert_int_equal(parse(GOOD "listeners: [{address: \"127.0.0.1:9191\"}]\n", &config), ERR_NONE);
    assert_int_equal(diags.count, 0);
}

static void config_accepts_the_ends_of_a_range_and_nothing_beyond(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD "limits: {streams: 10000, queue: 1, request_bytes: 8MiB}\n", &config), ERR_NONE);
    assert_int_equal(config.limits.request_bytes, 8 << 20);
    assert_int_equal(parse(GOOD "limits: {streams: 10001}\n", &config), ERR_INVALID);
}

static void config_takes_paths_from_its_own_folder(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(config_parse("config.yaml", VIEW(GOOD), &arena, &diags, &config), ERR_NONE);
    assert_string_equal(config.policy.path, "policy");
    assert_int_equal(config_parse("/config.yaml", VIEW(GOOD), &arena, &diags, &config), ERR_NONE);
    assert_string_equal(config.policy.path, "/policy");
    assert_int_equal(config_parse("a/b/config.yaml", VIEW(GOOD), &arena, &diags, &config), ERR_NONE);
    assert_string_equal(config.policy.path, "a/b/policy");
}

static void config_says_who_writes_a_bundle_or_key_set(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD "identity:\n  trust_domains:\n    a: {bundle: a.pem}\n    b: {bundle: {file: b.pem}}\n"
                                "    c: {bundle: {file: c.pem, owner: operator}}\n"
                                "    d: {bundle: {owner: feed, file: d.pem}}\n"
                                "tokens:\n  issuers:\n    \"https://a\": {keys: {file: a.json}}\n"
                                "    \"https://b\": {keys: {file: b.json, owner: feed}}\n",
                           &config),
                     ERR_NONE);
    static const char *const bundles[] = {"/etc/bartizan/a.pem", "/etc/bartizan/b.pem", "/etc/bartizan/c.pem",
                                          "/etc/bartizan/d.pem"};
    assert_int_equal(config.identity.domain_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(config.identity.domains[i].bundle, bundles[i]);
        assert_int_equal(config.identity.domains[i].is_owned_by_feed, i == 3);
    }
    assert_false(config.identity.domains[1].is_map);
    assert_string_equal(config.tokens.issuers[1].keys_file, "/etc/bartizan/b.json");
    assert_false(config.tokens.issuers[0].is_owned_by_feed);
    assert_true(config.tokens.issuers[1].is_owned_by_feed);
}

static void config_takes_bundles_from_a_map(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(parse(GOOD "identity:\n  trust_domains:\n    a: {bundle: {map: m.json}}\n"
                                "    b: {bundle: {map: /x/m.json, owner: feed}}\n    c: {bundle: {file: c.pem}}\n",
                           &config),
                     ERR_NONE);
    const struct trust_domain_config *domains = config.identity.domains;
    assert_string_equal(domains[0].bundle, "/etc/bartizan/m.json");
    assert_string_equal(domains[1].bundle, "/x/m.json");
    assert_true(domains[0].is_map && domains[1].is_map && !domains[2].is_map);
    assert_true(!domains[0].is_owned_by_feed && domains[1].is_owned_by_feed);
}

static void config_leaves_the_result_alone_when_it_refuses(void **state)
{
    (void)state;
    struct config config = {.limits.queue = 77};
    assert_int_equal(config_parse("c", VIEW(GOOD "limits: {queue: 5, headers: 0}\n"), &arena, &diags, &config),
                     ERR_INVALID);
    assert_int_equal(config.limits.queue, 77);
}

static void config_reports_a_small_arena(void **state)
{
    (void)state;
    struct config config;
    for (size_t ceiling = 0; ceiling < 256 * 1024; ceiling += 4096) {
        struct arena small;
        arena_init(&small, ceiling);
        enum err err =
            config_parse("c", VIEW(GOOD "limits: {queue: 5}\nadmin: {socket: a}\n"), &small, &diags, &config);
        assert_true(err == ERR_NONE || err == ERR_NO_MEMORY);
        arena_free(&small);
    }
}

static void config_read_tells_a_missing_file(void **state)
{
    (void)state;
    struct config config;
    assert_int_equal(config_read("/nonexistent/config.yaml", &arena, &diags, &config), ERR_IO);
    assert_int_equal(diags.errors, 1);
    assert_true(view_equals(diags.items[0].code, VIEW("C0001")));
}

static void config_keys_name_every_supported_key_with_a_meaning(void **state)
{
    (void)state;
    size_t count = 0;
    const struct config_key *keys = config_keys(&count);
    assert_true(count > 30);
    bool has_journal = false;
    for (size_t i = 0; i < count; i++) {
        assert_true(keys[i].path[0] != '\0' && keys[i].meaning[0] != '\0');
        assert_string_not_equal(keys[i].path, "audit.collectors");
        if (strcmp(keys[i].path, "audit.journal.path") == 0) {
            has_journal = true;
            assert_string_equal(keys[i].fallback, "/var/lib/bartizan/journal");
        }
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i].path, keys[k].path);
    }
    assert_true(has_journal);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(config_has_a_default_for_all_but_the_policy),
        CASE(config_reads_the_weaker_mode_which_is_off_unless_written),
        CASE(config_reads_every_key),
        CASE(signers_are_files_and_leave_is_for_one_revision),
        CASE(what_comes_from_the_workload_api_has_files_in_the_folder_of_feed),
        CASE(platform_owners_are_a_list_of_names),
        CASE(config_says_where_each_bad_file_is_wrong),
        CASE(config_finds_every_error_of_a_file),
        CASE(config_warns_of_a_listener_that_others_can_reach),
        CASE(config_accepts_the_ends_of_a_range_and_nothing_beyond),
        CASE(config_takes_paths_from_its_own_folder),
        CASE(config_says_who_writes_a_bundle_or_key_set),
        CASE(config_takes_bundles_from_a_map),
        CASE(config_leaves_the_result_alone_when_it_refuses),
        CASE(config_reports_a_small_arena),
        CASE(config_read_tells_a_missing_file),
        CASE(config_keys_name_every_supported_key_with_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
