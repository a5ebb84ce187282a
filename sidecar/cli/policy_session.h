/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `bartizan policy` begin with, and their list. */
#ifndef BARTIZAN_POLICY_SESSION_H
#define BARTIZAN_POLICY_SESSION_H

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "policy.h"

/* A policy that was read, or what is wrong with it. */
struct session {
    struct arena arena;
    struct diag_list diags;
    struct policy *policy;
};

/* For AUTO; harmless on a zeroed one. */
void session_close(struct session *session);

/* Reads the policy at `path`. ERR_INVALID, ERR_IO: see session->diags. */
MUST_CHECK enum err session_open(struct session *session, const char *path);

/* Findings that are made of places alone get the line that they stand in, which is read again. A file
 * that is gone by now leaves them without a caret. */
void session_locate(struct session *session);

/* Reads the description of one request in `file` (`-`: standard input) into *facts: EXIT_GOOD,
 * or what is wrong with it was printed. */
int session_given(struct session *session, const char *file, bool is_json, const struct facts **facts);

/* The subcommands that have files of their own: argv as for any command. */
int policy_test_command(int argc, char **argv);
int policy_eval_command(int argc, char **argv);
int policy_why_not_command(int argc, char **argv);
int policy_fmt_command(int argc, char **argv);
int policy_lint_command(int argc, char **argv);
int policy_new_command(int argc, char **argv);
int policy_bench_command(int argc, char **argv);

#endif
