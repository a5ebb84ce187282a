/* SPDX-License-Identifier: Apache-2.0 */
#include "folder_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
}

enum err folder_file_open(const char *path, int *folder, const char **name)
{
    char copy[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) + 1 : 0;
    *name = path + size;
    if (size >= sizeof copy || (*name)[0] == '\0') {
        errno = size >= sizeof copy ? ENAMETOOLONG : EISDIR;
        return ERR_IO;
    }
    if (slash)
        (void)snprintf(copy, sizeof copy, "%.*s", (int)size, path);
    *folder = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *folder >= 0 ? ERR_NONE : ERR_IO;
}

/* ---- reading ---- */

static enum err read_bytes(int file, char *bytes, size_t most, size_t *size)
{
    while (*size < most) {
        ssize_t got = read(file, bytes + *size, most - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        *size += (size_t)got;
    }
    return ERR_NONE;
}

enum err folder_file_read(int folder, const char *name, size_t most, struct arena *arena, struct view *out)
{
    struct stat status;
    size_t size = 0;
    /* O_NONBLOCK: opening a FIFO would wait for its writer. */
    AUTO(descriptor_close) int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (fstat(file, &status) != 0)
        return ERR_IO;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return ERR_IO;
    }
    /* One byte more than it says tells that the file grows or is too long. */
    size_t capacity = (uint64_t)status.st_size > most ? most : (size_t)status.st_size;
    char *bytes = arena_take(arena, capacity + 2);
    if (!bytes)
        return ERR_NO_MEMORY;
    TRY(read_bytes(file, bytes, capacity + 1, &size));
    bytes[size] = '\0';
    *out = (struct view){.data = bytes, .size = size};
    return size > capacity ? ERR_LIMIT : ERR_NONE;
}

/* ---- writing ---- */

static enum err write_bytes(int file, mode_t mode, struct view text)
{
    while (text.size > 0) {
        ssize_t put = write(file, text.data, text.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return ERR_IO;
        text = view_slice(text, (size_t)put, text.size);
    }
    return fchmod(file, mode) == 0 && fsync(file) == 0 ? ERR_NONE : ERR_IO;
}

/* Half a file is taken away again. */
static enum err undo(int folder, const char *name)
{
    int cause = errno;
    (void)unlinkat(folder, name, 0);
    errno = cause;
    return ERR_IO;
}

enum err folder_file_create(int folder, const char *name, mode_t mode, struct view text)
{
    AUTO(descriptor_close)
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EEXIST ? ERR_CONFLICT : ERR_IO;
    return write_bytes(file, mode, text) == ERR_NONE && fsync(folder) == 0 ? ERR_NONE : undo(folder, name);
}

enum err folder_file_replace(int folder, const char *name, mode_t mode, struct view text)
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
    if (write_bytes(file, mode, text) != ERR_NONE || renameat(folder, temporary, folder, name) != 0 ||
        fsync(folder) != 0)
        return undo(folder, temporary);
    return ERR_NONE;
}
