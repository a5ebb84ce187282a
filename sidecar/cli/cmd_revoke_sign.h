/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan revoke sign`. argv as for any command. */
#ifndef BARTIZAN_CMD_REVOKE_SIGN_H
#define BARTIZAN_CMD_REVOKE_SIGN_H

int cmd_revoke_sign(int argc, char **argv);

#endif
