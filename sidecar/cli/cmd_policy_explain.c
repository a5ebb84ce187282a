/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "cmd_policy_tools.h"
#include "commands.h"
#include "findings.h"
#include "json_print.h"
#include "options.h"

#include <stdio.h>

enum { KINDS_MAX = 128 };

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text != NULL ? json_string(text) : json_null());
}

static json_t *kind_json(const struct finding_kind *kind)
{
    json_t *object = json_object();
    set_text(object, "code", kind->code);
    set_text(object, "meaning", kind->meaning);
    set_text(object, "mistake", kind->example.mistake);
    set_text(object, "mended", kind->example.mended);
    set_text(object, "mend", kind->example.mend);
    return object;
}

static void print_lines(const char *title, const char *text)
{
    if (text == NULL)
        return;
    printf("\n%s:\n", title);
    for (const char *line = text; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        printf("    %.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
}

static void print_kind(const struct finding_kind *kind)
{
    printf("%s: %s\n", kind->code, kind->meaning);
    print_lines("the mistake", kind->example.mistake);
    print_lines("its mend", kind->example.mended);
    printf("\n%s\n", kind->example.mend);
}

static int unknown(const char *word)
{
    struct view known[KINDS_MAX];
    size_t count;
    const struct finding_kind *kinds = finding_kinds(&count);
    for (size_t i = 0; i < count && i < KINDS_MAX; i++)
        known[i] = view_of(kinds[i].code);
    struct view near = diag_nearest(view_of(word), known, count < KINDS_MAX ? count : KINDS_MAX);
    fprintf(stderr, "bartizan: no finding has the code `%s`", word);
    if (view_is_present(near))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(near));
    fputs("\n`bartizan policy explain` lists the codes\n", stderr);
    return EXIT_USAGE;
}

static int explain_all(bool is_json)
{
    size_t count;
    const struct finding_kind *kinds = finding_kinds(&count);
    json_t *codes = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(codes, kind_json(&kinds[i]));
        if (!is_json)
            printf("%s  %s\n", kinds[i].code, kinds[i].meaning);
    }
    if (is_json)
        json_print(codes);
    else
        json_decref(codes);
    return EXIT_GOOD;
}

int cmd_policy_explain(int argc, char **argv)
{
    const char *format = NULL, *word = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {{"format", "text|json", "how it is printed", &format}};
    const struct usage usage = {
        .line = "bartizan policy explain [CODE] [--format text|json]",
        .summary =
            "What a finding's code such as E0214 means, a mistake that has it, and the mend.\n"
            "Without a code: all of them, a line each. E: errors of `policy check`; W: warnings of `policy lint`.",
        .options = options,
        .option_count = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &word, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    if (word == NULL)
        return explain_all(is_json);
    const struct finding_kind *kind = finding_kind_find(view_of(word));
    if (kind == NULL)
        return unknown(word);
    if (is_json)
        json_print(kind_json(kind));
    else
        print_kind(kind);
    return EXIT_GOOD;
}
