/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 3720 appendix B.4: 32 bytes of zeros, of ones, ascending, and descending. */
static void crc32c_gives_the_sums_of_rfc_3720(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    (void)state;
    for (size_t i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(up, 32), 0x46dd794e);
    assert_int_equal(crc32c(down, 32), 0x113fdb5c);
    assert_int_equal(crc32c("", 0), 0);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
}

static void crc32c_is_the_same_by_table_and_by_instruction(void **state)
{
    uint8_t bytes[600];
    (void)state;
    srand(7);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    for (size_t from = 0; from < 9; from++) {
        for (size_t size = 0; from + size <= sizeof(bytes); size++)
            assert_int_equal(crc32c(bytes + from, size), crc32c_portable(bytes + from, size));
    }
}

static void crc32c_sees_any_single_bit(void **state)
{
    uint8_t bytes[64] = "a record";
    uint32_t sum = crc32c(bytes, sizeof(bytes));
    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(crc32c(bytes, sizeof(bytes)), sum);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_sums_of_rfc_3720),
        cmocka_unit_test(crc32c_is_the_same_by_table_and_by_instruction),
        cmocka_unit_test(crc32c_sees_any_single_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
