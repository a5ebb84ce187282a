/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "cmd_policy_tools.h"
#include "commands.h"
#include "json_print.h"
#include "options.h"
#include "policy_schema.h"

int cmd_policy_schema(int argc, char **argv)
{
    const char *format = NULL;
    size_t count = 0;
    const struct option_spec options[] = {{"format", "json|markdown", "what is printed; json when left out", &format}};
    const struct usage usage = {
        .line = "bartizan policy schema [--format json|markdown]",
        .summary = "Prints the JSON Schema (2020-12) of the policy language, for editors and for checks\n"
                   "before this program's own; or every key with what it takes, in Markdown. For an editor,\n"
                   "begin a policy with `# yaml-language-server: $schema=policy.schema.json`.",
        .options = options,
        .option_count = 1};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (format != NULL && strcmp(format, "markdown") == 0) {
        policy_schema_print_keys();
        return EXIT_GOOD;
    }
    if (format != NULL && strcmp(format, "json") != 0)
        return usage_error(&usage, "`--format` is json or markdown, not `%s`", format);
    json_print(policy_schema_build());
    return EXIT_GOOD;
}
