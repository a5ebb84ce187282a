/* SPDX-License-Identifier: Apache-2.0 */
#include "signers.h"

#include "file_set.h"

#include <errno.h>
#include <stdlib.h>

enum { KEY_HEX = 16 };

enum err signers_mix(uint8_t into[SHA256_BYTES], struct view text)
{
    uint8_t pair[2 * SHA256_BYTES];
    memcpy(pair, into, SHA256_BYTES);
    TRY(sha256(text, pair + SHA256_BYTES));
    return sha256((struct view){(const char *)pair, sizeof(pair)}, into);
}

static enum err read_key(const char *path, struct arena *arena, struct diag_list *diags, struct signers *signers)
{
    struct span span = {.file = view_of(path)};
    struct view pem;
    enum err error = file_read(path, arena, &pem);
    if (error != ERR_NONE) {
        diag_error(diags, "E0901", &span, "cannot be read: %s", error == ERR_IO ? strerror(errno) : err_text(error));
        return error;
    }
    error = policy_key_read_public(pem, &signers->keys[signers->count]);
    if (error == ERR_MALFORMED || error == ERR_UNSUPPORTED) {
        diag_error(diags, "E0925", &span,
                   error == ERR_MALFORMED ? "this is no public key in PEM"
                                          : "this is a public key, but none of Ed25519");
        return ERR_INVALID;
    }
    TRY(error);
    signers->count++;
    return signers_mix(signers->fingerprint, pem);
}

enum err signers_read(const char *const *paths, size_t count, const char *key_name, struct arena *arena,
                      struct diag_list *diags, struct signers *out)
{
    *out = (struct signers){.key_name = key_name};
    if (count == 0)
        return ERR_NONE;
    out->keys = calloc(count, sizeof(struct policy_key *));
    if (out->keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(read_key(paths[i], arena, diags, out));
    return ERR_NONE;
}

void signers_free(struct signers *signers)
{
    for (size_t i = 0; i < signers->count; i++)
        policy_key_free(signers->keys[i]);
    free(signers->keys);
    *signers = (struct signers){0};
}

bool signers_have_signed(const struct signers *signers, const struct policy_seal *seal)
{
    for (size_t i = 0; i < signers->count; i++)
        if (policy_seal_is_signed_by(seal, signers->keys[i]))
            return true;
    return false;
}

static bool is_known(const struct signers *signers, const struct policy_seal *seal)
{
    for (size_t i = 0; i < signers->count; i++)
        if (memcmp(policy_key_id(signers->keys[i]), seal->key_id, POLICY_SEAL_KEY_ID_BYTES) == 0)
            return true;
    return false;
}

enum err signers_check(const struct signers *signers, const struct policy_seal *seal, const char *code,
                       struct view file, struct diag_list *diags)
{
    struct span span = {.file = file};
    char hex[KEY_HEX];
    if (signers_have_signed(signers, seal))
        return ERR_NONE;
    hex_encode(seal->key_id, KEY_HEX / 2, hex);
    diag_error(diags, code, &span,
               is_known(signers, seal) ? "its signature does not verify with the key %.*s of %s"
                                       : "it is signed by the key %.*s, which is none of %s",
               KEY_HEX, hex, signers->key_name);
    return ERR_INVALID;
}
