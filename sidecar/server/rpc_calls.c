/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_calls.h"

#include "clock.h"
#include "queue_event.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { REPLY_INLINE = 1024 }; /* replies up to here stand in their slot */

/* One call of Check, from waiting for a caller to the end of its reply. */
struct slot {
    struct rpc_calls *calls;
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
    struct rpc_calls *calls = slot->calls;
    grpc_byte_buffer_reader reader;
    *out = VIEW("");
    if (slot->payload == NULL || !grpc_byte_buffer_reader_init(&reader, slot->payload))
        return REASON_REQUEST_MALFORMED;
    size_t whole = grpc_byte_buffer_length(slot->payload), size = 0;
    enum reason result = whole <= calls->gather_size ? REASON_NONE : REASON_REQUEST_SIZE;
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
            memcpy(calls->gather + size, GRPC_SLICE_START_PTR(*slice), length);
        size += length;
        *out = (struct view){.data = calls->gather, .size = size};
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
    struct rpc_calls *calls = slot->calls;
    slot->next_free = calls->free_slots;
    calls->free_slots = slot;
}

static struct slot *slot_new(struct rpc_calls *calls)
{
    struct slot *slot = calls->free_slots;
    if (slot != NULL) {
        calls->free_slots = slot->next_free;
        return slot;
    }
    slot = calls->slot_count < calls->slot_most ? calloc(1, sizeof(*slot)) : NULL;
    if (slot == NULL)
        return NULL;
    calls->slot_count++;
    slot->calls = calls;
    slot->request = grpc_empty_slice();
    return slot;
}

/* Keeps enough calls waiting for callers. */
void rpc_calls_start(struct rpc_calls *calls)
{
    while (calls->waiting < RPC_CALLS_WAITING && !atomic_load_explicit(calls->is_stopping, memory_order_relaxed)) {
        struct slot *slot = slot_new(calls);
        if (slot == NULL || !start_waiting(slot))
            return;
    }
}

static void slot_done(struct slot *slot)
{
    struct rpc_calls *calls = slot->calls;
    if (slot->is_sending || slot->is_awaiting_close)
        return;
    slot_release(slot);
    calls->busy--;
    slot_free(slot);
    rpc_calls_start(calls);
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
    slot->reply = reply_buffer(slot, &slot->calls->reply);
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
    check_refuse(slot->calls->context, &slot->check, reason, &now, &slot->calls->reply);
}

static void submit(struct slot *slot)
{
    struct rpc_calls *calls = slot->calls;
    if (worker_pool_submit(calls->pool, slot)) {
        metrics_add(calls->metrics, METRIC_CHECKS_PARKED, 1);
        metrics_add(calls->metrics, METRIC_PARKED, 1);
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
    return check_begin(slot->calls->context, &slot->check, &now, &slot->calls->reply);
}

/* A check that cannot be answered yet outlives the gathering buffer. */
static void put_off(struct slot *slot, enum check_step step)
{
    struct rpc_calls *calls = slot->calls;
    if (slot->check.bytes.data == calls->gather) {
        if (!own_bytes(slot)) {
            refuse(slot, REASON_OVERLOAD);
            step = CHECK_ANSWERED;
        } else if (step == CHECK_PARKED) {
            check_drop(calls->context, &slot->check);
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
void rpc_calls_verify(void *job)
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

static void begin_released(struct rpc_calls *calls)
{
    struct check *check;
    while ((check = check_next_released(calls->context)) != NULL) {
        struct slot *slot = QUEUE_EVENT_OWNER(check, struct slot, check);
        check->is_late = is_late(slot);
        go_on(slot, begin_again(slot));
    }
}

static void on_worked(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, worked);
    struct rpc_calls *calls = slot->calls;
    struct check_clock now = clock_now();
    (void)is_good;
    (void)atomic_exchange_explicit(&slot->is_worked, false, memory_order_acquire);
    metrics_add(calls->metrics, METRIC_PARKED, (uint64_t)-1);
    slot->check.is_late = is_late(slot);
    go_on(slot, check_resume(calls->context, &slot->check, &now, &calls->reply));
    begin_released(calls);
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
    if (accept_loop_common_peer(slot->calls->accept, slot->peer, &label))
        return label;
    char *name = grpc_call_get_peer(slot->call);
    struct view text = view_of(name);
    uint64_t fd = 0;
    bool is_known = view_starts_with(text, VIEW("fd:")) && view_to_u64(view_slice(text, 3, text.size), &fd);
    label = accept_loop_peer(slot->calls->accept, is_known && fd < INT32_MAX ? (int)fd : -1, slot->peer);
    gpr_free(name);
    return label;
}

static void decide(struct slot *slot)
{
    struct rpc_calls *calls = slot->calls;
    struct check_clock now = clock_now();
    slot->check = (struct check){.asking_peer = asking_peer(slot), .started_ns = now.boottime_ns};
    enum reason failure = request_bytes(slot, &slot->check.bytes);
    if (failure != REASON_NONE) {
        check_refuse(calls->context, &slot->check, failure, &now, &calls->reply);
        send_reply(slot);
        return;
    }
    enum check_step step = check_begin(calls->context, &slot->check, &now, &calls->reply);
    if (step == CHECK_ANSWERED)
        send_reply(slot);
    else
        put_off(slot, step);
}

static void on_matched(struct queue_event *event, bool is_good)
{
    struct slot *slot = QUEUE_EVENT_OWNER(event, struct slot, matched);
    struct rpc_calls *calls = slot->calls;
    calls->waiting--;
    if (!is_good) { /* the server is ending */
        slot_release(slot);
        slot_free(slot);
        return;
    }
    calls->busy++;
    if (calls->waiting < RPC_CALLS_WAITING / 2)
        rpc_calls_start(calls);
    decide(slot);
}

/* False: gRPC takes no more calls. */
static bool start_waiting(struct slot *slot)
{
    struct rpc_calls *calls = slot->calls;
    slot->matched.handle = on_matched;
    slot->sent.handle = on_sent;
    slot->closed.handle = on_closed;
    slot->worked.handle = on_worked;
    grpc_metadata_array_init(&slot->metadata);
    if (grpc_server_request_registered_call(calls->server, calls->method, &slot->call, &slot->deadline, &slot->metadata,
                                            &slot->payload, calls->queue, calls->queue,
                                            &slot->matched) != GRPC_CALL_OK) {
        slot_release(slot);
        slot_free(slot);
        return false;
    }
    calls->waiting++;
    return true;
}

void rpc_calls_free(struct rpc_calls *calls)
{
    while (calls->free_slots != NULL) {
        struct slot *slot = calls->free_slots;
        calls->free_slots = slot->next_free;
        free(slot);
    }
    free(calls->gather);
}
