/* SPDX-License-Identifier: Apache-2.0 */
#include "shipper.h"

#include "audit_event.h"
#include "clock.h"
#include "journal_reader.h"
#include "log.h"
#include "pb_writer.h"
#include "ship_position.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zmq.h>

enum {
    BEHIND_MAX = 4096, /* messages queued for one subscriber */
    LINGER_MS = 500,
    BATCH = 256, /* records between looks at anything else */
    PAUSE_MIN_MS = 1,
    PAUSE_MAX_MS = 50,
    SAVE_EVERY_MS = 1000,
    SUBSCRIPTION_MAX = 4096, /* bytes of a message from a subscriber */
    POSITION_MAX = 512,
    DRAIN_BATCHES = 4096, /* at the end: a journal that keeps growing must not hold us */
};

struct shipper {
    struct shipper_config config;
    void *context;
    void *socket;
    struct journal_reader *reader; /* NULL while there is no journal */
    struct journal_position last;  /* published */
    bool has_last;
    bool is_saved;
    bool is_warned; /* the position cannot be saved, and that was said */
    int64_t saved_at;
};

/* --- the socket --- */

static bool is_permitted(struct view endpoint)
{
    static const char *const hosts[] = {"ipc://", "tcp://127.", "tcp://[::1]:", "tcp://localhost:"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (view_starts_with(endpoint, view_of(hosts[i])))
            return true;
    }
    return false;
}

static enum err open_socket(struct shipper *shipper)
{
    static const struct {
        int option, value;
    } settings[] = {{ZMQ_SNDHWM, BEHIND_MAX}, {ZMQ_LINGER, LINGER_MS}, {ZMQ_XPUB_VERBOSE, 1}, {ZMQ_IPV6, 1}};
    int64_t most = SUBSCRIPTION_MAX;
    shipper->context = zmq_ctx_new();
    shipper->socket = shipper->context != NULL ? zmq_socket(shipper->context, ZMQ_XPUB) : NULL;
    if (shipper->socket == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (zmq_setsockopt(shipper->socket, settings[i].option, &settings[i].value, sizeof(int)) != 0)
            return ERR_IO;
    }
    if (zmq_setsockopt(shipper->socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)) != 0)
        return ERR_IO;
    mode_t before = umask(0007);
    int failed = zmq_bind(shipper->socket, shipper->config.bind);
    umask(before);
    return failed == 0 ? ERR_NONE : ERR_IO;
}

enum err shipper_open(const struct shipper_config *config, struct shipper **out)
{
    struct view endpoint = view_of(config->bind);
    if (!is_permitted(endpoint)) {
        log_line(LOG_ERROR, log_say("the tap binds to ipc:// or to a loopback address only"),
                 log_text("endpoint", endpoint));
        return ERR_INVALID;
    }
    struct shipper *shipper = calloc(1, sizeof(*shipper));
    if (shipper == NULL)
        return ERR_NO_MEMORY;
    shipper->config = *config;
    shipper->is_saved = true;
    enum err error = open_socket(shipper);
    if (error != ERR_NONE) {
        log_line(LOG_ERROR, log_say("the tap cannot be bound"), log_text("endpoint", endpoint),
                 log_text("error", view_of(zmq_strerror(zmq_errno()))));
        shipper_close(shipper);
        return error;
    }
    *out = shipper;
    return ERR_NONE;
}

/* Answers subscriptions that came in. */
static void greet(struct shipper *shipper)
{
    char message[SUBSCRIPTION_MAX];
    bool is_due = false;
    int size;
    while ((size = zmq_recv(shipper->socket, message, sizeof(message), ZMQ_DONTWAIT)) >= 0)
        is_due = is_due || (size > 0 && message[0] == 1);
    if (is_due)
        (void)zmq_send(shipper->socket, "hello", 5, ZMQ_DONTWAIT);
}

/* --- records --- */

