/* SPDX-License-Identifier: Apache-2.0 */
#include "key_pair.h"

#include "bio_text.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static const struct {
    struct view name;
    const char *group; /* NULL: RSA */
} kinds[] = {
    [KEY_PAIR_P256] = {{"p256", 4}, "P-256"},
    [KEY_PAIR_P384] = {{"p384", 4}, "P-384"},
    [KEY_PAIR_RSA3072] = {{"rsa3072", 7}, NULL},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], RSA_BITS = 3072 };

bool key_pair_kind_parse(struct view text, enum key_pair_kind *out)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (!view_equals(kinds[i].name, text))
            continue;
        *out = (enum key_pair_kind)i;
        return true;
    }
    return false;
}

EVP_PKEY *key_pair_generate(enum key_pair_kind kind)
{
    return kinds[kind].group != NULL ? EVP_EC_gen(kinds[kind].group) : EVP_RSA_gen(RSA_BITS);
}

/* Asked for a passphrase nobody is at hand to type: the key is none of ours. */
static int refuse_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

EVP_PKEY *key_pair_parse(struct view pem)
{
    AUTO(bio_text_drop) BIO *bio = bio_text_read(pem);
    return bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL) : NULL;
}

struct view key_pair_print(const EVP_PKEY *key, struct arena *arena)
{
    AUTO(bio_text_drop) BIO *bio = BIO_new(BIO_s_secmem());
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return (struct view){0};
    return bio_text_copy(bio, arena);
}

struct view key_pair_name(const EVP_PKEY *key, struct arena *arena)
{
    char group[32];
    size_t size = 0;
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        return arena_print(arena, "RSA %d", bits);
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1)
        return view_of(EVP_PKEY_get0_type_name(key));
    const char *nist = EC_curve_nid2nist(OBJ_txt2nid(group));
    return arena_print(arena, "%s", nist != NULL ? nist : group);
}

void key_pair_drop(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
