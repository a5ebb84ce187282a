/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles for the decider, which never executes anything itself: the supervisor starts a
 * process for each policy, which is given nothing but the texts and a limit of memory and
 * time. Whatever becomes of it, decider and supervisor go on.
 *
 *   decider -> supervisor   struct compile_request, with two descriptors: sources, result;
 *                           without any: the process of that number is to end, and nothing is replied
 *   supervisor -> decider   struct compile_reply, when that process has ended
 *
 * over a socket pair of whole messages. The two files have the form of compile_form.h. */
#ifndef BARTIZAN_COMPILE_BROKER_H
#define BARTIZAN_COMPILE_BROKER_H

#include "err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The descriptors that a process which compiles begins with. */
enum { COMPILE_SOURCES_FD = 3, COMPILE_RESULT_FD = 4 };

struct compile_request {
    uint64_t number; /* of the asker's choice, never twice: a reply to an earlier one is passed over */
};

struct compile_reply {
    uint64_t number;
    int32_t status; /* of waitpid(2); -1: it could not be started */
    int32_t padding;
};

struct compile_broker {
    int fd;                  /* the supervisor's end; -1: closed. The process gets SIGIO when something was asked */
    int asker_fd;            /* the decider's end, to be inherited */
    const char *const *argv; /* of /proc/self/exe; ends with NULL */
    pid_t job;               /* 0: none */
    uint64_t number;         /* of what it works on */
};

/* ERR_IO: errno says why. */
MUST_CHECK enum err compile_broker_open(struct compile_broker *broker, const char *const *argv);

/* Starts or ends what was asked for; one process at a time, an older one is killed. Never blocks, and takes
 * a few requests at most. `mask` is the signal mask that the process begins with. */
void compile_broker_serve(struct compile_broker *broker, const sigset_t *mask);

/* True when `pid` was the process that compiles: the decider is told. */
bool compile_broker_reap(struct compile_broker *broker, pid_t pid, int status);

/* Kills what compiles; the decider sees the end of the socket. Harmless twice. */
void compile_broker_close(struct compile_broker *broker);

#endif
