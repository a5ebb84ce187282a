/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "cmd_policy_tools.h"
#include "code_examples.h"
#include "commands.h"
#include "json_print.h"
#include "options.h"

#include <stdio.h>
#include <strings.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text != NULL ? json_string(text) : json_null());
}

static json_t *code_json(enum code code)
{
    struct code_example example = code_example(code);
    json_t *object = json_object();
    set_text(object, "code", code_text(code));
    set_text(object, "meaning", code_title(code));
    set_text(object, "mistake", example.mistake);
    set_text(object, "mended", example.mended);
    set_text(object, "mend", example.mend);
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

static void print_code(enum code code)
{
    struct code_example example = code_example(code);
    printf("%s: %s\n", code_text(code), code_title(code));
    print_lines("the mistake", example.mistake);
    print_lines("its mend", example.mended);
    printf("\n%s\n", example.mend);
}

static int unknown(const char *word)
{
    struct view known[CODE_COUNT];
    for (size_t i = 0; i < CODE_COUNT; i++)
        known[i] = view_of(code_text((enum code)i));
    struct view near = diag_nearest(view_of(word), known, CODE_COUNT);
    fprintf(stderr, "bartizan: no finding has the code `%s`", word);
    if (view_is_present(near))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(near));
    fputs("\n`bartizan policy explain` lists the codes\n", stderr);
    return EXIT_USAGE;
}

static int explain_all(bool is_json)
{
    json_t *codes = json_array();
    for (size_t i = 0; i < CODE_COUNT; i++) {
        json_array_append_new(codes, code_json((enum code)i));
        if (!is_json)
            printf("%s  %s\n", code_text((enum code)i), code_title((enum code)i));
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
    const struct usage usage = {.line = "bartizan policy explain [CODE] [--format text|json]",
                                .summary =
                                    "What a finding's code such as E0214 means, a mistake that has it, and the mend.\n"
                                    "Without a code: all of them, a line each.",
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
    for (size_t i = 0; i < CODE_COUNT; i++) {
        if (strcasecmp(code_text((enum code)i), word) != 0)
            continue;
        if (is_json)
            json_print(code_json((enum code)i));
        else
            print_code((enum code)i);
        return EXIT_GOOD;
    }
    return unknown(word);
}
