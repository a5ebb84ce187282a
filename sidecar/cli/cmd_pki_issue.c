/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_print.h"
#include "cmd_pki.h"
#include "commands.h"
#include "folder_file.h"
#include "svid_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* What issue and renew take. */
struct request {
    const char *dir, *key, *ttl, *dns, *out;
};

/* ---- where an SVID is written: NAME.pem and NAME.key of one folder ---- */

struct target {
    char path[PATH_MAX]; /* the folder, then a slash, then the name without its ending */
    const char *name;    /* within path */
    int folder;
};

static void target_close(struct target *target)
{
    descriptor_close(&target->folder);
}

/* `base` without .pem. Not locked: the authority is, and its folder may be this one. */
static int target_open(struct target *target, struct view base)
{
    target->folder = -1;
    if (base.size == 0 || base.size >= sizeof target->path - 8 || base.data[base.size - 1] == '/') {
        fprintf(stderr, "bartizan: `%.*s` is no name of a file\n", VIEW_ARG(base));
        return EXIT_USAGE;
    }
    memcpy(target->path, base.data, base.size);
    target->path[base.size] = '\0';
    if (folder_file_open(target->path, &target->folder, &target->name) == ERR_NONE)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %s: %s\n", target->path, strerror(errno));
    return EXIT_IO;
}

