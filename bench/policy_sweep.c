/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy of one shape costs by its size; run by policy.py.
 *
 *   policy_sweep SHAPE ROUNDS FOLDER RULES...   a line of JSON per number of rules
 *   policy_sweep --peak PATH                    reads a folder of documents or a compiled file: its peak RSS
 *
 * All sizes stay loaded and are measured in turn, round by round, so that what else the machine does
 * falls on all of them. Every evaluation is timed alone, less what the timing itself takes; a compile is
 * timed by the processor's time that it takes. */
#include "document.h"
#include "load.h"
#include "measure.h"
#include "policy_image.h"
#include "policy_shapes.h"
#include "program.h"

#include <stdlib.h>
#include <yaml.h>

enum {
    SIZES_MAX = 8,
    DOCUMENTS = 8,
    REQUESTS = 256,
    SCRATCH = 1024 * 1024,
    EVALUATIONS = 40 * REQUESTS, /* of a size in one round */
    EVALUATIONS_LINEAR = REQUESTS / 8,
    COMPILES_LEAST = 3,
    COMPILES_MOST = 15,
    COMPILED_RULES = 60000, /* compile again until about so many rules were read */
};

enum phase { PHASE_YAML = 0, PHASE_DOCUMENT, PHASE_LOAD, PHASE_PROGRAM, PHASE_WHOLE, PHASE_WRITE, PHASE_READ, PHASES };
static const char *const PHASE_NAMES[] = {"yaml", "document", "load", "program", "whole", "image_write", "image_read"};

/* One number per round. */
struct series {
    double *items;
    size_t count;
};

struct subject {
    size_t rules;
    struct policy_source sources[DOCUMENTS];
    size_t source_count, bytes;
    struct policy *policy;
    struct facts requests[2][REQUESTS]; /* aimed, and one atom away */
    struct series p50[2], p99[2], phases[PHASES];
    double tests[2];
    size_t program_bytes, model_bytes, document_bytes, image_bytes;
};

static char scratch_memory[SCRATCH];

static void series_add(struct series *series, size_t room, double value)
{
    if (!series->items)
        series->items = calloc(room, sizeof *series->items);
    must(series->items != NULL && series->count < room, "out of memory");
    series->items[series->count++] = value;
}

/* ---- a policy ------------------------------------------------------------------ */

static void sources_write(const struct policy_shape *shape, const char *folder, struct subject *subject)
{
    for (size_t first = 0; first < subject->rules; first += RULES_PER_DOCUMENT) {
        struct shape_part part = policy_shape_part(subject->rules, first);
        struct view text = policy_shape_text(shape, &part);
        char name[512];
        must(view_is_present(text) && subject->source_count < DOCUMENTS, "out of memory");
        must(text.size <= DOCUMENT_MAX, "a document is larger than 8 MiB");
        (void)snprintf(name, sizeof name, "%s/%zu/%zu.yaml", folder, subject->rules, part.document);
        FILE *out = fopen(name, "wb");
        must(out != NULL && fwrite(text.data, 1, text.size, out) == text.size && fclose(out) == 0,
             "the policy cannot be written");
        subject->sources[subject->source_count++] = (struct policy_source){.name = VIEW("policy.yaml"), .text = text};
        subject->bytes += text.size;
    }
}

static void requests_make(const struct policy_shape *shape, struct arena *arena, struct subject *subject)
{
    uint64_t state = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        size_t rule = policy_shape_pick(subject->rules, &state);
        struct shape_part part = policy_shape_part(subject->rules, rule);
        for (int kind = 0; kind < 2; kind++) {
            struct decision decision;
            struct arena scratch;
            arena_init_fixed(&scratch, scratch_memory, SCRATCH);
            shape->aim(&part, rule - part.first, kind == 1, arena, &subject->requests[kind][i]);
            policy_decide(subject->policy, &subject->requests[kind][i], &scratch, &decision);
            must(decision.verdict == (kind == 0 ? VERDICT_ALLOW : VERDICT_DENY) && decision.reason != REASON_INTERNAL,
                 "a request missed its rule");
            subject->tests[kind] += (double)decision.candidate_tests / REQUESTS;
        }
    }
}

static void yaml_pass(const struct subject *subject)
{
    for (size_t i = 0; i < subject->source_count; i++) {
        yaml_parser_t parser;
        yaml_event_t event;
        bool is_end = false;
        must(yaml_parser_initialize(&parser) == 1, "out of memory");
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *)subject->sources[i].text.data,
                                     subject->sources[i].text.size);
        while (!is_end) {
            must(yaml_parser_parse(&parser, &event) == 1, "libyaml refuses the policy");
            is_end = event.type == YAML_STREAM_END_EVENT;
            yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
    }
}

