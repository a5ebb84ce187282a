/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_reader.h"

#include "crc32c.h"
#include "journal_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BUFFER = 64 * 1024,
    PATIENCE = 3, /* looks at bytes that a writer may be in the midst of, before they are called bad */
};

/* A segment as the folder lists it. What its header says is known once it began. */
struct entry {
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t number;
    uint64_t started;
    uint64_t first;
    bool is_begun;
    bool is_reported; /* unreadable, and said so */
};

struct journal_reader {
    int folder;
    struct entry *entries; /* by age; those that have not begun come last */
    size_t count;

    bool has_current;
    struct entry current; /* a copy: the listing changes under it */
    int fd;
    uint64_t at;       /* of the next frame in the file */
    uint64_t sequence; /* of the next frame */
    bool is_ended;     /* nothing more will come out of `current` */
    bool is_final;     /* a later segment had begun before the last look */

    char buffer[BUFFER];
    uint64_t buffer_at; /* offset in the file of buffer[0] */
    size_t buffered;
};

static int by_age(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->is_begun != b->is_begun)
        return a->is_begun ? -1 : 1;
    if (a->started != b->started)
        return a->started < b->started ? -1 : 1;
    int order = memcmp(a->epoch, b->epoch, JOURNAL_EPOCH_BYTES);
    if (order != 0)
        return order;
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool is_same(const struct entry *a, const struct entry *b)
{
    return a->number == b->number && memcmp(a->epoch, b->epoch, JOURNAL_EPOCH_BYTES) == 0;
}

/* --- the listing --- */

/* The header may be in the midst of being stored: only what stays bad is bad. */
static enum err read_header(int fd, struct journal_header *header)
{
    enum err error = ERR_MALFORMED;
    for (int look = 0; error == ERR_MALFORMED && look < PATIENCE; look++) {
        uint8_t head[JOURNAL_HEADER_BYTES] = {0};
        if (pread(fd, head, sizeof(head), 0) < 0)
            return ERR_IO;
        error = journal_header_parse(head, header);
    }
    return error;
}

/* ERR_NOT_FOUND: it has not begun, or is gone. */
static enum err look_at_header(const struct journal_reader *reader, const char *name, struct entry *entry)
{
    struct journal_header header;
    int fd = openat(reader->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ERR_NOT_FOUND;
    enum err error = read_header(fd, &header);
    close(fd);
    TRY(error);
    if (header.segment != entry->number || memcmp(header.epoch, entry->epoch, JOURNAL_EPOCH_BYTES) != 0)
        return ERR_MALFORMED;
    entry->started = header.epoch_started;
    entry->first = header.first_sequence;
    entry->is_begun = true;
    return ERR_NONE;
}

static const struct entry *known(const struct journal_reader *reader, const struct entry *wanted)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (is_same(&reader->entries[i], wanted))
            return &reader->entries[i];
    }
    return NULL;
}

/* One name of the folder. ERR_MALFORMED and ERR_UNSUPPORTED are reported once. */
static enum err take_name(const struct journal_reader *reader, const char *name, struct entry *entry, bool *is_kept)
{
    *is_kept = journal_name_parse(view_of(name), entry->epoch, &entry->number);
    if (!*is_kept)
        return ERR_NONE;
    const struct entry *before = known(reader, entry);
    if (before != NULL)
        *entry = *before;
    if (entry->is_begun || entry->is_reported)
        return ERR_NONE;
    enum err error = look_at_header(reader, name, entry);
    if (error == ERR_NONE || error == ERR_NOT_FOUND)
        return ERR_NONE;
    entry->is_reported = true;
    return error;
}

