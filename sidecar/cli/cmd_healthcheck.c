/* SPDX-License-Identifier: Apache-2.0 */
/* For probes in an image without a shell. It goes the way a check goes: a new
 * connection to the check listener, since a server can hold its old connections and
 * take no new ones. */
#include "admin_client.h"
#include "cli.h"
#include "commands.h"
#include "health_client.h"
#include "options.h"

#include <unistd.h>

enum { HEALTH_TIMEOUT_MS = 3000 };

static bool may_ask(const struct listener_config *listener)
{
    if (listener->kind == LISTENER_TCP || listener->allow_uid_count == 0)
        return true;
    for (size_t i = 0; i < listener->allow_uid_count; i++)
        if (listener->allow_uids[i] == geteuid())
            return true;
    return false;
}

static int say(bool is_good, const char *text)
{
    fprintf(is_good ? stdout : stderr, "%s\n", text);
    return is_good ? EXIT_GOOD : EXIT_FAILED;
}

static int ask_listener(const struct listener_config *listener, bool wants_ready)
{
    bool is_serving = false;
    int code = 0;
    enum err err = health_check(listener, HEALTH_TIMEOUT_MS, &is_serving, &code);
    if (err != ERR_NONE) {
        fprintf(stderr, "not alive: %s (RPC status %d)\n", err_text(err), code);
        return EXIT_FAILED;
    }
    if (!wants_ready)
        return say(true, "alive");
    return say(is_serving, is_serving ? "ready" : "not ready");
}

/* Where every listener admits other users only, the admin socket, which is ours, has to do. */
static int ask_admin(const struct config *config, bool wants_ready, struct arena *arena)
{
    struct admin_answer answer = {0};
    enum err err = admin_request(config->admin.socket, "GET", wants_ready ? "/readyz" : "/healthz", HEALTH_TIMEOUT_MS,
                                 arena, &answer);
    if (err != ERR_NONE) {
        fprintf(stderr, "not alive: %s: %s\n", config->admin.socket, err_text(err));
        return EXIT_FAILED;
    }
    return say(answer.status == 200, answer.status != 200 ? "not ready" : wants_ready ? "ready" : "alive");
}

static int ask(const char *path, bool wants_ready, struct arena *arena)
{
    struct config config = {0};
    int code = load_config(path, arena, &config);
    if (code != EXIT_GOOD)
        return code;
    for (size_t i = 0; i < config.listener_count; i++)
        if (may_ask(&config.listeners[i]))
            return ask_listener(&config.listeners[i], wants_ready);
    return ask_admin(&config, wants_ready, arena);
}

int cmd_healthcheck(int argc, char **argv)
{
    const char *config = NULL, *live = NULL, *ready = NULL;
    size_t count = 0;
    const struct option_spec options[] = {
        {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &config},
        {"live", NULL, "does it answer at all?", &live},
        {"ready", NULL, "can it decide? (the default)", &ready},
    };
    const struct usage usage = {
        .line = "bartizan healthcheck [--config FILE] [--live | --ready]",
        .summary = "Asks a running sidecar over a new connection to its check listener, by the gRPC\n"
                   "health checking protocol. Exit status 0 or 1; more where the configuration is not good.",
        .options = options,
        .option_count = 3};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (live != NULL && ready != NULL)
        return usage_error(&usage, "`--live` and `--ready` exclude each other");
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    code = ask(config, live == NULL, &arena);
    arena_free(&arena);
    return code;
}
