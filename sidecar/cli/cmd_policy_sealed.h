/* SPDX-License-Identifier: Apache-2.0 */
/* Subcommands of `bartizan policy` about compiled policies: they are written, looked
 * into, and accepted by way of exception. argv as for any command. */
#ifndef BARTIZAN_CMD_POLICY_SEALED_H
#define BARTIZAN_CMD_POLICY_SEALED_H

int cmd_policy_compile(int argc, char **argv);
int cmd_policy_inspect(int argc, char **argv);
int cmd_policy_accept(int argc, char **argv);

#endif
