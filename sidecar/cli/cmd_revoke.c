/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the deny list, then sees to it that the running decider has taken it:
 * when this returns 0 and a decider runs, the caller is refused. */
#include "admin_client.h"
#include "cli.h"
#include "commands.h"
#include "file_set.h"
#include "json_print.h"
#include "options.h"
#include "revocation_file.h"
#include "rfc3339.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 100, LOCK_WAIT_MS = 50, SELECTORS = 6 };

#define LIST_NAME "revocations.yaml"

/* What every subcommand takes, as written. */
struct request {
    const char *config, *dir, *admin, *format;
    const char *selector[SELECTORS]; /* by revocation_kind */
    const char *issued_before, *reason, *author, *expires;
};

static const char *const selector_names[SELECTORS] = {
    [REVOCATION_SPIFFE] = "spiffe",
    [REVOCATION_SPIFFE_PREFIX] = "spiffe-prefix",
    [REVOCATION_CERTIFICATE] = "certificate-sha256",
    [REVOCATION_SPKI] = "spki-sha256",
    [REVOCATION_USER] = "user",
    [REVOCATION_TOKEN] = "token",
};

struct session {
    struct arena arena;
    struct diag_list diags;
    struct config config;          /* its revocations are the one of --dir when that is given */
    const char *own_dir[1];        /* where --dir is kept */
    const char *file;              /* the list that this command writes */
    struct file_set *files;        /* every list of every folder */
    struct revocation_list *lists; /* the same, read */
    uint64_t highest;              /* sequence over all lists */
    int64_t now;
};

static void session_close(struct session *session)
{
    arena_free(&session->arena);
}

