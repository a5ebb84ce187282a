/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "config_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024 };

static read_value read_section;

#define OF(type, member) offsetof(struct type, member)
#define SIZE_MIB (1024ULL * 1024)

/* Every key there is. VALUE(path, reader, offset, low, high, words, default, meaning); SECTION holds further keys;
 * REFUSED keys belong to the design, and this version must not pass over them as if they were in force. */
/* clang-format off */
#define CONFIG_FIELDS(VALUE, SECTION, REFUSED) \
    VALUE("apiVersion", config_read_constant, 0, 0, 0, "bartizan.dev/v1alpha1", "", "`bartizan.dev/v1alpha1`; required") \
    VALUE("kind", config_read_constant, 0, 0, 0, "SidecarConfig", "", "`SidecarConfig`; required") \
    VALUE("instance", config_read_text, OF(config, instance), 0, 0, "", "", "name of this sidecar in records; the host name unless given") \
    VALUE("listeners", config_read_listeners, 0, 1, LISTENERS_MAX, "", "", "where Envoy asks; unix:///run/bartizan/check.sock unless given") \
    VALUE("listeners[].address", config_read_listener_address, 0, 0, 0, "", "", "unix:///PATH, ADDRESS:PORT or [ADDRESS]:PORT; required") \
    VALUE("listeners[].mode", config_read_mode, OF(listener_config, mode), 0, 0, "", "0660", "permissions of the socket file") \
    VALUE("listeners[].group", config_read_name, OF(listener_config, group), 0, 0, "", "", "group of the socket file; unchanged unless given") \
    VALUE("listeners[].allow_uids", config_read_uids, 0, 0, UINT32_MAX, "", "", "user ids that may ask on a unix socket; every one that the mode admits unless given") \
    SECTION("identity") \
    VALUE("identity.sources", config_read_sources, 0, 1, IDENTITY_SOURCES_MAX, "", "", "where the caller's certificate is: `certificate`, `{xfcc: ..}`; or `{xfcc-text: ..}` alone; [certificate] unless given") \
    VALUE("identity.sources[].xfcc", config_read_xfcc, 0, 0, 0, "", "", "x-forwarded-client-cert, written by proxies in front") \
    VALUE("identity.sources[].xfcc.hops", config_read_number, OF(identity_source, hops), 0, 7, "", "0", "trusted proxies in front of this one's Envoy") \
    VALUE("identity.sources[].xfcc.by", config_read_by, 0, 0, 0, "", "", "SPIFFE IDs of the trusted proxies, exactly `hops` of them") \
    VALUE("identity.sources[].xfcc-text", config_read_xfcc_text, 0, 0, 0, "", "", "the weaker mode: the URI and Hash that proxies write into x-forwarded-client-cert are believed where no certificate is there; only rules that say `proof: xfcc-text` take it") \
    VALUE("identity.sources[].xfcc-text.hops", config_read_number, OF(identity_source, hops), 0, 7, "", "0", "trusted proxies in front of this one's Envoy") \
    VALUE("identity.sources[].xfcc-text.by", config_read_by, 0, 0, 0, "", "", "SPIFFE IDs of the trusted proxies, exactly `hops` of them") \
    VALUE("identity.sources[].xfcc-text.missing_hash", config_read_choice, OF(identity_source, accepts_missing_hash), 0, 0, "refuse|accept", "refuse", "an element without Hash, as a waypoint writes it") \
    VALUE("identity.trust_domains", config_read_domains, 0, 0, 256, "", "", "trust domains by name whose workloads can be proved") \
    VALUE("identity.trust_domains.{}.bundle", config_read_bundle, 0, 0, 0, "", "", "its authorities: FILE, {file: FILE, owner: feed}, {map: FILE} or `workload-api`; required") \
    VALUE("identity.trust_domains.{}.bundle.file", config_read_path, OF(trust_domain_config, bundle), 0, 0, "", "", "PEM certificates or a SPIFFE bundle document; this or `map`") \
    VALUE("identity.trust_domains.{}.bundle.map", config_read_bundle_map, 0, 0, 0, "", "", "a SPIFFE bundle map with the documents of many domains, each of which may name it; one that it does not have is trusted no more") \
    VALUE("identity.trust_domains.{}.bundle.owner", config_read_choice, OF(trust_domain_config, is_owned_by_feed), 0, 0, "operator|feed", "operator", "who writes the file: `operator`, then it must be there; `feed`, another process, then it may come later") \
    VALUE("identity.trust_domains.{}.crl", config_read_crl, 0, 0, 0, "", "", "its revocation lists, {file: FILE} or {from: workload-api}; without it certificates are revoked by the deny list alone") \
    VALUE("identity.trust_domains.{}.crl.file", config_read_path, OF(trust_domain_config, crl), 0, 0, "", "", "CRLs in PEM, or one in DER; this or `from`") \
    VALUE("identity.trust_domains.{}.crl.from", config_read_crl_origin, 0, 0, 0, "workload-api", "", "`workload-api`: the lists that come with its bundle") \
    VALUE("identity.trust_domains.{}.crl.missing", config_read_choice, OF(trust_domain_config, accepts_missing_crl), 0, 0, "refuse|accept", "refuse", "a certificate whose issuer has no list in the file") \
    VALUE("identity.trust_domains.{}.crl.expired", config_read_choice, OF(trust_domain_config, accepts_expired_crl), 0, 0, "refuse|accept", "refuse", "a certificate whose issuer's list is past its nextUpdate") \
    REFUSED("identity.trust_domains.{}.strict") \
    VALUE("identity.revocations", config_read_revocations, 0, 1, 16, "", "", "folders with deny lists (*.yaml, *.revocations); `bartizan revoke` writes to the first, which is made when it is missing") \
    VALUE("identity.revocation_signers", config_read_revocation_signers, 0, 1, 16, "", "", "PEM files with Ed25519 public keys: only deny lists that one of them has signed are taken") \
    SECTION("tokens") \
    VALUE("tokens.from", config_read_token_sources, 0, 0, 0, "", "", "headers that carry the user's token; [authorization] is the only one") \
    VALUE("tokens.issuers", config_read_issuers, 0, 0, 64, "", "", "keys of token issuers by `iss`; what their claims mean is policy") \
    VALUE("tokens.issuers.{}.keys", config_read_keys, 0, 0, 0, "", "", "where the issuer's keys are; required") \
    VALUE("tokens.issuers.{}.keys.file", config_read_path, OF(issuer_config, keys_file), 0, 0, "", "", "a JWK Set file; this or `workload-api`") \
    VALUE("tokens.issuers.{}.keys.owner", config_read_choice, OF(issuer_config, is_owned_by_feed), 0, 0, "operator|feed", "operator", "who writes the file: `operator`, then it must be there; `feed`, another process, then it may come later") \
    VALUE("tokens.issuers.{}.algorithms", config_read_algorithms, 0, 1, 11, "", "", "that its tokens may be signed with, of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519; all but the last two unless given") \
    REFUSED("tokens.issuers.{}.keys.url") \
    REFUSED("tokens.issuers.{}.keys.discovery") \
    VALUE("tokens.issuers.{}.keys.workload-api", config_read_trust_domain, OF(issuer_config, workload_api), 0, 0, "", "", "the trust domain whose JWT bundle, of the SPIFFE Workload API, has the keys") \
    VALUE("tokens.resource_metadata", config_read_url, OF(config, tokens.resource_metadata), 0, 0, "", "", "RFC 9728 URL, sent in WWW-Authenticate; not sent unless given") \
    SECTION("workload_api") \
    VALUE("workload_api.endpoint", config_read_workload_endpoint, OF(config, workload_api.endpoint), 0, 0, "", "", "its address, unix:///PATH or tcp://IP:PORT; what SPIFFE_ENDPOINT_SOCKET says unless given") \
    VALUE("workload_api.folder", config_read_path, OF(config, workload_api.folder), 0, 0, "", "/var/lib/bartizan/feed", "folder in which `bartizan feed` keeps what it fetched; made when it is missing") \
    VALUE("workload_api.max_age", config_read_duration, OF(config, workload_api.max_age), 2, 30 * 86400, "", "1h", "what the Workload API has not confirmed for so long is trusted no more: 90s, 15m, 1h, 7d") \
    VALUE("workload_api.process", config_read_choice, OF(config, workload_api.is_separate), 0, 0, "child|separate", "child", "`child`: `serve` runs `bartizan feed`; `separate`: somebody else does") \
    SECTION("policy") \
    VALUE("policy.path", config_read_path, OF(config, policy.path), 0, 0, "", "", "policy file, of YAML or compiled, or folder of *.yaml or of one *.bzpl; required") \
    VALUE("policy.enforcement", config_read_word, OF(config, policy.enforcement), 0, 0, "enforce|report", "enforce", "`report` allows everything and records what would have been refused") \
    VALUE("policy.shadow", config_read_path, OF(config, policy.shadow), 0, 0, "", "", "a second policy, judged on every check and never enforced: where it differs is counted and recorded") \
    VALUE("policy.platform_owners", config_read_platform_owners, 0, 1, 64, "", "", "owners whose documents may have rules of priority 8 to 15; nobody's unless given") \
    SECTION("policy.compile") \
    VALUE("policy.compile.child_above", config_read_long_size, OF(config, policy.compile.child_above), 0, 64 * SIZE_MIB, "", "1MiB", "a policy of more text is compiled by a process of its own, within the two limits below") \
    VALUE("policy.compile.memory", config_read_long_size, OF(config, policy.compile.memory), 16 * SIZE_MIB, SIZE_MIB << 14, "", "512MiB", "memory that this process may take: some 40 times the text") \
    VALUE("policy.compile.seconds", config_read_number, OF(config, policy.compile.seconds), 1, 3600, "", "60", "CPU time that it may take") \
    VALUE("policy.signers", config_read_signers, 0, 1, 16, "", "", "PEM files with Ed25519 public keys: only a compiled policy that one of them has signed is taken") \
    SECTION("policy.accept") \
    VALUE("policy.accept.revision", config_read_revision, OF(config, policy.accept.revision), 1, INT64_MAX, "", "", "a revision that is taken although a higher one was in force or its time has run out; needs `until` and `reason`") \
    VALUE("policy.accept.until", config_read_time, OF(config, policy.accept.until), 0, 0, "", "", "when that ends, RFC 3339") \
    VALUE("policy.accept.reason", config_read_sentence, OF(config, policy.accept.reason), 0, 0, "", "", "why, for the record") \
    SECTION("audit") \
    SECTION("audit.journal") \
    VALUE("audit.journal.path", config_read_path, OF(config, audit.journal.path), 0, 0, "", "/var/lib/bartizan/journal", "folder of the audit journal; made when it is missing") \
    VALUE("audit.journal.mode", config_read_word, OF(config, audit.journal.mode), 0, 0, "batch|(strict|(tap", "batch", "`batch` syncs to the disk within a second; what a full disk cannot take is counted, and a later record tells it") \
    VALUE("audit.journal.max_bytes", config_read_long_size, OF(config, audit.journal.max_bytes), SIZE_MIB, SIZE_MIB << 20, "", "256MiB", "of all segments; the oldest go first") \
    SECTION("audit.tap") \
    VALUE("audit.tap.bind", config_read_endpoint, OF(config, audit.tap.bind), 0, 0, "", "", "ZeroMQ endpoint of the live stream of records; none unless given") \
    REFUSED("audit.collectors") \
    VALUE("audit.subject_key", config_read_path, OF(config, audit.subject_key), 0, 0, "", "", "file with a key of 16 to 4096 bytes, under which users are hashed in records; plain unless given") \
    SECTION("admin") \
    VALUE("admin.address", config_read_admin, 0, 0, 0, "", "", "ADDRESS:PORT or :PORT for health, readiness and metrics; none unless given") \
    VALUE("admin.socket", config_read_socket, OF(config, admin.socket), 0, 0, "", "/run/bartizan/admin.sock", "unix socket for `status`, `revoke` and reload") \
    SECTION("limits") \
    VALUE("limits.headers", config_read_number, OF(config, limits.headers), 1, 100, "", "100", "request headers") \
    VALUE("limits.header_bytes", config_read_size, OF(config, limits.header_bytes), 1024, 64 * 1024, "", "64KiB", "names and values of all headers") \
    VALUE("limits.request_bytes", config_read_size, OF(config, limits.request_bytes), 4096, 8 * SIZE_MIB, "", "1MiB", "one check request, body included") \
    VALUE("limits.connections", config_read_number, OF(config, limits.connections), 1, 4096, "", "64", "open connections") \
    VALUE("limits.streams", config_read_number, OF(config, limits.streams), 1, 10000, "", "256", "checks at a time on one connection") \
    VALUE("limits.queue", config_read_number, OF(config, limits.queue), 1, 65536, "", "1024", "checks that wait for a certificate or token to be verified") \
    VALUE("limits.caller_cache", config_read_long_size, OF(config, limits.caller_cache), SIZE_MIB, 1024 * SIZE_MIB, "", "4MiB", "memory for verified callers, of whom one takes some 5 KiB; the least used make room") \
    VALUE("limits.token_cache", config_read_long_size, OF(config, limits.token_cache), SIZE_MIB, 1024 * SIZE_MIB, "", "4MiB", "the same for verified tokens")
