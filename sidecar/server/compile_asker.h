/* SPDX-License-Identifier: Apache-2.0 */
/* The decider's compiler: a small policy is compiled here; a larger one by a process that
 * the supervisor starts (compile_broker.h), from which a compiled policy comes back, is
 * verified and read. So the peak of a compile is not the decider's, and a compile that
 * runs away leaves the policy in force as it is. */
#ifndef BARTIZAN_COMPILE_ASKER_H
#define BARTIZAN_COMPILE_ASKER_H

#include "config.h"
#include "policy_compiler.h"

struct compile_asker {
    int fd; /* the decider's end; -1: there is no supervisor, and all is compiled here */
    const struct config *config;
    uint64_t number; /* of the last request */
};

/* A policy_compiler's build; `asker` is its context. From one thread at a time. */
enum err compile_asker_build(void *asker, const struct policy_source *sources, size_t count, struct diag_list *diags,
                             struct policy **out);

/* Limits this process to the memory and time of policy.compile, then builds: for processes that do
 * nothing else. A finding says where the limit was too small. */
MUST_CHECK enum err compile_limited(const struct config *config, const struct policy_source *sources, size_t count,
                                    struct diag_list *diags, struct policy **out);

/* The same, and the compiled policy as a file, in `arena`. */
MUST_CHECK enum err compile_limited_image(const struct config *config, const struct policy_source *sources,
                                          size_t count, struct arena *arena, struct diag_list *diags,
                                          struct view *image);

/* True when `sources` are larger than policy.compile.child_above. */
bool compile_is_large(const struct config *config, const struct policy_source *sources, size_t count);

#endif
