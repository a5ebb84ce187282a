/* SPDX-License-Identifier: Apache-2.0 */
#include "authority.h"

#include "authority_folder.h"
#include "bio_text.h"
#include "bundle_print.h"
#include "digest.h"
#include "folder_file.h"
#include "x509_path.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MOST = 64 * 1024 * 1024, DOMAIN_URI = 16 + TRUST_DOMAIN_MAX };

void authority_serial_text(const ASN1_INTEGER *serial, char out[AUTHORITY_SERIAL_TEXT])
{
    enum { MOST = AUTHORITY_SERIAL_TEXT / 2 };
    size_t size = (size_t)ASN1_STRING_length(serial), kept = size < MOST ? size : MOST;
    hex_encode(ASN1_STRING_get0_data(serial), kept, out);
    out[2 * kept] = '\0';
}

static void start(struct authority *authority, int64_t now)
{
    memset(authority, 0, sizeof *authority);
    authority->folder = -1;
    authority->now = now;
    arena_init(&authority->arena, ARENA_MOST);
    ERR_clear_error();
}

void authority_close(struct authority *authority)
{
    descriptor_close(&authority->folder);
    X509_free(authority->root);
    for (size_t i = 0; i < authority->signer_count; i++) {
        X509_free(authority->signers[i].certificate);
        EVP_PKEY_free(authority->signers[i].key);
        X509_CRL_free(authority->signers[i].list);
    }
    arena_free(&authority->arena);
    ERR_clear_error();
}

static struct view domain_id(const struct authority *authority, char text[DOMAIN_URI])
{
    (void)snprintf(text, DOMAIN_URI, "spiffe://%s", authority->trust_domain);
    return view_of(text);
}

/* ---- bundles and lists ---- */

static enum err write_bundles(struct authority *authority)
{
    X509 *authorities[AUTHORITY_SIGNERS_MAX + 1] = {authority->root};
    size_t count = 1;
    uint64_t sequence = 0;
    for (size_t i = 0; i < authority->signer_count; i++)
        authorities[count++] = authority->signers[i].certificate;
    TRY(authority_folder_sequence(authority, &sequence));
    TRY(authority_folder_replace(authority, "bundle.pem", 0644,
                                 bundle_print_pem(authorities, count, &authority->arena)));
    return authority_folder_replace(
        authority, "bundle.json", 0644,
        bundle_print_document(authorities, count, sequence + 1, AUTHORITY_REFRESH_HINT, &authority->arena));
}

static struct view lists_print(X509_CRL *const *lists, size_t count, struct arena *arena)
{
    AUTO(bio_text_drop) BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; bio && i < count; i++)
        if (PEM_write_bio_X509_CRL(bio, lists[i]) != 1)
            return (struct view){0};
    return bio_text_copy(bio, arena);
}

static enum err write_lists(struct authority *authority)
{
    X509_CRL *lists[AUTHORITY_SIGNERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < authority->signer_count; i++)
        if (authority->signers[i].list)
            lists[count++] = authority->signers[i].list;
    return authority_folder_replace(authority, "crl.pem", 0644, lists_print(lists, count, &authority->arena));
}

/* No longer than its intermediate: after that it may go away. */
static int64_t list_end(const struct authority *authority, const struct authority_signer *signer)
{
    int64_t end = authority->now + AUTHORITY_CRL_DAYS * DAY_SECONDS, last = 0;
    bool is_bounded = x509_path_seconds(X509_get0_notAfter(signer->certificate), &last) && last > authority->now;
    return is_bounded && last < end ? last : end;
}

/* Signs the list of `signer` again, with one more entry unless `serial` is NULL. */
static enum err renew_list(struct authority *authority, struct authority_signer *signer, const ASN1_INTEGER *serial,
                           int reason)
{
    X509_CRL *list = NULL;
    const struct certificate_issuer issuer = {signer->certificate, signer->key};
    const struct crl_request request = {.previous = signer->list,
                                        .serial = serial,
                                        .reason = reason,
                                        .now = authority->now,
                                        .next_update = list_end(authority, signer)};
    enum err err = crl_issue(&request, &issuer, &list);
    if (err == ERR_CONFLICT)
        return authority_problem(authority, err, "the certificate is revoked already");
    if (err != ERR_NONE)
        return authority_problem(authority, err, "the revocation list cannot be signed");
    X509_CRL_free(signer->list);
    signer->list = list;
    TRY(authority_folder_make(authority, "lists"));
    return authority_folder_replace(authority, authority_folder_name(authority, "lists", signer->certificate, "pem"),
                                    0644, lists_print(&list, 1, &authority->arena));
}

