/* SPDX-License-Identifier: Apache-2.0 */
/* One screen for somebody who was woken up: what is wrong comes first. */
#include "cli.h"
#include "commands.h"
#include "options.h"
#include "reason.h"
#include "rfc3339.h"
#include "status_ask.h"

#include <inttypes.h>

enum { DOMAINS_SHOWN = 8, SOON_SECONDS = 7 * 24 * 3600, EXIT_NOT_READY = EXIT_FAILED };

struct screen {
    struct arena *arena;
    int64_t now;    /* the decider's clock */
    bool is_report; /* nothing is refused */
};

static struct view safe_at(const struct screen *screen, const json_t *object, const char *key)
{
    struct view text = status_text(object, key);
    return view_is_present(text) ? text_print(text, screen->arena) : VIEW("-");
}

/* "in 6 d", "5 min ago", or the absent view when `text` is no time. */
static struct view distance(const struct screen *screen, struct view text)
{
    int64_t at = 0;
    if (!rfc3339_parse(text, &at))
        return (struct view){0};
    struct view age = age_print(at > screen->now ? at - screen->now : screen->now - at, screen->arena);
    return at > screen->now ? arena_print(screen->arena, "in %.*s", VIEW_ARG(age))
                            : arena_print(screen->arena, "%.*s ago", VIEW_ARG(age));
}

static void print_head(const struct screen *screen, const json_t *status)
{
    bool is_ready = json_is_true(json_object_get(status, "ready"));
    size_t i;
    json_t *reason;
    if (!view_equals(status_text(status, "enforcement"), VIEW("enforce")))
        puts("ENFORCEMENT IS `report`: EVERY REQUEST IS ALLOWED; what would have been refused is only recorded\n");
    if (json_is_true(json_object_get(status, "xfcc_text")))
        puts(
            "IDENTITY IS `xfcc-text`: callers without a certificate are believed by what the proxies in front write\n");
    puts(is_ready ? "ready" : "NOT READY");
    json_array_foreach(json_object_get(status, "not_ready_reasons"), i, reason)
    {
        struct view text = {json_string_value(reason), json_string_length(reason)};
        printf("  because    %.*s\n", VIEW_ARG(text_print(text, screen->arena)));
    }
    const json_t *error = json_object_get(status, "last_reload_error");
    if (json_is_object(error))
        printf("  RELOAD REFUSED %.*s; the files before it stay in force\n    %.*s\n",
               VIEW_ARG(distance(screen, status_text(error, "time"))), VIEW_ARG(safe_at(screen, error, "message")));
    const json_t *policy = json_object_get(status, "policy_under_way");
    if (json_is_object(policy))
        printf("  COMPILING  a policy is in the making for %.*s; the one before decides until it is done\n",
               VIEW_ARG(age_print(status_number(policy, "seconds"), screen->arena)));
    printf("  sidecar    %.*s, version %.*s, pid %" PRId64 ", up %.*s\n", VIEW_ARG(safe_at(screen, status, "instance")),
           VIEW_ARG(safe_at(screen, status, "version")), status_number(status, "pid"),
           VIEW_ARG(age_print(status_number(status, "uptime_seconds"), screen->arena)));
}

static void print_signature(const struct screen *screen, const json_t *signature)
{
    if (!json_is_object(signature))
        return;
    printf("  signed     revision %" PRId64 ", by the key %.16s, good until %.*s\n",
           status_number(signature, "revision"), safe_at(screen, signature, "signer").data,
           VIEW_ARG(safe_at(screen, signature, "good_until")));
    if (view_is_present(status_text(signature, "override")))
        printf("  OVERRIDE   %.*s\n", VIEW_ARG(safe_at(screen, signature, "override")));
}

