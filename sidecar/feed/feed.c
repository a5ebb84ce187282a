/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include "backoff.h"
#include "clock.h"
#include "feed_files.h"
#include "folder_file.h"
#include "log.h"
#include "workload_call.h"

#include <errno.h>
#include <fcntl.h>
#include <grpc/support/time.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK = 500,             /* milliseconds: how often signals are looked for */
    SILENCE_MOST = 10000,   /* until the first good message of a stream */
    AT_ONCE_LEAST = 1000,   /* between two attempts without a pause */
    UNWRITTEN_PAUSE = 1000, /* until a message that could not be written is asked for again */
    REFUSED_PAUSE = 300000, /* after an answer that trying again does not change */
    CONFIRM_LEAST = 500,
    CONFIRM_MOST = 300000,
    MESSAGE_MEMORY = 96 * 1024 * 1024, /* most that one message may take, all of its forms */
    FOLDER_MODE = 0750,
};

enum why_ended { BY_ITSELF = 0, TO_CONFIRM, BY_SILENCE };

struct stream {
    enum workload_kind kind;
    struct feed_stream_stamp *stamp;
    struct workload_call *call; /* NULL: none */
    struct backoff backoff;
    int64_t due;       /* CLOCK_BOOTTIME in ms: without a call when to open one, else when to end it */
    int64_t opened_ns; /* CLOCK_BOOTTIME */
    int64_t at_once;   /* ms; when it was last opened without a pause */
    enum why_ended why;
    bool has_message; /* a good one, of this call */
    bool has_taken;   /* of any since the start */
    bool is_refused;
};

struct feed {
    const struct feed_config *config;
    grpc_completion_queue *queue;
    struct stream streams[WORKLOAD_KINDS];
    size_t count;
    struct feed_stamp stamp;
    bool is_changed; /* the stamp is to be written */
};

static int64_t now_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

static struct view name_of(const struct stream *s)
{
    return view_of(workload_kind_text(s->kind));
}

/* ---- what is told -------------------------------------------------------- */

static void note_failure(struct feed *feed, struct stream *s, enum log_level level, const char *what, struct view why)
{
    char text[FEED_ERROR_MAX];
    size_t size = (size_t)snprintf(text, sizeof text, "%s%s", what, view_is_present(why) ? ": " : "");
    if (size < sizeof text)
        size += log_escape(why, text + size, sizeof text - 1 - size);
    else
        size = sizeof text - 1;
    text[size] = '\0';
    memcpy(s->stamp->error, text, size + 1);
    s->stamp->error_at = (int64_t)time(NULL);
    s->stamp->failures++;
    feed->is_changed = true;
    log_line(level, log_say(what), log_text("stream", name_of(s)), log_text("why", why));
}

static void set_state(struct feed *feed, struct stream *s, enum feed_state state)
{
    feed->is_changed = feed->is_changed || s->stamp->state != state;
    s->stamp->state = state;
}

/* ---- messages ------------------------------------------------------------ */

static struct view first_finding(const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->count; i++)
        if (diags->items[i].severity == DIAG_ERROR)
            return diags->items[i].message;
    return (struct view){0};
}

static void log_taken(const struct stream *s, const struct feed_files *files, const struct diag_list *diags)
{
    log_line(LOG_INFO, log_say("bundles written"), log_text("stream", name_of(s)),
             log_number("domains", files->domain_count), log_number("files", files->changed));
    for (size_t i = 0; i < diags->count; i++)
        if (diags->items[i].severity == DIAG_WARNING)
            log_line(LOG_WARN, log_say("part of a message is not used"), log_text("stream", name_of(s)),
                     log_text("what", diags->items[i].message));
}

static enum err write_files(struct feed *feed, struct stream *s, struct feed_files *files, struct arena *arena)
{
    const char *path = "";
    enum err result = feed_files_write(files, arena, &path);
    if (result != ERR_NONE)
        note_failure(feed, s, LOG_ERROR, "a file cannot be written",
                     arena_print(arena, "%s: %s", path, result == ERR_IO ? strerror(errno) : err_text(result)));
    return result;
}

