/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* unshare */
#include "journal_folder_support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    folder_make(folder);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static void nap(void)
{
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

/* Counts what the folder has; with a name, only losses of that reason. */
static uint64_t count_records(const struct folder *folder, struct view loss_reason, struct audit_loss *last)
{
    struct journal_reader *reader = NULL;
    uint64_t count = 0;
    assert_int_equal(journal_reader_open(folder->path, false, &reader), ERR_NONE);
    for (;;) {
        struct journal_position position;
        struct view payload;
        struct audit_event event;
        enum err error = journal_reader_next(reader, &position, &payload);
        if (error == ERR_NOT_FOUND)
            break;
        assert_int_equal(error, ERR_NONE);
        assert_int_equal(audit_event_parse(payload, &event), ERR_NONE);
        assert_int_equal(event.sequence, position.sequence);
        bool is_loss = event.kind == RECORD_LOSS && view_equals(event.loss.reason, loss_reason);
        count += view_is_present(loss_reason) ? is_loss : 1;
        if (is_loss && last != NULL)
            *last = event.loss;
    }
    journal_reader_close(reader);
    return count;
}

static void writer_numbers_records_from_zero_without_gaps(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t sequence;
        char *at = journal_writer_reserve(writer, &sequence);
        assert_non_null(at);
        assert_int_equal(sequence, i);
        journal_writer_commit(writer, folder_event(&config, sequence, i, at));
    }
    assert_int_equal(journal_writer_lost(writer), 0);
    journal_writer_close(writer);
    assert_int_equal(count_records(folder, (struct view){0}, NULL), 3000);
    assert_true(folder_segments(folder, NULL) > 3);
}

static void writer_gives_a_reserved_but_uncommitted_number_again(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    uint64_t sequence = 9;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    char *at = journal_writer_reserve(writer, &sequence);
    memset(at, 0xff, JOURNAL_RECORD_MAX);
    assert_ptr_equal(journal_writer_reserve(writer, &sequence), at);
    assert_int_equal(sequence, 0);
    journal_writer_commit(writer, folder_event(&config, sequence, 0, at));
    /* What was scribbled behind the record must not read as a frame. */
    assert_int_equal(count_records(folder, (struct view){0}, NULL), 1);
    journal_writer_close(writer);
    assert_int_equal(count_records(folder, (struct view){0}, NULL), 1);
}

static void writer_takes_records_of_the_greatest_size(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    struct journal_reader *reader = NULL;
    struct journal_position position;
    struct view payload;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    for (int i = 0; i < 20; i++) {
        uint64_t sequence;
        char *at = journal_writer_reserve(writer, &sequence);
        assert_non_null(at);
        memset(at, 'a' + i, JOURNAL_RECORD_MAX);
        journal_writer_commit(writer, JOURNAL_RECORD_MAX);
    }
    journal_writer_close(writer);
    assert_int_equal(journal_reader_open(folder->path, false, &reader), ERR_NONE);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NONE);
        assert_int_equal(payload.size, JOURNAL_RECORD_MAX);
        assert_int_equal(payload.data[0], 'a' + i);
        assert_int_equal(payload.data[JOURNAL_RECORD_MAX - 1], 'a' + i);
    }
    assert_int_equal(journal_reader_next(reader, &position, &payload), ERR_NOT_FOUND);
    journal_reader_close(reader);
}

static void writer_refuses_a_folder_that_is_in_use(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1), other = folder_config(folder, 2);
    struct journal_writer *writer = NULL, *second = NULL;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    assert_int_equal(journal_writer_open(&other, &second), ERR_CONFLICT);
    journal_writer_close(writer);
    assert_int_equal(journal_writer_open(&other, &second), ERR_NONE);
    journal_writer_close(second);
}

static void writer_refuses_a_folder_that_cannot_be_made(void **state)
{
    struct folder *folder = *state;
    struct journal_writer *writer = NULL;
    struct journal_config config = folder_config(folder, 1);
    char path[512];
    snprintf(path, sizeof(path), "%s/not/there", folder->path);
    config.path = path;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_IO);
    assert_null(writer);
}

