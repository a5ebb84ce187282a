/* SPDX-License-Identifier: Apache-2.0 */
#include "revoke_session.h"

#include "admin_client.h"
#include "clock.h"
#include "commands.h"
#include "json_print.h"
#include "sealed_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 100, LOCK_WAIT_MS = 50 };

#define LIST_NAME "revocations.yaml"
#define SIGNED_LIST_NAME "signed.revocations"

void revoke_session_close(struct revoke_session *session)
{
    revocation_gate_close(&session->gate);
    policy_key_free(session->key);
    arena_free(&session->arena);
}

int revoke_report(const struct revoke_session *session, const char *what, enum err err)
{
    if (session->diags.errors > 0)
        return print_findings(&session->diags, false, err);
    fprintf(stderr, "bartizan: %s: %s\n", what, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

/* Finds the folder and the socket. */
static int find_places(struct revoke_session *session, const struct revoke_places *places)
{
    if (places->dir != NULL) {
        session->own_dir[0] = places->dir;
        session->config.identity.revocations = session->own_dir;
        session->config.identity.revocation_count = 1;
    } else {
        int code = load_config(places->config, &session->arena, &session->config);
        if (code != EXIT_GOOD)
            return code;
    }
    if (places->admin != NULL)
        session->config.admin.socket = places->admin;
    if (session->config.identity.revocation_count == 0) {
        fprintf(stderr, "bartizan: %s names no folder under identity.revocations\n", session->config.file);
        return EXIT_DATA;
    }
    session->file = arena_print(&session->arena, "%s/%s", session->config.identity.revocations[0],
                                places->key != NULL ? SIGNED_LIST_NAME : LIST_NAME)
                        .data;
    return session->file ? EXIT_GOOD : EXIT_IO;
}

/* True when the decider takes what this key signs. */
static bool is_signer(const struct signers *signers, const struct policy_key *key)
{
    for (size_t i = 0; i < signers->count; i++)
        if (memcmp(policy_key_id(signers->keys[i]), policy_key_id(key), POLICY_SEAL_KEY_ID_BYTES) == 0)
            return true;
    return signers->count == 0;
}

/* The signers, and the key of who writes. */
static int read_keys(struct revoke_session *session, const struct revoke_places *places)
{
    enum err err = revocation_gate_open(&session->config, &session->arena, &session->diags, &session->gate);
    if (err != ERR_NONE)
        return revoke_report(session, session->config.file, err);
    bool needs_key = session->gate.signers.count > 0 && !places->only_reads;
    if (places->key == NULL && needs_key)
        fputs("bartizan: identity.revocation_signers takes signed lists only: `bartizan revoke add --key FILE`\n",
              stderr);
    if (places->key == NULL)
        return needs_key ? EXIT_SIGNATURE : EXIT_GOOD;
    int code = sealed_file_key(places->key, &session->arena, &session->key);
    if (code != EXIT_GOOD || is_signer(&session->gate.signers, session->key))
        return code;
    fprintf(stderr, "bartizan: %s is the key of none of identity.revocation_signers\n", places->key);
    return EXIT_SIGNATURE;
}

/* Reads every list. A set that the decider would refuse is not written to. */
static int read_lists(struct revoke_session *session)
{
    struct arena *arena = &session->arena;
    session->files = arena_take(arena, sizeof *session->files);
    if (session->files == NULL)
        return EXIT_IO;
    for (size_t i = 0; i < session->config.identity.revocation_count; i++) {
        const char *dir = session->config.identity.revocations[i];
        enum err err = file_set_read_revocations(dir, arena, &session->diags, session->files);
        if (err != ERR_NONE)
            return revoke_report(session, dir, err);
    }
    session->lists = arena_take_array(arena, session->files->count + 1, sizeof *session->lists);
    if (session->lists == NULL)
        return EXIT_IO;
    for (size_t i = 0; i < session->files->count; i++) {
        const struct file_text *file = &session->files->items[i];
        struct view text;
        uint64_t revision;
        enum err err = revocation_gate_pass(&session->gate, file->file, file->text, &session->diags, &text, &revision);
        if (err == ERR_NONE)
            err = revocation_list_parse(file->file, text, arena, &session->diags, &session->lists[i]);
        if (err != ERR_NONE)
            return revoke_report(session, file->file.data, err);
        if (session->lists[i].sequence > session->highest)
            session->highest = session->lists[i].sequence;
    }
    return EXIT_GOOD;
}

int revoke_session_open(struct revoke_session *session, const struct revoke_places *places)
{
    arena_init(&session->arena, COMMAND_MEMORY);
    diag_list_init(&session->diags, &session->arena);
    session->now = now_seconds();
    int code = find_places(session, places);
    if (code == EXIT_GOOD)
        code = read_keys(session, places);
    if (code == EXIT_GOOD && places->makes_folder && places->dir == NULL)
        code = make_revocations(&session->config);
    return code == EXIT_GOOD ? read_lists(session) : code;
}

struct view revoke_entry_text(const struct revocation_entry *entry, struct arena *arena)
{
    struct view value = text_print(entry->value, arena), issuer = text_print(entry->issuer, arena);
    switch (entry->kind) {
    case REVOCATION_SPIFFE: return value;
    case REVOCATION_SPIFFE_PREFIX: return arena_print(arena, "%.*s/**", VIEW_ARG(value));
    case REVOCATION_CERTIFICATE: return arena_print(arena, "certificate %.*s", VIEW_ARG(value));
    case REVOCATION_SPKI: return arena_print(arena, "key %.*s", VIEW_ARG(value));
    case REVOCATION_USER: return arena_print(arena, "%.*s#%.*s", VIEW_ARG(issuer), VIEW_ARG(value));
    case REVOCATION_TOKEN: return arena_print(arena, "token %.*s#%.*s", VIEW_ARG(issuer), VIEW_ARG(value));
    case REVOCATION_SERIAL: return arena_print(arena, "serial %.*s#%.*s", VIEW_ARG(issuer), VIEW_ARG(value));
    case REVOCATION_AUTHORITY: return arena_print(arena, "everything below %.*s", VIEW_ARG(value));
    case REVOCATION_KINDS: break;
    }
    return value;
}

/* ---- writing ---- */

/* Another writer holds the folder for milliseconds; waiting beats losing an entry. */
enum err revoke_edit(struct revoke_session *session, const struct revocation_edit *wanted, uint64_t *sequence)
{
    const struct revocation_signing signing = {.key = session->key,
                                               .trusted = session->gate.signers.keys,
                                               .trusted_count = session->gate.signers.count,
                                               .now = session->now};
    struct revocation_edit edit = *wanted;
    enum err err = ERR_CONFLICT;
    edit.signing = session->key != NULL ? &signing : NULL;
    for (int i = 0; i < LOCK_TRIES && err == ERR_CONFLICT; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_MS * 1000000L}, NULL);
        err = revocation_file_edit(session->file, &edit, &session->diags, sequence);
    }
    return err;
}