static int report(const struct session *session, const char *what, enum err err)
{
    if (session->diags.errors > 0)
        return print_findings(&session->diags, false, err);
    fprintf(stderr, "bartizan: %s: %s\n", what, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

/* Finds the folder and the socket. */
static int find_places(struct session *session, const struct request *request)
{
    if (request->dir != NULL) {
        session->own_dir[0] = request->dir;
        session->config.identity.revocations = session->own_dir;
        session->config.identity.revocation_count = 1;
    } else {
        int code = load_config(request->config, &session->arena, &session->config);
        if (code != EXIT_GOOD)
            return code;
    }
    if (request->admin != NULL)
        session->config.admin.socket = request->admin;
    if (session->config.identity.revocation_count == 0) {
        fprintf(stderr, "bartizan: %s names no folder under identity.revocations\n", session->config.file);
        return EXIT_DATA;
    }
    session->file = arena_print(&session->arena, "%s/" LIST_NAME, session->config.identity.revocations[0]).data;
    return session->file ? EXIT_GOOD : EXIT_IO;
}

/* Reads every list. A set that the decider would refuse is not written to. */
static int read_lists(struct session *session)
{
    struct arena *arena = &session->arena;
    session->files = arena_take(arena, sizeof *session->files);
    if (session->files == NULL)
        return EXIT_IO;
    for (size_t i = 0; i < session->config.identity.revocation_count; i++) {
        const char *dir = session->config.identity.revocations[i];
        enum err err = file_set_read(dir, arena, &session->diags, session->files);
        if (err != ERR_NONE)
            return report(session, dir, err);
    }
    session->lists = arena_take_array(arena, session->files->count + 1, sizeof *session->lists);
    if (session->lists == NULL)
        return EXIT_IO;
    for (size_t i = 0; i < session->files->count; i++) {
        const struct file_text *file = &session->files->items[i];
        enum err err = revocation_list_parse(file->file, file->text, arena, &session->diags, &session->lists[i]);
        if (err != ERR_NONE)
            return report(session, file->file.data, err);
        if (session->lists[i].sequence > session->highest)
            session->highest = session->lists[i].sequence;
    }
    return EXIT_GOOD;
}

static int session_open(struct session *session, const struct request *request)
{
    arena_init(&session->arena, COMMAND_MEMORY);
    diag_list_init(&session->diags, &session->arena);
    session->now = now_seconds();
    int code = find_places(session, request);
    return code == EXIT_GOOD ? read_lists(session) : code;
}

/* ---- the entry that the command line names ---- */

static int read_selector(const struct usage *usage, const struct request *request, struct revocation_entry *entry)
{
    const char *text = NULL;
    for (size_t i = 0; i < SELECTORS; i++) {
        if (request->selector[i] == NULL)
            continue;
        if (text != NULL)
            return usage_error(usage, "one of --spiffe, --user and the like at a time");
        text = request->selector[i];
        entry->kind = (enum revocation_kind)i;
    }
    if (text == NULL)
        return usage_error(usage, "say whom: --spiffe, --spiffe-prefix, --certificate-sha256, --spki-sha256, --user or "
                                  "--token");
    entry->value = view_of(text);
    if (entry->kind != REVOCATION_USER && entry->kind != REVOCATION_TOKEN)
        return EXIT_GOOD;
    size_t hash = view_index_of(entry->value, '#', 0);
    entry->issuer = view_slice(entry->value, 0, hash);
    entry->value = view_slice(entry->value, hash + 1, entry->value.size);
    if (view_is_empty(entry->issuer) || view_is_empty(entry->value))
        return usage_error(usage, "`--%s` is written ISSUER#%s", selector_names[entry->kind],
                           entry->kind == REVOCATION_USER ? "SUBJECT" : "JTI");
    return EXIT_GOOD;
}

static int read_entry(const struct usage *usage, const struct request *request, int64_t now,
                      struct revocation_entry *entry)
{
    int code = read_selector(usage, request, entry);
    if (code != EXIT_GOOD)
        return code;
    if (request->issued_before != NULL) {
        if (entry->kind != REVOCATION_USER)
            return usage_error(usage, "`--issued-before` goes with --user");
        entry->has_issued_before = true;
        entry->issued_before = now;
        if (strcmp(request->issued_before, "now") != 0 &&
            !rfc3339_parse(view_of(request->issued_before), &entry->issued_before))
            return usage_error(usage, "`--issued-before` is an RFC 3339 time or `now`");
    }
    if (request->expires != NULL) {
        entry->has_expires = true;
        if (!time_or_duration_parse(view_of(request->expires), now, &entry->expires))
            return usage_error(usage, "`--expires` is an RFC 3339 time or a duration like 90s, 15m, 8h, 30d");
        if (entry->expires <= now)
            return usage_error(usage, "`--expires` is in the past");
    }
    return EXIT_GOOD;
}

/* "spiffe://td/a", "https://issuer#subject", "certificate 60a2..." */
static struct view entry_text(const struct revocation_entry *entry, struct arena *arena)
{
    struct view value = text_print(entry->value, arena), issuer = text_print(entry->issuer, arena);
    switch (entry->kind) {
    case REVOCATION_SPIFFE: return value;
    case REVOCATION_SPIFFE_PREFIX: return arena_print(arena, "%.*s/**", VIEW_ARG(value));
    case REVOCATION_CERTIFICATE: return arena_print(arena, "certificate %.*s", VIEW_ARG(value));
    case REVOCATION_SPKI: return arena_print(arena, "key %.*s", VIEW_ARG(value));
    case REVOCATION_USER: return arena_print(arena, "%.*s#%.*s", VIEW_ARG(issuer), VIEW_ARG(value));
    case REVOCATION_TOKEN: return arena_print(arena, "token %.*s#%.*s", VIEW_ARG(issuer), VIEW_ARG(value));
    }
    return value;
}

/* ---- writing ---- */

/* Another writer holds the folder for milliseconds; waiting beats losing an entry. */
static enum err edit_list(struct session *session, const struct revocation_edit *edit, uint64_t *sequence)
{
    enum err err = ERR_CONFLICT;
    for (int i = 0; i < LOCK_TRIES && err == ERR_CONFLICT; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_MS * 1000000L}, NULL);
        err = revocation_file_edit(session->file, edit, &session->diags, sequence);
    }
    return err;
}

static const struct revocation_entry *find_entry(const struct session *session, const struct revocation_entry *wanted,
                                                 bool only_own, size_t *list)
{
    for (size_t i = 0; i < session->files->count; i++) {
        if (only_own && !view_equals(session->files->items[i].file, view_of(session->file)))
            continue;
        for (size_t k = 0; k < session->lists[i].count; k++) {
            *list = i;
            if (revocation_entry_matches(&session->lists[i].entries[k], wanted))
                return &session->lists[i].entries[k];
        }
    }
    return NULL;
}

