/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an authority's folder. Every error leaves a sentence in authority.problem. */
#ifndef BARTIZAN_AUTHORITY_FOLDER_H
#define BARTIZAN_AUTHORITY_FOLDER_H

#include "authority.h"

#include <sys/types.h>

/* A name may lead into one of its folders. */

/* Opens and locks `dir`. ERR_NOT_FOUND, ERR_CONFLICT, ERR_IO. */
MUST_CHECK enum err authority_folder_open(const char *dir, bool is_writer, struct authority *authority);

/* ERR_NOT_FOUND leaves a sentence too. */
MUST_CHECK enum err authority_folder_certificate(struct authority *authority, const char *name, X509 **out);
MUST_CHECK enum err authority_folder_key(struct authority *authority, const char *name, EVP_PKEY **out);
/* The list of `signer` into it, when there is one. */
MUST_CHECK enum err authority_folder_list(struct authority *authority, struct authority_signer *signer);
/* The serial of the intermediate that issues. */
MUST_CHECK enum err authority_folder_current(struct authority *authority, char out[AUTHORITY_SERIAL_TEXT]);
/* `spiffe_sequence` of bundle.json; 0 when it is not there. */
MUST_CHECK enum err authority_folder_sequence(struct authority *authority, uint64_t *out);

MUST_CHECK enum err authority_folder_create(struct authority *authority, const char *name, mode_t mode,
                                            struct view text);
MUST_CHECK enum err authority_folder_replace(struct authority *authority, const char *name, mode_t mode,
                                             struct view text);
/* Makes the folder `name` when it is not there. */
MUST_CHECK enum err authority_folder_make(struct authority *authority, const char *name);
/* folder/SERIAL.SUFFIX, SERIAL of `certificate`; valid as long as the authority. */
const char *authority_folder_name(struct authority *authority, const char *folder, X509 *certificate,
                                  const char *suffix);

/* Calls `each` with the certificate of every *.pem in the folder `name`; it does not own them after. None when there is
 * no such folder. */
MUST_CHECK enum err authority_folder_each(struct authority *authority, const char *name,
                                          void (*each)(void *context, X509 *certificate), void *context,
                                          size_t *unreadable);

/* Writes authority.problem and returns `err`. */
enum err authority_problem(struct authority *authority, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
