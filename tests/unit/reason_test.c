/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "reason.h"

static void every_reason_has_a_name_a_family_a_sentence_and_an_advice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        assert_false(view_is_empty(info->name));
        assert_false(view_is_empty(info->family));
        assert_false(view_is_empty(info->sentence));
        assert_false(view_is_empty(info->advice));
    }
}

static void no_two_reasons_share_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_false(view_equals(reason_info((enum reason)i)->name, reason_info((enum reason)j)->name));
}

static void only_the_rule_allows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        bool is_rule = i == REASON_RULE;
        assert_int_equal(info->verdict == VERDICT_ALLOW, is_rule);
        assert_int_equal(info->rpc_code == 0, is_rule);
        assert_int_equal(info->http_status == 200, is_rule);
    }
}

static void only_unmet_assurance_challenges_and_asks_for_a_step_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        assert_int_equal(info->verdict == VERDICT_CHALLENGE, i == REASON_ASSURANCE);
        assert_int_equal(info->www == WWW_STEP_UP, i == REASON_ASSURANCE);
    }
}

/* google.rpc.Code: 7 is PERMISSION_DENIED, 16 is UNAUTHENTICATED. */
static void whatever_does_not_allow_is_refused_in_both_protocols(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        if (info->verdict == VERDICT_ALLOW)
            continue;
        assert_in_range(info->http_status, 400, 599);
        assert_true(info->rpc_code == 7 || info->rpc_code == 16);
    }
}

/* RFC 9110 section 15.5.2: a 401 carries WWW-Authenticate. RFC 6750 section 3.1: so
 * does the 403 of insufficient_scope, and no other. */
static void unauthorized_is_unauthenticated_and_says_how_to_authenticate(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        bool is_scope = info->www == WWW_INSUFFICIENT_SCOPE;
        assert_int_equal(info->rpc_code == 16, info->http_status == 401);
        assert_int_equal(info->www != WWW_NONE && !is_scope, info->http_status == 401);
        assert_true(!is_scope || info->http_status == 403);
    }
}

static void zero_is_an_internal_error_that_denies(void **state)
{
    (void)state;
    const struct reason_info *info = reason_info((enum reason)0);
    assert_true(view_equals(info->name, VIEW("internal")));
    assert_int_equal(info->verdict, VERDICT_DENY);
    assert_int_equal(info->http_status, 503);
}

static void a_reason_outside_the_table_is_an_internal_error(void **state)
{
    (void)state;
    assert_ptr_equal(reason_info(REASON_COUNT), reason_info(REASON_INTERNAL));
    assert_ptr_equal(reason_info((enum reason)(REASON_COUNT + 1000)), reason_info(REASON_INTERNAL));
    assert_ptr_not_equal(reason_info((enum reason)(REASON_COUNT - 1)), reason_info(REASON_INTERNAL));
}

static void each_name_parses_to_its_own_reason(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        enum reason reason = REASON_COUNT;
        assert_true(reason_parse(reason_info((enum reason)i)->name, &reason));
        assert_int_equal(reason, i);
    }
}

static void parse_refuses_a_family_and_what_is_nearly_a_name(void **state)
{
    (void)state;
    const struct view wrong[] = {VIEW(""),
                                 VIEW("token_expire"),
                                 VIEW("token_expired "),
                                 VIEW("Token_expired"),
                                 VIEW("certificate"),
                                 VIEW("invalid_token"),
                                 VIEW("rule\0")};
    enum reason reason = REASON_RULE;
    assert_true(reason_parse(VIEW("token_expired"), &reason));
    assert_int_equal(reason, REASON_TOKEN_EXPIRED);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(reason_parse(wrong[i], &reason));
    assert_int_equal(reason, REASON_TOKEN_EXPIRED);
}

static void a_reason_is_named_by_its_name_and_its_family_and_nothing_else(void **state)
{
    (void)state;
    assert_true(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("token_expired")));
    assert_true(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("invalid_token")));
    assert_false(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("token_revoked")));
    assert_false(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("certificate")));
    assert_false(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("token")));
    assert_false(reason_is_named(REASON_TOKEN_EXPIRED, VIEW("")));
}

static void a_rules_answer_is_no_fault_and_a_bad_credential_is(void **state)
{
    (void)state;
    static const enum reason faults[] = {REASON_INTERNAL,     REASON_CERTIFICATE_EXPIRED, REASON_CERTIFICATE_STATUS,
                                         REASON_XFCC_HOPS,    REASON_TOKEN_SIGNATURE,     REASON_TOKEN_BINDING,
                                         REASON_REQUEST_PATH, REASON_KEYS_UNAVAILABLE,    REASON_OVERLOAD};
    static const enum reason answers[] = {REASON_RULE,      REASON_DEFAULT, REASON_DENY_RULE, REASON_NO_USER,
                                          REASON_ASSURANCE, REASON_SCOPE,   REASON_PURPOSE,   REASON_DELEGATION};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_true(reason_is_fault(faults[i]));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_false(reason_is_fault(answers[i]));
}

static void a_verdict_that_is_none_reads_deny(void **state)
{
    (void)state;
    assert_string_equal(verdict_text(VERDICT_ALLOW), "allow");
    assert_string_equal(verdict_text(VERDICT_CHALLENGE), "challenge");
    assert_string_equal(verdict_text(VERDICT_DENY), "deny");
    assert_string_equal(verdict_text((enum verdict)(VERDICT_ALLOW + 1)), "deny");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_name_a_family_a_sentence_and_an_advice),
        cmocka_unit_test(no_two_reasons_share_a_name),
        cmocka_unit_test(only_the_rule_allows),
        cmocka_unit_test(only_unmet_assurance_challenges_and_asks_for_a_step_up),
        cmocka_unit_test(whatever_does_not_allow_is_refused_in_both_protocols),
        cmocka_unit_test(unauthorized_is_unauthenticated_and_says_how_to_authenticate),
        cmocka_unit_test(zero_is_an_internal_error_that_denies),
        cmocka_unit_test(a_reason_outside_the_table_is_an_internal_error),
        cmocka_unit_test(each_name_parses_to_its_own_reason),
        cmocka_unit_test(parse_refuses_a_family_and_what_is_nearly_a_name),
        cmocka_unit_test(a_reason_is_named_by_its_name_and_its_family_and_nothing_else),
        cmocka_unit_test(a_rules_answer_is_no_fault_and_a_bad_credential_is),
        cmocka_unit_test(a_verdict_that_is_none_reads_deny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
