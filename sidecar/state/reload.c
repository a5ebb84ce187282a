/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "feed_stamp.h"
#include "file_watch.h"
#include "policy_lane.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { DEBOUNCE_MILLISECONDS = 50, DEBOUNCE_MOST = 10, DIAG_ARENA_BYTES = 4 * 1024 * 1024 };

enum { WAKE, FILES, LANE, COMPILER, DESCRIPTORS };

struct reload {
    struct reload_config config;
    struct snapshot *current;
    struct file_watch *watch;
    struct policy_lane *lane;
    uint64_t fingerprint; /* 0 at first: what changed before the watch began is found by the first look */
    int wake;             /* eventfd */
    pthread_t thread;

    /* The thread's own. */
    bool is_busy;                   /* the lane works on an order */
    bool is_wanted;                 /* it is to have another: files changed, or the compile elsewhere may have ended */
    uint64_t ordered;               /* attempts that its order is for */
    struct policy_outcome policies; /* the end of its newest order; without .parts once they were taken */
    struct reload_result result;    /* of the attempt that is being made */

    pthread_mutex_t lock;
    pthread_cond_t is_done;
    uint64_t asked; /* attempts asked for; guarded by lock, like all below */
    uint64_t taken; /* of which everything but the policies has ended */
    uint64_t done;  /* of which all has ended */
    int64_t since;  /* a policy is in the making; 0: none */
    bool is_closing;
    struct reload_result last_taken, last_done;
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

/* ---- one attempt --------------------------------------------------------- */

/* What one attempt works with. */
struct attempt {
    struct arena arena;
    struct diag_list *rest, *all; /* findings about all but the policies, and about everything */
    struct reload_outcome *outcome;
    struct snapshot_work work;
};

static void close_attempt(struct attempt *a)
{
    arena_free(&a->arena);
}

static enum err open_attempt(const struct reload *reload, struct attempt *a)
{
    arena_init(&a->arena, DIAG_ARENA_BYTES);
    a->rest = arena_take(&a->arena, sizeof(*a->rest));
    a->all = arena_take(&a->arena, sizeof(*a->all));
    a->outcome = arena_take(&a->arena, sizeof(*a->outcome));
    if (a->rest == NULL || a->all == NULL || a->outcome == NULL)
        return ERR_NO_MEMORY;
    diag_list_init(a->rest, &a->arena);
    diag_list_init(a->all, &a->arena);
    a->outcome->at = (int64_t)time(NULL);
    a->work = (struct snapshot_work){.config = reload->config.config,
                                     .compiler = reload->config.compiler,
                                     .previous = reload->current,
                                     .now = a->outcome->at,
                                     .diags = a->rest};
    return ERR_NONE;
}

static void add_findings(struct diag_list *list, const struct diag_list *from, size_t first, size_t end)
{
    for (size_t i = first; from != NULL && i < end && i < from->count; i++)
        diag_add(list, &from->items[i]);
}

/* The policy first, what nothing is decided by last. */
static void gather_findings(const struct reload *reload, struct attempt *a, bool has_policies)
{
    const struct policy_outcome *policies = &reload->policies;
    if (has_policies)
        add_findings(a->all, policies->diags, 0, policies->policies.shadow_from);
    add_findings(a->all, a->rest, 0, a->rest->count);
    size_t errors = a->all->errors;
    if (has_policies)
        add_findings(a->all, policies->diags, policies->policies.shadow_from, DIAG_CAP);
    a->outcome->is_of_shadow = errors == 0 && a->all->errors > 0;
}

/* What the lane made is let go of when it may no longer be taken, and asked for anew. */
static bool may_be_taken(struct reload *reload, struct attempt *a)
{
    struct snapshot_work work = a->work;
    work.diags = a->all; /* the new order tells what is wrong */
    bool holds = snapshot_policies_hold(&work, reload->policies.policies.parts);
    diag_list_init(a->all, &a->arena);
    if (holds)
        return true;
    policy_outcome_free(&reload->policies);
    reload->is_wanted = true;
    return false;
}

static void tell_refusal(struct reload *reload, struct attempt *a)
{
    struct reload_result *result = &reload->result;
    write_message(a->all, a->outcome->error, a->outcome);
    memcpy(result->message, a->outcome->message, sizeof(result->message));
    write_diags(a->all, result->diags);
}

static void take(struct reload *reload, struct attempt *a, struct snapshot *next)
{
    if (next != NULL && is_changed(reload->current, next)) {
        snapshot_drop(reload->current);
        reload->current = next;
        a->outcome->snapshot = snapshot_hold(next);
        reload->result.generation = next->generation;
        return;
    }
    snapshot_drop(next);
    if (a->outcome->error == ERR_NONE)
        a->outcome->snapshot = snapshot_hold(reload->current); /* mends an earlier refusal */
}

/* Builds, and takes or refuses: everything but the policies from files, and with `is_ended` what the lane has
 * made. True when nothing is left to come. */
static bool attempt(struct reload *reload, bool is_ended)
{
    AUTO(close_attempt) struct attempt a = {0};
    struct snapshot *next = NULL;
    reload->result = (struct reload_result){.error = ERR_NO_MEMORY, .generation = reload->current->generation};
    if (open_attempt(reload, &a) != ERR_NONE)
        return is_ended;
    is_ended = is_ended && (reload->policies.policies.parts == NULL || may_be_taken(reload, &a));
    bool has_policies = is_ended && !reload->policies.policies.is_under_way;
    enum err error = snapshot_build_rest(&a.work, is_ended ? reload->policies.policies.parts : NULL, &next);
    if (has_policies && reload->policies.error != ERR_NONE)
        error = reload->policies.error;
    a.outcome->error = reload->result.error = error;
    a.outcome->is_under_way = reload->result.is_under_way = !has_policies;
    gather_findings(reload, &a, has_policies);
    if (error != ERR_NONE)
        tell_refusal(reload, &a);
    if (next != NULL && is_ended) {
        snapshot_drop(reload->policies.policies.parts);
        reload->policies.policies.parts = NULL;
    }
    take(reload, &a, next);
    reload->config.deliver(reload->config.context, a.outcome);
    return has_policies;
}

/* ---- the thread ---------------------------------------------------------- */

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

static bool is_under_way(const struct reload *reload)
{
    return reload->policies.policies.is_under_way;
}

/* With the lock. */
static void note_progress(struct reload *reload)
{
    bool is_working = reload->is_busy || reload->is_wanted || is_under_way(reload);
    if (!is_working)
        reload->since = 0;
    else if (reload->since == 0)
        reload->since = (int64_t)time(NULL);
}

/* One attempt for the first `asked`: who waits for it is told. */
static void attempt_for(struct reload *reload, uint64_t asked, bool is_ended)
{
    uint64_t covered = reload->ordered;
    bool is_done = attempt(reload, is_ended);
    pthread_mutex_lock(&reload->lock);
    note_progress(reload);
    reload->taken = asked;
    reload->last_taken = reload->result;
    if (is_done) {
        reload->done = covered;
        reload->last_done = reload->result;
    }
    pthread_cond_broadcast(&reload->is_done);
    pthread_mutex_unlock(&reload->lock);
}

/* Every order reads the policies' files again: whatever changed before it is in it. */
static void order(struct reload *reload, uint64_t asked)
{
    if (!reload->is_wanted || reload->is_busy)
        return;
    reload->is_wanted = false;
    reload->is_busy = true;
    reload->ordered = asked;
    policy_lane_order(reload->lane, reload->current, (int64_t)time(NULL));
}

/* True when an order has ended within that time. */
static bool take_end(struct reload *reload, int milliseconds)
{
    struct pollfd ended = {.fd = policy_lane_descriptor(reload->lane), .events = POLLIN};
    struct policy_outcome outcome;
    if (!reload->is_busy || poll(&ended, 1, milliseconds) <= 0 || !policy_lane_take(reload->lane, &outcome))
        return false;
    policy_outcome_free(&reload->policies);
    reload->policies = outcome;
    reload->is_busy = false;
    return true;
}

static bool has_feed(const struct config *config)
{
    return config->workload_api.needs_x509 || config->workload_api.needs_jwt;
}

/* When the first of what feed keeps fresh will be stale, unless it is confirmed again. A feed starts together with this
 * process, and has likely written before the watch began. */
static int poll_limit(const struct reload *reload)
{
    struct feed_freshness feed;
    int64_t least = reload->config.poll_milliseconds;
    if (reload->fingerprint == 0 && has_feed(reload->config.config))
        return 0;
    feed_freshness_read(reload->config.config, &feed);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        int64_t left = feed.left_ns[i] / 1000000 + 1;
        least = feed.left_ns[i] > 0 && left < least ? left : least;
    }
    return (int)least;
}

