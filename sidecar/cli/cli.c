/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "commands.h"
#include "log.h"
#include "rfc3339.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

int exit_code_of(enum err err)
{
    if (err == ERR_NONE)
        return EXIT_GOOD;
    return err == ERR_IO || err == ERR_NOT_FOUND || err == ERR_NO_MEMORY ? EXIT_IO : EXIT_DATA;
}

int print_findings(const struct diag_list *diags, bool is_json, enum err err)
{
    if (is_json)
        diag_list_print_json(diags, stdout);
    else
        diag_list_print(diags, stderr);
    if (err != ERR_NONE && diags->errors == 0)
        fprintf(stderr, "bartizan: %s\n", err_text(err));
    return exit_code_of(err);
}

int load_config(const char *path, struct arena *arena, struct config *out)
{
    struct diag_list *diags = arena_take(arena, sizeof *diags);
    if (diags == NULL)
        return EXIT_IO;
    diag_list_init(diags, arena);
    return print_findings(diags, false, config_read(path ? path : DEFAULT_CONFIG, arena, diags, out));
}

int set_log_level(const struct usage *usage, const char *level)
{
    enum log_level threshold = LOG_INFO;
    if (level != NULL && !log_level_parse(view_of(level), &threshold))
        return usage_error(usage, "unknown level `%s`", level);
    log_set_level(threshold);
    return EXIT_GOOD;
}

int make_revocations(const struct config *config)
{
    enum { FOLDER_MODE = 0750 };
    struct stat info;
    const char *folder = config->identity.revocation_count > 0 ? config->identity.revocations[0] : NULL;
    if (folder == NULL || stat(folder, &info) == 0 || errno != ENOENT)
        return EXIT_GOOD; /* what else is wrong with it, reading it will say */
    if (mkdir(folder, FOLDER_MODE) == 0 || errno == EEXIST)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %s: cannot be made: %s\n", folder, strerror(errno));
    return EXIT_IO;
}

static void close_file(FILE **file)
{
    if (*file != NULL && *file != stdin)
        fclose(*file);
}

enum err read_whole(const char *path, size_t most, struct arena *arena, struct view *out)
{
    AUTO(close_file) FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (in == NULL)
        return ERR_IO;
    char *bytes = arena_take(arena, most + 1);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    size_t size = fread(bytes, 1, most + 1, in);
    if (ferror(in))
        return ERR_IO;
    *out = (struct view){bytes, size};
    return size > most ? ERR_LIMIT : ERR_NONE;
}

int64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

bool time_or_duration_parse(struct view text, int64_t now, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t number = 0;
    if (rfc3339_parse(text, out))
        return true;
    if (text.size < 2 || text.size > 9 || !view_to_u64(view_slice(text, 0, text.size - 1), &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text.data[text.size - 1] == units[i].unit) {
            *out = now + (int64_t)number * units[i].seconds;
            return true;
        }
    }
    return false;
}

struct view time_print(int64_t seconds, struct arena *arena)
{
    char text[RFC3339_BYTES];
    return rfc3339_write(seconds, text) ? arena_copy(arena, (struct view){text, sizeof text}) : VIEW("?");
}

struct view age_print(int64_t seconds, struct arena *arena)
{
    if (seconds < 120)
        return arena_print(arena, "%" PRId64 " s", seconds);
    if (seconds < 120 * 60)
        return arena_print(arena, "%" PRId64 " min", seconds / 60);
    if (seconds < 48 * 3600)
        return arena_print(arena, "%" PRId64 " h", seconds / 3600);
    return arena_print(arena, "%" PRId64 " d", seconds / 86400);
}

struct view text_print(struct view text, struct arena *arena)
{
    size_t room = text.size * 4 + 1;
    char *safe = arena_take(arena, room);
    return (struct view){safe, safe ? log_escape(text, safe, room) : 0};
}

void line_print(const char *name, struct view value, struct arena *arena)
{
    struct view safe = text_print(value, arena);
    if (view_is_present(value))
        printf("  %-17s %.*s\n", name, VIEW_ARG(safe));
}
