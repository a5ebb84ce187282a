/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan feed`: fetches what a SPIFFE Workload API has, for a decider that opens no connection. */
#include "cli.h"
#include "commands.h"
#include "feed.h"
#include "feed_endpoint.h"
#include "log.h"
#include "options.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { ONCE_SECONDS = 60, FEED_CONFIG_MEMORY = 16 * 1024 * 1024 };

static void block_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int run(const struct feed_config *feed)
{
    block_signals();
    (void)prctl(PR_SET_NAME, "bartizan"); /* started through /proc/self/exe, it would show as "exe" */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    switch (feed_run(feed)) {
    case FEED_DONE: return EXIT_GOOD;
    case FEED_LATE:
        (void)fprintf(stderr, "bartizan: the Workload API has not brought all within %u s\n", feed->seconds);
        return EXIT_IO;
    case FEED_DENIED:
        (void)fputs("bartizan: the Workload API refuses, and waiting does not help\n", stderr);
        return EXIT_FAILED;
    case FEED_FAILED:
    case FEED_BUSY: break;
    }
    return EXIT_IO; /* told on the log */
}

static int feed(const char *file, struct feed_config *feed)
{
    struct arena arena;
    struct config config;
    char target[WORKLOAD_ENDPOINT_TARGET_MAX];
    arena_init(&arena, FEED_CONFIG_MEMORY);
    int code = load_config(file, &arena, &config);
    if (code == EXIT_GOOD && !config.workload_api.needs_x509 && !config.workload_api.needs_jwt) {
        (void)fputs("bartizan: nothing of the configuration comes from `workload-api`\n", stderr);
        code = EXIT_DATA;
    }
    if (code == EXIT_GOOD)
        code = feed_endpoint(&config, target);
    *feed =
        (struct feed_config){.config = &config, .target = target, .is_once = feed->is_once, .seconds = feed->seconds};
    if (code == EXIT_GOOD)
        code = run(feed);
    arena_free(&arena);
    return code;
}

int cmd_feed(int argc, char **argv)
{
    const char *file = NULL, *level = NULL, *once = NULL, *timeout = NULL;
    const struct option_spec options[] = {
        {"config", "FILE", "the configuration (default " DEFAULT_CONFIG ")", &file},
        {"once", NULL, "end as soon as all of it is written, for an init container", &once},
        {"timeout", "SECONDS", "with --once: give up after so many, 1 to 86400 (default 60)", &timeout},
        {"log-level", "LEVEL", "error, warn, info (default) or debug", &level},
    };
    const struct usage usage = {
        .line = "bartizan feed [--config FILE] [--once [--timeout SECONDS]] [--log-level LEVEL]",
        .summary = "Keeps the trust bundles, revocation lists and key sets that the configuration takes from\n"
                   "`workload-api` at what the SPIFFE Workload API says. `bartizan serve` runs it itself, unless\n"
                   "`workload_api.process` is `separate`.\n"
                   "Exit status of --once: 0 all is written, 1 refused for good, 2 the configuration, 4 not in time.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0])};
    size_t operands = 0;
    uint64_t seconds = ONCE_SECONDS;
    int code = options_read(&usage, argc, argv, NULL, &operands);
    if (code != OPTIONS_GO_ON)
        return code;
    code = set_log_level(&usage, level);
    if (code != EXIT_GOOD)
        return code;
    if (timeout != NULL && (once == NULL || !view_to_u64(view_of(timeout), &seconds) || seconds < 1 || seconds > 86400))
        return usage_error(&usage, "`--timeout` goes with `--once`, from 1 to 86400");
    struct feed_config wanted = {.is_once = once != NULL, .seconds = (uint32_t)seconds};
    return feed(file, &wanted);
}
