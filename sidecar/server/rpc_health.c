/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_health.h"

#include "pb_reader.h"
#include "pb_writer.h"
#include "queue_event.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stddef.h>
#include <stdlib.h>

/* Calls that may wait for a caller, or watch, at a time. */
enum { CHECK_CALLS = 2, LIST_CALLS = 1, WATCH_CALLS = 16, CALLS = CHECK_CALLS + LIST_CALLS + WATCH_CALLS };
enum { NAME_BYTES_MAX = 128, MESSAGE_BYTES_MAX = 256 };

/* grpc.health.v1.HealthCheckResponse.ServingStatus */
enum serving_status { STATUS_SERVING = 1, STATUS_NOT_SERVING = 2, STATUS_SERVICE_UNKNOWN = 3 };

enum method { METHOD_CHECK = 0, METHOD_LIST, METHOD_WATCH, METHOD_COUNT };

static const struct view services[] = {{.data = "", .size = 0},
                                       {.data = "envoy.service.auth.v3.Authorization", .size = 35}};

struct health_call {
    struct rpc_health *health;
    enum method method;
    struct queue_event matched, sent, closed;
    grpc_call *call; /* NULL: waits for a caller */
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    grpc_byte_buffer *message; /* under way */
    gpr_timespec deadline;
    int is_cancelled;
    /* METHOD_WATCH */
    bool is_known; /* the service is one of ours */
    enum serving_status told;
    bool is_sending, is_open; /* is_open: the caller has not gone */
    bool is_ended;            /* its status is sent */
};

struct rpc_health {
    grpc_server *server;
    grpc_completion_queue *queue;
    void *methods[METHOD_COUNT];
    bool is_serving;
    bool is_stopped;
    struct health_call calls[CALLS];
};

static void request(struct health_call *call);

/* ---- messages ------------------------------------------------------------ */

static grpc_byte_buffer *message_of(struct view bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes.data, bytes.size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static enum serving_status status_now(const struct rpc_health *health)
{
    return health->is_serving ? STATUS_SERVING : STATUS_NOT_SERVING;
}

static grpc_byte_buffer *status_message(enum serving_status status)
{
    char bytes[8];
    struct pb_writer writer;
    pb_writer_init(&writer, bytes, sizeof(bytes));
    pb_writer_varint(&writer, 1, status);
    return message_of(pb_writer_view(&writer));
}

static grpc_byte_buffer *list_message(const struct rpc_health *health)
{
    char bytes[MESSAGE_BYTES_MAX];
    struct pb_writer writer;
    pb_writer_init(&writer, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        size_t entry = pb_writer_open(&writer, 1);
        pb_writer_bytes(&writer, 1, services[i]);
        size_t value = pb_writer_open(&writer, 2);
        pb_writer_varint(&writer, 1, status_now(health));
        pb_writer_close(&writer, value);
        pb_writer_close(&writer, entry);
    }
    return message_of(pb_writer_view(&writer));
}

/* The service asked about; false when the message cannot be read or is too long to be one of ours. */
static bool names_our_service(grpc_byte_buffer *payload)
{
    char bytes[NAME_BYTES_MAX];
    struct view message = {.data = bytes, .size = 0};
    grpc_byte_buffer_reader reader;
    if (payload == NULL || !grpc_byte_buffer_reader_init(&reader, payload))
        return false;
    grpc_slice *slice = NULL;
    bool fits = true;
    while (fits && grpc_byte_buffer_reader_peek(&reader, &slice) != 0) {
        size_t size = GRPC_SLICE_LENGTH(*slice);
        fits = size <= sizeof(bytes) - message.size;
        if (fits && size > 0)
            memcpy(bytes + message.size, GRPC_SLICE_START_PTR(*slice), size);
        message.size += fits ? size : 0;
    }
    grpc_byte_buffer_reader_destroy(&reader);
    struct view name = VIEW("");
    struct pb_reader fields;
    struct pb_field field;
    pb_reader_init(&fields, message);
    while (pb_reader_next(&fields, &field))
        if (field.number == 1 && field.wire == PB_BYTES)
            name = field.bytes;
    for (size_t i = 0; fits && !fields.is_broken && i < sizeof(services) / sizeof(services[0]); i++)
        if (view_equals(services[i], name))
            return true;
    return false;
}

/* ---- calls --------------------------------------------------------------- */

static void release(struct health_call *call)
{
    if (call->payload != NULL)
        grpc_byte_buffer_destroy(call->payload);
    if (call->message != NULL)
        grpc_byte_buffer_destroy(call->message);
    if (call->call != NULL)
        grpc_call_unref(call->call);
    grpc_metadata_array_destroy(&call->metadata);
    call->payload = NULL;
    call->message = NULL;
    call->call = NULL;
    call->is_sending = call->is_open = call->is_ended = false;
}

static void again(struct health_call *call)
{
    release(call);
    grpc_metadata_array_init(&call->metadata);
    if (!call->health->is_stopped)
        request(call);
}

static void request(struct health_call *call)
{
    struct rpc_health *health = call->health;
    if (grpc_server_request_registered_call(health->server, health->methods[call->method], &call->call, &call->deadline,
                                            &call->metadata, &call->payload, health->queue, health->queue,
                                            &call->matched) != GRPC_CALL_OK)
        release(call);
}

static void start(struct health_call *call, const grpc_op *ops, size_t count, struct queue_event *tag)
{
    if (grpc_call_start_batch(call->call, ops, count, tag, NULL) == GRPC_CALL_OK)
        call->is_sending = call->is_sending || tag == &call->sent;
}

/* Check and List: one answer and the end. */
static void answer_once(struct health_call *call)
{
    bool is_known = call->method == METHOD_LIST || names_our_service(call->payload);
    if (is_known)
        call->message =
            call->method == METHOD_LIST ? list_message(call->health) : status_message(status_now(call->health));
    grpc_op ops[4] = {
        {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->is_cancelled},
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
         .data.send_status_from_server.status = is_known ? GRPC_STATUS_OK : GRPC_STATUS_NOT_FOUND},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->message},
    };
    start(call, ops, is_known ? 4 : 3, &call->sent);
}

