/* SPDX-License-Identifier: Apache-2.0 */
/* Where the policy under policy.shadow differs from the one in force, as the running decider counts it. */
#include "cli.h"
#include "cmd_policy_tools.h"
#include "commands.h"
#include "options.h"
#include "status_ask.h"

#include <inttypes.h>

static struct view safe(struct view text, struct arena *arena)
{
    return view_is_present(text) ? text_print(text, arena) : VIEW("-");
}

/* "allow inference-gateway/operators-high", "deny default" */
static struct view side_print(const json_t *side, struct arena *arena)
{
    struct view rule = status_text(side, "rule");
    return arena_print(arena, "%.*s %.*s", VIEW_ARG(safe(status_text(side, "verdict"), arena)),
                       VIEW_ARG(view_is_present(rule) ? text_print(rule, arena) : VIEW("default")));
}

static void print_pairs(const json_t *pairs, struct arena *arena)
{
    size_t i;
    json_t *pair;
    json_array_foreach(pairs, i, pair)
    {
        if (i == 0)
            printf("\n  %10s  %-32s %-32s %s\n", "count", "in force", "shadow", "latest decision");
        printf("  %10" PRId64 "  %-32.*s %-32.*s %.*s\n", status_number(pair, "count"),
               VIEW_ARG(side_print(json_object_get(pair, "from"), arena)),
               VIEW_ARG(side_print(json_object_get(pair, "to"), arena)),
               VIEW_ARG(safe(status_text(pair, "decision_id"), arena)));
    }
}

static void print_text(const json_t *shadow, struct arena *arena)
{
    int64_t others = status_number(shadow, "others");
    printf("shadow %.*s: generation %" PRId64 ", %" PRId64 " rules, digest %.12s\n",
           VIEW_ARG(safe(status_text(shadow, "path"), arena)), status_number(shadow, "generation"),
           status_number(shadow, "rules"), safe(status_text(shadow, "digest"), arena).data);
    printf("%" PRId64 " checks since %.*s, %" PRId64 " would have been decided otherwise\n",
           status_number(shadow, "checks"), VIEW_ARG(safe(status_text(shadow, "since"), arena)),
           status_number(shadow, "differences"));
    print_pairs(json_object_get(shadow, "pairs"), arena);
    if (others > 0)
        printf("  %10" PRId64 "  of more pairs than are counted apart\n", others);
}

static int show(json_t *status, bool is_json, struct arena *arena)
{
    json_t *shadow = json_object_get(status, "shadow");
    if (!json_is_object(shadow)) {
        fputs("bartizan: no shadow policy is configured: policy.shadow\n", stderr);
        return EXIT_DATA;
    }
    if (is_json)
        json_print(json_incref(shadow));
    if (!json_is_true(json_object_get(shadow, "loaded"))) {
        struct view why = status_text(json_object_get(status, "last_reload_error"), "message");
        fprintf(stderr, "bartizan: the shadow policy was refused and judges nothing: %.*s\n",
                VIEW_ARG(safe(why, arena)));
        return EXIT_DATA;
    }
    if (!is_json)
        print_text(shadow, arena);
    return status_number(shadow, "differences") > 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int ask(const char *path, bool is_json, struct arena *arena)
{
    struct config config;
    struct view body;
    AUTO(json_drop) json_t *status = NULL;
    int code = load_config(path, arena, &config);
    if (code == EXIT_GOOD)
        code = status_ask(config.admin.socket, arena, &body, &status);
    return code == EXIT_GOOD ? show(status, is_json, arena) : code;
}

int cmd_policy_shadow(int argc, char **argv)
{
    const char *config = NULL, *format = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &config},
        {"format", "text|json", "how the differences are printed", &format},
    };
    const struct usage usage = {
        .line = "bartizan policy shadow [--config FILE] [--format text|json]",
        .summary = "Where the policy under `policy.shadow` would have decided otherwise than the one\n"
                   "in force, by pair of rules, since the running decider has both; with the id of the\n"
                   "latest decision of each, for `bartizan audit show`.\n"
                   "Exit status 0 without a difference, 1 with one, 2 when there is no shadow, 4 when\n"
                   "nobody answers.",
        .options = options,
        .option_count = 2};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    code = ask(config, is_json, &arena);
    arena_free(&arena);
    return code;
}
