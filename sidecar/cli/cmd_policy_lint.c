/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy lint`: what compiles and is probably not meant. */
#include "lint.h"
#include "policy_session.h"
#include "sarif_print.h"

enum form { FORM_TEXT = 0, FORM_JSON, FORM_SARIF };

static int lint_policy(struct session *session, enum form form)
{
    size_t before = session->diags.count + session->diags.dropped;
    lint(policy_model(session->policy), &session->diags);
    session_locate(session);
    size_t found = session->diags.count + session->diags.dropped - before;
    if (form == FORM_SARIF)
        sarif_print(&session->diags, &session->arena);
    else
        (void)print_findings(&session->diags, form == FORM_JSON, ERR_NONE);
    if (form == FORM_TEXT)
        printf("%zu finding%s\n", found, found == 1 ? "" : "s");
    return found > 0 ? EXIT_FAILED : EXIT_GOOD;
}

int policy_lint_command(int argc, char **argv)
{
    const char *format = NULL, *path = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {{"format", "text|json|sarif", "how findings are printed", &format}};
    const struct usage usage = {.line = "bartizan policy lint PATH [--format text|json|sarif]",
                                .summary =
                                    "Warns of what compiles and is probably not meant, each with a stable code,\n"
                                    "its place and a hint. Exit status 0 when there is nothing, 1 when there is,\n"
                                    "2 when the policy does not compile.",
                                .options = options,
                                .option_count = 1,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    bool is_sarif = format != NULL && strcmp(format, "sarif") == 0;
    if (!is_sarif && !format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text, json or sarif, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, path);
    if (err == ERR_NONE)
        return lint_policy(&session, is_sarif ? FORM_SARIF : is_json ? FORM_JSON : FORM_TEXT);
    if (!is_sarif)
        return print_findings(&session.diags, is_json, err);
    sarif_print(&session.diags, &session.arena);
    return exit_code_of(err);
}
