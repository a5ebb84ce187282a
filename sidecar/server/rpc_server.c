/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_server.h"

#include "clock.h"
#include "log.h"
#include "queue_event.h"
#include "rpc_calls.h"
#include "rpc_health.h"
#include "worker_pool.h"

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum {
    WORKERS = 2,
    TICK_MILLISECONDS = 250,
    STRAY_CALLS = 2,
    GATHER_SLACK = 64 * 1024, /* beyond the configured limit, so that what is over it is seen to be */
    GRPC_MEMORY = 64 * 1024 * 1024,
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
    struct state_record *records;
    grpc_server_credentials *credentials;
    struct rpc_health *health;
    pthread_t thread;
    bool has_thread;
    struct rpc_calls calls; /* the polling thread's */
    struct queue_event shut;
    struct stray strays[STRAY_CALLS];

    /* between threads */
    pthread_mutex_t lock;
    pthread_cond_t is_idle;
    struct mail *mail, **mail_end;
    bool is_shut, is_drained;
    atomic_bool has_mail;
    atomic_bool is_ready, is_stopping;
};

/* ---- methods that are not ours ------------------------------------------- */

static void stray_wait(struct stray *stray)
{
    grpc_metadata_array_init(&stray->metadata);
    grpc_call_details_init(&stray->details);
    (void)grpc_server_request_call(stray->server->calls.server, &stray->call, &stray->details, &stray->metadata,
                                   stray->server->calls.queue, stray->server->calls.queue, &stray->matched);
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
    const struct snapshot *before = check_context_snapshot(server->calls.context);
    if (server->records != NULL && outcome->snapshot != NULL)
        state_record_change(server->records, before, outcome->snapshot);
    if (server->records != NULL && outcome->error == ERR_NONE && !outcome->is_under_way)
        state_record_mended(server->records);
    if (server->records != NULL && outcome->error != ERR_NONE)
        state_record_refusal(server->records, outcome->snapshot != NULL ? outcome->snapshot : before, outcome);
    if (outcome->snapshot == NULL || outcome->snapshot == before)
        return;
    if (check_context_replace(server->calls.context, outcome->snapshot) != ERR_NONE)
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
    if (server->is_shut && server->calls.busy == 0 && !server->is_drained) {
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
        grpc_event event = grpc_completion_queue_next(server->calls.queue, deadline, NULL);
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
    server->calls.server = create_server(server->config);
    server->calls.queue = grpc_completion_queue_create_for_next(NULL);
    server->credentials = grpc_insecure_server_credentials_create();
    grpc_server_register_completion_queue(server->calls.server, server->calls.queue, NULL);
    server->calls.method =
        grpc_server_register_method(server->calls.server, "/envoy.service.auth.v3.Authorization/Check", NULL,
                                    GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    if (server->calls.method == NULL)
        return ERR_CONFLICT;
    TRY(rpc_health_open(server->calls.server, server->calls.queue, &server->health));
    grpc_server_start(server->calls.server);
    return ERR_NONE;
}

static void serve_connection(void *context, int fd)
{
    struct rpc_server *server = context;
    grpc_server_add_channel_from_fd(server->calls.server, fd, server->credentials);
}

static void begin_calls(struct rpc_server *server)
{
    server->shut.handle = on_shut;
    rpc_calls_start(&server->calls);
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
    const struct worker_pool_config pool = {
        .threads = WORKERS, .capacity = config->config->limits.queue, .work = rpc_calls_verify};
    const struct accept_loop_config accept = {.listeners = config->listeners,
                                              .listener_count = config->listener_count,
                                              .connections = config->config->limits.connections,
                                              .metrics = config->metrics,
                                              .serve = serve_connection,
                                              .context = server};
    server->calls.gather_size = (size_t)config->config->limits.request_bytes + GATHER_SLACK;
    server->calls.gather = malloc(server->calls.gather_size);
    if (server->calls.gather == NULL)
        return ERR_NO_MEMORY;
    TRY(create_transport(server));
    TRY(worker_pool_open(&pool, &server->calls.pool));
    begin_calls(server);
    /* The loop is known before a connection can be: what it accepts is handled by the thread started next. */
    TRY(accept_loop_open(&accept, &server->calls.accept));
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
    server->calls.context = config->context;
    server->records = config->records;
    server->calls.metrics = config->metrics;
    server->mail_end = &server->mail;
    const struct snapshot *snapshot = check_context_snapshot(config->context);
    atomic_init(&server->is_ready, snapshot->is_ready);
    server->calls.is_stopping = &server->is_stopping;
    server->calls.slot_most = RPC_CALLS_WAITING + config->config->limits.queue +
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
    accept_loop_stop(server->calls.accept);
    grpc_server_shutdown_and_notify(server->calls.server, server->calls.queue, &server->shut);
    if (!wait_drained(server, grace_milliseconds)) {
        grpc_server_cancel_all_calls(server->calls.server);
        (void)wait_drained(server, grace_milliseconds);
    }
    worker_pool_stop(server->calls.pool); /* where the drain failed, the polling thread still submits: it is refused */
    grpc_completion_queue_shutdown(server->calls.queue);
    (void)pthread_join(server->thread, NULL);
    worker_pool_close(server->calls.pool);
    server->calls.pool = NULL;
    server->has_thread = false;
}

void rpc_server_close(struct rpc_server *server)
{
    if (server == NULL || server->has_thread)
        return;
    take_mail(server);
    accept_loop_close(server->calls.accept);
    rpc_health_close(server->health);
    grpc_server_credentials_release(server->credentials);
    grpc_server_destroy(server->calls.server);
    grpc_completion_queue_destroy(server->calls.queue);
    grpc_shutdown_blocking();
    rpc_calls_free(&server->calls);
    (void)pthread_mutex_destroy(&server->lock);
    (void)pthread_cond_destroy(&server->is_idle);
    free(server);
}

uint32_t rpc_server_connections(const struct rpc_server *server, size_t listener)
{
    return accept_loop_connections(server->calls.accept, listener);
}
