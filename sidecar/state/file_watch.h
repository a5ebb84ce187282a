/* SPDX-License-Identifier: Apache-2.0 */
/* Notices that a file may have changed.
 *
 * inotify watches the folders, not the files: a rename over a file, a ConfigMap's
 * `..data` swap and a `current` symlink all show there. It misses bind-mounted
 * single files (subPath) and remote file systems, so a fingerprint of what stat
 * says is compared as well, by whoever calls. */
#ifndef BARTIZAN_FILE_WATCH_H
#define BARTIZAN_FILE_WATCH_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

struct file_watch;

/* Watches `paths` (files or folders, copied). A folder that cannot be watched is
 * left to the fingerprint. ERR_NO_MEMORY, or ERR_IO without inotify at all. */
MUST_CHECK enum err file_watch_open(const char *const *paths, size_t count, struct file_watch **out);
void file_watch_close(struct file_watch *watch);

/* Becomes readable when something happened in a watched folder. */
int file_watch_descriptor(const struct file_watch *watch);

/* Takes all events and watches folders anew, since a symlink may lead elsewhere now. */
void file_watch_drain(struct file_watch *watch);

/* Device, inode, size and times of everything the paths name, mixed into one number. */
uint64_t file_watch_fingerprint(const struct file_watch *watch);

#endif
