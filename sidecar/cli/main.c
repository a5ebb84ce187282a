/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan`: one table of subcommands. */
#include "commands.h"
#include "config.h"

#include <signal.h>
#include <stdio.h>

struct command {
    const char *name;
    const char *help; /* one line; NULL: started by other commands only */
    int (*run)(int argc, char **argv);
};

static int help(int argc, char **argv);

static const struct command commands[] = {
    {"serve", "answer Envoy's ext_authz checks; reload files when they change", cmd_serve},
    {"decide", NULL, cmd_decide},
    {"compile", NULL, cmd_compile},
    {"feed", "keep what comes from a SPIFFE Workload API fresh; `serve` runs it", cmd_feed},
    {"check", "answer one check request from a file, with the whole explanation", cmd_check},
    {"policy", "check, test and evaluate a policy", cmd_policy},
    {"revoke", "refuse a workload, user, certificate or token from now on", cmd_revoke},
    {"pki", "make a trust domain, and issue, renew, revoke and inspect SVIDs", cmd_pki},
    {"audit", "read, verify and search the audit journal", cmd_audit},
    {"status", "one screen: ready or why not, generations, refusals, what expires", cmd_status},
    {"reasons", "what the reason of a refusal means, and what to do about it", cmd_reasons},
    {"healthcheck", "ask a running sidecar whether it is alive or ready", cmd_healthcheck},
    {"version", "print the version", cmd_version},
    {"help", "explain a command, or every key of the configuration (`help config`)", help},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_commands(FILE *out)
{
    fputs("usage: bartizan COMMAND [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].help != NULL)
            fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    fputs("\n`bartizan help COMMAND` or `bartizan COMMAND --help` tells more.\n"
          "exit status: 0 good, 1 a test or verification failed, 2 invalid configuration, policy or data,\n"
          "             3 usage, 4 input or output, 5 signature\n",
          out);
}

static int unknown_command(const char *name)
{
    struct view known[COMMAND_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].help != NULL)
            known[count++] = view_of(commands[i].name);
    struct view nearest = diag_nearest(view_of(name), known, count);
    fprintf(stderr, "bartizan: unknown command `%s`", name);
    if (view_is_present(nearest))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(nearest));
    fputs("\n`bartizan help` lists the commands\n", stderr);
    return EXIT_USAGE;
}

static int print_config_keys(void)
{
    size_t count = 0;
    const struct config_key *keys = config_keys(&count);
    fputs("Keys of a SidecarConfig: `[]` stands for the elements of a list, `{}` for the names of a map.\n\n", stdout);
    for (size_t i = 0; i < count; i++) {
        printf("%s\n    %s", keys[i].path, keys[i].meaning);
        if (keys[i].fallback[0] != '\0')
            printf(" (default: %s)", keys[i].fallback);
        fputc('\n', stdout);
    }
    return EXIT_GOOD;
}

static int help(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_commands(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "config") == 0)
        return print_config_keys();
    const struct command *command = command_find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    if (command->run == help)
        return help(1, argv);
    char name[32], option[] = "--help";
    snprintf(name, sizeof name, "%s", command->name);
    char *arguments[] = {name, option, NULL};
    return command->run(2, arguments);
}

/* Output that did not reach its file is a failure, whatever the command found. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("bartizan: standard output");
    return code == EXIT_GOOD ? EXIT_IO : code;
}

int main(int argc, char **argv)
{
    /* A reader that goes away (`| head`) shows as a write error, not as a death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return finish(help(1, argv));
    const struct command *command = command_find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    return command ? finish(command->run(argc - 1, argv + 1)) : unknown_command(argv[1]);
}