/* Of the files, and of whether what feed wrote is stale: which it becomes without any of them changing. */
static uint64_t fingerprint_of(const struct reload *reload)
{
    struct feed_freshness feed;
    uint64_t stale = 0;
    feed_freshness_read(reload->config.config, &feed);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++)
        stale |= (uint64_t)(feed.left_ns[i] == 0) << i;
    return file_watch_fingerprint(reload->watch) ^ stale;
}

/* True when files are to be read. */
static bool is_called(struct reload *reload, bool is_asked, bool has_events)
{
    if (!is_asked && has_events)
        settle(reload);
    else
        file_watch_drain(reload->watch);
    uint64_t fingerprint = fingerprint_of(reload);
    bool is_new = fingerprint != reload->fingerprint;
    reload->fingerprint = fingerprint;
    return is_asked || is_new;
}

/* A policy is waited for, for a moment, where none is in the making: then neither is anything else delayed by one. */
static void serve(struct reload *reload, uint64_t asked, bool is_called)
{
    bool was_idle = !reload->is_busy && !is_under_way(reload);
    order(reload, asked);
    if (is_called)
        attempt_for(reload, asked, was_idle && take_end(reload, RELOAD_GRACE_MS));
    order(reload, asked);
    pthread_mutex_lock(&reload->lock);
    note_progress(reload);
    pthread_mutex_unlock(&reload->lock);
}

