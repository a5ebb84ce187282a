/* SPDX-License-Identifier: Apache-2.0 */
/* What a command signs: the Ed25519 private key it takes, and the file it writes. */
#ifndef BARTIZAN_SEALED_FILE_H
#define BARTIZAN_SEALED_FILE_H

#include "policy_seal.h"

/* EXIT_GOOD and *out, freed by policy_key_free; or what is wrong was printed: EXIT_SIGNATURE for a file that is no such
 * key. */
int sealed_file_key(const char *path, struct arena *arena, struct policy_key **out);
void sealed_file_key_free(struct policy_key **key); /* for AUTO; harmless on NULL in it */

/* Whole or not at all, beside the file and then in its place. EXIT_GOOD, or what is wrong was printed. */
int sealed_file_write(const char *path, struct view bytes);

#endif
