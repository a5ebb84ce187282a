/* SPDX-License-Identifier: Apache-2.0 */
#include "request_facts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void an_ipv4_address_is_four_bytes(void **state)
{
    static const uint8_t expected[16] = {10, 1, 2, 3};
    (void)state;
    struct address_fact address = request_facts_address(VIEW("10.1.2.3"));
    assert_int_equal(address.family, 4);
    assert_memory_equal(address.bytes, expected, 16);
}

static void an_ipv6_address_is_sixteen_bytes(void **state)
{
    (void)state;
    struct address_fact address = request_facts_address(VIEW("fd00::1"));
    assert_int_equal(address.family, 6);
    assert_int_equal(address.bytes[0], 0xfd);
    assert_int_equal(address.bytes[15], 1);
}

static void a_mapped_address_is_its_ipv4_address(void **state)
{
    (void)state;
    struct address_fact mapped = request_facts_address(VIEW("::ffff:10.1.2.3"));
    struct address_fact plain = request_facts_address(VIEW("10.1.2.3"));
    assert_memory_equal(&mapped, &plain, sizeof(plain));
}

static void what_is_no_address_is_unknown(void **state)
{
    static const struct view texts[] = {
        {.data = NULL, .size = 0},
        {.data = "", .size = 0},
        {.data = "10.1.2", .size = 6},
        {.data = "10.1.2.3.4", .size = 10},
        {.data = "010.1.2.3", .size = 9},
        {.data = "10.1.2.3\0", .size = 9},
        {.data = "localhost", .size = 9},
        {.data = "fd00::1%eth0", .size = 12},
        {.data = "1111:2222:3333:4444:5555:6666:7777:8888:9999", .size = 44},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(request_facts_address(texts[i]).family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_address_is_four_bytes),
        cmocka_unit_test(an_ipv6_address_is_sixteen_bytes),
        cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
        cmocka_unit_test(what_is_no_address_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
