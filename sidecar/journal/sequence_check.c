/* SPDX-License-Identifier: Apache-2.0 */
#include "sequence_check.h"

#include "digest.h"

#include <stdlib.h>

enum { EPOCHS_MAX = 10000, INSTANCE_BYTES_MAX = 255 };

struct range {
    uint64_t first, last; /* both inclusive */
};

/* Ranges in no particular order. */
struct ranges {
    struct range *items;
    size_t count;
};

struct epoch {
    char instance[INSTANCE_BYTES_MAX];
    size_t instance_size;
    uint8_t id[JOURNAL_EPOCH_BYTES];
    uint64_t first, last; /* lowest and highest seen */
    struct ranges gaps;
};

struct capped {
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    struct range range;
};

/* What the first record of `follower` says of the epoch before it. */
struct link {
    size_t follower;
    struct journal_position previous;
};

struct sequence_check {
    bool is_whole;
    struct epoch *epochs;
    size_t epoch_count;
    size_t latest; /* index of the epoch of the last record */
    struct capped *capped;
    size_t capped_count;
    struct link *links;
    size_t link_count;
    uint64_t records, repeats;
};

/* Room for one more element of `size` bytes behind `*count` of them, doubling. */
static void *grow(void *items, size_t count, size_t size)
{
    bool is_full = (count & (count - 1)) == 0; /* 0 and every power of two */
    return is_full ? reallocarray(items, count == 0 ? 1 : 2 * count, size) : items;
}

static enum err add_range(struct ranges *ranges, uint64_t first, uint64_t last)
{
    struct range *grown = grow(ranges->items, ranges->count, sizeof(*grown));
    if (grown == NULL)
        return ERR_NO_MEMORY;
    ranges->items = grown;
    grown[ranges->count++] = (struct range){first, last};
    return ERR_NONE;
}

void sequence_check_mark(const struct audit_event *event, struct sequence_mark *out)
{
    const struct audit_loss *loss = &event->loss;
    const struct audit_lifecycle *lifecycle = &event->lifecycle;
    *out = (struct sequence_mark){.instance = event->instance, .sequence = event->sequence};
    memcpy(out->epoch, event->epoch, JOURNAL_EPOCH_BYTES);
    if (event->kind == RECORD_LOSS && view_equals(loss->reason, VIEW("capped"))) {
        out->removed_first = loss->first;
        out->removed_last = loss->last;
        memcpy(out->removed_epoch, event->epoch, JOURNAL_EPOCH_BYTES);
        out->is_capped = loss->epoch.size == 0 || hex_decode(loss->epoch, out->removed_epoch, JOURNAL_EPOCH_BYTES);
    }
    if (event->kind == RECORD_LIFECYCLE && lifecycle->what == LIFECYCLE_EPOCH_START) {
        out->previous.sequence = lifecycle->previous_sequence;
        out->has_previous = hex_decode(lifecycle->previous_epoch, out->previous.epoch, JOURNAL_EPOCH_BYTES);
    }
}

enum err sequence_check_open(bool is_whole, struct sequence_check **out)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return ERR_NO_MEMORY;
    (*out)->is_whole = is_whole;
    return ERR_NONE;
}

void sequence_check_close(struct sequence_check *check)
{
    if (check == NULL)
        return;
    for (size_t i = 0; i < check->epoch_count; i++)
        free(check->epochs[i].gaps.items);
    free(check->epochs);
    free(check->capped);
    free(check->links);
    free(check);
}

static struct view instance_of(const struct epoch *epoch)
{
    return (struct view){epoch->instance, epoch->instance_size};
}

static bool is_epoch(const struct epoch *epoch, const struct sequence_mark *mark)
{
    return memcmp(epoch->id, mark->epoch, JOURNAL_EPOCH_BYTES) == 0 &&
           view_equals(instance_of(epoch), view_slice(mark->instance, 0, INSTANCE_BYTES_MAX));
}

