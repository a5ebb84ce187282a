/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svid_cache.h"
#include "test_bundles.h"

#include <malloc.h>
#include <stdlib.h>

#define ID "spiffe://prod.example/ns/a/sa/b"

static const struct hash_key hash_key = {.seed = {1, 2}};
static struct test_cert root, other_root;
static struct trust_bundles *bundles;
static struct svid_cache *cache;

static int set_up(void **state)
{
    (void)state;
    root = test_ca_root(NULL);
    other_root = test_ca_root(NULL);
    bundles = test_bundles_one("prod.example", &root);
    return svid_cache_open(&(struct svid_cache_config){0}, &hash_key, &cache) == ERR_NONE ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    svid_cache_close(cache);
    trust_bundles_free(bundles);
    test_cert_free(&root);
    test_cert_free(&other_root);
    return 0;
}

static void keep(const struct svid_key *key, const char *id)
{
    struct x509_svid svid = {.not_before = TEST_NOT_BEFORE, .not_after = TEST_NOT_AFTER, .bundle_generation = 1};
    memcpy(svid.id_text, id, strlen(id));
    assert_int_equal(spiffe_id_parse((struct view){.data = svid.id_text, .size = strlen(id)}, &svid.id), ERR_NONE);
    svid_cache_insert(cache, key, &svid, REASON_NONE, bundles, TEST_NOW);
    memset(&svid, 0, sizeof svid); /* what is found later is a copy */
}

static const struct x509_svid *find_at(const struct svid_key *key, int64_t now)
{
    enum reason refusal;
    const struct x509_svid *svid = svid_cache_find(cache, key, bundles, now, &refusal);
    assert_int_equal(refusal, REASON_NONE);
    return svid;
}

static enum reason refusal_at(const struct svid_key *key, const struct trust_bundles *mine, int64_t now)
{
    enum reason refusal;
    assert_null(svid_cache_find(cache, key, mine, now, &refusal));
    return refusal;
}

static void cache_finds_what_was_kept_by_its_whole_key(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("leaf"), .chain = VIEW("chain")};
    keep(&key, ID);
    const struct x509_svid *svid = find_at(&key, TEST_NOW);
    assert_non_null(svid);
    assert_true(view_equals(svid->id.text, VIEW(ID)));
    assert_true(svid->id.text.data == svid->id_text);
    const struct svid_key others[] = {
        {.leaf = VIEW("leaf"), .chain = VIEW("chaim")},
        {.leaf = VIEW("leafc"), .chain = VIEW("hain")},
        {.leaf = VIEW("leaf")},
        {.leaf = VIEW("leafchain")},
        {.leaf = VIEW("leafchain"), .chain = VIEW("")},
        {.leaf = VIEW(""), .chain = VIEW("leafchain")},
        {.chain = VIEW("leafchain")},
        {.leaf = VIEW("leaf"), .chain = VIEW("")},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(find_at(&others[i], TEST_NOW));
}

static void cache_tells_absent_from_empty(void **state)
{
    (void)state;
    const struct svid_key absent = {.leaf = VIEW("x")}, empty = {.leaf = VIEW("x"), .chain = VIEW("")};
    keep(&absent, ID);
    assert_non_null(find_at(&absent, TEST_NOW));
    assert_null(find_at(&empty, TEST_NOW));
}

static void cache_holds_within_validity_only(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("validity")};
    keep(&key, ID);
    assert_non_null(find_at(&key, TEST_NOT_BEFORE));
    assert_null(find_at(&key, TEST_NOT_BEFORE - 1));
    assert_non_null(find_at(&key, TEST_NOT_AFTER - 1));
    assert_null(find_at(&key, TEST_NOT_AFTER));
}