static enum err list(const struct journal_reader *reader, DIR *listing, struct entry **entries, size_t *count,
                     struct entry *bad)
{
    enum err first = ERR_NONE;
    const struct dirent *name;
    while ((name = readdir(listing)) != NULL) {
        struct entry entry = {0};
        bool is_kept;
        enum err error = take_name(reader, name->d_name, &entry, &is_kept);
        if (!is_kept)
            continue;
        if (error != ERR_NONE && first == ERR_NONE) {
            first = error;
            *bad = entry;
        } else if (error != ERR_NONE) {
            entry.is_reported = false; /* one at a time; the next look reports it */
        }
        struct entry *grown = reallocarray(*entries, *count + 1, sizeof(**entries));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        *entries = grown;
        grown[(*count)++] = entry;
    }
    return first;
}

/* Lists the folder anew. An error of one segment comes with *bad; the listing holds all the same. */
static enum err rescan(struct journal_reader *reader, struct entry *bad)
{
    int again = openat(reader->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    if (listing == NULL) {
        if (again >= 0)
            close(again);
        return ERR_IO;
    }
    struct entry *entries = NULL;
    size_t count = 0;
    enum err error = list(reader, listing, &entries, &count, bad);
    closedir(listing);
    if (count > 0)
        qsort(entries, count, sizeof(*entries), by_age);
    free(reader->entries);
    reader->entries = entries;
    reader->count = count;
    return error;
}

/* The first begun segment behind `current`, or NULL. */
static const struct entry *successor(const struct journal_reader *reader)
{
    for (size_t i = 0; i < reader->count && reader->entries[i].is_begun; i++) {
        if (!reader->has_current || by_age(&reader->entries[i], &reader->current) > 0)
            return &reader->entries[i];
    }
    return NULL;
}

/* --- one segment --- */

static void leave(struct journal_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
}

/* Goes to `entry`. One that is gone by now counts as read. */
static void enter(struct journal_reader *reader, const struct entry *entry)
{
    char name[JOURNAL_NAME_BYTES + 1];
    leave(reader);
    reader->current = *entry;
    reader->has_current = true;
    journal_name_write(entry->epoch, entry->number, name);
    reader->fd = openat(reader->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    reader->at = JOURNAL_HEADER_BYTES;
    reader->sequence = entry->first;
    reader->is_ended = reader->fd < 0;
    reader->is_final = false;
    reader->buffered = 0;
}

static enum err fill(struct journal_reader *reader)
{
    ssize_t got = pread(reader->fd, reader->buffer, BUFFER, (off_t)reader->at);
    reader->buffer_at = reader->at;
    reader->buffered = got > 0 ? (size_t)got : 0;
    return got >= 0 ? ERR_NONE : ERR_IO;
}

/* The frame at `at` in the buffer: ERR_NONE, ERR_NOT_FOUND (no frame yet), ERR_MALFORMED. */
static enum err frame(const struct journal_reader *reader, struct view *payload)
{
    uint64_t skip = reader->at - reader->buffer_at;
    size_t left = skip < reader->buffered ? reader->buffered - (size_t)skip : 0;
    const char *from = reader->buffer + skip;
    if (left < 4)
        return ERR_NOT_FOUND;
    uint32_t length = journal_get32(from);
    if (length == 0)
        return ERR_NOT_FOUND;
    if (length > JOURNAL_RECORD_MAX || left < JOURNAL_FRAME_BYTES || length > left - JOURNAL_FRAME_BYTES)
        return ERR_MALFORMED;
    *payload = (struct view){from + JOURNAL_FRAME_BYTES, length};
    return crc32c(payload->data, length) == journal_get32(from + 4) ? ERR_NONE : ERR_MALFORMED;
}

/* The next frame of the current segment. The buffer may be older than the file,
 * and the file may be in the midst of a store: only what stays bad is bad. */
static enum err read_frame(struct journal_reader *reader, struct view *payload)
{
    enum err error = reader->buffered > 0 && reader->at < reader->buffer_at + reader->buffered ? frame(reader, payload)
                                                                                               : ERR_NOT_FOUND;
    for (int look = 0; error != ERR_NONE && look < PATIENCE; look++) {
        TRY(fill(reader));
        error = frame(reader, payload);
        if (error == ERR_NOT_FOUND)
            return error;
    }
    return error;
}

static void step(struct journal_reader *reader, size_t size)
{
    reader->at += journal_frame_bytes(size);
    reader->sequence++;
}

/* --- the journal --- */

enum err journal_reader_open(const char *path, bool from_end, struct journal_reader **out)
{
    struct journal_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return ERR_NO_MEMORY;
    reader->fd = -1;
    struct entry bad;
    enum err error = journal_folder_open(path, false, &reader->folder);
    if (error == ERR_NONE)
        error = rescan(reader, &bad);
    if (error == ERR_IO || error == ERR_NO_MEMORY) {
        journal_reader_close(reader);
        return error;
    }
    /* Bad segments are for journal_reader_next to report. */
    for (size_t i = 0; i < reader->count; i++)
        reader->entries[i].is_reported = from_end && reader->entries[i].is_reported;
    struct view payload;
    const struct entry *next;
    while (from_end && (next = successor(reader)) != NULL)
        enter(reader, next);
    while (from_end && reader->has_current && !reader->is_ended && read_frame(reader, &payload) == ERR_NONE)
        step(reader, payload.size);
    *out = reader;
    return ERR_NONE;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    leave(reader);
    if (reader->folder >= 0)
        close(reader->folder);
    free(reader->entries);
    free(reader);
}

enum err journal_reader_seek(struct journal_reader *reader, const struct journal_position *position)
{
    const struct entry *found = NULL;
    leave(reader);
    reader->has_current = false;
    for (size_t i = 0; i < reader->count && reader->entries[i].is_begun; i++) {
        const struct entry *each = &reader->entries[i];
        if (memcmp(each->epoch, position->epoch, JOURNAL_EPOCH_BYTES) == 0 &&
            (found == NULL || each->first <= position->sequence))
            found = each;
    }
    if (found == NULL)
        return ERR_NOT_FOUND;
    struct view payload;
    enter(reader, found);
    while (!reader->is_ended && reader->sequence <= position->sequence && read_frame(reader, &payload) == ERR_NONE)
        step(reader, payload.size);
    return ERR_NONE;
}

static void tell(const struct entry *entry, uint64_t sequence, struct journal_position *position)
{
    memcpy(position->epoch, entry->epoch, JOURNAL_EPOCH_BYTES);
    position->sequence = sequence;
}

/* Behind the last frame of the current segment: ERR_NONE when the reader has moved
 * or must look again, ERR_NOT_FOUND when there is nothing more yet. */
static enum err move_on(struct journal_reader *reader, struct journal_position *position)
{
    struct entry bad = {0};
    enum err error = successor(reader) == NULL ? rescan(reader, &bad) : ERR_NONE;
    const struct entry *next = successor(reader);
    if (error != ERR_NONE) {
        tell(&bad, 0, position);
        return error;
    }
    if (next == NULL)
        return ERR_NOT_FOUND;
    /* A later segment has begun, so what is here now is final; but it may have
     * grown between the last look and the beginning of the later one. */
    if (reader->has_current && !reader->is_ended && !reader->is_final) {
        reader->is_final = true;
        return ERR_NONE;
    }
    enter(reader, next);
    return ERR_NONE;
}

enum err journal_reader_next(struct journal_reader *reader, struct journal_position *position, struct view *payload)
{
    for (;;) {
        enum err error = ERR_NOT_FOUND;
        if (reader->has_current && !reader->is_ended)
            error = read_frame(reader, payload);
        if (error == ERR_NONE) {
            tell(&reader->current, reader->sequence, position);
            step(reader, payload->size);
            return ERR_NONE;
        }
        if (error != ERR_NOT_FOUND) {
            reader->is_ended = true;
            tell(&reader->current, reader->sequence, position);
            return error;
        }
        TRY(move_on(reader, position));
    }
}
