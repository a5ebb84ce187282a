/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "digest.h"

static void assert_hex(const uint8_t bytes[SHA256_BYTES], const char *expected)
{
    char text[2 * SHA256_BYTES + 1] = {0};
    hex_encode(bytes, SHA256_BYTES, text);
    assert_string_equal(text, expected);
}

/* FIPS 180-4 examples. */
static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];
    assert_int_equal(sha256(VIEW("abc"), out), ERR_NONE);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sha256((struct view){0}, out), ERR_NONE);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(sha256(VIEW("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out), ERR_NONE);
    assert_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231 sections 4.3 and 4.7. */
static void hmac_gives_the_vectors_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];
    char key[131];
    memset(key, 0xaa, sizeof key);
    assert_int_equal(hmac_sha256(VIEW("Jefe"), VIEW("what do ya want for nothing?"), out), ERR_NONE);
    assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(hmac_sha256((struct view){key, sizeof key},
                                 VIEW("Test Using Larger Than Block-Size Key - Hash Key First"), out),
                     ERR_NONE);
    assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_with_an_empty_key_does_not_use_the_key_before(void **state)
{
    (void)state;
    uint8_t before[SHA256_BYTES], out[SHA256_BYTES];
    assert_int_equal(hmac_sha256(VIEW("Jefe"), VIEW("x"), before), ERR_NONE);
    assert_int_equal(hmac_sha256((struct view){0}, VIEW(""), out), ERR_NONE);
    assert_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    assert_memory_not_equal(before, out, SHA256_BYTES);
}

static void hex_reads_either_case_and_exactly_its_size(void **state)
{
    (void)state;
    uint8_t out[2];
    assert_true(hex_decode(VIEW("aF09"), out, 2));
    assert_int_equal(out[0], 0xaf);
    assert_int_equal(out[1], 0x09);
    assert_false(hex_decode(VIEW("aF0"), out, 2));
    assert_false(hex_decode(VIEW("aF099"), out, 2));
    assert_false(hex_decode(VIEW("aF0g"), out, 2));
    assert_false(hex_decode(VIEW("aF0 "), out, 2));
    assert_true(hex_decode(VIEW(""), out, 0));
}

static void keyed_hash_depends_on_every_byte_the_length_and_the_seed(void **state)
{
    (void)state;
    const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}}, other = {{1, 2}};
    char text[200] = {0};
    for (size_t size = 0; size <= sizeof text; size++) {
        struct view view = {text, size};
        uint64_t hash = keyed_hash(&key, view);
        assert_true(hash == keyed_hash(&key, view));
        assert_true(hash != keyed_hash(&other, view));
        if (size > 0)
            assert_true(hash != keyed_hash(&key, (struct view){text, size - 1}));
        for (size_t i = 0; i < size; i++) {
            text[i] ^= 1;
            assert_true(hash != keyed_hash(&key, view));
            text[i] ^= 1;
        }
    }
}

/* Each output bit changes for about half of all single-bit changes of the input. */
static void keyed_hash_spreads_single_bits(void **state)
{
    (void)state;
    const struct hash_key key = {{0x9e3779b97f4a7c15, 0xd1b54a32d192ed03}};
    enum { SIZE = 96 };
    char text[SIZE];
    size_t changed[64] = {0};
    memset(text, 'a', sizeof text);
    uint64_t hash = keyed_hash(&key, (struct view){text, SIZE});
    for (size_t i = 0; i < SIZE * 8; i++) {
        text[i / 8] ^= (char)(1 << (i % 8));
        uint64_t difference = hash ^ keyed_hash(&key, (struct view){text, SIZE});
        text[i / 8] ^= (char)(1 << (i % 8));
        for (int b = 0; b < 64; b++)
            changed[b] += difference >> b & 1;
    }
    for (int b = 0; b < 64; b++)
        assert_in_range(changed[b], SIZE * 8 * 2 / 5, SIZE * 8 * 3 / 5);
}

static void *hash_much(void *wrong)
{
    uint8_t out[SHA256_BYTES];
    for (int i = 0; i < 2000; i++) {
        if (sha256(VIEW("abc"), out) != ERR_NONE || out[0] != 0xba || out[31] != 0xad)
            *(bool *)wrong = true;
        if (hmac_sha256(VIEW("Jefe"), VIEW("what do ya want for nothing?"), out) != ERR_NONE || out[0] != 0x5b)
            *(bool *)wrong = true;
    }
    return NULL;
}

static void digests_are_right_from_many_threads_at_once(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    bool wrong[THREADS] = {false};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_much, &wrong[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(hmac_gives_the_vectors_of_rfc_4231),
        cmocka_unit_test(hmac_with_an_empty_key_does_not_use_the_key_before),
        cmocka_unit_test(hex_reads_either_case_and_exactly_its_size),
        cmocka_unit_test(keyed_hash_depends_on_every_byte_the_length_and_the_seed),
        cmocka_unit_test(keyed_hash_spreads_single_bits),
        cmocka_unit_test(digests_are_right_from_many_threads_at_once),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
