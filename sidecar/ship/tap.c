/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include "journal_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

enum { BEHIND_MAX = 100000, FRAME_MAX_BYTES = 4 * JOURNAL_RECORD_MAX };

struct tap {
    void *context;
    void *socket;
    zmq_msg_t record;
    bool is_ready;
};

static enum err connect_socket(struct tap *tap, const char *endpoint, struct view topic)
{
    int behind = BEHIND_MAX, linger = 0, ipv6 = 1;
    int64_t most = FRAME_MAX_BYTES;
    tap->socket = zmq_socket(tap->context, ZMQ_SUB);
    if (tap->socket == NULL)
        return ERR_NO_MEMORY;
    /* `hello` last: the publisher then has the topic when it answers. */
    bool is_good = zmq_setsockopt(tap->socket, ZMQ_RCVHWM, &behind, sizeof(behind)) == 0 &&
                   zmq_setsockopt(tap->socket, ZMQ_LINGER, &linger, sizeof(linger)) == 0 &&
                   zmq_setsockopt(tap->socket, ZMQ_IPV6, &ipv6, sizeof(ipv6)) == 0 &&
                   zmq_setsockopt(tap->socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0 &&
                   zmq_setsockopt(tap->socket, ZMQ_SUBSCRIBE, topic.data != NULL ? topic.data : "", topic.size) == 0 &&
                   zmq_setsockopt(tap->socket, ZMQ_SUBSCRIBE, "hello", 5) == 0 &&
                   zmq_connect(tap->socket, endpoint) == 0;
    return is_good ? ERR_NONE : ERR_IO;
}

enum err tap_open(const char *endpoint, struct view topic, struct tap **out)
{
    struct tap *tap = calloc(1, sizeof(*tap));
    if (tap == NULL)
        return ERR_NO_MEMORY;
    zmq_msg_init(&tap->record);
    tap->context = zmq_ctx_new();
    enum err error = tap->context != NULL ? connect_socket(tap, endpoint, topic) : ERR_NO_MEMORY;
    if (error != ERR_NONE) {
        int kept = errno;
        tap_close(tap);
        errno = kept;
        return error;
    }
    *out = tap;
    return ERR_NONE;
}

void tap_close(struct tap *tap)
{
    if (tap == NULL)
        return;
    zmq_msg_close(&tap->record);
    if (tap->socket != NULL)
        zmq_close(tap->socket);
    if (tap->context != NULL)
        zmq_ctx_term(tap->context);
    free(tap);
}

/* Reads one message, of which the last frame stays in tap->record; its number of frames, or 0. */
static size_t receive(struct tap *tap, bool *is_hello)
{
    size_t frames = 0;
    do {
        zmq_msg_close(&tap->record);
        zmq_msg_init(&tap->record);
        if (zmq_msg_recv(&tap->record, tap->socket, ZMQ_DONTWAIT) < 0)
            return 0;
        frames++;
    } while (zmq_msg_more(&tap->record));
    struct view last = {zmq_msg_data(&tap->record), zmq_msg_size(&tap->record)};
    *is_hello = frames == 1 && view_equals(last, VIEW("hello"));
    return frames;
}

enum err tap_next(struct tap *tap, int wait_ms, struct view *record)
{
    zmq_pollitem_t item = {.socket = tap->socket, .events = ZMQ_POLLIN};
    bool is_hello = false;
    int ready = zmq_poll(&item, 1, wait_ms);
    if (ready <= 0)
        return ready == 0 || zmq_errno() == EINTR ? ERR_NOT_FOUND : ERR_IO;
    size_t frames = receive(tap, &is_hello);
    if (is_hello) {
        tap->is_ready = true;
        return ERR_NOT_FOUND;
    }
    if (frames == 0)
        return ERR_NOT_FOUND;
    *record = (struct view){zmq_msg_data(&tap->record), zmq_msg_size(&tap->record)};
    return frames == 3 ? ERR_NONE : ERR_MALFORMED;
}

bool tap_is_ready(const struct tap *tap)
{
    return tap->is_ready;
}