/* What this process took of the processor: others that run meanwhile hardly change it. */
static double cpu_seconds(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

struct stopwatch {
    struct subject *subject;
    double last;
};

static void lap(struct stopwatch *watch, enum phase phase)
{
    double now = cpu_seconds();
    series_add(&watch->subject->phases[phase], COMPILES_MOST, (now - watch->last) * 1e3);
    watch->last = cpu_seconds();
}

/* The steps of policy_build, each by itself, and the whole. */
static void compile_measure(struct subject *subject)
{
    struct arena arenas[3]; /* what a load needs while it runs, model, program */
    struct tape tapes[DOCUMENTS];
    struct diag_list diags;
    struct model model;
    struct program *program = NULL;
    const struct test_case *tests = NULL;
    size_t test_count = 0;
    for (size_t i = 0; i < 3; i++)
        arena_init(&arenas[i], (size_t)1 << 32);
    diag_list_init(&diags, &arenas[0]);
    subject->document_bytes = 0;
    struct stopwatch watch = {.subject = subject, .last = cpu_seconds()};
    yaml_pass(subject);
    lap(&watch, PHASE_YAML);
    for (size_t i = 0; i < subject->source_count; i++) {
        must(tape_read(subject->sources[i].name, subject->sources[i].text, &diags, &tapes[i]) == ERR_NONE,
             "a document is refused");
        subject->document_bytes += tapes[i].room * sizeof(struct tape_entry) + tapes[i].written_room;
    }
    lap(&watch, PHASE_DOCUMENT);
    enum err err =
        load_documents(tapes, subject->source_count, &arenas[1], &arenas[0], &diags, &model, &tests, &test_count);
    must(err == ERR_NONE, "the policy is refused");
    lap(&watch, PHASE_LOAD);
    must(program_build(&model, &arenas[2], &diags, &program) == ERR_NONE, "the model is refused");
    lap(&watch, PHASE_PROGRAM);
    subject->model_bytes = arenas[1].used;
    subject->program_bytes = arenas[2].used;
    for (size_t i = 0; i < 3; i++)
        arena_free(&arenas[i]);
    for (size_t i = 0; i < subject->source_count; i++)
        tape_free(&tapes[i]);
}

static void whole_measure(struct subject *subject)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    struct stopwatch watch = {.subject = subject, .last = cpu_seconds()};
    enum err err = policy_build(subject->sources, subject->source_count, &diags, &policy);
    lap(&watch, PHASE_WHOLE);
    diag_list_print(&diags, stderr);
    must(err == ERR_NONE, "the policy is refused");
    arena_free(&arena);
    policy_free(subject->policy);
    subject->policy = policy;
}

/* The compiled file, which is left in `folder` beside the documents' folder. */
static void image_measure(struct subject *subject, const char *folder)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    struct view image = {0};
    char name[512];
    arena_init(&arena, 1 << 28);
    diag_list_init(&diags, &arena);
    struct stopwatch watch = {.subject = subject, .last = cpu_seconds()};
    must(policy_image_write(subject->policy, &arena, &image) == ERR_NONE, "the policy cannot be written");
    lap(&watch, PHASE_WRITE);
    must(policy_image_read(VIEW("image"), image, &diags, &policy) == ERR_NONE, "the compiled policy is refused");
    lap(&watch, PHASE_READ);
    subject->image_bytes = image.size;
    (void)snprintf(name, sizeof name, "%s/%zu.bzp", folder, subject->rules);
    FILE *out = fopen(name, "wb");
    must(out != NULL && fwrite(image.data, 1, image.size, out) == image.size && fclose(out) == 0,
         "the compiled policy cannot be written");
    policy_free(policy);
    arena_free(&arena);
}

static void compiles_measure(struct subject *subject, const char *folder)
{
    size_t times = COMPILED_RULES / subject->rules;
    times = times < COMPILES_LEAST ? COMPILES_LEAST : times > COMPILES_MOST ? COMPILES_MOST : times;
    for (size_t i = 0; i < times; i++) {
        compile_measure(subject);
        whole_measure(subject);
        image_measure(subject, folder);
    }
}

/* ---- evaluations ------------------------------------------------------------------ */

