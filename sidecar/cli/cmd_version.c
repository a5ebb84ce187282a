/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "options.h"

#include <stdio.h>

int cmd_version(int argc, char **argv)
{
    static const struct usage usage = {.line = "bartizan version", .summary = "Prints the version of this program."};
    size_t count = 0;
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    puts("bartizan " BARTIZAN_VERSION);
    return EXIT_GOOD;
}
