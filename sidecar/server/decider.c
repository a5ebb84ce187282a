/* SPDX-License-Identifier: Apache-2.0 */
#include "decider.h"

#include "admin_http.h"
#include "clock.h"
#include "compile_asker.h"
#include "log.h"
#include "state_record.h"
#include "subject_key.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { LOOK_SECONDS = 1 };
enum { GRACE_MILLISECONDS = 5000, POLL_MILLISECONDS = 10000, JOURNAL_SYNC_MILLISECONDS = 1000 };
enum { DIAG_MEMORY = 8 * 1024 * 1024 };

struct decider {
    const struct decider_config *config;
    struct decider_state *state;
    struct state_record *records; /* NULL without a journal */
    struct admin_http *admin;
    struct hash_key hash_key;
    struct compile_asker asker;
    struct policy_compiler compiler; /* by the asker */
};

static enum err draw_random(void *out, size_t size)
{
    char *at = out;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno != EINTR)
            return ERR_IO; /* never weaker instead */
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return ERR_NONE;
}

static enum err say(enum err error, const char *what, const char *name)
{
    log_line(LOG_ERROR, log_say(what), log_text("name", view_of(name)),
             log_text("why", view_of(error == ERR_IO ? strerror(errno) : err_text(error))));
    return error;
}

/* A load needs several times what it leaves; between loads that is not ours. */
static void give_back_memory(void)
{
    (void)malloc_trim(0);
}

/* ---- files --------------------------------------------------------------- */

static enum err first_snapshot(struct decider *d, struct snapshot **out)
{
    struct arena arena;
    arena_init(&arena, DIAG_MEMORY);
    struct diag_list *diags = arena_take(&arena, sizeof(*diags));
    if (diags == NULL)
        return ERR_NO_MEMORY;
    diag_list_init(diags, &arena);
    enum err result = snapshot_build(d->config->config, &d->compiler, NULL, (int64_t)time(NULL), diags, out);
    diag_list_print(diags, stderr);
    arena_free(&arena);
    give_back_memory();
    return result;
}

static enum err read_subject_key(const struct config *config, struct arena *arena, struct view *out)
{
    struct diag_list *diags = arena_take(arena, sizeof(*diags));
    if (diags == NULL)
        return ERR_NO_MEMORY;
    diag_list_init(diags, arena);
    enum err result = subject_key_read(config, arena, diags, out);
    diag_list_print(diags, stderr);
    return result;
}

static enum err open_journal(struct decider *d)
{
    const struct config *config = d->config->config;
    struct decider_state *state = d->state;
    if (config->audit.journal.path == NULL)
        return ERR_NONE;
    struct journal_config journal = {.path = config->audit.journal.path,
                                     .max_bytes = config->audit.journal.max_bytes,
                                     .instance = config->instance,
                                     .sync_ms = JOURNAL_SYNC_MILLISECONDS};
    memcpy(journal.epoch, state->epoch, sizeof(journal.epoch));
    enum err result = journal_writer_open(&journal, &state->journal);
    if (result != ERR_NONE)
        return say(result, "the journal cannot be opened", config->audit.journal.path);
    d->records = calloc(1, sizeof(*d->records));
    if (d->records == NULL)
        return ERR_NO_MEMORY;
    d->records->config = config;
    d->records->journal = state->journal;
    memcpy(d->records->epoch, state->epoch, sizeof(d->records->epoch));
    return ERR_NONE;
}

/* ---- reload -------------------------------------------------------------- */

static void tell_missing(void *context, const struct missing_file *file)
{
    (void)context;
    log_line(LOG_WARN,
             log_say(file->is_stale ? "not ready: the Workload API has not confirmed a file within max_age"
                                    : "not ready: a file is not there yet"),
             log_text("file", view_of(file->path)),
             log_text(strcmp(file->what, "bundle") == 0 ? "domain" : "issuer", file->of));
}

static void tell_override(const struct snapshot *snapshot)
{
    if (snapshot->standing.override[0] != '\0')
        log_line(LOG_WARN, log_say("a policy is in force by an operator's leave"),
                 log_text("leave", view_of(snapshot->standing.override)));
}