/* ---- the decider ---- */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Says what the decider refused, in its own words. */
static int print_refusal(const json_t *answer, int status, struct arena *arena)
{
    const json_t *error = json_object_get(answer, "error");
    struct view text = {json_string_value(error), json_string_length(error)};
    fprintf(stderr, "bartizan: the entry is written, but the decider refused to take it (HTTP %d): %.*s\n", status,
            VIEW_ARG(text_print(text, arena)));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "diags"), i, item)
    {
        const json_t *file = json_object_get(item, "file"), *message = json_object_get(item, "message");
        fprintf(stderr, "  %.*s:%" JSON_INTEGER_FORMAT ": %.*s\n",
                VIEW_ARG(text_print((struct view){json_string_value(file), json_string_length(file)}, arena)),
                json_integer_value(json_object_get(item, "line")),
                VIEW_ARG(text_print((struct view){json_string_value(message), json_string_length(message)}, arena)));
    }
    return EXIT_FAILED;
}

struct deed {
    const char *verb; /* "revoked" */
    const struct revocation_entry *entry;
    uint64_t sequence;
    int64_t started_ms;
};

static int read_reload(struct session *session, const struct deed *deed, const struct admin_answer *answer)
{
    AUTO(json_drop)
    json_t *json = json_loadb(answer->body.data, answer->body.size, JSON_REJECT_DUPLICATES, NULL);
    if (answer->status != 200 || !json_is_object(json))
        return print_refusal(json, answer->status, &session->arena);
    int64_t in_force = json_integer_value(json_object_get(json, "revocation_sequence"));
    if (in_force < 0 || (uint64_t)in_force < deed->sequence) {
        fprintf(stderr,
                "bartizan: the decider has deny list sequence %" PRId64 " in force, not %" PRIu64
                ": it does not read %s\n",
                in_force, deed->sequence, session->file);
        return EXIT_FAILED;
    }
    printf("%s %.*s generation %" JSON_INTEGER_FORMAT " in force after %" PRId64 " ms\n", deed->verb,
           VIEW_ARG(entry_text(deed->entry, &session->arena)), json_integer_value(json_object_get(json, "generation")),
           monotonic_ms() - deed->started_ms);
    return EXIT_GOOD;
}

/* Returns once the decider has the list of `deed` in force, or says why it has not. */
static int enforce(struct session *session, const struct deed *deed)
{
    const char *socket = session->config.admin.socket;
    struct admin_answer answer;
    enum err err =
        socket ? admin_request(socket, "POST", "/reload", ADMIN_TIMEOUT_MS, &session->arena, &answer) : ERR_NOT_FOUND;
    if (err == ERR_NONE)
        return read_reload(session, deed, &answer);
    if (err == ERR_NOT_FOUND) {
        printf("%s %.*s in %s, sequence %" PRIu64 "\n", deed->verb, VIEW_ARG(entry_text(deed->entry, &session->arena)),
               session->file, deed->sequence);
        if (socket != NULL)
            printf("note: no decider is running at %s; it holds from the next start\n", socket);
        else
            puts("note: no decider was asked to take it (--admin SOCKET or --config FILE)");
        return EXIT_GOOD;
    }
    fprintf(stderr, "bartizan: the entry is written, but the decider at %s does not answer: %s\n", socket,
            err == ERR_IO ? strerror(errno) : err_text(err));
    return EXIT_FAILED;
}

/* ---- revoke add ---- */

/* An entry that is there covers the new one when it lasts as long. */
static bool lasts_as_long(const struct revocation_entry *old, const struct revocation_entry *new)
{
    return !old->has_expires || (new->has_expires &&new->expires <= old->expires);
}

static int add_entry(struct session *session, const struct revocation_entry *entry)
{
    struct deed deed = {.verb = "revoked", .entry = entry, .started_ms = monotonic_ms()};
    size_t list = 0;
    const struct revocation_entry *old = find_entry(session, entry, false, &list);
    if (old != NULL && lasts_as_long(old, entry)) {
        deed.verb = "already revoked:";
        deed.sequence = session->highest;
        return enforce(session, &deed);
    }
    bool is_own = old != NULL && view_equals(session->files->items[list].file, view_of(session->file));
    if (is_own && old->expires > session->now) {
        fprintf(stderr, "bartizan: %.*s is revoked until %.*s already; `revoke remove` it before a longer time\n",
                VIEW_ARG(entry_text(entry, &session->arena)), VIEW_ARG(time_print(old->expires, &session->arena)));
        return EXIT_FAILED;
    }
    struct revocation_edit edit = {.kind = REVOCATION_REMOVE, .entry = *entry, .floor = session->highest};
    enum err err = is_own ? edit_list(session, &edit, &deed.sequence) : ERR_NONE; /* an entry that has run out */
    edit.kind = REVOCATION_ADD;
    if (err == ERR_NONE)
        err = edit_list(session, &edit, &deed.sequence);
    return err == ERR_NONE ? enforce(session, &deed) : report(session, session->file, err);
}

