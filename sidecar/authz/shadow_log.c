/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow_log.h"

#include <stdlib.h>

void shadow_log_init(struct shadow_log *log)
{
    memset(log, 0, sizeof(*log));
    (void)pthread_mutex_init(&log->lock, NULL);
}

void shadow_log_restart(struct shadow_log *log, const struct shadow_era *era)
{
    pthread_mutex_lock(&log->lock);
    log->counts = (struct shadow_counts){.era = *era};
    pthread_mutex_unlock(&log->lock);
}

bool shadow_log_differs(const struct decision *enforced, const struct decision *shadow)
{
    return enforced->verdict != shadow->verdict || !view_equals(enforced->rule, shadow->rule);
}

static struct view cut(struct view text, size_t capacity)
{
    return view_slice(text, 0, text.size < capacity ? text.size : capacity - 1);
}

static void copy_text(char *to, size_t capacity, struct view from)
{
    struct view text = cut(from, capacity);
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    to[text.size] = '\0';
}

static bool is_side(const struct shadow_side *side, const struct decision *decision)
{
    return side->verdict == decision->verdict &&
           view_equals(view_of(side->rule), cut(decision->rule, sizeof(side->rule)));
}

static void fill_side(const struct decision *decision, struct shadow_side *side)
{
    side->verdict = decision->verdict;
    copy_text(side->rule, sizeof(side->rule), decision->rule);
}

/* The row of the pair, a new one when it was not seen before; NULL: the table is full. */
static struct shadow_pair *find(struct shadow_counts *counts, const struct decision *enforced,
                                const struct decision *shadow)
{
    for (size_t i = 0; i < counts->pair_count; i++)
        if (is_side(&counts->pairs[i].from, enforced) && is_side(&counts->pairs[i].to, shadow))
            return &counts->pairs[i];
    if (counts->pair_count == SHADOW_PAIRS_MAX)
        return NULL;
    struct shadow_pair *pair = &counts->pairs[counts->pair_count++];
    fill_side(enforced, &pair->from);
    fill_side(shadow, &pair->to);
    return pair;
}

void shadow_log_add(struct shadow_log *log, int64_t at, const struct decision *enforced, const struct decision *shadow,
                    struct view decision_id)
{
    struct shadow_counts *counts = &log->counts;
    pthread_mutex_lock(&log->lock);
    counts->checks++;
    if (shadow_log_differs(enforced, shadow)) {
        struct shadow_pair *pair = find(counts, enforced, shadow);
        counts->differences++;
        if (pair != NULL) {
            pair->count++;
            pair->at = at;
            copy_text(pair->decision_id, sizeof(pair->decision_id), decision_id);
        } else {
            counts->others++;
        }
    }
    pthread_mutex_unlock(&log->lock);
}

static int most_first(const void *a, const void *b)
{
    uint64_t x = ((const struct shadow_pair *)a)->count, y = ((const struct shadow_pair *)b)->count;
    return x < y ? 1 : -(x > y);
}

void shadow_log_read(struct shadow_log *log, struct shadow_counts *out)
{
    pthread_mutex_lock(&log->lock);
    *out = log->counts;
    pthread_mutex_unlock(&log->lock);
    qsort(out->pairs, out->pair_count, sizeof(out->pairs[0]), most_first);
}
