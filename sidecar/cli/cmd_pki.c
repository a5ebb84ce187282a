/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_pki.h"

#include "bundle_document.h"
#include "commands.h"
#include "trust_bundles.h"

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

static enum err take(void *context, struct view der, uint32_t line)
{
    struct taking *taking = context;
    const unsigned char *at = (const unsigned char *)der.data;
    (void)line;
    if (taking->count == taking->most)
        return ERR_LIMIT;
    AUTO(certificate_drop) X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (certificate == NULL || at != (const unsigned char *)der.data + der.size)
        return ERR_MALFORMED;
    taking->out[taking->count++] = certificate;
    certificate = NULL;
    return ERR_NONE;
}

static int read_text(const char *path, size_t most, struct arena *arena, struct view *text)
{
    enum err err = read_whole(path, most, arena, text);
    if (err == ERR_NONE)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %s: %s\n", path, err == ERR_IO ? strerror(errno) : err_text(err));
    return EXIT_IO;
}

static int complain(const char *path, const struct bundle_document_error *error, uint32_t first_line, enum err err)
{
    uint32_t line = error->line > 0 && first_line > 0 ? first_line + error->line - 1 : first_line + error->line;
    fprintf(stderr, "bartizan: %s:%u: %s\n", path, line, error->message ? error->message : err_text(err));
    return EXIT_DATA;
}

int pki_read_certificates(const char *path, struct arena *arena, X509 **out, size_t most, size_t *count)
{
    struct view text;
    struct taking taking = {.out = out, .most = most};
    struct bundle_document_error error = {.message = NULL};
    struct bundle_facts facts;
    int code = read_text(path, TRUST_BUNDLE_BYTES_MAX, arena, &text);
    if (code != EXIT_GOOD)
        return code;
    enum err err = bundle_document_read(text, take, &taking, &facts, &error);
    *count = taking.count;
    return err == ERR_NONE ? EXIT_GOOD : complain(path, &error, 0, err);
}

/* One more bundle, whose text begins on `first_line` of the file (0: it is the file). */
static int add_bundle(const char *path, struct view trust_domain, struct view text, uint32_t first_line,
                      struct pki_bundles *bundles)
{
    struct pki_bundle *bundle = &bundles->items[bundles->count++];
    struct bundle_document_error error = {.message = NULL};
    struct taking taking = {.out = bundles->certificates + bundles->certificate_count,
                            .most = PKI_CERTIFICATES_MOST - bundles->certificate_count};
    enum err err = bundle_document_read(text, take, &taking, &bundle->facts, &error);
    bundle->trust_domain = trust_domain;
    bundle->items = taking.out;
    bundle->count = taking.count;
    bundles->certificate_count += taking.count;
    return err == ERR_NONE ? EXIT_GOOD : complain(path, &error, first_line, err);
}

static int read_map(const char *path, struct view text, struct arena *arena, struct pki_bundles *bundles)
{
    struct bundle_map map;
    struct bundle_document_error error = {.message = NULL};
    enum err err = bundle_map_parse(text, arena, &map, &error);
    if (err != ERR_NONE)
        return complain(path, &error, 0, err);
    bundles->is_map = true;
    for (size_t i = 0; i < map.count; i++) {
        const struct bundle_map_entry *entry = &map.entries[i];
        int code = add_bundle(path, entry->trust_domain, entry->document, entry->line, bundles);
        if (code != EXIT_GOOD)
            return code;
    }
    return EXIT_GOOD;
}

int pki_read_bundles(const char *path, struct arena *arena, struct pki_bundles **out)
{
    struct view text;
    *out = arena_take(arena, sizeof **out);
    if (*out == NULL)
        return EXIT_IO;
    int code = read_text(path, PKI_FILE_MOST, arena, &text);
    if (code != EXIT_GOOD)
        return code;
    return bundle_map_is_meant(text) ? read_map(path, text, arena, *out)
                                     : add_bundle(path, (struct view){0}, text, 0, *out);
}

void pki_bundles_free(struct pki_bundles **bundles)
{
    for (size_t i = 0; *bundles != NULL && i < (*bundles)->certificate_count; i++)
        X509_free((*bundles)->certificates[i]);
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
