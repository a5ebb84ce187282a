/* SPDX-License-Identifier: Apache-2.0 */
/* Options of one subcommand, as a table from which both reading and help come.
 *
 *   argument = "--" name | "--" name "=" value | "--" name SP value | "-" letter [ SP value ] | operand
 * A letter stands for the one option whose name begins with it.
 * After "--" everything is an operand; so is a lone "-". */
#ifndef BARTIZAN_OPTIONS_H
#define BARTIZAN_OPTIONS_H

#include "view.h"

struct option_spec {
    const char *name;    /* without its dashes */
    const char *metavar; /* of its value; NULL for a flag */
    const char *help;
    const char **value; /* receives the value, or "" for a flag; may be given once */
};

struct usage {
    const char *line;    /* "bartizan policy check PATH [--format text|json]" */
    const char *summary; /* a paragraph */
    const struct option_spec *options;
    size_t option_count;
    size_t operands_least, operands_most;
};

/* What options_read answers when the command goes on. */
enum { OPTIONS_GO_ON = -1 };

/* Reads argv[1..]. Operands are moved to operands[0..*count), which has room for
 * operands_most. `--help` prints the usage to standard output: EXIT_GOOD. What is
 * wrong is said on standard error, with the nearest option: EXIT_USAGE. */
int options_read(const struct usage *usage, int argc, char **argv, const char **operands, size_t *count);

/* "bartizan: MESSAGE" and the usage line on standard error; EXIT_USAGE. */
int usage_error(const struct usage *usage, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct subcommand {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
};

/* Runs the subcommand that argv[1] names, with argv[1..]; prints the table for `--help`, or what is wrong. */
int subcommand_run(const char *prefix, const struct subcommand *table, size_t count, int argc, char **argv);

/* `text`, `json` or NULL (text): true and *is_json, or false. */
bool format_parse(const char *text, bool *is_json);

#endif
