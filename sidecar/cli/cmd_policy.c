/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_policy_sealed.h"
#include "cmd_policy_tools.h"
#include "policy_session.h"
#include "sarif_print.h"

/* ---- policy check ---- */

enum { OWNERS_MAX = 64 };

/* As policy.platform_owners of a configuration would; `text` is separated by commas. */
static enum err check_owners(struct session *session, struct view text)
{
    struct view owners[OWNERS_MAX];
    size_t count = 0;
    for (size_t at = 0; at < text.size && count < OWNERS_MAX;) {
        size_t end = view_index_of(text, ',', at);
        owners[count++] = view_slice(text, at, end);
        at = end + 1;
    }
    return policy_check_owners(session->policy, owners, count, &session->diags);
}

static int check(int argc, char **argv)
{
    const char *format = NULL, *owners = NULL, *path = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"format", "text|json|sarif", "how findings are printed", &format},
        {"platform-owners", "A,B", "whose documents may have priorities 8 to 15, as policy.platform_owners", &owners}};
    const struct usage usage = {
        .line = "bartizan policy check PATH [--platform-owners A,B] [--format text|json|sarif]",
        .summary = "Reads a policy file, or every *.yaml of a folder, and prints every finding with its place.\n"
                   "Exit status 0 when a sidecar would take it (warnings are printed all the same), 2 when not.",
        .options = options,
        .option_count = 2,
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
    if (err == ERR_NONE && owners != NULL) {
        err = check_owners(&session, view_of(owners));
        session_locate(&session);
    }
    if (is_sarif) {
        sarif_print(&session.diags, &session.arena);
        return exit_code_of(err);
    }
    code = print_findings(&session.diags, is_json, err);
    if (err == ERR_NONE && !is_json)
        printf("%s: %zu rules, digest %.*s\n", path, policy_rule_count(session.policy),
               VIEW_ARG(policy_digest(session.policy)));
    return code;
}

int cmd_policy(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"check", "find every error of a policy", check},
        {"fmt", "print or put a policy into its canonical form", policy_fmt_command},
        {"lint", "warn of what is probably not meant", policy_lint_command},
        {"test", "run the tests that stand in a policy", policy_test_command},
        {"eval", "decide about one described request", policy_eval_command},
        {"why-not", "tell what a request lacks to be allowed", policy_why_not_command},
        {"new", "print a policy to begin with", policy_new_command},
        {"bench", "measure what deciding costs", policy_bench_command},
        {"compile", "write a policy compiled into one file, signed on request", cmd_policy_compile},
        {"inspect", "show what a compiled policy is, and who signed it", cmd_policy_inspect},
        {"accept", "let a sidecar take an older or expired revision, for a time", cmd_policy_accept},
        {"shadow", "show where policy.shadow would decide otherwise", cmd_policy_shadow},
        {"schema", "print the JSON Schema of the language, or every key", cmd_policy_schema},
        {"explain", "tell what a finding's code means, and how to mend it", cmd_policy_explain},
        {"catalog", "list the operations that are built in", cmd_policy_catalog},
    };
    return subcommand_run("bartizan policy", table, sizeof table / sizeof table[0], argc, argv);
}
