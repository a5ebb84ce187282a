/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xfcc.h"

#include <stdlib.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static enum reason parse(struct view text, struct xfcc *out)
{
    return xfcc_parse(text, out);
}

static void assert_malformed(struct view text)
{
    struct xfcc xfcc;
    assert_int_equal(xfcc_parse(text, &xfcc), REASON_XFCC_MALFORMED);
}

static void assert_good(struct view text, size_t count)
{
    struct xfcc xfcc;
    assert_int_equal(xfcc_parse(text, &xfcc), REASON_NONE);
    assert_int_equal(xfcc.count, count);
}

static void xfcc_reads_what_envoy_writes(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(
        parse(VIEW("By=spiffe://td/back;Hash=" HASH ";Cert=\"C%0A\";Chain=\"D%0A\";"
                   "Subject=\"CN=a\\,b\\;c=\\\"d\\\" \\\\e,O=Shop\\, Inc.,C=US\";URI=spiffe://td/web;DNS=a;DNS=b"),
              &xfcc),
        REASON_NONE);
    const struct xfcc_element *element = &xfcc.elements[0];
    assert_int_equal(xfcc.count, 1);
    assert_true(view_equals(element->by, VIEW("spiffe://td/back")));
    assert_true(view_equals(element->hash, VIEW(HASH)));
    assert_true(view_equals(element->cert, VIEW("C%0A")));
    assert_true(view_equals(element->chain, VIEW("D%0A")));
    assert_true(view_equals(element->uri, VIEW("spiffe://td/web")));
    assert_int_equal(element->by_count, 1);
    assert_int_equal(element->uri_count, 1);
}

static void xfcc_reads_elements_from_left_to_right(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(parse(VIEW("Hash=" HASH ";URI=a,Hash=" HASH ";URI=b, Hash=" HASH ";  URI=c"), &xfcc), REASON_NONE);
    assert_int_equal(xfcc.count, 3);
    assert_true(view_equals(xfcc.elements[0].uri, VIEW("a")));
    assert_true(view_equals(xfcc.elements[2].uri, VIEW("c")));
}

static void xfcc_keys_come_in_any_case(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(parse(VIEW("hAsH=" HASH ";uRi=x;BY=y"), &xfcc), REASON_NONE);
    assert_true(view_equals(xfcc.elements[0].uri, VIEW("x")));
    assert_malformed(VIEW("hash=" HASH ";HASH=" HASH));
}

static void xfcc_a_quoted_comma_is_text_and_an_unquoted_one_is_not(void **state)
{
    (void)state;
    assert_good(VIEW("Hash=" HASH ";Subject=\"O=Shop, Inc.;URI=x\""), 1);
    assert_malformed(VIEW("Hash=" HASH ";Subject=O=Shop, Inc."));
}

/* A SAN `…/x;URI=…,By=…` makes a whole new element, as Envoy writes it. */
static void xfcc_an_unescaped_san_writes_pairs_and_elements(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(parse(VIEW("Hash=" HASH ";URI=spiffe://td/x;URI=spiffe://td/admin,By=a;Hash=" HASH), &xfcc),
                     REASON_NONE);
    assert_int_equal(xfcc.count, 2);
    assert_int_equal(xfcc.elements[0].uri_count, 2);
    assert_true(view_equals(xfcc.elements[0].uri, VIEW("spiffe://td/x")));
}

static void xfcc_an_empty_uri_counts(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(parse(VIEW("Hash=" HASH ";URI=;DNS=a"), &xfcc), REASON_NONE);
    assert_int_equal(xfcc.elements[0].uri_count, 1);
    assert_true(view_is_present(xfcc.elements[0].uri));
    assert_true(view_is_empty(xfcc.elements[0].uri));
}

static void xfcc_refuses_an_unclosed_quote(void **state)
{
    (void)state;
    assert_malformed(VIEW("Hash=" HASH ";Cert=\"abc"));
    assert_malformed(VIEW("Hash=" HASH ";Cert=\"abc\\\""));
    assert_good(VIEW("Hash=" HASH ";Cert=\"abc\\\\\""), 1);
}

static void xfcc_a_backslash_before_another_byte_is_literal(void **state)
{
    (void)state;
    assert_good(VIEW("Hash=" HASH ";Subject=\"a\\,b\""), 1);
    assert_malformed(VIEW("Hash=" HASH ";Subject=\"a\"b"));
}

static void xfcc_refuses_text_around_a_quoted_value(void **state)
{
    (void)state;
    assert_malformed(VIEW("Hash=" HASH ";Cert=x\"abc\""));
    assert_malformed(VIEW("Hash=" HASH ";Cert=\"abc\" "));
    assert_good(VIEW("Hash=" HASH ";Cert=\"abc\""), 1);
}