static void writer_names_the_last_record_of_the_epoch_before(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    uint64_t sequence;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    assert_false(journal_writer_previous(writer, epoch, &sequence));
    for (uint64_t i = 0; i < 700; i++)
        assert_true(folder_append(writer, &config, i));
    journal_writer_close(writer);
    /* An epoch without records does not come between. */
    struct journal_config empty = folder_config(folder, 2);
    assert_int_equal(journal_writer_open(&empty, &writer), ERR_NONE);
    journal_writer_close(writer);
    struct journal_config third = folder_config(folder, 0);
    assert_int_equal(journal_writer_open(&third, &writer), ERR_NONE);
    assert_true(journal_writer_previous(writer, epoch, &sequence));
    assert_memory_equal(epoch, config.epoch, sizeof(epoch));
    assert_int_equal(sequence, 699);
    journal_writer_close(writer);
}

static int run_in_child(int (*run)(const struct folder *folder), const struct folder *folder)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run(folder));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The child writes and tells each acknowledged record by one byte; the parent kills
 * it at a random moment. */
static uint64_t write_until_killed(const struct folder *folder, uint8_t epoch, unsigned delay_us)
{
    int wire[2];
    assert_int_equal(pipe(wire), 0);
    pid_t child = fork();
    if (child == 0) {
        struct journal_config config = folder_config(folder, epoch);
        struct journal_writer *writer = NULL;
        close(wire[0]);
        if (journal_writer_open(&config, &writer) != ERR_NONE)
            _exit(9);
        for (uint64_t i = 0;; i++) {
            if (!folder_append(writer, &config, i) || write(wire[1], "+", 1) != 1)
                _exit(8);
        }
    }
    close(wire[1]);
    char bytes[4096];
    uint64_t acknowledged = 0;
    ssize_t got = read(wire[0], bytes, 1);
    assert_int_equal(got, 1);
    acknowledged = 1;
    struct timespec until, now;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)delay_us * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    do {
        got = read(wire[0], bytes, sizeof(bytes));
        acknowledged += got > 0 ? (uint64_t)got : 0;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (got > 0 && (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec)));
    kill(child, SIGKILL);
    while ((got = read(wire[0], bytes, sizeof(bytes))) > 0)
        acknowledged += (uint64_t)got;
    close(wire[0]);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return acknowledged;
}

static uint64_t records_of_epoch(const struct folder *folder, uint8_t epoch)
{
    struct journal_reader *reader = NULL;
    uint64_t next = 0;
    assert_int_equal(journal_reader_open(folder->path, false, &reader), ERR_NONE);
    for (;;) {
        struct journal_position position;
        struct view payload;
        enum err error = journal_reader_next(reader, &position, &payload);
        if (error == ERR_NOT_FOUND)
            break;
        assert_int_equal(error, ERR_NONE);
        if (position.epoch[0] == epoch)
            assert_int_equal(position.sequence, next++);
    }
    journal_reader_close(reader);
    return next;
}

static void writer_killed_at_any_moment_has_every_acknowledged_record(void **state)
{
    struct folder *folder = *state;
    enum { ROUNDS = 60 };
    srand(11);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t acknowledged = write_until_killed(folder, (uint8_t)round, (unsigned)rand() % 15000);
        uint64_t found = records_of_epoch(folder, (uint8_t)round);
        /* One may be complete whose acknowledgement had not left yet. */
        assert_true(found == acknowledged || found == acknowledged + 1);
        if (round % 10 == 0) {
            folder_remove(folder); /* keeps the folder small */
            assert_int_equal(mkdir(folder->path, 0700), 0);
        }
    }
}

static void writer_cuts_what_a_killed_one_left_to_its_records(void **state)
{
    struct folder *folder = *state;
    uint64_t before, after;
    write_until_killed(folder, 1, 100);
    folder_segments(folder, &before);
    struct journal_config config = folder_config(folder, 2);
    struct journal_writer *writer = NULL;
    uint64_t found = records_of_epoch(folder, 1);
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    journal_writer_close(writer);
    folder_segments(folder, &after);
    assert_true(after < before);
    assert_int_equal(records_of_epoch(folder, 1), found);
}

