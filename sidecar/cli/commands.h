/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `bartizan`: one function each, in cmd_NAME.c.
 *
 * argv[0] is the subcommand's own name; the result is the process's exit code. */
#ifndef BARTIZAN_COMMANDS_H
#define BARTIZAN_COMMANDS_H

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,    /* a test or a verification failed, or the decider refused */
    EXIT_DATA = 2,      /* invalid configuration, policy or data */
    EXIT_USAGE = 3,     /* the command line is wrong */
    EXIT_IO = 4,        /* a file, socket or the operating system */
    EXIT_SIGNATURE = 5, /* a signature does not verify */
};

int cmd_serve(int argc, char **argv);
int cmd_decide(int argc, char **argv);  /* started by `serve`; not listed in the help */
int cmd_compile(int argc, char **argv); /* likewise */
int cmd_feed(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_pki(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_reasons(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_healthcheck(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
