/* SPDX-License-Identifier: Apache-2.0 */
/* The shipper in a thread, a real SUB socket at its tap. */
#include "journal_folder_support.h"

#include "pb_reader.h"
#include "ship_position.h"
#include "shipper.h"
#include "tap.h"

#include <pthread.h>
#include <time.h>
#include <zmq.h>

enum { WAIT_MS = 20000 };

struct ship {
    struct folder folder;
    char endpoint[512];
    struct shipper *shipper;
    volatile sig_atomic_t stop;
    pthread_t thread;
};

static int set_up(void **state)
{
    struct ship *ship = calloc(1, sizeof(*ship));
    folder_make(&ship->folder);
    snprintf(ship->endpoint, sizeof(ship->endpoint), "ipc://%s/tap", ship->folder.path);
    *state = ship;
    return 0;
}

static int tear_down(void **state)
{
    struct ship *ship = *state;
    folder_remove(&ship->folder);
    free(ship);
    return 0;
}

static void *run(void *context)
{
    struct ship *ship = context;
    shipper_run(ship->shipper, &ship->stop);
    return NULL;
}

static void start(struct ship *ship)
{
    struct shipper_config config = {
        .journal = ship->folder.path, .bind = ship->endpoint, .instance = VIEW("pod-by-option")};
    ship->stop = 0;
    assert_int_equal(shipper_open(&config, &ship->shipper), ERR_NONE);
    assert_int_equal(pthread_create(&ship->thread, NULL, run, ship), 0);
}

static void end(struct ship *ship)
{
    ship->stop = 1;
    pthread_join(ship->thread, NULL);
    shipper_close(ship->shipper);
    ship->shipper = NULL;
}

static struct journal_writer *open_writer(const struct journal_config *config)
{
    struct journal_writer *writer = NULL;
    assert_int_equal(journal_writer_open(config, &writer), ERR_NONE);
    return writer;
}

static struct tap *subscribe(const struct ship *ship, struct view topic)
{
    struct tap *tap = NULL;
    struct view record;
    assert_int_equal(tap_open(ship->endpoint, topic, &tap), ERR_NONE);
    for (int waited = 0; !tap_is_ready(tap); waited += 100) {
        assert_true(waited < WAIT_MS);
        assert_int_equal(tap_next(tap, 100, &record), ERR_NOT_FOUND);
    }
    return tap;
}

/* The next record must come and have this sequence. */
static void expect(struct tap *tap, uint64_t sequence)
{
    struct view record;
    struct audit_event event;
    enum err error = ERR_NOT_FOUND;
    for (int waited = 0; error == ERR_NOT_FOUND && waited < WAIT_MS; waited += 100)
        error = tap_next(tap, 100, &record);
    assert_int_equal(error, ERR_NONE);
    assert_int_equal(audit_event_parse(record, &event), ERR_NONE);
    assert_int_equal(event.sequence, sequence);
}

static void subscriber_gets_every_record_made_after_it_was_greeted(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    start(ship);
    struct tap *tap = subscribe(ship, (struct view){0});
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(folder_append(writer, &config, i));
    for (uint64_t i = 0; i < 2000; i++)
        expect(tap, i);
    assert_true(folder_append(writer, &config, 2000));
    expect(tap, 2000);
    tap_close(tap);
    end(ship);
    journal_writer_close(writer);
}

static void shipper_waits_for_a_journal_that_is_not_there_yet(void **state)
{
    struct ship *ship = *state;
    char journal[400];
    snprintf(journal, sizeof(journal), "%s/later", ship->folder.path);
    struct shipper_config config = {.journal = journal, .bind = ship->endpoint, .instance = VIEW("p")};
    struct journal_config writing = folder_config(&ship->folder, 1);
    writing.path = journal;
    assert_int_equal(shipper_open(&config, &ship->shipper), ERR_NONE);
    ship->stop = 0;
    assert_int_equal(pthread_create(&ship->thread, NULL, run, ship), 0);
    struct tap *tap = subscribe(ship, (struct view){0});
    struct journal_writer *writer = open_writer(&writing);
    assert_true(folder_append(writer, &writing, 0));
    expect(tap, 0);
    tap_close(tap);
    end(ship);
    journal_writer_close(writer);
    struct folder later;
    snprintf(later.path, sizeof(later.path), "%.255s", journal);
    folder_remove(&later);
}

static void message_has_topic_position_and_record(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    char frames[3][4096];
    int sizes[3];
    start(ship);
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    int wait_ms = WAIT_MS;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "v1.allow.", 9);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "hello", 5);
    assert_int_equal(zmq_connect(socket, ship->endpoint), 0);
    assert_int_equal(zmq_recv(socket, frames[0], sizeof(frames[0]), 0), 5);
    assert_true(folder_append(writer, &config, 0));
    for (int i = 0; i < 3; i++) {
        sizes[i] = zmq_recv(socket, frames[i], sizeof(frames[i]), 0);
        assert_true(sizes[i] > 0);
    }
    struct view topic = {frames[0], (size_t)sizes[0]}, place = {frames[1], (size_t)sizes[1]};
    assert_true(view_equals(topic, VIEW("v1.allow.model.operators-high")));
    struct pb_reader reader;
    struct pb_field field;
    pb_reader_init(&reader, place);
    assert_true(pb_reader_next(&reader, &field) && field.number == 1);
    assert_true(view_equals(field.bytes, VIEW("pod-1"))); /* the record's own, where it names one */
    assert_true(pb_reader_next(&reader, &field) && field.number == 2);
    assert_true(view_equals(field.bytes, (struct view){(const char *)config.epoch, JOURNAL_EPOCH_BYTES}));
    assert_true(pb_reader_next(&reader, &field) && field.number == 3 && field.scalar == 0);
    zmq_close(socket);
    zmq_ctx_term(context);
    end(ship);
    journal_writer_close(writer);
}

