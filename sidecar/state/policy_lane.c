/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DIAG_ARENA_BYTES = 4 * 1024 * 1024 };

struct policy_lane {
    const struct config *config;
    const struct policy_compiler *compiler;
    int ended; /* eventfd */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_ordered;
    struct snapshot *previous; /* of the order that waits; NULL: none. Guarded by lock, like all below */
    int64_t now;
    struct policy_outcome outcome;
    bool has_outcome, is_closing;
};

void policy_outcome_free(struct policy_outcome *outcome)
{
    snapshot_drop(outcome->policies.parts);
    arena_free(&outcome->arena);
    *outcome = (struct policy_outcome){0};
}

static void work(const struct policy_lane *lane, struct snapshot *previous, int64_t now, struct policy_outcome *out)
{
    *out = (struct policy_outcome){.error = ERR_NO_MEMORY};
    arena_init(&out->arena, DIAG_ARENA_BYTES);
    out->diags = arena_take(&out->arena, sizeof(*out->diags));
    if (out->diags == NULL)
        return;
    diag_list_init(out->diags, &out->arena);
    const struct snapshot_work order = {
        .config = lane->config, .compiler = lane->compiler, .previous = previous, .now = now, .diags = out->diags};
    out->error = snapshot_build_policies(&order, &out->policies);
    out->diags->arena = NULL; /* the outcome moves: nothing is added from here on */
}

/* False: the lane is closing. */
static bool wait_for_order(struct policy_lane *lane, struct snapshot **previous, int64_t *now)
{
    pthread_mutex_lock(&lane->lock);
    while (lane->previous == NULL && !lane->is_closing)
        (void)pthread_cond_wait(&lane->is_ordered, &lane->lock);
    *previous = lane->previous;
    *now = lane->now;
    lane->previous = NULL;
    bool goes_on = !lane->is_closing;
    pthread_mutex_unlock(&lane->lock);
    return goes_on;
}

static void *run(void *argument)
{
    struct policy_lane *lane = argument;
    struct snapshot *previous;
    int64_t now;
    while (wait_for_order(lane, &previous, &now)) {
        struct policy_outcome outcome;
        const uint64_t one = 1;
        work(lane, previous, now, &outcome);
        snapshot_drop(previous);
        pthread_mutex_lock(&lane->lock);
        lane->outcome = outcome;
        lane->has_outcome = true;
        pthread_mutex_unlock(&lane->lock);
        ssize_t told = write(lane->ended, &one, sizeof(one));
        (void)told;
    }
    snapshot_drop(previous);
    return NULL;
}

enum err policy_lane_open(const struct config *config, const struct policy_compiler *compiler, struct policy_lane **out)
{
    struct policy_lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL)
        return ERR_NO_MEMORY;
    lane->config = config;
    lane->compiler = compiler;
    lane->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&lane->lock, NULL);
    (void)pthread_cond_init(&lane->is_ordered, NULL);
    if (lane->ended < 0 || pthread_create(&lane->thread, NULL, run, lane) != 0) {
        if (lane->ended >= 0)
            (void)close(lane->ended);
        free(lane);
        return ERR_IO;
    }
    *out = lane;
    return ERR_NONE;
}

void policy_lane_close(struct policy_lane *lane)
{
    if (lane == NULL)
        return;
    pthread_mutex_lock(&lane->lock);
    lane->is_closing = true;
    (void)pthread_cond_signal(&lane->is_ordered);
    pthread_mutex_unlock(&lane->lock);
    (void)pthread_join(lane->thread, NULL);
    policy_outcome_free(&lane->outcome);
    (void)close(lane->ended);
    (void)pthread_mutex_destroy(&lane->lock);
    (void)pthread_cond_destroy(&lane->is_ordered);
    free(lane);
}

void policy_lane_order(struct policy_lane *lane, struct snapshot *previous, int64_t now)
{
    pthread_mutex_lock(&lane->lock);
    lane->previous = snapshot_hold(previous);
    lane->now = now;
    (void)pthread_cond_signal(&lane->is_ordered);
    pthread_mutex_unlock(&lane->lock);
}

int policy_lane_descriptor(const struct policy_lane *lane)
{
    return lane->ended;
}

bool policy_lane_take(struct policy_lane *lane, struct policy_outcome *out)
{
    uint64_t ignored;
    ssize_t told = read(lane->ended, &ignored, sizeof(ignored));
    (void)told;
    pthread_mutex_lock(&lane->lock);
    bool has_outcome = lane->has_outcome;
    if (has_outcome) {
        *out = lane->outcome;
        lane->outcome = (struct policy_outcome){0};
    }
    lane->has_outcome = false;
    pthread_mutex_unlock(&lane->lock);
    return has_outcome;
}
