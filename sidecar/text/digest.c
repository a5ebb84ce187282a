/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* A context per thread: creating one costs more than the hash of a short text. */
struct contexts {
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static EVP_MD *sha256_method; /* fetched once: a fetch takes a lock and a search */
static EVP_MAC *hmac_method;
static bool is_ready;
static _Thread_local struct contexts *mine;

static void contexts_free(void *memory)
{
    struct contexts *contexts = memory;
    EVP_MD_CTX_free(contexts->digest);
    EVP_MAC_CTX_free(contexts->mac);
    free(contexts);
}

static void fetch(void)
{
    sha256_method = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    hmac_method = EVP_MAC_fetch(NULL, "HMAC", NULL);
    is_ready = sha256_method != NULL && hmac_method != NULL && pthread_key_create(&at_thread_end, contexts_free) == 0;
}

static struct contexts *contexts_new(void)
{
    char name[] = "SHA2-256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    struct contexts *contexts = calloc(1, sizeof *contexts);
    if (contexts == NULL)
        return NULL;
    contexts->digest = EVP_MD_CTX_new();
    contexts->mac = EVP_MAC_CTX_new(hmac_method);
    if (contexts->digest != NULL && contexts->mac != NULL && EVP_MAC_CTX_set_params(contexts->mac, params) == 1 &&
        pthread_setspecific(at_thread_end, contexts) == 0)
        return contexts;
    contexts_free(contexts);
    return NULL;
}

static struct contexts *contexts_get(void)
{
    if (mine != NULL)
        return mine;
    (void)pthread_once(&once, fetch);
    if (is_ready)
        mine = contexts_new();
    return mine;
}

enum err sha256(struct view bytes, uint8_t out[SHA256_BYTES])
{
    struct contexts *contexts = contexts_get();
    if (contexts == NULL || EVP_DigestInit_ex2(contexts->digest, sha256_method, NULL) != 1 ||
        EVP_DigestUpdate(contexts->digest, bytes.data, bytes.size) != 1 ||
        EVP_DigestFinal_ex(contexts->digest, out, NULL) != 1)
        return ERR_NO_MEMORY;
    return ERR_NONE;
}

enum err hmac_sha256(struct view key, struct view bytes, uint8_t out[SHA256_BYTES])
{
    /* A NULL key would mean "the key of before" to OpenSSL. */
    static const unsigned char NOTHING[1] = {0};
    const unsigned char *secret = key.size > 0 ? (const unsigned char *)key.data : NOTHING;
    struct contexts *contexts = contexts_get();
    size_t size = 0;
    if (contexts == NULL || EVP_MAC_init(contexts->mac, secret, key.size, NULL) != 1 ||
        EVP_MAC_update(contexts->mac, (const unsigned char *)bytes.data, bytes.size) != 1 ||
        EVP_MAC_final(contexts->mac, out, &size, SHA256_BYTES) != 1 || size != SHA256_BYTES)
        return ERR_NO_MEMORY;
    return ERR_NONE;
}

void hex_encode(const uint8_t *bytes, size_t size, char *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = DIGITS[bytes[i] >> 4];
        out[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct view text, uint8_t *out, size_t size)
{
    if (size > SIZE_MAX / 2 || text.size != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

__extension__ typedef unsigned __int128 wide;

/* Both halves of the 128-bit product, folded: every input bit reaches every output bit. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t word(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

uint64_t keyed_hash(const struct hash_key *key, struct view bytes)
{
    /* Odd constants without structure: the fractions of the square roots of 2 and 3. */
    static const uint64_t A = 0x6a09e667f3bcc909, B = 0xbb67ae8584caa73b;
    uint64_t first = key->seed[0] ^ A, second = key->seed[1] ^ B;
    const uint64_t k0 = key->seed[1] ^ A, k1 = key->seed[0] ^ B;
    const char *in = bytes.data;
    size_t left = bytes.size;
    for (; left > 32; left -= 32, in += 32) { /* two lanes, so that the products overlap */
        first = mix(word(in) ^ first, word(in + 8) ^ k0);
        second = mix(word(in + 16) ^ second, word(in + 24) ^ k1);
    }
    char tail[32] = {0};
    if (left > 0)
        memcpy(tail, in, left);
    first = mix(word(tail) ^ first, word(tail + 8) ^ k0);
    second = mix(word(tail + 16) ^ second, word(tail + 24) ^ k1);
    return mix(first ^ bytes.size, second ^ k0);
}
