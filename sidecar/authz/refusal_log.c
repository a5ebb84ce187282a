/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal_log.h"

void refusal_log_init(struct refusal_log *log)
{
    memset(log, 0, sizeof(*log));
    (void)pthread_mutex_init(&log->lock, NULL);
}

static void copy_text(char *to, size_t capacity, struct view from)
{
    size_t size = from.size < capacity - 1 ? from.size : capacity - 1;
    if (size > 0)
        memcpy(to, from.data, size);
    to[size] = '\0';
}

void refusal_log_add(struct refusal_log *log, int64_t at, enum reason reason, struct view decision_id,
                     struct view caller)
{
    pthread_mutex_lock(&log->lock);
    struct refusal *entry = &log->entries[log->count++ % REFUSAL_LOG_ENTRIES];
    entry->at = at;
    entry->reason = reason;
    copy_text(entry->decision_id, sizeof(entry->decision_id), decision_id);
    copy_text(entry->caller, sizeof(entry->caller), caller);
    pthread_mutex_unlock(&log->lock);
}

bool refusal_log_tells(struct refusal_log *log, int64_t at, enum reason reason, uint64_t *untold)
{
    unsigned int i = (unsigned int)reason < REASON_COUNT ? (unsigned int)reason : REASON_INTERNAL;
    pthread_mutex_lock(&log->lock);
    int64_t before = log->told_at[i];
    bool is_due = before == 0 || at < before || at - before >= REFUSAL_LOG_INTERVAL;
    *untold = log->untold[i];
    log->untold[i] = is_due ? 0 : *untold + 1;
    log->told_at[i] = is_due ? at : before;
    pthread_mutex_unlock(&log->lock);
    return is_due;
}

size_t refusal_log_read(struct refusal_log *log, struct refusal out[REFUSAL_LOG_ENTRIES])
{
    pthread_mutex_lock(&log->lock);
    size_t count = log->count < REFUSAL_LOG_ENTRIES ? (size_t)log->count : REFUSAL_LOG_ENTRIES;
    for (size_t i = 0; i < count; i++)
        out[i] = log->entries[(log->count - 1 - i) % REFUSAL_LOG_ENTRIES];
    pthread_mutex_unlock(&log->lock);
    return count;
}
