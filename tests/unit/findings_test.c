/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include "view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_kind_has_a_code_of_its_own_and_a_meaning(void **state)
{
    size_t count = 0;
    const struct finding_kind *kinds = finding_kinds(&count);
    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(kinds[i].code), 5);
        assert_true(kinds[i].meaning != NULL && kinds[i].meaning[0] != '\0');
        assert_ptr_equal(finding_kind_find(view_of(kinds[i].code)), &kinds[i]);
    }
}

static void a_code_is_found_whatever_its_case_but_not_cut_or_longer(void **state)
{
    size_t count = 0;
    const struct finding_kind *first = finding_kinds(&count);
    char code[7];
    (void)state;
    memcpy(code, first->code, 5);
    code[0] = (char)(code[0] | 0x20);
    code[5] = '0';
    assert_ptr_equal(finding_kind_find((struct view){code, 5}), first);
    assert_null(finding_kind_find((struct view){code, 4}));
    assert_null(finding_kind_find((struct view){code, 6}));
    assert_null(finding_kind_find(VIEW("Z0000")));
    assert_null(finding_kind_find((struct view){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_code_of_its_own_and_a_meaning),
        cmocka_unit_test(a_code_is_found_whatever_its_case_but_not_cut_or_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