/* Index of the signer, or signer_count. */
static size_t signer_of(const struct authority *authority, X509 *certificate)
{
    size_t at = 0;
    while (at < authority->signer_count &&
           (X509_check_issued(authority->signers[at].certificate, certificate) != X509_V_OK ||
            X509_verify(certificate, X509_get0_pubkey(authority->signers[at].certificate)) != 1))
        at++;
    return at;
}

bool authority_has_issued(const struct authority *authority, X509 *certificate)
{
    return signer_of(authority, certificate) < authority->signer_count;
}

enum err authority_revoke(struct authority *authority, X509 *certificate, int reason)
{
    size_t at = signer_of(authority, certificate);
    if (at == authority->signer_count)
        return authority_problem(authority, ERR_NOT_FOUND, "no intermediate of this authority issued the certificate");
    enum err err = renew_list(authority, &authority->signers[at], X509_get0_serialNumber(certificate), reason);
    if (err != ERR_NONE && err != ERR_CONFLICT)
        return err;
    /* One that is on its list may be missing there still: an earlier command may have ended between the two files. */
    TRY(write_lists(authority));
    return err;
}

enum err authority_renew_lists(struct authority *authority)
{
    for (size_t i = 0; i < authority->signer_count; i++)
        TRY(renew_list(authority, &authority->signers[i], NULL, 0));
    return write_lists(authority);
}

bool authority_has_revoked(const struct authority *authority, X509 *certificate)
{
    size_t at = signer_of(authority, certificate);
    return at < authority->signer_count && authority->signers[at].list &&
           crl_has(authority->signers[at].list, X509_get0_serialNumber(certificate));
}

/* ---- authorities ---- */

static enum err make_key(struct authority *authority, enum key_pair_kind kind, EVP_PKEY **out)
{
    *out = key_pair_generate(kind);
    return *out ? ERR_NONE : authority_problem(authority, ERR_NO_MEMORY, "OpenSSL makes no key");
}

static enum err make_authority(struct authority *authority, enum certificate_kind kind, EVP_PKEY *key, uint32_t days,
                               const struct certificate_issuer *issuer, X509 **out)
{
    char id[DOMAIN_URI];
    const struct certificate_request request = {.kind = kind,
                                                .spiffe_id = domain_id(authority, id),
                                                .key = key,
                                                .now = authority->now,
                                                .not_after = authority->now + (int64_t)days * DAY_SECONDS};
    enum err err = certificate_issue(&request, issuer, out);
    if (err == ERR_LIMIT)
        return authority_problem(authority, err, "an intermediate cannot outlive the root");
    return err == ERR_NONE ? err : authority_problem(authority, err, "the authority cannot be issued");
}

static enum err write_pair(struct authority *authority, const char *key_name, EVP_PKEY *key, const char *name,
                           X509 *certificate)
{
    TRY(authority_folder_create(authority, key_name, 0600, key_pair_print(key, &authority->arena)));
    return authority_folder_create(authority, name, 0644, certificate_print(certificate, &authority->arena));
}

/* A new intermediate becomes the first signer. Verifiers know it before it issues, and it issues from the one write
 * to `current` on. */
static enum err add_intermediate(struct authority *authority, enum key_pair_kind kind, uint32_t days,
                                 const struct certificate_issuer *root)
{
    char serial[AUTHORITY_SERIAL_TEXT];
    struct authority_signer *first = &authority->signers[0];
    if (authority->signer_count == AUTHORITY_SIGNERS_MAX)
        return authority_problem(authority, ERR_LIMIT, "%d intermediates have not expired yet", AUTHORITY_SIGNERS_MAX);
    authority->signers[authority->signer_count++] = *first;
    *first = (struct authority_signer){0};
    TRY(make_key(authority, kind, &first->key));
    TRY(make_authority(authority, CERTIFICATE_INTERMEDIATE, first->key, days, root, &first->certificate));
    TRY(authority_folder_make(authority, "intermediates"));
    TRY(write_pair(authority, authority_folder_name(authority, "intermediates", first->certificate, "key"), first->key,
                   authority_folder_name(authority, "intermediates", first->certificate, "pem"), first->certificate));
    TRY(write_bundles(authority));
    authority_serial_text(X509_get0_serialNumber(first->certificate), serial);
    return authority_folder_replace(authority, "current", 0644, arena_print(&authority->arena, "%s\n", serial));
}

