/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a policy or findings. What gives a policy runs its own tests
 * with both evaluators: a case on which they differ is a bug. */
#include "policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(void *context, const struct policy_test_result *result)
{
    (void)context;
    if (view_ends_with(result->got, VIEW("this is a bug")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct diag_list diags;
    struct policy *policy = NULL;
    arena_init(&arena, (size_t)16 << 20);
    diag_list_init(&diags, &arena);
    struct policy_source source = {VIEW("fuzz"), {.data = (const char *)data, .size = size}};
    enum err err = policy_build(&source, 1, &diags, &policy);
    if ((err == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (err == ERR_NONE)
        (void)policy_test(policy, judge, NULL);
    policy_free(policy);
    arena_free(&arena);
    return 0;
}
