/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "compile_asker.h"
#include "compile_broker.h"
#include "compile_form.h"

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

/* ---- orders that are not waited for, with this test as the supervisor ---- */

struct taken {
    uint64_t number;
    int result; /* -1: the process of that number is to end */
};

static bool take_request(struct taken *out)
{
    struct compile_request request;
    int files[2] = {-1, -1};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(files))];
    struct iovec part = {.iov_base = &request, .iov_len = sizeof(request)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    if (recvmsg(ends[0], &message, MSG_DONTWAIT) != (ssize_t)sizeof(request))
        return false;
    if (CMSG_FIRSTHDR(&message) != NULL) {
        memcpy(files, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(files));
        close(files[0]);
    }
    *out = (struct taken){.number = request.number, .result = files[1]};
    return true;
}

static void expect_end_of(uint64_t number)
{
    struct taken taken;
    assert_true(take_request(&taken));
    assert_int_equal(taken.number, number);
    assert_int_equal(taken.result, -1);
}

static struct taken expect_begin(void)
{
    struct taken taken;
    assert_true(take_request(&taken));
    assert_true(taken.result >= 0);
    return taken;
}

static void expect_quiet(void)
{
    struct taken taken;
    assert_false(take_request(&taken));
}

/* It ends with one finding, which says `words`. */
static void end(const struct taken *taken, const char *words)
{
    struct diag_list list;
    const struct compile_reply reply = {.number = taken->number};
    diag_list_init(&list, &arena);
    diag_error(&list, "E0203", &(struct span){.file = source.name}, "%s", words);
    assert_int_equal(compile_form_write_result(taken->result, &(struct compile_result){.error = ERR_INVALID}, &list),
                     ERR_NONE);
    close(taken->result);
    assert_int_equal(send(ends[0], &reply, sizeof(reply), 0), sizeof(reply));
}

static const uint8_t other[SHA256_BYTES] = {1};

static enum err give(struct compile_asker *asker, const uint8_t *print, bool is_shadow)
{
    struct policy *policy = NULL;
    const struct policy_order later = {
        .sources = &source, .count = 1, .fingerprint = print, .is_shadow = is_shadow, .is_later = true};
    diag_list_init(diags, &arena);
    enum err result = compile_asker_build(asker, &later, diags, &policy);
    assert_null(policy);
    return result;
}

static bool is_told(const char *words)
{
    return diags->count == 1 && view_equals(diags->items[0].message, view_of(words));
}

static void an_order_is_under_way_until_its_reply_and_then_ends_as_its_result_says(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config, .number = 7};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    struct taken taken = expect_begin();
    compile_asker_rest(&asker);
    const struct compile_reply older = {.number = taken.number - 1};
    assert_int_equal(send(ends[0], &older, sizeof(older), 0), sizeof(older));
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    compile_asker_rest(&asker);
    expect_quiet();
    end(&taken, "words");
    assert_int_equal(give(&asker, fingerprint, false), ERR_INVALID);
    assert_true(is_told("words"));
    compile_asker_rest(&asker);
    expect_quiet();
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE); /* from the beginning */
    expect_begin();
    compile_asker_close(&asker);
}

static void a_newer_order_ends_the_older_one_whose_reply_is_passed_over(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    struct taken older = expect_begin();
    compile_asker_rest(&asker);
    assert_int_equal(give(&asker, other, false), ERR_NONE);
    expect_end_of(older.number);
    struct taken newer = expect_begin();
    assert_true(newer.number > older.number);
    compile_asker_rest(&asker);
    end(&older, "old");
    assert_int_equal(give(&asker, other, false), ERR_NONE);
    end(&newer, "new");
    assert_int_equal(give(&asker, other, false), ERR_INVALID);
    assert_true(is_told("new"));
    compile_asker_close(&asker);
}

static void what_a_round_does_not_order_is_given_up(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    struct taken taken = expect_begin();
    compile_asker_rest(&asker);
    expect_quiet();
    compile_asker_rest(&asker);
    expect_end_of(taken.number);
    close(taken.result);
    compile_asker_rest(&asker);
    expect_quiet();
}

static void the_shadow_waits_for_its_turn_and_a_policy_that_was_refused_is_not_begun_anew_meanwhile(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    assert_int_equal(give(&asker, other, true), ERR_NONE);
    compile_asker_rest(&asker);
    struct taken policy = expect_begin();
    expect_quiet();
    end(&policy, "policy");
    assert_int_equal(give(&asker, fingerprint, false), ERR_INVALID);
    assert_int_equal(give(&asker, other, true), ERR_NONE);
    compile_asker_rest(&asker);
    struct taken shadow = expect_begin();
    expect_quiet();
    end(&shadow, "shadow");
    assert_int_equal(give(&asker, fingerprint, false), ERR_INVALID);
    assert_true(is_told("policy"));
    assert_int_equal(give(&asker, other, true), ERR_INVALID);
    assert_true(is_told("shadow"));
    compile_asker_rest(&asker);
    expect_quiet();
}

static void a_policy_goes_before_a_shadow_that_runs(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, other, true), ERR_NONE);
    struct taken shadow = expect_begin();
    compile_asker_rest(&asker);
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    assert_int_equal(give(&asker, other, true), ERR_NONE);
    compile_asker_rest(&asker);
    expect_end_of(shadow.number);
    struct taken policy = expect_begin();
    expect_quiet();
    close(shadow.result);
    close(policy.result);
    compile_asker_close(&asker);
    expect_end_of(policy.number);
}

static void a_supervisor_that_goes_in_a_compile_ends_it(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    compile_asker_rest(&asker);
    struct taken taken = expect_begin();
    close(taken.result);
    close(ends[0]);
    ends[0] = -1;
    assert_int_equal(give(&asker, fingerprint, false), ERR_IO);
    assert_true(is_told("the supervisor cannot be asked to compile the policy"));
    compile_asker_rest(&asker);
    assert_int_equal(asker.jobs[0].state, COMPILE_NONE);
}

static void a_compile_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    struct compile_asker asker = {.fd = ends[1], .config = &config};
    assert_int_equal(give(&asker, fingerprint, false), ERR_NONE);
    compile_asker_rest(&asker);
    struct taken taken = expect_begin();
    close(taken.result);
    asker.jobs[0].until = 1; /* long ago */
    assert_int_equal(give(&asker, fingerprint, false), ERR_IO);
    assert_true(is_told("the process that compiles the policy did not end in time"));
    expect_end_of(taken.number);
    compile_asker_close(&asker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_supervisor_that_takes_nothing_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_supervisor_that_has_gone_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_is_under_way_until_its_reply_and_then_ends_as_its_result_says, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_newer_order_ends_the_older_one_whose_reply_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_round_does_not_order_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_shadow_waits_for_its_turn_and_a_policy_that_was_refused_is_not_begun_anew_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_policy_goes_before_a_shadow_that_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_supervisor_that_goes_in_a_compile_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_compile_that_takes_too_long_is_given_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
