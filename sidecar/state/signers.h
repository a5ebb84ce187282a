/* SPDX-License-Identifier: Apache-2.0 */
/* The public keys by which signed files are judged: those of policy.signers, or of
 * identity.revocation_signers. Read anew with every load. */
#ifndef BARTIZAN_SIGNERS_H
#define BARTIZAN_SIGNERS_H

#include "diag.h"
#include "digest.h"
#include "policy_seal.h"

/* Zeroed: none, and signatures are not asked for. */
struct signers {
    struct policy_key **keys;
    size_t count;
    const char *key_name;              /* of the configuration, for messages */
    uint8_t fingerprint[SHA256_BYTES]; /* of the files; zero without any */
};

/* PEM files, each with one Ed25519 public key. ERR_INVALID and errors of file_read with a diag. What was allocated is
 * freed by signers_free, also after an error. `key_name` outlives *out. */
MUST_CHECK enum err signers_read(const char *const *paths, size_t count, const char *key_name, struct arena *arena,
                                 struct diag_list *diags, struct signers *out);
void signers_free(struct signers *signers); /* for AUTO; harmless on a zeroed one */

bool signers_have_signed(const struct signers *signers, const struct policy_seal *seal);

/* ERR_NONE when they have; else ERR_INVALID with a diag `code` about `file`. */
MUST_CHECK enum err signers_check(const struct signers *signers, const struct policy_seal *seal, const char *code,
                                  struct view file, struct diag_list *diags);

/* `into` becomes the SHA-256 of itself and that of `text`. */
MUST_CHECK enum err signers_mix(uint8_t into[SHA256_BYTES], struct view text);

#endif
