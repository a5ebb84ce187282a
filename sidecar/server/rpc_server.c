/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_server.h"

#include "clock.h"
#include "log.h"
#include "queue_event.h"
#include "rpc_health.h"
#include "worker_pool.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum {
    WAITING_CALLS = 64, /* calls that wait for a caller at any time */
    WORKERS = 2,
    REPLY_INLINE = 1024, /* replies up to here stand in their slot */
    TICK_MILLISECONDS = 250,
    STRAY_CALLS = 2,
    GATHER_SLACK = 64 * 1024, /* beyond the configured limit, so that what is over it is seen to be */
    GRPC_MEMORY = 64 * 1024 * 1024,
};

/* One call of Check, from waiting for a caller to the end of its reply. */
struct slot {
    struct rpc_server *server;
    struct slot *next_free;
    struct queue_event matched, sent, closed, worked;
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    grpc_byte_buffer *reply;
    int is_cancelled;
    bool is_sending;
    bool is_awaiting_close; /* `closed` is to come on its own */
    atomic_bool is_worked;  /* what the pool thread wrote is seen by whoever sees this */
    struct check check;
    char *copy;         /* the request's bytes, when they outlive the gathering buffer */
    grpc_slice request; /* the one slice that the bytes stand in; empty otherwise */
    char peer[ACCEPT_LABEL_MAX];
    char reply_bytes[REPLY_INLINE];
};

/* A call of a method that is not ours. */
struct stray {
    struct rpc_server *server;
    struct queue_event matched, sent;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    int is_cancelled;
};

struct mail {
    struct mail *next;
    struct reload_outcome outcome;
};

struct rpc_server {
    const struct config *config;
    struct check_context *context;
    struct state_record *records;
    struct metrics *metrics;
    grpc_server *server;
    grpc_completion_queue *queue;
    grpc_server_credentials *credentials;
    void *method;
    struct rpc_health *health;
    struct worker_pool *pool;
    struct accept_loop *accept;
    pthread_t thread;
    bool has_thread;
    struct queue_event shut;
    struct stray strays[STRAY_CALLS];

    /* the polling thread's */
    size_t slot_count, slot_most, waiting, busy;
    struct slot *free_slots;
    struct check_reply reply;
    char *gather;
    size_t gather_size;

    /* between threads */
    pthread_mutex_t lock;
    pthread_cond_t is_idle;
    struct mail *mail, **mail_end;
    bool is_shut, is_drained;
    atomic_bool has_mail;
    atomic_bool is_ready, is_stopping;
};

static bool start_waiting(struct slot *slot);