/* Reads the message, and writes what it means; what does not hold is told, and changes nothing. */
static enum err take_message(struct feed *feed, struct stream *s, struct arena *arena)
{
    const struct config *config = feed->config->config;
    struct view bytes = {0};
    struct workload_message message;
    struct feed_files files;
    const char *why = NULL;
    struct diag_list *diags = arena_take(arena, sizeof *diags);
    enum err result = workload_call_message(s->call, arena, &bytes);
    if (result == ERR_NONE && diags != NULL)
        result = workload_message_parse(s->kind, bytes, arena, &message, &why);
    if (result != ERR_NONE || diags == NULL) {
        note_failure(feed, s, LOG_ERROR, "a message is discarded", view_of(why != NULL ? why : "out of memory"));
        return result != ERR_NONE ? result : ERR_NO_MEMORY;
    }
    diag_list_init(diags, arena);
    result = feed_files_build(config, s->kind, &message, arena, diags, &files);
    if (result != ERR_NONE) {
        struct view finding = first_finding(diags);
        note_failure(feed, s, LOG_ERROR, "a message is discarded",
                     view_is_present(finding) ? finding : view_of(err_text(result)));
        return result;
    }
    TRY(write_files(feed, s, &files, arena));
    if (files.changed > 0 || !s->has_taken)
        log_taken(s, &files, diags);
    return ERR_NONE;
}

static int64_t confirm_pause(const struct feed *feed)
{
    int64_t pause = (int64_t)feed->config->config->workload_api.max_age * 1000 / 4;
    return pause < CONFIRM_LEAST ? CONFIRM_LEAST : pause > CONFIRM_MOST ? CONFIRM_MOST : pause;
}

/* The first message of a stream is as old as the request for it, at most. */
static void confirm(struct feed *feed, struct stream *s)
{
    int64_t now = clock_ns(CLOCK_BOOTTIME);
    s->stamp->confirmed_ns = s->has_message ? now : s->opened_ns;
    s->stamp->confirmed_at = (int64_t)time(NULL);
    s->stamp->messages++;
    s->has_message = s->has_taken = true;
    s->backoff = (struct backoff){0};
    s->due = now / 1000000 + confirm_pause(feed);
    set_state(feed, s, FEED_STREAMING);
    feed->is_changed = true;
}

static void on_message(struct feed *feed, struct stream *s)
{
    struct arena arena;
    arena_init(&arena, MESSAGE_MEMORY);
    enum err result = take_message(feed, s, &arena);
    if (result == ERR_NONE)
        confirm(feed, s);
    else if (result == ERR_IO && s->has_message) /* what it takes away must go: the next stream says it again */
        s->due = now_ms() + UNWRITTEN_PAUSE;
    arena_free(&arena);
    (void)malloc_trim(0);
}

/* ---- streams ------------------------------------------------------------- */

static void wait_after_failure(struct feed *feed, struct stream *s)
{
    uint32_t random = 0;
    ssize_t ignored = getrandom(&random, sizeof random, 0); /* without it they ask in step */
    (void)ignored;
    s->due = now_ms() + backoff_next(&s->backoff, random);
    set_state(feed, s, FEED_WAITING);
}

static void open_stream(struct feed *feed, struct stream *s)
{
    s->opened_ns = clock_ns(CLOCK_BOOTTIME);
    s->has_message = false;
    s->why = BY_ITSELF;
    s->due = now_ms() + SILENCE_MOST;
    if (workload_call_open(s->kind, feed->config->target, feed->queue, &s->call) == ERR_NONE)
        return;
    s->call = NULL;
    note_failure(feed, s, LOG_ERROR, "a stream cannot be opened", (struct view){0});
    wait_after_failure(feed, s);
}

/* What was known of a workload that may know nothing now must not be used (SPIFFE_Workload_API.md section 4.4). */
static void withdraw(struct feed *feed, struct stream *s)
{
    struct arena arena;
    struct feed_files files;
    arena_init(&arena, MESSAGE_MEMORY);
    if (feed_files_none(feed->config->config, s->kind, &arena, &files) == ERR_NONE &&
        write_files(feed, s, &files, &arena) == ERR_NONE && files.changed > 0)
        log_line(LOG_WARN, log_say("bundles taken away"), log_text("stream", name_of(s)),
                 log_number("files", files.changed));
    arena_free(&arena);
}

static void refuse(struct feed *feed, struct stream *s, const char *what, struct view details)
{
    note_failure(feed, s, LOG_ERROR, what, details);
    s->is_refused = true;
    s->due = now_ms() + REFUSED_PAUSE;
    set_state(feed, s, FEED_REFUSED);
}

