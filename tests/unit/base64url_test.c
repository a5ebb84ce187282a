/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base64url.h"

static void expect(struct view text, const char *bytes, size_t size)
{
    uint8_t out[64];
    size_t written = 99;
    assert_int_equal(base64url_decode(text, out, sizeof out, &written), ERR_NONE);
    assert_int_equal(written, size);
    assert_memory_equal(out, bytes, size);
}

static void refuse(struct view text)
{
    uint8_t out[64];
    size_t written;
    assert_int_equal(base64url_decode(text, out, sizeof out, &written), ERR_MALFORMED);
}

/* RFC 4648 section 10, without the padding. */
static void base64url_decodes_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    expect(VIEW(""), "", 0);
    expect(VIEW("Zg"), "f", 1);
    expect(VIEW("Zm8"), "fo", 2);
    expect(VIEW("Zm9v"), "foo", 3);
    expect(VIEW("Zm9vYg"), "foob", 4);
    expect(VIEW("Zm9vYmE"), "fooba", 5);
    expect(VIEW("Zm9vYmFy"), "foobar", 6);
    expect(VIEW("-_-_"), "\xfb\xff\xbf", 3);
}

static void base64url_refuses_padding_and_the_other_alphabet(void **state)
{
    (void)state;
    refuse(VIEW("Zg=="));
    refuse(VIEW("Zm8="));
    refuse(VIEW("="));
    refuse(VIEW("+_-_"));
    refuse(VIEW("/_-_"));
}

static void base64url_refuses_white_space_and_every_other_byte(void **state)
{
    (void)state;
    refuse(VIEW(" Zm9v"));
    refuse(VIEW("Zm9v\n"));
    size_t accepted = 0;
    for (int c = 0; c < 256; c++) {
        char text[4] = {'A', 'A', (char)c, 'A'};
        uint8_t out[3];
        size_t written;
        if (base64url_decode((struct view){text, 4}, out, sizeof out, &written) == ERR_NONE)
            accepted++;
    }
    assert_int_equal(accepted, 64);
}

static void base64url_refuses_a_length_of_one_modulo_four(void **state)
{
    (void)state;
    refuse(VIEW("Z"));
    refuse(VIEW("Zm9vY"));
}

static void base64url_refuses_bits_that_no_byte_takes(void **state)
{
    (void)state;
    refuse(VIEW("Zh"));  /* Zg with a bit more */
    refuse(VIEW("Zm9")); /* Zm8 with a bit more */
    refuse(VIEW("Zm9vYh"));
}

static void base64url_refuses_what_does_not_fit(void **state)
{
    (void)state;
    uint8_t out[3];
    size_t written;
    assert_int_equal(base64url_decode(VIEW("Zm9v"), out, 3, &written), ERR_NONE);
    assert_int_equal(base64url_decode(VIEW("Zm9vYg"), out, 3, &written), ERR_LIMIT);
    assert_int_equal(base64url_decode(VIEW("Zm9v"), out, 2, &written), ERR_LIMIT);
}

static void what_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    uint8_t bytes[61], back[61];
    char text[84];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 151 + 7);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        size_t written = 0, length = base64url_encode(bytes, size, text);
        assert_int_equal(length, (size * 4 + 2) / 3);
        assert_int_equal(base64url_decode((struct view){text, length}, back, sizeof back, &written), ERR_NONE);
        assert_int_equal(written, size);
        assert_memory_equal(back, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_decodes_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64url_refuses_padding_and_the_other_alphabet),
        cmocka_unit_test(base64url_refuses_white_space_and_every_other_byte),
        cmocka_unit_test(base64url_refuses_a_length_of_one_modulo_four),
        cmocka_unit_test(base64url_refuses_bits_that_no_byte_takes),
        cmocka_unit_test(base64url_refuses_what_does_not_fit),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
    };
    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
