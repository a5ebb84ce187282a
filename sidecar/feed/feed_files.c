/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_files.h"

#include "bio_text.h"
#include "bundle_map.h"
#include "bundle_print.h"
#include "folder_file.h"
#include "jwks.h"
#include "trust_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MODE = 0640, FILE_MOST = 16 * 1024 * 1024, REFRESH_HINT = 300 };

static const char origin[] = "workload-api";

/* The authorities that the answer has for one trust domain. */
struct authorities {
    const struct trust_domain_config *domain;
    X509 *items[TRUST_BUNDLE_AUTHORITIES_MAX];
    size_t count;
    bool is_named; /* the answer has the domain */
};

/* One build. */
struct build {
    const struct config *config;
    const struct workload_message *message;
    struct arena *arena;
    struct diag_list *diags;
    struct authorities *domains;
    size_t domain_count;
    X509_CRL *lists[WORKLOAD_CRLS_MAX];
    size_t list_count;
    struct feed_files *out;
};

static enum err refuse(const struct build *b, struct view domain, const char *message)
{
    const struct span span = {.file = view_of(origin)};
    if (view_is_present(domain))
        diag_error(b->diags, "E1101", &span, "trust domain %.*s: %s", VIEW_ARG(domain), message);
    else
        diag_error(b->diags, "E1101", &span, "%s", message);
    return ERR_INVALID;
}

static void warn(const struct build *b, const char *code, struct view message)
{
    diag_add(b->diags, &(struct diag){.severity = DIAG_WARNING,
                                      .code = view_of(code),
                                      .span = {.file = view_of(origin)},
                                      .message = message});
}

static void add_file(struct feed_files *files, const char *path, struct view text)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].path, path) == 0)
            return; /* two issuers with one trust domain */
    files->items[files->count++] = (struct feed_file){.path = path, .text = text};
}

static enum err make_room(const struct config *config, struct arena *arena, struct feed_files *out)
{
    *out = (struct feed_files){0};
    size_t most = config->identity.domain_count + config->tokens.issuer_count + 1;
    out->items = arena_take_array(arena, most, sizeof *out->items);
    return out->items != NULL ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- certificates -------------------------------------------------------- */

/* One certificate of `der`, which is moved behind it; a cut or a longer one does not fit. */
static enum err take_certificate(const struct build *b, struct authorities *into, struct view *der)
{
    const unsigned char *at = (const unsigned char *)der->data;
    if (into->count == TRUST_BUNDLE_AUTHORITIES_MAX)
        return refuse(b, into->domain->name, "the bundle holds more than 256 authorities");
    X509 *certificate = der->size <= LONG_MAX ? d2i_X509(NULL, &at, (long)der->size) : NULL;
    if (certificate == NULL)
        return refuse(b, into->domain->name,
                      into->count > 0 ? "bytes follow the last certificate of the bundle"
                                      : "the bundle is no certificate in DER");
    *der = view_slice(*der, (size_t)((const char *)at - der->data), der->size);
    if (bundle_print_takes(certificate)) {
        into->items[into->count++] = certificate;
        return ERR_NONE;
    }
    X509_free(certificate);
    warn(
        b, "W1101",
        arena_print(b->arena,
                    "trust domain %.*s: an authority is left out, its key is none of RSA, P-256, P-384, P-521, Ed25519",
                    VIEW_ARG(into->domain->name)));
    return ERR_NONE;
}

static enum err read_authorities(struct build *b)
{
    const struct config *config = b->config;
    b->domains = arena_take_array(b->arena, config->identity.domain_count + 1, sizeof *b->domains);
    if (b->domains == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        const struct trust_domain_config *domain = &config->identity.domains[i];
        if (!domain->is_from_workload_api)
            continue;
        struct view der = workload_message_find(b->message, domain->name);
        struct authorities *into = &b->domains[b->domain_count++];
        into->domain = domain;
        into->is_named = view_is_present(der);
        b->out->domain_count += into->is_named ? 1 : 0;
        while (!view_is_empty(der))
            TRY(take_certificate(b, into, &der));
    }
    return ERR_NONE;
}

/* ---- revocation lists ---------------------------------------------------- */

static enum err read_lists(struct build *b)
{
    for (size_t i = 0; i < b->message->crl_count; i++) {
        struct view der = b->message->crls[i];
        const unsigned char *at = (const unsigned char *)der.data;
        X509_CRL *list = der.size <= LONG_MAX ? d2i_X509_CRL(NULL, &at, (long)der.size) : NULL;
        if (list != NULL)
            b->lists[b->list_count++] = list;
        if (list == NULL || (const char *)at != der.data + der.size)
            return refuse(b, (struct view){0}, "a revocation list is not one in DER, or bytes follow it");
    }
    return ERR_NONE;
}

static bool has_signed(const struct authorities *authorities, X509_CRL *list)
{
    for (size_t i = 0; i < authorities->count; i++) {
        X509 *authority = authorities->items[i];
        if (X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(list)) == 0 &&
            X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1)
            return true;
    }
    return false;
}

