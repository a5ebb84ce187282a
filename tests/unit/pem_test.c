/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pem.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static uint8_t der[256];
static size_t size;

/* ERR_NONE and everything taken, or the error. */
static enum err take(struct view text)
{
    enum err e = pem_take(&text, VIEW("CERTIFICATE"), der, sizeof der, &size);
    if (e == ERR_NONE)
        assert_int_equal(text.size, 0);
    return e;
}

static void pem_reads_a_block(void **state)
{
    (void)state;
    assert_int_equal(take(VIEW(BEGIN "\nTWFu\nTWE=\n" END "\n")), ERR_NONE);
    assert_int_equal(size, 5);
    assert_memory_equal(der, "ManMa", 5);
    assert_int_equal(take(VIEW(BEGIN "\r\nTWFu\r\n" END "\r\n")), ERR_NONE);
    assert_int_equal(take(VIEW(BEGIN "\nTWFu\n" END)), ERR_NONE);
    assert_int_equal(take(VIEW(BEGIN "\nTW\nFu\n" END)), ERR_NONE);
}

static void pem_leaves_the_next_block(void **state)
{
    (void)state;
    struct view text = VIEW(BEGIN "\nTWFu\n" END "\n" BEGIN "\nTWE=\n" END "\n");
    assert_int_equal(pem_take(&text, VIEW("CERTIFICATE"), der, sizeof der, &size), ERR_NONE);
    assert_int_equal(size, 3);
    assert_int_equal(pem_take(&text, VIEW("CERTIFICATE"), der, sizeof der, &size), ERR_NONE);
    assert_int_equal(size, 2);
    assert_int_equal(text.size, 0);
}

static void pem_refuses_any_other_framing(void **state)
{
    (void)state;
    const struct view bad[] = {
        VIEW(""),
        VIEW(BEGIN),
        VIEW(BEGIN "\n" END),
        VIEW(BEGIN "\nTWFu" END),
        VIEW(BEGIN "TWFu\n" END),
        VIEW("x" BEGIN "\nTWFu\n" END),
        VIEW("\n" BEGIN "\nTWFu\n" END),
        VIEW(BEGIN "\nTWFu\n" END "x"),
        VIEW(BEGIN "\nTWFu\n" END " \n"),
        VIEW(BEGIN "\n\nTWFu\n" END),
        VIEW(BEGIN "\nTWFu\n\n" END),
        VIEW(BEGIN "\nProc-Type: 4\n\nTWFu\n" END),
        VIEW("-----BEGIN TRUSTED CERTIFICATE-----\nTWFu\n-----END TRUSTED CERTIFICATE-----"),
        VIEW("-----BEGIN X509 CERTIFICATE-----\nTWFu\n-----END X509 CERTIFICATE-----"),
        VIEW(BEGIN "\nTWFu\n-----END PRIVATE KEY-----"),
        VIEW(BEGIN "\nTW u\n" END),
        VIEW(BEGIN "\nTW\0u\n" END),
        VIEW(BEGIN "\nTWFu\r" END),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(take(bad[i]), ERR_MALFORMED);
}

static void pem_refuses_base64_that_is_not_canonical(void **state)
{
    (void)state;
    const struct view bad[] = {
        VIEW("TWF"),  VIEW("TQ="),      VIEW("TQ==="), VIEW("TR=="), VIEW("TWF="), VIEW("T==="),
        VIEW("===="), VIEW("TQ==TWFu"), VIEW("TW=u"),  VIEW("TWF-"), VIEW("TWF_"), VIEW(""),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pem_base64_decode(bad[i], der, sizeof der, &size), ERR_MALFORMED);
    assert_int_equal(pem_base64_decode(VIEW("TQ=="), der, sizeof der, &size), ERR_NONE);
    assert_int_equal(pem_base64_decode(VIEW("+/8="), der, sizeof der, &size), ERR_NONE);
    assert_int_equal(pem_base64_decode(VIEW("TWFu"), der, 2, &size), ERR_LIMIT);
}

static void pem_unescape_leaves_a_plus_alone(void **state)
{
    (void)state;
    char out[16];
    assert_true(pem_unescape(VIEW("a+%2B%2b%20"), out, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(out, "a+++ ", 5);
}

static void pem_unescape_refuses_bad_and_cut_escapes(void **state)
{
    (void)state;
    char out[16];
    assert_false(pem_unescape(VIEW("%"), out, &size));
    assert_false(pem_unescape(VIEW("a%2"), out, &size));
    assert_false(pem_unescape(VIEW("%2g"), out, &size));
    assert_false(pem_unescape(VIEW("%%20"), out, &size));
    assert_true(pem_unescape(VIEW("%00"), out, &size)); /* a NUL, which no PEM text has */
    assert_int_equal(size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_reads_a_block),
        cmocka_unit_test(pem_leaves_the_next_block),
        cmocka_unit_test(pem_refuses_any_other_framing),
        cmocka_unit_test(pem_refuses_base64_that_is_not_canonical),
        cmocka_unit_test(pem_unescape_leaves_a_plus_alone),
        cmocka_unit_test(pem_unescape_refuses_bad_and_cut_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
