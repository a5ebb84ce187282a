/* SPDX-License-Identifier: Apache-2.0 */
/* Subcommands of `bartizan policy` that read no policy: what the language and its
 * messages are, and what a running decider says of its shadow. argv[0] is the subcommand's own name; the result is the
 * exit code. */
#ifndef BARTIZAN_CMD_POLICY_TOOLS_H
#define BARTIZAN_CMD_POLICY_TOOLS_H

int cmd_policy_schema(int argc, char **argv);
int cmd_policy_explain(int argc, char **argv);
int cmd_policy_catalog(int argc, char **argv);
int cmd_policy_shadow(int argc, char **argv);

#endif