/* clang-format on */

#define NO_ROW(...)
#define VALUE_ROW(path_, reader_, offset_, low_, high_, words_, fallback_, meaning_)                                   \
    {.path = (path_),                                                                                                  \
     .read = (reader_),                                                                                                \
     .offset = (offset_),                                                                                              \
     .low = (low_),                                                                                                    \
     .high = (high_),                                                                                                  \
     .words = (words_),                                                                                                \
     .fallback = (fallback_)},
#define SECTION_ROW(path_) {.path = (path_), .read = read_section, .words = "", .fallback = ""},
#define REFUSED_ROW(path_) {.path = (path_), .words = "", .fallback = ""},
static const struct field fields[] = {CONFIG_FIELDS(VALUE_ROW, SECTION_ROW, REFUSED_ROW)};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

#define KEY_ROW(path_, reader_, offset_, low_, high_, words_, fallback_, meaning_)                                     \
    {.path = (path_), .meaning = (meaning_), .fallback = (fallback_)},
static const struct config_key documented[] = {CONFIG_FIELDS(KEY_ROW, NO_ROW, NO_ROW)};

const struct config_key *config_keys(size_t *count)
{
    *count = sizeof documented / sizeof documented[0];
    return documented;
}

/* The key that `path` adds to `prefix`, or the absent view when it is not directly below. */
static struct view key_below(const char *path, struct view prefix)
{
    struct view text = view_of(path);
    if (!view_is_empty(prefix)) {
        if (!view_starts_with(text, prefix) || text.size <= prefix.size || text.data[prefix.size] != '.')
            return (struct view){0};
        text = view_slice(text, prefix.size + 1, text.size);
    }
    bool is_direct = !view_is_empty(text) && memchr(text.data, '.', text.size) == NULL &&
                     memchr(text.data, '[', text.size) == NULL && memchr(text.data, '{', text.size) == NULL;
    return is_direct ? text : (struct view){0};
}

