/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_seal.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum {
    AT_SIZE = 24,
    AT_ZERO = 28,
    AT_REVISION = 32,
    AT_ISSUED = 40,
    AT_EXPIRES = 48,
    AT_KEY_ID = 56,
    AT_IMAGE_BYTES = 88,
    AT_REST = 96,
    PEM_MAX = 16 * 1024,
};

enum { MAGIC_BYTES = AT_SIZE, FAMILY_BYTES = MAGIC_BYTES - 2 /* up to the version's number */ };

static const char magics[][MAGIC_BYTES + 1] = {
    [POLICY_SEAL_OF_POLICY] = "bartizan policy seal v1\n", [POLICY_SEAL_OF_DENIAL] = "bartizan denial seal v1\n"};

struct policy_key {
    EVP_PKEY *pair;
    bool is_private;
    uint8_t id[POLICY_SEAL_KEY_ID_BYTES];
};

static void put(char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(uint8_t)(value >> (8 * i));
}

static uint64_t get(struct view bytes, size_t at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)bytes.data[at + i] << (8 * i);
    return value;
}

/* ---- the envelope -------------------------------------------------------- */

static bool is_of(enum policy_seal_purpose purpose, struct view bytes)
{
    return view_starts_with(bytes, (struct view){magics[purpose], FAMILY_BYTES});
}

bool policy_seal_is(struct view bytes)
{
    return is_of(POLICY_SEAL_OF_POLICY, bytes);
}

bool policy_seal_is_of_denial(struct view bytes)
{
    return is_of(POLICY_SEAL_OF_DENIAL, bytes);
}

static bool is_zero(struct view bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != 0)
            return false;
    return true;
}

static bool is_in_range(uint64_t revision, uint64_t issued, uint64_t expires)
{
    return revision >= 1 && revision <= POLICY_SEAL_REVISION_MAX && issued < expires && expires <= POLICY_SEAL_TIME_MAX;
}

static enum err parse(enum policy_seal_purpose purpose, struct view bytes, struct policy_seal *out)
{
    if (!is_of(purpose, bytes))
        return ERR_MALFORMED;
    if (!view_starts_with(bytes, (struct view){magics[purpose], MAGIC_BYTES}))
        return bytes.size < MAGIC_BYTES ? ERR_MALFORMED : ERR_UNSUPPORTED;
    if (bytes.size <= POLICY_SEAL_OVERHEAD || get(bytes, AT_SIZE, 4) != POLICY_SEAL_HEADER_BYTES ||
        get(bytes, AT_ZERO, 4) != 0 || !is_zero(view_slice(bytes, AT_REST, POLICY_SEAL_HEADER_BYTES)) ||
        get(bytes, AT_IMAGE_BYTES, 8) != bytes.size - POLICY_SEAL_OVERHEAD)
        return ERR_MALFORMED;
    uint64_t revision = get(bytes, AT_REVISION, 8), issued = get(bytes, AT_ISSUED, 8);
    uint64_t expires = get(bytes, AT_EXPIRES, 8);
    if (!is_in_range(revision, issued, expires))
        return ERR_MALFORMED;
    size_t end = bytes.size - POLICY_SEAL_SIGNATURE_BYTES;
    *out = (struct policy_seal){.purpose = purpose,
                                .revision = revision,
                                .issued = (int64_t)issued,
                                .expires = (int64_t)expires,
                                .image = view_slice(bytes, POLICY_SEAL_HEADER_BYTES, end),
                                .covered = view_slice(bytes, 0, end),
                                .signature = view_slice(bytes, end, bytes.size)};
    memcpy(out->key_id, bytes.data + AT_KEY_ID, POLICY_SEAL_KEY_ID_BYTES);
    return ERR_NONE;
}

enum err policy_seal_parse(struct view bytes, struct policy_seal *out)
{
    return parse(POLICY_SEAL_OF_POLICY, bytes, out);
}

enum err policy_seal_parse_denial(struct view bytes, struct policy_seal *out)
{
    return parse(POLICY_SEAL_OF_DENIAL, bytes, out);
}

bool policy_seal_is_signed_by(const struct policy_seal *seal, const struct policy_key *key)
{
    if (memcmp(seal->key_id, key->id, POLICY_SEAL_KEY_ID_BYTES) != 0)
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context != NULL && EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, key->pair, NULL) == 1 &&
                   EVP_DigestVerify(context, (const uint8_t *)seal->signature.data, seal->signature.size,
                                    (const uint8_t *)seal->covered.data, seal->covered.size) == 1;
    EVP_MD_CTX_free(context);
    return is_good;
}