const struct revocation_entry *revoke_find(const struct revoke_session *session, const struct revocation_entry *wanted,
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

/* Says what the decider refused, in its own words. */
static int print_refusal(const json_t *answer, const char *what, struct arena *arena)
{
    const json_t *error = json_object_get(answer, "error");
    struct view text = {json_string_value(error), json_string_length(error)};
    fprintf(stderr, "bartizan: %s: %.*s\n", what, VIEW_ARG(text_print(text, arena)));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "diags"), i, item)
    {
        const json_t *file = json_object_get(item, "file"), *message = json_object_get(item, "message");
        json_int_t line = json_integer_value(json_object_get(item, "line"));
        struct view at = line > 0 ? arena_print(arena, ":%" JSON_INTEGER_FORMAT, line) : VIEW("");
        fprintf(stderr, "  %.*s%.*s: %.*s\n",
                VIEW_ARG(text_print((struct view){json_string_value(file), json_string_length(file)}, arena)),
                VIEW_ARG(at),
                VIEW_ARG(text_print((struct view){json_string_value(message), json_string_length(message)}, arena)));
    }
    return EXIT_FAILED;
}

static int read_reload(struct revoke_session *session, const struct revoke_deed *deed,
                       const struct admin_answer *answer)
{
    AUTO(json_drop)
    json_t *json = json_loadb(answer->body.data, answer->body.size, JSON_REJECT_DUPLICATES, NULL);
    /* 409: some file was refused; what is in force then includes the lists that could be taken. A higher
     * sequence than ours may be one of before, because of which ours was refused. */
    const json_t *taken = answer->status == 200 ? json : json_object_get(json, "in_force");
    int64_t in_force = json_integer_value(json_object_get(taken, "revocation_sequence"));
    bool is_taken =
        json_is_object(taken) && in_force >= 0 &&
        (answer->status == 200 ? (uint64_t)in_force >= deed->sequence : (uint64_t)in_force == deed->sequence);
    if (answer->status != 200 && !is_taken)
        return print_refusal(json, "the entry is written, but the decider refused to take it", &session->arena);
    if (answer->status != 200)
        (void)print_refusal(json, "warning: the decider refused another file", &session->arena);
    if (!is_taken) {
        fprintf(stderr,
                "bartizan: the decider has deny list sequence %" PRId64 " in force, not %" PRIu64
                ": it does not read %s\n",
                in_force, deed->sequence, session->file);
        return EXIT_FAILED;
    }
    printf("%s %.*s generation %" JSON_INTEGER_FORMAT " in force after %" PRId64 " ms\n", deed->verb,
           VIEW_ARG(revoke_entry_text(deed->entry, &session->arena)),
           json_integer_value(json_object_get(taken, "generation")), clock_ms(CLOCK_MONOTONIC) - deed->started_ms);
    return EXIT_GOOD;
}

