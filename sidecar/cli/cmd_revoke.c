/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the deny list, then sees to it that the running decider has taken it:
 * when this returns 0 and a decider runs, the caller is refused. */
#include "clock.h"
#include "cmd_revoke_sign.h"
#include "commands.h"
#include "json_print.h"
#include "options.h"
#include "revoke_session.h"
#include "rfc3339.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* What every subcommand takes, as written. */
struct request {
    struct revoke_places places;
    const char *format;
    const char *selector[REVOCATION_KINDS]; /* by revocation_kind */
    const char *issued_before, *reason, *author, *expires, *above;
};

static const char *const selector_names[REVOCATION_KINDS] = {
    [REVOCATION_SPIFFE] = "spiffe",
    [REVOCATION_SPIFFE_PREFIX] = "spiffe-prefix",
    [REVOCATION_CERTIFICATE] = "certificate-sha256",
    [REVOCATION_SPKI] = "spki-sha256",
    [REVOCATION_USER] = "user",
    [REVOCATION_TOKEN] = "token",
    [REVOCATION_SERIAL] = "serial",
    [REVOCATION_AUTHORITY] = "authority",
};

/* ---- the entry that the command line names ---- */

static int read_selector(const struct usage *usage, const struct request *request, struct revocation_entry *entry)
{
    const char *text = NULL;
    for (size_t i = 0; i < REVOCATION_KINDS; i++) {
        if (request->selector[i] == NULL)
            continue;
        if (text != NULL)
            return usage_error(usage, "one of --spiffe, --user and the like at a time");
        text = request->selector[i];
        entry->kind = (enum revocation_kind)i;
    }
    if (text == NULL)
        return usage_error(usage, "say whom: --spiffe, --spiffe-prefix, --certificate-sha256, --spki-sha256, --serial, "
                                  "--authority, --user or --token");
    entry->value = view_of(text);
    if (entry->kind != REVOCATION_USER && entry->kind != REVOCATION_TOKEN && entry->kind != REVOCATION_SERIAL)
        return EXIT_GOOD;
    size_t hash = view_index_of(entry->value, '#', 0);
    entry->issuer = view_slice(entry->value, 0, hash);
    entry->value = view_slice(entry->value, hash + 1, entry->value.size);
    if (view_is_empty(entry->issuer) || view_is_empty(entry->value))
        return usage_error(usage, "`--%s` is written ISSUER#%s", selector_names[entry->kind],
                           entry->kind == REVOCATION_USER    ? "SUBJECT"
                           : entry->kind == REVOCATION_TOKEN ? "JTI"
                                                             : "NUMBER");
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

/* ---- revoke add ---- */

#define SELECTOR_OPTIONS(request)                                                                                      \
    {"spiffe", "ID", "this workload", &(request).selector[REVOCATION_SPIFFE]},                                         \
        {"spiffe-prefix", "P", "every workload at or below this ID, by whole segments",                                \
         &(request).selector[REVOCATION_SPIFFE_PREFIX]},                                                               \
        {"certificate-sha256", "HEX", "this certificate", &(request).selector[REVOCATION_CERTIFICATE]},                \
        {"spki-sha256", "HEX", "every certificate with this key", &(request).selector[REVOCATION_SPKI]},               \
        {"serial", "ISS#HEX", "the certificate of this issuer (keyId:HEX or nameSha256:HEX) and serial number",        \
         &(request).selector[REVOCATION_SERIAL]},                                                                      \
        {"authority", "KEY", "all that is issued below this authority (spkiSha256:HEX or keyId:HEX)",                  \
         &(request).selector[REVOCATION_AUTHORITY]},                                                                   \
        {"user", "ISS#SUB", "tokens of this user", &(request).selector[REVOCATION_USER]},                              \
        {"token", "ISS#JTI", "this token", &(request).selector[REVOCATION_TOKEN]},                                     \
    {                                                                                                                  \
        "issued-before", "T|now", "with --user: only tokens issued before", &(request).issued_before                   \
    }

#define FOLDER_OPTIONS(request)                                                                                        \
    {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &(request).places.config},          \
    {                                                                                                                  \
        "dir", "DIR", "the folder of deny lists, instead of --config", &(request).places.dir                           \
    }

#define WRITER_OPTIONS(request)                                                                                        \
    {"admin", "SOCKET", "the decider's admin socket, instead of the configuration's", &(request).places.admin},        \
    {                                                                                                                  \
        "key", "KEY.pem", "sign the list with this Ed25519 private key", &(request).places.key                         \
    }

static int check_places(const struct usage *usage, const struct request *request)
{
    if (request->places.config != NULL && request->places.dir != NULL)
        return usage_error(usage, "`--config` and `--dir` exclude each other");
    return OPTIONS_GO_ON;
}

static int add(int argc, char **argv)
{
    struct request request = {.places = {.makes_folder = true}};
    size_t count = 0;
    const struct option_spec options[] = {
        SELECTOR_OPTIONS(request),
        FOLDER_OPTIONS(request),
        WRITER_OPTIONS(request),
        {"reason", "TEXT", "why, for people (required)", &request.reason},
        {"author", "A", "who says so (default: you)", &request.author},
        {"expires", "T|DURATION", "until then; for ever unless given", &request.expires},
        {"above", "SEQUENCE", "the list's new sequence is above this one: for a list in force whose file was lost",
         &request.above}};
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
    uint64_t above = 0;
    if (request.above != NULL && !view_to_u64(view_of(request.above), &above))
        return usage_error(&usage, "`--above` is a whole number");
    struct revocation_entry entry = {.reason = view_of(request.reason), .has_created = true, .created = now_seconds()};
    code = read_entry(&usage, &request, entry.created, &entry);
    if (code != EXIT_GOOD)
        return code;
    AUTO(revoke_session_close) struct revoke_session session = {0};
    code = revoke_session_open(&session, &request.places);
    entry.author = revoke_author(request.author, &session.arena);
    if (above > session.highest)
        session.highest = above;
    return code == EXIT_GOOD ? revoke_add(&session, &entry) : code;
}

/* ---- revoke remove ---- */

static int remove_entry(struct revoke_session *session, const struct revocation_entry *entry)
{
    struct revoke_deed deed = {.verb = "no longer revoked:", .entry = entry, .started_ms = clock_ms(CLOCK_MONOTONIC)};
    size_t list = 0;
    if (revoke_find(session, entry, true, &list) == NULL) {
        bool is_elsewhere = revoke_find(session, entry, false, &list) != NULL;
        fprintf(stderr, "bartizan: %.*s is not on the deny list %s%s%s\n",
                VIEW_ARG(revoke_entry_text(entry, &session->arena)), session->file, is_elsewhere ? ", but on " : "",
                is_elsewhere ? session->files->items[list].file.data : "");
        return EXIT_FAILED;
    }
    const struct revocation_edit edit = {.kind = REVOCATION_REMOVE, .entry = *entry, .floor = session->highest};
    enum err err = revoke_edit(session, &edit, &deed.sequence);
    return err == ERR_NONE ? revoke_enforce(session, &deed) : revoke_report(session, session->file, err);
}

static int remove_command(int argc, char **argv)
{
    struct request request = {0};
    size_t count = 0;
    const struct option_spec options[] = {SELECTOR_OPTIONS(request), FOLDER_OPTIONS(request), WRITER_OPTIONS(request)};
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
    AUTO(revoke_session_close) struct revoke_session session = {0};
    code = revoke_session_open(&session, &request.places);
    return code == EXIT_GOOD ? remove_entry(&session, &entry) : code;
}

/* ---- revoke list ---- */

static void print_entry(const struct revocation_entry *entry, int64_t now, struct arena *arena)
{
    printf("%.*s\n    %.*s", VIEW_ARG(revoke_entry_text(entry, arena)), VIEW_ARG(text_print(entry->reason, arena)));
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

static int print_lists(struct revoke_session *session, bool is_json)
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
    struct request request = {.places = {.only_reads = true}};
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {FOLDER_OPTIONS(request),
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
    AUTO(revoke_session_close) struct revoke_session session = {0};
    code = revoke_session_open(&session, &request.places);
    return code == EXIT_GOOD ? print_lists(&session, is_json) : code;
}

int cmd_revoke(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"add", "refuse a workload, certificate, user or token", add},
        {"list", "print the deny lists", list_command},
        {"remove", "take an entry off the deny list", remove_command},
        {"sign", "sign a deny list that another program wrote", cmd_revoke_sign},
    };
    return subcommand_run("bartizan revoke", table, sizeof table / sizeof table[0], argc, argv);
}