static void *run(void *argument)
{
    struct reload *reload = argument;
    for (;;) {
        bool waits = is_under_way(reload) && !reload->is_busy;
        struct pollfd fds[DESCRIPTORS] = {
            [WAKE] = {.fd = reload->wake, .events = POLLIN},
            [FILES] = {.fd = file_watch_descriptor(reload->watch), .events = POLLIN},
            [LANE] = {.fd = policy_lane_descriptor(reload->lane), .events = POLLIN},
            [COMPILER] = {.fd = waits ? reload->config.compiler->fd : -1, .events = POLLIN}};
        int ready = poll(fds, DESCRIPTORS, poll_limit(reload));
        uint64_t ignored, asked;
        ssize_t read_bytes = fds[WAKE].revents != 0 ? read(reload->wake, &ignored, sizeof(ignored)) : 0;
        (void)read_bytes;
        if (look(reload, &asked))
            return NULL;
        if (take_end(reload, 0))
            attempt_for(reload, reload->taken, true);
        bool is_asked = asked != reload->taken; /* `taken` is written by this thread only */
        bool reads = is_called(reload, is_asked, fds[FILES].revents != 0);
        reload->is_wanted = reload->is_wanted || reads || (waits && (ready == 0 || fds[COMPILER].revents != 0));
        serve(reload, asked, reads);
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
    for (size_t i = 0; i < config->identity.revocation_signer_count; i++)
        paths[count++] = config->identity.revocation_signers[i];
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
                  config->identity.revocation_count + config->identity.revocation_signer_count;
    const char **paths = calloc(most, sizeof(*paths));
    if (paths == NULL)
        return ERR_NO_MEMORY;
    enum err result = file_watch_open(paths, watched_paths(config, paths), out);
    free(paths);
    return result;
}

static void release(struct reload *reload)
{
    policy_lane_close(reload->lane);
    policy_outcome_free(&reload->policies);
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
    if (result == ERR_NONE)
        result = policy_lane_open(config->config, config->compiler, &reload->lane);
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

void reload_end(struct reload *reload)
{
    if (reload == NULL)
        return;
    pthread_mutex_lock(&reload->lock);
    reload->is_closing = true;
    pthread_cond_broadcast(&reload->is_done);
    pthread_mutex_unlock(&reload->lock);
    wake(reload);
}

void reload_close(struct reload *reload)
{
    if (reload == NULL)
        return;
    reload_end(reload);
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

enum err reload_now(struct reload *reload, enum reload_wait wait, struct reload_result *result)
{
    const uint64_t *reached = wait == RELOAD_ALL ? &reload->done : &reload->taken;
    pthread_mutex_lock(&reload->lock);
    uint64_t mine = ++reload->asked;
    wake(reload);
    while (*reached < mine && !reload->is_closing)
        pthread_cond_wait(&reload->is_done, &reload->lock);
    bool is_done = *reached >= mine;
    if (is_done)
        *result = wait == RELOAD_ALL ? reload->last_done : reload->last_taken;
    pthread_mutex_unlock(&reload->lock);
    return is_done ? ERR_NONE : ERR_STALE;
}

int64_t reload_under_way_since(struct reload *reload)
{
    pthread_mutex_lock(&reload->lock);
    int64_t since = reload->since;
    pthread_mutex_unlock(&reload->lock);
    return since;
}