/* Returns once the decider has the list of `deed` in force, or says why it has not. */
int revoke_enforce(struct revoke_session *session, const struct revoke_deed *deed)
{
    const char *socket = session->config.admin.socket;
    struct admin_answer answer;
    const char *path = "/reload?wait=files"; /* a policy that is compiled is none of our business */
    enum err err =
        socket ? admin_request(socket, "POST", path, ADMIN_TIMEOUT_MS, &session->arena, &answer) : ERR_NOT_FOUND;
    if (err == ERR_NONE)
        return read_reload(session, deed, &answer);
    if (err == ERR_NOT_FOUND) {
        printf("%s %.*s in %s, sequence %" PRIu64 "\n", deed->verb,
               VIEW_ARG(revoke_entry_text(deed->entry, &session->arena)), session->file, deed->sequence);
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

/* ---- adding ---- */

struct view revoke_author(const char *given, struct arena *arena)
{
    const char *names[] = {given, getenv("SUDO_USER"), getenv("USER")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] != NULL && names[i][0] != '\0')
            return view_of(names[i]);
    return arena_print(arena, "uid:%u", (unsigned)getuid());
}

/* An entry that is there covers the new one when it lasts as long. */
static bool lasts_as_long(const struct revocation_entry *old, const struct revocation_entry *new)
{
    return !old->has_expires || (new->has_expires &&new->expires <= old->expires);
}

int revoke_add(struct revoke_session *session, const struct revocation_entry *entry)
{
    struct revoke_deed deed = {.verb = "revoked", .entry = entry, .started_ms = clock_ms(CLOCK_MONOTONIC)};
    size_t list = 0;
    const struct revocation_entry *old = revoke_find(session, entry, false, &list);
    if (old != NULL && lasts_as_long(old, entry)) {
        deed.verb = "already revoked:";
        deed.sequence = session->highest;
        return revoke_enforce(session, &deed);
    }
    bool is_own = old != NULL && view_equals(session->files->items[list].file, view_of(session->file));
    if (is_own && old->expires > session->now) {
        fprintf(stderr, "bartizan: %.*s is revoked until %.*s already; `revoke remove` it before a longer time\n",
                VIEW_ARG(revoke_entry_text(entry, &session->arena)),
                VIEW_ARG(time_print(old->expires, &session->arena)));
        return EXIT_FAILED;
    }
    struct revocation_edit edit = {.kind = REVOCATION_REMOVE, .entry = *entry, .floor = session->highest};
    enum err err = is_own ? revoke_edit(session, &edit, &deed.sequence) : ERR_NONE; /* an entry that has run out */
    edit.kind = REVOCATION_ADD;
    if (err == ERR_NONE)
        err = revoke_edit(session, &edit, &deed.sequence);
    return err == ERR_NONE ? revoke_enforce(session, &deed) : revoke_report(session, session->file, err);
}
