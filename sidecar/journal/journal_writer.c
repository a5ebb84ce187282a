/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sem_clockwait */
#include "journal_writer.h"

#include "audit_event.h"
#include "crc32c.h"
#include "digest.h"
#include "journal_folder.h"
#include "journal_segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are stored as the machine has them");

enum {
    SEGMENT_DEFAULT = 8 * 1024 * 1024,
    CHUNK_MAX = 1024 * 1024, /* half of the resident window */
    RETRY_MS = 100,          /* between attempts on a full or failing disk */
    INSTANCE_MAX = 255,
    /* Room that a reserve asks for: the frame and the zero length behind it. */
    FRAME_MAX = JOURNAL_FRAME_BYTES + JOURNAL_RECORD_MAX + JOURNAL_FRAME_BYTES,
};

/* Three threads. The polling thread writes. The helper keeps memory and the next
 * segment ready ahead of it. The keeper does what may wait for the disk: closing,
 * syncing, removing. None of them holds a lock over a system call that the polling
 * thread could want, but for `making`, which it wants only when the helper is late. */

/* The oldest segment on its way out: recorded by the polling thread between the
 * keeper's announcement and its removal. */
enum doom { DOOM_NONE = 0, DOOM_ANNOUNCED, DOOM_RECORDED };

struct journal_writer {
    int folder;
    int lock_file;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    char instance[INSTANCE_MAX];
    size_t instance_size;
    uint64_t max_bytes;
    size_t segment_bytes;
    size_t chunk;
    uint32_t sync_ms;
    struct journal_folder_state before; /* of earlier epochs, as found at open */
    uint64_t epoch_started;

    /* The polling thread's. */
    struct journal_segment *current;
    size_t at;           /* of the next frame in `current` */
    size_t wake_at;      /* past this the helper has work */
    uint64_t sequence;   /* of the next record */
    uint64_t unreported; /* refused since the last loss record */
    const char *refusal; /* why */
    size_t torn_noted;   /* of before.torn */
    bool is_reserved;

    /* Read by all. */
    uint64_t lost;     /* atomic */
    size_t progress;   /* atomic: `at` for the helper */
    uint64_t written;  /* atomic: `sequence` for the keeper */
    int failure;       /* atomic: errno of the last attempt to make a segment; 0: none */
    enum doom doom;    /* atomic */
    bool is_stopping;  /* atomic */
    bool is_spare_set; /* atomic */

    pthread_mutex_t lock; /* of what follows; never held over a system call */
    struct journal_segment *spare;
    struct journal_segment *shown; /* `current`, for the others */
    struct journal_segment *ended; /* to be closed by the keeper */
    struct audit_loss doomed_loss; /* while DOOM_ANNOUNCED */
    char doomed_epoch[2 * JOURNAL_EPOCH_BYTES];

    pthread_mutex_t making; /* serialises the making of segments */
    uint64_t next_number;   /* of the next segment to make */

    pthread_mutex_t window; /* the helper is at a mapping: none goes away */

    /* The keeper's. */
    struct journal_segment *closed; /* of this epoch, oldest first */
    size_t old_gone;                /* of before.segments, removed */
    uint64_t closed_bytes;          /* of all closed segments in the folder */
    uint64_t synced;

    sem_t help, keep; /* wake the two */
    pthread_t helper, keeper;
};

/* --- making segments: either thread --- */

static bool make_spare(struct journal_writer *writer)
{
    pthread_mutex_lock(&writer->making);
    if (!__atomic_load_n(&writer->is_spare_set, __ATOMIC_ACQUIRE)) {
        struct journal_segment *made = NULL;
        enum err error =
            journal_segment_make(writer->folder, writer->epoch, writer->next_number, writer->segment_bytes, &made);
        __atomic_store_n(&writer->failure, error == ERR_NONE ? 0 : errno, __ATOMIC_RELAXED);
        if (error == ERR_NONE) {
            writer->next_number++;
            pthread_mutex_lock(&writer->lock);
            writer->spare = made;
            pthread_mutex_unlock(&writer->lock);
            __atomic_store_n(&writer->is_spare_set, true, __ATOMIC_RELEASE);
        }
    }
    pthread_mutex_unlock(&writer->making);
    return __atomic_load_n(&writer->is_spare_set, __ATOMIC_ACQUIRE);
}

