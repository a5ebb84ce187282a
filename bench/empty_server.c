/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: an ext_authz handler that reads the request with Bartizan's own
 * reader and answers a static allow. One completion queue, one thread, a
 * registered method, the channel arguments of the real server.
 *
 *   empty_server SOCKET     runs until SIGTERM */
#include "check_request.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POSTED = 64, GATHER_MAX = 1 << 20 };

/* status {} and ok_response {}: an explicit allow. */
static const uint8_t ALLOW[] = {0x0a, 0x00, 0x1a, 0x00};

enum stage { STAGE_REQUEST, STAGE_REPLY };

struct slot {
    enum stage stage;
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *request;
    grpc_byte_buffer *reply; /* C core takes the slices of what it sends */
    int cancelled;
};

static struct slot slots[POSTED];
static grpc_server *server;
static grpc_completion_queue *queue;
static void *method;
static grpc_slice allow;
static struct check_request request;
static uint8_t gathered[GATHER_MAX];

static void post(struct slot *slot)
{
    *slot = (struct slot){.stage = STAGE_REQUEST};
    grpc_metadata_array_init(&slot->metadata);
    if (grpc_server_request_registered_call(server, method, &slot->call, &slot->deadline, &slot->metadata,
                                            &slot->request, queue, queue, slot) != GRPC_CALL_OK)
        abort();
}

static void read_request(grpc_byte_buffer *buffer)
{
    static const struct check_limits limits = {CHECK_HEADERS_MAX, CHECK_HEADER_BYTES_MAX, CHECK_REQUEST_BYTES_MAX};
    grpc_byte_buffer_reader reader;
    if (buffer == NULL || !grpc_byte_buffer_reader_init(&reader, buffer))
        return;
    size_t size = 0;
    grpc_slice *slice;
    while (grpc_byte_buffer_reader_peek(&reader, &slice) != 0 && size + GRPC_SLICE_LENGTH(*slice) <= sizeof gathered) {
        memcpy(gathered + size, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
        size += GRPC_SLICE_LENGTH(*slice);
    }
    struct view bytes = {.data = (const char *)gathered, .size = size};
    if (check_request_parse(bytes, &limits, &request) != REASON_NONE)
        (void)fprintf(stderr, "empty_server: a request does not parse\n");
    grpc_byte_buffer_reader_destroy(&reader);
}

static void answer(struct slot *slot)
{
    read_request(slot->request);
    slot->stage = STAGE_REPLY;
    slot->reply = grpc_raw_byte_buffer_create(&allow, 1);
    grpc_op ops[4];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = slot->reply;
    ops[2].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[3].data.recv_close_on_server.cancelled = &slot->cancelled;
    if (grpc_call_start_batch(slot->call, ops, 4, slot, NULL) != GRPC_CALL_OK)
        abort();
}

static void finish(struct slot *slot)
{
    grpc_byte_buffer_destroy(slot->request);
    grpc_byte_buffer_destroy(slot->reply);
    grpc_metadata_array_destroy(&slot->metadata);
    grpc_call_unref(slot->call);
}

static volatile sig_atomic_t is_stopping;

static void stop(int number)
{
    (void)number;
    is_stopping = 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: empty_server SOCKET\n");
        return 3;
    }
    (void)signal(SIGTERM, stop);
    grpc_init();
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_MINIMAL_STACK, .value.integer = 1},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_MAX_CONCURRENT_STREAMS, .value.integer = 256},
    };
    grpc_channel_args channel_args = {.num_args = sizeof args / sizeof args[0], .args = args};
    server = grpc_server_create(&channel_args, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    method = grpc_server_register_method(server, "/envoy.service.auth.v3.Authorization/Check", NULL,
                                         GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    char target[256];
    (void)snprintf(target, sizeof target, "unix:%s", argv[1]);
    grpc_server_credentials *plaintext = grpc_insecure_server_credentials_create();
    if (grpc_server_add_http2_port(server, target, plaintext) == 0)
        return 4;
    grpc_server_start(server);
    allow = grpc_slice_from_static_buffer(ALLOW, sizeof ALLOW);
    for (unsigned i = 0; i < POSTED; i++)
        post(&slots[i]);
    while (!is_stopping) {
        gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(1, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(queue, until, NULL);
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct slot *slot = event.tag;
        if (slot->stage == STAGE_REQUEST && event.success) {
            answer(slot);
        } else {
            if (slot->stage == STAGE_REPLY)
                finish(slot);
            post(slot);
        }
    }
    _exit(0); /* an orderly shutdown is not what is measured */
}