/* One line for each trust domain, of the first few. */
static void print_bundles(const struct screen *screen, const json_t *bundles)
{
    const json_t *domains = json_object_get(bundles, "domains");
    size_t i;
    json_t *item;
    printf("  bundles    generation %" PRId64 ", %zu trust domains\n", status_number(bundles, "generation"),
           json_array_size(domains));
    json_array_foreach(domains, i, item)
    {
        if (i == DOMAINS_SHOWN)
            break;
        printf("    %.*s: %" PRId64 " authorities", VIEW_ARG(safe_at(screen, item, "name")),
               status_number(item, "authorities"));
        if (json_is_integer(json_object_get(item, "sequence")))
            printf(", sequence %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(item, "sequence")));
        if (json_is_integer(json_object_get(item, "refresh_hint_seconds")))
            printf(", to be refreshed every %" PRId64 " s", status_number(item, "refresh_hint_seconds"));
        if (view_is_present(status_text(item, "expires")))
            printf(", the first expires %.*s", VIEW_ARG(distance(screen, status_text(item, "expires"))));
        puts("");
    }
    if (i < json_array_size(domains))
        printf("    and %zu more\n", json_array_size(domains) - i);
}

static void print_snapshot(const struct screen *screen, const json_t *snapshot)
{
    if (!json_is_object(snapshot)) {
        puts("  snapshot   none yet: every check is denied");
        return;
    }
    const json_t *policy = json_object_get(snapshot, "policy"), *bundles = json_object_get(snapshot, "bundles");
    const json_t *keys = json_object_get(snapshot, "keys"), *denied = json_object_get(snapshot, "revocations");
    printf("  snapshot   generation %" PRId64 ", in force for %.*s\n", status_number(snapshot, "generation"),
           VIEW_ARG(age_print(status_number(snapshot, "age_seconds"), screen->arena)));
    printf("  policy     generation %" PRId64 ", %" PRId64 " rules, digest %.12s, %.*s\n",
           status_number(policy, "generation"), status_number(policy, "rules"), safe_at(screen, policy, "digest").data,
           VIEW_ARG(safe_at(screen, policy, "path")));
    print_signature(screen, json_object_get(policy, "signature"));
    print_bundles(screen, bundles);
    printf("  keys       generation %" PRId64 ", %zu issuers\n", status_number(keys, "generation"),
           json_array_size(json_object_get(keys, "issuers")));
    printf("  deny list  generation %" PRId64 ", sequence %" PRId64 ", %" PRId64 " entries\n",
           status_number(denied, "generation"), status_number(denied, "sequence"), status_number(denied, "entries"));
}

static void print_shadow(const struct screen *screen, const json_t *shadow)
{
    if (!json_is_object(shadow))
        return;
    if (!json_is_true(json_object_get(shadow, "loaded")))
        printf("  shadow     REFUSED, it judges nothing: %.*s\n", VIEW_ARG(safe_at(screen, shadow, "path")));
    else
        printf("  shadow     generation %" PRId64 ", %" PRId64 " of %" PRId64 " checks would differ, %.*s\n",
               status_number(shadow, "generation"), status_number(shadow, "differences"),
               status_number(shadow, "checks"), VIEW_ARG(safe_at(screen, shadow, "path")));
}

/* Why a domain has no authorities, in words. */
static const char *without_authorities(const json_t *domain)
{
    struct view state = status_text(domain, "state");
    if (view_equals(state, VIEW("missing")))
        return "is not there yet";
    return view_equals(state, VIEW("left-out")) ? "is in its map no more" : "has no authority";
}

/* In capitals where something is wrong with it. */
static void print_feed(const struct screen *screen, const json_t *feed)
{
    size_t i;
    json_t *stream;
    json_array_foreach(json_object_get(feed, "streams"), i, stream)
    {
        bool is_stale = json_is_true(json_object_get(stream, "stale"));
        bool is_good = !is_stale && view_equals(status_text(stream, "state"), VIEW("streaming"));
        const json_t *age = json_object_get(stream, "age_seconds"), *error = json_object_get(stream, "last_error");
        printf("  %s       %.*s: %.*s%s, ", is_good ? "feed" : "FEED", VIEW_ARG(safe_at(screen, stream, "stream")),
               VIEW_ARG(safe_at(screen, stream, "state")), is_stale ? ", STALE: what it brought is not used" : "");
        if (json_is_integer(age))
            printf("confirmed %.*s ago\n", VIEW_ARG(age_print(json_integer_value(age), screen->arena)));
        else
            printf("never confirmed\n");
        if (json_is_object(error))
            printf("             last error %.*s: %.*s\n", VIEW_ARG(distance(screen, status_text(error, "time"))),
                   VIEW_ARG(safe_at(screen, error, "message")));
    }
}

static void print_policy_expiry(const struct screen *screen, const json_t *signature)
{
    const char *then = screen->is_report ? "no rule is asked, and every check is allowed" : "every check is denied";
    int64_t at = 0;
    struct view until = status_text(signature, "good_until");
    if (rfc3339_parse(until, &at) && at - screen->now < SOON_SECONDS)
        printf("  %s    the policy: %.*s (%.*s); from then on %s\n", at <= screen->now ? "EXPIRED" : "EXPIRES",
               VIEW_ARG(distance(screen, until)), VIEW_ARG(until), then);
}

/* Policy and authorities that expire soon or have, and issuers without keys: what will be refused next. */
static void print_expiring(const struct screen *screen, const json_t *snapshot)
{
    size_t i;
    json_t *item;
    print_policy_expiry(screen, json_object_get(json_object_get(snapshot, "policy"), "signature"));
    json_array_foreach(json_object_get(json_object_get(snapshot, "bundles"), "domains"), i, item)
    {
        int64_t at = 0;
        struct view expires = status_text(item, "expires");
        if (status_number(item, "authorities") == 0)
            printf("  NO TRUST   %.*s: its bundle %s: its workloads are refused\n",
                   VIEW_ARG(safe_at(screen, item, "name")), without_authorities(item));
        else if (rfc3339_parse(expires, &at) && at - screen->now < SOON_SECONDS)
            printf("  %s    an authority of %.*s: %.*s (%.*s)\n", at <= screen->now ? "EXPIRED" : "EXPIRES",
                   VIEW_ARG(safe_at(screen, item, "name")), VIEW_ARG(distance(screen, expires)), VIEW_ARG(expires));
        if (status_number(item, "ignored") > 0)
            printf("  IGNORED    %" PRId64 " parts of the bundle of %.*s that no reader may use: bartizan pki show\n",
                   status_number(item, "ignored"), VIEW_ARG(safe_at(screen, item, "name")));
        struct view next = status_text(item, "next_update");
        if (view_is_present(next) && rfc3339_parse(next, &at) && at <= screen->now)
            printf("  EXPIRED    a revocation list of %.*s: %.*s (%.*s)\n", VIEW_ARG(safe_at(screen, item, "name")),
                   VIEW_ARG(distance(screen, next)), VIEW_ARG(next));
    }
    json_array_foreach(json_object_get(json_object_get(snapshot, "keys"), "issuers"), i, item)
    {
        if (!json_is_true(json_object_get(item, "available")))
            printf("  NO KEYS    of %.*s: its tokens cannot be judged\n", VIEW_ARG(safe_at(screen, item, "url")));
    }
}

/* What a reason means; absent for one that this program does not know. */
static struct view meaning_of(struct view name)
{
    enum reason reason;
    return reason_parse(name, &reason) ? reason_info(reason)->sentence : (struct view){0};
}

static void print_decisions(const struct screen *screen, const json_t *status)
{
    const json_t *counts = json_object_get(status, "decisions");
    size_t i;
    json_t *item;
    printf("  decisions  %" PRId64 " allowed, %" PRId64 " challenged, %" PRId64 " denied\n",
           status_number(counts, "allow"), status_number(counts, "challenge"), status_number(counts, "deny"));
    const json_t *spared = json_object_get(status, "report_only");
    if (status_number(spared, "would_deny") + status_number(spared, "would_challenge") > 0)
        printf("  REPORTED   %" PRId64 " would_deny, %" PRId64 " would_challenge, all of them allowed\n",
               status_number(spared, "would_deny"), status_number(spared, "would_challenge"));
    json_array_foreach(json_object_get(status, "refusals"), i, item)
    {
        struct view name = safe_at(screen, item, "reason"), meaning = meaning_of(name);
        printf("  %s %10" PRId64 "  %.*s%s%.*s\n", i == 0 ? "refusals " : "         ", status_number(item, "count"),
               VIEW_ARG(name), view_is_present(meaning) ? ": " : "", VIEW_ARG(meaning));
    }
    json_array_foreach(json_object_get(status, "wiring"), i, item)
    {
        printf("  WIRING     %.*s, %" PRId64 " checks: %.*s\n             %.*s\n",
               VIEW_ARG(safe_at(screen, item, "code")), status_number(item, "count"),
               VIEW_ARG(safe_at(screen, item, "meaning")), VIEW_ARG(safe_at(screen, item, "do")));
    }
    json_array_foreach(json_object_get(status, "recent_refusals"), i, item)
    {
        if (i >= 8)
            break;
        printf("  %s  %.*s  %.*s  %.*s  %.*s\n", i == 0 ? "latest   " : "         ",
               VIEW_ARG(safe_at(screen, item, "time")), VIEW_ARG(safe_at(screen, item, "decision_id")),
               VIEW_ARG(safe_at(screen, item, "reason")), VIEW_ARG(safe_at(screen, item, "caller")));
    }
}

static void print_machinery(const struct screen *screen, const json_t *status)
{
    const json_t *journal = json_object_get(status, "journal"), *cache;
    const char *name;
    size_t i;
    json_t *item;
    if (json_is_object(journal)) {
        int64_t lost = status_number(journal, "lost");
        printf("  journal    %.*s, %" PRId64 " records since the start%s", VIEW_ARG(safe_at(screen, journal, "path")),
               status_number(journal, "next_sequence"), lost > 0 ? ", LOST " : "\n");
        if (lost > 0)
            printf("%" PRId64 "\n", lost);
    }
    json_object_foreach(json_object_get(status, "caches"), name, cache)
    {
        printf("  cache      %.*s: %" PRId64 " hits, %" PRId64 " misses\n",
               VIEW_ARG(text_print(view_of(name), screen->arena)), status_number(cache, "hits"),
               status_number(cache, "misses"));
    }
    json_array_foreach(json_object_get(status, "listeners"), i, item)
    {
        printf("  listener   %.*s, %" PRId64 " connections\n", VIEW_ARG(safe_at(screen, item, "address")),
               status_number(item, "connections"));
    }
}

static int show(const json_t *status, struct view body, bool is_json, struct arena *arena)
{
    struct screen screen = {.arena = arena,
                            .is_report = view_equals(status_text(status, "enforcement"), VIEW("report"))};
    if (!rfc3339_parse(status_text(status, "time"), &screen.now))
        screen.now = now_seconds();
    if (is_json) {
        printf("%.*s\n", VIEW_ARG(body));
    } else {
        const json_t *snapshot = json_object_get(status, "snapshot");
        print_head(&screen, status);
        print_expiring(&screen, snapshot);
        print_snapshot(&screen, snapshot);
        print_feed(&screen, json_object_get(status, "feed"));
        print_shadow(&screen, json_object_get(status, "shadow"));
        print_decisions(&screen, status);
        print_machinery(&screen, status);
    }
    return json_is_true(json_object_get(status, "ready")) ? EXIT_GOOD : EXIT_NOT_READY;
}

static int ask(const char *config_path, const char *socket, bool is_json, struct arena *arena)
{
    struct config config = {.admin.socket = socket};
    struct view body = {0};
    AUTO(json_drop) json_t *status = NULL;
    int code = socket ? EXIT_GOOD : load_config(config_path, arena, &config);
    if (code == EXIT_GOOD)
        code = status_ask(config.admin.socket, arena, &body, &status);
    return code == EXIT_GOOD ? show(status, body, is_json, arena) : code;
}

int cmd_status(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL, *format = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"config", "FILE", "the sidecar's configuration (default " DEFAULT_CONFIG ")", &config},
        {"admin", "SOCKET", "its admin socket, instead of --config", &socket},
        {"format", "text|json", "json is the decider's answer as it is", &format},
    };
    const struct usage usage = {.line = "bartizan status [--config FILE | --admin SOCKET] [--format text|json]",
                                .summary =
                                    "What the running decider says about itself: ready or why not, generations and\n"
                                    "ages, refusals by reason, what is about to expire, the journal.\n"
                                    "Exit status 0 when it is ready, 1 when not, 4 when nobody answers.",
                                .options = options,
                                .option_count = 3};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    if (config != NULL && socket != NULL)
        return usage_error(&usage, "`--config` and `--admin` exclude each other");
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    code = ask(config, socket, is_json, &arena);
    arena_free(&arena);
    return code;
}
