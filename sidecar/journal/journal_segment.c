/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_segment.h"

#include "crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { PAGE = 4096 };

static void close_fd(const int *fd)
{
    int kept = errno;
    if (*fd >= 0)
        close(*fd);
    errno = kept;
}

static enum err allocate(int fd, size_t bytes)
{
    int failed;
    do {
        failed = posix_fallocate(fd, 0, (off_t)bytes);
    } while (failed == EINTR);
    errno = failed;
    return failed == 0 ? ERR_NONE : ERR_IO;
}

static enum err map_new(int folder, const char *name, size_t bytes, struct journal_segment *segment)
{
    AUTO(close_fd) int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return ERR_IO;
    enum err error = allocate(fd, bytes);
    char *base = MAP_FAILED;
    if (error == ERR_NONE)
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        int kept = errno;
        unlinkat(folder, name, 0);
        errno = kept;
        return ERR_IO;
    }
    segment->base = base;
    segment->fd = fd;
    fd = -1;
    return ERR_NONE;
}

enum err journal_segment_make(int folder, const uint8_t epoch[JOURNAL_EPOCH_BYTES], uint64_t number, size_t bytes,
                              struct journal_segment **out)
{
    char name[JOURNAL_NAME_BYTES + 1];
    journal_name_write(epoch, number, name);
    struct journal_segment *segment = calloc(1, sizeof(*segment));
    if (segment == NULL) {
        errno = ENOMEM;
        return ERR_IO;
    }
    enum err error = map_new(folder, name, bytes, segment);
    if (error != ERR_NONE) {
        free(segment);
        return error;
    }
    memcpy(segment->epoch, epoch, JOURNAL_EPOCH_BYTES);
    segment->number = number;
    segment->bytes = bytes;
    *out = segment;
    return ERR_NONE;
}

void journal_segment_populate(struct journal_segment *segment, size_t to)
{
    if (to > segment->bytes)
        to = segment->bytes;
    if (to <= segment->populated)
        return;
    char *from = segment->base + segment->populated;
    size_t size = to - segment->populated;
    if (madvise(from, size, MADV_POPULATE_WRITE) != 0 && errno == EINVAL) {
        /* An older kernel. An OR with zero is safe beside the thread that writes. */
        for (size_t i = 0; i < size; i += PAGE)
            (void)__atomic_fetch_or(&from[i], 0, __ATOMIC_RELAXED);
    }
    segment->populated = to;
}

void journal_segment_drop(struct journal_segment *segment, size_t to)
{
    if (to <= segment->dropped)
        return;
    /* Of a shared file mapping only the page table entries go; dirty pages stay in the page cache. */
    (void)madvise(segment->base + segment->dropped, to - segment->dropped, MADV_DONTNEED);
    segment->dropped = to;
}

void journal_segment_unmap(struct journal_segment *segment)
{
    munmap(segment->base, segment->bytes);
    segment->base = NULL;
}

void journal_segment_end(struct journal_segment *segment, bool is_synced)
{
    if (ftruncate(segment->fd, (off_t)segment->used) == 0)
        segment->bytes = segment->used;
    if (is_synced)
        (void)fdatasync(segment->fd);
    close(segment->fd);
    segment->fd = -1;
}

void journal_segment_discard(int folder, struct journal_segment *segment)
{
    char name[JOURNAL_NAME_BYTES + 1];
    journal_name_write(segment->epoch, segment->number, name);
    unlinkat(folder, name, 0);
    if (segment->base != NULL)
        munmap(segment->base, segment->bytes);
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment);
}

/* The walk over frames; `size` bytes of the file are mapped. */
static void count_frames(const char *base, size_t size, bool is_checked, struct journal_census *out)
{
    size_t at = JOURNAL_HEADER_BYTES;
    while (at + JOURNAL_FRAME_BYTES <= size) {
        uint32_t length = journal_get32(base + at);
        if (length == 0)
            break;
        bool is_whole =
            length <= JOURNAL_RECORD_MAX && length <= size - at - JOURNAL_FRAME_BYTES &&
            (!is_checked || crc32c(base + at + JOURNAL_FRAME_BYTES, length) == journal_get32(base + at + 4));
        if (!is_whole) {
            out->is_torn = true;
            break;
        }
        at += journal_frame_bytes(length);
        out->count++;
    }
    out->used = at < size ? at : size;
}

enum err journal_segment_count(int folder, const char *name, bool is_checked, struct journal_census *out)
{
    AUTO(close_fd) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat file;
    *out = (struct journal_census){0};
    if (fd < 0 || fstat(fd, &file) != 0)
        return ERR_IO;
    out->bytes = (size_t)file.st_size;
    if (out->bytes < JOURNAL_HEADER_BYTES)
        return out->bytes == 0 ? ERR_NOT_FOUND : ERR_MALFORMED;
    char *base = mmap(NULL, out->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return ERR_IO;
    enum err error = journal_header_parse((const uint8_t *)base, &out->header);
    if (error == ERR_NONE)
        count_frames(base, out->bytes, is_checked, out);
    munmap(base, out->bytes);
    return error;
}
