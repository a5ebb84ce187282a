/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan revoke sign`: a deny list that another program wrote, in an envelope. */
#include "cmd_revoke_sign.h"

#include "clock.h"
#include "commands.h"
#include "options.h"
#include "revoke_session.h"
#include "sealed_file.h"

#include <inttypes.h>

enum { SIGN_MEMORY = 512 * 1024 * 1024 }; /* the longest list, signed beside unsigned, and its entries */

struct sign_wish {
    const char *list, *key, *output;
};

/* A list that is whole, and not signed yet. */
static int read_unsigned(struct revoke_session *session, const char *path, struct view *text,
                         struct revocation_list *list)
{
    session->files = arena_take(&session->arena, sizeof *session->files);
    if (session->files == NULL)
        return EXIT_IO;
    enum err err = file_set_read_revocations(path, &session->arena, &session->diags, session->files);
    if (err == ERR_NONE && session->files->count != 1) {
        fprintf(stderr, "bartizan: %s: one list is signed at a time\n", path);
        return EXIT_USAGE;
    }
    if (err == ERR_NONE)
        *text = session->files->items[0].text;
    if (err == ERR_NONE && policy_seal_is_of_denial(*text)) {
        fprintf(stderr, "bartizan: %s is signed already\n", path);
        return EXIT_SIGNATURE;
    }
    if (err == ERR_NONE)
        err = revocation_list_parse(view_of(path), *text, &session->arena, &session->diags, list);
    return err == ERR_NONE ? EXIT_GOOD : revoke_report(session, path, err);
}

static int sign_list(struct revoke_session *session, const struct sign_wish *wish)
{
    AUTO(sealed_file_key_free) struct policy_key *key = NULL;
    struct revocation_list list = {0};
    struct view text = {0}, sealed;
    int code = read_unsigned(session, wish->list, &text, &list);
    if (code == EXIT_GOOD)
        code = sealed_file_key(wish->key, &session->arena, &key);
    if (code != EXIT_GOOD)
        return code;
    const struct revocation_signing signing = {.key = key, .now = session->now};
    enum err err = revocation_file_seal(text, list.sequence, &signing, &session->arena, &sealed);
    if (err == ERR_LIMIT) {
        fprintf(stderr, "bartizan: %s: a list is signed under a sequence from 1\n", wish->list);
        return EXIT_DATA;
    }
    if (err != ERR_NONE)
        return revoke_report(session, wish->list, err);
    code = sealed_file_write(wish->output, sealed);
    if (code != EXIT_GOOD)
        return code;
    printf("%s: %zu entries, sequence %" PRIu64 "\n", wish->output, list.count, list.sequence);
    return EXIT_GOOD;
}

int cmd_revoke_sign(int argc, char **argv)
{
    struct sign_wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"key", "KEY.pem", "an Ed25519 private key (required)", &wish.key},
        {"output", "FILE", "where it is written, whole or not at all (required)", &wish.output},
    };
    const struct usage usage = {.line = "bartizan revoke sign LIST --key KEY.pem -o FILE",
                                .summary = "Signs a deny list of either form, under its own sequence. FILE ends in\n"
                                           ".revocations and stands in a folder of identity.revocations.",
                                .options = options,
                                .option_count = sizeof options / sizeof options[0],
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.list, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (wish.key == NULL || wish.output == NULL)
        return usage_error(&usage, "`--key` and `-o` are needed");
    AUTO(revoke_session_close) struct revoke_session session = {.now = now_seconds()};
    arena_init(&session.arena, SIGN_MEMORY);
    diag_list_init(&session.diags, &session.arena);
    return sign_list(&session, &wish);
}
