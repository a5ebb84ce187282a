/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy bench`: what deciding costs, over the requests of the policy's own tests. */
#include "json_print.h"
#include "policy_session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS = 2000,
    ROUNDS_MAX = 1000000,
    SAMPLES_MAX = 50 * 1000 * 1000,
    BLOCKS = 5, /* the spread is that of the medians of so many parts of the run */
    SCRATCH = 1024 * 1024,
};

struct bench {
    const struct policy *policy;
    size_t tests, rounds;
    uint32_t *samples; /* ns; test t of round r at [t * rounds + r] */
    char *scratch;
};

static uint64_t now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t decide_once(const struct bench *bench, size_t test)
{
    struct arena arena;
    struct decision decision;
    const struct facts *facts = policy_test_facts(bench->policy, test);
    arena_init_fixed(&arena, bench->scratch, SCRATCH);
    uint64_t start = now_ns();
    policy_decide(bench->policy, facts, &arena, &decision);
    uint64_t took = now_ns() - start;
    return took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

/* Every round decides every request once: what disturbs the machine disturbs all of them. */
static void run(struct bench *bench)
{
    for (size_t test = 0; test < bench->tests; test++)
        (void)decide_once(bench, test);
    for (size_t round = 0; round < bench->rounds; round++)
        for (size_t test = 0; test < bench->tests; test++)
            bench->samples[test * bench->rounds + round] = decide_once(bench, test);
}

static int compare(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

struct figures {
    uint32_t p50, p99;
    uint32_t low, high; /* the smallest and largest median of a block of rounds */
};

/* The `share` hundredths of `count` sorted samples, nearest rank. */
static uint32_t rank(const uint32_t *sorted, size_t count, size_t share)
{
    size_t at = (count * share + 99) / 100;
    return sorted[at > 0 ? at - 1 : 0];
}

static uint32_t block_median(uint32_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare);
    return rank(samples, count, 50);
}

/* Sorts the samples: each block first, then all of them. */
static struct figures figures_of(uint32_t *samples, size_t count)
{
    struct figures out = {.low = UINT32_MAX};
    size_t blocks = count < BLOCKS ? count : BLOCKS;
    for (size_t i = 0; i < blocks; i++) {
        size_t from = count * i / blocks, to = count * (i + 1) / blocks;
        uint32_t median = block_median(samples + from, to - from);
        out.low = median < out.low ? median : out.low;
        out.high = median > out.high ? median : out.high;
    }
    qsort(samples, count, sizeof *samples, compare);
    out.p50 = rank(samples, count, 50);
    out.p99 = rank(samples, count, 99);
    return out;
}

/* What two readings of the clock cost, which every sample holds. */
static uint32_t clock_cost(void)
{
    uint32_t samples[1001];
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint64_t start = now_ns();
        samples[i] = (uint32_t)(now_ns() - start);
    }
    return block_median(samples, sizeof samples / sizeof samples[0]);
}

/* ---- what is told ---- */

struct test_names {
    struct view *names;
    struct arena *arena;
    size_t count;
};

static void take_name(void *context, const struct policy_test_result *result)
{
    struct test_names *names = context;
    names->names[names->count++] = arena_copy(names->arena, result->name);
}

static json_t *figures_json(struct figures figures)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "p50_ns", (json_int_t)figures.p50, "p99_ns", (json_int_t)figures.p99,
                     "p50_low_ns", (json_int_t)figures.low, "p50_high_ns", (json_int_t)figures.high);
}

static void print_figures(struct figures figures, struct view name)
{
    printf("%8" PRIu32 " %8" PRIu32 "  %8" PRIu32 "..%-8" PRIu32 " %.*s\n", figures.p50, figures.p99, figures.low,
           figures.high, VIEW_ARG(name));
}

/* All samples together, ordered as they were taken, so that blocks are stretches of time. */
static void interleave(const struct bench *bench, uint32_t *out)
{
    for (size_t round = 0; round < bench->rounds; round++)
        for (size_t test = 0; test < bench->tests; test++)
            out[round * bench->tests + test] = bench->samples[test * bench->rounds + round];
}

static int report(struct bench *bench, const struct test_names *names, bool is_json)
{
    uint32_t *all = arena_take_array(names->arena, bench->tests * bench->rounds, sizeof *all);
    uint32_t clock = clock_cost();
    if (all == NULL)
        return exit_code_of(ERR_NO_MEMORY);
    interleave(bench, all);
    struct figures whole = figures_of(all, bench->tests * bench->rounds);
    json_t *tests = json_array();
    if (!is_json)
        printf("%zu requests, %zu rounds; ns for each decision (%" PRIu32 " ns of it are the clock)\n"
               "     p50      p99  p50 of %d parts\n",
               bench->tests, bench->rounds, clock, BLOCKS);
    for (size_t i = 0; i < bench->tests; i++) {
        struct figures own = figures_of(bench->samples + i * bench->rounds, bench->rounds);
        json_t *entry = figures_json(own);
        json_object_set_new(entry, "name", json_of_view(names->names[i], names->arena));
        json_array_append_new(tests, entry);
        if (!is_json)
            print_figures(own, text_print(names->names[i], names->arena));
    }
    if (is_json)
        json_print(json_pack("{s:I, s:I, s:I, s:o, s:O}", "requests", (json_int_t)bench->tests, "rounds",
                             (json_int_t)bench->rounds, "clock_ns", (json_int_t)clock, "all", figures_json(whole),
                             "tests", tests));
    else
        print_figures(whole, VIEW("all"));
    json_decref(tests);
    return EXIT_GOOD;
}

static int bench_policy(struct session *session, size_t rounds, bool is_json)
{
    struct bench bench = {.policy = session->policy, .rounds = rounds};
    while (policy_test_facts(session->policy, bench.tests) != NULL)
        bench.tests++;
    if (bench.tests == 0) {
        fputs("bartizan: the policy has no tests, and their requests are what is measured\n", stderr);
        return EXIT_DATA;
    }
    if (rounds > SAMPLES_MAX / 2 / bench.tests) {
        fprintf(stderr, "bartizan: %zu requests take at most %zu rounds\n", bench.tests, SAMPLES_MAX / 2 / bench.tests);
        return EXIT_USAGE;
    }
    struct test_names names = {.arena = &session->arena};
    names.names = arena_take_array(&session->arena, bench.tests, sizeof *names.names);
    bench.samples = arena_take_array(&session->arena, bench.tests * rounds, sizeof *bench.samples);
    bench.scratch = arena_take(&session->arena, SCRATCH);
    if (names.names == NULL || bench.samples == NULL || bench.scratch == NULL)
        return exit_code_of(ERR_NO_MEMORY);
    policy_test(session->policy, take_name, &names);
    run(&bench);
    return report(&bench, &names, is_json);
}

int policy_bench_command(int argc, char **argv)
{
    const char *format = NULL, *number = NULL, *path = NULL;
    uint64_t rounds = ROUNDS;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"n", "N", "rounds, 1 to 1000000; 2000 when left out", &number},
        {"format", "text|json", "how the figures are printed", &format},
    };
    const struct usage usage = {.line = "bartizan policy bench PATH [--n N] [--format text|json]",
                                .summary =
                                    "Decides about the requests of the policy's own tests, all of them in each of N\n"
                                    "rounds, and prints the median and the 99th percentile of each and of all, with\n"
                                    "the smallest and largest median of five parts of the run.",
                                .options = options,
                                .option_count = 2,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (number != NULL && (!view_to_u64(view_of(number), &rounds) || rounds < 1 || rounds > ROUNDS_MAX))
        return usage_error(&usage, "`--n` is a number from 1 to %d", ROUNDS_MAX);
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, path);
    code = print_findings(&session.diags, is_json && err != ERR_NONE, err);
    return code == EXIT_GOOD ? bench_policy(&session, (size_t)rounds, is_json) : code;
}