/* --- the polling thread --- */

/* Headers appear whole: their first 8 bytes, which a reader asks for, come last. */
static void begin_segment(const struct journal_writer *writer, struct journal_segment *segment)
{
    uint8_t header[JOURNAL_HEADER_BYTES];
    uint64_t head;
    struct journal_header fields = {.first_sequence = writer->sequence,
                                    .segment = segment->number,
                                    .segment_bytes = segment->bytes,
                                    .epoch_started = writer->epoch_started};
    memcpy(fields.epoch, writer->epoch, JOURNAL_EPOCH_BYTES);
    journal_header_write(&fields, header);
    memcpy(&head, header, sizeof(head));
    memcpy(segment->base + sizeof(head), header + sizeof(head), sizeof(header) - sizeof(head));
    __atomic_store_n((uint64_t *)(void *)segment->base, head, __ATOMIC_RELEASE);
    segment->first = writer->sequence;
}

/* Goes over to the next segment; false when there is none to be had. */
static bool roll(struct journal_writer *writer)
{
    if (!__atomic_load_n(&writer->is_spare_set, __ATOMIC_ACQUIRE)) {
        /* A failing disk is the helper's to retry; one that is only slow is waited for. */
        if (__atomic_load_n(&writer->failure, __ATOMIC_RELAXED) != 0)
            return false;
        if (!make_spare(writer)) {
            sem_post(&writer->help);
            return false;
        }
    }
    struct journal_segment *full = writer->current;
    pthread_mutex_lock(&writer->lock);
    struct journal_segment *fresh = writer->spare;
    writer->spare = NULL;
    if (full != NULL) {
        full->used = writer->at;
        full->count = writer->sequence - full->first;
        full->next = writer->ended;
        writer->ended = full;
    }
    begin_segment(writer, fresh);
    writer->shown = fresh;
    __atomic_store_n(&writer->progress, JOURNAL_HEADER_BYTES, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&writer->lock);
    __atomic_store_n(&writer->is_spare_set, false, __ATOMIC_RELEASE);
    writer->current = fresh;
    writer->at = JOURNAL_HEADER_BYTES;
    writer->wake_at = writer->chunk;
    sem_post(&writer->help);
    sem_post(&writer->keep);
    return true;
}

static char *room(struct journal_writer *writer)
{
    if (writer->current->bytes - writer->at < FRAME_MAX && !roll(writer))
        return NULL;
    return writer->current->base + writer->at + JOURNAL_FRAME_BYTES;
}

