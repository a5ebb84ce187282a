/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bundle_document.h"
#include "trust_bundle.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
#define KEY(value) "{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"" value "\"]}"
#define SET(keys) "{\"keys\":[" keys "]}"

/* What was taken, one behind the other with a bar after each. */
struct taken {
    char text[64];
    size_t size;
    size_t count, stop_at; /* 0: never */
    uint32_t line;         /* of the last */
};

static struct taken taken;
static struct bundle_document_error error;
static struct bundle_facts facts;

static enum err take(void *context, struct view der, uint32_t line)
{
    struct taken *to = context;
    to->line = line;
    assert_true(to->size + der.size + 1 < sizeof to->text);
    memcpy(to->text + to->size, der.data, der.size);
    to->size += der.size;
    to->text[to->size++] = '|';
    return ++to->count == to->stop_at ? ERR_INVALID : ERR_NONE;
}

static enum err read_text(struct view text)
{
    taken = (struct taken){.stop_at = taken.stop_at};
    error = (struct bundle_document_error){0};
    facts = (struct bundle_facts){.sequence = 99, .ignored = 99};
    return bundle_document_read(text, take, &taken, &facts, &error);
}

static void assert_taken(struct view text, const char *expected)
{
    assert_int_equal(read_text(text), ERR_NONE);
    assert_string_equal(taken.text, expected);
}

static void assert_malformed(struct view text)
{
    assert_int_equal(read_text(text), ERR_MALFORMED);
    assert_non_null(error.message);
}

static int set_up(void **state)
{
    (void)state;
    taken = (struct taken){0};
    return 0;
}

static void pem_blocks_come_in_order_with_white_space_between(void **state)
{
    (void)state;
    assert_taken(VIEW(BEGIN "YWJj\n" END), "abc|");
    assert_taken(VIEW("\n " BEGIN "YWJj\n" END "\r\n\t" BEGIN "ZGVm\n" END "\n"), "abc|def|");
    assert_int_equal(facts.sequence, 0);
    assert_false(facts.is_document || facts.has_sequence);
    assert_int_equal(facts.ignored, 0);
}

static void pem_text_must_hold_a_certificate_and_nothing_else(void **state)
{
    (void)state;
    assert_malformed(VIEW(""));
    assert_malformed(VIEW(" \n"));
    assert_malformed(VIEW(BEGIN "YWJj\n" END "# a comment\n"));
    assert_malformed(VIEW("-----BEGIN PRIVATE KEY-----\nYWJj\n-----END PRIVATE KEY-----\n"));
    assert_malformed((struct view){0});
}

static void a_bad_pem_block_is_named_by_its_line(void **state)
{
    (void)state;
    assert_malformed(VIEW(BEGIN "YWJj\n" END "\n" BEGIN "YWJ\n" END));
    assert_int_equal(error.line, 5);
    assert_int_equal(taken.count, 1);
}

static void a_document_gives_the_first_x5c_value_of_each_svid_key(void **state)
{
    (void)state;
    assert_taken(VIEW(SET(KEY("YWJj") "," KEY("ZGVm"))), "abc|def|");
    assert_taken(VIEW(" \n" SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"YWJj\",\"ZGVm\"]}")), "abc|");
}

static void a_document_without_certificates_is_one_and_without_keys_is_none(void **state)
{
    (void)state;
    assert_taken(VIEW("{\"keys\":[]}"), "");
    assert_malformed(VIEW("{}"));
    assert_malformed(VIEW("{\"keys\":{}}"));
    assert_malformed(VIEW("{\"keys\":null}"));
    assert_malformed(VIEW("[]"));
}

/* What was passed over, of each kind. */
static void assert_passed_over(struct view text, uint32_t other_uses, uint32_t ignored)
{
    assert_taken(text, "");
    assert_int_equal(facts.other_uses, other_uses);
    assert_int_equal(facts.ignored, ignored);
}

