/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_view.h"

#include "builder.h"
#include "digest.h"

#include <getopt.h>
#include <stdlib.h>

enum { LINE_CEILING = 512 * 1024 };

struct tail_view {
    const struct tail_options *options;
    FILE *out;
    struct sequence_check *check;
    uint64_t shown;
    uint64_t bad;
};

/* --- options --- */

static enum err fault(const char *what, const char *value)
{
    fprintf(stderr, "audit tail: %s%s%s\n", what, value != NULL ? ": " : "", value != NULL ? value : "");
    return ERR_INVALID;
}

static enum err take_number(const char *name, const char *text, uint64_t most, uint64_t *out)
{
    return view_to_u64(view_of(text), out) && *out <= most ? ERR_NONE : fault(name, text);
}

static enum err take_format(const char *text, enum tail_format *out)
{
    bool is_json = view_equals(view_of(text), VIEW("json"));
    *out = is_json ? TAIL_JSON : TAIL_SENTENCE;
    bool is_good = is_json || view_equals(view_of(text), VIEW("sentence")) || view_equals(view_of(text), VIEW("text"));
    return is_good ? ERR_NONE : fault("--format is sentence or json, not", text);
}

static enum err take_option(int option, const char *value, struct tail_options *out)
{
    uint64_t number = 0;
    switch (option) {
    case 'c': out->connect = value; return ERR_NONE;
    case 'j': out->journal = value; return ERR_NONE;
    case 's': out->is_from_start = true; return ERR_NONE;
    case 'o': out->is_once = true; return ERR_NONE;
    case 'f': return take_format(value, &out->format);
    case 'n': return take_number("--count is not a number", value, UINT64_MAX, &out->count);
    case 't':
        TRY(take_number("--timeout is not a number of seconds", value, 1000000000, &number));
        out->timeout = (uint32_t)number;
        return ERR_NONE;
    case 'p': out->topic = view_of(value); return ERR_NONE;
    case 'm': out->is_summary = true; return ERR_NONE;
    default: return fault("unknown option, or a value is missing", NULL);
    }
}

enum err tail_view_parse_options(int argc, char **argv, struct tail_options *out)
{
    static const struct option known[] = {
        {"connect", required_argument, NULL, 'c'}, {"journal", required_argument, NULL, 'j'},
        {"from-start", no_argument, NULL, 's'},    {"format", required_argument, NULL, 'f'},
        {"count", required_argument, NULL, 'n'},   {"timeout", required_argument, NULL, 't'},
        {"topic", required_argument, NULL, 'p'},   {"summary", no_argument, NULL, 'm'},
        {"no-follow", no_argument, NULL, 'o'},     {NULL, 0, NULL, 0},
    };
    int option;
    *out = (struct tail_options){0};
    optind = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        TRY(take_option(option, optarg, out));
    if (optind < argc)
        return fault("unexpected argument", argv[optind]);
    if ((out->connect != NULL) == (out->journal != NULL))
        return fault("say either --connect ENDPOINT or --journal DIR", NULL);
    if ((out->is_from_start || out->is_once) && out->journal == NULL)
        return fault("--from-start and --no-follow need --journal: the live tap has neither past nor end", NULL);
    return ERR_NONE;
}

/* --- records --- */

enum err tail_view_open(const struct tail_options *options, FILE *out, struct tail_view **view)
{
    *view = calloc(1, sizeof(**view));
    if (*view == NULL)
        return ERR_NO_MEMORY;
    (*view)->options = options;
    (*view)->out = out;
    enum err error = sequence_check_open(options->is_from_start, &(*view)->check);
    if (error != ERR_NONE) {
        free(*view);
        *view = NULL;
    }
    return error;
}

void tail_view_close(struct tail_view *view)
{
    if (view == NULL)
        return;
    sequence_check_close(view->check);
    free(view);
}

static bool is_wanted(const struct tail_options *options, const struct audit_event *event)
{
    char topic[AUDIT_TOPIC_MAX];
    if (!view_is_present(options->topic))
        return true;
    size_t size = audit_event_topic(event, topic);
    return view_starts_with((struct view){topic, size}, options->topic);
}

static void print(const struct tail_view *view, const struct audit_event *event)
{
    struct arena arena;
    arena_init(&arena, LINE_CEILING);
    struct view line =
        view->options->format == TAIL_JSON ? audit_event_json(event, &arena) : audit_event_sentence(event, &arena);
    if (line.size > 0)
        fwrite(line.data, 1, line.size, view->out);
    fputc('\n', view->out);
    fflush(view->out);
    arena_free(&arena);
}

void tail_view_note_bad(struct tail_view *view, const char *what)
{
    view->bad++;
    fprintf(stderr, "audit: %s\n", what);
}

bool tail_view_take(struct tail_view *view, struct view payload)
{
    struct audit_event event;
    struct sequence_mark mark;
    if (audit_event_parse(payload, &event) != ERR_NONE) {
        tail_view_note_bad(view, "a record is not of a form that this build understands");
        return false;
    }
    if (!is_wanted(view->options, &event))
        return false;
    sequence_check_mark(&event, &mark);
    uint64_t before = sequence_check_repeats(view->check);
    if (sequence_check_take(view->check, &mark) != ERR_NONE)
        tail_view_note_bad(view, "too many epochs to follow");
    if (sequence_check_repeats(view->check) != before)
        return false; /* delivered again */
    print(view, &event);
    view->shown++;
    return view->options->count > 0 && view->shown >= view->options->count;
}

void tail_view_print_gap(void *context, const struct sequence_gap *gap)
{
    FILE *out = context;
    char epoch[2 * JOURNAL_EPOCH_BYTES];
    struct arena arena;
    struct builder builder;
    arena_init(&arena, LINE_CEILING);
    builder_init(&builder, &arena);
    builder_add_escaped(&builder, gap->instance);
    struct view instance = builder_view(&builder);
    hex_encode(gap->epoch, JOURNAL_EPOCH_BYTES, epoch);
    fprintf(out, "missing: sequence %llu", (unsigned long long)gap->first);
    if (gap->last > gap->first)
        fprintf(out, " to %llu", (unsigned long long)gap->last);
    fprintf(out, " of epoch %.*s", (int)sizeof(epoch), epoch);
    if (instance.size > 0)
        fprintf(out, ", instance %.*s", VIEW_ARG(instance));
    fprintf(out, "%s\n", gap->is_tail ? " (its end; the next epoch names it)" : "");
    arena_free(&arena);
}

bool tail_view_finish(struct tail_view *view)
{
    uint64_t missing = 0, removed = 0;
    bool is_judged = !view_is_present(view->options->topic);
    if (is_judged)
        missing = sequence_check_report(view->check, view->options->is_summary ? tail_view_print_gap : NULL, stderr,
                                        &removed);
    if (view->options->is_summary) {
        fprintf(stderr, "%llu records", (unsigned long long)view->shown);
        if (is_judged)
            fprintf(stderr, ", %llu missing", (unsigned long long)missing);
        if (removed > 0)
            fprintf(stderr, ", %llu removed under the cap", (unsigned long long)removed);
        if (view->bad > 0)
            fprintf(stderr, ", %llu unreadable", (unsigned long long)view->bad);
        fputc('\n', stderr);
    }
    return missing == 0 && view->bad == 0;
}
