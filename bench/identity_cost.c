/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes to know a caller: warm, out of the cache; cold, beside what OpenSSL
 * itself takes for the same certificate; and what many callers take of memory.
 *
 *   identity_cost [CALLERS]
 *
 * Prints one line of JSON. */
#include "caller_proof.h"
#include "measure.h"
#include "revocation.h"
#include "test_bundles.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WARM_CALLERS = 64, /* more than one, so that the processor's own caches help no more than they would */
    WARM_SAMPLES = 200000,
    COLD_SAMPLES = 200,
    COLD_ROUNDS = 9,
    DENIED = 1000,
    GENERATION = 1, /* of the deny list */
    CACHE_MEMORY = 4 * 1024 * 1024,
    CACHE_ENTRIES = 512,
};

struct bench {
    struct test_cert root;
    char *texts[WARM_CALLERS]; /* URL-encoded PEM */
    char *pem;                 /* of the first */
    struct trust_bundles *bundles;
    struct revocations *revocations;
    struct caller_proof_rule rule;
    double ns, empty; /* per tick; ticks of an empty measurement */
};

static const struct hash_key hash_key = {.seed = {0x5eed, 0x1e55}};

/* A deny list that has nobody who asks. */
static struct revocations *make_revocations(void)
{
    static char text[DENIED * 160];
    struct revocations *out = NULL;
    struct arena arena;
    struct diag_list diags;
    size_t size = (size_t)snprintf(text, sizeof text,
                                   "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\n"
                                   "metadata: {sequence: 1}\nentries:\n");
    for (int i = 0; i < DENIED; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "  - {spiffe: \"spiffe://prod.example/ns/gone/sa/n%d\", reason: left, author: bench, "
                                 "created: \"2026-01-01T00:00:00Z\"}\n",
                                 i);
    const struct revocation_source source = {.file = VIEW("bench.yaml"), .text = {.data = text, .size = size}};
    arena_init(&arena, 64 * 1024 * 1024);
    diag_list_init(&diags, &arena);
    must(revocations_build(&source, 1, &diags, &out) == ERR_NONE, "the deny list is not valid");
    arena_free(&arena);
    return out;
}

static void make_world(struct bench *b)
{
    b->root = test_ca_root(NULL);
    for (int i = 0; i < WARM_CALLERS; i++) {
        char uri[80];
        (void)snprintf(uri, sizeof uri, "spiffe://prod.example/ns/search/sa/web-%d", i);
        struct test_cert leaf = test_ca_svid(&b->root, uri);
        b->texts[i] = test_cert_urlencoded_one(&leaf);
        if (i == 0)
            b->pem = test_cert_pem_one(&leaf);
        test_cert_free(&leaf);
    }
    b->bundles = test_bundles_one("prod.example", &b->root);
    b->revocations = make_revocations();
    b->rule = (struct caller_proof_rule){.uses_certificate = true};
    b->ns = ns_per_tick();
    b->empty = empty_ticks();
}

static struct caller_proof_input input_of(const struct bench *b, const char *text)
{
    return (struct caller_proof_input){.rule = &b->rule, .source_certificate = view_of(text)};
}

/* As a warm check does it: nothing of a certificate is read. */
static bool is_known(const struct bench *b, struct svid_cache *cache, const char *text)
{
    struct caller_proof_input input = input_of(b, text);
    enum reason refusal;
    if (caller_proof_presence(&input) != REASON_NONE)
        return false;
    struct svid_key key = caller_proof_key(&input);
    struct x509_svid *svid = svid_cache_find(cache, &key, b->bundles, TEST_NOW, &refusal);
    if (svid == NULL)
        return false;
    if (clearance_holds(&svid->clearance, GENERATION, TEST_NOW))
        return true;
    svid->clearance = (struct clearance){.generation = GENERATION, .since = TEST_NOW};
    return !revocations_has_caller(b->revocations, svid, TEST_NOW);
}

static void learn(const struct bench *b, struct svid_cache *cache, const char *text)
{
    struct caller_proof_input input = input_of(b, text);
    struct svid_key key = caller_proof_key(&input);
    struct x509_svid svid;
    must(caller_proof_verify(&input, b->bundles, TEST_NOW, &svid) == REASON_NONE, "a good caller is refused");
    svid_cache_insert(cache, &key, &svid, REASON_NONE, b->bundles, TEST_NOW);
}

static struct svid_cache *open_cache(size_t memory, uint32_t entries)
{
    struct svid_cache *cache = NULL;
    const struct svid_cache_config sizes = {.entries = entries, .key_bytes = 16 * 1024, .memory = memory};
    must(svid_cache_open(&sizes, &hash_key, &cache) == ERR_NONE, "no cache");
    return cache;
}

