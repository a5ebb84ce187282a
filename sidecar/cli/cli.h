/* SPDX-License-Identifier: Apache-2.0 */
/* What several subcommands do alike. */
#ifndef BARTIZAN_CLI_H
#define BARTIZAN_CLI_H

#include "config.h"
#include "options.h"

enum { COMMAND_MEMORY = 256 * 1024 * 1024 };

#define DEFAULT_CONFIG "/etc/bartizan/config.yaml"

/* Prints findings to standard error, or as JSON to standard output, and the exit code that `err` stands for. */
int print_findings(const struct diag_list *diags, bool is_json, enum err err);

/* EXIT_IO, EXIT_DATA or EXIT_FAILED. */
int exit_code_of(enum err err);

/* The configuration at `path` (NULL: DEFAULT_CONFIG): EXIT_GOOD, or its findings were printed. */
int load_config(const char *path, struct arena *arena, struct config *out);

/* The log says what is at `level` or above it (NULL: info). EXIT_GOOD, or EXIT_USAGE for a level that there is not. */
int set_log_level(const struct usage *usage, const char *level);

/* Makes the first folder of identity.revocations where it is missing, as in a fresh volume: an empty one revokes
 * nobody. No other file or folder of the operator's is made up. EXIT_GOOD, or why not was printed. */
int make_revocations(const struct config *config);

/* The whole of a file, `-` for standard input, of at most `most` bytes. ERR_IO, ERR_LIMIT. */
MUST_CHECK enum err read_whole(const char *path, size_t most, struct arena *arena, struct view *out);

/* An RFC 3339 time, or a duration from `now`: 90s, 15m, 8h, 30d. True and unix seconds, or false. */
bool time_or_duration_parse(struct view text, int64_t now, int64_t *out);

/* RFC 3339 in UTC: "2026-11-24T21:55:00Z". */
struct view time_print(int64_t seconds, struct arena *arena);

/* "12 s", "5 min", "3 h", "4 d" */
struct view age_print(int64_t seconds, struct arena *arena);

/* Text from outside, safe for a terminal: control bytes and bad UTF-8 escaped. */
struct view text_print(struct view text, struct arena *arena);

/* One line "  name        value" on standard output, made safe; nothing for an absent view. */
void line_print(const char *name, struct view value, struct arena *arena);

/* The clock. */
int64_t now_seconds(void);

#endif