/* A writer that ends without a close after ten records, all in its first segment. */
static int write_ten(const struct folder *folder)
{
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    if (journal_writer_open(&config, &writer) != ERR_NONE)
        return 1;
    for (uint64_t i = 0; i < 10; i++) {
        if (!folder_append(writer, &config, i))
            return 2;
    }
    return 0;
}

static void writer_records_a_torn_end_that_it_found(void **state)
{
    struct folder *folder = *state;
    struct journal_writer *writer = NULL;
    struct audit_loss loss = {0};
    char name[JOURNAL_NAME_BYTES + 1], path[512], byte = 'x';
    struct journal_config config = folder_config(folder, 1), next = folder_config(folder, 2);
    assert_int_equal(run_in_child(write_ten, folder), 0);
    assert_int_equal(records_of_epoch(folder, 1), 10);
    /* A machine that crashed wrote the length of the last record, and not its bytes. */
    journal_name_write(config.epoch, 0, name);
    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &byte, 1, JOURNAL_HEADER_BYTES + JOURNAL_FRAME_BYTES + 3), 1);
    close(fd);
    assert_int_equal(journal_writer_open(&next, &writer), ERR_NONE);
    assert_true(folder_append(writer, &next, 0));
    assert_true(folder_append(writer, &next, 1));
    journal_writer_close(writer);
    assert_int_equal(count_records(folder, VIEW("torn"), &loss), 1);
    assert_int_equal(loss.first, 0);
    struct audit_loss again;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_IO); /* an epoch is never taken up again */
    next = folder_config(folder, 3);
    assert_int_equal(journal_writer_open(&next, &writer), ERR_NONE);
    assert_true(folder_append(writer, &next, 0));
    assert_true(folder_append(writer, &next, 1));
    journal_writer_close(writer);
    assert_int_equal(count_records(folder, VIEW("torn"), &again), 1);
}

/* Appends until the keeper, which a busy machine gives its turn late, has made way. */
static void append_until_under(const struct folder *folder, const struct journal_config *config, uint64_t next,
                               struct journal_writer *writer)
{
    uint64_t bytes = UINT64_MAX;
    for (int i = 0; i < 2000 && bytes > config->max_bytes; i++) {
        assert_true(folder_append(writer, config, next + (uint64_t)i));
        nap();
        folder_segments(folder, &bytes);
    }
}

static void writer_under_its_cap_removes_the_oldest_and_says_so(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    struct audit_loss loss = {0};
    uint64_t bytes = 0;
    config.max_bytes = 512 * 1024;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    for (uint64_t i = 0; i < 20000; i++) {
        assert_true(folder_append(writer, &config, i));
        if (i % 100 == 0)
            nap();
    }
    append_until_under(folder, &config, 20000, writer);
    journal_writer_close(writer);
    folder_segments(folder, &bytes);
    assert_true(bytes <= config.max_bytes + 2 * 64 * 1024);
    assert_true(count_records(folder, VIEW("capped"), &loss) > 0);
    assert_true(loss.count > 0 && loss.last - loss.first + 1 == loss.count);
    assert_true(view_is_empty(loss.epoch));
}

static void writer_counts_earlier_epochs_under_its_cap(void **state)
{
    struct folder *folder = *state;
    struct journal_writer *writer = NULL;
    struct journal_config config = folder_config(folder, 1), next = folder_config(folder, 2);
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(folder_append(writer, &config, i));
    journal_writer_close(writer);
    next.max_bytes = 256 * 1024;
    assert_int_equal(journal_writer_open(&next, &writer), ERR_NONE);
    for (uint64_t i = 0; i < 500; i++) {
        assert_true(folder_append(writer, &next, i));
        nap();
    }
    append_until_under(folder, &next, 500, writer);
    journal_writer_close(writer);
    uint64_t bytes;
    folder_segments(folder, &bytes);
    assert_true(bytes <= next.max_bytes + 2 * 64 * 1024);
    assert_true(count_records(folder, VIEW("capped"), NULL) > 0);
}

