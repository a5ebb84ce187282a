/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "compile_asker.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST = 10 }; /* seconds: what waits here is ended */

static const struct policy_source source = {.name = {"policy.yaml", 11}, .text = {"x", 1}};
static const struct config config = {.policy.compile = {.memory = 64 << 20, .seconds = 1}};
static const uint8_t fingerprint[SHA256_BYTES];
static const struct policy_order order = {.sources = &source, .count = 1, .fingerprint = fingerprint};
static struct arena arena;
static struct diag_list *diags;
static int ends[2];

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 24);
    diags = arena_take(&arena, sizeof *diags);
    assert_non_null(diags);
    diag_list_init(diags, &arena);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    (void)alarm(LONGEST);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)alarm(0);
    if (ends[0] >= 0)
        close(ends[0]);
    close(ends[1]);
    arena_free(&arena);
    return 0;
}

static void expect_nobody_asked(void)
{
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    struct policy *policy = NULL;
    assert_int_equal(compile_asker_build(&asker, &order, diags, &policy), ERR_IO);
    assert_null(policy);
    assert_int_equal(diags->count, 1);
    assert_true(view_equals(diags->items[0].message, VIEW("the supervisor cannot be asked to compile the policy")));
}

static void a_supervisor_that_takes_nothing_is_not_waited_for(void **state)
{
    (void)state;
    while (send(ends[1], "x", 1, MSG_DONTWAIT) == 1) {
    }
    expect_nobody_asked();
}

static void a_supervisor_that_has_gone_is_not_waited_for(void **state)
{
    (void)state;
    close(ends[0]);
    ends[0] = -1;
    expect_nobody_asked();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_supervisor_that_takes_nothing_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_supervisor_that_has_gone_is_not_waited_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
