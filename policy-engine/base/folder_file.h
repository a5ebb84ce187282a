/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of an open folder, read and written whole; for commands and state,
 * never on the request path. A reader of a file that is replaced sees the old text
 * or the new one, also after a power cut: temporary file, fsync, rename, fsync of
 * the folder. Names have no slash, but any path can be read of AT_FDCWD. errno says
 * why on ERR_IO. */
#ifndef BARTIZAN_FOLDER_FILE_H
#define BARTIZAN_FOLDER_FILE_H

#include "arena.h"

#include <sys/types.h>

/* The folder in which `path` stands, opened (descriptor_close), and the name in it, which is the end of `path`.
 * ERR_IO (EISDIR: it ends in a slash). */
MUST_CHECK enum err folder_file_open(const char *path, int *folder, const char **name);

/* The whole of a regular file of at most `most` bytes, NUL behind it (not counted).
 * ERR_NOT_FOUND, ERR_LIMIT, ERR_NO_MEMORY, ERR_IO (EINVAL: no regular file). */
MUST_CHECK enum err folder_file_read(int folder, const char *name, size_t most, struct arena *arena, struct view *out);

/* A file of this mode, whatever the umask, that was not there: ERR_CONFLICT when it was. */
MUST_CHECK enum err folder_file_create(int folder, const char *name, mode_t mode, struct view text);

/* Puts `text` in place of the file, which need not be there. The caller holds the
 * folder's lock: the temporary file has a fixed name, with a dot before it. */
MUST_CHECK enum err folder_file_replace(int folder, const char *name, mode_t mode, struct view text);

void descriptor_close(int *descriptor); /* for AUTO; harmless below zero */

#endif