static void publish(struct shipper *shipper, const struct journal_position *position, struct view record)
{
    struct audit_event event;
    char topic[AUDIT_TOPIC_MAX] = "v1.unknown", place[POSITION_MAX];
    size_t topic_size = strlen(topic);
    struct view instance = shipper->config.instance;
    if (audit_event_parse(record, &event) == ERR_NONE) {
        topic_size = audit_event_topic(&event, topic);
        instance = event.instance.size > 0 ? event.instance : instance;
    }
    struct pb_writer writer;
    pb_writer_init(&writer, place, sizeof(place));
    pb_writer_bytes(&writer, 1, view_slice(instance, 0, 255));
    pb_writer_bytes(&writer, 2, (struct view){(const char *)position->epoch, JOURNAL_EPOCH_BYTES});
    pb_writer_varint(&writer, 3, position->sequence);
    /* XPUB drops, it never waits; a message is sent whole or not at all. */
    (void)zmq_send(shipper->socket, topic, topic_size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    (void)zmq_send(shipper->socket, place, writer.size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    (void)zmq_send(shipper->socket, record.data, record.size, ZMQ_DONTWAIT);
    shipper->last = *position;
    shipper->has_last = true;
    shipper->is_saved = false;
}

static void open_journal(struct shipper *shipper)
{
    struct journal_position position;
    if (journal_reader_open(shipper->config.journal, false, &shipper->reader) != ERR_NONE) {
        shipper->reader = NULL;
        return;
    }
    enum err error = ship_position_read(shipper->config.journal, &position);
    if (error == ERR_NONE)
        error = journal_reader_seek(shipper->reader, &position);
    if (error != ERR_NONE)
        log_line(LOG_INFO, log_say("publishing the journal from its oldest record"),
                 log_text("position", view_of(err_text(error))));
}

/* One record. ERR_NOT_FOUND: there is nothing to do now. */
static enum err step(struct shipper *shipper)
{
    struct journal_position position;
    struct view record;
    if (shipper->reader == NULL)
        open_journal(shipper);
    if (shipper->reader == NULL)
        return ERR_NOT_FOUND;
    enum err error = journal_reader_next(shipper->reader, &position, &record);
    if (error == ERR_NONE)
        publish(shipper, &position, record);
    else if (error == ERR_MALFORMED || error == ERR_UNSUPPORTED)
        log_line(LOG_WARN, log_say("a part of the journal cannot be read; going on behind it"),
                 log_text("error", view_of(err_text(error))), log_number("sequence", position.sequence));
    return error;
}

static bool step_batch(struct shipper *shipper)
{
    enum err error = ERR_NONE;
    int done = 0;
    while (done < BATCH && (error = step(shipper)) != ERR_NOT_FOUND && error != ERR_IO)
        done++;
    return done > 0;
}

static void save(struct shipper *shipper)
{
    shipper->saved_at = clock_ms(CLOCK_MONOTONIC);
    if (shipper->is_saved || !shipper->has_last)
        return;
    shipper->is_saved = ship_position_write(shipper->config.journal, &shipper->last) == ERR_NONE;
    if (!shipper->is_saved && !shipper->is_warned)
        log_line(LOG_WARN, log_say("the position cannot be saved; a restart will publish records again"),
                 log_text("error", view_of(strerror(errno))));
    shipper->is_warned = !shipper->is_saved;
}

void shipper_run(struct shipper *shipper, const volatile sig_atomic_t *stop)
{
    int pause = PAUSE_MIN_MS;
    while (*stop == 0) {
        greet(shipper);
        bool is_busy = step_batch(shipper);
        if (is_busy)
            pause = PAUSE_MIN_MS;
        if (clock_ms(CLOCK_MONOTONIC) - shipper->saved_at >= SAVE_EVERY_MS)
            save(shipper);
        zmq_pollitem_t item = {.socket = shipper->socket, .events = ZMQ_POLLIN};
        if (is_busy || *stop != 0)
            continue;
        (void)zmq_poll(&item, 1, pause);
        pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
    }
    for (int batch = 0; batch < DRAIN_BATCHES && step_batch(shipper); batch++)
        continue;
    save(shipper);
}

void shipper_close(struct shipper *shipper)
{
    if (shipper == NULL)
        return;
    save(shipper);
    journal_reader_close(shipper->reader);
    if (shipper->socket != NULL)
        (void)zmq_close(shipper->socket);
    if (shipper->context != NULL)
        (void)zmq_ctx_term(shipper->context);
    free(shipper);
}