static const struct field *field_find(struct view prefix, struct view key)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        struct view known = key_below(fields[i].path, prefix);
        if (view_is_present(known) && view_equals(known, key))
            return &fields[i];
    }
    return NULL;
}

static void complain_unknown(const struct task *task, struct view key)
{
    struct view known[FIELD_COUNT], hint = {0};
    size_t count = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        known[count] = key_below(fields[i].path, task->at.schema);
        count += view_is_present(known[count]) ? 1 : 0;
    }
    struct view nearest = diag_nearest(key, known, count);
    if (view_is_present(nearest))
        hint = config_print(task->reader, "did you mean `%.*s`?", VIEW_ARG(nearest));
    config_complain(task, "C0101", hint, "unknown key `%.*s`", VIEW_ARG(key));
}

/* Defaults go through the readers of the keys themselves, so that what the manual says is what happens. */
void config_set_fallbacks(struct reader *reader, struct view prefix, char *target)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct field *field = &fields[i];
        struct view path = view_of(field->path), below = view_slice(path, prefix.size, path.size);
        bool is_below = view_starts_with(path, prefix) && memchr(below.data, '[', below.size) == NULL &&
                        memchr(below.data, '{', below.size) == NULL;
        if (!is_below || field->fallback[0] == '\0')
            continue;
        struct node node = {.kind = NODE_SCALAR, .text = view_of(field->fallback), .is_plain = true};
        struct task task = {.reader = reader, .field = field, .at = {path, path}, .node = &node};
        field->read(&task, target + field->offset);
    }
}

