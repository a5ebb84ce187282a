/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "file_watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { DEBOUNCE_MILLISECONDS = 50, DEBOUNCE_MOST = 10, DIAG_ARENA_BYTES = 4 * 1024 * 1024 };

struct reload {
    struct reload_config config;
    struct snapshot *current;
    struct file_watch *watch;
    uint64_t fingerprint; /* 0 at first: what changed before the watch began is found by the first look */
    int wake;             /* eventfd */
    pthread_t thread;
    struct reload_result result; /* of the attempt that is being made; the thread's own */
    pthread_mutex_t lock;
    pthread_cond_t is_done;
    uint64_t asked; /* attempts asked for; guarded by lock, like all below */
    uint64_t done;
    bool is_closing;
    struct reload_result last; /* of the last attempt asked for */
};

/* The first finding on one line. */
static void write_message(const struct diag_list *diags, enum err error, struct reload_outcome *outcome)
{
    char *out = outcome->message;
    (void)snprintf(out, RELOAD_MESSAGE_MAX, "%s", err_text(error));
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *d = &diags->items[i];
        if (d->severity != DIAG_ERROR)
            continue;
        (void)snprintf(outcome->file, sizeof(outcome->file), "%.*s", VIEW_ARG(d->span.file));
        if (d->span.line > 0)
            (void)snprintf(out, RELOAD_MESSAGE_MAX, "%.*s:%u:%u: %.*s", VIEW_ARG(d->span.file), d->span.line,
                           d->span.column, VIEW_ARG(d->message));
        else
            (void)snprintf(out, RELOAD_MESSAGE_MAX, "%.*s: %.*s", VIEW_ARG(d->span.file), VIEW_ARG(d->message));
        return;
    }
}

static void write_diags(const struct diag_list *diags, char out[RELOAD_DIAGS_MAX])
{
    memcpy(out, "[]", sizeof("[]"));
    if (diags->count == 0)
        return;
    FILE *memory = fmemopen(out, RELOAD_DIAGS_MAX, "w");
    if (memory == NULL)
        return;
    diag_list_print_json(diags, memory);
    bool is_cut = ferror(memory) != 0 || ftell(memory) >= RELOAD_DIAGS_MAX - 1;
    if (fclose(memory) != 0 || is_cut)
        memcpy(out, "[]", sizeof("[]"));
}

static bool is_changed(const struct snapshot *a, const struct snapshot *b)
{
    return a->policy_generation != b->policy_generation || a->bundle_generation != b->bundle_generation ||
           a->key_generation != b->key_generation || a->revocation_generation != b->revocation_generation ||
           a->shadow_generation != b->shadow_generation || a->is_ready != b->is_ready;
}

/* Builds, and takes or refuses. `result` is filled when somebody waits for it. */
static void attempt(struct reload *reload, struct reload_result *result)
{
    struct arena arena;
    arena_init(&arena, DIAG_ARENA_BYTES);
    struct diag_list *diags = arena_take(&arena, sizeof(*diags));
    struct reload_outcome *outcome = arena_take(&arena, sizeof(*outcome));
    *result = (struct reload_result){.error = ERR_NO_MEMORY, .generation = reload->current->generation};
    if (diags == NULL || outcome == NULL) {
        arena_free(&arena);
        return;
    }
    diag_list_init(diags, &arena);
    outcome->at = (int64_t)time(NULL);
    struct snapshot *next = NULL;
    outcome->error =
        snapshot_build(reload->config.config, reload->config.compiler, reload->current, outcome->at, diags, &next);
    result->error = outcome->error;
    if (outcome->error != ERR_NONE) {
        write_message(diags, outcome->error, outcome);
        memcpy(result->message, outcome->message, sizeof(result->message));
        write_diags(diags, result->diags);
    }
    if (next != NULL && is_changed(reload->current, next)) {
        snapshot_drop(reload->current);
        reload->current = next;
        outcome->snapshot = snapshot_hold(next);
        result->generation = next->generation;
    } else {
        snapshot_drop(next);
        if (outcome->error == ERR_NONE)
            outcome->snapshot = snapshot_hold(reload->current); /* mends an earlier refusal */
    }
    reload->config.deliver(reload->config.context, outcome);
    arena_free(&arena);
}

/* Waits until the folders have been quiet for a moment: a set of files is written one by one. */
static void settle(struct reload *reload)
{
    struct pollfd quiet = {.fd = file_watch_descriptor(reload->watch), .events = POLLIN};
    for (int i = 0; i < DEBOUNCE_MOST; i++) {
        file_watch_drain(reload->watch);
        if (poll(&quiet, 1, DEBOUNCE_MILLISECONDS) == 0)
            return;
    }
}

/* True when the thread should end. *asked is the number of attempts asked for so far. */
static bool look(struct reload *reload, uint64_t *asked)
{
    pthread_mutex_lock(&reload->lock);
    bool is_closing = reload->is_closing;
    *asked = reload->asked;
    pthread_mutex_unlock(&reload->lock);
    return is_closing;
}

