/* SPDX-License-Identifier: Apache-2.0 */
#include "file_set.h"

#include "folder_file.h"
#include "policy_image.h"
#include "policy_seal.h"
#include "revocation_lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READ_ATTEMPTS = 5, COMPILED_BYTES_MAX = POLICY_IMAGE_BYTES_MAX + POLICY_SEAL_OVERHEAD };

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* ERR_CONFLICT: it changed under the read. */
static enum err read_once(const char *path, size_t most, struct arena *arena, struct view *out)
{
    struct stat before, after;
    struct view text = {0};
    if (stat(path, &before) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    if (S_ISREG(before.st_mode) && (uint64_t)before.st_size > most)
        return ERR_LIMIT;
    enum err result = folder_file_read(AT_FDCWD, path, most, arena, &text);
    if (result != ERR_NONE && result != ERR_LIMIT) /* too long by now: it grew */
        return result;
    if (stat(path, &after) != 0 || !is_same_file(&before, &after) || text.size != (uint64_t)before.st_size)
        return ERR_CONFLICT;
    *out = text;
    return ERR_NONE;
}

static enum err read_settled(const char *path, size_t most, struct arena *arena, struct view *out)
{
    enum err result = ERR_CONFLICT;
    for (int attempt = 0; attempt < READ_ATTEMPTS && result == ERR_CONFLICT; attempt++)
        result = read_once(path, most, arena, out);
    return result;
}

enum err file_read(const char *path, struct arena *arena, struct view *out)
{
    return read_settled(path, FILE_BYTES_MAX, arena, out);
}

/* Only a compiled policy may be larger than other files. */
static enum err read_policy(const char *path, struct arena *arena, struct view *out)
{
    TRY(read_settled(path, COMPILED_BYTES_MAX, arena, out));
    bool is_compiled = policy_seal_is(*out) || policy_image_is(*out);
    return is_compiled || out->size <= FILE_BYTES_MAX ? ERR_NONE : ERR_LIMIT;
}

/* Only a list of lines may be larger than other files, signed or not. */
static enum err read_revocations(const char *path, struct arena *arena, struct view *out)
{
    TRY(read_settled(path, REVOCATION_LINES_BYTES_MAX + POLICY_SEAL_OVERHEAD, arena, out));
    bool is_signed = policy_seal_is_of_denial(*out) && out->size > POLICY_SEAL_OVERHEAD;
    struct view list = is_signed ? view_slice(*out, POLICY_SEAL_HEADER_BYTES, out->size) : *out;
    return revocation_lines_is(list) || out->size <= FILE_BYTES_MAX ? ERR_NONE : ERR_LIMIT;
}

static enum err complain(const char *path, enum err error, struct diag_list *diags)
{
    const char *why = error == ERR_IO ? strerror(errno) : err_text(error);
    struct span span = {.file = view_of(path)};
    diag_error(diags, error == ERR_CONFLICT ? "E0902" : "E0901", &span, "cannot be read: %s", why);
    return error;
}

typedef enum err read_file(const char *path, struct arena *arena, struct view *out);

static enum err add_file(const char *path, read_file *read, struct arena *arena, struct diag_list *diags,
                         struct file_set *set)
{
    if (set->count == FILE_SET_MAX)
        return complain(path, ERR_LIMIT, diags);
    struct file_text *item = &set->items[set->count];
    enum err error = read(path, arena, &item->text);
    if (error != ERR_NONE)
        return complain(path, error, diags);
    item->file = arena_copy(arena, view_of(path));
    if (!view_is_present(item->file))
        return ERR_NO_MEMORY;
    set->count++;
    return ERR_NONE;
}

static int is_yaml(const struct dirent *entry)
{
    struct view name = view_of(entry->d_name);
    return name.data[0] != '.' && (view_ends_with(name, VIEW(".yaml")) || view_ends_with(name, VIEW(".yml")));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_compiled_name(struct view name)
{
    return view_ends_with(name, VIEW(".bzpl"));
}

static int is_policy(const struct dirent *entry)
{
    return is_yaml(entry) || (entry->d_name[0] != '.' && is_compiled_name(view_of(entry->d_name)));
}

static int is_revocations(const struct dirent *entry)
{
    return is_yaml(entry) || (entry->d_name[0] != '.' && view_ends_with(view_of(entry->d_name), VIEW(".revocations")));
}

/* A compiled policy is whole: what stands beside it would silently not be in force. */
static bool is_mixed(struct dirent *const *entries, int count)
{
    for (int i = 0; i < count; i++)
        if (count > 1 && is_compiled_name(view_of(entries[i]->d_name)))
            return true;
    return false;
}

struct selection {
    int (*takes)(const struct dirent *entry);
    read_file *read;
};

static enum err read_folder(const char *path, const struct selection *selection, struct arena *arena,
                            struct diag_list *diags, struct file_set *set)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, selection->takes, by_name);
    if (count < 0)
        return complain(path, ERR_IO, diags);
    enum err result = is_mixed(entries, count) ? ERR_CONFLICT : ERR_NONE;
    if (result == ERR_CONFLICT)
        diag_error(diags, "E0927", &(struct span){.file = view_of(path)},
                   "a folder holds YAML documents or one compiled policy (*.bzpl), not both and not two");
    for (int i = 0; i < count; i++) {
        struct view name = arena_print(arena, "%s/%s", path, entries[i]->d_name);
        if (result == ERR_NONE)
            result = view_is_present(name) ? add_file(name.data, selection->read, arena, diags, set) : ERR_NO_MEMORY;
        free(entries[i]);
    }
    free(entries);
    return result;
}

static enum err read_set(const char *path, const struct selection *selection, struct arena *arena,
                         struct diag_list *diags, struct file_set *set)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return complain(path, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, diags);
    return S_ISDIR(info.st_mode) ? read_folder(path, selection, arena, diags, set)
                                 : add_file(path, selection->read, arena, diags, set);
}

enum err file_set_read(const char *path, struct arena *arena, struct diag_list *diags, struct file_set *set)
{
    return read_set(path, &(struct selection){is_yaml, file_read}, arena, diags, set);
}

enum err file_set_read_policy(const char *path, struct arena *arena, struct diag_list *diags, struct file_set *set)
{
    return read_set(path, &(struct selection){is_policy, read_policy}, arena, diags, set);
}

enum err file_set_read_revocations(const char *path, struct arena *arena, struct diag_list *diags, struct file_set *set)
{
    return read_set(path, &(struct selection){is_revocations, read_revocations}, arena, diags, set);
}

enum err file_set_fingerprint(const struct file_set *set, struct arena *arena, uint8_t out[SHA256_BYTES])
{
    /* A digest of digests: names and texts cannot run into each other. */
    uint8_t *rows = arena_take_array(arena, set->count + 1, (size_t)2 * SHA256_BYTES);
    if (rows == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->count; i++) {
        TRY(sha256(set->items[i].file, rows + 2 * i * SHA256_BYTES));
        TRY(sha256(set->items[i].text, rows + (2 * i + 1) * SHA256_BYTES));
    }
    struct view all = {.data = (const char *)rows, .size = set->count * 2 * SHA256_BYTES};
    return sha256(all, out);
}
