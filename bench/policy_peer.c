/* SPDX-License-Identifier: Apache-2.0 */
/* Bartizan among the peers: the same files and the same conversation as the programs of peers/.
 *
 *   policy_peer FOLDER     what policy_export wrote
 *
 * Says {"ready": true, "load_ms": ..} once the policy is loaded. Then, for each line
 *   check SECONDS          decides about every request once, within SECONDS: {"checked": .., "wrong": [line..]}
 *   round KIND SECONDS     times requests of KIND (allow, deny) one by one: {"p50_ns": .., "p99_ns": .., "count": ..}
 * until the input ends. */
#include "measure.h"
#include "policy.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REQUESTS_MAX = 1024,
    SCRATCH = 1024 * 1024,
    SAMPLES_MAX = 1 << 18,
    SAMPLES_LEAST = 5,
    CLOCK_EVERY = 64, /* evaluations between two looks at the clock that ends a round */
};

struct request {
    const struct facts *facts;
    bool is_allowed; /* what is expected */
};

static struct request requests[REQUESTS_MAX];
static size_t request_count;
static char scratch_memory[SCRATCH];
static double samples[SAMPLES_MAX];

static void requests_read(const struct policy *policy, const char *folder, struct arena *arena)
{
    char name[512], line[16384];
    struct diag_list diags;
    diag_list_init(&diags, arena);
    (void)snprintf(name, sizeof name, "%s/requests.jsonl", folder);
    FILE *in = fopen(name, "r");
    must(in != NULL, "requests.jsonl cannot be read");
    while (fgets(line, sizeof line, in)) {
        json_t *whole = json_loads(line, 0, NULL);
        char *given = json_dumps(json_object_get(whole, "given"), JSON_COMPACT);
        const char *expect = json_string_value(json_object_get(whole, "expect"));
        must(given != NULL && expect != NULL && request_count < REQUESTS_MAX, "a request cannot be read");
        struct policy_source source = {.name = VIEW("requests.jsonl"), .text = view_of(given)};
        struct request *request = &requests[request_count++];
        must(policy_given(policy, &source, 1800000000, arena, &diags, &request->facts) == ERR_NONE,
             "a request is refused");
        request->is_allowed = view_equals(view_of(expect), VIEW("allow"));
        free(given);
        json_decref(whole);
    }
    (void)fclose(in);
}

static bool is_allowed(const struct policy *policy, const struct request *request)
{
    struct decision decision;
    struct arena scratch;
    arena_init_fixed(&scratch, scratch_memory, SCRATCH);
    policy_decide(policy, request->facts, &scratch, &decision);
    return decision.verdict == VERDICT_ALLOW;
}

/* Checked requests stand before all others; returns their number. */
static size_t check(const struct policy *policy, double seconds)
{
    double end = seconds_now() + seconds;
    size_t i = 0;
    const char *separator = "";
    printf("{\"wrong\": [");
    for (; i < request_count && seconds_now() < end; i++)
        if (is_allowed(policy, &requests[i]) != requests[i].is_allowed) {
            printf("%s%zu", separator, i + 1);
            separator = ", ";
        }
    printf("], \"checked\": %zu}\n", i);
    return i;
}

static void time_round(const struct policy *policy, size_t checked, bool kind, double seconds, double tick)
{
    double empty = empty_ticks(), end = seconds_now() + seconds;
    size_t count = 0;
    for (size_t i = 0; count < SAMPLES_MAX; i++) {
        const struct request *request = &requests[i % checked];
        if (request->is_allowed != kind)
            continue;
        uint64_t from = ticks_now();
        (void)is_allowed(policy, request);
        samples[count++] = ((double)(ticks_now() - from) - empty) * tick;
        if ((count % CLOCK_EVERY == 0 || samples[count - 1] > 1e6) && count >= SAMPLES_LEAST && seconds_now() > end)
            break;
    }
    numbers_sort(samples, count);
    printf("{\"p50_ns\": %.0f, \"p99_ns\": %.0f, \"count\": %zu}\n", quantile(samples, count, 0.5),
           quantile(samples, count, 0.99), count);
}

static void converse(const struct policy *policy, double tick)
{
    char line[128], kind[16];
    size_t checked = 0;
    double seconds;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "check %lf", &seconds) == 1)
            checked = check(policy, seconds);
        else if (sscanf(line, "round %15s %lf", kind, &seconds) == 2 && checked > 1)
            time_round(policy, checked, view_equals(view_of(kind), VIEW("allow")), seconds, tick);
        else
            must(false, "this is neither check nor round");
        (void)fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    char folder[512];
    must(argc == 2, "usage: policy_peer FOLDER");
    arena_init(&arena, (size_t)1 << 30);
    diag_list_init(&diags, &arena);
    (void)snprintf(folder, sizeof folder, "%s/policy", argv[1]);
    double start = seconds_now();
    must(policy_read(folder, &diags, &policy) == ERR_NONE, "the policy is refused");
    double load_ms = (seconds_now() - start) * 1e3;
    requests_read(policy, argv[1], &arena);
    printf("{\"ready\": true, \"load_ms\": %.1f}\n", load_ms);
    (void)fflush(stdout);
    converse(policy, ns_per_tick());
    policy_free(policy);
    arena_free(&arena);
    return 0;
}