static struct epoch *find(struct sequence_check *check, const struct sequence_mark *mark)
{
    if (check->latest < check->epoch_count && is_epoch(&check->epochs[check->latest], mark))
        return &check->epochs[check->latest];
    for (size_t i = 0; i < check->epoch_count; i++) {
        if (is_epoch(&check->epochs[i], mark)) {
            check->latest = i;
            return &check->epochs[i];
        }
    }
    return NULL;
}

static enum err begin(struct sequence_check *check, const struct sequence_mark *mark)
{
    if (check->epoch_count >= EPOCHS_MAX)
        return ERR_LIMIT;
    struct epoch *grown = grow(check->epochs, check->epoch_count, sizeof(*grown));
    if (grown == NULL)
        return ERR_NO_MEMORY;
    check->epochs = grown;
    struct epoch *epoch = &grown[check->epoch_count];
    *epoch = (struct epoch){.first = mark->sequence, .last = mark->sequence};
    struct view instance = view_slice(mark->instance, 0, INSTANCE_BYTES_MAX);
    epoch->instance_size = instance.size;
    if (instance.size > 0)
        memcpy(epoch->instance, instance.data, instance.size);
    memcpy(epoch->id, mark->epoch, JOURNAL_EPOCH_BYTES);
    check->latest = check->epoch_count++;
    check->records++;
    return ERR_NONE;
}

/* A record below the highest: it closes (a part of) a gap, or it came again. */
static enum err take_late(struct sequence_check *check, struct epoch *epoch, uint64_t sequence)
{
    for (size_t i = 0; i < epoch->gaps.count; i++) {
        struct range gap = epoch->gaps.items[i];
        if (sequence < gap.first || sequence > gap.last)
            continue;
        epoch->gaps.items[i] = epoch->gaps.items[--epoch->gaps.count];
        check->records++;
        if (sequence > gap.first)
            TRY(add_range(&epoch->gaps, gap.first, sequence - 1));
        return sequence < gap.last ? add_range(&epoch->gaps, sequence + 1, gap.last) : ERR_NONE;
    }
    check->repeats++;
    return ERR_NONE;
}

static enum err take_sequence(struct sequence_check *check, struct epoch *epoch, uint64_t sequence)
{
    uint64_t first = epoch->first, last = epoch->last;
    if (sequence >= first && sequence <= last)
        return take_late(check, epoch, sequence);
    check->records++;
    if (sequence > last) {
        epoch->last = sequence;
        return sequence - last > 1 ? add_range(&epoch->gaps, last + 1, sequence - 1) : ERR_NONE;
    }
    epoch->first = sequence;
    return first - sequence > 1 ? add_range(&epoch->gaps, sequence + 1, first - 1) : ERR_NONE;
}