static void round_measure(struct subject *subject, int kind, size_t times, size_t rounds, double tick)
{
    static double samples[EVALUATIONS];
    double empty = empty_ticks();
    for (size_t i = 0; i < times + times / 8; i++) { /* the first eighth warms up */
        const struct facts *facts = &subject->requests[kind][i % REQUESTS];
        struct decision decision;
        struct arena scratch;
        uint64_t from = ticks_now();
        arena_init_fixed(&scratch, scratch_memory, SCRATCH);
        policy_decide(subject->policy, facts, &scratch, &decision);
        uint64_t to = ticks_now();
        if (i >= times / 8)
            samples[i - times / 8] = ((double)(to - from) - empty) * tick;
    }
    numbers_sort(samples, times);
    series_add(&subject->p50[kind], rounds, quantile(samples, times, 0.5));
    series_add(&subject->p99[kind], rounds, quantile(samples, times, 0.99));
}

/* ---- report ------------------------------------------------------------------------- */

/* "NAME": [least, median, most] */
static void series_print(const char *name, struct series *series)
{
    numbers_sort(series->items, series->count);
    (void)printf(", \"%s\": [%.4f, %.4f, %.4f]", name, series->items[0], quantile(series->items, series->count, 0.5),
                 series->items[series->count - 1]);
}

static void subject_print(struct subject *subject)
{
    static const char *const names[2][3] = {{"hit_p50", "hit_p99", "hit_tests"},
                                            {"miss_p50", "miss_p99", "miss_tests"}};
    (void)printf("{\"rules\": %zu, \"bytes\": %zu, \"documents\": %zu, \"document_bytes\": %zu, \"model_bytes\": %zu, "
                 "\"program_bytes\": %zu, \"image_bytes\": %zu",
                 subject->rules, subject->bytes, subject->source_count, subject->document_bytes, subject->model_bytes,
                 subject->program_bytes, subject->image_bytes);
    for (int kind = 0; kind < 2; kind++) {
        (void)printf(", \"%s\": %.1f", names[kind][2], subject->tests[kind]);
        series_print(names[kind][0], &subject->p50[kind]);
        series_print(names[kind][1], &subject->p99[kind]);
    }
    for (int phase = 0; phase < PHASES; phase++)
        series_print(PHASE_NAMES[phase], &subject->phases[phase]);
    (void)printf("}\n");
}

static int sweep(const struct policy_shape *shape, size_t rounds, const char *folder, char **sizes, size_t count)
{
    static struct subject subjects[SIZES_MAX];
    struct arena arena;
    double tick = ns_per_tick();
    arena_init(&arena, (size_t)1 << 28);
    must(count <= SIZES_MAX && rounds > 0, "usage");
    for (size_t i = 0; i < count; i++) {
        subjects[i].rules = strtoul(sizes[i], NULL, 10);
        must(subjects[i].rules > 0, "usage");
        sources_write(shape, folder, &subjects[i]);
        compiles_measure(&subjects[i], folder);
        requests_make(shape, &arena, &subjects[i]);
    }
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++)
            for (int kind = 0; kind < 2; kind++) {
                bool is_long = subjects[i].tests[kind] > 1000;
                round_measure(&subjects[i], kind, is_long ? EVALUATIONS_LINEAR : EVALUATIONS, rounds, tick);
            }
    for (size_t i = 0; i < count; i++)
        subject_print(&subjects[i]);
    return 0;
}

/* VmHWM is this program's own; getrusage would count who started it. */
static unsigned long peak_kib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    must(status != NULL, "/proc is not there");
    while (kib == 0 && fgets(line, sizeof line, status))
        if (view_starts_with(view_of(line), VIEW("VmHWM:")))
            kib = strtoul(line + sizeof "VmHWM:" - 1, NULL, 10);
    (void)fclose(status);
    return kib;
}

static int peak(const char *path)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    must(policy_read(path, &diags, &policy) == ERR_NONE, "the policy is refused");
    (void)printf("%lu\n", peak_kib());
    policy_free(policy);
    arena_free(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && view_equals(view_of(argv[1]), VIEW("--peak")))
        return peak(argv[2]);
    const struct policy_shape *shape = argc > 4 ? policy_shape_find(view_of(argv[1])) : NULL;
    must(shape != NULL, "usage: policy_sweep SHAPE ROUNDS FOLDER RULES... | --peak PATH");
    return sweep(shape, strtoul(argv[2], NULL, 10), argv[3], argv + 4, (size_t)argc - 4);
}
