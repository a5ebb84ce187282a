/* SPDX-License-Identifier: Apache-2.0 */
/* The files that an answer of the Workload API becomes:
 *
 *   bundles.json      SPIFFE bundle map (Trust_Domain_and_Bundle section 5.1): the authorities of
 *                     every trust domain whose `bundle` is `workload-api`. One that the answer does
 *                     not name is not in it
 *   DOMAIN.crl.pem    the revocation lists that count in this trust domain, PEM
 *   DOMAIN.jwks.json  the JWK set with which tokens of this trust domain are verified
 *
 * Where they stand is the configuration's. What is built passes the readers that the decider
 * itself uses, so that it never refuses what stands there: one bad certificate, list or key
 * set, bytes behind the last certificate, or a list that is not whole, and nothing of the
 * answer is taken. */
#ifndef BARTIZAN_FEED_FILES_H
#define BARTIZAN_FEED_FILES_H

#include "config.h"
#include "workload_message.h"

struct feed_file {
    const char *path;
    struct view text; /* absent: the file is to go away */
};

struct feed_files {
    struct feed_file *items; /* in the order in which they are written: no domain is trusted without its lists */
    size_t count;
    size_t domain_count; /* configured ones that the answer names */
    size_t changed;      /* by feed_files_write: files that are not what they were */
};

/* The files for `message`. ERR_INVALID with diags, the first of which says what is wrong; ERR_NO_MEMORY.
 * Warnings in `diags` tell what is left out. Everything lives in `arena`. */
MUST_CHECK enum err feed_files_build(const struct config *config, enum workload_kind kind,
                                     const struct workload_message *message, struct arena *arena,
                                     struct diag_list *diags, struct feed_files *out);

/* The same files for an answer that is withdrawn: all of them are to go away. */
MUST_CHECK enum err feed_files_none(const struct config *config, enum workload_kind kind, struct arena *arena,
                                    struct feed_files *out);

/* Writes them whole, one by one; a file that has this text already is left alone, so that nobody reads it
 * again. *path is the one that could not be written. ERR_IO. */
MUST_CHECK enum err feed_files_write(struct feed_files *files, struct arena *arena, const char **path);

#endif