/* A revision that cannot be kept is no reason to keep out a newer policy or deny list: it is tried again, and told. */
static void look_after_policy(struct decider_state *state)
{
    pthread_mutex_lock(&state->watch.lock);
    struct snapshot *snapshot = decider_state_snapshot(state);
    enum err kept = revocation_watch_mark(&state->revocation_watch, snapshot);
    (void)kept;
    if (snapshot->standing.is_signed) {
        enum err told = policy_watch_mark(&state->watch, &snapshot->standing);
        (void)told;
        policy_watch_look(&state->watch, &snapshot->standing, (int64_t)time(NULL));
    }
    rpc_server_set_ready(state->server, decider_state_is_ready(state));
    pthread_mutex_unlock(&state->watch.lock);
    snapshot_drop(snapshot);
}

static void deliver(void *context, const struct reload_outcome *outcome)
{
    struct decider_state *state = context;
    const struct snapshot *snapshot = outcome->snapshot;
    struct snapshot *before = decider_state_snapshot(state);
    if (outcome->error != ERR_NONE)
        log_line(LOG_WARN, log_say("files refused, what they should replace stays in force"),
                 log_text("why", view_of(outcome->message)));
    if (snapshot != NULL && snapshot != before)
        log_line(LOG_INFO, log_say("snapshot in force"), log_number("generation", snapshot->generation),
                 log_text("policy", policy_digest(snapshot->policy)),
                 log_number("revocations", revocations_sequence(snapshot->revocations)));
    if (snapshot != NULL && snapshot != before)
        snapshot_each_missing(snapshot, state->config, tell_missing, NULL);
    if (snapshot != NULL && snapshot != before)
        tell_override(snapshot);
    snapshot_drop(before);
    decider_state_note(state, outcome);
    look_after_policy(state);
    rpc_server_deliver(state->server, outcome); /* takes the snapshot over */
    give_back_memory();
}

/* ---- start --------------------------------------------------------------- */

static enum err open_context(struct decider *d, struct snapshot *snapshot)
{
    struct decider_state *state = d->state;
    struct arena arena;
    arena_init(&arena, DIAG_MEMORY);
    struct view subject_key;
    enum err result = read_subject_key(d->config->config, &arena, &subject_key);
    struct check_context_config context = {.config = d->config->config,
                                           .snapshot = snapshot,
                                           .epoch = state->epoch,
                                           .journal = state->journal,
                                           .metrics = &state->metrics,
                                           .refusals = &state->refusals,
                                           .shadow = &state->shadow,
                                           .subject_key = subject_key,
                                           .hash_key = d->hash_key};
    if (result == ERR_NONE)
        result = check_context_open(&context, &state->context);
    arena_free(&arena);
    return result;
}

static enum err open_server(struct decider *d)
{
    const struct config *config = d->config->config;
    struct accept_listener listeners[ACCEPT_LISTENERS_MAX];
    if (config->listener_count > ACCEPT_LISTENERS_MAX)
        return say(ERR_LIMIT, "too many listeners", config->file);
    for (size_t i = 0; i < config->listener_count; i++)
        listeners[i] = (struct accept_listener){.fd = d->config->listener_fds[i], .config = &config->listeners[i]};
    struct rpc_server_config server = {.config = config,
                                       .context = d->state->context,
                                       .records = d->records,
                                       .metrics = &d->state->metrics,
                                       .listeners = listeners,
                                       .listener_count = config->listener_count};
    enum err result = rpc_server_open(&server, &d->state->server);
    return result == ERR_NONE ? result : say(result, "the server cannot start", config->file);
}

static enum err open_edges(struct decider *d, struct snapshot *snapshot)
{
    struct reload_config reload = {.config = d->config->config,
                                   .compiler = &d->compiler,
                                   .initial = snapshot,
                                   .poll_milliseconds = POLL_MILLISECONDS,
                                   .deliver = deliver,
                                   .context = d->state};
    struct admin_http_config admin = {
        .state = d->state, .socket_fd = d->config->admin_socket_fd, .address_fd = d->config->admin_address_fd};
    TRY(reload_open(&reload, &d->state->reload));
    enum err result = admin_http_open(&admin, &d->admin);
    return result == ERR_NONE ? result
                              : say(result, "the administration endpoint cannot start", d->config->config->file);
}

static void take_first(struct decider_state *state, struct snapshot *snapshot)
{
    struct reload_outcome *outcome = calloc(1, sizeof(*outcome));
    if (outcome == NULL)
        return;
    outcome->snapshot = snapshot;
    decider_state_note(state, outcome);
    free(outcome);
}