/* A stream that was good and ended is opened at once; one that does nothing but end is not asked all the time. */
static void open_again(struct feed *feed, struct stream *s, struct view details)
{
    int64_t now = now_ms();
    note_failure(feed, s, LOG_WARN, "the stream ended", details);
    if (now - s->at_once < AT_ONCE_LEAST) {
        wait_after_failure(feed, s);
        return;
    }
    s->at_once = s->due = now;
    set_state(feed, s, FEED_WAITING);
}

static void judge_end(struct feed *feed, struct stream *s, grpc_status_code code, struct view details)
{
    if (s->why == TO_CONFIRM) {
        s->due = now_ms();
    } else if (s->why == BY_SILENCE) {
        note_failure(feed, s, LOG_WARN, "no good message within 10 s", (struct view){0});
        wait_after_failure(feed, s);
    } else if (code == GRPC_STATUS_PERMISSION_DENIED) {
        note_failure(feed, s, LOG_ERROR, "PermissionDenied: the Workload API knows no identity of this process",
                     details);
        withdraw(feed, s);
        wait_after_failure(feed, s);
    } else if (code == GRPC_STATUS_INVALID_ARGUMENT) {
        refuse(feed, s, "InvalidArgument: the Workload API does not take the request", details);
    } else if (code == GRPC_STATUS_UNIMPLEMENTED) {
        refuse(feed, s, "Unimplemented: this is no Workload API, or one without this stream", details);
    } else if (s->has_message) {
        open_again(feed, s, details);
    } else {
        note_failure(feed, s, LOG_WARN,
                     code == GRPC_STATUS_UNAVAILABLE ? "the Workload API is not available" : "the stream failed",
                     details);
        wait_after_failure(feed, s);
    }
}

static void on_end(struct feed *feed, struct stream *s)
{
    struct workload_call *call = s->call;
    s->call = NULL;
    judge_end(feed, s, workload_call_code(call), workload_call_details(call));
    workload_call_close(call);
}

static void end_stream(struct stream *s)
{
    s->why = s->has_message ? TO_CONFIRM : BY_SILENCE;
    s->due = INT64_MAX; /* the end comes out of the queue */
    workload_call_cancel(s->call);
}

static void look_at(struct feed *feed, struct stream *s)
{
    if (now_ms() < s->due)
        return;
    if (s->call == NULL)
        open_stream(feed, s);
    else
        end_stream(s);
}

static struct stream *stream_of(struct feed *feed, const struct workload_call *call)
{
    for (size_t i = 0; i < feed->count; i++)
        if (feed->streams[i].call == call)
            return &feed->streams[i];
    return NULL;
}

static void handle(struct feed *feed, const grpc_event *event)
{
    struct workload_call *call = NULL;
    enum workload_event what = workload_call_event(event->tag, event->success != 0, &call);
    struct stream *s = stream_of(feed, call);
    if (s != NULL && what == WORKLOAD_MESSAGE)
        on_message(feed, s);
    else if (s != NULL && what == WORKLOAD_END)
        on_end(feed, s);
}

/* ---- from start to end --------------------------------------------------- */

/* A stamp that cannot be written makes what it stands for stale: it is told, and tried again. */
static void write_stamp(struct feed *feed)
{
    enum err result = feed->is_changed ? feed_stamp_write(feed->config->config, &feed->stamp) : ERR_NONE;
    if (result != ERR_NONE)
        log_line(LOG_ERROR, log_say("a file cannot be written"),
                 log_text("file", view_of(feed->config->config->workload_api.stamp)),
                 log_text("why", view_of(result == ERR_IO ? strerror(errno) : err_text(result))));
    feed->is_changed = result != ERR_NONE;
}

/* What was confirmed before a restart stays confirmed, as far as it is of this boot. */
static void start_stamp(struct feed *feed)
{
    struct feed_stamp before;
    char boot_id[FEED_BOOT_ID_MAX];
    feed_boot_id(boot_id);
    bool has_before =
        feed_stamp_read(feed->config->config, &before) == ERR_NONE && strcmp(before.boot_id, boot_id) == 0;
    memcpy(feed->stamp.boot_id, boot_id, sizeof boot_id);
    for (size_t i = 0; i < feed->count; i++) {
        struct stream *s = &feed->streams[i];
        s->stamp = &feed->stamp.streams[s->kind];
        s->stamp->state = FEED_WAITING;
        if (!has_before)
            continue;
        s->stamp->confirmed_ns = before.streams[s->kind].confirmed_ns;
        s->stamp->confirmed_at = before.streams[s->kind].confirmed_at;
    }
    feed->is_changed = true;
}