/* In a child, so that the limit ends with it; its exit code is the number of the check that failed. */
static int lose_and_recover(const struct folder *folder)
{
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    struct rlimit small = {.rlim_cur = 1024, .rlim_max = RLIM_INFINITY};
    struct rlimit large = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    uint64_t refused = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (journal_writer_open(&config, &writer) != ERR_NONE)
        return 1;
    setrlimit(RLIMIT_FSIZE, &small);
    for (uint64_t i = 0; i < 3000; i++)
        refused += !folder_append(writer, &config, i);
    if (refused == 0 || journal_writer_lost(writer) != refused)
        return 2;
    setrlimit(RLIMIT_FSIZE, &large);
    int tries = 0;
    while (!folder_append(writer, &config, 1) && ++tries < 2000) {
        refused++;
        nap();
    }
    if (tries >= 2000 || journal_writer_lost(writer) != refused)
        return 3;
    journal_writer_close(writer);
    struct audit_loss loss = {0};
    if (count_records(folder, VIEW("disk-full"), &loss) != 1 || loss.count != refused || loss.first != loss.last)
        return 4;
    return 0;
}

static void writer_without_space_refuses_recovers_and_tells_how_many(void **state)
{
    assert_int_equal(run_in_child(lose_and_recover, *state), 0);
}

/* A file system of 256 KiB of our own. */
static int fill_the_disk(const struct folder *folder)
{
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    char path[512];
    uint64_t taken = 0;
    if (mount("none", folder->path, "tmpfs", 0, "size=256k") != 0)
        return 77;
    if (journal_writer_open(&config, &writer) != ERR_NONE)
        return 1;
    while (taken < 100000 && folder_append(writer, &config, taken))
        taken++;
    if (taken == 100000 || taken < 500)
        return 2;
    journal_name_write(config.epoch, 0, path + snprintf(path, sizeof(path), "%s/", folder->path));
    if (unlink(path) != 0)
        return 3;
    int tries = 0;
    while (!folder_append(writer, &config, 1) && ++tries < 2000)
        nap();
    journal_writer_close(writer);
    umount(folder->path);
    return tries < 2000 ? 0 : 4;
}

static void writer_on_a_full_disk_goes_on_when_there_is_room(void **state)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        print_message("SKIPPED: no mount namespace here\n");
        skip();
    }
    int code = run_in_child(fill_the_disk, *state);
    if (code == 77) {
        print_message("SKIPPED: no tmpfs here\n");
        skip();
    }
    assert_int_equal(code, 0);
}

static void writer_keeps_its_memory_small(void **state)
{
    struct folder *folder = *state;
    struct journal_config config = folder_config(folder, 1);
    struct journal_writer *writer = NULL;
    config.segment_bytes = 0; /* the default */
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    long worst = 0;
    for (uint64_t i = 0; i < 200000; i++) {
        assert_true(folder_append(writer, &config, i));
        if (i % 10000 != 0)
            continue;
        nap();
        long size, resident, shared;
        FILE *file = fopen("/proc/self/statm", "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%ld %ld %ld", &size, &resident, &shared), 3);
        fclose(file);
        worst = shared > worst ? shared : worst;
    }
    journal_writer_close(writer);
    /* Shared pages: the windows, and the program's own files. */
    assert_true(worst * 4096 < 12 * 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writer_numbers_records_from_zero_without_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_gives_a_reserved_but_uncommitted_number_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_takes_records_of_the_greatest_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_refuses_a_folder_that_is_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_refuses_a_folder_that_cannot_be_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_names_the_last_record_of_the_epoch_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_killed_at_any_moment_has_every_acknowledged_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_cuts_what_a_killed_one_left_to_its_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_records_a_torn_end_that_it_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_under_its_cap_removes_the_oldest_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_counts_earlier_epochs_under_its_cap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_without_space_refuses_recovers_and_tells_how_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_on_a_full_disk_goes_on_when_there_is_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writer_keeps_its_memory_small, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