static void finish(struct reload *reload, const struct reload_result *result, uint64_t asked)
{
    pthread_mutex_lock(&reload->lock);
    reload->last = *result;
    reload->done = asked;
    pthread_cond_broadcast(&reload->is_done);
    pthread_mutex_unlock(&reload->lock);
}

static void *run(void *argument)
{
    struct reload *reload = argument;
    struct pollfd fds[2] = {{.fd = reload->wake, .events = POLLIN},
                            {.fd = file_watch_descriptor(reload->watch), .events = POLLIN}};
    for (;;) {
        (void)poll(fds, 2, (int)reload->config.poll_milliseconds);
        uint64_t ignored, asked;
        ssize_t taken = (fds[0].revents & POLLIN) != 0 ? read(reload->wake, &ignored, sizeof(ignored)) : 0;
        (void)taken;
        if (look(reload, &asked))
            return NULL;
        bool is_asked = asked != reload->done; /* `done` is written by this thread only */
        if (!is_asked && (fds[1].revents & POLLIN) != 0)
            settle(reload);
        else
            file_watch_drain(reload->watch);
        uint64_t fingerprint = file_watch_fingerprint(reload->watch);
        if (is_asked || fingerprint != reload->fingerprint) {
            reload->fingerprint = fingerprint;
            attempt(reload, &reload->result);
        }
        if (is_asked)
            finish(reload, &reload->result, asked);
    }
}

static size_t watched_paths(const struct config *config, const char **paths)
{
    size_t count = 0;
    paths[count++] = config->policy.path;
    if (config->policy.shadow != NULL)
        paths[count++] = config->policy.shadow;
    for (size_t i = 0; i < config->policy.signer_count; i++)
        paths[count++] = config->policy.signers[i];
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        paths[count++] = config->identity.domains[i].bundle;
        if (config->identity.domains[i].crl != NULL)
            paths[count++] = config->identity.domains[i].crl;
    }
    for (size_t i = 0; i < config->tokens.issuer_count; i++)
        paths[count++] = config->tokens.issuers[i].keys_file;
    for (size_t i = 0; i < config->identity.revocation_count; i++)
        paths[count++] = config->identity.revocations[i];
    return count;
}

static enum err open_watch(const struct config *config, struct file_watch **out)
{
    size_t most = 2 + config->policy.signer_count + 2 * config->identity.domain_count + config->tokens.issuer_count +
                  config->identity.revocation_count;
    const char **paths = calloc(most, sizeof(*paths));
    if (paths == NULL)
        return ERR_NO_MEMORY;
    enum err result = file_watch_open(paths, watched_paths(config, paths), out);
    free(paths);
    return result;
}

static void release(struct reload *reload)
{
    file_watch_close(reload->watch);
    if (reload->wake >= 0)
        (void)close(reload->wake);
    snapshot_drop(reload->current);
    free(reload);
}

enum err reload_open(const struct reload_config *config, struct reload **out)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    if (reload == NULL)
        return ERR_NO_MEMORY;
    reload->config = *config;
    reload->current = snapshot_hold(config->initial);
    reload->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err result = open_watch(config->config, &reload->watch);
    if (result == ERR_NONE && reload->wake < 0)
        result = ERR_IO;
    if (result == ERR_NONE) {
        (void)pthread_mutex_init(&reload->lock, NULL);
        (void)pthread_cond_init(&reload->is_done, NULL);
        if (pthread_create(&reload->thread, NULL, run, reload) != 0)
            result = ERR_IO;
    }
    if (result != ERR_NONE) {
        release(reload);
        return result;
    }
    *out = reload;
    return ERR_NONE;
}

static void wake(struct reload *reload)
{
    uint64_t one = 1;
    ssize_t ignored = write(reload->wake, &one, sizeof(one));
    (void)ignored;
}

void reload_close(struct reload *reload)
{
    if (reload == NULL)
        return;
    pthread_mutex_lock(&reload->lock);
    reload->is_closing = true;
    pthread_cond_broadcast(&reload->is_done);
    pthread_mutex_unlock(&reload->lock);
    wake(reload);
    (void)pthread_join(reload->thread, NULL);
    (void)pthread_mutex_destroy(&reload->lock);
    (void)pthread_cond_destroy(&reload->is_done);
    release(reload);
}

void reload_request(struct reload *reload)
{
    pthread_mutex_lock(&reload->lock);
    reload->asked++;
    pthread_mutex_unlock(&reload->lock);
    wake(reload);
}

enum err reload_now(struct reload *reload, struct reload_result *result)
{
    pthread_mutex_lock(&reload->lock);
    uint64_t mine = ++reload->asked;
    wake(reload);
    while (reload->done < mine && !reload->is_closing)
        pthread_cond_wait(&reload->is_done, &reload->lock);
    bool is_done = reload->done >= mine;
    if (is_done)
        *result = reload->last;
    pthread_mutex_unlock(&reload->lock);
    return is_done ? ERR_NONE : ERR_STALE;
}