/* A removed authority ends what was verified by it at once, and that of another domain nothing. */
static void cache_holds_under_the_same_generation_of_its_domain(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("bundles")};
    keep(&key, ID);
    const struct test_bundle sets[][2] = {
        {{.trust_domain = "prod.example", .authorities = {&root}, .generation = 2}},
        {{.trust_domain = "prod.example", .authorities = {&other_root}, .generation = 3}},
        {{.trust_domain = "prod.example", .authorities = {&root}, .generation = 2},
         {.trust_domain = "other.example", .authorities = {&other_root}, .generation = 1}},
        {{.trust_domain = "other.example", .authorities = {&root}, .generation = 1}},
        {{.trust_domain = "prod.example", .is_absent = true, .generation = 4}},
    };
    enum reason refusal;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct trust_bundles *mine = test_bundles(sets[i], sets[i][1].trust_domain ? 2 : 1);
        assert_null(svid_cache_find(cache, &key, mine, TEST_NOW, &refusal));
        trust_bundles_free(mine);
    }
    const struct test_bundle good[][2] = {
        {{.trust_domain = "prod.example", .authorities = {&root}, .generation = 1}},
        {{.trust_domain = "prod.example", .authorities = {&root}, .generation = 1},
         {.trust_domain = "other.example", .authorities = {&other_root}, .generation = 7}},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct trust_bundles *same = test_bundles(good[i], good[i][1].trust_domain ? 2 : 1);
        assert_non_null(svid_cache_find(cache, &key, same, TEST_NOW, &refusal));
        trust_bundles_free(same);
    }
}

/* A caller behind proxies rests on the bundles of their domains too. */
static void cache_holds_under_the_same_generation_of_every_proxys_domain(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("proxies")};
    struct x509_svid svid = {.not_before = TEST_NOT_BEFORE,
                             .not_after = TEST_NOT_AFTER,
                             .bundle_generation = 1,
                             .proxy_count = 2,
                             .proxies = {{.id = VIEW("spiffe://prod.example/in"), .bundle_generation = 1},
                                         {.id = VIEW("spiffe://edge.example/a/b"), .bundle_generation = 5}}};
    memcpy(svid.id_text, ID, sizeof ID - 1);
    assert_int_equal(spiffe_id_parse((struct view){.data = svid.id_text, .size = sizeof ID - 1}, &svid.id), ERR_NONE);
    svid_cache_insert(cache, &key, &svid, REASON_NONE, bundles, TEST_NOW);
    enum reason refusal;
    for (uint64_t generation = 4; generation <= 6; generation++) {
        const struct test_bundle set[] = {
            {.trust_domain = "prod.example", .authorities = {&root}, .generation = 1},
            {.trust_domain = "edge.example", .authorities = {&other_root}, .generation = generation}};
        struct trust_bundles *mine = test_bundles(set, 2);
        assert_int_equal(svid_cache_find(cache, &key, mine, TEST_NOW, &refusal) != NULL, generation == 5);
        trust_bundles_free(mine);
    }
    assert_null(svid_cache_find(cache, &key, bundles, TEST_NOW, &refusal)); /* the edge's domain is not there */
}

static void cache_keeps_a_refusal_for_two_seconds_under_the_same_bundles(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("refused")};
    svid_cache_insert(cache, &key, NULL, REASON_CERTIFICATE_UNTRUSTED, bundles, TEST_NOW);
    assert_int_equal(refusal_at(&key, bundles, TEST_NOW), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(refusal_at(&key, bundles, TEST_NOW + 1), REASON_CERTIFICATE_UNTRUSTED);
    assert_int_equal(refusal_at(&key, bundles, TEST_NOW + 2), REASON_NONE);
    assert_int_equal(refusal_at(&key, bundles, TEST_NOW - 1), REASON_NONE);
    struct trust_bundles *mine = test_bundles_one("prod.example", &other_root);
    assert_int_equal(refusal_at(&key, mine, TEST_NOW), REASON_NONE);
    trust_bundles_free(mine);
    keep(&key, ID);
    assert_non_null(find_at(&key, TEST_NOW));
}

static void cache_keeps_no_refusal_that_passes_by_itself(void **state)
{
    (void)state;
    const struct svid_key key = {.leaf = VIEW("overload")};
    svid_cache_insert(cache, &key, NULL, REASON_INTERNAL, bundles, TEST_NOW);
    svid_cache_insert(cache, &key, NULL, REASON_OVERLOAD, bundles, TEST_NOW);
    assert_int_equal(refusal_at(&key, bundles, TEST_NOW), REASON_NONE);
}