/* Reads a map whose keys are described under task->at.schema. */
void config_read_map(const struct task *task, char *target)
{
    struct reader *reader = task->reader;
    const struct node *node = task->node;
    if (node->kind != NODE_MAP) {
        config_complain(task, "C0104", (struct view){0}, "a map of keys is expected here");
        return;
    }
    const char *dot = view_is_empty(task->at.schema) ? "" : ".";
    for (size_t i = 0; i < node->count; i++) {
        struct view key = node->keys[i]->text;
        struct task below = {.reader = reader, .field = field_find(task->at.schema, key), .node = node->keys[i]};
        below.at.schema = below.field ? view_of(below.field->path) : task->at.schema;
        below.at.shown = config_print(reader, "%.*s%s%.*s", VIEW_ARG(task->at.shown), dot, VIEW_ARG(key));
        if (below.field == NULL) {
            complain_unknown(&below, key);
        } else if (below.field->read == NULL) {
            config_complain(&below, "C0102", (struct view){0}, "`%.*s` is not supported in this version",
                            VIEW_ARG(key));
        } else {
            below.node = node->items[i];
            below.field->read(&below, target + below.field->offset);
        }
    }
}

static void read_section(const struct task *task, void *target)
{
    config_read_map(task, target);
}

/* Leave is given for one revision, for a time and for a reason, and means something for signed policies alone. */
static void check_accept(const struct task *root, const struct node *policy, const struct config *config)
{
    static const char *const keys[] = {"revision", "until", "reason"};
    struct task task = *root;
    task.node = node_get(policy, VIEW("accept"));
    if (task.node == NULL || task.node->kind != NODE_MAP)
        return;
    task.at.shown = VIEW("policy.accept");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        config_expect_key(&task, node_get(task.node, view_of(keys[i])) != NULL, keys[i]);
    if (config->policy.signer_count == 0)
        config_complain(&task, "C0105", VIEW("name the keys under `policy.signers`"),
                        "`accept` means something for signed policies only");
}