static void choose_streams(struct feed *feed)
{
    const struct config *config = feed->config->config;
    if (config->workload_api.needs_x509)
        feed->streams[feed->count++].kind = WORKLOAD_X509;
    if (config->workload_api.needs_jwt)
        feed->streams[feed->count++].kind = WORKLOAD_JWT;
    for (size_t i = 0; i < feed->count; i++)
        feed->streams[i].at_once = -AT_ONCE_LEAST;
}

static bool is_ended_by_signal(void)
{
    sigset_t signals;
    const struct timespec now = {0};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    return sigtimedwait(&signals, NULL, &now) > 0;
}

/* What --once waits for; FEED_FAILED: it is not there yet. */
static enum feed_end judge_once(const struct feed *feed)
{
    size_t taken = 0;
    for (size_t i = 0; i < feed->count; i++) {
        taken += feed->streams[i].has_taken ? 1 : 0;
        if (feed->streams[i].is_refused)
            return FEED_DENIED;
    }
    return taken == feed->count ? FEED_DONE : FEED_FAILED;
}

static void wait_for_event(struct feed *feed)
{
    int64_t now = now_ms(), until = now + TICK;
    for (size_t i = 0; i < feed->count; i++)
        until = feed->streams[i].due < until ? feed->streams[i].due : until;
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(until > now ? until - now : 0, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_next(feed->queue, deadline, NULL);
    if (event.type == GRPC_OP_COMPLETE)
        handle(feed, &event);
}

static enum feed_end keep(struct feed *feed)
{
    int64_t until = now_ms() + (int64_t)feed->config->seconds * 1000;
    while (!is_ended_by_signal()) {
        for (size_t i = 0; i < feed->count; i++)
            look_at(feed, &feed->streams[i]);
        wait_for_event(feed);
        write_stamp(feed);
        if (!feed->config->is_once)
            continue;
        enum feed_end end = judge_once(feed);
        if (end != FEED_FAILED || now_ms() >= until)
            return end != FEED_FAILED ? end : FEED_LATE;
    }
    return feed->config->is_once ? FEED_LATE : FEED_DONE;
}

/* Every call comes to its end before the queue does. */
static void close_queue(struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i++)
        if (feed->streams[i].call != NULL)
            workload_call_cancel(feed->streams[i].call);
    grpc_completion_queue_shutdown(feed->queue);
    for (;;) {
        grpc_event event = grpc_completion_queue_next(feed->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        struct workload_call *call = NULL;
        (void)workload_call_event(event.tag, false, &call);
    }
    for (size_t i = 0; i < feed->count; i++)
        workload_call_close(feed->streams[i].call);
    grpc_completion_queue_destroy(feed->queue);
}

static enum feed_end tell_folder(const struct config *config, enum feed_end end, const char *why)
{
    log_line(LOG_ERROR, log_say("the folder for bundles cannot be used"),
             log_text("folder", view_of(config->workload_api.folder)), log_text("why", view_of(why)));
    return end;
}

/* FEED_DONE and the folder, locked for as long as it is open. */
static enum feed_end open_folder(const struct config *config, int *folder)
{
    if (mkdir(config->workload_api.folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return tell_folder(config, FEED_FAILED, strerror(errno));
    *folder = open(config->workload_api.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return tell_folder(config, FEED_FAILED, strerror(errno));
    if (flock(*folder, LOCK_EX | LOCK_NB) != 0)
        return tell_folder(config, FEED_BUSY, "another feed writes there");
    return FEED_DONE;
}

enum feed_end feed_run(const struct feed_config *config)
{
    struct feed feed = {.config = config};
    AUTO(descriptor_close) int folder = -1;
    enum feed_end end = open_folder(config->config, &folder);
    if (end != FEED_DONE)
        return end;
    grpc_init();
    feed.queue = grpc_completion_queue_create_for_next(NULL);
    choose_streams(&feed);
    start_stamp(&feed);
    log_line(LOG_INFO, log_say("asking the Workload API"), log_text("endpoint", view_of(config->target)),
             log_number("streams", feed.count));
    end = keep(&feed);
    close_queue(&feed);
    grpc_shutdown();
    return end;
}
