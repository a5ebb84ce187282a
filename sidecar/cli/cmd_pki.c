/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_pki.h"

#include "bundle_document.h"
#include "commands.h"
#include "trust_bundle.h"

#include <errno.h>

int pki_report(const struct authority *authority, enum err err)
{
    fprintf(stderr, "bartizan: %s\n", authority->problem[0] != '\0' ? authority->problem : err_text(err));
    return err == ERR_MALFORMED || err == ERR_LIMIT || err == ERR_CONFLICT || err == ERR_NOT_FOUND ? EXIT_FAILED
                                                                                                   : exit_code_of(err);
}

bool pki_days(const char *text, uint32_t most, uint32_t otherwise, uint32_t *out)
{
    uint64_t days = otherwise;
    if (text != NULL && !view_to_u64(view_of(text), &days))
        return false;
    *out = (uint32_t)days;
    return days >= 1 && days <= most;
}

bool pki_key_kind(const char *text, enum key_pair_kind *out)
{
    *out = KEY_PAIR_P256;
    return text == NULL || key_pair_kind_parse(view_of(text), out);
}

struct taking {
    X509 **out;
    size_t most, count;
};

static enum err take(void *context, struct view der)
{
    struct taking *taking = context;
    const unsigned char *at = (const unsigned char *)der.data;
    if (taking->count == taking->most)
        return ERR_LIMIT;
    AUTO(certificate_drop) X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (certificate == NULL || at != (const unsigned char *)der.data + der.size)
        return ERR_MALFORMED;
    taking->out[taking->count++] = certificate;
    certificate = NULL;
    return ERR_NONE;
}

int pki_read_certificates(const char *path, struct arena *arena, X509 **out, size_t most, size_t *count)
{
    struct view text;
    struct taking taking = {.out = out, .most = most};
    struct bundle_document_error error = {.message = NULL};
    uint64_t sequence = 0;
    enum err err = read_whole(path, TRUST_BUNDLE_BYTES_MAX, arena, &text);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", path, err == ERR_IO ? strerror(errno) : err_text(err));
        return EXIT_IO;
    }
    err = bundle_document_read(text, take, &taking, &sequence, &error);
    *count = taking.count;
    if (err == ERR_NONE)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %s:%u: %s\n", path, error.line, error.message ? error.message : err_text(err));
    return EXIT_DATA;
}

int cmd_pki(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"create", "make a trust domain: root, intermediate and bundle", cmd_pki_create},
        {"issue", "issue an X.509-SVID with a new key", cmd_pki_issue},
        {"renew", "issue an SVID again, with a new key, into the same files", cmd_pki_renew},
        {"revoke", "put an SVID on the revocation list, and on a deny list at once", cmd_pki_revoke},
        {"crl", "sign the revocation lists again", cmd_pki_crl},
        {"rotate", "issue from a new intermediate from now on", cmd_pki_rotate},
        {"list", "list the SVIDs that were issued, by when they expire", cmd_pki_list},
        {"show", "tell what a certificate or bundle is, in SPIFFE's terms", cmd_pki_show},
        {"verify", "verify an SVID against a bundle, as a sidecar would", cmd_pki_verify},
    };
    return subcommand_run("bartizan pki", table, sizeof table / sizeof table[0], argc, argv);
}