static void watch_tell(struct health_call *call, bool is_first)
{
    call->told = call->is_known ? status_now(call->health) : STATUS_SERVICE_UNKNOWN;
    call->message = status_message(call->told);
    grpc_op ops[2] = {
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->message},
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
    };
    start(call, ops, is_first ? 2 : 1, &call->sent);
}

static void watch_end(struct health_call *call)
{
    grpc_op end = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                   .data.send_status_from_server.status = GRPC_STATUS_UNAVAILABLE};
    call->is_ended = true;
    start(call, &end, 1, &call->sent);
}

/* Goes on with a watch that has nothing under way. */
static void watch_advance(struct health_call *call)
{
    enum serving_status now = call->is_known ? status_now(call->health) : STATUS_SERVICE_UNKNOWN;
    if (call->is_sending)
        return;
    if (!call->is_open)
        again(call);
    else if (call->health->is_stopped && !call->is_ended)
        watch_end(call);
    else if (!call->is_ended && call->told != now)
        watch_tell(call, false);
}

static void watch_begin(struct health_call *call)
{
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->is_cancelled};
    call->is_known = names_our_service(call->payload);
    call->is_open = true;
    start(call, &close, 1, &call->closed);
    watch_tell(call, true);
}

/* ---- events -------------------------------------------------------------- */

static void on_matched(struct queue_event *event, bool is_good)
{
    struct health_call *call = QUEUE_EVENT_OWNER(event, struct health_call, matched);
    if (!is_good) /* the server is ending */
        release(call);
    else if (call->method == METHOD_WATCH)
        watch_begin(call);
    else
        answer_once(call);
}

static void on_sent(struct queue_event *event, bool is_good)
{
    struct health_call *call = QUEUE_EVENT_OWNER(event, struct health_call, sent);
    (void)is_good;
    call->is_sending = false;
    if (call->method != METHOD_WATCH) {
        again(call);
        return;
    }
    if (call->message != NULL)
        grpc_byte_buffer_destroy(call->message);
    call->message = NULL;
    watch_advance(call);
}

static void on_closed(struct queue_event *event, bool is_good)
{
    struct health_call *call = QUEUE_EVENT_OWNER(event, struct health_call, closed);
    (void)is_good;
    call->is_open = false;
    watch_advance(call);
}

/* ---- the service --------------------------------------------------------- */

enum err rpc_health_open(grpc_server *server, grpc_completion_queue *queue, struct rpc_health **out)
{
    static const char *const names[METHOD_COUNT] = {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List",
                                                    "/grpc.health.v1.Health/Watch"};
    struct rpc_health *health = calloc(1, sizeof(*health));
    if (health == NULL)
        return ERR_NO_MEMORY;
    health->server = server;
    health->queue = queue;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        health->methods[i] =
            grpc_server_register_method(server, names[i], NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        if (health->methods[i] == NULL) {
            free(health);
            return ERR_CONFLICT;
        }
    }
    for (size_t i = 0; i < CALLS; i++) {
        struct health_call *call = &health->calls[i];
        call->health = health;
        call->method = i < CHECK_CALLS ? METHOD_CHECK : i < CHECK_CALLS + LIST_CALLS ? METHOD_LIST : METHOD_WATCH;
        call->matched.handle = on_matched;
        call->sent.handle = on_sent;
        call->closed.handle = on_closed;
        grpc_metadata_array_init(&call->metadata);
    }
    *out = health;
    return ERR_NONE;
}

void rpc_health_start(struct rpc_health *health)
{
    for (size_t i = 0; i < CALLS; i++)
        request(&health->calls[i]);
}

static void advance_all(struct rpc_health *health)
{
    for (size_t i = 0; i < CALLS; i++)
        if (health->calls[i].method == METHOD_WATCH && health->calls[i].call != NULL && health->calls[i].is_open)
            watch_advance(&health->calls[i]);
}

void rpc_health_set(struct rpc_health *health, bool is_serving)
{
    if (health->is_serving == is_serving)
        return;
    health->is_serving = is_serving;
    advance_all(health);
}

void rpc_health_stop(struct rpc_health *health)
{
    health->is_stopped = true;
    advance_all(health);
}

void rpc_health_close(struct rpc_health *health)
{
    free(health);
}