static struct view author_of(const struct request *request, struct arena *arena)
{
    const char *names[] = {request->author, getenv("SUDO_USER"), getenv("USER")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] != NULL && names[i][0] != '\0')
            return view_of(names[i]);
    return arena_print(arena, "uid:%u", (unsigned)getuid());
}

#define SELECTOR_OPTIONS(request)                                                                                      \
    {"spiffe", "ID", "this workload", &(request).selector[REVOCATION_SPIFFE]},                                         \
        {"spiffe-prefix", "P", "every workload at or below this ID, by whole segments",                                \
         &(request).selector[REVOCATION_SPIFFE_PREFIX]},                                                               \
        {"certificate-sha256", "HEX", "this certificate", &(request).selector[REVOCATION_CERTIFICATE]},                \
        {"spki-sha256", "HEX", "every certificate with this key", &(request).selector[REVOCATION_SPKI]},               \
        {"user", "ISS#SUB", "tokens of this user", &(request).selector[REVOCATION_USER]},                              \
        {"token", "ISS#JTI", "this token", &(request).selector[REVOCATION_TOKEN]},                                     \
    {                                                                                                                  \
        "issued-before", "T|now", "with --user: only tokens issued before", &(request).issued_before                   \
    }

#define PLACE_OPTIONS(request)                                                                                         \
    {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &(request).config},                 \
        {"dir", "DIR", "the folder of deny lists, instead of --config", &(request).dir},                               \
    {                                                                                                                  \
        "admin", "SOCKET", "the decider's admin socket, instead of the configuration's", &(request).admin              \
    }

static int check_places(const struct usage *usage, const struct request *request)
{
    if (request->config != NULL && request->dir != NULL)
        return usage_error(usage, "`--config` and `--dir` exclude each other");
    return OPTIONS_GO_ON;
}

static int add(int argc, char **argv)
{
    struct request request = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        SELECTOR_OPTIONS(request),
        PLACE_OPTIONS(request),
        {"reason", "TEXT", "why, for people (required)", &request.reason},
        {"author", "A", "who says so (default: you)", &request.author},
        {"expires", "T|DURATION", "until then; for ever unless given", &request.expires}};
    const struct usage usage = {
        .line = "bartizan revoke add (--spiffe ID | --user ISS#SUB | ..) --reason TEXT [--expires T]",
        .summary = "Puts a workload, certificate, user or token on the deny list, and returns when the\n"
                   "running decider refuses it: no cache and no policy stands in between.",
        .options = options,
        .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    code = code == OPTIONS_GO_ON ? check_places(&usage, &request) : code;
    if (code != OPTIONS_GO_ON)
        return code;
    if (request.reason == NULL || request.reason[0] == '\0')
        return usage_error(&usage, "`--reason` is missing");
    struct revocation_entry entry = {.reason = view_of(request.reason), .has_created = true, .created = now_seconds()};
    code = read_entry(&usage, &request, entry.created, &entry);
    if (code != EXIT_GOOD)
        return code;
    AUTO(session_close) struct session session = {0};
    code = session_open(&session, &request);
    entry.author = author_of(&request, &session.arena);
    return code == EXIT_GOOD ? add_entry(&session, &entry) : code;
}

/* ---- revoke remove ---- */

static int remove_entry(struct session *session, const struct revocation_entry *entry)
{
    struct deed deed = {.verb = "no longer revoked:", .entry = entry, .started_ms = monotonic_ms()};
    size_t list = 0;
    if (find_entry(session, entry, true, &list) == NULL) {
        bool is_elsewhere = find_entry(session, entry, false, &list) != NULL;
        fprintf(stderr, "bartizan: %.*s is not on the deny list %s%s%s\n", VIEW_ARG(entry_text(entry, &session->arena)),
                session->file, is_elsewhere ? ", but on " : "",
                is_elsewhere ? session->files->items[list].file.data : "");
        return EXIT_FAILED;
    }
    const struct revocation_edit edit = {.kind = REVOCATION_REMOVE, .entry = *entry, .floor = session->highest};
    enum err err = edit_list(session, &edit, &deed.sequence);
    return err == ERR_NONE ? enforce(session, &deed) : report(session, session->file, err);
}