/* SPIFFE_Trust_Domain_and_Bundle.md section 4.2: what is not understood is ignored, and counted. */
static void an_element_for_another_use_is_passed_over(void **state)
{
    (void)state;
    assert_taken(VIEW(SET("{\"kty\":\"EC\",\"use\":\"jwt-svid\",\"x5c\":[\"YWJj\"]}," KEY("ZGVm"))), "def|");
    assert_int_equal(facts.other_uses, 1);
    assert_int_equal(facts.ignored, 0);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"use\":\"jwt-svid\"},{\"kty\":\"EC\",\"use\":\"wit-svid\"}")), 2, 0);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"use\":\"X509-SVID\",\"x5c\":[\"YWJj\"]}")), 1, 0);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"x5c\":[\"YWJj\"]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"use\":7,\"x5c\":[\"YWJj\"]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"use\":\"x509-svid\",\"x5c\":[\"YWJj\"]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"kty\":\"oct\",\"use\":\"x509-svid\",\"x5c\":[\"YWJj\"]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"kty\":\"ec\",\"use\":\"x509-svid\",\"x5c\":[\"YWJj\"]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[]}")), 0, 1);
    assert_passed_over(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\"}")), 0, 1);
    assert_passed_over(VIEW(SET("7,null,[],\"x\"")), 0, 4);
    assert_taken(VIEW(SET("{\"kty\":\"OKP\",\"use\":\"x509-svid\",\"x5c\":[\"YWJj\"]},"
                          "{\"kty\":\"RSA\",\"use\":\"x509-svid\",\"x5c\":[\"ZGVm\"]}")),
                 "abc|def|");
}

/* X509-SVID.md section 6.2. */
static void a_key_id_and_more_than_one_x5c_value_are_counted_and_change_nothing(void **state)
{
    (void)state;
    assert_taken(VIEW(SET(KEY("YWJj"))), "abc|");
    assert_int_equal(facts.key_ids + facts.extra_values, 0);
    assert_taken(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"kid\":\"x\",\"x5c\":[\"YWJj\",\"?\",7]}")), "abc|");
    assert_int_equal(facts.key_ids, 1);
    assert_int_equal(facts.extra_values, 2);
}

