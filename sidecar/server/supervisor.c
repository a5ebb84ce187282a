/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sigtimedwait with all of POSIX */
#include "supervisor.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_LEAST = 100, /* milliseconds */
    PAUSE_MOST = 10000,
    STEADY = 10000, /* whoever lived this long starts with the least pause again */
    END_MOST = 15000,
};

struct running {
    const struct supervisor_child *child;
    pid_t pid; /* 0: not running */
    int64_t started, due;
    int64_t pause;
};

struct supervisor {
    struct running running[SUPERVISOR_CHILDREN_MAX];
    size_t count;
    pid_t self;
    sigset_t signals, original;
    struct compile_broker *broker;
};

/* In the child, between fork and exec: async-signal-safe calls alone. */
static void become(const struct supervisor *supervisor, const struct supervisor_child *child)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor->self) /* it died before we asked to be told */
        _exit(1);
    for (size_t i = 0; i < child->fd_count; i++)
        (void)fcntl(child->fds[i], F_SETFD, 0);
    (void)sigprocmask(SIG_SETMASK, &supervisor->original, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execv(child->program, (char *const *)(uintptr_t)child->argv);
    _exit(127);
}

static void write_boottime(char out[SUPERVISOR_TIME_MAX])
{
    (void)snprintf(out, SUPERVISOR_TIME_MAX, "%lld", (long long)clock_ns(CLOCK_BOOTTIME));
}

static void start(struct supervisor *supervisor, struct running *r)
{
    r->started = clock_ms(CLOCK_MONOTONIC);
    if (r->child->started != NULL)
        write_boottime(r->child->started);
    pid_t pid = fork();
    if (pid == 0)
        become(supervisor, r->child);
    if (pid < 0) {
        r->due = r->started + r->pause;
        log_line(LOG_ERROR, log_say("cannot start a process"), log_text("name", view_of(r->child->name)),
                 log_text("why", view_of(strerror(errno))));
        return;
    }
    r->pid = pid;
}

static void log_death(const struct running *r, int status)
{
    struct log_field how = WIFSIGNALED(status) ? log_number("signal", (uint64_t)WTERMSIG(status))
                                               : log_number("exit", (uint64_t)WEXITSTATUS(status));
    log_line(LOG_WARN, log_say("a process ended and is started again"), log_text("name", view_of(r->child->name)), how,
             log_number("pause_ms", (uint64_t)r->pause));
}

/* The exit code that ends everything, or -1. */
static int bury(struct running *r, int status, bool is_first)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    r->pid = 0;
    if (r->child->is_vital && is_first && WIFEXITED(status) && WEXITSTATUS(status) >= 2 && WEXITSTATUS(status) <= 4)
        return WEXITSTATUS(status);
    if (now - r->started >= STEADY)
        r->pause = PAUSE_LEAST;
    r->due = now + r->pause;
    log_death(r, status);
    r->pause = r->pause * 2 < PAUSE_MOST ? r->pause * 2 : PAUSE_MOST;
    return -1;
}

static int reap(struct supervisor *supervisor, bool is_ending)
{
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        if (compile_broker_reap(supervisor->broker, pid, status))
            continue;
        for (size_t i = 0; i < supervisor->count; i++) {
            struct running *r = &supervisor->running[i];
            if (r->pid != pid)
                continue;
            if (is_ending) {
                r->pid = 0;
                continue;
            }
            int code = bury(r, status, r->pause == PAUSE_LEAST && r->due == 0);
            if (code >= 0)
                return code;
        }
    }
    return -1;
}

static void start_due(struct supervisor *supervisor)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->running[i].pid == 0 && supervisor->running[i].due <= now)
            start(supervisor, &supervisor->running[i]);
}

/* Milliseconds until some child is to be started; -1: none waits. */
static int64_t next_due(const struct supervisor *supervisor)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC), least = -1;
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct running *r = &supervisor->running[i];
        int64_t left = r->due > now ? r->due - now : 0;
        if (r->pid == 0 && (least < 0 || left < least))
            least = left;
    }
    return least;
}

/* The signal that came, or 0 when `milliseconds` passed first (-1: never). */
static int wait_signal(const struct supervisor *supervisor, int64_t milliseconds)
{
    struct timespec limit = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    int signal =
        milliseconds < 0 ? sigwaitinfo(&supervisor->signals, NULL) : sigtimedwait(&supervisor->signals, NULL, &limit);
    return signal > 0 ? signal : 0;
}

static void end_child(struct supervisor *supervisor, struct running *r)
{
    int64_t until = clock_ms(CLOCK_MONOTONIC) + END_MOST;
    if (r->pid != 0)
        (void)kill(r->pid, SIGTERM);
    while (r->pid != 0 && clock_ms(CLOCK_MONOTONIC) < until) {
        (void)reap(supervisor, true);
        if (r->pid != 0)
            (void)wait_signal(supervisor, 100);
    }
    if (r->pid == 0)
        return;
    log_line(LOG_ERROR, log_say("a process did not end in time and is killed"),
             log_text("name", view_of(r->child->name)));
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
    r->pid = 0;
}

static int finish(struct supervisor *supervisor, int code)
{
    compile_broker_close(supervisor->broker); /* first: a decider that waits for it would not end */
    for (size_t i = 0; i < supervisor->count; i++)
        end_child(supervisor, &supervisor->running[i]);
    while (wait_signal(supervisor, 0) != 0) { /* whatever still waits would end us with the mask's return */
    }
    (void)sigprocmask(SIG_SETMASK, &supervisor->original, NULL);
    return code;
}

static void pass_hangup(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->running[i].pid != 0 && supervisor->running[i].child->takes_hangup)
            (void)kill(supervisor->running[i].pid, SIGHUP);
}

static int keep(struct supervisor *supervisor)
{
    for (;;) {
        start_due(supervisor);
        int signal = wait_signal(supervisor, next_due(supervisor));
        if (signal == SIGTERM || signal == SIGINT)
            return finish(supervisor, 0);
        if (signal == SIGHUP)
            pass_hangup(supervisor);
        compile_broker_serve(supervisor->broker, &supervisor->original);
        int code = reap(supervisor, false);
        if (code >= 0)
            return finish(supervisor, code);
    }
}

int supervisor_run(const struct supervisor_child *children, size_t count, struct compile_broker *broker)
{
    struct supervisor supervisor = {
        .self = getpid(), .broker = broker, .count = count < SUPERVISOR_CHILDREN_MAX ? count : SUPERVISOR_CHILDREN_MAX};
    static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGIO};
    (void)sigemptyset(&supervisor.signals);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        (void)sigaddset(&supervisor.signals, taken[i]);
    (void)sigprocmask(SIG_BLOCK, &supervisor.signals, &supervisor.original);
    for (size_t i = 0; i < supervisor.count; i++)
        supervisor.running[i] = (struct running){.child = &children[i], .pause = PAUSE_LEAST};
    return keep(&supervisor);
}
