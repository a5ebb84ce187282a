/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_file.h"

#include "document.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_CEILING = 512 * 1024 * 1024 };

static void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
}

/* The whole file; one byte more than a document may have tells that it is too long. */
static enum err read_all(int file, struct arena *arena, struct view *out)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return ERR_IO;
    size_t capacity = status.st_size > DOCUMENT_MAX ? DOCUMENT_MAX : (size_t)status.st_size, size = 0;
    char *text = arena_take(arena, capacity + 1);
    if (!text)
        return ERR_NO_MEMORY;
    while (size < capacity + 1) {
        ssize_t got = read(file, text + size, capacity + 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *out = (struct view){.data = text, .size = size};
    return ERR_NONE;
}

enum err revocation_file_read(const char *path, struct arena *arena, struct diag_list *diags,
                              struct revocation_list *out)
{
    struct view text;
    *out = (struct revocation_list){0};
    AUTO(descriptor_close) int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    TRY(read_all(file, arena, &text));
    return revocation_list_parse(view_of(path), text, arena, diags, out);
}

static enum err write_all(int file, struct view text)
{
    while (text.size > 0) {
        ssize_t put = write(file, text.data, text.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ERR_IO;
        text = view_slice(text, (size_t)put, text.size);
    }
    return fchmod(file, 0644) == 0 && fsync(file) == 0 ? ERR_NONE : ERR_IO;
}

/* `folder` is open and locked, so the fixed name of the temporary file is ours;
 * its dot keeps it out of what readers of *.yaml look at. */
static enum err replace(int folder, const char *name, struct view text)
{
    char temporary[NAME_MAX + 1];
    if (snprintf(temporary, sizeof temporary, ".%s.new", name) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return ERR_IO;
    }
    AUTO(descriptor_close)
    int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return ERR_IO;
    if (write_all(file, text) != ERR_NONE || renameat(folder, temporary, folder, name) != 0 || fsync(folder) != 0) {
        int cause = errno;
        (void)unlinkat(folder, temporary, 0);
        errno = cause;
        return ERR_IO;
    }
    return ERR_NONE;
}

/* Index of the entry that refuses the same, or list->count. */
static size_t find(const struct revocation_list *list, const struct revocation_entry *entry)
{
    size_t at = 0;
    while (at < list->count && !revocation_entry_matches(&list->entries[at], entry))
        at++;
    return at;
}

static enum err apply(const struct revocation_list *old, const struct revocation_edit *edit, struct arena *arena,
                      struct revocation_list *out)
{
    if (edit->expected_sequence != 0 && edit->expected_sequence != old->sequence)
        return ERR_STALE;
    bool is_addition = edit->kind == REVOCATION_ADD;
    size_t at = find(old, &edit->entry);
    if (is_addition && at != old->count)
        return ERR_CONFLICT;
    if (!is_addition && at == old->count)
        return ERR_NOT_FOUND;
    if (is_addition && old->count >= REVOCATION_ENTRIES_MAX)
        return ERR_LIMIT;
    struct revocation_entry *entries = arena_take_array(arena, old->count + 1, sizeof *entries);
    if (!entries)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < old->count; i++) {
        if (is_addition || i != at)
            entries[count++] = old->entries[i];
    }
    if (is_addition)
        entries[count++] = edit->entry;
    uint64_t base = old->sequence > edit->floor ? old->sequence : edit->floor;
    *out = (struct revocation_list){.sequence = base + 1, .entries = entries, .count = count};
    return ERR_NONE;
}

/* The file is only replaced by a text that reads back as what was meant. */
static enum err render(const char *path, const struct revocation_list *list, struct arena *arena,
                       struct diag_list *diags, struct view *out)
{
    struct revocation_list again;
    *out = revocation_list_print(list, arena);
    if (!view_is_present(*out))
        return ERR_NO_MEMORY;
    TRY(revocation_list_parse(view_of(path), *out, arena, diags, &again));
    bool is_same = again.count == list->count && again.sequence == list->sequence;
    for (size_t i = 0; is_same && i < list->count; i++)
        is_same = revocation_entry_matches(&again.entries[i], &list->entries[i]);
    return is_same ? ERR_NONE : ERR_INVALID;
}

static enum err edit_locked(int folder, const char *path, const struct revocation_edit *edit, struct arena *arena,
                            struct diag_list *diags, uint64_t *sequence)
{
    struct revocation_list old, new;
    struct view text;
    char copy[PATH_MAX];
    TRY(revocation_file_read(path, arena, diags, &old));
    TRY(apply(&old, edit, arena, &new));
    TRY(render(path, &new, arena, diags, &text));
    memcpy(copy, path, strlen(path) + 1);
    TRY(replace(folder, basename(copy), text));
    *sequence = new.sequence;
    return ERR_NONE;
}

enum err revocation_file_edit(const char *path, const struct revocation_edit *edit, struct diag_list *diags,
                              uint64_t *sequence)
{
    char copy[PATH_MAX];
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, ARENA_CEILING);
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return ERR_IO;
    }
    memcpy(copy, path, strlen(path) + 1);
    AUTO(descriptor_close) int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return ERR_IO;
    if (flock(folder, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    return edit_locked(folder, path, edit, &arena, diags, sequence);
}