static void cache_keeps_no_key_over_its_limit(void **state)
{
    (void)state;
    char *text = malloc(16 * 1024 + 1);
    assert_non_null(text);
    memset(text, 'k', 16 * 1024 + 1);
    struct svid_key key = {.leaf = {.data = text, .size = 8 * 1024}, .chain = {.data = text, .size = 8 * 1024}};
    keep(&key, ID);
    assert_non_null(find_at(&key, TEST_NOW));
    text[16 * 1024 - 1] = 'x';
    key.leaf.size++;
    keep(&key, ID);
    assert_null(find_at(&key, TEST_NOW));
    free(text);
}

/* A key of `size` bytes that only its number tells apart. */
static struct svid_key numbered(char *text, size_t size, uint32_t number)
{
    memset(text, 'n', size);
    memcpy(text + size - sizeof number, &number, sizeof number);
    return (struct svid_key){.leaf = {.data = text, .size = size}};
}

static void cache_stays_bounded_and_keeps_what_is_used(void **state)
{
    (void)state;
    static char text[16 * 1024];
    struct svid_key key = {.leaf = VIEW("used all the time")};
    size_t found = 0;
    keep(&key, ID);
    for (uint32_t i = 0; i < 5000; i++) {
        struct svid_key next = numbered(text, i % 3 == 0 ? 16000 : 2000, i);
        keep(&next, ID);
        assert_non_null(find_at(&next, TEST_NOW));
        assert_non_null(find_at(&key, TEST_NOW));
    }
    for (uint32_t i = 0; i < 5000; i++) {
        struct svid_key next = numbered(text, i % 3 == 0 ? 16000 : 2000, i);
        const struct x509_svid *svid = find_at(&next, TEST_NOW);
        found += svid != NULL;
    }
    assert_true(found > 100);
    assert_true(found < 1024);
}

static void cache_never_confuses_two_keys(void **state)
{
    (void)state;
    static char text[4096];
    for (uint32_t i = 0; i < 3000; i++) {
        char id[64] = "spiffe://prod.example/w";
        for (int bit = 0; bit < 12; bit++)
            id[23 + bit] = i >> bit & 1 ? 'B' : 'a';
        struct svid_key key = numbered(text, 600 + i % 1500, i);
        keep(&key, id);
        assert_true(view_equals(find_at(&key, TEST_NOW)->id.text, view_of(id)));
    }
}

static void cache_allocates_nothing_once_open(void **state)
{
    (void)state;
    static char text[4096];
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = 0; i < 3000; i++) {
        struct svid_key key = numbered(text, 2000, i);
        keep(&key, ID);
        (void)find_at(&key, TEST_NOW);
    }
    assert_int_equal(mallinfo2().uordblks, before);
}

static void cache_too_small_for_one_key_does_not_open(void **state)
{
    (void)state;
    struct svid_cache *none;
    assert_int_equal(svid_cache_open(&(struct svid_cache_config){.memory = 4096}, &hash_key, &none), ERR_LIMIT);
    assert_int_equal(
        svid_cache_open(&(struct svid_cache_config){.entries = 16, .key_bytes = 1024, .memory = 256 * 1024}, &hash_key,
                        &none),
        ERR_NONE);
    svid_cache_close(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_finds_what_was_kept_by_its_whole_key),
        cmocka_unit_test(cache_tells_absent_from_empty),
        cmocka_unit_test(cache_holds_within_validity_only),
        cmocka_unit_test(cache_holds_under_the_same_generation_of_its_domain),
        cmocka_unit_test(cache_holds_under_the_same_generation_of_every_proxys_domain),
        cmocka_unit_test(cache_keeps_a_refusal_for_two_seconds_under_the_same_bundles),
        cmocka_unit_test(cache_keeps_no_refusal_that_passes_by_itself),
        cmocka_unit_test(cache_keeps_no_key_over_its_limit),
        cmocka_unit_test(cache_stays_bounded_and_keeps_what_is_used),
        cmocka_unit_test(cache_never_confuses_two_keys),
        cmocka_unit_test(cache_allocates_nothing_once_open),
        cmocka_unit_test(cache_too_small_for_one_key_does_not_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
