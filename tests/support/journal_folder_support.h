/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder with a journal in it, for tests: made, filled, read, removed. */
#ifndef BARTIZAN_JOURNAL_FOLDER_SUPPORT_H
#define BARTIZAN_JOURNAL_FOLDER_SUPPORT_H

#include "audit_event.h"
#include "journal_format.h"
#include "journal_reader.h"
#include "journal_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[256];
};

static inline void folder_make(struct folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof(folder->path), "%s/journal-XXXXXX", base != NULL ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder->path));
}

static inline void folder_remove(struct folder *folder)
{
    DIR *listing = opendir(folder->path);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL)
        unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing != NULL)
        closedir(listing);
    rmdir(folder->path);
}

/* Names of segment files in the folder, as the number of them. */
static inline size_t folder_segments(const struct folder *folder, uint64_t *bytes)
{
    DIR *listing = opendir(folder->path);
    const struct dirent *entry;
    size_t count = 0;
    uint64_t sum = 0;
    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        struct stat file;
        if (!view_ends_with(view_of(entry->d_name), VIEW(".bzj")))
            continue;
        if (fstatat(dirfd(listing), entry->d_name, &file, 0) == 0) {
            count++;
            sum += (uint64_t)file.st_size;
        }
    }
    closedir(listing);
    if (bytes != NULL)
        *bytes = sum;
    return count;
}

static inline struct journal_config folder_config(const struct folder *folder, uint8_t epoch)
{
    struct journal_config config = {.path = folder->path, .segment_bytes = 64 * 1024, .instance = VIEW("pod-1")};
    memset(config.epoch, epoch, sizeof(config.epoch));
    return config;
}

/* A decision about the number `n`; `epoch` and `sequence` as they will be. */
static inline size_t folder_event(const struct journal_config *config, uint64_t sequence, uint64_t n, char *buffer)
{
    char id[32];
    int size = snprintf(id, sizeof(id), "decision-%llu", (unsigned long long)n);
    struct audit_event event = {.kind = RECORD_DECISION,
                                .instance = config->instance,
                                .sequence = sequence,
                                .realtime_ns = 1764000000000000000,
                                .decision = {.decision_id = {id, (size_t)size},
                                             .verdict = VERDICT_ALLOW,
                                             .enforced = VERDICT_ALLOW,
                                             .reason = REASON_RULE,
                                             .rule = VIEW("operators-high"),
                                             .resource_type = VIEW("model"),
                                             .resource_id = VIEW("fraud-v3"),
                                             .path = VIEW("/models/fraud-v3")}};
    memcpy(event.epoch, config->epoch, sizeof(event.epoch));
    return audit_event_write(&event, buffer);
}

/* Appends a decision; false when it was refused. */
static inline bool folder_append(struct journal_writer *writer, const struct journal_config *config, uint64_t n)
{
    uint64_t sequence;
    char *at = journal_writer_reserve(writer, &sequence);
    if (at == NULL)
        return false;
    journal_writer_commit(writer, folder_event(config, sequence, n, at));
    return true;
}

#endif