/* Authorities of different domains may have one name (SPIRE's all do), so that a list counts where the key says.
 * One that no authority has signed may be an intermediate's, of whichever domain. */
static bool counts_in(const struct build *b, const struct authorities *authorities, X509_CRL *list)
{
    if (has_signed(authorities, list))
        return true;
    for (size_t i = 0; i < b->domain_count; i++)
        if (has_signed(&b->domains[i], list))
            return false;
    return true;
}

static enum err print_lists(const struct build *b, const struct authorities *authorities, struct view *text)
{
    AUTO(bio_text_drop) BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; bio != NULL && i < b->list_count; i++)
        if (counts_in(b, authorities, b->lists[i]) && PEM_write_bio_X509_CRL(bio, b->lists[i]) != 1)
            return ERR_NO_MEMORY;
    *text = bio_text_copy(bio, b->arena);
    return view_is_present(*text) ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- the bundle map ------------------------------------------------------ */

static enum err judge(const struct build *b, struct trust_bundle_source *source)
{
    struct trust_bundle *bundle = NULL;
    TRY(trust_bundle_build(source, b->diags, &bundle));
    trust_bundle_drop(bundle);
    return ERR_NONE;
}

static enum err print_domain(const struct build *b, const struct authorities *authorities, struct view *document)
{
    const struct trust_domain_config *domain = authorities->domain;
    struct trust_bundle_source source = {.trust_domain = domain->name, .file = view_of(origin)};
    *document = bundle_print_document(authorities->items, authorities->count, 0, REFRESH_HINT, b->arena);
    if (!view_is_present(*document))
        return ERR_NO_MEMORY;
    source.text = *document;
    if (domain->crl_is_from_workload_api) {
        source.has_crls = true;
        source.crl_file = view_of(origin);
        TRY(print_lists(b, authorities, &source.crl_text));
        add_file(b->out, domain->crl, source.crl_text);
    }
    return judge(b, &source);
}

static enum err judge_map(const struct build *b, struct view text)
{
    struct bundle_map map;
    struct bundle_document_error error = {0};
    if (!view_is_present(text))
        return ERR_NO_MEMORY;
    enum err result = bundle_map_parse(text, b->arena, &map, &error);
    return result == ERR_NONE || result == ERR_NO_MEMORY ? result : refuse(b, (struct view){0}, error.message);
}

/* A trust domain's name needs no escape in JSON. */
static enum err print_map(struct build *b)
{
    struct view *parts = arena_take_array(b->arena, 2 * b->domain_count + 2, sizeof *parts);
    size_t count = 0;
    if (parts == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < b->domain_count; i++) {
        const struct authorities *authorities = &b->domains[i];
        if (!authorities->is_named)
            continue;
        parts[count] =
            arena_print(b->arena, "%s\"%.*s\": ", count == 0 ? "" : ",\n", VIEW_ARG(authorities->domain->name));
        if (!view_is_present(parts[count]))
            return ERR_NO_MEMORY;
        TRY(print_domain(b, authorities, &parts[count + 1]));
        count += 2;
    }
    struct view entries = arena_join(b->arena, parts, count), map = {0};
    if (view_is_present(entries))
        map = arena_print(b->arena, "{\"trust_domains\": {\n%.*s}}\n", VIEW_ARG(entries));
    TRY(judge_map(b, map));
    for (size_t i = 0; i < b->domain_count; i++)
        add_file(b->out, b->domains[i].domain->bundle, map);
    for (size_t i = 0; i < b->domain_count; i++)
        if (!b->domains[i].is_named && b->domains[i].domain->crl_is_from_workload_api)
            add_file(b->out, b->domains[i].domain->crl, (struct view){0});
    return ERR_NONE;
}

static void tell_unused_lists(const struct build *b)
{
    for (size_t i = 0; i < b->domain_count; i++)
        if (b->domains[i].domain->crl_is_from_workload_api)
            return;
    if (b->list_count > 0)
        warn(b, "W1102", VIEW("revocation lists came, and no trust domain has `crl: {from: workload-api}`"));
}

static enum err build_x509(struct build *b)
{
    TRY(read_authorities(b));
    TRY(read_lists(b));
    tell_unused_lists(b);
    return print_map(b);
}

static void release(struct build *b)
{
    for (size_t i = 0; i < b->domain_count; i++)
        for (size_t k = 0; k < b->domains[i].count; k++)
            X509_free(b->domains[i].items[k]);
    for (size_t i = 0; i < b->list_count; i++)
        X509_CRL_free(b->lists[i]);
    ERR_clear_error();
}

