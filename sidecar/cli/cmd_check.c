/* SPDX-License-Identifier: Apache-2.0 */
/* One check, offline, through the pipeline that answers Envoy: same files, same
 * code, and what is printed is the record that would have been written. */
#include "audit_event.h"
#include "check.h"
#include "cli.h"
#include "commands.h"
#include "journal_reader.h"
#include "options.h"
#include "reply_print.h"
#include "request_read.h"
#include "rfc3339.h"
#include "subject_key.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MAX = 16 * 1024 * 1024, JOURNAL_BYTES = 1024 * 1024, JOURNAL_SEGMENT = 64 * 1024 };

/* ---- a journal of its own, gone afterwards ---- */

struct scratch_journal {
    char path[256];
    struct journal_writer *writer;
};

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
    rmdir(path);
}

static void journal_end(struct scratch_journal *journal)
{
    if (journal->writer != NULL)
        journal_writer_close(journal->writer);
    if (journal->path[0] != '\0')
        remove_folder(journal->path);
}

static enum err journal_begin(struct scratch_journal *journal, const uint8_t *epoch, struct view instance)
{
    const char *base = getenv("TMPDIR");
    char path[sizeof journal->path];
    int size = snprintf(path, sizeof path, "%s/bartizan-check-XXXXXX", base && base[0] ? base : "/tmp");
    if (size < 0 || (size_t)size >= sizeof path || mkdtemp(path) == NULL)
        return ERR_IO;
    memcpy(journal->path, path, sizeof path);
    struct journal_config config = {
        .path = journal->path, .max_bytes = JOURNAL_BYTES, .segment_bytes = JOURNAL_SEGMENT, .instance = instance};
    memcpy(config.epoch, epoch, sizeof config.epoch);
    return journal_writer_open(&config, &journal->writer);
}

/* The record of the one check. */
static enum err journal_record(const struct scratch_journal *journal, struct arena *arena, struct audit_event *event)
{
    struct journal_reader *reader = NULL;
    struct journal_position position;
    struct view payload;
    TRY(journal_reader_open(journal->path, false, &reader));
    enum err err = journal_reader_next(reader, &position, &payload);
    while (err == ERR_NONE) {
        payload = arena_copy(arena, payload);
        err = audit_event_parse(payload, event);
        if (err != ERR_NONE || event->kind == RECORD_DECISION)
            break;
        err = journal_reader_next(reader, &position, &payload);
    }
    journal_reader_close(reader);
    return err;
}

/* ---- the check ---- */

struct run {
    struct arena arena;
    struct diag_list diags;
    struct config config;
    struct snapshot *snapshot;
    struct check_context *context;
    struct scratch_journal journal;
    struct metrics metrics;
    int64_t now;
    bool is_json;
};

static void run_close(struct run *run)
{
    if (run->context != NULL)
        check_context_close(run->context);
    journal_end(&run->journal);
    snapshot_drop(run->snapshot);
    arena_free(&run->arena);
}

/* `serve` makes the first folder of deny lists. Here nothing is made, and it is passed over instead. */
static void pass_over_missing_revocations(struct config *config)
{
    struct stat info;
    if (config->identity.revocation_count == 0 || stat(config->identity.revocations[0], &info) == 0 || errno != ENOENT)
        return;
    fprintf(stderr, "note: %s is not there yet: it revokes nobody, and `bartizan serve` makes it\n",
            config->identity.revocations[0]);
    config->identity.revocations++;
    config->identity.revocation_count--;
}

static void note_missing(void *context, const struct missing_file *file)
{
    (void)context;
    fprintf(stderr, "note: %s %s: without this %s of %.*s checks are denied with `keys-unavailable`\n", file->path,
            file->is_stale ? "was not confirmed by the Workload API within max_age" : "is not there yet", file->what,
            VIEW_ARG(file->of));
}

