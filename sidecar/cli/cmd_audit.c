/* SPDX-License-Identifier: Apache-2.0 */
/* bartizan audit tail, show and verify: the records, as they come, one of them,
 * and whether any is missing. */
#include "cli.h"
#include "clock.h"
#include "commands.h"
#include "digest.h"
#include "journal_reader.h"
#include "json_print.h"
#include "options.h"
#include "tail_view.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 * 1024, RECORD_MEMORY = 1024 * 1024, PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 50 };

/* --- tail --- */

static const char tail_usage[] =
    "usage: bartizan audit tail (--connect ENDPOINT | --journal DIR [--from-start] [--no-follow])\n"
    "                           [--format sentence|json] [--count N] [--timeout SECONDS]\n"
    "                           [--topic PREFIX] [--summary]\n\n"
    "Prints records as they are made, from the live tap (which may pass some by) or from\n"
    "a journal. A topic is v1.VERDICT.RESOURCE_TYPE.RULE, v1.loss, v1.change or v1.lifecycle.\n"
    "Exit 1 when records are missing, or when fewer than --count came.\n";

static volatile sig_atomic_t stop;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void pause_ms(int ms)
{
    struct timespec pause = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ZeroMQ lives in a program of its own, beside this one. */
static int run_ship(int argc, char **argv)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
    struct view self = {path, size > 0 ? (size_t)size : 0};
    size_t folder = self.size;
    while (folder > 0 && path[folder - 1] != '/')
        folder--;
    static const char program[] = "bartizan-ship";
    char **arguments = calloc((size_t)argc + 2, sizeof(*arguments));
    if (size <= 0 || folder + sizeof(program) > sizeof(path) || arguments == NULL) {
        free(arguments);
        fputs("bartizan: bartizan-ship cannot be found\n", stderr);
        return EXIT_IO;
    }
    memcpy(path + folder, program, sizeof(program));
    arguments[0] = path;
    for (int i = 0; i < argc; i++)
        arguments[1 + i] = argv[i];
    execv(path, arguments);
    fprintf(stderr, "bartizan: %s: %s\n", path, strerror(errno));
    free(arguments);
    return EXIT_IO;
}

/* True when the wanted records came, or as many as there are until a signal. */
static bool follow(struct journal_reader *reader, const struct tail_options *options, struct tail_view *view)
{
    int64_t end = options->timeout > 0 ? clock_ms(CLOCK_MONOTONIC) + (int64_t)options->timeout * 1000 : INT64_MAX;
    int pause = PAUSE_MIN_MS;
    while (stop == 0 && clock_ms(CLOCK_MONOTONIC) < end) {
        struct journal_position position;
        struct view payload;
        enum err error = journal_reader_next(reader, &position, &payload);
        if (error == ERR_NONE) {
            pause = PAUSE_MIN_MS;
            if (tail_view_take(view, payload))
                return true;
        } else if (error == ERR_NOT_FOUND && options->is_once) {
            break;
        } else if (error == ERR_NOT_FOUND) {
            pause_ms(pause);
            pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
        } else {
            tail_view_note_bad(view, error == ERR_UNSUPPORTED ? "a segment is of an unknown version"
                                                              : "a part of the journal cannot be read");
            if (error == ERR_IO || error == ERR_NO_MEMORY)
                return false;
        }
    }
    return options->count == 0;
}

static int tail_journal(const struct tail_options *options)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct journal_reader *reader = NULL;
    struct tail_view *view = NULL;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (journal_reader_open(options->journal, !options->is_from_start, &reader) != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", options->journal, strerror(errno));
        return EXIT_IO;
    }
    enum err error = tail_view_open(options, stdout, &view);
    bool is_good = false;
    if (error == ERR_NONE) {
        fprintf(stderr, "ready: reading %s\n", options->journal);
        is_good = follow(reader, options, view);
        is_good = tail_view_finish(view) && is_good;
    }
    tail_view_close(view);
    journal_reader_close(reader);
    return is_good ? EXIT_GOOD : EXIT_FAILED;
}

