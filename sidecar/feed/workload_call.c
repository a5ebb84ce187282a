/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdlib.h>

enum { TAG_SENT = 0, TAG_MESSAGE, TAG_STATUS, TAGS };

struct tag {
    struct workload_call *call;
    int what;
};

struct workload_call {
    grpc_channel *channel;
    grpc_call *call;
    grpc_byte_buffer *request, *message;
    grpc_metadata_array first, last;
    grpc_slice details;
    grpc_status_code code;
    struct tag tags[TAGS];
    unsigned pending; /* batches that have not come out of the queue */
    bool has_ended;   /* the status is known */
};

static grpc_channel *channel_open(const char *target)
{
    char no_proxy[] = GRPC_ARG_ENABLE_HTTP_PROXY, authority[] = GRPC_ARG_DEFAULT_AUTHORITY, localhost[] = "localhost";
    char own_pool[] = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, no_retries[] = GRPC_ARG_ENABLE_RETRIES;
    char most[] = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, no_service_config[] = GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION;
    /* A pool of its own: how long to wait after a failure is the feed's to say alone. */
    grpc_arg arguments[] = {{.type = GRPC_ARG_INTEGER, .key = no_proxy, .value.integer = 0},
                            {.type = GRPC_ARG_STRING, .key = authority, .value.string = localhost},
                            {.type = GRPC_ARG_INTEGER, .key = own_pool, .value.integer = 1},
                            {.type = GRPC_ARG_INTEGER, .key = no_retries, .value.integer = 0},
                            {.type = GRPC_ARG_INTEGER, .key = no_service_config, .value.integer = 1},
                            {.type = GRPC_ARG_INTEGER, .key = most, .value.integer = WORKLOAD_MESSAGE_BYTES_MAX}};
    const grpc_channel_args all = {.num_args = sizeof arguments / sizeof arguments[0], .args = arguments};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, plain, &all);
    grpc_channel_credentials_release(plain);
    return channel;
}

static bool start(struct workload_call *call, const grpc_op *ops, size_t count, int what)
{
    if (grpc_call_start_batch(call->call, ops, count, &call->tags[what], NULL) != GRPC_CALL_OK)
        return false;
    call->pending++;
    return true;
}

static bool start_message(struct workload_call *call)
{
    const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->message};
    return start(call, &op, 1, TAG_MESSAGE);
}

/* The status first: whatever fails after it, the call comes to an end in the queue. */
static bool start_all(struct workload_call *call)
{
    grpc_metadata required = {.key = grpc_slice_from_static_string("workload.spiffe.io"),
                              .value = grpc_slice_from_static_string("true")};
    const grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                            .data.recv_status_on_client = {.trailing_metadata = &call->last,
                                                           .status = &call->code,
                                                           .status_details = &call->details}};
    const grpc_op request[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA, .data.send_initial_metadata = {.count = 1, .metadata = &required}},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->first}};
    if (!start(call, &status, 1, TAG_STATUS))
        return false;
    if (!start(call, request, sizeof request / sizeof request[0], TAG_SENT) || !start_message(call))
        workload_call_cancel(call);
    return true;
}

enum err workload_call_open(enum workload_kind kind, const char *target, grpc_completion_queue *queue,
                            struct workload_call **out)
{
    static const char *const methods[WORKLOAD_KINDS] = {"/SpiffeWorkloadAPI/FetchX509Bundles",
                                                        "/SpiffeWorkloadAPI/FetchJWTBundles"};
    struct workload_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < TAGS; i++)
        call->tags[i] = (struct tag){.call = call, .what = i};
    call->details = grpc_empty_slice();
    grpc_metadata_array_init(&call->first);
    grpc_metadata_array_init(&call->last);
    call->request = grpc_raw_byte_buffer_create(NULL, 0); /* both requests are empty messages */
    call->channel = channel_open(target);
    if (call->channel != NULL)
        call->call = grpc_channel_create_call(call->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                              grpc_slice_from_static_string(methods[kind]), NULL,
                                              gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    if (call->call == NULL || !start_all(call)) {
        workload_call_close(call);
        return ERR_IO;
    }
    *out = call;
    return ERR_NONE;
}

enum workload_event workload_call_event(void *tag, bool is_good, struct workload_call **out)
{
    struct tag *event = tag;
    struct workload_call *call = event->call;
    *out = call;
    call->pending--;
    if (event->what == TAG_MESSAGE && is_good && call->message != NULL)
        return WORKLOAD_MESSAGE;
    call->has_ended = call->has_ended || event->what == TAG_STATUS;
    return call->has_ended && call->pending == 0 ? WORKLOAD_END : WORKLOAD_SENT;
}

enum err workload_call_message(struct workload_call *call, struct arena *arena, struct view *out)
{
    grpc_byte_buffer_reader reader;
    enum err result = ERR_NO_MEMORY;
    if (grpc_byte_buffer_reader_init(&reader, call->message)) {
        grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
        *out = arena_copy(arena, (struct view){(const char *)GRPC_SLICE_START_PTR(bytes), GRPC_SLICE_LENGTH(bytes)});
        result = view_is_present(*out) ? ERR_NONE : ERR_NO_MEMORY;
        grpc_slice_unref(bytes);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(call->message);
    call->message = NULL;
    if (!start_message(call))
        workload_call_cancel(call);
    return result;
}

grpc_status_code workload_call_code(const struct workload_call *call)
{
    return call->code;
}

struct view workload_call_details(const struct workload_call *call)
{
    return (struct view){(const char *)GRPC_SLICE_START_PTR(call->details), GRPC_SLICE_LENGTH(call->details)};
}

void workload_call_cancel(struct workload_call *call)
{
    (void)grpc_call_cancel(call->call, NULL);
}

void workload_call_close(struct workload_call *call)
{
    if (call == NULL)
        return;
    if (call->call != NULL)
        grpc_call_unref(call->call);
    if (call->channel != NULL)
        grpc_channel_destroy(call->channel);
    if (call->request != NULL)
        grpc_byte_buffer_destroy(call->request);
    if (call->message != NULL)
        grpc_byte_buffer_destroy(call->message);
    grpc_metadata_array_destroy(&call->first);
    grpc_metadata_array_destroy(&call->last);
    grpc_slice_unref(call->details);
    free(call);
}