static int run_open(struct run *run, const char *config)
{
    struct view subject_key;
    arena_init(&run->arena, COMMAND_MEMORY);
    diag_list_init(&run->diags, &run->arena);
    int code = load_config(config, &run->arena, &run->config);
    if (code != EXIT_GOOD)
        return code;
    pass_over_missing_revocations(&run->config);
    enum err err = snapshot_build(&run->config, NULL, NULL, run->now, &run->diags, &run->snapshot);
    if (err == ERR_NONE)
        err = subject_key_read(&run->config, &run->arena, &run->diags, &subject_key);
    if (run->is_json && err == ERR_NONE)
        diag_list_print(&run->diags, stderr);
    else
        code = print_findings(&run->diags, run->is_json, err);
    diag_list_init(&run->diags, &run->arena); /* printed: not again with what is found in the request */
    if (run->snapshot != NULL)
        snapshot_each_missing(run->snapshot, &run->config, note_missing, NULL);
    return code;
}

static enum err open_context(struct run *run)
{
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    struct hash_key key;
    if (getrandom(epoch, sizeof epoch, 0) != (ssize_t)sizeof epoch ||
        getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
        return ERR_IO;
    TRY(journal_begin(&run->journal, epoch, run->config.instance));
    const struct check_context_config context = {.config = &run->config,
                                                 .snapshot = run->snapshot,
                                                 .epoch = epoch,
                                                 .journal = run->journal.writer,
                                                 .metrics = &run->metrics,
                                                 .hash_key = key};
    return check_context_open(&context, &run->context);
}

static int answer(struct run *run, const char *file)
{
    struct view text = {0}, bytes = {0};
    enum err err = read_whole(file, REQUEST_MAX, &run->arena, &text);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", file, err == ERR_IO ? strerror(errno) : err_text(err));
        return exit_code_of(err);
    }
    err = request_read(view_of(file), text, &run->arena, &run->diags, &bytes);
    if (err != ERR_NONE)
        return print_findings(&run->diags, run->is_json, err);
    struct audit_event event = {0};
    struct check_reply *reply = arena_take(&run->arena, sizeof *reply);
    struct check check = {.bytes = bytes, .asking_peer = VIEW("command-line")};
    const struct check_clock clock = {.realtime_ns = run->now * 1000000000};
    err = reply ? open_context(run) : ERR_NO_MEMORY;
    if (err == ERR_NONE) {
        check_run(run->context, &check, &clock, reply);
        err = journal_record(&run->journal, &run->arena, &event);
    }
    if (err == ERR_NONE)
        return reply_print(&event, (struct view){reply->bytes, reply->size}, run->is_json, &run->arena);
    fprintf(stderr, "bartizan: the check cannot be recorded: %s\n", err == ERR_IO ? strerror(errno) : err_text(err));
    return EXIT_IO;
}

static int print_files(const struct run *run)
{
    if (run->config.policy.shadow != NULL && run->snapshot->shadow == NULL)
        return EXIT_DATA; /* a sidecar would run without it; why was printed */
    printf("%s: good; %zu rules, digest %.*s\n", run->config.file, policy_rule_count(run->snapshot->policy),
           VIEW_ARG(policy_digest(run->snapshot->policy)));
    return EXIT_GOOD;
}

int cmd_check(int argc, char **argv)
{
    const char *config = NULL, *request = NULL, *format = NULL, *now = NULL;
    size_t count = 0;
    const struct option_spec options[] = {
        {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &config},
        {"request", "FILE|-", "a CheckRequest, as protobuf JSON or its bytes", &request},
        {"now", "TIME", "decide as of this RFC 3339 time", &now},
        {"format", "text|json", "how the answer is printed", &format},
    };
    const struct usage usage = {.line = "bartizan check [--config FILE] [--request FILE|-] [--now TIME]",
                                .summary =
                                    "Answers one check request as the sidecar would, and explains the answer. Nothing\n"
                                    "is asked of a running sidecar, and nothing is recorded. Without --request: says\n"
                                    "whether the configuration and every file that it names would be taken.\n"
                                    "Exit status 0 whatever the verdict.",
                                .options = options,
                                .option_count = 4};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    AUTO(run_close) struct run run = {.now = now_seconds()};
    if (!format_parse(format, &run.is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    if (now != NULL && !rfc3339_parse(view_of(now), &run.now))
        return usage_error(&usage, "`--now` is an RFC 3339 time like 2026-11-24T21:55:00Z");
    code = run_open(&run, config);
    if (code != EXIT_GOOD)
        return code;
    return request ? answer(&run, request) : print_files(&run);
}
