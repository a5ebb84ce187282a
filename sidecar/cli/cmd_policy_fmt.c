/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy fmt`: policy files in their canonical form. */
#include "fmt.h"
#include "policy_session.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLICY_FILE_MAX = 8 * 1024 * 1024 };

enum fmt_mode { FMT_PRINT = 0, FMT_CHECK, FMT_WRITE };

static int complain(const char *path)
{
    fprintf(stderr, "bartizan: %s: %s\n", path, strerror(errno));
    return EXIT_IO;
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

static bool write_all(const char *path, struct view text, mode_t mode)
{
    AUTO(close_file) FILE *out = fopen(path, "wxe");
    if (out == NULL || fchmod(fileno(out), mode) != 0 || fwrite(text.data, 1, text.size, out) != text.size)
        return false;
    return fflush(out) == 0 && fsync(fileno(out)) == 0;
}

/* A whole new file takes the place of the old one, or nothing happens. What a symbolic link
 * leads to is replaced, not the link. */
static int replace(const char *path, struct view text, struct arena *arena)
{
    struct stat info;
    char *target = realpath(path, NULL);
    if (target == NULL || stat(target, &info) != 0) {
        free(target);
        return complain(path);
    }
    const char *passing = arena_print(arena, "%s.bartizan-fmt-%ld", target, (long)getpid()).data;
    bool is_good = passing != NULL && write_all(passing, text, info.st_mode & 07777) && rename(passing, target) == 0;
    int code = is_good ? EXIT_GOOD : complain(path);
    if (!is_good && passing != NULL)
        (void)unlink(passing);
    free(target);
    return code;
}

static int finish(const char *path, enum fmt_mode mode, bool is_same, struct view formatted, struct arena *arena)
{
    if (mode == FMT_PRINT)
        return fwrite(formatted.data, 1, formatted.size, stdout) == formatted.size ? EXIT_GOOD : EXIT_IO;
    if (is_same)
        return EXIT_GOOD;
    printf("%.*s\n", VIEW_ARG(text_print(view_of(path), arena)));
    return mode == FMT_CHECK ? EXIT_FAILED : replace(path, formatted, arena);
}

static int format_file(const char *path, enum fmt_mode mode)
{
    AUTO(arena_free) struct arena arena;
    struct diag_list diags;
    struct view text = {0}, formatted = {0};
    arena_init(&arena, COMMAND_MEMORY);
    diag_list_init(&diags, &arena);
    enum err err = read_whole(path, POLICY_FILE_MAX, &arena, &text);
    if (err == ERR_IO)
        return complain(path);
    if (err == ERR_NONE)
        err = fmt(view_of(path), text, &arena, &diags, &formatted);
    if (err == ERR_UNSUPPORTED) {
        fprintf(stderr, "bartizan: %s: cannot be formatted without changing what it says; it is left alone\n", path);
        return EXIT_DATA;
    }
    if (err != ERR_NONE)
        return print_findings(&diags, false, err);
    return finish(path, mode, view_equals(text, formatted), formatted, &arena);
}

static int is_policy(const struct dirent *entry)
{
    struct view name = view_of(entry->d_name);
    return entry->d_name[0] != '.' && (view_ends_with(name, VIEW(".yaml")) || view_ends_with(name, VIEW(".yml")));
}

/* The gravest of what happened: what could not be read or formatted outweighs what would change. */
static int format_folder(const char *path, enum fmt_mode mode)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, is_policy, alphasort), code = EXIT_GOOD;
    if (count < 0)
        return complain(path);
    for (int i = 0; i < count; i++) {
        struct arena arena;
        arena_init(&arena, COMMAND_MEMORY);
        const char *file = arena_print(&arena, "%s/%s", path, names[i]->d_name).data;
        int own = file != NULL ? format_file(file, mode) : EXIT_IO;
        code = own > code ? own : code;
        arena_free(&arena);
        free(names[i]);
    }
    free(names);
    return code;
}

int policy_fmt_command(int argc, char **argv)
{
    const char *check = NULL, *write = NULL, *path = NULL;
    size_t count = 0;
    struct stat info;
    const struct option_spec options[] = {
        {"check", NULL, "print no text, only the names of files that would change", &check},
        {"write", NULL, "replace files that change, and print their names", &write},
    };
    const struct usage usage = {
        .line = "bartizan policy fmt PATH [--check | --write]",
        .summary = "Prints a policy file in its canonical form: two spaces of indentation, keys in the\n"
                   "order of the reference, short flow style and all comments kept. A folder takes --check\n"
                   "or --write. Exit status 1 when --check finds a file that would change, 2 for a file that\n"
                   "is no YAML or cannot be formatted without changing what it says: it is left alone.",
        .options = options,
        .option_count = 2,
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (check != NULL && write != NULL)
        return usage_error(&usage, "`--check` and `--write` exclude each other");
    enum fmt_mode mode = check != NULL ? FMT_CHECK : write != NULL ? FMT_WRITE : FMT_PRINT;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (is_folder && mode == FMT_PRINT)
        return usage_error(&usage, "a folder takes `--check` or `--write`");
    if (mode == FMT_WRITE && view_equals(view_of(path), VIEW("-")))
        return usage_error(&usage, "standard input cannot be replaced");
    return is_folder ? format_folder(path, mode) : format_file(path, mode);
}