static enum err sign(const struct policy_key *key, struct view covered, char *out)
{
    size_t size = POLICY_SEAL_SIGNATURE_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context != NULL && EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key->pair, NULL) == 1 &&
                   EVP_DigestSign(context, (uint8_t *)out, &size, (const uint8_t *)covered.data, covered.size) == 1;
    EVP_MD_CTX_free(context);
    return is_good && size == POLICY_SEAL_SIGNATURE_BYTES ? ERR_NONE : ERR_NO_MEMORY;
}

enum err policy_seal_write(const struct policy_seal *seal, const struct policy_key *key, struct arena *arena,
                           struct view *out)
{
    if (!key->is_private || seal->issued < 0 || seal->expires < 0 || view_is_empty(seal->image) ||
        seal->image.size > SIZE_MAX - POLICY_SEAL_OVERHEAD ||
        !is_in_range(seal->revision, (uint64_t)seal->issued, (uint64_t)seal->expires))
        return ERR_INVALID;
    size_t end = POLICY_SEAL_HEADER_BYTES + seal->image.size;
    char *bytes = arena_take(arena, end + POLICY_SEAL_SIGNATURE_BYTES);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    memcpy(bytes, magics[seal->purpose], MAGIC_BYTES);
    put(bytes + AT_SIZE, POLICY_SEAL_HEADER_BYTES, 4);
    put(bytes + AT_REVISION, seal->revision, 8);
    put(bytes + AT_ISSUED, (uint64_t)seal->issued, 8);
    put(bytes + AT_EXPIRES, (uint64_t)seal->expires, 8);
    memcpy(bytes + AT_KEY_ID, key->id, POLICY_SEAL_KEY_ID_BYTES);
    put(bytes + AT_IMAGE_BYTES, seal->image.size, 8);
    memcpy(bytes + POLICY_SEAL_HEADER_BYTES, seal->image.data, seal->image.size);
    TRY(sign(key, (struct view){bytes, end}, bytes + end));
    *out = (struct view){bytes, end + POLICY_SEAL_SIGNATURE_BYTES};
    return ERR_NONE;
}

/* ---- keys ---------------------------------------------------------------- */

static enum err key_id_of(EVP_PKEY *pair, uint8_t out[POLICY_SEAL_KEY_ID_BYTES])
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(pair, &der);
    bool is_good = size > 0 && EVP_Digest(der, (size_t)size, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return is_good ? ERR_NONE : ERR_NO_MEMORY;
}

/* A key under a passphrase is refused: nothing here may wait at a terminal. */
static int no_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return -1;
}

static bool is_blank(struct view text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '\n' && text.data[i] != '\r' && text.data[i] != ' ' && text.data[i] != '\t')
            return false;
    return true;
}

/* NULL unless `pem` is one block of the kind, with nothing before it and only white space behind it. */
static EVP_PKEY *read_pair(struct view pem, bool is_private)
{
    struct view label = is_private ? VIEW("-----BEGIN PRIVATE KEY-----") : VIEW("-----BEGIN PUBLIC KEY-----");
    if (!view_starts_with(pem, label) || pem.size > PEM_MAX)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return NULL;
    EVP_PKEY *pair = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                                : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    size_t left = BIO_ctrl_pending(bio);
    BIO_free(bio);
    if (pair != NULL && !is_blank(view_slice(pem, pem.size - left, pem.size))) {
        EVP_PKEY_free(pair);
        return NULL;
    }
    return pair;
}

static enum err key_read(struct view pem, bool is_private, struct policy_key **out)
{
    EVP_PKEY *pair = read_pair(pem, is_private);
    if (pair == NULL)
        return ERR_MALFORMED;
    struct policy_key *key = calloc(1, sizeof(*key));
    enum err result = EVP_PKEY_is_a(pair, "ED25519") != 1 ? ERR_UNSUPPORTED : key == NULL ? ERR_NO_MEMORY : ERR_NONE;
    if (result == ERR_NONE)
        result = key_id_of(pair, key->id);
    if (result != ERR_NONE) {
        EVP_PKEY_free(pair);
        free(key);
        return result;
    }
    key->pair = pair;
    key->is_private = is_private;
    *out = key;
    return ERR_NONE;
}

enum err policy_key_read_public(struct view pem, struct policy_key **out)
{
    return key_read(pem, false, out);
}

enum err policy_key_read_private(struct view pem, struct policy_key **out)
{
    return key_read(pem, true, out);
}

void policy_key_free(struct policy_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pair);
    free(key);
}

const uint8_t *policy_key_id(const struct policy_key *key)
{
    return key->id;
}