static int cmd_tail(int argc, char **argv)
{
    struct tail_options options;
    for (int i = 1; i < argc; i++) {
        if (view_equals(view_of(argv[i]), VIEW("--help"))) {
            fputs(tail_usage, stdout);
            return EXIT_GOOD;
        }
    }
    if (tail_view_parse_options(argc, argv, &options) != ERR_NONE) {
        fputs(tail_usage, stderr);
        return EXIT_USAGE;
    }
    return options.connect != NULL ? run_ship(argc, argv) : tail_journal(&options);
}

/* --- show --- */

/* What `show` looks for: a decision's id, or EPOCH:SEQUENCE with the first digits of an epoch. */
struct wanted {
    struct view id;
    struct view epoch_prefix; /* absent: only the id */
    uint64_t sequence;
};

static struct wanted wanted_of(const char *text)
{
    struct wanted wanted = {.id = view_of(text)};
    size_t colon = view_index_of(wanted.id, ':', 0);
    if (view_to_u64(view_slice(wanted.id, colon + 1, wanted.id.size), &wanted.sequence) && colon > 0)
        wanted.epoch_prefix = view_slice(wanted.id, 0, colon);
    return wanted;
}

static bool is_wanted(const struct wanted *wanted, const struct audit_event *event)
{
    char epoch[2 * JOURNAL_EPOCH_BYTES];
    hex_encode(event->epoch, JOURNAL_EPOCH_BYTES, epoch);
    if (view_is_present(wanted->epoch_prefix) && event->sequence == wanted->sequence &&
        view_starts_with((struct view){epoch, sizeof(epoch)}, wanted->epoch_prefix))
        return true;
    return event->kind == RECORD_DECISION && event->decision.decision_id.size > 0 &&
           view_equals(event->decision.decision_id, wanted->id);
}

static void show_record(const struct audit_event *event, bool is_json)
{
    struct arena arena;
    arena_init(&arena, RECORD_MEMORY);
    struct view text = is_json ? audit_event_json(event, &arena) : audit_event_explanation(event, &arena);
    fwrite(text.data, 1, text.size, stdout);
    if (is_json)
        putchar('\n');
    arena_free(&arena);
}

/* The number of records shown. */
static size_t show_matching(struct journal_reader *reader, const struct wanted *wanted, bool is_json)
{
    size_t shown = 0;
    for (;;) {
        struct journal_position position;
        struct view payload;
        struct audit_event event;
        enum err error = journal_reader_next(reader, &position, &payload);
        if (error == ERR_NOT_FOUND || error == ERR_IO || error == ERR_NO_MEMORY)
            return shown;
        if (error != ERR_NONE || audit_event_parse(payload, &event) != ERR_NONE || !is_wanted(wanted, &event))
            continue;
        show_record(&event, is_json);
        shown++;
    }
}

