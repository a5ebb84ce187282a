/* SPDX-License-Identifier: Apache-2.0 */
/* The revocation list is for whoever reads CRLs; a running sidecar refuses the certificate at its next
 * request when the deny list has it too, which --config or --deny-list see to. */
#include "cmd_pki.h"
#include "commands.h"
#include "folder_file.h"
#include "revoke_session.h"
#include "svid_report.h"

struct request {
    const char *dir, *reason, *author, *config, *deny_list;
};

/* ---- the certificate: a file, or the serial of one that was issued ---- */

struct search {
    struct view serial;
    X509 *found;
};

static void compare(void *context, X509 *certificate)
{
    struct search *search = context;
    char serial[AUTHORITY_SERIAL_TEXT];
    authority_serial_text(X509_get0_serialNumber(certificate), serial);
    if (view_equals_ignoring_case(view_of(serial), search->serial) && search->found == NULL &&
        X509_up_ref(certificate) == 1)
        search->found = certificate;
}

static bool is_serial(struct view text)
{
    uint8_t bytes[AUTHORITY_SERIAL_TEXT / 2];
    return text.size % 2 == 0 && text.size > 0 && text.size / 2 <= sizeof bytes &&
           hex_decode(text, bytes, text.size / 2);
}

static int find_certificate(struct authority *authority, const char *operand, X509 **out)
{
    enum { CHAIN_MOST = 8 };
    X509 *chain[CHAIN_MOST] = {0};
    size_t count = 0;
    struct search search = {.serial = view_of(operand)};
    if (is_serial(search.serial)) {
        enum err err = authority_each_issued(authority, compare, &search, &count);
        if (err != ERR_NONE)
            return pki_report(authority, err);
        *out = search.found;
        if (search.found == NULL)
            fprintf(stderr, "bartizan: no SVID with the serial %s was issued here\n", operand);
        return search.found ? EXIT_GOOD : EXIT_FAILED;
    }
    int code = pki_read_certificates(operand, &authority->arena, chain, CHAIN_MOST, &count);
    *out = code == EXIT_GOOD ? chain[0] : NULL; /* what stands behind the leaf is of its issuers */
    for (size_t i = code == EXIT_GOOD ? 1 : 0; i < count; i++)
        X509_free(chain[i]);
    return code;
}

/* ---- the deny list ---- */

static int deny(const struct request *request, const struct svid_report *report, const char *reason)
{
    const struct revoke_places places = {
        .config = request->config, .dir = request->deny_list, .makes_folder = request->config != NULL};
    struct revocation_entry entry = {.kind = REVOCATION_CERTIFICATE,
                                     .value = {report->sha256, sizeof report->sha256},
                                     .has_created = true,
                                     .created = now_seconds(),
                                     .has_expires = true,
                                     .expires = report->not_after};
    AUTO(revoke_session_close) struct revoke_session session = {0};
    int code = revoke_session_open(&session, &places);
    if (code != EXIT_GOOD)
        return code;
    entry.author = revoke_author(request->author, &session.arena);
    entry.reason = arena_print(&session.arena, "%s (%.*s)", reason, VIEW_ARG(report->spiffe_id));
    return entry.expires > entry.created ? revoke_add(&session, &entry) : EXIT_GOOD;
}

static int revoke(struct authority *authority, const struct request *request, X509 *certificate, int reason)
{
    struct svid_report report;
    enum err err = svid_report_make(certificate, authority->now, &authority->arena, &report);
    if (err == ERR_NONE)
        err = authority_revoke(authority, certificate, reason);
    if (err != ERR_NONE && err != ERR_CONFLICT)
        return pki_report(authority, err);
    printf("%.*s, serial %.*s, is %s %s/crl.pem\n", VIEW_ARG(report.spiffe_id), VIEW_ARG(report.serial),
           err == ERR_CONFLICT ? "already on" : "on", request->dir);
    if (request->config != NULL || request->deny_list != NULL)
        return deny(request, &report, crl_reason_text(reason));
    printf("running sidecars: bartizan revoke add --certificate-sha256 %.*s --reason %s\n", (int)sizeof report.sha256,
           report.sha256, crl_reason_text(reason));
    return EXIT_GOOD;
}

int cmd_pki_revoke(int argc, char **argv)
{
    struct request request = {.dir = DEFAULT_PKI};
    const char *operand = NULL, *dir = NULL;
    size_t count = 0;
    int reason = 0;
    const struct option_spec options[] = {
        {"reason", "REASON", "keyCompromise, superseded, cessationOfOperation, .. of RFC 5280 (required)",
         &request.reason},
        {"dir", "DIR", "the folder of the authority (default " DEFAULT_PKI ")", &dir},
        {"config", "FILE", "also on the deny list of the sidecar with this configuration", &request.config},
        {"deny-list", "DIR", "also on the deny list in this folder", &request.deny_list},
        {"author", "A", "who says so on the deny list (default: you)", &request.author}};
    const struct usage usage = {
        .line = "bartizan pki revoke NAME.pem|SERIAL --reason REASON [--config FILE | --deny-list DIR] [--dir DIR]",
        .summary = "Puts an SVID on the revocation list crl.pem. With --config, returns when the running decider\n"
                   "refuses it.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &operand, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (request.reason == NULL || !crl_reason_parse(view_of(request.reason), &reason))
        return usage_error(&usage, "`--reason` is keyCompromise, cACompromise, affiliationChanged, superseded, "
                                   "cessationOfOperation, privilegeWithdrawn or unspecified");
    if (request.config != NULL && request.deny_list != NULL)
        return usage_error(&usage, "`--config` and `--deny-list` exclude each other");
    request.dir = dir ? dir : request.dir;
    AUTO(authority_close) struct authority authority;
    AUTO(certificate_drop) X509 *certificate = NULL;
    enum err err = authority_open(request.dir, AUTHORITY_SIGNS, now_seconds(), &authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    code = find_certificate(&authority, operand, &certificate);
    return code == EXIT_GOOD ? revoke(&authority, &request, certificate, reason) : code;
}
