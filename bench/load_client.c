/* SPDX-License-Identifier: Apache-2.0 */
/* Closed-loop load: one connection, N checks in flight, one request file.
 *
 *   load_client SOCKET REQUEST_FILE IN_FLIGHT SECONDS
 *
 * Prints one line of JSON: requests, seconds, p50_us, p99_us, allowed, other.
 * "allowed" counts answers whose first field, status, is empty or has code 0. */
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IN_FLIGHT_MAX = 256, REQUEST_MAX = 1 << 20, BUCKETS = 1 << 16 };

struct call_slot {
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *request; /* C core takes the slices of what it sends */
    grpc_byte_buffer *answer;
    grpc_status_code status;
    grpc_slice details;
    int64_t sent_ns;
};

struct load {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    void *method;
    grpc_byte_buffer *request;
    struct call_slot slots[IN_FLIGHT_MAX];
    uint32_t histogram[BUCKETS]; /* microseconds, the last bucket holds all above */
    uint64_t requests, allowed, other;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void send_one(struct load *load, struct call_slot *slot)
{
    *slot = (struct call_slot){.sent_ns = now_ns()};
    slot->request = grpc_byte_buffer_copy(load->request);
    grpc_metadata_array_init(&slot->initial);
    grpc_metadata_array_init(&slot->trailing);
    slot->call = grpc_channel_create_registered_call(load->channel, NULL, 0, load->queue, load->method,
                                                     gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_op ops[6];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = slot->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &slot->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &slot->answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &slot->trailing;
    ops[5].data.recv_status_on_client.status = &slot->status;
    ops[5].data.recv_status_on_client.status_details = &slot->details;
    if (grpc_call_start_batch(slot->call, ops, 6, slot, NULL) != GRPC_CALL_OK)
        abort();
}

/* google.rpc.Status is field 1; code is its field 1. Absent or 0 is an allow. */
static bool answer_allows(grpc_byte_buffer *answer)
{
    grpc_byte_buffer_reader reader;
    if (answer == NULL || !grpc_byte_buffer_reader_init(&reader, answer))
        return false;
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    const uint8_t *bytes = GRPC_SLICE_START_PTR(slice);
    size_t size = GRPC_SLICE_LENGTH(slice);
    bool allows = size > 0 && !(size > 3 && bytes[0] == 0x0a && bytes[1] > 0 && bytes[2] == 0x08 && bytes[3] != 0);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return allows;
}

static void finish_one(struct load *load, struct call_slot *slot)
{
    int64_t microseconds = (now_ns() - slot->sent_ns) / 1000;
    load->histogram[microseconds < BUCKETS ? microseconds : BUCKETS - 1]++;
    load->requests++;
    if (slot->status == GRPC_STATUS_OK && answer_allows(slot->answer))
        load->allowed++;
    else
        load->other++;
    grpc_metadata_array_destroy(&slot->initial);
    grpc_metadata_array_destroy(&slot->trailing);
    grpc_byte_buffer_destroy(slot->answer);
    grpc_byte_buffer_destroy(slot->request);
    grpc_slice_unref(slot->details);
    grpc_call_unref(slot->call);
}

static uint32_t quantile(const struct load *load, double q)
{
    uint64_t wanted = (uint64_t)((double)load->requests * q), seen = 0;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        seen += load->histogram[i];
        if (seen > wanted)
            return i;
    }
    return BUCKETS - 1;
}

static void drive(struct load *load, unsigned in_flight, int64_t until_ns)
{
    unsigned running = 0;
    for (; running < in_flight; running++)
        send_one(load, &load->slots[running]);
    while (running > 0) {
        grpc_event event = grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            break;
        struct call_slot *slot = event.tag;
        finish_one(load, slot);
        if (now_ns() < until_ns)
            send_one(load, slot);
        else
            running--;
    }
}

static grpc_byte_buffer *read_request(const char *path)
{
    static char bytes[REQUEST_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: load_client SOCKET REQUEST_FILE IN_FLIGHT SECONDS\n");
        return 3;
    }
    unsigned in_flight = (unsigned)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    if (in_flight == 0 || in_flight > IN_FLIGHT_MAX || seconds <= 0)
        return 3;
    grpc_init();
    static struct load load;
    load.request = read_request(argv[2]);
    if (load.request == NULL) {
        perror(argv[2]);
        return 4;
    }
    char target[256];
    (void)snprintf(target, sizeof target, "unix:%s", argv[1]);
    grpc_channel_credentials *plaintext = grpc_insecure_credentials_create();
    load.channel = grpc_channel_create(target, plaintext, NULL);
    grpc_channel_credentials_release(plaintext);
    load.queue = grpc_completion_queue_create_for_next(NULL);
    load.method =
        grpc_channel_register_call(load.channel, "/envoy.service.auth.v3.Authorization/Check", "localhost", NULL);
    drive(&load, in_flight, now_ns() + 200 * 1000000LL); /* warm up */
    memset(load.histogram, 0, sizeof load.histogram);
    load.requests = load.allowed = load.other = 0;
    (void)puts("warm");
    (void)fflush(stdout);
    int64_t start = now_ns();
    drive(&load, in_flight, start + (int64_t)(seconds * 1e9));
    double took = (double)(now_ns() - start) / 1e9;
    (void)printf(
        "{\"requests\": %llu, \"seconds\": %.3f, \"p50_us\": %u, \"p99_us\": %u, \"allowed\": %llu, \"other\": %llu}\n",
        (unsigned long long)load.requests, took, quantile(&load, 0.5), quantile(&load, 0.99),
        (unsigned long long)load.allowed, (unsigned long long)load.other);
    grpc_byte_buffer_destroy(load.request);
    grpc_channel_destroy(load.channel);
    grpc_completion_queue_shutdown(load.queue);
    while (grpc_completion_queue_next(load.queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(load.queue);
    grpc_shutdown();
    return load.requests > 0 ? 0 : 1;
}