static void an_x5c_that_is_no_list_of_base64_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_taken(VIEW(SET(KEY("YWI="))), "ab|");
    assert_malformed(VIEW(SET(KEY("YWI"))));
    assert_malformed(VIEW(SET(KEY("YW_j"))));
    assert_malformed(VIEW(SET(KEY(""))));
    assert_malformed(VIEW(SET(KEY("YWJj\\n"))));
    assert_malformed(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[7]}")));
    assert_malformed(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":\"YWJj\"}")));
    assert_malformed(VIEW(SET("{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":{}}")));
    assert_malformed(VIEW(SET("\n" KEY("YWJj") ",\n\n" KEY("?"))));
    assert_int_equal(taken.line, 2);
    assert_int_equal(error.line, 4);
}

static void the_sequence_is_a_whole_number_of_64_bits(void **state)
{
    (void)state;
    assert_taken(VIEW("{\"spiffe_sequence\":12,\"keys\":[]}"), "");
    assert_int_equal(facts.sequence, 12);
    assert_true(facts.has_sequence && facts.is_document);
    assert_taken(VIEW("{\"spiffe_sequence\":18446744073709551615,\"keys\":[]}"), "");
    assert_true(facts.sequence == UINT64_MAX);
    assert_taken(VIEW("{\"keys\":[]}"), "");
    assert_int_equal(facts.sequence, 0);
    assert_false(facts.has_sequence);
    assert_malformed(VIEW("{\"spiffe_sequence\":18446744073709551616,\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_sequence\":-1,\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_sequence\":1.0,\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_sequence\":1e3,\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_sequence\":\"1\",\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_sequence\":null,\"keys\":[]}"));
}

static void the_refresh_hint_is_a_whole_number_of_seconds(void **state)
{
    (void)state;
    assert_taken(VIEW("{\"spiffe_refresh_hint\":300,\"keys\":[]}"), "");
    assert_int_equal(facts.refresh_hint, 300);
    assert_true(facts.has_refresh_hint);
    assert_taken(VIEW("{\"keys\":[]}"), "");
    assert_false(facts.has_refresh_hint);
    assert_malformed(VIEW("{\"spiffe_refresh_hint\":-1,\"keys\":[]}"));
    assert_malformed(VIEW("{\"spiffe_refresh_hint\":\"300\",\"keys\":[]}"));
}

/* What is hostile costs no more than its size. */
static void ten_thousand_elements_and_deep_nesting_are_read_or_refused_at_once(void **state)
{
    (void)state;
    const char *element = "{\"kty\":\"EC\",\"use\":\"x509-svid\"}\n";
    char *text = malloc(TRUST_BUNDLE_BYTES_MAX);
    size_t size = (size_t)sprintf(text, "{\"keys\":["), one = strlen(element), count = 0;
    for (; size + one + 3 < TRUST_BUNDLE_BYTES_MAX; count++)
        size += (size_t)sprintf(text + size, "%s%s", count > 0 ? "," : "", element);
    size += (size_t)sprintf(text + size, "]}");
    assert_true(count > 10000);
    assert_int_equal(read_text((struct view){text, size}), ERR_NONE);
    assert_int_equal(facts.ignored, count);
    memset(text, '[', TRUST_BUNDLE_BYTES_MAX);
    memcpy(text, "{\"keys\":", 8);
    assert_int_equal(read_text((struct view){text, TRUST_BUNDLE_BYTES_MAX}), ERR_MALFORMED);
    size = 8 + 2 * 500000;
    memset(text + 8 + 500000, ']', 500000);
    text[size++] = '}';
    assert_int_equal(read_text((struct view){text, size}), ERR_LIMIT);
    for (size_t i = 8; i + 3 < TRUST_BUNDLE_BYTES_MAX; i += 3)
        memcpy(text + i, "[],", 3);
    text[8] = '[';
    assert_int_equal(read_text((struct view){text, TRUST_BUNDLE_BYTES_MAX}), ERR_MALFORMED);
    free(text);
}

static void a_name_twice_and_text_behind_the_document_are_refused(void **state)
{
    (void)state;
    assert_taken(VIEW("{\"keys\":[]}\n"), "");
    assert_malformed(VIEW("{\"keys\":[],\"keys\":[]}"));
    assert_malformed(VIEW("{\"keys\":[]} x"));
    assert_malformed(VIEW("{\"keys\":[]"));
    assert_malformed(VIEW("{\n\n\"keys\":]}"));
    assert_int_equal(error.line, 3);
}

static void the_first_error_of_the_taker_ends_the_reading(void **state)
{
    (void)state;
    taken.stop_at = 1;
    assert_int_equal(read_text(VIEW(SET(KEY("YWJj") "," KEY("ZGVm")))), ERR_INVALID);
    assert_int_equal(taken.count, 1);
    assert_int_equal(read_text(VIEW(BEGIN "YWJj\n" END BEGIN "ZGVm\n" END)), ERR_INVALID);
    assert_int_equal(taken.count, 1);
    taken.stop_at = 3;
    assert_taken(VIEW(SET(KEY("YWJj") "," KEY("ZGVm"))), "abc|def|");
}

static void a_text_at_the_limit_is_read_and_one_byte_more_is_not(void **state)
{
    (void)state;
    char *text = malloc(TRUST_BUNDLE_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', TRUST_BUNDLE_BYTES_MAX + 1);
    memcpy(text, "{\"keys\":[]}", 11);
    assert_int_equal(read_text((struct view){text, TRUST_BUNDLE_BYTES_MAX}), ERR_NONE);
    assert_int_equal(read_text((struct view){text, TRUST_BUNDLE_BYTES_MAX + 1}), ERR_LIMIT);
    assert_non_null(error.message);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pem_blocks_come_in_order_with_white_space_between, set_up),
        cmocka_unit_test_setup(pem_text_must_hold_a_certificate_and_nothing_else, set_up),
        cmocka_unit_test_setup(a_bad_pem_block_is_named_by_its_line, set_up),
        cmocka_unit_test_setup(a_document_gives_the_first_x5c_value_of_each_svid_key, set_up),
        cmocka_unit_test_setup(a_document_without_certificates_is_one_and_without_keys_is_none, set_up),
        cmocka_unit_test_setup(an_element_for_another_use_is_passed_over, set_up),
        cmocka_unit_test_setup(a_key_id_and_more_than_one_x5c_value_are_counted_and_change_nothing, set_up),
        cmocka_unit_test_setup(an_x5c_that_is_no_list_of_base64_is_refused_with_its_line, set_up),
        cmocka_unit_test_setup(the_sequence_is_a_whole_number_of_64_bits, set_up),
        cmocka_unit_test_setup(the_refresh_hint_is_a_whole_number_of_seconds, set_up),
        cmocka_unit_test_setup(ten_thousand_elements_and_deep_nesting_are_read_or_refused_at_once, set_up),
        cmocka_unit_test_setup(a_name_twice_and_text_behind_the_document_are_refused, set_up),
        cmocka_unit_test_setup(the_first_error_of_the_taker_ends_the_reading, set_up),
        cmocka_unit_test_setup(a_text_at_the_limit_is_read_and_one_byte_more_is_not, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
