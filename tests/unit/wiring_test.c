/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wiring.h"

static const struct caller_proof_rule by_certificate = {.uses_certificate = true}, by_xfcc = {.uses_xfcc = true},
                                      by_both = {.uses_certificate = true, .uses_xfcc = true, .hops = 1};

static void assert_fault(const struct caller_proof_rule *rule, const char *certificate, const char *xfcc,
                         enum wiring_fault expected)
{
    enum wiring_fault fault = WIRING_FAULTS;
    struct caller_proof_input in = {
        .rule = rule, .source_certificate = view_of(certificate), .xfcc = view_of(xfcc), .peer = VIEW("spiffe://td/a")};
    assert_int_equal(wiring_find(&in, &fault), expected != WIRING_FAULTS);
    if (expected != WIRING_FAULTS)
        assert_int_equal(fault, expected);
    in.peer = VIEW(""); /* nobody showed Envoy a certificate */
    assert_false(wiring_find(&in, &fault));
}

static void what_envoy_saw_and_did_not_send_is_a_fault(void **state)
{
    (void)state;
    assert_fault(&by_certificate, NULL, NULL, WIRING_CERTIFICATE);
    assert_fault(&by_certificate, NULL, "Hash=", WIRING_CERTIFICATE);
    assert_fault(&by_certificate, "c", NULL, WIRING_FAULTS);
    assert_fault(&by_xfcc, NULL, NULL, WIRING_XFCC);
    assert_fault(&by_xfcc, "c", NULL, WIRING_XFCC);
    assert_fault(&by_xfcc, NULL, "Hash=", WIRING_FAULTS);
    assert_fault(&by_both, NULL, "Hash=", WIRING_CERTIFICATE);
    assert_fault(&by_both, "c", NULL, WIRING_XFCC);
    assert_fault(&by_both, "c", "Hash=", WIRING_FAULTS);
}

static void every_fault_has_a_code_a_meaning_and_advice(void **state)
{
    (void)state;
    for (enum wiring_fault fault = 0; fault < WIRING_FAULTS; fault++) {
        assert_int_equal(strlen(wiring_info(fault)->code), 5);
        assert_true(wiring_info(fault)->meaning[0] != '\0');
        assert_true(wiring_info(fault)->advice[0] != '\0');
    }
    assert_int_not_equal(wiring_info(WIRING_CERTIFICATE)->metric, wiring_info(WIRING_XFCC)->metric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_envoy_saw_and_did_not_send_is_a_fault),
        cmocka_unit_test(every_fault_has_a_code_a_meaning_and_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
