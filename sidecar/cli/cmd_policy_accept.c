/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy accept`: leave for one revision that would be refused, for a time.
 *
 * A file beside the journal says so; a running decider reads it at once, one that does
 * not start without it at its next start. */
#include "admin_client.h"
#include "cmd_policy_sealed.h"
#include "policy_mark.h"
#include "policy_session.h"
#include "revoke_session.h"
#include "status_ask.h"

#include <errno.h>
#include <inttypes.h>

enum { DAYS_MAX = 30, DAY_SECONDS = 86400 };

struct accept_wish {
    const char *config_path, *revision, *reason, *author, *until;
    struct config config;
    struct policy_leave leave;
    struct arena *arena;
};

static int complain(const char *what, enum err err)
{
    fprintf(stderr, "bartizan: %s: %s\n", what, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

/* What is in force after the reload is what counts, whatever the decider says of other files. */
static int report(const struct accept_wish *wish)
{
    AUTO(json_drop) json_t *status = NULL;
    struct view body = {0};
    int code = status_ask(wish->config.admin.socket, wish->arena, &body, &status);
    if (code != EXIT_GOOD)
        return code;
    const json_t *policy = json_object_get(json_object_get(status, "snapshot"), "policy");
    const json_t *signature = json_object_get(policy, "signature");
    int64_t revision = json_is_object(signature) ? status_number(signature, "revision") : 0;
    bool is_in_force = revision > 0 && (uint64_t)revision == wish->leave.revision &&
                       json_is_false(json_object_get(signature, "expired"));
    if (is_in_force) {
        printf("revision %" PRIu64 " is in force\n", wish->leave.revision);
        return EXIT_GOOD;
    }
    struct view error = status_text(json_object_get(status, "last_reload_error"), "message");
    printf("revision %" PRId64 " is in force; %" PRIu64 " will be taken when it is at %s\n", revision,
           wish->leave.revision, wish->config.policy.path);
    if (view_is_present(error))
        printf("  the last reload was refused: %.*s\n", VIEW_ARG(text_print(error, wish->arena)));
    return EXIT_FAILED;
}

static int enforce(const struct accept_wish *wish)
{
    struct admin_answer answer;
    const char *socket = wish->config.admin.socket;
    enum err err = socket != NULL ? admin_request(socket, "POST", "/reload", ADMIN_TIMEOUT_MS, wish->arena, &answer)
                                  : ERR_NOT_FOUND;
    printf("revision %" PRIu64 " is accepted until %.*s\n", wish->leave.revision,
           VIEW_ARG(time_print(wish->leave.until, wish->arena)));
    if (err == ERR_NOT_FOUND) {
        puts("note: no decider is running here; it holds from the next start");
        return EXIT_GOOD;
    }
    return err == ERR_NONE ? report(wish) : complain(socket, err);
}

static int accept_revision(struct accept_wish *wish)
{
    int code = load_config(wish->config_path, wish->arena, &wish->config);
    if (code != EXIT_GOOD)
        return code;
    if (wish->config.policy.signer_count == 0) {
        fprintf(stderr, "bartizan: %s names no policy.signers: no revision is refused\n", wish->config.file);
        return EXIT_DATA;
    }
    wish->leave.author = revoke_author(wish->author, wish->arena);
    wish->leave.reason = view_of(wish->reason);
    enum err err = policy_leave_write(wish->config.audit.journal.path, &wish->leave);
    if (err == ERR_INVALID) {
        fprintf(stderr, "bartizan: author and reason are each one line of at most %d bytes\n",
                (int)POLICY_LEAVE_TEXT_MAX);
        return EXIT_USAGE;
    }
    return err == ERR_NONE ? enforce(wish) : complain(wish->config.audit.journal.path, err);
}

static int read_wish(const struct usage *usage, struct accept_wish *wish)
{
    int64_t now = now_seconds();
    if (wish->revision == NULL || !view_to_u64(view_of(wish->revision), &wish->leave.revision) ||
        wish->leave.revision == 0 || wish->leave.revision > INT64_MAX)
        return usage_error(usage, "`--revision` is a whole number from 1");
    if (wish->reason == NULL || wish->reason[0] == '\0')
        return usage_error(usage, "`--reason` is missing");
    if (!time_or_duration_parse(view_of(wish->until != NULL ? wish->until : "1h"), now, &wish->leave.until))
        return usage_error(usage, "`--until` is an RFC 3339 time or a duration like 90s, 15m, 8h, 30d");
    if (wish->leave.until <= now || wish->leave.until - now > (int64_t)DAYS_MAX * DAY_SECONDS)
        return usage_error(usage, "`--until` is at most %d days from now", (int)DAYS_MAX);
    return EXIT_GOOD;
}

int cmd_policy_accept(int argc, char **argv)
{
    struct accept_wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"revision", "N", "this revision, and no other (required)", &wish.revision},
        {"reason", "TEXT", "why, for the record (required)", &wish.reason},
        {"until", "T|DURATION", "how long that holds (default 1h, 30d at most)", &wish.until},
        {"author", "A", "who says so (default: you)", &wish.author},
        {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &wish.config_path},
    };
    const struct usage usage = {
        .line = "bartizan policy accept --revision N --reason TEXT [--until T|DURATION] [--config FILE]",
        .summary = "Lets this sidecar take a signed policy that it would refuse: an older revision, one whose\n"
                   "time has run out, or the first one after the mark beside the journal was lost. It must\n"
                   "still be signed. What it lets pass is recorded with author and reason.\n"
                   "Exit status 0 when the revision is in force, or no decider runs here; 1 when another is in\n"
                   "force, since this one is not where policy.path is; 4 when the decider does not answer.",
        .options = options,
        .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    code = read_wish(&usage, &wish);
    if (code != EXIT_GOOD)
        return code;
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    wish.arena = &arena;
    code = accept_revision(&wish);
    arena_free(&arena);
    return code;
}