static void xfcc_refuses_empty_elements_and_pairs(void **state)
{
    (void)state;
    const struct view bad[] = {
        VIEW(""),
        VIEW(","),
        VIEW(";"),
        VIEW(" "),
        VIEW("Hash=" HASH ","),
        VIEW(",Hash=" HASH),
        VIEW("Hash=" HASH ",,Hash=" HASH),
        VIEW("Hash=" HASH ";"),
        VIEW("Hash=" HASH ";;URI=a"),
        VIEW(" Hash=" HASH),
        VIEW("Hash=" HASH ",\tHash=" HASH),
        VIEW("Hash=" HASH ";=x"),
        VIEW("Hash=" HASH ";URI"),
        VIEW("Hash=" HASH ";U\0RI=a"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_malformed(bad[i]);
}

static void xfcc_a_hash_is_64_hex_digits_once_and_may_be_absent(void **state)
{
    (void)state;
    struct xfcc xfcc;
    assert_int_equal(xfcc_parse(VIEW("Hash=" HASH ",URI=a"), &xfcc), REASON_NONE);
    assert_true(view_is_present(xfcc.elements[0].hash));
    assert_false(view_is_present(xfcc.elements[1].hash));
    assert_malformed(VIEW("Hash=" HASH ";Hash=" HASH));
    assert_malformed(VIEW("Hash=" HASH "0"));
    assert_malformed(VIEW("Hash="));
    assert_malformed(VIEW("Hash=g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
    assert_good(VIEW("Hash=\"" HASH "\""), 1);
}

static void xfcc_refuses_cert_chain_or_subject_twice(void **state)
{
    (void)state;
    assert_malformed(VIEW("Hash=" HASH ";Cert=\"a\";Cert=\"a\""));
    assert_malformed(VIEW("Hash=" HASH ";Chain=\"a\";Chain=\"a\""));
    assert_malformed(VIEW("Hash=" HASH ";Subject=\"a\";Subject=\"a\""));
    assert_malformed(VIEW("Hash=" HASH ";Subject=\"\";Subject=\"a\""));
    assert_good(VIEW("Hash=" HASH ";By=a;By=b;DNS=a;DNS=a"), 1);
}

static bool is_as_written(struct view text)
{
    struct xfcc xfcc;
    assert_int_equal(xfcc_parse(text, &xfcc), REASON_NONE);
    return xfcc.elements[xfcc.count - 1].is_as_written;
}

/* Envoy, conn_manager_utility.cc: By, Hash, then what set_current_client_cert_details asks for. */
static void xfcc_tells_an_element_in_envoys_order_from_one_that_a_san_has_added_to(void **state)
{
    (void)state;
    assert_true(is_as_written(VIEW("By=a;Hash=" HASH ";Cert=\"c\";Chain=\"c\";Subject=\"\";URI=u;DNS=d;DNS=e")));
    assert_true(is_as_written(VIEW("By=a;By=b;Hash=" HASH ";Subject=\"CN=x\";URI=u")));
    assert_true(is_as_written(VIEW("by=a;uri=u")));
    assert_false(is_as_written(VIEW("By=a;Hash=" HASH ";DNS=d;URI=u")));
    assert_false(is_as_written(VIEW("Hash=" HASH ";By=a;URI=u")));
    assert_false(is_as_written(VIEW("By=a;Hash=" HASH ";URI=u;Subject=\"\"")));
    assert_false(is_as_written(VIEW("By=a;Hash=" HASH ";URI=u;Role=admin")));
    assert_false(is_as_written(VIEW("By=a;Hash=" HASH ";URI=u;DNS=d;By=b")));
    /* Each element by itself. */
    assert_true(is_as_written(VIEW("URI=u;By=a,By=a;Hash=" HASH ";URI=u")));
}

static void xfcc_takes_eight_elements_and_not_nine(void **state)
{
    (void)state;
    struct xfcc xfcc;
    char text[9 * (sizeof HASH + 5)];
    size_t size = 0;
    for (int i = 0; i < 9; i++) {
        memcpy(text + size, ",Hash=" HASH, 5 + sizeof HASH);
        size += 5 + sizeof HASH;
        if (i == 7) {
            assert_int_equal(xfcc_parse((struct view){.data = text + 1, .size = size - 1}, &xfcc), REASON_NONE);
            assert_int_equal(xfcc.count, 8);
        }
    }
    assert_int_equal(xfcc_parse((struct view){.data = text + 1, .size = size - 1}, &xfcc), REASON_XFCC_HOPS);
}

static void xfcc_takes_64_kib_and_not_more(void **state)
{
    (void)state;
    struct xfcc xfcc;
    char *text = malloc(XFCC_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', XFCC_BYTES_MAX + 1);
    memcpy(text, "Hash=" HASH ";DNS=", 5 + 64 + 5);
    assert_int_equal(xfcc_parse((struct view){.data = text, .size = XFCC_BYTES_MAX}, &xfcc), REASON_NONE);
    assert_int_equal(xfcc_parse((struct view){.data = text, .size = XFCC_BYTES_MAX + 1}, &xfcc), REASON_XFCC_MALFORMED);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xfcc_reads_what_envoy_writes),
        cmocka_unit_test(xfcc_reads_elements_from_left_to_right),
        cmocka_unit_test(xfcc_keys_come_in_any_case),
        cmocka_unit_test(xfcc_a_quoted_comma_is_text_and_an_unquoted_one_is_not),
        cmocka_unit_test(xfcc_an_unescaped_san_writes_pairs_and_elements),
        cmocka_unit_test(xfcc_an_empty_uri_counts),
        cmocka_unit_test(xfcc_refuses_an_unclosed_quote),
        cmocka_unit_test(xfcc_a_backslash_before_another_byte_is_literal),
        cmocka_unit_test(xfcc_refuses_text_around_a_quoted_value),
        cmocka_unit_test(xfcc_refuses_empty_elements_and_pairs),
        cmocka_unit_test(xfcc_a_hash_is_64_hex_digits_once_and_may_be_absent),
        cmocka_unit_test(xfcc_refuses_cert_chain_or_subject_twice),
        cmocka_unit_test(xfcc_tells_an_element_in_envoys_order_from_one_that_a_san_has_added_to),
        cmocka_unit_test(xfcc_takes_eight_elements_and_not_nine),
        cmocka_unit_test(xfcc_takes_64_kib_and_not_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