static int64_t boottime_now(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

static struct check_clock clock_now(void)
{
    return (struct check_clock){
        .realtime_ns = clock_ns(CLOCK_REALTIME), .boottime_ns = boottime_now(), .boottime_now = boottime_now};
}

/* ---- request bytes ------------------------------------------------------- */

/* The request's bytes: where they are when they came in one slice, else put
 * together in the server's buffer (two slices are usual on a unix socket).
 * REASON_REQUEST_SIZE over the buffer, which is over the configured limit. */
static enum reason request_bytes(struct slot *slot, struct view *out)
{
    struct rpc_server *server = slot->server;
    grpc_byte_buffer_reader reader;
    *out = VIEW("");
    if (slot->payload == NULL || !grpc_byte_buffer_reader_init(&reader, slot->payload))
        return REASON_REQUEST_MALFORMED;
    size_t whole = grpc_byte_buffer_length(slot->payload), size = 0;
    enum reason result = whole <= server->gather_size ? REASON_NONE : REASON_REQUEST_SIZE;
    grpc_slice *slice = NULL;
    while (result == REASON_NONE && grpc_byte_buffer_reader_peek(&reader, &slice) != 0) {
        size_t length = GRPC_SLICE_LENGTH(*slice);
        if (length == whole) {
            *out = (struct view){.data = (const char *)GRPC_SLICE_START_PTR(*slice), .size = whole};
            slot->request = grpc_slice_ref(*slice);
            /* a short slice is the struct's own bytes, and this is the copy that stays */
            out->data = (const char *)GRPC_SLICE_START_PTR(slot->request);
            break;
        }
        if (length > 0)
            memcpy(server->gather + size, GRPC_SLICE_START_PTR(*slice), length);
        size += length;
        *out = (struct view){.data = server->gather, .size = size};
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return result;
}

/* Gives a check that is to be parked bytes of its own. */
static bool own_bytes(struct slot *slot)
{
    struct view bytes = slot->check.bytes;
    slot->copy = malloc(bytes.size);
    if (slot->copy == NULL)
        return false;
    memcpy(slot->copy, bytes.data, bytes.size);
    slot->check.bytes.data = slot->copy;
    return true;
}

/* ---- slots --------------------------------------------------------------- */

static void slot_release(struct slot *slot)
{
    if (slot->payload != NULL)
        grpc_byte_buffer_destroy(slot->payload);
    if (slot->reply != NULL)
        grpc_byte_buffer_destroy(slot->reply);
    if (slot->call != NULL)
        grpc_call_unref(slot->call);
    grpc_metadata_array_destroy(&slot->metadata);
    grpc_slice_unref(slot->request);
    free(slot->copy);
    slot->payload = NULL;
    slot->reply = NULL;
    slot->call = NULL;
    slot->copy = NULL;
    slot->request = grpc_empty_slice();
    slot->is_cancelled = 0;
}

static void slot_free(struct slot *slot)
{
    struct rpc_server *server = slot->server;
    slot->next_free = server->free_slots;
    server->free_slots = slot;
}

static struct slot *slot_new(struct rpc_server *server)
{
    struct slot *slot = server->free_slots;
    if (slot != NULL) {
        server->free_slots = slot->next_free;
        return slot;
    }
    slot = server->slot_count < server->slot_most ? calloc(1, sizeof(*slot)) : NULL;
    if (slot == NULL)
        return NULL;
    server->slot_count++;
    slot->server = server;
    slot->request = grpc_empty_slice();
    return slot;
}

/* Keeps enough calls waiting for callers. */
static void top_up(struct rpc_server *server)
{
    while (server->waiting < WAITING_CALLS && !atomic_load_explicit(&server->is_stopping, memory_order_relaxed)) {
        struct slot *slot = slot_new(server);
        if (slot == NULL || !start_waiting(slot))
            return;
    }
}

static void slot_done(struct slot *slot)
{
    struct rpc_server *server = slot->server;
    if (slot->is_sending || slot->is_awaiting_close)
        return;
    slot_release(slot);
    server->busy--;
    slot_free(slot);
    top_up(server);
}

/* ---- replies ------------------------------------------------------------- */

static grpc_byte_buffer *reply_buffer(struct slot *slot, const struct check_reply *reply)
{
    grpc_slice slice;
    if (reply->size <= REPLY_INLINE) {
        memcpy(slot->reply_bytes, reply->bytes, reply->size);
        slice = grpc_slice_from_static_buffer(slot->reply_bytes, reply->size);
    } else {
        slice = grpc_slice_from_copied_buffer(reply->bytes, reply->size);
    }
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void send_reply(struct slot *slot)
{
    slot->reply = reply_buffer(slot, &slot->server->reply);
    const grpc_op ops[4] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = slot->reply},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server.status = GRPC_STATUS_OK},
        {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &slot->is_cancelled},
    };
    slot->is_sending =
        grpc_call_start_batch(slot->call, ops, slot->is_awaiting_close ? 3 : 4, &slot->sent, NULL) == GRPC_CALL_OK;
    slot_done(slot);
}

static void on_sent(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, sent);
    (void)is_good;
    slot->is_sending = false;
    slot_done(slot);
}

/* ---- checks -------------------------------------------------------------- */

static void refuse(struct slot *slot, enum reason reason)
{
    struct check_clock now = clock_now();
    check_refuse(slot->server->context, &slot->check, reason, &now, &slot->server->reply);
}

static void submit(struct slot *slot)
{
    struct rpc_server *server = slot->server;
    if (worker_pool_submit(server->pool, slot)) {
        metrics_add(server->metrics, METRIC_CHECKS_PARKED, 1);
        metrics_add(server->metrics, METRIC_PARKED, 1);
        return;
    }
    refuse(slot, REASON_OVERLOAD);
    send_reply(slot);
}

