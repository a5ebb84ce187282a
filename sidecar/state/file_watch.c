/* SPDX-License-Identifier: Apache-2.0 */
#include "file_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCH_EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR };

struct file_watch {
    int fd;
    char **paths;
    size_t count;
};

static void watch_folder(const struct file_watch *watch, const char *folder)
{
    (void)inotify_add_watch(watch->fd, folder, WATCH_EVENTS);
}

/* Every folder in which a step of `path` is a symlink, the folder it stands in,
 * and itself when it is a folder. Where a step is missing, the folder in which it will appear. */
static void watch_path(const struct file_watch *watch, const char *path)
{
    char prefix[PATH_MAX];
    size_t size = strnlen(path, sizeof(prefix));
    if (size == 0 || size == sizeof(prefix))
        return;
    size_t parent = 0; /* length of the folder that holds the current step; 0: the working folder */
    for (size_t end = 1; end <= size; end++) {
        if (end < size && path[end] != '/')
            continue;
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        struct stat info;
        bool is_missing = lstat(prefix, &info) != 0;
        if (end == size || is_missing || S_ISLNK(info.st_mode)) {
            prefix[parent] = '\0';
            watch_folder(watch, parent > 0 ? prefix : path[0] == '/' ? "/" : ".");
        }
        if (is_missing)
            return;
        parent = end;
    }
    watch_folder(watch, path); /* refused by the kernel when it is no folder */
}

static void watch_all(const struct file_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        watch_path(watch, watch->paths[i]);
}

enum err file_watch_open(const char *const *paths, size_t count, struct file_watch **out)
{
    struct file_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return ERR_NO_MEMORY;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->paths = calloc(count + 1, sizeof(*watch->paths));
    bool has_all = watch->paths != NULL;
    for (size_t i = 0; has_all && i < count; i++) {
        watch->paths[i] = strdup(paths[i]);
        watch->count = i + 1;
        has_all = watch->paths[i] != NULL;
    }
    if (watch->fd < 0 || !has_all) {
        enum err error = has_all ? ERR_IO : ERR_NO_MEMORY;
        file_watch_close(watch);
        return error;
    }
    watch_all(watch);
    *out = watch;
    return ERR_NONE;
}

void file_watch_close(struct file_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->fd >= 0)
        (void)close(watch->fd);
    for (size_t i = 0; watch->paths != NULL && i < watch->count; i++)
        free(watch->paths[i]);
    free(watch->paths);
    free(watch);
}

int file_watch_descriptor(const struct file_watch *watch)
{
    return watch->fd;
}

void file_watch_drain(struct file_watch *watch)
{
    char events[4096];
    while (read(watch->fd, events, sizeof(events)) > 0) {
    }
    watch_all(watch);
}

static uint64_t mix(uint64_t state, uint64_t value)
{
    state ^= value + 0x9e3779b97f4a7c15u + (state << 6) + (state >> 2);
    return state * 0xff51afd7ed558ccdu;
}

static uint64_t stat_fingerprint(int folder, const char *name, uint64_t state, struct stat *info)
{
    memset(info, 0, sizeof(*info));
    if (fstatat(folder, name, info, 0) != 0)
        return mix(state, 1);
    state = mix(state, (uint64_t)info->st_dev);
    state = mix(state, (uint64_t)info->st_ino);
    state = mix(state, (uint64_t)info->st_size);
    state = mix(state, (uint64_t)info->st_mtim.tv_sec);
    state = mix(state, (uint64_t)info->st_mtim.tv_nsec);
    state = mix(state, (uint64_t)info->st_ctim.tv_sec); /* mtime is whatever the writer says */
    return mix(state, (uint64_t)info->st_ctim.tv_nsec);
}

/* Entries are summed, since readdir keeps no order. */
static uint64_t folder_fingerprint(const char *path)
{
    uint64_t sum = 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return sum;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        uint64_t state = 0;
        for (const char *c = entry->d_name; *c != '\0'; c++)
            state = mix(state, (unsigned char)*c);
        struct stat info;
        sum += stat_fingerprint(dirfd(folder), entry->d_name, state, &info);
    }
    (void)closedir(folder);
    return sum;
}

uint64_t file_watch_fingerprint(const struct file_watch *watch)
{
    uint64_t state = 0;
    for (size_t i = 0; i < watch->count; i++) {
        struct stat info;
        state = stat_fingerprint(AT_FDCWD, watch->paths[i], state, &info);
        if (S_ISDIR(info.st_mode))
            state = mix(state, folder_fingerprint(watch->paths[i]));
    }
    return state;
}
