/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder for one test: filled with small files, removed with them. */
#ifndef BARTIZAN_SMALL_FOLDER_H
#define BARTIZAN_SMALL_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct small_folder {
    char path[64];
    char joined[160]; /* of small_folder_path */
};

static inline void small_folder_make(struct small_folder *folder)
{
    /* Short whatever TMPDIR is: the path of a unix socket has little room. */
    (void)snprintf(folder->path, sizeof(folder->path), "%s/bz-small-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder->path));
}

static inline const char *small_folder_path(struct small_folder *folder, const char *name)
{
    (void)snprintf(folder->joined, sizeof(folder->joined), "%s/%s", folder->path, name);
    return folder->joined;
}

static inline void small_folder_put_bytes(struct small_folder *folder, const char *name, const char *text, size_t size)
{
    FILE *file = fopen(small_folder_path(folder, name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Removes what stands in the folder, empty folders too, and the folder. */
static inline void small_folder_remove(const struct small_folder *folder)
{
    DIR *listing = opendir(folder->path);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL)
        if (unlinkat(dirfd(listing), entry->d_name, 0) != 0)
            (void)unlinkat(dirfd(listing), entry->d_name, AT_REMOVEDIR);
    if (listing != NULL)
        (void)closedir(listing);
    (void)rmdir(folder->path);
}

#endif
