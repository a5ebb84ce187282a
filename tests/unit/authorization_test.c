/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "authorization.h"

static void expect(struct view value, const char *token, bool is_dpop)
{
    struct view got;
    bool dpop;
    assert_int_equal(authorization_parse(value, &got, &dpop), REASON_NONE);
    assert_true(view_equals(got, view_of(token)));
    assert_true(view_is_present(got));
    assert_true(authorization_is_token(got));
    assert_int_equal(dpop, is_dpop);
}

static void expect_none(struct view value)
{
    struct view got;
    bool dpop;
    assert_int_equal(authorization_parse(value, &got, &dpop), REASON_NONE);
    assert_false(view_is_present(got));
}

static void refuse(struct view value)
{
    struct view got;
    bool dpop;
    enum reason reason = authorization_parse(value, &got, &dpop);
    assert_true(reason == REASON_TOKEN_MALFORMED || reason == REASON_NONE);
    assert_int_equal(view_is_present(got), reason == REASON_NONE);
    assert_false(authorization_is_token(got));
}

static void the_scheme_is_read_in_any_letter_case(void **state)
{
    (void)state;
    expect(VIEW("Bearer a.b.c"), "a.b.c", false);
    expect(VIEW("bearer a.b.c"), "a.b.c", false);
    expect(VIEW("BEARER a-._~+/=="), "a-._~+/==", false);
    expect(VIEW("DPoP a.b.c"), "a.b.c", true);
    expect(VIEW("dpop a.b.c"), "a.b.c", true);
}

static void another_scheme_is_no_token(void **state)
{
    (void)state;
    expect_none(VIEW("Basic dTpw"));
    expect_none(VIEW("Bearerx a.b.c"));
    expect_none(VIEW("X-Bearer a.b.c"));
    expect_none(VIEW("Negotiate"));
    expect_none(VIEW(""));
    expect_none((struct view){0});
}

static void other_than_one_space_is_refused(void **state)
{
    (void)state;
    refuse(VIEW("Bearer  a.b.c"));
    refuse(VIEW("Bearer\ta.b.c"));
    refuse(VIEW("Bearer \ta.b.c"));
    refuse(VIEW(" Bearer a.b.c"));
    refuse(VIEW("\tBearer a.b.c"));
    refuse(VIEW("Bearer a.b.c "));
    refuse(VIEW("Bearer a.b.c\t"));
    refuse(VIEW("DPoP  a.b.c"));
}

static void an_empty_token_is_refused(void **state)
{
    (void)state;
    refuse(VIEW("Bearer"));
    refuse(VIEW("Bearer "));
    refuse(VIEW("Bearer ="));
}

static void two_credentials_in_one_value_are_refused(void **state)
{
    (void)state;
    refuse(VIEW("Bearer a.b.c,Bearer d.e.f"));
    refuse(VIEW("Bearer a.b.c, Bearer d.e.f"));
    refuse(VIEW("Bearer,a.b.c"));
    refuse(VIEW("Bearer a=b"));
    refuse(VIEW("Bearer a.b.c\0d"));
    refuse(VIEW("Bearer \xc3\xa9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scheme_is_read_in_any_letter_case),    cmocka_unit_test(another_scheme_is_no_token),
        cmocka_unit_test(other_than_one_space_is_refused),          cmocka_unit_test(an_empty_token_is_refused),
        cmocka_unit_test(two_credentials_in_one_value_are_refused),
    };
    return cmocka_run_group_tests_name("authorization", tests, NULL, NULL);
}
