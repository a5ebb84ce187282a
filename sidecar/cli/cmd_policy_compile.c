/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy compile`: a policy that has passed its own tests, as one file, signed on request. */
#include "cmd_policy_sealed.h"
#include "policy_image.h"
#include "policy_seal.h"
#include "policy_session.h"
#include "sealed_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct compile_wish {
    const char *path, *output, *key, *revision, *expires;
    struct policy_seal seal; /* revision, issued, expires */
};

struct test_count {
    struct arena *arena;
    size_t failed;
};

static void take_result(void *context, const struct policy_test_result *result)
{
    struct test_count *count = context;
    if (result->passed)
        return;
    count->failed++;
    fprintf(stderr, "FAILED %.*s\n  --> %.*s:%u:%u\n", VIEW_ARG(text_print(result->name, count->arena)),
            VIEW_ARG(text_print(result->span.file, count->arena)), result->span.line, result->span.column);
}

/* Invariants were checked with the policy itself. */
static int run_tests(struct session *session)
{
    struct test_count count = {.arena = &session->arena};
    policy_test(session->policy, take_result, &count);
    if (count.failed == 0)
        return EXIT_GOOD;
    fprintf(stderr, "bartizan: %zu of the policy's tests failed: nothing is written\n", count.failed);
    return EXIT_FAILED;
}

static int complain(const char *what, enum err err)
{
    fprintf(stderr, "bartizan: %s: %s\n", what, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

static int seal(struct session *session, const struct compile_wish *wish, struct view image, struct view *out)
{
    AUTO(sealed_file_key_free) struct policy_key *key = NULL;
    struct policy_seal sealed = wish->seal;
    int code = sealed_file_key(wish->key, &session->arena, &key);
    if (code != EXIT_GOOD)
        return code;
    sealed.image = image;
    enum err err = policy_seal_write(&sealed, key, &session->arena, out);
    return err == ERR_NONE ? EXIT_GOOD : complain(wish->output, err);
}

static void print_result(struct session *session, const struct compile_wish *wish, struct view bytes)
{
    printf("%s: %zu bytes, %zu rules, digest %.*s\n", wish->output, bytes.size, policy_rule_count(session->policy),
           VIEW_ARG(policy_digest(session->policy)));
    if (wish->key != NULL)
        printf("  revision %" PRIu64 ", expires %.*s\n", wish->seal.revision,
               VIEW_ARG(time_print(wish->seal.expires, &session->arena)));
}

static int compile(const struct compile_wish *wish)
{
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, wish->path);
    int code = print_findings(&session.diags, false, err);
    if (code == EXIT_GOOD)
        code = run_tests(&session);
    if (code != EXIT_GOOD)
        return code;
    struct view image = {0}, bytes;
    err = policy_image_write(session.policy, &session.arena, &image);
    if (err != ERR_NONE)
        return complain(wish->path, err);
    bytes = image;
    code = wish->key != NULL ? seal(&session, wish, image, &bytes) : EXIT_GOOD;
    if (code != EXIT_GOOD)
        return code;
    code = sealed_file_write(wish->output, bytes);
    if (code == EXIT_GOOD)
        print_result(&session, wish, bytes);
    return code;
}

static int read_wish(const struct usage *usage, struct compile_wish *wish)
{
    if (wish->output == NULL)
        return usage_error(usage, "`-o FILE` is missing");
    bool is_signed = wish->key != NULL;
    if (is_signed != (wish->revision != NULL) || is_signed != (wish->expires != NULL))
        return usage_error(usage, "`--sign`, `--revision` and `--expires` go together");
    if (!is_signed)
        return EXIT_GOOD;
    wish->seal.issued = now_seconds();
    if (!view_to_u64(view_of(wish->revision), &wish->seal.revision) || wish->seal.revision == 0 ||
        wish->seal.revision > POLICY_SEAL_REVISION_MAX)
        return usage_error(usage, "`--revision` is a whole number from 1");
    if (!time_or_duration_parse(view_of(wish->expires), wish->seal.issued, &wish->seal.expires))
        return usage_error(usage, "`--expires` is an RFC 3339 time or a duration like 90s, 15m, 8h, 30d");
    if (wish->seal.expires <= wish->seal.issued)
        return usage_error(usage, "`--expires` is in the past");
    return EXIT_GOOD;
}

int cmd_policy_compile(int argc, char **argv)
{
    struct compile_wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"output", "FILE", "where it is written, whole or not at all (required)", &wish.output},
        {"sign", "KEY.pem", "sign it with this Ed25519 private key", &wish.key},
        {"revision", "N", "its number in your count; no sidecar goes back to a lower one", &wish.revision},
        {"expires", "T|DURATION", "from then on no sidecar decides by it", &wish.expires},
    };
    const struct usage usage = {
        .line = "bartizan policy compile PATH -o FILE [--sign KEY.pem --revision N --expires T|DURATION]",
        .summary = "Checks a policy with its invariants, runs its tests, and writes it compiled.\n"
                   "Exit status 0 when FILE was written; 1 when a test failed, 2 when the policy does not\n"
                   "compile, 4 when a file cannot be read or written, 5 when KEY.pem is no key to sign with:\n"
                   "then FILE is as it was.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    code = read_wish(&usage, &wish);
    return code == EXIT_GOOD ? compile(&wish) : code;
}
