/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan decide`: the process that answers, started by `serve` with open sockets. */
#include "cli.h"
#include "clock.h"
#include "commands.h"
#include "decider.h"
#include "log.h"
#include "options.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Descriptors as "3,4,5": their number, or SIZE_MAX. */
static size_t read_fds(const char *text, int *fds, size_t most)
{
    struct view list = view_of(text);
    size_t count = 0;
    for (size_t from = 0; from < list.size;) {
        size_t to = view_index_of(list, ',', from);
        uint64_t fd;
        if (count == most || !view_to_u64(view_slice(list, from, to), &fd) || fd > INT32_MAX)
            return SIZE_MAX;
        fds[count++] = (int)fd;
        from = to + 1;
    }
    return count;
}

static int read_fd(const char *text)
{
    int fd = -1;
    return text != NULL && read_fds(text, &fd, 1) == 1 ? fd : -1;
}

/* Before any thread is made: all of them inherit the mask, and the end is awaited by one. */
static void block_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Started through /proc/self/exe, it would show as "exe" in a list of processes. */
static void take_name(void)
{
    (void)prctl(PR_SET_NAME, "bartizan");
}

/* Keys and tokens are in our memory: no core file, and no other process of the same user looks in. */
static void close_memory(void)
{
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int cmd_decide(int argc, char **argv)
{
    const char *file = NULL, *level = NULL, *listen = NULL, *socket = NULL, *address = NULL, *started = NULL,
               *compile = NULL;
    const struct option_spec options[] = {
        {"config", "FILE", "the configuration", &file},
        {"log-level", "LEVEL", "error, warn, info or debug", &level},
        {"listen-fds", "N,N", "listening sockets, one per listener, in order", &listen},
        {"admin-fd", "N", "the administration's unix socket", &socket},
        {"address-fd", "N", "the administration's TCP socket", &address},
        {"compile-fd", "N", "a socket to the supervisor, which starts compiles", &compile},
        {"started", "NS", "CLOCK_BOOTTIME at the start of the process", &started},
    };
    const struct usage usage = {.line = "bartizan decide --config FILE --listen-fds N,N",
                                .summary = "Answers checks on open sockets. `bartizan serve` starts it.",
                                .options = options,
                                .option_count = sizeof(options) / sizeof(options[0])};
    size_t operands = 0;
    int fds[LISTENERS_MAX];
    int code = options_read(&usage, argc, argv, NULL, &operands);
    if (code != OPTIONS_GO_ON)
        return code;
    code = set_log_level(&usage, level);
    if (code != EXIT_GOOD)
        return code;
    take_name();
    block_signals();
    close_memory();
    struct arena arena;
    struct config config;
    arena_init(&arena, COMMAND_MEMORY);
    code = load_config(file, &arena, &config);
    if (code == EXIT_GOOD && (listen == NULL || read_fds(listen, fds, LISTENERS_MAX) != config.listener_count))
        code = usage_error(&usage, "--listen-fds takes one socket for each listener");
    uint64_t since = 0;
    if (started == NULL || !view_to_u64(view_of(started), &since))
        since = (uint64_t)clock_ns(CLOCK_BOOTTIME);
    const struct decider_config decider = {.config = &config,
                                           .version = BARTIZAN_VERSION,
                                           .listener_fds = fds,
                                           .admin_socket_fd = read_fd(socket),
                                           .admin_address_fd = read_fd(address),
                                           .compile_fd = read_fd(compile),
                                           .started_ns = (int64_t)since};
    if (code == EXIT_GOOD) {
        enum err result = decider_run(&decider);
        code = result == ERR_CONFLICT ? EXIT_IO : exit_code_of(result); /* another process has the journal */
    }
    arena_free(&arena);
    return code;
}
