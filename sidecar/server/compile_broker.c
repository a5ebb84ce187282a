/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* F_SETOWN and O_ASYNC with all of POSIX */
#include "compile_broker.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FILES = 2,
    REQUESTS_AT_ONCE = 4, /* a decider asks once and waits; one that floods us keeps us from nothing else */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum err compile_broker_open(struct compile_broker *broker, const char *const *argv)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR_IO;
    *broker = (struct compile_broker){.fd = ends[0], .asker_fd = ends[1], .argv = argv};
    if (fcntl(broker->fd, F_SETOWN, getpid()) == 0 && fcntl(broker->fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0)
        return ERR_NONE;
    close_end(&broker->fd);
    close_end(&broker->asker_fd);
    return ERR_IO;
}

static void reply(struct compile_broker *broker, int status)
{
    const struct compile_reply message = {.number = broker->number, .status = status};
    if (broker->fd >= 0 && send(broker->fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_line(LOG_WARN, log_say("nobody takes the end of a compile"), log_text("why", view_of(strerror(errno))));
}

/* In the child, between fork and exec: async-signal-safe calls alone. */
static void become(const struct compile_broker *broker, const int files[FILES], const sigset_t *mask, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    /* Out of each other's way first: the places may be taken by the files themselves. */
    int sources = fcntl(files[0], F_DUPFD_CLOEXEC, COMPILE_RESULT_FD + 1);
    int result = fcntl(files[1], F_DUPFD_CLOEXEC, COMPILE_RESULT_FD + 1);
    if (sources < 0 || result < 0 || dup2(sources, COMPILE_SOURCES_FD) < 0 || dup2(result, COMPILE_RESULT_FD) < 0)
        _exit(126);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execv("/proc/self/exe", (char *const *)(uintptr_t)broker->argv);
    _exit(127);
}

static void end_job(struct compile_broker *broker)
{
    if (broker->job == 0)
        return;
    (void)kill(broker->job, SIGKILL);
    (void)waitpid(broker->job, NULL, 0);
    broker->job = 0;
}

static void start(struct compile_broker *broker, uint64_t number, const int files[FILES], const sigset_t *mask)
{
    pid_t parent = getpid();
    end_job(broker);
    broker->number = number;
    pid_t pid = fork();
    if (pid == 0)
        become(broker, files, mask, parent);
    if (pid > 0) {
        broker->job = pid;
        return;
    }
    log_line(LOG_ERROR, log_say("cannot start a compile"), log_text("why", view_of(strerror(errno))));
    reply(broker, -1);
}

/* The descriptors of a message; others than two are closed. */
static bool take_files(struct msghdr *message, int files[FILES])
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
        return false;
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count && i < FILES; i++)
        memcpy(&files[i], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    return count == FILES;
}

/* True when a message was there. An empty one may bring descriptors too. */
static bool serve_one(struct compile_broker *broker, const sigset_t *mask)
{
    struct compile_request request = {0};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FILES * sizeof(int))];
    struct iovec part = {.iov_base = &request, .iov_len = sizeof(request)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int files[FILES] = {-1, -1};
    ssize_t size = recvmsg(broker->fd, &message, MSG_CMSG_CLOEXEC);
    if (size < 0)
        return false;
    bool is_whole = size == sizeof(request) && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (take_files(&message, files) && is_whole)
        start(broker, request.number, files, mask);
    else if (is_whole && CMSG_FIRSTHDR(&message) == NULL && request.number == broker->number)
        end_job(broker);
    close_end(&files[0]);
    close_end(&files[1]);
    return size > 0;
}

void compile_broker_serve(struct compile_broker *broker, const sigset_t *mask)
{
    int served = 0;
    while (broker->fd >= 0 && served < REQUESTS_AT_ONCE && serve_one(broker, mask))
        served++;
}

bool compile_broker_reap(struct compile_broker *broker, pid_t pid, int status)
{
    if (broker->job == 0 || broker->job != pid)
        return false;
    broker->job = 0;
    reply(broker, status);
    return true;
}

void compile_broker_close(struct compile_broker *broker)
{
    end_job(broker);
    close_end(&broker->fd);
    close_end(&broker->asker_fd);
}
