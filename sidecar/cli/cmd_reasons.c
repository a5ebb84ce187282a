/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "diag.h"
#include "json_print.h"
#include "options.h"
#include "reason.h"

#include <stdio.h>
#include <string.h>

static const char *www_text(enum www_authenticate www)
{
    switch (www) {
    case WWW_NONE: return "";
    case WWW_BEARER: return "Bearer";
    case WWW_INVALID_TOKEN: return "invalid_token";
    case WWW_INSUFFICIENT_SCOPE: return "insufficient_scope";
    case WWW_STEP_UP: return "insufficient_user_authentication";
    }
    return "";
}

static void print_text(const struct reason_info *info)
{
    printf("%.*s\n    %.*s\n", VIEW_ARG(info->name), VIEW_ARG(info->sentence));
    printf("    do: %.*s\n    ", VIEW_ARG(info->advice));
    printf("%s", verdict_text(info->verdict));
    if (info->verdict != VERDICT_ALLOW)
        printf(", HTTP %d", info->http_status);
    if (info->www != WWW_NONE)
        printf(", WWW-Authenticate %s", www_text(info->www));
    putchar('\n');
}

static void print_row(const struct reason_info *info)
{
    const char *www = www_text(info->www), *mark = info->www == WWW_NONE ? "" : "`";
    printf("| `%.*s` | %s | ", VIEW_ARG(info->name), verdict_text(info->verdict));
    if (info->verdict != VERDICT_ALLOW)
        printf("%d", info->http_status);
    printf(" | %s%s%s | %.*s | %.*s |\n", mark, www, mark, VIEW_ARG(info->sentence), VIEW_ARG(info->advice));
}

static json_t *as_json(const struct reason_info *info)
{
    return json_pack("{s:s%, s:s%, s:s, s:i, s:s, s:s%, s:s%}", "reason", info->name.data, info->name.size, "family",
                     info->family.data, info->family.size, "verdict", verdict_text(info->verdict), "http",
                     info->http_status, "www_authenticate", www_text(info->www), "meaning", info->sentence.data,
                     info->sentence.size, "advice", info->advice.data, info->advice.size);
}

static int print_all(const char *format)
{
    bool is_table = strcmp(format, "markdown") == 0, is_json = strcmp(format, "json") == 0;
    json_t *list = is_json ? json_array() : NULL;
    if (is_table)
        fputs("| reason | verdict | HTTP | WWW-Authenticate | meaning | what to do |\n|---|---|---|---|---|---|\n",
              stdout);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        if (i == REASON_NONE)
            continue;
        if (is_json)
            (void)json_array_append_new(list, as_json(info));
        else if (is_table)
            print_row(info);
        else
            print_text(info);
    }
    if (is_json)
        json_print(list);
    return EXIT_GOOD;
}

static int unknown_reason(const char *name)
{
    struct view known[REASON_COUNT];
    for (unsigned i = 0; i < REASON_COUNT; i++)
        known[i] = reason_info((enum reason)i)->name;
    struct view nearest = diag_nearest(view_of(name), known, REASON_COUNT);
    fprintf(stderr, "bartizan: there is no such reason");
    if (view_is_present(nearest))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(nearest));
    fputs("\n`bartizan reasons` lists them\n", stderr);
    return EXIT_USAGE;
}

int cmd_reasons(int argc, char **argv)
{
    const char *name = NULL, *format = NULL;
    size_t count = 0;
    enum reason reason;
    const struct option_spec options[] = {{"format", "text|json|markdown", "how they are printed", &format}};
    const struct usage usage = {
        .line = "bartizan reasons [REASON] [--format text|json|markdown]",
        .summary = "Tells what the reason of a refusal means and what to do about it; without a name, of every\n"
                   "reason there is. Records, metrics, the log and `bartizan status` use the same names.",
        .options = options,
        .option_count = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &name, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    format = format ? format : "text";
    bool is_json = strcmp(format, "json") == 0;
    if (!is_json && strcmp(format, "text") != 0 && strcmp(format, "markdown") != 0)
        return usage_error(&usage, "`--format` is text, json or markdown, not `%s`", format);
    if (count == 0)
        return print_all(format);
    if (!reason_parse(view_of(name), &reason))
        return unknown_reason(name);
    if (is_json)
        json_print(as_json(reason_info(reason)));
    else
        print_text(reason_info(reason));
    return EXIT_GOOD;
}