static int remove_command(int argc, char **argv)
{
    struct request request = {0};
    size_t count = 0;
    const struct option_spec options[] = {SELECTOR_OPTIONS(request), PLACE_OPTIONS(request)};
    const struct usage usage = {.line = "bartizan revoke remove (--spiffe ID | --user ISS#SUB | ..)",
                                .summary = "Takes an entry off the deny list; with --issued-before as it was added.",
                                .options = options,
                                .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    code = code == OPTIONS_GO_ON ? check_places(&usage, &request) : code;
    if (code != OPTIONS_GO_ON)
        return code;
    struct revocation_entry entry = {0};
    code = read_entry(&usage, &request, now_seconds(), &entry);
    if (code != EXIT_GOOD)
        return code;
    AUTO(session_close) struct session session = {0};
    code = session_open(&session, &request);
    return code == EXIT_GOOD ? remove_entry(&session, &entry) : code;
}

/* ---- revoke list ---- */

static void print_entry(const struct revocation_entry *entry, int64_t now, struct arena *arena)
{
    printf("%.*s\n    %.*s", VIEW_ARG(entry_text(entry, arena)), VIEW_ARG(text_print(entry->reason, arena)));
    if (view_is_present(entry->author))
        printf(", by %.*s", VIEW_ARG(text_print(entry->author, arena)));
    if (entry->has_created)
        printf(", at %.*s", VIEW_ARG(time_print(entry->created, arena)));
    if (entry->has_issued_before)
        printf(", tokens issued before %.*s", VIEW_ARG(time_print(entry->issued_before, arena)));
    if (entry->has_expires)
        printf(", %s %.*s", entry->expires <= now ? "EXPIRED" : "until", VIEW_ARG(time_print(entry->expires, arena)));
    fputc('\n', stdout);
}

static json_t *time_json(bool is_there, int64_t seconds, struct arena *arena)
{
    return is_there ? json_of_view(time_print(seconds, arena), arena) : json_null();
}

static json_t *entry_json(const struct revocation_entry *entry, struct view file, struct arena *arena)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", selector_names[entry->kind], "value",
                     json_of_view(entry->value, arena), "issuer", json_of_view(entry->issuer, arena), "issued_before",
                     time_json(entry->has_issued_before, entry->issued_before, arena), "reason",
                     json_of_view(entry->reason, arena), "author", json_of_view(entry->author, arena), "created",
                     time_json(entry->has_created, entry->created, arena), "expires",
                     time_json(entry->has_expires, entry->expires, arena), "file", json_of_view(file, arena));
}

static int print_lists(struct session *session, bool is_json)
{
    json_t *entries = is_json ? json_array() : NULL;
    size_t total = 0;
    for (size_t i = 0; i < session->files->count; i++) {
        const struct revocation_list *list = &session->lists[i];
        total += list->count;
        for (size_t k = 0; k < list->count; k++) {
            if (is_json)
                json_array_append_new(entries,
                                      entry_json(&list->entries[k], session->files->items[i].file, &session->arena));
            else
                print_entry(&list->entries[k], session->now, &session->arena);
        }
    }
    if (is_json)
        json_print(json_pack("{s:I, s:o}", "sequence", (json_int_t)session->highest, "entries", entries));
    else
        printf("%zu entries, sequence %" PRIu64 "\n", total, session->highest);
    return EXIT_GOOD;
}

static int list_command(int argc, char **argv)
{
    struct request request = {0};
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {PLACE_OPTIONS(request),
                                          {"format", "text|json", "how entries are printed", &request.format}};
    const struct usage usage = {.line = "bartizan revoke list [--config FILE | --dir DIR] [--format text|json]",
                                .summary = "Prints the deny lists as they are in the files.",
                                .options = options,
                                .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    code = code == OPTIONS_GO_ON ? check_places(&usage, &request) : code;
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(request.format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", request.format);
    AUTO(session_close) struct session session = {0};
    code = session_open(&session, &request);
    return code == EXIT_GOOD ? print_lists(&session, is_json) : code;
}

int cmd_revoke(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"add", "refuse a workload, certificate, user or token", add},
        {"list", "print the deny lists", list_command},
        {"remove", "take an entry off the deny list", remove_command},
    };
    return subcommand_run("bartizan revoke", table, sizeof table / sizeof table[0], argc, argv);
}