/* Under the journal's lock. Where nobody signs, nothing depends on it. */
static enum err keep_revision(struct decider_state *state, const struct snapshot *snapshot)
{
    enum err result = policy_watch_mark(&state->watch, &snapshot->standing);
    if (snapshot->standing.is_signed)
        TRY(result);
    return revocation_watch_mark(&state->revocation_watch, snapshot);
}

static void drop_snapshot(struct snapshot **snapshot)
{
    snapshot_drop(*snapshot);
}

static enum err start(struct decider *d)
{
    AUTO(drop_snapshot) struct snapshot *snapshot = NULL;
    TRY(draw_random(d->state->epoch, sizeof(d->state->epoch)));
    TRY(draw_random(&d->hash_key, sizeof(d->hash_key)));
    TRY(first_snapshot(d, &snapshot));
    take_first(d->state, snapshot);
    TRY(open_journal(d));
    TRY(keep_revision(d->state, snapshot));
    TRY(open_context(d, snapshot));
    if (d->records != NULL) {
        state_record_start(d->records);
        state_record_enforcement(d->records);
        state_record_change(d->records, NULL, snapshot);
    }
    TRY(open_server(d));
    TRY(open_edges(d, snapshot));
    if (d->config->config->policy.enforcement == REPORT)
        log_line(LOG_WARN, log_say("enforcement is `report`: every request is allowed, refusals are only recorded"));
    if (config_believes_text(d->config->config))
        log_line(LOG_WARN, log_say("identity is `xfcc-text`: callers are believed by what the proxies in front write"));
    snapshot_each_missing(snapshot, d->config->config, tell_missing, NULL);
    tell_override(snapshot);
    log_line(LOG_INFO, log_say(snapshot->is_ready ? "ready" : "serving, not ready"),
             log_number("in_ms", (uint64_t)(clock_ns(CLOCK_BOOTTIME) - d->config->started_ns) / 1000000),
             log_number("generation", snapshot->generation), log_number("rules", policy_rule_count(snapshot->policy)));
    return ERR_NONE;
}

/* ---- the end ------------------------------------------------------------- */

static void wait_for_end(struct decider *d)
{
    sigset_t signals;
    int signal = 0;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    const struct timespec period = {.tv_sec = LOOK_SECONDS};
    for (;;) {
        signal = sigtimedwait(&signals, NULL, &period);
        if (signal == SIGTERM || signal == SIGINT)
            return;
        if (signal == SIGHUP)
            reload_request(d->state->reload);
        else
            look_after_policy(d->state);
    }
}

/* Takes down what was built up, as far as it was. */
static void release(struct decider *d)
{
    struct decider_state *state = d->state;
    rpc_server_close(state->server);
    check_context_close(state->context);
    if (state->journal != NULL)
        journal_writer_close(state->journal);
    snapshot_drop(state->snapshot);
    free(d->records);
    free(state);
}

static void stop(struct decider *d)
{
    struct decider_state *state = d->state;
    atomic_store(&state->is_stopping, true);
    log_line(LOG_INFO, log_say("stopping"));
    rpc_server_stop(state->server, GRACE_MILLISECONDS);
    reload_end(state->reload);
    admin_http_close(d->admin);
    reload_close(state->reload);
    if (d->records != NULL)
        state_record_close(d->records);
}

enum err decider_run(const struct decider_config *config)
{
    struct decider decider = {.config = config, .state = calloc(1, sizeof(struct decider_state))};
    if (decider.state == NULL)
        return ERR_NO_MEMORY;
    decider.asker = (struct compile_asker){
        .fd = config->compile_fd, .config = config->config, .number = (uint64_t)clock_ns(CLOCK_MONOTONIC)};
    decider.compiler = (struct policy_compiler){
        .build = compile_asker_build, .rest = compile_asker_rest, .context = &decider.asker, .fd = config->compile_fd};
    decider_state_init(decider.state, config->config, config->version);
    enum err result = start(&decider);
    if (result == ERR_NONE)
        wait_for_end(&decider);
    if (decider.state->server != NULL)
        stop(&decider);
    compile_asker_close(&decider.asker);
    release(&decider);
    return result;
}
