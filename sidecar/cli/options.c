/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "commands.h"
#include "diag.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { OPTIONS_MAX = 16 };

static const struct option_spec help_option = {.name = "help", .help = "print this help"};

static void print_option(const struct option_spec *option)
{
    char left[48];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->metavar ? " " : "",
             option->metavar ? option->metavar : "");
    printf("  %-28s %s\n", left, option->help);
}

static int print_help(const struct usage *usage)
{
    printf("usage: %s\n\n%s\n", usage->line, usage->summary);
    fputs("\noptions:\n", stdout);
    for (size_t i = 0; i < usage->option_count; i++)
        print_option(&usage->options[i]);
    print_option(&help_option);
    return EXIT_GOOD;
}

int usage_error(const struct usage *usage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bartizan: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: %s\n", usage->line);
    return EXIT_USAGE;
}

static int unknown_option(const struct usage *usage, struct view name)
{
    struct view known[OPTIONS_MAX];
    size_t count = 0;
    for (; count < usage->option_count && count < OPTIONS_MAX; count++)
        known[count] = view_of(usage->options[count].name);
    struct view nearest = diag_nearest(name, known, count);
    if (view_is_present(nearest))
        return usage_error(usage, "unknown option `--%.*s`; did you mean `--%.*s`?", VIEW_ARG(name), VIEW_ARG(nearest));
    return usage_error(usage, "unknown option `--%.*s`", VIEW_ARG(name));
}

static const struct option_spec *option_find(const struct usage *usage, struct view name)
{
    for (size_t i = 0; i < usage->option_count; i++)
        if (view_equals(view_of(usage->options[i].name), name))
            return &usage->options[i];
    return NULL;
}

/* The only option that begins with the letter, or NULL. */
static const struct option_spec *option_by_letter(const struct usage *usage, char letter)
{
    const struct option_spec *found = NULL;
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].name[0] != letter)
            continue;
        if (found != NULL)
            return NULL;
        found = &usage->options[i];
    }
    return found;
}

/* Takes the value of the option at argv[*at], and moves *at to the last argument it took. */
static int take_value(const struct usage *usage, const struct option_spec *option, const char *value, int argc,
                      char **argv, int *at)
{
    if (*option->value != NULL)
        return usage_error(usage, "`--%s` is given twice", option->name);
    if (option->metavar == NULL && value != NULL)
        return usage_error(usage, "`--%s` takes no value", option->name);
    if (option->metavar != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return usage_error(usage, "`--%s` needs a value: %s", option->name, option->metavar);
        value = argv[++*at];
    }
    *option->value = value ? value : "";
    return OPTIONS_GO_ON;
}

static int read_option(const struct usage *usage, int argc, char **argv, int *at)
{
    struct view text = view_of(argv[*at] + 2);
    size_t end = view_index_of(text, '=', 0);
    struct view name = view_slice(text, 0, end);
    const struct option_spec *option = option_find(usage, name);
    if (option == NULL)
        return unknown_option(usage, name);
    return take_value(usage, option, end < text.size ? text.data + end + 1 : NULL, argc, argv, at);
}

static int read_letter(const struct usage *usage, int argc, char **argv, int *at)
{
    const char *text = argv[*at];
    const struct option_spec *option = strlen(text) == 2 ? option_by_letter(usage, text[1]) : NULL;
    if (option == NULL)
        return usage_error(usage, "unknown option `%s`", text);
    return take_value(usage, option, NULL, argc, argv, at);
}

int options_read(const struct usage *usage, int argc, char **argv, const char **operands, size_t *count)
{
    bool is_plain = false;
    *count = 0;
    for (int i = 1; i < argc; i++) {
        struct view argument = view_of(argv[i]);
        if (!is_plain && (view_equals(argument, VIEW("--help")) || view_equals(argument, VIEW("-h"))))
            return print_help(usage);
        if (!is_plain && view_equals(argument, VIEW("--"))) {
            is_plain = true;
        } else if (!is_plain && view_starts_with(argument, VIEW("--"))) {
            int result = read_option(usage, argc, argv, &i);
            if (result != OPTIONS_GO_ON)
                return result;
        } else if (!is_plain && argument.size > 1 && argument.data[0] == '-') {
            int result = read_letter(usage, argc, argv, &i);
            if (result != OPTIONS_GO_ON)
                return result;
        } else if (*count == usage->operands_most) {
            return usage_error(usage, "`%s` is one argument too many", argv[i]);
        } else {
            operands[(*count)++] = argv[i];
        }
    }
    return *count < usage->operands_least ? usage_error(usage, "an argument is missing") : OPTIONS_GO_ON;
}

bool format_parse(const char *text, bool *is_json)
{
    *is_json = text != NULL && strcmp(text, "json") == 0;
    return text == NULL || *is_json || strcmp(text, "text") == 0;
}

static void print_subcommands(const char *prefix, const struct subcommand *table, size_t count, FILE *out)
{
    fprintf(out, "usage: %s COMMAND [ARGUMENTS]\n\n", prefix);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-12s %s\n", table[i].name, table[i].help);
    fprintf(out, "\n`%s COMMAND --help` tells more.\n", prefix);
}

int subcommand_run(const char *prefix, const struct subcommand *table, size_t count, int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_subcommands(prefix, table, count, stdout);
        return EXIT_GOOD;
    }
    struct view known[OPTIONS_MAX];
    assert(count <= OPTIONS_MAX);
    for (size_t i = 0; i < count && argc >= 2; i++) {
        if (strcmp(table[i].name, argv[1]) == 0)
            return table[i].run(argc - 1, argv + 1);
        known[i] = view_of(table[i].name);
    }
    if (argc < 2) {
        print_subcommands(prefix, table, count, stderr);
        return EXIT_USAGE;
    }
    struct view nearest = diag_nearest(view_of(argv[1]), known, count);
    fprintf(stderr, "%s: unknown command `%s`", prefix, argv[1]);
    if (view_is_present(nearest))
        fprintf(stderr, "; did you mean `%.*s`?", VIEW_ARG(nearest));
    fputc('\n', stderr);
    return EXIT_USAGE;
}
