/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
/* `bartizan audit` and `bartizan-ship` as programs, over journals made here. */
#include "journal_folder_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { OUTPUT_MAX = 1024 * 1024, WAIT_MS = 20000, ARGUMENTS_MAX = 20 };

struct place {
    struct folder folder; /* the journal */
    char lines[300];      /* a file for JSON lines */
    char endpoint[300];
};

struct result {
    int code;
    char out[OUTPUT_MAX];
    char err[16 * 1024];
};

static struct result result;

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    folder_make(&place->folder);
    snprintf(place->lines, sizeof(place->lines), "%s/lines.json", place->folder.path);
    snprintf(place->endpoint, sizeof(place->endpoint), "ipc://%s/tap", place->folder.path);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    folder_remove(&place->folder);
    free(place);
    return 0;
}

static void nap(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

static pid_t start(const char *program, const char *const *arguments, int out, int err)
{
    const char *words[ARGUMENTS_MAX + 2] = {program};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        words[i + 1] = arguments[i];
    pid_t child = fork();
    if (child == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execv(program, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static int scratch(void)
{
    int fd = memfd_create("output", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void slurp(int fd, char *text, size_t capacity)
{
    ssize_t size = pread(fd, text, capacity - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
}

static int wait_for(pid_t child)
{
    int status = 0;
    for (int waited = 0; waitpid(child, &status, WNOHANG) == 0; waited += 5) {
        if (waited > WAIT_MS)
            kill(child, SIGKILL);
        nap();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs `bartizan audit ARGUMENTS`; see `result`. */
#define AUDIT(...) audit((const char *const[]){"audit", __VA_ARGS__, NULL})
static int audit(const char *const *arguments)
{
    int out = scratch(), err = scratch();
    result.code = wait_for(start(BARTIZAN_PROGRAM, arguments, out, err));
    slurp(out, result.out, sizeof(result.out));
    slurp(err, result.err, sizeof(result.err));
    close(out);
    close(err);
    return result.code;
}

static bool says(const char *text, const char *words)
{
    bool is_said = strstr(text, words) != NULL;
    if (!is_said)
        print_message("no \"%s\" in:\n%s\n", words, text);
    return is_said;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void write_epoch(const struct place *place, uint8_t epoch, uint64_t count)
{
    struct journal_config config = folder_config(&place->folder, epoch);
    struct journal_writer *writer = NULL;
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    for (uint64_t i = 0; i < count; i++)
        assert_true(folder_append(writer, &config, i));
    journal_writer_close(writer);
}

/* Keeps the printed lines in the file, without the line `left_out` (from 0; -1: none). */
static void keep_lines(const struct place *place, long left_out)
{
    FILE *file = fopen(place->lines, "w");
    assert_non_null(file);
    const char *at = result.out;
    for (long line = 0; *at != '\0'; line++) {
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        if (line != left_out)
            fwrite(at, 1, (size_t)(end - at) + 1, file);
        at = end + 1;
    }
    fclose(file);
}

static void tail_prints_a_journal_from_its_start_and_ends(void **state)
{
    struct place *place = *state;
    const char *journal = place->folder.path;
    write_epoch(place, 1, 30);
    write_epoch(place, 2, 12);
    assert_int_equal(AUDIT("tail", "--journal", journal, "--from-start", "--no-follow", "--summary"), 0);
    assert_int_equal(count_lines(result.out), 42);
    assert_true(says(result.out, "→ model fraud-v3: allowed by operators-high\n"));
    assert_true(says(result.err, "42 records, 0 missing\n"));
    assert_int_equal(AUDIT("tail", "--journal", journal, "--from-start", "--count", "5", "--format", "json"), 0);
    assert_int_equal(count_lines(result.out), 5);
    assert_true(says(result.out, "\"sequence\":4,"));
    assert_int_equal(AUDIT("tail", "--journal", journal, "--from-start", "--no-follow", "--topic", "v1.deny"), 0);
    assert_int_equal(count_lines(result.out), 0);
}

static void tail_ends_with_failure_when_fewer_records_come_than_asked(void **state)
{
    struct place *place = *state;
    write_epoch(place, 1, 3);
    assert_int_equal(AUDIT("tail", "--journal", place->folder.path, "--from-start", "--count", "4", "--timeout", "1"),
                     1);
    assert_int_equal(count_lines(result.out), 3);
}

static void tail_refuses_a_wrong_command_line(void **state)
{
    struct place *place = *state;
    const char *journal = place->folder.path;
    assert_int_equal(AUDIT("tail"), 3);
    assert_int_equal(AUDIT("tail", "--journal", journal, "--connect", place->endpoint), 3);
    assert_int_equal(AUDIT("tail", "--connect", place->endpoint, "--from-start"), 3);
    assert_int_equal(AUDIT("tail", "--journal", journal, "--count", "many"), 3);
    assert_int_equal(AUDIT("tail", "--journal", journal, "--format", "xml"), 3);
    assert_int_equal(AUDIT("tail", "--journal", journal, "extra"), 3);
    assert_int_equal(AUDIT("tail", "--journal", "/nonexistent/journal", "--no-follow"), 4);
    assert_int_equal(AUDIT("tail", "--help"), 0);
    assert_true(says(result.out, "usage: bartizan audit tail"));
    assert_int_equal(AUDIT("nonsense"), 3);
}

static void show_finds_a_decision_by_its_id_and_by_its_place(void **state)
{
    struct place *place = *state;
    const char *journal = place->folder.path;
    write_epoch(place, 0xab, 30);
    assert_int_equal(AUDIT("show", "decision-17", "--journal", journal), 0);
    assert_true(says(result.out, "decision-17\n"));
    assert_true(says(result.out, "abababababababababababababababab:17\n"));
    assert_int_equal(AUDIT("show", "abab:17", "--journal", journal, "--format", "json"), 0);
    assert_int_equal(count_lines(result.out), 1);
    assert_true(says(result.out, "\"decision_id\":\"decision-17\""));
    assert_int_equal(AUDIT("show", "decision-30", "--journal", journal), 1);
    assert_int_equal(AUDIT("show", "abac:17", "--journal", journal), 1);
    assert_int_equal(AUDIT("show", "decision-17"), 3);
}

static void verify_finds_nothing_missing_from_a_whole_journal(void **state)
{
    struct place *place = *state;
    write_epoch(place, 1, 2000);
    write_epoch(place, 2, 3);
    assert_int_equal(AUDIT("verify", place->folder.path), 0);
    assert_string_equal(result.out, "2003 records, 0 missing\n");
    assert_int_equal(AUDIT("verify", "/nonexistent/journal"), 4);
}

static void verify_names_the_one_record_removed_from_a_copy(void **state)
{
    struct place *place = *state;
    write_epoch(place, 1, 200);
    assert_int_equal(AUDIT("tail", "--journal", place->folder.path, "--from-start", "--no-follow", "--format", "json"),
                     0);
    keep_lines(place, -1);
    assert_int_equal(AUDIT("verify", place->lines), 0);
    assert_int_equal(AUDIT("tail", "--journal", place->folder.path, "--from-start", "--no-follow", "--format", "json"),
                     0);
    keep_lines(place, 41);
    assert_int_equal(AUDIT("verify", place->lines), 1);
    assert_true(says(result.out, "missing: sequence 41 of epoch 01010101010101010101010101010101, instance pod-1\n"));
    assert_true(says(result.out, "199 records, 1 missing\n"));
    assert_int_equal(AUDIT("verify", place->lines, "--format", "json"), 1);
    assert_true(says(result.out, "\"first\""));
}

static void verify_asks_for_the_beginning_only_of_a_whole_copy(void **state)
{
    struct place *place = *state;
    write_epoch(place, 1, 20);
    assert_int_equal(AUDIT("tail", "--journal", place->folder.path, "--from-start", "--no-follow", "--format", "json"),
                     0);
    keep_lines(place, 0);
    assert_int_equal(AUDIT("verify", place->lines), 0);
    assert_int_equal(AUDIT("verify", place->lines, "--whole"), 1);
    assert_true(says(result.out, "missing: sequence 0 "));
}

static void verify_reports_lines_that_are_no_records(void **state)
{
    struct place *place = *state;
    FILE *file = fopen(place->lines, "w");
    assert_non_null(file);
    fputs("{\"epoch\":\"01010101010101010101010101010101\",\"sequence\":1}\nnot json\n{\"sequence\":2}\n\n", file);
    fclose(file);
    assert_int_equal(AUDIT("verify", place->lines), 1);
    assert_true(says(result.out, "unreadable: line 2\n"));
    assert_true(says(result.out, "unreadable: line 3\n"));
    assert_true(says(result.out, "1 records, 0 missing, 2 unreadable\n"));
}

static void verify_sees_a_changed_byte_and_a_missing_segment(void **state)
{
    struct place *place = *state;
    char name[JOURNAL_NAME_BYTES + 1], path[512];
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    write_epoch(place, 1, 3000);
    memset(epoch, 1, sizeof(epoch));
    journal_name_write(epoch, 1, name);
    snprintf(path, sizeof(path), "%s/%s", place->folder.path, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "?", 1, 4096), 1);
    close(fd);
    assert_int_equal(AUDIT("verify", place->folder.path), 1);
    assert_true(says(result.out, "unreadable: bytes at sequence"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(AUDIT("verify", place->folder.path), 1);
    assert_true(says(result.out, "missing: sequence "));
    assert_false(says(result.out, "unreadable"));
}

/* Waits until the file behind `fd` has the words. */
static void wait_for_words(int fd, const char *words)
{
    char text[16 * 1024];
    for (int waited = 0;; waited += 5) {
        slurp(fd, text, sizeof(text));
        if (strstr(text, words) != NULL)
            return;
        assert_true(waited < WAIT_MS);
        nap();
    }
}

static void tail_over_zeromq_prints_what_the_publisher_sends(void **state)
{
    struct place *place = *state;
    struct journal_config config = folder_config(&place->folder, 1);
    struct journal_writer *writer = NULL;
    int ship_err = scratch(), out = scratch(), err = scratch();
    const char *const publish[] = {"publish", "--journal", place->folder.path, "--bind", place->endpoint, "--instance",
                                   "pod-1",   NULL};
    const char *const tail[] = {"audit", "tail",      "--connect", place->endpoint, "--count",
                                "500",   "--timeout", "30",        "--summary",     NULL};
    assert_int_equal(journal_writer_open(&config, &writer), ERR_NONE);
    pid_t ship = start(SHIP_PROGRAM, publish, ship_err, ship_err);
    pid_t reader = start(BARTIZAN_PROGRAM, tail, out, err);
    wait_for_words(err, "ready: subscribed to ");
    for (uint64_t i = 0; i < 500; i++)
        assert_true(folder_append(writer, &config, i));
    assert_int_equal(wait_for(reader), 0);
    slurp(out, result.out, sizeof(result.out));
    slurp(err, result.err, sizeof(result.err));
    assert_int_equal(count_lines(result.out), 500);
    assert_true(says(result.err, "500 records, 0 missing\n"));
    kill(ship, SIGTERM);
    assert_int_equal(wait_for(ship), 0);
    journal_writer_close(writer);
    close(ship_err);
    close(out);
    close(err);
}

static void publisher_refuses_a_wrong_command_line(void **state)
{
    struct place *place = *state;
    int out = scratch();
    const char *const none[] = {NULL};
    const char *const half[] = {"publish", "--journal", place->folder.path, NULL};
    const char *const open_to_all[] = {
        "publish", "--journal", place->folder.path, "--bind", "tcp://0.0.0.0:1", "--instance", "x", NULL};
    assert_int_equal(wait_for(start(SHIP_PROGRAM, none, out, out)), 3);
    assert_int_equal(wait_for(start(SHIP_PROGRAM, half, out, out)), 3);
    assert_int_equal(wait_for(start(SHIP_PROGRAM, open_to_all, out, out)), 2);
    close(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tail_prints_a_journal_from_its_start_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tail_ends_with_failure_when_fewer_records_come_than_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tail_refuses_a_wrong_command_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(show_finds_a_decision_by_its_id_and_by_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_finds_nothing_missing_from_a_whole_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_names_the_one_record_removed_from_a_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_asks_for_the_beginning_only_of_a_whole_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_reports_lines_that_are_no_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verify_sees_a_changed_byte_and_a_missing_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tail_over_zeromq_prints_what_the_publisher_sends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(publisher_refuses_a_wrong_command_line, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