static enum err take_extras(struct sequence_check *check, const struct sequence_mark *mark)
{
    if (mark->is_capped && mark->removed_first <= mark->removed_last) {
        struct capped *grown = grow(check->capped, check->capped_count, sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        check->capped = grown;
        struct capped *slot = &grown[check->capped_count++];
        *slot = (struct capped){.range = {mark->removed_first, mark->removed_last}};
        memcpy(slot->epoch, mark->removed_epoch, JOURNAL_EPOCH_BYTES);
    }
    if (mark->has_previous) {
        struct link *grown = grow(check->links, check->link_count, sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        check->links = grown;
        grown[check->link_count++] = (struct link){.follower = check->latest, .previous = mark->previous};
    }
    return ERR_NONE;
}

enum err sequence_check_take(struct sequence_check *check, const struct sequence_mark *mark)
{
    struct epoch *epoch = find(check, mark);
    uint64_t repeats = check->repeats;
    if (epoch == NULL)
        TRY(begin(check, mark));
    else
        TRY(take_sequence(check, epoch, mark->sequence));
    return check->repeats == repeats ? take_extras(check, mark) : ERR_NONE;
}

/* --- the report --- */

struct reporter {
    const struct sequence_check *check;
    void (*each)(void *context, const struct sequence_gap *gap);
    void *context;
    uint64_t missing, removed;
};

static void tell(struct reporter *reporter, const struct epoch *epoch, struct range range, bool is_tail)
{
    struct sequence_gap gap = {
        .instance = instance_of(epoch), .first = range.first, .last = range.last, .is_tail = is_tail};
    memcpy(gap.epoch, epoch->id, JOURNAL_EPOCH_BYTES);
    reporter->missing += range.last - range.first + 1;
    if (reporter->each != NULL)
        reporter->each(reporter->context, &gap);
}

/* The capped range of the epoch that begins first at or after `from`, or that holds it. */
static const struct range *next_capped(const struct sequence_check *check, const struct epoch *epoch, uint64_t from)
{
    const struct range *best = NULL;
    for (size_t i = 0; i < check->capped_count; i++) {
        const struct capped *each = &check->capped[i];
        if (memcmp(each->epoch, epoch->id, JOURNAL_EPOCH_BYTES) == 0 && each->range.last >= from &&
            (best == NULL || each->range.first < best->first))
            best = &each->range;
    }
    return best;
}

/* Tells what of [first, last] no capped record accounts for. */
static void tell_unaccounted(struct reporter *reporter, const struct epoch *epoch, struct range gap, bool is_tail)
{
    uint64_t from = gap.first;
    for (;;) {
        const struct range *capped = next_capped(reporter->check, epoch, from);
        if (capped == NULL || capped->first > gap.last) {
            tell(reporter, epoch, (struct range){from, gap.last}, is_tail);
            return;
        }
        if (capped->first > from)
            tell(reporter, epoch, (struct range){from, capped->first - 1}, is_tail);
        uint64_t begin_removed = capped->first > from ? capped->first : from;
        uint64_t end_removed = capped->last < gap.last ? capped->last : gap.last;
        reporter->removed += end_removed - begin_removed + 1;
        if (capped->last >= gap.last)
            return;
        from = capped->last + 1;
    }
}

static int by_first(const void *left, const void *right)
{
    const struct range *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void report_epoch(struct reporter *reporter, const struct epoch *epoch)
{
    if (reporter->check->is_whole && epoch->first > 0)
        tell_unaccounted(reporter, epoch, (struct range){0, epoch->first - 1}, false);
    if (epoch->gaps.count > 1)
        qsort(epoch->gaps.items, epoch->gaps.count, sizeof(*epoch->gaps.items), by_first);
    for (size_t i = 0; i < epoch->gaps.count; i++)
        tell_unaccounted(reporter, epoch, epoch->gaps.items[i], false);
}

/* The end of the epoch that `link` names, against what was seen of it. */
static void report_link(struct reporter *reporter, const struct link *link)
{
    const struct sequence_check *check = reporter->check;
    struct epoch unseen = check->epochs[link->follower];
    memcpy(unseen.id, link->previous.epoch, JOURNAL_EPOCH_BYTES);
    for (size_t i = 0; i < check->epoch_count; i++) {
        const struct epoch *epoch = &check->epochs[i];
        if (memcmp(epoch->id, unseen.id, JOURNAL_EPOCH_BYTES) != 0 ||
            !view_equals(instance_of(epoch), instance_of(&unseen)))
            continue;
        if (epoch->last < link->previous.sequence)
            tell_unaccounted(reporter, epoch, (struct range){epoch->last + 1, link->previous.sequence}, true);
        return;
    }
    /* Of an epoch that is not there at all only its last record is known for sure. */
    if (check->is_whole)
        tell_unaccounted(reporter, &unseen, (struct range){link->previous.sequence, link->previous.sequence}, true);
}

uint64_t sequence_check_report(const struct sequence_check *check,
                               void (*each)(void *context, const struct sequence_gap *gap), void *context,
                               uint64_t *removed)
{
    struct reporter reporter = {.check = check, .each = each, .context = context};
    for (size_t i = 0; i < check->epoch_count; i++)
        report_epoch(&reporter, &check->epochs[i]);
    for (size_t i = 0; i < check->link_count; i++)
        report_link(&reporter, &check->links[i]);
    if (removed != NULL)
        *removed = reporter.removed;
    return reporter.missing;
}

uint64_t sequence_check_records(const struct sequence_check *check)
{
    return check->records;
}

uint64_t sequence_check_repeats(const struct sequence_check *check)
{
    return check->repeats;
}