static int cmd_show(int argc, char **argv)
{
    const char *journal = NULL, *format = NULL, *operands[1];
    const struct option_spec options[] = {
        {.name = "journal", .metavar = "DIR", .help = "folder of the journal", .value = &journal},
        {.name = "format", .metavar = "text|json", .help = "how to print it", .value = &format},
    };
    const struct usage usage = {
        .line = "bartizan audit show ID --journal DIR [--format text|json]",
        .summary = "Explains one record: ID is the decision id that the client was given\n"
                   "(x-bartizan-decision), or EPOCH:SEQUENCE, where the first digits of the epoch will do.",
        .options = options,
        .option_count = 2,
        .operands_least = 1,
        .operands_most = 1};
    size_t count = 0;
    bool is_json = false;
    int code = options_read(&usage, argc, argv, operands, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (journal == NULL || !format_parse(format, &is_json))
        return usage_error(&usage, journal == NULL ? "--journal DIR is needed" : "--format is text or json");
    struct journal_reader *reader = NULL;
    if (journal_reader_open(journal, false, &reader) != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", journal, strerror(errno));
        return EXIT_IO;
    }
    struct wanted wanted = wanted_of(operands[0]);
    size_t shown = show_matching(reader, &wanted, is_json);
    journal_reader_close(reader);
    if (shown == 0)
        fputs("bartizan: the journal has no such record\n", stderr);
    return shown > 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* --- verify --- */

struct verification {
    struct sequence_check *check;
    uint64_t unreadable;
    bool is_json;
};

static void note_unreadable(struct verification *verification, const char *what, uint64_t where)
{
    verification->unreadable++;
    if (!verification->is_json)
        printf("unreadable: %s %llu\n", what, (unsigned long long)where);
}

static bool verify_folder(struct verification *verification, const char *path)
{
    struct journal_reader *reader = NULL;
    if (journal_reader_open(path, false, &reader) != ERR_NONE)
        return false;
    for (;;) {
        struct journal_position position;
        struct view payload;
        struct audit_event event;
        struct sequence_mark mark;
        enum err error = journal_reader_next(reader, &position, &payload);
        if (error == ERR_NOT_FOUND)
            break;
        if (error == ERR_IO || error == ERR_NO_MEMORY) {
            journal_reader_close(reader);
            return false;
        }
        bool is_good = error == ERR_NONE && audit_event_parse(payload, &event) == ERR_NONE &&
                       event.sequence == position.sequence &&
                       memcmp(event.epoch, position.epoch, JOURNAL_EPOCH_BYTES) == 0;
        if (is_good) {
            sequence_check_mark(&event, &mark);
            is_good = sequence_check_take(verification->check, &mark) == ERR_NONE;
        }
        if (!is_good)
            note_unreadable(verification, "bytes at sequence", position.sequence);
    }
    journal_reader_close(reader);
    return true;
}

static struct view string_of(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return json_is_string(member) ? (struct view){json_string_value(member), json_string_length(member)}
                                  : (struct view){0};
}

static bool number_of(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *member = json_object_get(object, name);
    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return false;
    *out = (uint64_t)json_integer_value(member);
    return true;
}

/* The mark of a record as audit_event_json writes it. */
static bool mark_of_json(const json_t *record, struct sequence_mark *out)
{
    *out = (struct sequence_mark){.instance = string_of(record, "instance")};
    if (!hex_decode(string_of(record, "epoch"), out->epoch, JOURNAL_EPOCH_BYTES) ||
        !number_of(record, "sequence", &out->sequence))
        return false;
    const json_t *loss = json_object_get(record, "loss");
    if (view_equals(string_of(loss, "reason"), VIEW("capped"))) {
        struct view epoch = string_of(loss, "epoch");
        memcpy(out->removed_epoch, out->epoch, JOURNAL_EPOCH_BYTES);
        out->is_capped = number_of(loss, "first", &out->removed_first) && number_of(loss, "last", &out->removed_last) &&
                         (epoch.size == 0 || hex_decode(epoch, out->removed_epoch, JOURNAL_EPOCH_BYTES));
    }
    const json_t *lifecycle = json_object_get(record, "lifecycle");
    out->has_previous = view_equals(string_of(lifecycle, "what"), VIEW("epoch_start")) &&
                        number_of(lifecycle, "previous_sequence", &out->previous.sequence) &&
                        hex_decode(string_of(lifecycle, "previous_epoch"), out->previous.epoch, JOURNAL_EPOCH_BYTES);
    return true;
}

static bool verify_line(struct verification *verification, struct view line)
{
    struct sequence_mark mark;
    if (line.size > LINE_MAX_BYTES)
        return false;
    json_t *record = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool is_good = mark_of_json(record, &mark) && sequence_check_take(verification->check, &mark) == ERR_NONE;
    json_decref(record);
    return is_good;
}

static bool verify_lines(struct verification *verification, const char *path)
{
    FILE *file = view_equals(view_of(path), VIEW("-")) ? stdin : fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    if (file == NULL)
        return false;
    for (uint64_t number = 1; (size = getline(&line, &capacity, file)) > 0; number++) {
        struct view text = {line, (size_t)size};
        if (view_ends_with(text, VIEW("\n")))
            text.size--;
        if (text.size > 0 && !verify_line(verification, text))
            note_unreadable(verification, "line", number);
    }
    bool is_good = ferror(file) == 0;
    free(line);
    if (file != stdin)
        fclose(file);
    return is_good;
}

static void add_gap(void *context, const struct sequence_gap *gap)
{
    char epoch[2 * JOURNAL_EPOCH_BYTES];
    struct arena arena;
    hex_encode(gap->epoch, JOURNAL_EPOCH_BYTES, epoch);
    arena_init(&arena, RECORD_MEMORY);
    json_array_append_new(context,
                          json_pack("{s:o, s:s#, s:I, s:I, s:b}", "instance", json_of_view(gap->instance, &arena),
                                    "epoch", epoch, (int)sizeof(epoch), "first", (json_int_t)gap->first, "last",
                                    (json_int_t)gap->last, "is_tail", gap->is_tail));
    arena_free(&arena);
}

/* Prints what was found; true when nothing is missing. */
static bool report(const struct verification *verification)
{
    uint64_t removed = 0, missing;
    uint64_t records = sequence_check_records(verification->check);
    if (verification->is_json) {
        json_t *gaps = json_array();
        missing = sequence_check_report(verification->check, add_gap, gaps, &removed);
        json_print(json_pack("{s:I, s:I, s:I, s:I, s:o}", "records", (json_int_t)records, "missing",
                             (json_int_t)missing, "removed", (json_int_t)removed, "unreadable",
                             (json_int_t)verification->unreadable, "gaps", gaps));
    } else {
        missing = sequence_check_report(verification->check, tail_view_print_gap, stdout, &removed);
        printf("%llu records, %llu missing", (unsigned long long)records, (unsigned long long)missing);
        if (removed > 0)
            printf(", %llu removed under the cap", (unsigned long long)removed);
        if (verification->unreadable > 0)
            printf(", %llu unreadable", (unsigned long long)verification->unreadable);
        putchar('\n');
    }
    return missing == 0 && verification->unreadable == 0;
}

static int cmd_verify(int argc, char **argv)
{
    const char *format = NULL, *whole = NULL, *operands[1];
    const struct option_spec options[] = {
        {.name = "whole", .help = "a file of JSON lines must begin with each epoch's first record", .value = &whole},
        {.name = "format", .metavar = "text|json", .help = "how to print what is found", .value = &format},
    };
    const struct usage usage = {
        .line = "bartizan audit verify PATH [--whole] [--format text|json]",
        .summary = "Checks that no record is missing. PATH is a journal's folder, of which the sums are\n"
                   "checked too, or a file of JSON lines as `audit tail --format json` prints them (- for\n"
                   "standard input). Exit status 1 when a record is missing, and its number is printed.",
        .options = options,
        .option_count = 2,
        .operands_least = 1,
        .operands_most = 1};
    size_t count = 0;
    struct stat file;
    struct verification verification = {0};
    int code = options_read(&usage, argc, argv, operands, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &verification.is_json))
        return usage_error(&usage, "--format is text or json");
    bool is_folder = stat(operands[0], &file) == 0 && S_ISDIR(file.st_mode);
    if (sequence_check_open(is_folder || whole != NULL, &verification.check) != ERR_NONE)
        return EXIT_IO;
    bool is_read = is_folder ? verify_folder(&verification, operands[0]) : verify_lines(&verification, operands[0]);
    if (!is_read)
        fprintf(stderr, "bartizan: %s: %s\n", operands[0], strerror(errno));
    code = !is_read ? EXIT_IO : report(&verification) ? EXIT_GOOD : EXIT_FAILED;
    if (code == EXIT_GOOD && is_folder && sequence_check_records(verification.check) == 0) {
        /* Every start leaves a record: this is no journal, or all of it is gone. */
        fprintf(stderr, "bartizan: %s: no record of a journal is there\n", operands[0]);
        code = EXIT_FAILED;
    }
    sequence_check_close(verification.check);
    return code;
}

int cmd_audit(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"tail", "prints records as they are made", cmd_tail},
        {"show", "explains one record", cmd_show},
        {"verify", "checks that no record is missing", cmd_verify},
    };
    return subcommand_run("bartizan audit", table, sizeof(table) / sizeof(table[0]), argc, argv);
}
