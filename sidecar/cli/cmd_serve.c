/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan serve`: opens the sockets and keeps the processes that work behind them. */
#include "cli.h"
#include "commands.h"
#include "compile_asker.h"
#include "feed_endpoint.h"
#include "listen_socket.h"
#include "log.h"
#include "options.h"
#include "snapshot.h"
#include "subject_key.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS_MAX = LISTENERS_MAX + 2, FDS_MAX = SOCKETS_MAX + 1, NUMBER_MAX = 16 };

struct service {
    const struct config *config;
    const char *level;
    struct listener_config admin_socket, admin_address;
    struct listen_socket sockets[SOCKETS_MAX]; /* the listeners first */
    int fds[FDS_MAX];                          /* those of the sockets, and the broker's */
    size_t socket_count;
    struct compile_broker broker;
    char listen[LISTENERS_MAX * NUMBER_MAX], socket[NUMBER_MAX], address[NUMBER_MAX], compile[NUMBER_MAX];
    char started[SUPERVISOR_TIME_MAX];
    char ship[PATH_MAX];
};

/* As a sidecar would compile it, within the same limits: this process does nothing else. */
static enum err build_limited(void *context, const struct policy_order *order, struct diag_list *diags,
                              struct policy **out)
{
    const struct config *config = context;
    return compile_is_large(config, order) ? compile_limited(config, order->sources, order->count, diags, out)
                                           : policy_build(order->sources, order->count, diags, out);
}

/* All but the shadow: whatever becomes of that is no reason not to start, and the limits are of one policy. */
static int load_files(const struct config *config)
{
    const struct policy_compiler compiler = {.build = build_limited, .context = (void *)(uintptr_t)config};
    struct config enforced = *config;
    enforced.policy.shadow = NULL;
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    struct diag_list *diags = arena_take(&arena, sizeof(*diags));
    struct snapshot *snapshot = NULL;
    if (diags == NULL)
        return EXIT_IO;
    diag_list_init(diags, &arena);
    struct view subject_key;
    enum err result = snapshot_build(&enforced, &compiler, NULL, now_seconds(), diags, &snapshot);
    snapshot_drop(snapshot);
    if (result == ERR_NONE)
        result = subject_key_read(config, &arena, diags, &subject_key);
    /* To serve, a configured file that cannot be read is a configuration that does not hold. */
    int code = result == ERR_NONE ? EXIT_GOOD : print_findings(diags, false, ERR_INVALID);
    arena_free(&arena);
    return code;
}

static int judge_death(const struct config *config, int signal)
{
    if (signal == SIGXCPU) {
        (void)fprintf(stderr,
                      "bartizan: compiling the policy takes more than %u s of CPU time: policy.compile.seconds\n",
                      config->policy.compile.seconds);
        return EXIT_DATA; /* as when it takes too much memory */
    }
    (void)fprintf(stderr, "bartizan: the process that tries the files was killed by signal %d\n", signal);
    return EXIT_IO;
}

/* Tries the files in a process of its own, so that this one, which stays, stays small. */
static int try_files(const struct config *config)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int code = load_files(config);
        (void)fflush(NULL);
        _exit(code);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid > 0 && WIFSIGNALED(status))
        return judge_death(config, WTERMSIG(status));
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_IO;
}

static bool open_socket(struct service *service, const struct listener_config *config)
{
    char why[LISTEN_WHY_MAX];
    struct listen_socket *opened = &service->sockets[service->socket_count];
    if (listen_socket_open(config, opened, why) != ERR_NONE) {
        (void)fprintf(stderr, "bartizan: %s\n", why);
        return false;
    }
    service->fds[service->socket_count++] = opened->fd;
    return true;
}

static bool open_sockets(struct service *service)
{
    const struct config *config = service->config;
    size_t used = 0;
    for (size_t i = 0; i < config->listener_count; i++) {
        if (!open_socket(service, &config->listeners[i]))
            return false;
        used += (size_t)snprintf(service->listen + used, sizeof(service->listen) - used, "%s%d", i > 0 ? "," : "",
                                 service->fds[i]);
    }
    if (config->admin.socket != NULL) {
        service->admin_socket =
            (struct listener_config){.kind = LISTENER_UNIX, .path = config->admin.socket, .mode = 0600};
        if (!open_socket(service, &service->admin_socket))
            return false;
        (void)snprintf(service->socket, sizeof(service->socket), "%d", service->fds[service->socket_count - 1]);
    }
    if (config->admin.address_host != NULL) {
        service->admin_address = (struct listener_config){
            .kind = LISTENER_TCP, .host = config->admin.address_host, .port = config->admin.address_port};
        if (!open_socket(service, &service->admin_address))
            return false;
        (void)snprintf(service->address, sizeof(service->address), "%d", service->fds[service->socket_count - 1]);
    }
    return true;
}

static void close_sockets(struct service *service)
{
    for (size_t i = 0; i < service->socket_count; i++)
        listen_socket_close(&service->sockets[i]);
}

/* `bartizan-ship` stands beside this program. */
static bool find_ship(struct service *service)
{
    static const char name[] = "bartizan-ship";
    ssize_t size = readlink("/proc/self/exe", service->ship, sizeof(service->ship) - sizeof(name));
    while (size > 0 && service->ship[size - 1] != '/')
        size--;
    if (size <= 0)
        return false;
    memcpy(service->ship + size, name, sizeof(name));
    return access(service->ship, X_OK) == 0;
}

static bool runs_feed(const struct config *config)
{
    return (config->workload_api.needs_x509 || config->workload_api.needs_jwt) && !config->workload_api.is_separate;
}

static int run(struct service *service)
{
    const struct config *config = service->config;
    char instance[256];
    (void)snprintf(instance, sizeof(instance), "%.*s", VIEW_ARG(config->instance));
    const char *decide[] = {"bartizan",     "decide",         "--config",      config->file,     "--log-level",
                            service->level, "--listen-fds",   service->listen, "--admin-fd",     service->socket,
                            "--address-fd", service->address, "--compile-fd",  service->compile, NULL};
    const char *compile[] = {"bartizan", "compile", "--config", config->file, NULL};
    const char *ship[] = {
        "bartizan-ship", "publish", "--journal", config->audit.journal.path, "--bind", config->audit.tap.bind,
        "--instance",    instance,  NULL};
    const char *feed[] = {"bartizan", "feed", "--config", config->file, "--log-level", service->level, NULL};
    struct supervisor_child children[SUPERVISOR_CHILDREN_MAX] = {
        {.name = "decide",
         .program = "/proc/self/exe",
         .argv = decide,
         .fds = service->fds,
         .fd_count = service->socket_count + 1,
         .started = service->started,
         .is_vital = true,
         .takes_hangup = true},
    };
    size_t count = 1;
    bool has_ship = config->audit.tap.bind != NULL && config->audit.journal.path != NULL;
    if (has_ship && !find_ship(service)) {
        log_line(LOG_ERROR, log_say("the live tap is off: bartizan-ship is not beside this program"));
        has_ship = false;
    }
    if (has_ship)
        children[count++] = (struct supervisor_child){.name = "ship", .program = service->ship, .argv = ship};
    if (runs_feed(config))
        children[count++] = (struct supervisor_child){.name = "feed", .program = "/proc/self/exe", .argv = feed};
    if (compile_broker_open(&service->broker, compile) != ERR_NONE) {
        (void)fprintf(stderr, "bartizan: a socket between the processes cannot be made: %s\n", strerror(errno));
        return EXIT_IO;
    }
    service->fds[service->socket_count] = service->broker.asker_fd;
    (void)snprintf(service->compile, sizeof(service->compile), "%d", service->broker.asker_fd);
    int code = supervisor_run(children, count, &service->broker);
    compile_broker_close(&service->broker);
    return code;
}

/* The configuration is read, and in force until this returns. */
static int serve(const struct config *config, const char *level)
{
    char target[WORKLOAD_ENDPOINT_TARGET_MAX];
    int code = make_revocations(config);
    if (code == EXIT_GOOD && runs_feed(config))
        code = feed_endpoint(config, target);
    code = code == EXIT_GOOD ? try_files(config) : code;
    if (code != EXIT_GOOD)
        return code;
    struct service service = {.config = config, .level = level};
    code = open_sockets(&service) ? run(&service) : EXIT_IO;
    close_sockets(&service);
    return code;
}

int cmd_serve(int argc, char **argv)
{
    const char *file = NULL, *level = NULL;
    const struct option_spec options[] = {
        {"config", "FILE", "the configuration (default " DEFAULT_CONFIG ")", &file},
        {"log-level", "LEVEL", "error, warn, info (default) or debug", &level},
    };
    const struct usage usage = {
        .line = "bartizan serve [--config FILE] [--log-level LEVEL]",
        .summary = "Answers Envoy's ext_authz checks until SIGTERM. Files are read again when they change, on SIGHUP\n"
                   "and when asked over the administration socket; what does not load changes nothing.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0])};
    size_t operands = 0;
    int code = options_read(&usage, argc, argv, NULL, &operands);
    if (code != OPTIONS_GO_ON)
        return code;
    code = set_log_level(&usage, level);
    if (code != EXIT_GOOD)
        return code;
    struct arena arena;
    struct config config;
    arena_init(&arena, COMMAND_MEMORY);
    code = load_config(file, &arena, &config) == EXIT_GOOD ? EXIT_GOOD : EXIT_DATA;
    if (code == EXIT_GOOD)
        code = serve(&config, level != NULL ? level : "info");
    arena_free(&arena);
    return code;
}