static void publish(struct journal_writer *writer, size_t size)
{
    char *frame = writer->current->base + writer->at;
    size_t next = writer->at + journal_frame_bytes(size);
    uint32_t sum = crc32c(frame + JOURNAL_FRAME_BYTES, size);
    /* The caller may have touched more of its room than it used. */
    memset(frame + JOURNAL_FRAME_BYTES + size, 0, next - writer->at - JOURNAL_FRAME_BYTES - size);
    memset(writer->current->base + next, 0, JOURNAL_FRAME_BYTES);
    memcpy(frame + 4, &sum, sizeof(sum));
    __atomic_store_n((uint32_t *)(void *)frame, (uint32_t)size, __ATOMIC_RELEASE);
    writer->at = next;
    writer->sequence++;
    __atomic_store_n(&writer->progress, next, __ATOMIC_RELAXED);
    __atomic_store_n(&writer->written, writer->sequence, __ATOMIC_RELAXED);
    if (next >= writer->wake_at) {
        writer->wake_at = next - next % writer->chunk + writer->chunk;
        sem_post(&writer->help);
    }
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool record_loss(struct journal_writer *writer, const struct audit_loss *loss)
{
    char *at = room(writer);
    if (at == NULL)
        return false;
    struct audit_event event = {.kind = RECORD_LOSS,
                                .instance = {writer->instance, writer->instance_size},
                                .sequence = writer->sequence,
                                .realtime_ns = clock_ns(CLOCK_REALTIME),
                                .boottime_ns = clock_ns(CLOCK_BOOTTIME),
                                .loss = *loss};
    memcpy(event.epoch, writer->epoch, JOURNAL_EPOCH_BYTES);
    publish(writer, audit_event_write(&event, at));
    return true;
}

static bool record_doomed(struct journal_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    struct audit_loss loss = writer->doomed_loss;
    char epoch[sizeof(writer->doomed_epoch)];
    memcpy(epoch, writer->doomed_epoch, sizeof(epoch));
    pthread_mutex_unlock(&writer->lock);
    if (view_is_present(loss.epoch))
        loss.epoch.data = epoch;
    if (!record_loss(writer, &loss))
        return false;
    __atomic_store_n(&writer->doom, DOOM_RECORDED, __ATOMIC_RELEASE);
    sem_post(&writer->keep);
    return true;
}

static bool record_torn(struct journal_writer *writer)
{
    const struct journal_position *torn = &writer->before.torn[writer->torn_noted];
    char epoch[2 * JOURNAL_EPOCH_BYTES];
    hex_encode(torn->epoch, JOURNAL_EPOCH_BYTES, epoch);
    struct audit_loss loss = {.count = 1,
                              .first = torn->sequence,
                              .last = torn->sequence,
                              .reason = VIEW("torn"),
                              .epoch = {epoch, sizeof(epoch)}};
    if (!record_loss(writer, &loss))
        return false;
    writer->torn_noted++;
    return true;
}

static bool record_refused(struct journal_writer *writer)
{
    struct audit_loss loss = {.count = writer->unreported,
                              .first = writer->sequence,
                              .last = writer->sequence,
                              .reason = view_of(writer->refusal)};
    if (!record_loss(writer, &loss))
        return false;
    writer->unreported = 0;
    return true;
}

/* The records that the writer owes. The first record of an epoch is the caller's. */
static bool pay_debts(struct journal_writer *writer)
{
    if (writer->sequence == 0)
        return true;
    while (writer->torn_noted < writer->before.torn_count) {
        if (!record_torn(writer))
            return false;
    }
    if (writer->unreported > 0 && !record_refused(writer))
        return false;
    return __atomic_load_n(&writer->doom, __ATOMIC_ACQUIRE) != DOOM_ANNOUNCED || record_doomed(writer);
}

static char *refuse(struct journal_writer *writer)
{
    int failure = __atomic_load_n(&writer->failure, __ATOMIC_RELAXED);
    bool is_full = failure == ENOSPC || failure == EDQUOT || failure == EFBIG;
    writer->refusal = is_full ? "disk-full" : "io-error";
    writer->unreported++;
    __atomic_store_n(&writer->lost, writer->lost + 1, __ATOMIC_RELAXED);
    return NULL;
}

char *journal_writer_reserve(struct journal_writer *writer, uint64_t *sequence)
{
    char *at = pay_debts(writer) ? room(writer) : NULL;
    if (at == NULL)
        return refuse(writer);
    writer->is_reserved = true;
    *sequence = writer->sequence;
    return at;
}

void journal_writer_commit(struct journal_writer *writer, size_t size)
{
    assert(writer->is_reserved && size > 0 && size <= JOURNAL_RECORD_MAX);
    writer->is_reserved = false;
    publish(writer, size);
}

uint64_t journal_writer_next_sequence(const struct journal_writer *writer)
{
    return __atomic_load_n(&writer->written, __ATOMIC_RELAXED);
}

uint64_t journal_writer_lost(const struct journal_writer *writer)
{
    return __atomic_load_n(&writer->lost, __ATOMIC_RELAXED);
}

/* --- the keeper --- */

static void close_ended(struct journal_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    struct journal_segment *ended = writer->ended;
    writer->ended = NULL;
    pthread_mutex_unlock(&writer->lock);
    /* The list is newest first; the folder's order is oldest first. */
    struct journal_segment *ordered = NULL;
    while (ended != NULL) {
        struct journal_segment *next = ended->next;
        ended->next = ordered;
        ordered = ended;
        ended = next;
    }
    struct journal_segment **tail = &writer->closed;
    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = ordered;
    for (struct journal_segment *each = ordered; each != NULL; each = each->next) {
        pthread_mutex_lock(&writer->window);
        journal_segment_unmap(each);
        pthread_mutex_unlock(&writer->window);
        journal_segment_end(each, writer->sync_ms > 0);
        writer->closed_bytes += each->bytes;
    }
}

static void announce(struct journal_writer *writer, const uint8_t *epoch, uint64_t first, uint64_t count)
{
    pthread_mutex_lock(&writer->lock);
    writer->doomed_loss =
        (struct audit_loss){.count = count, .first = first, .last = first + count - 1, .reason = VIEW("capped")};
    if (epoch != NULL) {
        hex_encode(epoch, JOURNAL_EPOCH_BYTES, writer->doomed_epoch);
        writer->doomed_loss.epoch = (struct view){writer->doomed_epoch, sizeof(writer->doomed_epoch)};
    }
    pthread_mutex_unlock(&writer->lock);
    __atomic_store_n(&writer->doom, DOOM_ANNOUNCED, __ATOMIC_RELEASE);
}

/* The oldest segment of an earlier epoch: announced, or removed when it was
 * recorded or holds nothing. False when it has to wait. */
static bool retire_old(struct journal_writer *writer, enum doom doom)
{
    struct journal_folder_segment *oldest = &writer->before.segments[writer->old_gone];
    char name[JOURNAL_NAME_BYTES + 1];
    journal_name_write(oldest->epoch, oldest->number, name);
    if (doom == DOOM_NONE) {
        struct journal_census census;
        if (journal_segment_count(writer->folder, name, false, &census) == ERR_NONE && census.count > 0) {
            announce(writer, oldest->epoch, census.header.first_sequence, census.count);
            return false;
        }
    }
    unlinkat(writer->folder, name, 0);
    writer->closed_bytes -= oldest->bytes;
    writer->old_gone++;
    return true;
}

static bool retire_own(struct journal_writer *writer, enum doom doom)
{
    struct journal_segment *oldest = writer->closed;
    if (doom == DOOM_NONE && oldest->count > 0) {
        announce(writer, NULL, oldest->first, oldest->count);
        return false;
    }
    writer->closed = oldest->next;
    writer->closed_bytes -= oldest->bytes;
    journal_segment_discard(writer->folder, oldest);
    return true;
}

/* Removes the oldest closed segments until the next one fits under the cap. */
static void make_way(struct journal_writer *writer)
{
    bool is_going = writer->max_bytes > 0;
    while (is_going) {
        enum doom doom = __atomic_load_n(&writer->doom, __ATOMIC_ACQUIRE);
        bool is_over = writer->closed_bytes + 2 * writer->segment_bytes > writer->max_bytes;
        bool has_old = writer->old_gone < writer->before.segment_count;
        if (doom == DOOM_ANNOUNCED || (doom == DOOM_NONE && !is_over) || (!has_old && writer->closed == NULL))
            return;
        is_going = has_old ? retire_old(writer, doom) : retire_own(writer, doom);
        if (is_going) {
            __atomic_store_n(&writer->doom, DOOM_NONE, __ATOMIC_RELEASE);
            sem_post(&writer->help);
        }
    }
}

static void sync_to_disk(struct journal_writer *writer)
{
    uint64_t written = __atomic_load_n(&writer->written, __ATOMIC_RELAXED);
    if (writer->sync_ms == 0 || written == writer->synced)
        return;
    pthread_mutex_lock(&writer->lock);
    int fd = writer->shown->fd; /* closed by this thread alone */
    pthread_mutex_unlock(&writer->lock);
    if (fdatasync(fd) == 0)
        writer->synced = written;
}

/* Waits to be woken, or for `ms` where that is not 0. */
static void wait_for_work(sem_t *wake, uint32_t ms)
{
    struct timespec until;
    if (ms == 0) {
        sem_wait(wake);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    sem_clockwait(wake, CLOCK_MONOTONIC, &until);
}

static void *keep(void *context)
{
    struct journal_writer *writer = context;
    while (!__atomic_load_n(&writer->is_stopping, __ATOMIC_ACQUIRE)) {
        close_ended(writer);
        make_way(writer);
        sync_to_disk(writer);
        wait_for_work(&writer->keep, writer->sync_ms);
    }
    close_ended(writer);
    return NULL;
}

/* --- the helper --- */

/* One window behind `progress` is given back, one ahead is made resident. */
static void move_window(struct journal_writer *writer)
{
    pthread_mutex_lock(&writer->window);
    pthread_mutex_lock(&writer->lock);
    struct journal_segment *shown = writer->shown;
    struct journal_segment *spare = writer->spare;
    size_t progress = __atomic_load_n(&writer->progress, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&writer->lock);
    size_t here = progress - progress % writer->chunk;
    journal_segment_populate(shown, here + 2 * writer->chunk);
    journal_segment_drop(shown, here);
    bool is_late = here + 2 * writer->chunk >= shown->bytes;
    if (is_late && spare != NULL)
        journal_segment_populate(spare, writer->chunk);
    bool is_spare_due = spare == NULL && progress > shown->bytes / 2;
    pthread_mutex_unlock(&writer->window);
    /* Room is made first where the cap asks for it. */
    if (is_spare_due && __atomic_load_n(&writer->doom, __ATOMIC_ACQUIRE) == DOOM_NONE && make_spare(writer) && is_late)
        sem_post(&writer->help); /* populate it in the next round */
}

static void *help(void *context)
{
    struct journal_writer *writer = context;
    while (!__atomic_load_n(&writer->is_stopping, __ATOMIC_ACQUIRE)) {
        move_window(writer);
        if (__atomic_load_n(&writer->failure, __ATOMIC_RELAXED) != 0)
            make_spare(writer);
        bool is_failing = __atomic_load_n(&writer->failure, __ATOMIC_RELAXED) != 0;
        wait_for_work(&writer->help, is_failing ? RETRY_MS : 0);
    }
    return NULL;
}

/* --- open and close --- */

static enum err lock_folder(struct journal_writer *writer, const char *path)
{
    TRY(journal_folder_open(path, true, &writer->folder));
    return journal_folder_lock(writer->folder, &writer->lock_file);
}

static enum err start_threads(struct journal_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    /* Signals are the process's, not these threads'; SIGXFSZ becomes EFBIG. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->helper, NULL, help, writer);
    if (failed == 0 && (failed = pthread_create(&writer->keeper, NULL, keep, writer)) != 0) {
        __atomic_store_n(&writer->is_stopping, true, __ATOMIC_RELEASE);
        sem_post(&writer->help);
        pthread_join(writer->helper, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed == 0 ? ERR_NONE : ERR_IO;
}

static void configure(struct journal_writer *writer, const struct journal_config *config)
{
    memcpy(writer->epoch, config->epoch, JOURNAL_EPOCH_BYTES);
    writer->instance_size = config->instance.size < INSTANCE_MAX ? config->instance.size : INSTANCE_MAX;
    if (writer->instance_size > 0)
        memcpy(writer->instance, config->instance.data, writer->instance_size);
    writer->max_bytes = config->max_bytes;
    writer->sync_ms = config->sync_ms;
    uint64_t bytes = config->segment_bytes > 0 ? config->segment_bytes : SEGMENT_DEFAULT;
    if (config->max_bytes > 0 && bytes > config->max_bytes / 4)
        bytes = config->max_bytes / 4;
    if (bytes < JOURNAL_SEGMENT_MIN)
        bytes = JOURNAL_SEGMENT_MIN;
    if (bytes > JOURNAL_SEGMENT_MAX)
        bytes = JOURNAL_SEGMENT_MAX;
    writer->segment_bytes = (size_t)bytes & ~(size_t)0xffff;
    writer->chunk = writer->segment_bytes / 4 & ~(size_t)0xfff;
    if (writer->chunk > CHUNK_MAX)
        writer->chunk = CHUNK_MAX;
}

static enum err open_all(struct journal_writer *writer, const struct journal_config *config)
{
    TRY(lock_folder(writer, config->path));
    TRY(journal_folder_settle(writer->folder, &writer->before));
    for (size_t i = 0; i < writer->before.segment_count; i++)
        writer->closed_bytes += writer->before.segments[i].bytes;
    uint64_t now = (uint64_t)clock_ns(CLOCK_REALTIME);
    writer->epoch_started = now > writer->before.latest_start ? now : writer->before.latest_start + 1;
    if (!make_spare(writer))
        return ERR_IO;
    journal_segment_populate(writer->spare, writer->chunk);
    if (!roll(writer))
        return ERR_IO;
    return start_threads(writer);
}

static void release(struct journal_writer *writer)
{
    if (writer->spare != NULL)
        journal_segment_discard(writer->folder, writer->spare);
    while (writer->closed != NULL) {
        struct journal_segment *next = writer->closed->next;
        free(writer->closed);
        writer->closed = next;
    }
    journal_folder_forget(&writer->before);
    if (writer->lock_file >= 0)
        close(writer->lock_file);
    if (writer->folder >= 0)
        close(writer->folder);
    sem_destroy(&writer->help);
    sem_destroy(&writer->keep);
    pthread_mutex_destroy(&writer->window);
    pthread_mutex_destroy(&writer->lock);
    pthread_mutex_destroy(&writer->making);
    free(writer);
}

enum err journal_writer_open(const struct journal_config *config, struct journal_writer **out)
{
    struct journal_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return ERR_NO_MEMORY;
    writer->folder = writer->lock_file = -1;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_mutex_init(&writer->making, NULL);
    pthread_mutex_init(&writer->window, NULL);
    sem_init(&writer->help, 0, 0);
    sem_init(&writer->keep, 0, 0);
    configure(writer, config);
    enum err error = open_all(writer, config);
    if (error != ERR_NONE) {
        int kept = errno;
        if (writer->current != NULL)
            journal_segment_discard(writer->folder, writer->current);
        release(writer);
        errno = kept;
        return error;
    }
    *out = writer;
    return ERR_NONE;
}

void journal_writer_close(struct journal_writer *writer)
{
    if (writer == NULL)
        return;
    __atomic_store_n(&writer->is_stopping, true, __ATOMIC_RELEASE);
    sem_post(&writer->help);
    sem_post(&writer->keep);
    pthread_join(writer->helper, NULL);
    pthread_join(writer->keeper, NULL);
    writer->current->used = writer->at;
    journal_segment_unmap(writer->current);
    journal_segment_end(writer->current, true);
    free(writer->current);
    release(writer);
}

bool journal_writer_previous(const struct journal_writer *writer, uint8_t epoch[JOURNAL_EPOCH_BYTES],
                             uint64_t *sequence)
{
    if (!writer->before.has_last)
        return false;
    memcpy(epoch, writer->before.last.epoch, JOURNAL_EPOCH_BYTES);
    *sequence = writer->before.last.sequence;
    return true;
}
