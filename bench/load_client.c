/* SPDX-License-Identifier: Apache-2.0 */
/* Load over one connection, of one request file.
 *
 *   load_client SOCKET REQUEST_FILE IN_FLIGHT SECONDS
 *   load_client SOCKET REQUEST_FILE IN_FLIGHT SECONDS RATE [COLD_FILE EVERY]
 *
 * Without RATE the loop is closed: IN_FLIGHT checks at any time. With it, RATE checks
 * a second are due at even times whatever is answered (at most IN_FLIGHT at once), and
 * their latency counts from when they were due. COLD_FILE holds further requests, each
 * behind its size (4 bytes, little-endian): every EVERY-th check is the next of them,
 * once each; they are counted apart.
 *
 * Prints one line of JSON: requests, seconds, p50_us, p99_us, allowed, other, and with
 * COLD_FILE cold, cold_p50_us, cold_p99_us. "allowed" counts answers whose first field,
 * status, is empty or has code 0. */
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
    int64_t sent_ns; /* or when it was due */
    bool is_cold;
    struct call_slot *next_free;
};

struct latencies {
    uint32_t histogram[BUCKETS]; /* microseconds, the last bucket holds all above */
    uint64_t count;
};

struct load {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    void *method;
    grpc_byte_buffer *request;
    FILE *cold; /* NULL: none */
    unsigned every;
    struct call_slot slots[IN_FLIGHT_MAX];
    struct latencies warm, rare;
    uint64_t allowed, other;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static grpc_byte_buffer *buffer_of(const char *bytes, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* The next of the cold requests, or NULL. */
static grpc_byte_buffer *next_cold(struct load *load)
{
    static char bytes[REQUEST_MAX];
    uint8_t size[4];
    if (load->cold == NULL || fread(size, 1, 4, load->cold) != 4)
        return NULL;
    size_t wanted = (size_t)(size[0] | size[1] << 8 | size[2] << 16) + ((size_t)size[3] << 24);
    if (wanted > sizeof bytes || fread(bytes, 1, wanted, load->cold) != wanted)
        return NULL;
    return buffer_of(bytes, wanted);
}

static void send_one(struct load *load, struct call_slot *slot, int64_t due_ns, grpc_byte_buffer *cold)
{
    *slot = (struct call_slot){.sent_ns = due_ns, .is_cold = cold != NULL};
    slot->request = cold != NULL ? cold : grpc_byte_buffer_copy(load->request);
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
    struct latencies *latencies = slot->is_cold ? &load->rare : &load->warm;
    latencies->histogram[microseconds < BUCKETS ? microseconds : BUCKETS - 1]++;
    latencies->count++;
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

static uint32_t quantile(const struct latencies *latencies, double q)
{
    uint64_t wanted = (uint64_t)((double)latencies->count * q), seen = 0;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        seen += latencies->histogram[i];
        if (seen > wanted)
            return i;
    }
    return BUCKETS - 1;
}

static void drive(struct load *load, unsigned in_flight, int64_t until_ns)
{
    unsigned running = 0;
    for (; running < in_flight; running++)
        send_one(load, &load->slots[running], now_ns(), NULL);
    while (running > 0) {
        grpc_event event = grpc_completion_queue_next(load->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            break;
        struct call_slot *slot = event.tag;
        finish_one(load, slot);
        if (now_ns() < until_ns)
            send_one(load, slot, now_ns(), NULL);
        else
            running--;
    }
}

/* Asks the queue without waiting: a wait of gRPC's is a millisecond at least. */
static void drive_open(struct load *load, unsigned in_flight, double rate, int64_t from_ns, int64_t until_ns)
{
    struct call_slot *free_slots = NULL;
    unsigned running = 0;
    uint64_t sent = 0;
    for (unsigned i = 0; i < in_flight; i++) {
        load->slots[i].next_free = free_slots;
        free_slots = &load->slots[i];
    }
    for (;;) {
        int64_t due = from_ns + (int64_t)((double)sent * 1e9 / rate), now = now_ns();
        bool is_over = due >= until_ns;
        if (is_over && running == 0)
            return;
        if (!is_over && due <= now && free_slots != NULL) {
            struct call_slot *slot = free_slots;
            free_slots = slot->next_free;
            sent++;
            running++;
            send_one(load, slot, due, load->every != 0 && sent % load->every == 0 ? next_cold(load) : NULL);
        }
        grpc_event event = grpc_completion_queue_next(load->queue, gpr_time_0(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct call_slot *slot = event.tag;
        finish_one(load, slot);
        slot->next_free = free_slots;
        free_slots = slot;
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
    return buffer_of(bytes, size);
}

static void report(const struct load *load, double took)
{
    const struct latencies *warm = &load->warm, *rare = &load->rare;
    (void)printf("{\"requests\": %llu, \"seconds\": %.3f, \"p50_us\": %u, \"p99_us\": %u, \"allowed\": %llu, "
                 "\"other\": %llu",
                 (unsigned long long)(warm->count + rare->count), took, quantile(warm, 0.5), quantile(warm, 0.99),
                 (unsigned long long)load->allowed, (unsigned long long)load->other);
    if (load->cold != NULL)
        (void)printf(", \"cold\": %llu, \"cold_p50_us\": %u, \"cold_p99_us\": %u", (unsigned long long)rare->count,
                     quantile(rare, 0.5), quantile(rare, 0.99));
    (void)puts("}");
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6 && argc != 8) {
        (void)fprintf(stderr, "usage: load_client SOCKET REQUEST_FILE IN_FLIGHT SECONDS [RATE [COLD_FILE EVERY]]\n");
        return 3;
    }
    unsigned in_flight = (unsigned)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL), rate = argc > 5 ? strtod(argv[5], NULL) : 0;
    if (in_flight == 0 || in_flight > IN_FLIGHT_MAX || seconds <= 0 || (argc > 5 && rate <= 0))
        return 3;
    grpc_init();
    static struct load load;
    load.request = read_request(argv[2]);
    if (load.request == NULL) {
        perror(argv[2]);
        return 4;
    }
    if (argc == 8) {
        load.cold = fopen(argv[6], "rb");
        load.every = (unsigned)strtoul(argv[7], NULL, 10);
        if (load.cold == NULL || load.every == 0) {
            perror(argv[6]);
            return 4;
        }
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
    memset(&load.warm, 0, sizeof load.warm);
    load.allowed = load.other = 0;
    (void)puts("warm");
    (void)fflush(stdout);
    int64_t start = now_ns(), until = start + (int64_t)(seconds * 1e9);
    if (rate > 0)
        drive_open(&load, in_flight, rate, start, until);
    else
        drive(&load, in_flight, until);
    report(&load, (double)(now_ns() - start) / 1e9);
    grpc_byte_buffer_destroy(load.request);
    grpc_channel_destroy(load.channel);
    grpc_completion_queue_shutdown(load.queue);
    while (grpc_completion_queue_next(load.queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(load.queue);
    grpc_shutdown();
    if (load.cold != NULL)
        (void)fclose(load.cold);
    return load.warm.count > 0 ? 0 : 1;
}
