/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"
#include "document.h"
#include "folder_file.h"
#include "policy_image.h"
#include "policy_seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 256, SOURCES_MAX = 64 * 1024 * 1024 };
_Static_assert((int)POLICY_IMAGE_BYTES_MAX < (int)SOURCES_MAX, "a compiled policy fits as well");

/* What is read before the build. */
struct source_set {
    struct arena arena;
    struct diag_list *diags;
    struct policy_source sources[FILES_MAX];
    size_t count;
};

static enum err refuse(struct source_set *set, struct view name, const char *problem)
{
    struct span span = {.file = name};
    diag_error(set->diags, code_text(CODE_FILE), &span, "%s", problem);
    return ERR_IO;
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        (void)closedir(*folder);
}

/* Reads to the end, whatever the size said: a file can change while it is read. */
static enum err read_all(struct source_set *set, struct view name, int fd, size_t room, struct view *out)
{
    char *bytes = arena_take(&set->arena, room + 1);
    size_t size = 0;
    if (bytes == NULL)
        return refuse(set, name, "the policy files are too large together");
    while (size <= room) {
        ssize_t got = read(fd, bytes + size, room + 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(set, name, strerror(errno));
        if (got == 0)
            break;
        size += (size_t)got;
    }
    if (size > room)
        return refuse(set, name,
                      room == DOCUMENT_MAX ? "the file is larger than 8 MiB" : "the file grew while it was read");
    *out = (struct view){.data = bytes, .size = size};
    return ERR_NONE;
}

/* The most bytes that a file of this beginning may have. */
static off_t room_of(int fd)
{
    char start[POLICY_IMAGE_START_BYTES];
    struct view view = {.data = start, .size = sizeof start};
    bool is_compiled =
        pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start && (policy_image_is(view) || policy_seal_is(view));
    return is_compiled ? POLICY_IMAGE_BYTES_MAX + POLICY_SEAL_OVERHEAD : DOCUMENT_MAX;
}

static enum err read_file(struct source_set *set, const char *path)
{
    AUTO(descriptor_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct view name = arena_copy(&set->arena, view_of(path));
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return refuse(set, view_of(path), strerror(errno));
    if (set->count == FILES_MAX)
        return refuse(set, name, "more than 256 policy files");
    bool has_size = S_ISREG(status.st_mode) && status.st_size >= 0 && status.st_size <= room_of(fd);
    struct policy_source *source = &set->sources[set->count];
    TRY(read_all(set, name, fd, has_size ? (size_t)status.st_size : DOCUMENT_MAX, &source->text));
    source->name = name;
    set->count++;
    return ERR_NONE;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_policy_name(const char *name)
{
    struct view view = view_of(name);
    return name[0] != '.' && (view_ends_with(view, VIEW(".yaml")) || view_ends_with(view, VIEW(".yml")));
}

static enum err read_folder(struct source_set *set, const char *path)
{
    AUTO(close_folder) DIR *folder = opendir(path);
    const char *names[FILES_MAX];
    size_t count = 0;
    if (folder == NULL)
        return refuse(set, view_of(path), strerror(errno));
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (!is_policy_name(entry->d_name))
            continue;
        if (count == FILES_MAX)
            return refuse(set, view_of(path), "more than 256 policy files");
        names[count] = arena_print(&set->arena, "%s/%s", path, entry->d_name).data;
        if (names[count++] == NULL)
            return ERR_NO_MEMORY;
    }
    if (count == 0)
        return refuse(set, view_of(path), "the folder has no *.yaml and no *.yml file");
    qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++)
        TRY(read_file(set, names[i]));
    return ERR_NONE;
}

static void free_set(struct source_set **set)
{
    if (*set != NULL)
        arena_free(&(*set)->arena);
    free(*set);
}

/* Takes a compiled policy out of its envelope. The signature is for who enforces it. */
static enum err open_envelope(struct source_set *set, struct policy_source *source)
{
    struct policy_seal seal;
    if (!policy_seal_is(source->text))
        return ERR_NONE;
    if (policy_seal_parse(source->text, &seal) != ERR_NONE)
        return refuse(set, source->name, "its signature envelope is damaged, or of another version");
    source->text = seal.image;
    return ERR_NONE;
}

enum err policy_read(const char *path, struct diag_list *diags, struct policy **out)
{
    AUTO(free_set) struct source_set *set = calloc(1, sizeof(*set));
    struct stat status;
    if (set == NULL)
        return ERR_NO_MEMORY;
    set->diags = diags;
    arena_init(&set->arena, SOURCES_MAX);
    if (stat(path, &status) != 0)
        return refuse(set, view_of(path), strerror(errno));
    TRY(S_ISDIR(status.st_mode) ? read_folder(set, path) : read_file(set, path));
    if (!S_ISDIR(status.st_mode))
        TRY(open_envelope(set, &set->sources[0]));
    return policy_build(set->sources, set->count, diags, out);
}
