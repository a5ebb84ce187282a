/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_folder.h"

#include "journal_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum err journal_folder_open(const char *path, bool is_created, int *folder)
{
    if (is_created && mkdir(path, 0750) != 0 && errno != EEXIST)
        return ERR_IO;
    *folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *folder >= 0 ? ERR_NONE : ERR_IO;
}

enum err journal_folder_lock(int folder, int *lock_file)
{
    *lock_file = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*lock_file < 0)
        return ERR_IO;
    if (flock(*lock_file, LOCK_EX | LOCK_NB) == 0)
        return ERR_NONE;
    return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
}

static enum err append(struct journal_folder_state *state, const struct journal_header *header, uint64_t bytes)
{
    struct journal_folder_segment *grown =
        reallocarray(state->segments, state->segment_count + 1, sizeof(*state->segments));
    if (grown == NULL)
        return ERR_NO_MEMORY;
    state->segments = grown;
    struct journal_folder_segment *slot = &grown[state->segment_count++];
    *slot = (struct journal_folder_segment){
        .number = header->segment, .epoch_started = header->epoch_started, .bytes = bytes};
    memcpy(slot->epoch, header->epoch, JOURNAL_EPOCH_BYTES);
    if (header->epoch_started > state->latest_start)
        state->latest_start = header->epoch_started;
    return ERR_NONE;
}

static enum err cut(int folder, const char *name, size_t bytes)
{
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ERR_IO;
    int failed = ftruncate(fd, (off_t)bytes);
    close(fd);
    return failed == 0 ? ERR_NONE : ERR_IO;
}

/* A file as long as its header says was being written when its writer died. */
static enum err settle_open_end(int folder, const char *name, struct journal_folder_state *state, uint64_t *bytes)
{
    struct journal_census census;
    TRY(journal_segment_count(folder, name, true, &census));
    if (census.is_torn && state->torn_count < JOURNAL_TORN_MAX) {
        struct journal_position *torn = &state->torn[state->torn_count++];
        memcpy(torn->epoch, census.header.epoch, JOURNAL_EPOCH_BYTES);
        torn->sequence = census.header.first_sequence + census.count;
    }
    *bytes = census.used;
    return cut(folder, name, census.used);
}

static enum err read_header(int folder, const char *name, struct journal_header *header, uint64_t *bytes)
{
    uint8_t head[JOURNAL_HEADER_BYTES] = {0};
    struct stat file = {0};
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ERR_IO;
    ssize_t got = pread(fd, head, sizeof(head), 0);
    int failed = fstat(fd, &file);
    close(fd);
    if (got < 0 || failed != 0)
        return ERR_IO;
    *bytes = (uint64_t)file.st_size;
    return journal_header_parse(head, header);
}

static enum err settle_one(int folder, const char *name, struct journal_folder_state *state)
{
    struct journal_header header;
    uint64_t bytes = 0;
    enum err error = read_header(folder, name, &header, &bytes);
    if (error == ERR_NOT_FOUND)
        return unlinkat(folder, name, 0) == 0 ? ERR_NONE : ERR_IO;
    if (error == ERR_MALFORMED || error == ERR_UNSUPPORTED)
        return ERR_NONE;
    TRY(error);
    if (bytes == header.segment_bytes)
        TRY(settle_open_end(folder, name, state, &bytes));
    return append(state, &header, bytes);
}

static int by_age(const void *left, const void *right)
{
    const struct journal_folder_segment *a = left, *b = right;
    if (a->epoch_started != b->epoch_started)
        return a->epoch_started < b->epoch_started ? -1 : 1;
    int order = memcmp(a->epoch, b->epoch, JOURNAL_EPOCH_BYTES);
    if (order != 0)
        return order;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Where the latest epoch that has records ends. */
static void find_last(int folder, struct journal_folder_state *state)
{
    for (size_t i = state->segment_count; i > 0 && !state->has_last; i--) {
        struct journal_census census;
        char name[JOURNAL_NAME_BYTES + 1];
        journal_name_write(state->segments[i - 1].epoch, state->segments[i - 1].number, name);
        if (journal_segment_count(folder, name, false, &census) != ERR_NONE || census.count == 0)
            continue;
        memcpy(state->last.epoch, census.header.epoch, JOURNAL_EPOCH_BYTES);
        state->last.sequence = census.header.first_sequence + census.count - 1;
        state->has_last = true;
    }
}

static enum err settle_all(int folder, DIR *listing, struct journal_folder_state *out)
{
    const struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        uint8_t epoch[JOURNAL_EPOCH_BYTES];
        uint64_t number;
        if (journal_name_parse(view_of(entry->d_name), epoch, &number))
            TRY(settle_one(folder, entry->d_name, out));
    }
    return ERR_NONE;
}

enum err journal_folder_settle(int folder, struct journal_folder_state *out)
{
    *out = (struct journal_folder_state){0};
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    if (listing == NULL) {
        if (again >= 0)
            close(again);
        return ERR_IO;
    }
    enum err error = settle_all(folder, listing, out);
    closedir(listing);
    if (error == ERR_NONE && out->segment_count > 0) {
        qsort(out->segments, out->segment_count, sizeof(*out->segments), by_age);
        find_last(folder, out);
    }
    return error;
}

void journal_folder_forget(struct journal_folder_state *state)
{
    free(state->segments);
    *state = (struct journal_folder_state){0};
}
