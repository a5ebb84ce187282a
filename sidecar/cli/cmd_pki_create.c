/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_pki.h"
#include "commands.h"

enum { ROOT_DAYS_MOST = 20 * 365, INTERMEDIATE_DAYS_MOST = 5 * 365 };

/* What create, rotate and crl take. */
struct request {
    const char *dir, *key, *days, *root_days;
};

#define DIR_OPTION(request)                                                                                            \
    {                                                                                                                  \
        "dir", "DIR", "the folder of the authority (default " DEFAULT_PKI ")", &(request).dir                          \
    }
#define KEY_OPTION(request)                                                                                            \
    {                                                                                                                  \
        "key", "p256|p384|rsa3072", "the kind of keys (default p256)", &(request).key                                  \
    }
#define DAYS_OPTION(request)                                                                                           \
    {                                                                                                                  \
        "days", "N", "how long the intermediate lives (default 365, at most 1825)", &(request).days                    \
    }

static const char *dir_of(const struct request *request)
{
    return request->dir ? request->dir : DEFAULT_PKI;
}

static int read_settings(const struct usage *usage, const struct request *request, struct authority_settings *settings)
{
    if (!pki_key_kind(request->key, &settings->kind))
        return usage_error(usage, "`--key` is p256, p384 or rsa3072, not `%s`", request->key);
    if (!pki_days(request->days, INTERMEDIATE_DAYS_MOST, AUTHORITY_INTERMEDIATE_DAYS, &settings->intermediate_days))
        return usage_error(usage, "`--days` is a number from 1 to %d", INTERMEDIATE_DAYS_MOST);
    if (!pki_days(request->root_days, ROOT_DAYS_MOST, AUTHORITY_ROOT_DAYS, &settings->root_days))
        return usage_error(usage, "`--root-days` is a number from 1 to %d", ROOT_DAYS_MOST);
    return OPTIONS_GO_ON;
}

/* ---- pki create ---- */

static int create(const char *dir, const struct authority_settings *settings)
{
    AUTO(authority_close) struct authority authority;
    enum err err = authority_create(dir, settings, now_seconds(), &authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    printf("spiffe://%s: root for %u days, intermediate for %u days\n"
           "  %s/bundle.pem, bundle.json   what verifiers take\n"
           "  %s/root.key                  signs intermediates: keep it somewhere else\n",
           authority.trust_domain, settings->root_days, settings->intermediate_days, dir, dir);
    return EXIT_GOOD;
}

int cmd_pki_create(int argc, char **argv)
{
    struct request request = {0};
    struct authority_settings settings = {0};
    const char *domain = NULL;
    size_t count = 0;
    const struct option_spec options[] = {
        DIR_OPTION(request),
        KEY_OPTION(request),
        DAYS_OPTION(request),
        {"root-days", "N", "how long the root lives (default 3650, at most 7300)", &request.root_days}};
    const struct usage usage = {
        .line = "bartizan pki create TRUST_DOMAIN [--dir DIR] [--key KIND] [--days N] [--root-days N]",
        .summary = "Makes the authority of a trust domain in a folder: a root, an intermediate that issues, and the\n"
                   "bundle of both. For development and small installations; docs/pki.md tells when SPIRE or\n"
                   "cert-manager is the better choice. Nothing that is there is overwritten.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &domain, &count);
    code = code == OPTIONS_GO_ON ? read_settings(&usage, &request, &settings) : code;
    if (code != OPTIONS_GO_ON)
        return code;
    settings.trust_domain = view_of(domain);
    if (view_starts_with(settings.trust_domain, VIEW("spiffe://")))
        settings.trust_domain = view_slice(settings.trust_domain, 9, settings.trust_domain.size);
    return create(dir_of(&request), &settings);
}

/* ---- pki rotate, pki crl ---- */

int cmd_pki_rotate(int argc, char **argv)
{
    struct request request = {0};
    struct authority_settings settings = {0};
    size_t count = 0;
    const struct option_spec options[] = {DIR_OPTION(request), KEY_OPTION(request), DAYS_OPTION(request)};
    const struct usage usage = {
        .line = "bartizan pki rotate [--dir DIR] [--key KIND] [--days N]",
        .summary = "Makes a new intermediate, which issues from now on, and the bundle that has it. The one before\n"
                   "stays in the bundle until it expires, so that what it issued is still accepted. Needs root.key.",
        .options = options,
        .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    code = code == OPTIONS_GO_ON ? read_settings(&usage, &request, &settings) : code;
    if (code != OPTIONS_GO_ON)
        return code;
    AUTO(authority_close) struct authority authority;
    enum err err = authority_open(dir_of(&request), AUTHORITY_SIGNS, now_seconds(), &authority);
    if (err == ERR_NONE)
        err = authority_rotate(&authority, settings.kind, settings.intermediate_days);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    printf("spiffe://%s: a new intermediate for %u days issues; %zu in the bundle\n", authority.trust_domain,
           settings.intermediate_days, authority.signer_count);
    return EXIT_GOOD;
}

int cmd_pki_crl(int argc, char **argv)
{
    struct request request = {0};
    size_t count = 0;
    const struct option_spec options[] = {DIR_OPTION(request)};
    const struct usage usage = {
        .line = "bartizan pki crl [--dir DIR]",
        .summary = "Signs the revocation list of every intermediate again, for 7 days; run it daily where verifiers\n"
                   "read crl.pem: they refuse a list that has run out.",
        .options = options,
        .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    AUTO(authority_close) struct authority authority;
    enum err err = authority_open(dir_of(&request), AUTHORITY_SIGNS, now_seconds(), &authority);
    if (err == ERR_NONE)
        err = authority_renew_lists(&authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    printf("%s/crl.pem: %zu lists, for %d days\n", dir_of(&request), authority.signer_count, AUTHORITY_CRL_DAYS);
    return EXIT_GOOD;
}