static void topic_prefix_keeps_other_records_out(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    struct view record;
    start(ship);
    struct tap *tap = subscribe(ship, VIEW("v1.deny."));
    struct tap *all = subscribe(ship, VIEW("v1."));
    assert_true(folder_append(writer, &config, 0)); /* an allow */
    expect(all, 0);
    assert_int_equal(tap_next(tap, 50, &record), ERR_NOT_FOUND);
    tap_close(tap);
    tap_close(all);
    end(ship);
    journal_writer_close(writer);
}

static void shipper_that_restarts_goes_on_where_it_ended(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    struct journal_position position;
    start(ship);
    struct tap *tap = subscribe(ship, (struct view){0});
    for (uint64_t i = 0; i < 100; i++)
        assert_true(folder_append(writer, &config, i));
    for (uint64_t i = 0; i < 100; i++)
        expect(tap, i);
    tap_close(tap);
    end(ship);
    assert_int_equal(ship_position_read(ship->folder.path, &position), ERR_NONE);
    assert_int_equal(position.sequence, 99);
    assert_memory_equal(position.epoch, config.epoch, JOURNAL_EPOCH_BYTES);
    start(ship);
    tap = subscribe(ship, (struct view){0});
    assert_true(folder_append(writer, &config, 100));
    expect(tap, 100);
    tap_close(tap);
    end(ship);
    journal_writer_close(writer);
}

static void shipper_publishes_what_is_there_before_it_ends(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    start(ship);
    struct tap *tap = subscribe(ship, (struct view){0});
    for (uint64_t i = 0; i < 1500; i++)
        assert_true(folder_append(writer, &config, i));
    end(ship);
    for (uint64_t i = 0; i < 1500; i++)
        expect(tap, i);
    tap_close(tap);
    journal_writer_close(writer);
}

static void shipper_without_a_reader_is_not_held_up_by_a_slow_subscriber(void **state)
{
    struct ship *ship = *state;
    struct journal_config config = folder_config(&ship->folder, 1);
    struct journal_writer *writer = open_writer(&config);
    struct journal_position position = {.sequence = 0};
    start(ship);
    struct tap *slow = subscribe(ship, (struct view){0}); /* and never read from */
    for (uint64_t i = 0; i < 60000; i++)
        assert_true(folder_append(writer, &config, i));
    end(ship);
    assert_int_equal(ship_position_read(ship->folder.path, &position), ERR_NONE);
    assert_int_equal(position.sequence, 59999);
    tap_close(slow);
    journal_writer_close(writer);
}

static void tap_is_refused_on_an_address_that_others_reach(void **state)
{
    struct ship *ship = *state;
    static const char *const refused[] = {
        "tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555", "tcp://[::]:1", "inproc://x", "pgm://x", "",
        "/run/tap"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct shipper_config config = {.journal = ship->folder.path, .bind = refused[i], .instance = VIEW("p")};
        assert_int_equal(shipper_open(&config, &ship->shipper), ERR_INVALID);
    }
    struct shipper_config config = {.journal = ship->folder.path, .bind = "tcp://127.0.0.1:*", .instance = VIEW("p")};
    assert_int_equal(shipper_open(&config, &ship->shipper), ERR_NONE);
    shipper_close(ship->shipper);
    config.bind = "ipc:///nonexistent/folder/tap";
    assert_int_equal(shipper_open(&config, &ship->shipper), ERR_IO);
}

static void position_is_read_as_written_and_nothing_else_is(void **state)
{
    struct ship *ship = *state;
    struct journal_position position = {.sequence = UINT64_MAX / 4}, read;
    char path[512];
    static const char *const bad[] = {"",
                                      "v1",
                                      "v1 00112233445566778899aabbccddeeff 7",
                                      "v2 00112233445566778899aabbccddeeff 7\n",
                                      "v1 00112233445566778899aabbccddeef 7\n",
                                      "v1 00112233445566778899aabbccddeeff -7\n",
                                      "v1 00112233445566778899aabbccddeeff 7\n7\n"};
    memset(position.epoch, 0xa5, sizeof(position.epoch));
    assert_int_equal(ship_position_read(ship->folder.path, &read), ERR_NOT_FOUND);
    assert_int_equal(ship_position_write(ship->folder.path, &position), ERR_NONE);
    assert_int_equal(ship_position_read(ship->folder.path, &read), ERR_NONE);
    assert_memory_equal(read.epoch, position.epoch, sizeof(read.epoch));
    assert_int_equal(read.sequence, position.sequence);
    snprintf(path, sizeof(path), "%s/ship.position", ship->folder.path);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(bad[i], file);
        fclose(file);
        assert_int_equal(ship_position_read(ship->folder.path, &read), ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(subscriber_gets_every_record_made_after_it_was_greeted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shipper_waits_for_a_journal_that_is_not_there_yet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(message_has_topic_position_and_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(topic_prefix_keeps_other_records_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shipper_that_restarts_goes_on_where_it_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shipper_publishes_what_is_there_before_it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shipper_without_a_reader_is_not_held_up_by_a_slow_subscriber, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tap_is_refused_on_an_address_that_others_reach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(position_is_read_as_written_and_nothing_else_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