/* Begins a check again, over bytes that stay. */
static enum check_step begin_again(struct slot *slot)
{
    struct check_clock now = clock_now();
    slot->check.is_again = true;
    return check_begin(slot->server->context, &slot->check, &now, &slot->server->reply);
}

/* A check that cannot be answered yet outlives the gathering buffer. */
static void put_off(struct slot *slot, enum check_step step)
{
    struct rpc_server *server = slot->server;
    if (slot->check.bytes.data == server->gather) {
        if (!own_bytes(slot)) {
            refuse(slot, REASON_OVERLOAD);
            step = CHECK_ANSWERED;
        } else if (step == CHECK_PARKED) {
            check_drop(server->context, &slot->check);
            step = begin_again(slot);
        }
        if (step == CHECK_ANSWERED) {
            send_reply(slot);
            return;
        }
    }
    const grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                           .data.recv_close_on_server.cancelled = &slot->is_cancelled};
    slot->is_awaiting_close = grpc_call_start_batch(slot->call, &close, 1, &slot->closed, NULL) == GRPC_CALL_OK;
    if (step == CHECK_PARKED)
        submit(slot);
}

/* On a pool thread: an empty batch puts its tag into the queue at once. From then on
 * the slot is the polling thread's again; the call is held until gRPC has let go of it. */
static void work(void *job)
{
    struct slot *slot = job;
    grpc_call *call = slot->call;
    check_work(&slot->check);
    grpc_call_ref(call);
    atomic_store_explicit(&slot->is_worked, true, memory_order_release);
    if (grpc_call_start_batch(call, NULL, 0, &slot->worked, NULL) != GRPC_CALL_OK)
        abort(); /* the call is ours and the queue outlives the pool */
    grpc_call_unref(call);
}

static void go_on(struct slot *slot, enum check_step step)
{
    if (step == CHECK_ANSWERED)
        send_reply(slot);
    else if (step == CHECK_PARKED)
        submit(slot);
}

static bool is_late(const struct slot *slot)
{
    return !slot->is_awaiting_close && slot->is_cancelled != 0;
}

static void begin_released(struct rpc_server *server)
{
    struct check *check;
    while ((check = check_next_released(server->context)) != NULL) {
        struct slot *slot = QUEUE_EVENT_OWNER(check, struct slot, check);
        check->is_late = is_late(slot);
        go_on(slot, begin_again(slot));
    }
}

static void on_worked(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, worked);
    struct rpc_server *server = slot->server;
    struct check_clock now = clock_now();
    (void)is_good;
    (void)atomic_exchange_explicit(&slot->is_worked, false, memory_order_acquire);
    metrics_add(server->metrics, METRIC_PARKED, (uint64_t)-1);
    slot->check.is_late = is_late(slot);
    go_on(slot, check_resume(server->context, &slot->check, &now, &server->reply));
    begin_released(server);
}

static void on_closed(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, closed);
    (void)is_good;
    slot->is_awaiting_close = false;
    if (slot->reply != NULL) /* else it is still being judged */
        slot_done(slot);
}

/* gRPC names a connection that it was given "fd:N". */
static struct view asking_peer(struct slot *slot)
{
    struct view label;
    if (accept_loop_common_peer(slot->server->accept, slot->peer, &label))
        return label;
    char *name = grpc_call_get_peer(slot->call);
    struct view text = view_of(name);
    uint64_t fd = 0;
    bool is_known = view_starts_with(text, VIEW("fd:")) && view_to_u64(view_slice(text, 3, text.size), &fd);
    label = accept_loop_peer(slot->server->accept, is_known && fd < INT32_MAX ? (int)fd : -1, slot->peer);
    gpr_free(name);
    return label;
}

static void decide(struct slot *slot)
{
    struct rpc_server *server = slot->server;
    struct check_clock now = clock_now();
    slot->check = (struct check){.asking_peer = asking_peer(slot), .started_ns = now.boottime_ns};
    enum reason failure = request_bytes(slot, &slot->check.bytes);
    if (failure != REASON_NONE) {
        check_refuse(server->context, &slot->check, failure, &now, &server->reply);
        send_reply(slot);
        return;
    }
    enum check_step step = check_begin(server->context, &slot->check, &now, &server->reply);
    if (step == CHECK_ANSWERED)
        send_reply(slot);
    else
        put_off(slot, step);
}