/* ---- key sets ------------------------------------------------------------ */

static void drop_json(json_t **value)
{
    json_decref(*value);
}

static void drop_text(char **text)
{
    free(*text);
}

/* In a SPIFFE bundle `use` is `jwt-svid`, where RFC 7517 has `sig`; SPIRE sends neither. */
static void name_use(json_t *set)
{
    size_t i;
    json_t *key;
    json_array_foreach(json_object_get(set, "keys"), i, key)
    {
        const char *use = json_string_value(json_object_get(key, "use"));
        if (use != NULL && strcmp(use, "jwt-svid") == 0)
            (void)json_object_set_new(key, "use", json_string("sig"));
    }
}

static enum err print_keys(const struct build *b, const struct issuer_config *issuer, struct view text,
                           struct view *out)
{
    AUTO(drop_json) json_t *set = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(set))
        return refuse(b, issuer->workload_api, "the JWT bundle is no JSON object, or has a name twice");
    name_use(set);
    AUTO(drop_text) char *printed = json_dumps(set, JSON_INDENT(2));
    if (printed == NULL)
        return ERR_NO_MEMORY;
    *out = arena_print(b->arena, "%s\n", printed);
    struct jwks_source source = {
        .issuer = issuer->url, .file = view_of(origin), .text = *out, .algorithms = issuer->algorithms};
    struct jwks_sets *sets = NULL;
    TRY(view_is_present(*out) ? ERR_NONE : ERR_NO_MEMORY);
    TRY(jwks_sets_build(&source, 1, b->diags, &sets));
    jwks_sets_free(sets);
    return ERR_NONE;
}

static enum err build_jwt(struct build *b)
{
    for (size_t i = 0; i < b->config->tokens.issuer_count; i++) {
        const struct issuer_config *issuer = &b->config->tokens.issuers[i];
        if (!view_is_present(issuer->workload_api))
            continue;
        struct view keys = workload_message_find(b->message, issuer->workload_api), text = {0};
        if (view_is_present(keys))
            TRY(print_keys(b, issuer, keys, &text));
        b->out->domain_count += view_is_present(keys) ? 1 : 0;
        add_file(b->out, issuer->keys_file, text);
    }
    return ERR_NONE;
}

enum err feed_files_build(const struct config *config, enum workload_kind kind, const struct workload_message *message,
                          struct arena *arena, struct diag_list *diags, struct feed_files *out)
{
    TRY(make_room(config, arena, out));
    struct build build = {.config = config, .message = message, .arena = arena, .diags = diags, .out = out};
    enum err result = kind == WORKLOAD_X509 ? build_x509(&build) : build_jwt(&build);
    release(&build);
    return result;
}

enum err feed_files_none(const struct config *config, enum workload_kind kind, struct arena *arena,
                         struct feed_files *out)
{
    TRY(make_room(config, arena, out));
    for (size_t i = 0; kind == WORKLOAD_X509 && i < config->identity.domain_count; i++) {
        const struct trust_domain_config *domain = &config->identity.domains[i];
        if (domain->is_from_workload_api)
            add_file(out, domain->bundle, (struct view){0});
        if (domain->is_from_workload_api && domain->crl_is_from_workload_api)
            add_file(out, domain->crl, (struct view){0});
    }
    for (size_t i = 0; kind == WORKLOAD_JWT && i < config->tokens.issuer_count; i++)
        if (view_is_present(config->tokens.issuers[i].workload_api))
            add_file(out, config->tokens.issuers[i].keys_file, (struct view){0});
    return ERR_NONE;
}

/* ---- writing ------------------------------------------------------------- */

static enum err remove_file(int folder, const char *name, size_t *changed)
{
    if (unlinkat(folder, name, 0) != 0)
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    ++*changed;
    return fsync(folder) == 0 ? ERR_NONE : ERR_IO;
}

static enum err write_file(const struct feed_file *file, struct arena *arena, size_t *changed)
{
    AUTO(descriptor_close) int folder = -1;
    const char *name = NULL;
    struct view before = {0};
    TRY(folder_file_open(file->path, &folder, &name));
    if (!view_is_present(file->text))
        return remove_file(folder, name, changed);
    if (folder_file_read(folder, name, FILE_MOST, arena, &before) == ERR_NONE && view_equals(before, file->text))
        return ERR_NONE;
    ++*changed;
    return folder_file_replace(folder, name, FILE_MODE, file->text);
}

enum err feed_files_write(struct feed_files *files, struct arena *arena, const char **path)
{
    files->changed = 0;
    for (size_t i = 0; i < files->count; i++) {
        *path = files->items[i].path;
        TRY(write_file(&files->items[i], arena, &files->changed));
    }
    return ERR_NONE;
}