/* The parts that have no key of their own in the file. */
static void finish(const struct task *root, struct config *config)
{
    struct reader *reader = root->reader;
    config_expect_key(root, node_get(root->node, VIEW("apiVersion")) != NULL, "apiVersion");
    config_expect_key(root, node_get(root->node, VIEW("kind")) != NULL, "kind");
    const struct node *policy = node_get(root->node, VIEW("policy"));
    if (node_get(policy, VIEW("path")) == NULL) {
        struct task section = *root;
        section.node = policy ? policy : root->node;
        config_expect_key(&section, false, policy ? "path" : "policy.path");
    }
    check_accept(root, policy, config);
    config_place_feed(root, config);
    if (config->listener_count == 0)
        config_set_default_listener(reader, config);
    if (config->identity.source_count == 0)
        config->identity.source_count = 1; /* zeroed, it is SOURCE_CERTIFICATE */
    char host[256] = "";
    if (view_is_empty(config->instance) && gethostname(host, sizeof host - 1) == 0)
        config->instance = arena_copy(reader->arena, view_of(host));
}

static struct view folder_of(struct view file)
{
    size_t end = file.size;
    while (end > 0 && file.data[end - 1] != '/')
        end--;
    return end > 1 ? view_slice(file, 0, end - 1) : view_slice(file, 0, end);
}

enum err config_parse(const char *file, struct view text, struct arena *arena, struct diag_list *diags,
                      struct config *out)
{
    struct document document = {0};
    struct view name = view_of(file);
    size_t errors = diags->errors;
    TRY(document_parse(name, text, arena, diags, &document));
    if (document.count != 1) {
        const struct span whole = {.file = name, .text = text};
        diag_error(diags, "C0002", document.count ? &document.roots[1]->span : &whole,
                   "a configuration is one YAML document, not %zu", document.count);
        return ERR_INVALID;
    }
    struct config config = {.file = arena_copy(arena, name).data};
    struct reader reader = {.arena = arena, .diags = diags, .folder = folder_of(name)};
    struct task root = {.reader = &reader, .node = document.roots[0]};
    config_set_fallbacks(&reader, VIEW(""), (char *)&config);
    config_read_map(&root, (char *)&config);
    if (root.node->kind == NODE_MAP)
        finish(&root, &config);
    if (reader.is_out_of_memory || config.file == NULL)
        return ERR_NO_MEMORY;
    if (diags->errors > errors)
        return ERR_INVALID;
    *out = config;
    return ERR_NONE;
}

static void free_text(char **text)
{
    free(*text);
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

enum err config_read(const char *file, struct arena *arena, struct diag_list *diags, struct config *out)
{
    AUTO(close_file) FILE *in = fopen(file, "re");
    /* Not the arena's, which stays: of this, only what the file fills is ever touched. */
    AUTO(free_text) char *text = in ? malloc(FILE_MAX + 1) : NULL;
    if (in != NULL && text == NULL)
        return ERR_NO_MEMORY;
    size_t size = in ? fread(text, 1, FILE_MAX + 1, in) : 0;
    const struct span whole = {.file = view_of(file)};
    if (in == NULL || ferror(in)) {
        diag_error(diags, "C0001", &whole, "the configuration cannot be read: %s", strerror(errno));
        return ERR_IO;
    }
    if (size > FILE_MAX) {
        diag_error(diags, "C0001", &whole, "the configuration has more than %d bytes", (int)FILE_MAX);
        return ERR_INVALID;
    }
    struct view copy = arena_copy(arena, (struct view){text, size});
    return view_is_present(copy) ? config_parse(file, copy, arena, diags, out) : ERR_NO_MEMORY;
}