static void on_matched(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, matched);
    struct rpc_server *server = slot->server;
    server->waiting--;
    if (!is_good) { /* the server is ending */
        slot_release(slot);
        slot_free(slot);
        return;
    }
    server->busy++;
    if (server->waiting < WAITING_CALLS / 2)
        top_up(server);
    decide(slot);
}

/* False: gRPC takes no more calls. */
static bool start_waiting(struct slot *slot)
{
    struct rpc_server *server = slot->server;
    slot->matched.handle = on_matched;
    slot->sent.handle = on_sent;
    slot->closed.handle = on_closed;
    slot->worked.handle = on_worked;
    grpc_metadata_array_init(&slot->metadata);
    if (grpc_server_request_registered_call(server->server, server->method, &slot->call, &slot->deadline,
                                            &slot->metadata, &slot->payload, server->queue, server->queue,
                                            &slot->matched) != GRPC_CALL_OK) {
        slot_release(slot);
        slot_free(slot);
        return false;
    }
    server->waiting++;
    return true;
}

/* ---- methods that are not ours ------------------------------------------- */

static void stray_wait(struct stray *stray)
{
    grpc_metadata_array_init(&stray->metadata);
    grpc_call_details_init(&stray->details);
    (void)grpc_server_request_call(stray->server->server, &stray->call, &stray->details, &stray->metadata,
                                   stray->server->queue, stray->server->queue, &stray->matched);
}

static void stray_release(struct stray *stray)
{
    grpc_metadata_array_destroy(&stray->metadata);
    grpc_call_details_destroy(&stray->details);
    if (stray->call != NULL)
        grpc_call_unref(stray->call);
    stray->call = NULL;
}

static void on_stray_sent(struct queue_event *event, bool is_good)
{
    struct stray *stray = QUEUE_EVENT_OWNER(event, struct stray, sent);
    (void)is_good;
    stray_release(stray);
    if (!atomic_load(&stray->server->is_stopping))
        stray_wait(stray);
}

static void on_stray_matched(struct queue_event *event, bool is_good)
{
    struct stray *stray = QUEUE_EVENT_OWNER(event, struct stray, matched);
    const grpc_op ops[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server.status = GRPC_STATUS_UNIMPLEMENTED},
        {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &stray->is_cancelled},
    };
    if (!is_good || grpc_call_start_batch(stray->call, ops, 3, &stray->sent, NULL) != GRPC_CALL_OK)
        stray_release(stray);
}

/* ---- the polling thread -------------------------------------------------- */

/* A snapshot that was said to be in force and is not would let in whom it revokes:
 * the next process reads it. */
static void cannot_take(void)
{
    log_line(LOG_ERROR, log_say("no memory for the new snapshot"));
    abort();
}

static void take_outcome(struct rpc_server *server, const struct reload_outcome *outcome)
{
    const struct snapshot *before = check_context_snapshot(server->context);
    if (server->records != NULL && outcome->snapshot != NULL)
        state_record_change(server->records, before, outcome->snapshot);
    if (server->records != NULL && outcome->error == ERR_NONE && !outcome->is_under_way)
        state_record_mended(server->records);
    if (server->records != NULL && outcome->error != ERR_NONE)
        state_record_refusal(server->records, outcome->snapshot != NULL ? outcome->snapshot : before, outcome);
    if (outcome->snapshot == NULL || outcome->snapshot == before)
        return;
    if (check_context_replace(server->context, outcome->snapshot) != ERR_NONE)
        cannot_take();
}

static void take_mail(struct rpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct mail *mail = server->mail;
    server->mail = NULL;
    server->mail_end = &server->mail;
    atomic_store(&server->has_mail, false);
    pthread_mutex_unlock(&server->lock);
    while (mail != NULL) {
        struct mail *next = mail->next;
        take_outcome(server, &mail->outcome);
        snapshot_drop(mail->outcome.snapshot);
        free(mail);
        mail = next;
    }
}

static void tick(struct rpc_server *server)
{
    bool is_stopping = atomic_load(&server->is_stopping);
    rpc_health_set(server->health, atomic_load(&server->is_ready) && !is_stopping);
    if (is_stopping)
        rpc_health_stop(server->health);
    pthread_mutex_lock(&server->lock);
    if (server->is_shut && server->busy == 0 && !server->is_drained) {
        server->is_drained = true;
        pthread_cond_broadcast(&server->is_idle);
    }
    pthread_mutex_unlock(&server->lock);
}