static void measure_warm(const struct bench *b)
{
    static double samples[WARM_SAMPLES];
    struct svid_cache *cache = open_cache(CACHE_MEMORY, CACHE_ENTRIES);
    for (int i = 0; i < WARM_CALLERS; i++)
        learn(b, cache, b->texts[i]);
    for (int i = 0; i < WARM_SAMPLES; i++) {
        const char *text = b->texts[i * 29 % WARM_CALLERS];
        uint64_t from = ticks_now();
        bool is_good = is_known(b, cache, text);
        samples[i] = ((double)(ticks_now() - from) - b->empty) * b->ns;
        must(is_good, "a known caller is not known");
    }
    numbers_sort(samples, WARM_SAMPLES);
    (void)printf("\"warm_ns\": {\"p50\": %.0f, \"p99\": %.0f, \"text_bytes\": %zu, \"deny_list\": %d}, ",
                 quantile(samples, WARM_SAMPLES, 0.5), quantile(samples, WARM_SAMPLES, 0.99), strlen(b->texts[0]),
                 DENIED);
    svid_cache_close(cache);
}

static double ours(const struct bench *b)
{
    struct caller_proof_input input = input_of(b, b->texts[0]);
    double start = seconds_now();
    for (int i = 0; i < COLD_SAMPLES; i++) {
        struct x509_svid svid;
        must(caller_proof_verify(&input, b->bundles, TEST_NOW, &svid) == REASON_NONE, "a good caller is refused");
    }
    return (seconds_now() - start) / COLD_SAMPLES * 1e6;
}

/* What a program without us would do: read the PEM, verify the chain as a client's. */
static double openssl_alone(const struct bench *b, X509_STORE *store)
{
    double start = seconds_now();
    for (int i = 0; i < COLD_SAMPLES; i++) {
        BIO *bio = BIO_new_mem_buf(b->pem, -1);
        X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        must(leaf != NULL && ctx != NULL && X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1, "OpenSSL fails");
        X509_STORE_CTX_set_time(ctx, 0, (time_t)TEST_NOW);
        (void)X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
        must(X509_verify_cert(ctx) == 1, "OpenSSL refuses a good caller");
        X509_STORE_CTX_free(ctx);
        X509_free(leaf);
        BIO_free(bio);
    }
    return (seconds_now() - start) / COLD_SAMPLES * 1e6;
}

static void measure_cold(const struct bench *b)
{
    double mine[COLD_ROUNDS], theirs[COLD_ROUNDS], ratios[COLD_ROUNDS];
    X509_STORE *store = X509_STORE_new();
    must(store != NULL && X509_STORE_add_cert(store, b->root.x509) == 1 &&
             X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1,
         "no store");
    for (int i = 0; i < COLD_ROUNDS; i++) {
        mine[i] = ours(b);
        theirs[i] = openssl_alone(b, store);
        ratios[i] = mine[i] / theirs[i];
    }
    X509_STORE_free(store);
    numbers_sort(mine, COLD_ROUNDS);
    numbers_sort(theirs, COLD_ROUNDS);
    numbers_sort(ratios, COLD_ROUNDS);
    (void)printf("\"cold_us\": {\"ours\": %.1f, \"openssl\": %.1f, \"ratio\": [%.2f, %.2f, %.2f]}, ",
                 quantile(mine, COLD_ROUNDS, 0.5), quantile(theirs, COLD_ROUNDS, 0.5), ratios[0],
                 quantile(ratios, COLD_ROUNDS, 0.5), ratios[COLD_ROUNDS - 1]);
}

/* Distinct texts that were never verified fill the cache as verified ones do. */
static void measure_crowd(const struct bench *b, unsigned callers)
{
    struct caller_proof_input input = input_of(b, b->texts[0]);
    struct x509_svid svid;
    must(caller_proof_verify(&input, b->bundles, TEST_NOW, &svid) == REASON_NONE, "a good caller is refused");
    size_t size = strlen(b->texts[0]), before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct svid_cache *cache = open_cache(CACHE_MEMORY, CACHE_ENTRIES);
    char *text = strdup(b->texts[0]);
    must(text != NULL, "no memory");
    unsigned kept = 0;
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < callers; i++) {
            char number[16];
            enum reason refusal;
            (void)snprintf(number, sizeof number, "%08u", i);
            memcpy(text + size / 2, number, 8);
            const struct svid_key key = {.leaf = {.data = text, .size = size}};
            if (round == 0)
                svid_cache_insert(cache, &key, &svid, REASON_NONE, b->bundles, TEST_NOW);
            else
                kept += svid_cache_find(cache, &key, b->bundles, TEST_NOW, &refusal) != NULL;
        }
    }
    size_t taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    (void)printf("\"crowd\": {\"callers\": %u, \"kept\": %u, \"memory\": %zu, \"configured\": %d}", callers, kept,
                 taken, CACHE_MEMORY);
    free(text);
    svid_cache_close(cache);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    unsigned long callers = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    must(callers > 0 && callers < 100000000, "usage: identity_cost [CALLERS]");
    make_world(&bench);
    (void)putchar('{');
    measure_warm(&bench);
    measure_cold(&bench);
    measure_crowd(&bench, (unsigned)callers);
    (void)puts("}");
    for (int i = 0; i < WARM_CALLERS; i++)
        free(bench.texts[i]);
    free(bench.pem);
    revocations_free(bench.revocations);
    trust_bundles_free(bench.bundles);
    test_cert_free(&bench.root);
    return 0;
}