static enum err create(struct authority *authority, const struct authority_settings *settings)
{
    AUTO(key_pair_drop) EVP_PKEY *root_key = NULL;
    const struct certificate_issuer nobody = {0};
    TRY(make_key(authority, settings->kind, &root_key));
    TRY(make_authority(authority, CERTIFICATE_ROOT, root_key, settings->root_days, &nobody, &authority->root));
    TRY(write_pair(authority, "root.key", root_key, "root.pem", authority->root));
    const struct certificate_issuer root = {authority->root, root_key};
    return add_intermediate(authority, settings->kind, settings->intermediate_days, &root);
}

enum err authority_create(const char *dir, const struct authority_settings *settings, int64_t now,
                          struct authority *out)
{
    start(out, now);
    if (!trust_domain_is_valid(settings->trust_domain))
        return authority_problem(out, ERR_MALFORMED,
                                 "a trust domain has lower-case letters, digits, `.`, `-` and `_`, as in prod.example");
    if (settings->intermediate_days >= settings->root_days)
        return authority_problem(out, ERR_LIMIT, "an intermediate cannot outlive the root");
    memcpy(out->trust_domain, settings->trust_domain.data, settings->trust_domain.size);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return authority_problem(out, ERR_IO, "%s: %s", dir, strerror(errno));
    TRY(authority_folder_open(dir, true, out));
    /* Half of an earlier one counts as one: nothing of it is guessed to be useless. */
    static const char *const files[] = {"root.key", "root.pem",   "intermediates",
                                        "current",  "bundle.pem", "bundle.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (faccessat(out->folder, files[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return authority_problem(out, ERR_CONFLICT, "%s/%s exists and is not overwritten", dir, files[i]);
    return create(out, settings);
}

/* ---- opening ---- */

/* The trust domain is what the root says: the one URI SAN, without a path. */
static enum err read_domain(struct authority *authority)
{
    struct spiffe_id id = {0};
    bool is_good = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(authority->root, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_STRING *uri = name->d.uniformResourceIdentifier;
        struct view text = {(const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)};
        is_good = spiffe_id_parse(text, &id) == ERR_NONE && view_is_empty(id.path);
        if (is_good)
            memcpy(authority->trust_domain, id.trust_domain.data, id.trust_domain.size);
    }
    GENERAL_NAMES_free(names);
    return is_good ? ERR_NONE : authority_problem(authority, ERR_INVALID, "root.pem names no trust domain");
}

static bool has_expired(const struct authority *authority, X509 *certificate)
{
    int64_t end = 0;
    return !x509_path_seconds(X509_get0_notAfter(certificate), &end) || end < authority->now;
}

struct signer_search {
    struct authority *authority;
    char current[AUTHORITY_SERIAL_TEXT];
    bool has_current;
};

/* An intermediate that has expired signs nothing any more and is no longer looked at, but for the current one. */
static void take_signer(void *context, X509 *certificate)
{
    struct signer_search *search = context;
    struct authority *authority = search->authority;
    char serial[AUTHORITY_SERIAL_TEXT];
    authority_serial_text(X509_get0_serialNumber(certificate), serial);
    bool is_current = strcmp(serial, search->current) == 0;
    if (authority->signer_count == AUTHORITY_SIGNERS_MAX || (!is_current && has_expired(authority, certificate)) ||
        X509_up_ref(certificate) != 1)
        return;
    struct authority_signer *signer = &authority->signers[authority->signer_count++];
    if (is_current) {
        *signer = authority->signers[0];
        signer = &authority->signers[0];
        search->has_current = true;
    }
    *signer = (struct authority_signer){.certificate = certificate};
}

static enum err open_signer(struct authority *authority, struct authority_signer *signer, enum authority_mode mode)
{
    const char *name = authority_folder_name(authority, "intermediates", signer->certificate, "key");
    if (mode == AUTHORITY_SIGNS)
        TRY(authority_folder_key(authority, name, &signer->key));
    if (signer->key && X509_check_private_key(signer->certificate, signer->key) != 1)
        return authority_problem(authority, ERR_INVALID, "%s is the key of another certificate", name);
    if (X509_verify(signer->certificate, X509_get0_pubkey(authority->root)) != 1)
        return authority_problem(authority, ERR_INVALID, "the certificate of %s is not signed by root.pem", name);
    return authority_folder_list(authority, signer);
}

static enum err open_signers(struct authority *authority, enum authority_mode mode)
{
    size_t unreadable = 0;
    struct signer_search search = {.authority = authority};
    TRY(authority_folder_current(authority, search.current));
    TRY(authority_folder_each(authority, "intermediates", take_signer, &search, &unreadable));
    if (unreadable > 0)
        return authority_problem(authority, ERR_INVALID, "intermediates/ has %zu files that hold no certificate",
                                 unreadable);
    if (!search.has_current)
        return authority_problem(authority, ERR_INVALID, "current names an intermediate that is not there");
    for (size_t i = 0; i < authority->signer_count; i++)
        TRY(open_signer(authority, &authority->signers[i], mode));
    return ERR_NONE;
}

enum err authority_open(const char *dir, enum authority_mode mode, int64_t now, struct authority *out)
{
    start(out, now);
    TRY(authority_folder_open(dir, mode == AUTHORITY_SIGNS, out));
    TRY(authority_folder_certificate(out, "root.pem", &out->root));
    TRY(read_domain(out));
    return open_signers(out, mode);
}

/* ---- issuing ---- */

static enum err issue_problem(struct authority *authority, const struct authority_svid *svid, enum err err)
{
    int64_t end = 0;
    if (err == ERR_LIMIT && x509_path_seconds(X509_get0_notAfter(authority->signers[0].certificate), &end))
        return authority_problem(authority, err,
                                 "the intermediate expires before the SVID would, in %lld days: "
                                 "shorten --ttl, or `bartizan pki rotate`",
                                 (long long)((end - authority->now) / DAY_SECONDS));
    return authority_problem(authority, err, "`%.*s` cannot be issued: %s", VIEW_ARG(svid->spiffe_id), err_text(err));
}

enum err authority_issue(struct authority *authority, const struct authority_svid *svid, X509 **out)
{
    struct spiffe_id id;
    if (spiffe_id_parse(svid->spiffe_id, &id) != ERR_NONE || view_is_empty(id.path))
        return authority_problem(authority, ERR_MALFORMED, "`%.*s` is no SPIFFE ID with a path",
                                 VIEW_ARG(svid->spiffe_id));
    if (!view_equals(id.trust_domain, view_of(authority->trust_domain)))
        return authority_problem(authority, ERR_MALFORMED,
                                 "this authority is that of spiffe://%s, not of spiffe://%.*s", authority->trust_domain,
                                 VIEW_ARG(id.trust_domain));
    if (svid->lifetime < 1 || svid->lifetime > AUTHORITY_SVID_MOST)
        return authority_problem(authority, ERR_LIMIT, "an SVID lives from 1 second to %d days",
                                 AUTHORITY_SVID_MOST / DAY_SECONDS);
    const struct certificate_issuer issuer = {authority->signers[0].certificate, authority->signers[0].key};
    const struct certificate_request request = {.kind = CERTIFICATE_SVID,
                                                .spiffe_id = svid->spiffe_id,
                                                .dns = svid->dns,
                                                .dns_count = svid->dns_count,
                                                .key = svid->key,
                                                .now = authority->now,
                                                .not_after = authority->now + svid->lifetime};
    AUTO(certificate_drop) X509 *certificate = NULL;
    enum err err = certificate_issue(&request, &issuer, &certificate);
    if (err != ERR_NONE)
        return issue_problem(authority, svid, err);
    TRY(authority_folder_make(authority, "issued"));
    TRY(authority_folder_create(authority, authority_folder_name(authority, "issued", certificate, "pem"), 0644,
                                certificate_print(certificate, &authority->arena)));
    *out = certificate;
    certificate = NULL;
    return ERR_NONE;
}

enum err authority_each_issued(struct authority *authority, void (*each)(void *context, X509 *certificate),
                               void *context, size_t *unreadable)
{
    *unreadable = 0;
    return authority_folder_each(authority, "issued", each, context, unreadable);
}

/* ---- rotation ---- */

enum err authority_rotate(struct authority *authority, enum key_pair_kind kind, uint32_t days)
{
    AUTO(key_pair_drop) EVP_PKEY *root_key = NULL;
    TRY(authority_folder_key(authority, "root.key", &root_key));
    if (X509_check_private_key(authority->root, root_key) != 1)
        return authority_problem(authority, ERR_INVALID, "root.key is the key of another certificate");
    const struct certificate_issuer root = {authority->root, root_key};
    return add_intermediate(authority, kind, days, &root);
}
