/* SPDX-License-Identifier: Apache-2.0 */
#include "health_client.h"

#include "health.pb-c.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

enum { TARGET_MAX = 512 };

struct call {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    grpc_call *call;
    grpc_byte_buffer *request, *answer;
    grpc_metadata_array first, last;
    grpc_slice details;
    grpc_status_code code;
};

/* A proxy of the environment must not be asked about a neighbour in the pod. */
static grpc_channel *channel_open(const struct listener_config *listener)
{
    char target[TARGET_MAX];
    int size = listener->kind == LISTENER_UNIX
                   ? snprintf(target, sizeof target, "unix:%s", listener->path)
                   : snprintf(target, sizeof target, strchr(listener->host, ':') ? "ipv6:[%s]:%u" : "ipv4:%s:%u",
                              listener->host, listener->port);
    if (size < 0 || (size_t)size >= sizeof target)
        return NULL;
    char no_proxy[] = GRPC_ARG_ENABLE_HTTP_PROXY, authority[] = GRPC_ARG_DEFAULT_AUTHORITY, localhost[] = "localhost";
    grpc_arg arguments[] = {{.type = GRPC_ARG_INTEGER, .key = no_proxy, .value.integer = 0},
                            {.type = GRPC_ARG_STRING, .key = authority, .value.string = localhost}};
    const grpc_channel_args all = {.num_args = 2, .args = arguments};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, plain, &all);
    grpc_channel_credentials_release(plain);
    return channel;
}

static void drain(grpc_completion_queue *queue)
{
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(queue);
}

static void call_close(struct call *call)
{
    if (call->call != NULL)
        grpc_call_unref(call->call);
    if (call->channel != NULL)
        grpc_channel_destroy(call->channel);
    if (call->queue != NULL)
        drain(call->queue);
    if (call->request != NULL)
        grpc_byte_buffer_destroy(call->request);
    if (call->answer != NULL)
        grpc_byte_buffer_destroy(call->answer);
    grpc_metadata_array_destroy(&call->first);
    grpc_metadata_array_destroy(&call->last);
    grpc_slice_unref(call->details);
    grpc_shutdown();
}

static bool call_run(struct call *call, const struct listener_config *listener, gpr_timespec deadline)
{
    call->channel = channel_open(listener);
    call->queue = grpc_completion_queue_create_for_next(NULL);
    call->request = grpc_raw_byte_buffer_create(NULL, 0); /* the empty request asks about the server as a whole */
    if (call->channel == NULL)
        return false;
    call->call =
        grpc_channel_create_call(call->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->queue,
                                 grpc_slice_from_static_string("/grpc.health.v1.Health/Check"), NULL, deadline, NULL);
    const grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->first},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->answer},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {
             .trailing_metadata = &call->last, .status = &call->code, .status_details = &call->details}}};
    if (grpc_call_start_batch(call->call, ops, sizeof ops / sizeof ops[0], call, NULL) != GRPC_CALL_OK)
        return false;
    /* The batch ends by the call's own deadline. */
    return grpc_completion_queue_next(call->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type == GRPC_OP_COMPLETE;
}

static enum err read_answer(const struct call *call, bool *is_serving)
{
    grpc_byte_buffer_reader reader;
    if (call->answer == NULL || !grpc_byte_buffer_reader_init(&reader, call->answer))
        return ERR_MALFORMED;
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    Grpc__Health__V1__HealthCheckResponse *answer =
        grpc__health__v1__health_check_response__unpack(NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_reader_destroy(&reader);
    if (answer == NULL)
        return ERR_MALFORMED;
    *is_serving = answer->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    grpc__health__v1__health_check_response__free_unpacked(answer, NULL);
    return ERR_NONE;
}

enum err health_check(const struct listener_config *listener, int timeout_ms, bool *is_serving, int *rpc_code)
{
    grpc_init();
    AUTO(call_close) struct call call = {.details = grpc_empty_slice()};
    grpc_metadata_array_init(&call.first);
    grpc_metadata_array_init(&call.last);
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    if (!call_run(&call, listener, deadline))
        return ERR_IO;
    *rpc_code = (int)call.code;
    if (call.code == GRPC_STATUS_UNAVAILABLE || call.code == GRPC_STATUS_DEADLINE_EXCEEDED)
        return ERR_IO;
    return call.code == GRPC_STATUS_OK ? read_answer(&call, is_serving) : ERR_UNSUPPORTED;
}
