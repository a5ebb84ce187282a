/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct address {
    const char *text;
    const char *target; /* NULL: refused */
};

static void check(const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char target[WORKLOAD_ENDPOINT_TARGET_MAX] = "";
        const char *why = NULL;
        enum err result = workload_endpoint_parse(view_of(addresses[i].text), target, &why);
        if ((result == ERR_NONE) != (addresses[i].target != NULL))
            fail_msg("%s: %s", addresses[i].text, why ? why : "accepted");
        if (result == ERR_NONE)
            assert_string_equal(target, addresses[i].target);
        else
            assert_non_null(why);
    }
}

/* The seventeen of go-spiffe's workloadapi/addr_test.go and addr_posix_test.go. It takes `unix://foo`, a host without a
 * path, which section 4 of the specification does not: "the authority component MUST NOT be set". */
static void the_addresses_of_go_spiffe_are_judged_as_there_but_for_a_unix_address_with_a_host(void **state)
{
    (void)state;
    static const struct address addresses[] = {
        {"\t", NULL},
        {"blah", NULL},
        {"tcp:opaque", NULL},
        {"tcp://", NULL},
        {"tcp://1.2.3.4:5?whatever", NULL},
        {"tcp://1.2.3.4:5#whatever", NULL},
        {"tcp://john:doe@1.2.3.4:5/path", NULL},
        {"tcp://1.2.3.4:5/path", NULL},
        {"tcp://foo", NULL},
        {"tcp://1.2.3.4", NULL},
        {"tcp://1.2.3.4:5", "ipv4:1.2.3.4:5"},
        {"unix:opaque", NULL},
        {"unix://", NULL},
        {"unix://foo?whatever", NULL},
        {"unix://foo#whatever", NULL},
        {"unix://john:doe@foo/path", NULL},
        {"unix://foo", NULL},
    };
    check(addresses, sizeof addresses / sizeof addresses[0]);
}

static void a_unix_address_is_an_absolute_path_and_nothing_else(void **state)
{
    (void)state;
    static const struct address addresses[] = {
        {"unix:///run/spire/agent.sock", "unix:/run/spire/agent.sock"},
        {"UNIX:///a", "unix:/a"},
        {"unix:///", NULL},
        {"unix:/a", NULL},
        {"unix://host/a", NULL},
        {"unix:///a?b", NULL},
        {"unix:///a#b", NULL},
        {"unix:///a%20b", NULL},
        {"unix:///a b", NULL},
        {"unix:///a\n", NULL},
        {" unix:///a", NULL},
        {"unix:///"
         "23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
         NULL},
    };
    check(addresses, sizeof addresses / sizeof addresses[0]);
    char text[200], target[WORKLOAD_ENDPOINT_TARGET_MAX];
    const char *why;
    memset(text, 'a', sizeof text);
    memcpy(text, "unix:///", 8);
    assert_int_equal(workload_endpoint_parse((struct view){text, 7 + 107}, target, &why), ERR_NONE);
    assert_int_equal(workload_endpoint_parse((struct view){text, 7 + 108}, target, &why), ERR_MALFORMED);
    text[9] = '\0';
    assert_int_equal(workload_endpoint_parse((struct view){text, 20}, target, &why), ERR_MALFORMED);
}

static void a_tcp_address_is_an_ip_and_a_port_and_never_a_name(void **state)
{
    (void)state;
    static const struct address addresses[] = {
        {"tcp://127.0.0.1:8081", "ipv4:127.0.0.1:8081"},
        {"tcp://[::1]:65535", "ipv6:[::1]:65535"},
        {"tcp://::1:8081", NULL},
        {"tcp://[::1]", NULL},
        {"tcp://[::1:8081", NULL},
        {"tcp://[127.0.0.1]:8081", NULL},
        {"tcp://localhost:8081", NULL},
        {"tcp://agent.spire:8081", NULL},
        {"tcp://127.1:8081", NULL},
        {"tcp://127.0.0.1:0", NULL},
        {"tcp://127.0.0.1:65536", NULL},
        {"tcp://127.0.0.1:", NULL},
        {"tcp://127.0.0.1:80a", NULL},
        {"tcp://127.0.0.1:-80", NULL},
        {"tcp://127.0.0.1:8081/", NULL},
        {"tcp://me@127.0.0.1:8081", NULL},
        {"tcp://[fe80::1%25eth0]:8081", NULL},
        {"http://127.0.0.1:8081", NULL},
        {"dns:///a:1", NULL},
        {"", NULL},
    };
    check(addresses, sizeof addresses / sizeof addresses[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_addresses_of_go_spiffe_are_judged_as_there_but_for_a_unix_address_with_a_host),
        cmocka_unit_test(a_unix_address_is_an_absolute_path_and_nothing_else),
        cmocka_unit_test(a_tcp_address_is_an_ip_and_a_port_and_never_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