static int write_file(const struct target *target, const char *ending, mode_t mode, struct view text, bool replaces)
{
    char name[NAME_MAX + 1];
    if (snprintf(name, sizeof name, "%s%s", target->name, ending) >= (int)sizeof name) {
        fprintf(stderr, "bartizan: `%s` is too long a name\n", target->name);
        return EXIT_USAGE;
    }
    enum err err = !view_is_present(text) ? ERR_NO_MEMORY
                   : replaces             ? folder_file_replace(target->folder, name, mode, text)
                                          : folder_file_create(target->folder, name, mode, text);
    if (err == ERR_NONE)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %s%s: %s\n", target->path, ending, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

/* The leaf, and the intermediate behind it, as a TLS server or client presents them. */
static int write_svid(const struct target *target, struct authority *authority, X509 *certificate, EVP_PKEY *key,
                      bool replaces)
{
    X509 *const chain[] = {certificate, authority->signers[0].certificate};
    int code = write_file(target, ".key", 0600, key_pair_print(key, &authority->arena), replaces);
    return code == EXIT_GOOD ? write_file(target, ".pem", 0644, bundle_print_pem(chain, 2, &authority->arena), replaces)
                             : code;
}

/* Asked before anything is issued: a certificate whose key could not be written is of no use. */
static int check_absent(const struct target *target)
{
    static const char *const endings[] = {".key", ".pem"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char name[NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%s%s", target->name, endings[i]);
        if (faccessat(target->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        fprintf(stderr, "bartizan: %s%s exists and is not overwritten; `bartizan pki renew` replaces an SVID\n",
                target->path, endings[i]);
        return EXIT_FAILED;
    }
    return EXIT_GOOD;
}

/* ---- what both do ---- */

static int read_ttl(const struct usage *usage, const char *text, int64_t now, int64_t *lifetime)
{
    int64_t end = 0;
    if (text == NULL)
        return EXIT_GOOD;
    if (!time_or_duration_parse(view_of(text), now, &end) || end <= now)
        return usage_error(usage, "`--ttl` is a duration like 30m, 24h, 7d or an RFC 3339 time to come");
    *lifetime = end - now;
    return EXIT_GOOD;
}

static int read_dns(const struct usage *usage, const char *text, struct authority_svid *svid,
                    struct view names[CERTIFICATE_DNS_MAX])
{
    struct view rest = view_of(text);
    while (view_is_present(rest)) {
        size_t comma = view_index_of(rest, ',', 0);
        struct view name = view_slice(rest, 0, comma);
        if (!certificate_dns_is_valid(name) || svid->dns_count == CERTIFICATE_DNS_MAX)
            return usage_error(usage, "`--dns` lists up to %d host names with commas between; `%.*s` is none",
                               CERTIFICATE_DNS_MAX, VIEW_ARG(name));
        names[svid->dns_count++] = name;
        rest = comma < rest.size ? view_slice(rest, comma + 1, rest.size) : (struct view){0};
    }
    svid->dns = names;
    return EXIT_GOOD;
}

static int issue_into(struct authority *authority, struct authority_svid *svid, const struct target *target,
                      enum key_pair_kind kind, bool replaces)
{
    AUTO(key_pair_drop) EVP_PKEY *key = svid->key = key_pair_generate(kind);
    AUTO(certificate_drop) X509 *certificate = NULL;
    if (key == NULL)
        return exit_code_of(ERR_NO_MEMORY);
    enum err err = authority_issue(authority, svid, &certificate);
    if (err != ERR_NONE)
        return pki_report(authority, err);
    int code = write_svid(target, authority, certificate, key, replaces);
    if (code == EXIT_GOOD)
        printf("%.*s until %.*s: %s.pem, %s.key\n", VIEW_ARG(svid->spiffe_id),
               VIEW_ARG(time_print(authority->now + svid->lifetime, &authority->arena)), target->path, target->path);
    return code;
}

/* ---- pki issue ---- */

/* A path stands for an ID of the authority's own domain. */
static struct view full_id(struct authority *authority, const char *text)
{
    return text[0] == '/' ? arena_print(&authority->arena, "spiffe://%s%s", authority->trust_domain, text)
                          : view_of(text);
}

/* "ns-search-sa-web" for .../ns/search/sa/web */
static struct view name_of(struct authority *authority, struct view id)
{
    size_t slash = view_index_of(id, '/', sizeof "spiffe://" - 1);
    if (slash + 1 >= id.size)
        return VIEW("svid"); /* an ID that will be refused */
    struct view name = arena_copy(&authority->arena, view_slice(id, slash + 1, id.size));
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '/')
            ((char *)name.data)[i] = '-';
    return name;
}

static int issue(const struct usage *usage, const struct request *request, const char *id)
{
    AUTO(authority_close) struct authority authority;
    struct view names[CERTIFICATE_DNS_MAX];
    struct authority_svid svid = {.lifetime = AUTHORITY_SVID_SECONDS};
    enum key_pair_kind kind;
    enum err err =
        authority_open(request->dir ? request->dir : DEFAULT_PKI, AUTHORITY_SIGNS, now_seconds(), &authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    svid.spiffe_id = full_id(&authority, id);
    int code = read_ttl(usage, request->ttl, authority.now, &svid.lifetime);
    code = code == EXIT_GOOD ? read_dns(usage, request->dns, &svid, names) : code;
    if (code == EXIT_GOOD && !pki_key_kind(request->key, &kind))
        code = usage_error(usage, "`--key` is p256, p384 or rsa3072, not `%s`", request->key);
    if (code != EXIT_GOOD)
        return code;
    AUTO(target_close) struct target target;
    code = target_open(&target, request->out ? view_of(request->out) : name_of(&authority, svid.spiffe_id));
    code = code == EXIT_GOOD ? check_absent(&target) : code;
    return code == EXIT_GOOD ? issue_into(&authority, &svid, &target, kind, false) : code;
}

int cmd_pki_issue(int argc, char **argv)
{
    struct request request = {0};
    const char *id = NULL;
    size_t count = 0;
    const struct option_spec options[] = {
        {"dir", "DIR", "the folder of the authority (default " DEFAULT_PKI ")", &request.dir},
        {"out", "NAME", "writes NAME.pem and NAME.key (default: made of the ID's path)", &request.out},
        {"ttl", "T", "how long it lives (default 24h, at most 90d)", &request.ttl},
        {"dns", "A,B", "DNS names beside the ID, for TLS servers", &request.dns},
        {"key", "p256|p384|rsa3072", "the kind of key (default p256)", &request.key}};
    const struct usage usage = {
        .line = "bartizan pki issue SPIFFE_ID|/PATH [--dir DIR] [--out NAME] [--ttl T] [--dns A,B] [--key KIND]",
        .summary = "Issues an X.509-SVID with a new key: NAME.pem has the leaf and the intermediate behind it,\n"
                   "NAME.key (mode 0600) the key. Neither is overwritten.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &id, &count);
    return code == OPTIONS_GO_ON ? issue(&usage, &request, id) : code;
}

/* ---- pki renew ---- */

/* The kind that a new key is to have. */
static bool kind_of(X509 *certificate, enum key_pair_kind *out)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int bits = key ? EVP_PKEY_get_bits(key) : 0;
    *out = bits == 384 ? KEY_PAIR_P384 : bits == 256 ? KEY_PAIR_P256 : KEY_PAIR_RSA3072;
    return key != NULL && (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA || bits == 256 || bits == 384);
}

static int renew_certificate(const struct usage *usage, const struct request *request, struct authority *authority,
                             X509 *old, const struct target *target)
{
    struct svid_report report;
    enum key_pair_kind kind;
    enum err err = svid_report_make(old, authority->now, &authority->arena, &report);
    if (err != ERR_NONE || !kind_of(old, &kind)) {
        fprintf(stderr, "bartizan: %s.pem cannot be read\n", target->path);
        return EXIT_DATA;
    }
    if (!authority_has_issued(authority, old)) {
        fprintf(stderr, "bartizan: %s.pem was not issued by this authority\n", target->path);
        return EXIT_FAILED;
    }
    if (authority_has_revoked(authority, old)) {
        fprintf(stderr, "bartizan: %s.pem is revoked; `bartizan pki issue` it anew if that is meant\n", target->path);
        return EXIT_FAILED;
    }
    struct authority_svid svid = {.spiffe_id = report.spiffe_id,
                                  .dns = report.dns,
                                  .dns_count = report.dns_count,
                                  .lifetime = report.not_after - report.not_before - CERTIFICATE_BACKDATE};
    int code = read_ttl(usage, request->ttl, authority->now, &svid.lifetime);
    return code == EXIT_GOOD ? issue_into(authority, &svid, target, kind, true) : code;
}

static int renew(const struct usage *usage, const struct request *request, const char *path)
{
    enum { CHAIN_MOST = 8 };
    X509 *chain[CHAIN_MOST] = {0};
    size_t count = 0;
    struct view name = view_of(path);
    AUTO(authority_close) struct authority authority;
    enum err err =
        authority_open(request->dir ? request->dir : DEFAULT_PKI, AUTHORITY_SIGNS, now_seconds(), &authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    if (!view_ends_with(name, VIEW(".pem")))
        return usage_error(usage, "`%s` does not end in .pem", path);
    AUTO(target_close) struct target target;
    int code = target_open(&target, view_slice(name, 0, name.size - 4));
    if (code == EXIT_GOOD)
        code = pki_read_certificates(path, &authority.arena, chain, CHAIN_MOST, &count);
    if (code == EXIT_GOOD)
        code = renew_certificate(usage, request, &authority, chain[0], &target);
    for (size_t i = 0; i < count; i++)
        X509_free(chain[i]);
    return code;
}

int cmd_pki_renew(int argc, char **argv)
{
    struct request request = {0};
    const char *path = NULL;
    size_t count = 0;
    const struct option_spec options[] = {
        {"dir", "DIR", "the folder of the authority (default " DEFAULT_PKI ")", &request.dir},
        {"ttl", "T", "how long it lives (default: as long as the one before)", &request.ttl}};
    const struct usage usage = {
        .line = "bartizan pki renew NAME.pem [--dir DIR] [--ttl T]",
        .summary = "Issues the SVID of NAME.pem again, for the same ID and names, with a new key, and puts both in\n"
                   "the place of NAME.key and NAME.pem, the key first. What was revoked is not renewed.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    return code == OPTIONS_GO_ON ? renew(&usage, &request, path) : code;
}
