/* SPDX-License-Identifier: Apache-2.0 */
#include "ship_position.h"

#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EPOCH_HEX = 2 * JOURNAL_EPOCH_BYTES, LINE_MAX_BYTES = 128 };

static const char name[] = "ship.position";
static const char fresh_name[] = "ship.position.new";

static enum err parse(struct view text, struct journal_position *out)
{
    size_t end = view_index_of(text, '\n', 0);
    if (!view_starts_with(text, VIEW("v1 ")) || text.size < 3 + EPOCH_HEX + 1 || text.data[3 + EPOCH_HEX] != ' ' ||
        end + 1 != text.size)
        return ERR_MALFORMED;
    bool is_good = hex_decode(view_slice(text, 3, 3 + EPOCH_HEX), out->epoch, JOURNAL_EPOCH_BYTES) &&
                   view_to_u64(view_slice(text, 3 + EPOCH_HEX + 1, end), &out->sequence);
    return is_good ? ERR_NONE : ERR_MALFORMED;
}

enum err ship_position_read(const char *folder, struct journal_position *out)
{
    char text[LINE_MAX_BYTES];
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return ERR_IO;
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int kept = errno;
    close(directory);
    if (file < 0)
        return kept == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    ssize_t size = read(file, text, sizeof(text));
    close(file);
    return size < 0 ? ERR_IO : parse((struct view){text, (size_t)size}, out);
}

static bool write_fresh(int directory, const char *text, size_t size)
{
    int file = openat(directory, fresh_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file < 0)
        return false;
    bool is_written = write(file, text, size) == (ssize_t)size && fsync(file) == 0;
    return close(file) == 0 && is_written;
}

enum err ship_position_write(const char *folder, const struct journal_position *position)
{
    char epoch[EPOCH_HEX], text[LINE_MAX_BYTES];
    hex_encode(position->epoch, JOURNAL_EPOCH_BYTES, epoch);
    int size =
        snprintf(text, sizeof(text), "v1 %.*s %llu\n", (int)EPOCH_HEX, epoch, (unsigned long long)position->sequence);
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return ERR_IO;
    bool is_good = write_fresh(directory, text, (size_t)size) && renameat(directory, fresh_name, directory, name) == 0;
    close(directory);
    return is_good ? ERR_NONE : ERR_IO;
}
