/* SPDX-License-Identifier: Apache-2.0 */
/* The decider's compiler: a small policy is compiled here; a larger one by a process that
 * the supervisor starts (compile_broker.h), from which a compiled policy comes back, is
 * verified and read. So the peak of a compile is not the decider's, and a compile that
 * runs away leaves the policy in force as it is. */
#ifndef BARTIZAN_COMPILE_ASKER_H
#define BARTIZAN_COMPILE_ASKER_H

#include "config.h"
#include "policy_compiler.h"

enum compile_state { COMPILE_NONE = 0, COMPILE_RUNS, COMPILE_ENDED };

/* What a process was asked for. */
struct compile_job {
    enum compile_state state;
    uint64_t number;
    uint8_t fingerprint[SHA256_BYTES]; /* of the order */
    int result;                        /* its file, unless COMPILE_NONE */
    int64_t until;                     /* CLOCK_MONOTONIC, ms: it is not waited for any longer */
    int32_t status;                    /* of waitpid(2), when it has ended; -1: it could not be started */
    bool is_wanted;                    /* in this round of orders */
};

enum { COMPILE_JOBS = 2 /* of the policy, of the shadow */ };

struct compile_asker {
    int fd; /* the decider's end; -1: there is no supervisor, and all is compiled here */
    const struct config *config;
    uint64_t number;                       /* of the last request: from what no earlier process can have used */
    struct compile_job jobs[COMPILE_JOBS]; /* that are not waited for; one runs at most */
};

/* A policy_compiler's build and rest; `asker` is its context. From one thread at a time. */
enum err compile_asker_build(void *asker, const struct policy_order *order, struct diag_list *diags,
                             struct policy **out);
void compile_asker_rest(void *asker);

/* Gives up what is under way. */
void compile_asker_close(struct compile_asker *asker);

/* Limits this process to the memory and time of policy.compile, then builds: for processes that do
 * nothing else. A finding says where the limit was too small. */
MUST_CHECK enum err compile_limited(const struct config *config, const struct policy_source *sources, size_t count,
                                    struct diag_list *diags, struct policy **out);

/* The same, and the compiled policy as a file, in `arena`. */
MUST_CHECK enum err compile_limited_image(const struct config *config, const struct policy_source *sources,
                                          size_t count, struct arena *arena, struct diag_list *diags,
                                          struct view *image);

/* True when the sources are larger than policy.compile.child_above. */
bool compile_is_large(const struct config *config, const struct policy_order *order);

#endif