static void on_shut(struct queue_event *event, bool is_good)
{
    struct rpc_server *server = QUEUE_EVENT_OWNER(event, struct rpc_server, shut);
    (void)is_good;
    pthread_mutex_lock(&server->lock);
    server->is_shut = true;
    pthread_mutex_unlock(&server->lock);
    tick(server);
}

static gpr_timespec next_tick(void)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(TICK_MILLISECONDS, GPR_TIMESPAN));
}

static void *run(void *argument)
{
    struct rpc_server *server = argument;
    gpr_timespec deadline = next_tick();
    for (;;) {
        grpc_event event = grpc_completion_queue_next(server->queue, deadline, NULL);
        if (atomic_load_explicit(&server->has_mail, memory_order_acquire))
            take_mail(server);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type == GRPC_OP_COMPLETE) {
            struct queue_event *ours = event.tag;
            ours->handle(ours, event.success != 0);
        } else {
            tick(server);
            deadline = next_tick();
        }
    }
}

/* ---- start and stop ------------------------------------------------------ */

static grpc_arg integer(const char *name, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)name, .value.integer = value};
}

/* docs/operations.md gives the reason of each. */
static grpc_server *create_server(const struct config *config)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("checks");
    grpc_resource_quota_resize(quota, GRPC_MEMORY);
    grpc_arg args[] = {
        integer(GRPC_ARG_MINIMAL_STACK, 1),
        integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)config->limits.streams),
        integer(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024),
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 16 * 1024 * 1024),
        integer(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, 64 * 1024),
        integer(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 16 * 1024),
        integer(GRPC_ARG_HTTP2_HPACK_TABLE_SIZE_DECODER, 4096),
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, 30 * 1000),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10 * 1000),
        integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5 * 1000),
        integer(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2),
        integer(GRPC_ARG_HTTP2_BDP_PROBE, 1),
        integer(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
        integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer(GRPC_ARG_ENABLE_CHANNELZ, 0),
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args channel_args = {.num_args = sizeof(args) / sizeof(args[0]), .args = args};
    grpc_server *server = grpc_server_create(&channel_args, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

static enum err create_transport(struct rpc_server *server)
{
    grpc_init();
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    server->server = create_server(server->config);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->credentials = grpc_insecure_server_credentials_create();
    grpc_server_register_completion_queue(server->server, server->queue, NULL);
    server->method = grpc_server_register_method(server->server, "/envoy.service.auth.v3.Authorization/Check", NULL,
                                                 GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    if (server->method == NULL)
        return ERR_CONFLICT;
    TRY(rpc_health_open(server->server, server->queue, &server->health));
    grpc_server_start(server->server);
    return ERR_NONE;
}

static void serve_connection(void *context, int fd)
{
    struct rpc_server *server = context;
    grpc_server_add_channel_from_fd(server->server, fd, server->credentials);
}

static void begin_calls(struct rpc_server *server)
{
    server->shut.handle = on_shut;
    top_up(server);
    rpc_health_set(server->health, atomic_load(&server->is_ready));
    rpc_health_start(server->health);
    for (size_t i = 0; i < STRAY_CALLS; i++) {
        struct stray *stray = &server->strays[i];
        stray->server = server;
        stray->matched.handle = on_stray_matched;
        stray->sent.handle = on_stray_sent;
        stray_wait(stray);
    }
}

static enum err begin(struct rpc_server *server, const struct rpc_server_config *config)
{
    const struct worker_pool_config pool = {.threads = WORKERS, .capacity = config->config->limits.queue, .work = work};
    const struct accept_loop_config accept = {.listeners = config->listeners,
                                              .listener_count = config->listener_count,
                                              .connections = config->config->limits.connections,
                                              .metrics = config->metrics,
                                              .serve = serve_connection,
                                              .context = server};
    server->gather_size = (size_t)config->config->limits.request_bytes + GATHER_SLACK;
    server->gather = malloc(server->gather_size);
    if (server->gather == NULL)
        return ERR_NO_MEMORY;
    TRY(create_transport(server));
    TRY(worker_pool_open(&pool, &server->pool));
    begin_calls(server);
    /* The loop is known before a connection can be: what it accepts is handled by the thread started next. */
    TRY(accept_loop_open(&accept, &server->accept));
    if (pthread_create(&server->thread, NULL, run, server) != 0)
        return ERR_IO;
    server->has_thread = true;
    return ERR_NONE;
}

enum err rpc_server_open(const struct rpc_server_config *config, struct rpc_server **out)
{
    struct rpc_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return ERR_NO_MEMORY;
    server->config = config->config;
    server->context = config->context;
    server->records = config->records;
    server->metrics = config->metrics;
    server->mail_end = &server->mail;
    const struct snapshot *snapshot = check_context_snapshot(config->context);
    atomic_init(&server->is_ready, snapshot->is_ready);
    server->slot_most = WAITING_CALLS + config->config->limits.queue +
                        (size_t)config->config->limits.connections * config->config->limits.streams;
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->is_idle, NULL);
    enum err result = begin(server, config);
    if (result != ERR_NONE)
        return result; /* the process ends; half a transport cannot be taken down in order */
    *out = server;
    return ERR_NONE;
}

void rpc_server_deliver(struct rpc_server *server, const struct reload_outcome *outcome)
{
    struct mail *mail = malloc(sizeof(*mail));
    if (mail == NULL)
        cannot_take();
    *mail = (struct mail){.outcome = *outcome};
    pthread_mutex_lock(&server->lock);
    *server->mail_end = mail;
    server->mail_end = &mail->next;
    atomic_store(&server->has_mail, true);
    pthread_mutex_unlock(&server->lock);
}

void rpc_server_set_ready(struct rpc_server *server, bool is_ready)
{
    atomic_store(&server->is_ready, is_ready);
}

/* False when it is not drained in time. */
static bool wait_drained(struct rpc_server *server, int64_t milliseconds)
{
    int64_t until_ns = clock_ns(CLOCK_REALTIME) + milliseconds * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int result = 0;
    pthread_mutex_lock(&server->lock);
    while (!server->is_drained && result == 0)
        result = pthread_cond_timedwait(&server->is_idle, &server->lock, &until);
    bool is_drained = server->is_drained;
    pthread_mutex_unlock(&server->lock);
    return is_drained;
}

void rpc_server_stop(struct rpc_server *server, int64_t grace_milliseconds)
{
    /* Readiness fails first: one tick, so that whoever watches hears of it before the GOAWAY. */
    const struct timespec one_tick = {.tv_nsec = TICK_MILLISECONDS * 1000000L};
    atomic_store(&server->is_stopping, true);
    (void)nanosleep(&one_tick, NULL);
    accept_loop_stop(server->accept);
    grpc_server_shutdown_and_notify(server->server, server->queue, &server->shut);
    if (!wait_drained(server, grace_milliseconds)) {
        grpc_server_cancel_all_calls(server->server);
        (void)wait_drained(server, grace_milliseconds);
    }
    worker_pool_stop(server->pool); /* where the drain failed, the polling thread still submits: it is refused */
    grpc_completion_queue_shutdown(server->queue);
    (void)pthread_join(server->thread, NULL);
    worker_pool_close(server->pool);
    server->pool = NULL;
    server->has_thread = false;
}

static void free_slots(struct rpc_server *server)
{
    while (server->free_slots != NULL) {
        struct slot *slot = server->free_slots;
        server->free_slots = slot->next_free;
        free(slot);
    }
}

void rpc_server_close(struct rpc_server *server)
{
    if (server == NULL || server->has_thread)
        return;
    take_mail(server);
    accept_loop_close(server->accept);
    rpc_health_close(server->health);
    grpc_server_credentials_release(server->credentials);
    grpc_server_destroy(server->server);
    grpc_completion_queue_destroy(server->queue);
    grpc_shutdown_blocking();
    free_slots(server);
    free(server->gather);
    (void)pthread_mutex_destroy(&server->lock);
    (void)pthread_cond_destroy(&server->is_idle);
    free(server);
}

uint32_t rpc_server_connections(const struct rpc_server *server, size_t listener)
{
    return accept_loop_connections(server->accept, listener);
}
