/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `bartizan pki`, and what they share. */
#ifndef BARTIZAN_CMD_PKI_H
#define BARTIZAN_CMD_PKI_H

#include "authority.h"
#include "bundle_map.h"
#include "cli.h"
#include "options.h"

#define DEFAULT_PKI "pki"

enum { PKI_CERTIFICATES_MOST = 4096, PKI_FILE_MOST = 16 * 1024 * 1024 };

int cmd_pki_create(int argc, char **argv);
int cmd_pki_rotate(int argc, char **argv);
int cmd_pki_issue(int argc, char **argv);
int cmd_pki_renew(int argc, char **argv);
int cmd_pki_revoke(int argc, char **argv);
int cmd_pki_crl(int argc, char **argv);
int cmd_pki_show(int argc, char **argv);
int cmd_pki_list(int argc, char **argv);
int cmd_pki_verify(int argc, char **argv);

/* Prints what went wrong; the exit code. */
int pki_report(const struct authority *authority, enum err err);

/* `text` as days from 1 to `most`, or `otherwise` when it is NULL: true, or false. */
bool pki_days(const char *text, uint32_t most, uint32_t otherwise, uint32_t *out);

/* `p256`, `p384` or `rsa3072`, P-256 for NULL: true, or false. */
bool pki_key_kind(const char *text, enum key_pair_kind *out);

/* The certificates of a file in `arena`: PEM, or a SPIFFE bundle document. EXIT_GOOD, or why not was printed. */
int pki_read_certificates(const char *path, struct arena *arena, X509 **out, size_t most, size_t *count);

/* What a file of certificates, a bundle, or one domain of a bundle map holds. */
struct pki_bundle {
    struct view trust_domain; /* in a map; else absent */
    struct bundle_facts facts;
    X509 **items; /* of the whole file's certificates */
    size_t count;
};

struct pki_bundles {
    X509 *certificates[PKI_CERTIFICATES_MOST];
    size_t certificate_count;
    struct pki_bundle items[BUNDLE_MAP_DOMAINS_MAX];
    size_t count;
    bool is_map;
};

/* The same for a bundle map too, one bundle for each domain; `out` is in `arena`. pki_bundles_free in any case. */
int pki_read_bundles(const char *path, struct arena *arena, struct pki_bundles **out);
void pki_bundles_free(struct pki_bundles **bundles); /* for AUTO */

#endif
