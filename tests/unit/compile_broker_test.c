/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "compile_broker.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENDED_WITH = 7 };
static const char child_word[] = "compile";
static const char *const child[] = {"compile_broker_test", child_word, NULL};

static struct compile_broker broker;
static sigset_t mask;
static int from, to;

static int set_up(void **state)
{
    (void)state;
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    from = memfd_create("from", MFD_CLOEXEC);
    to = memfd_create("to", MFD_CLOEXEC);
    assert_true(from >= 0 && to >= 0);
    assert_int_equal(compile_broker_open(&broker, child), ERR_NONE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    compile_broker_close(&broker);
    close(from);
    close(to);
    return 0;
}

static void ask(size_t size, size_t count)
{
    struct compile_request request = {.number = 5};
    const int files[3] = {from, to, from};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(files))] = {0};
    struct iovec part = {.iov_base = &request, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), files, count * sizeof(int));
    }
    assert_int_equal(sendmsg(broker.asker_fd, &message, MSG_DONTWAIT), size);
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static void a_request_is_served_and_its_end_is_told(void **state)
{
    (void)state;
    struct compile_reply reply = {0};
    int status = 0;
    ask(sizeof(struct compile_request), 2);
    compile_broker_serve(&broker, &mask);
    pid_t job = broker.job;
    assert_true(job > 0);
    assert_int_equal(waitpid(job, &status, 0), job);
    assert_false(compile_broker_reap(&broker, job + 1, status));
    assert_true(compile_broker_reap(&broker, job, status));
    assert_int_equal(recv(broker.asker_fd, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
    assert_int_equal(reply.number, 5);
    assert_true(WIFEXITED(reply.status) && WEXITSTATUS(reply.status) == ENDED_WITH);
}

static void a_request_without_files_ends_the_process_of_its_number_alone(void **state)
{
    (void)state;
    struct compile_reply reply = {0};
    ask(sizeof(struct compile_request), 2);
    compile_broker_serve(&broker, &mask);
    pid_t job = broker.job;
    broker.number = 6; /* what is asked for is of number 5 */
    ask(sizeof(struct compile_request), 0);
    compile_broker_serve(&broker, &mask);
    assert_int_equal(broker.job, job);
    broker.number = 5;
    ask(sizeof(struct compile_request), 0);
    compile_broker_serve(&broker, &mask);
    assert_int_equal(broker.job, 0);
    assert_int_equal(waitpid(job, NULL, 0), -1); /* it is gone, and was waited for */
    assert_int_equal(recv(broker.asker_fd, &reply, sizeof(reply), MSG_DONTWAIT), -1);
}

static void what_is_no_request_starts_nothing_and_leaves_no_descriptor(void **state)
{
    (void)state;
    static const struct {
        size_t size, files;
    } wrong[] = {{0, 2}, {0, 0}, {0, 3}, {3, 2}, {8, 0}, {8, 1}, {8, 3}};
    size_t before = open_descriptors();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ask(wrong[i].size, wrong[i].files);
        compile_broker_serve(&broker, &mask);
        assert_int_equal(broker.job, 0);
        assert_int_equal(open_descriptors(), before);
    }
}

static void a_flood_is_left_after_a_few(void **state)
{
    (void)state;
    struct pollfd ready = {.fd = broker.fd, .events = POLLIN};
    for (int i = 0; i < 6; i++)
        ask(1, 0);
    compile_broker_serve(&broker, &mask);
    assert_int_equal(poll(&ready, 1, 0), 1);
    compile_broker_serve(&broker, &mask);
    assert_int_equal(poll(&ready, 1, 0), 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], child_word) == 0)
        return ENDED_WITH;
    (void)signal(SIGIO, SIG_IGN); /* the supervisor waits for it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_served_and_its_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_without_files_ends_the_process_of_its_number_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_request_starts_nothing_and_leaves_no_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_is_left_after_a_few, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
