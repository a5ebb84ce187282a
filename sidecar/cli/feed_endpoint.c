/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_endpoint.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>

int feed_endpoint(const struct config *config, char target[WORKLOAD_ENDPOINT_TARGET_MAX])
{
    struct view text = config->workload_api.endpoint;
    const char *why = NULL;
    if (!view_is_present(text))
        text = view_of(getenv(WORKLOAD_ENDPOINT_VARIABLE));
    if (view_is_empty(text)) {
        (void)fprintf(stderr, "bartizan: where is the Workload API? `workload_api.endpoint` of %s or %s says it\n",
                      config->file, WORKLOAD_ENDPOINT_VARIABLE);
        return EXIT_DATA;
    }
    if (workload_endpoint_parse(text, target, &why) == ERR_NONE)
        return EXIT_GOOD;
    (void)fprintf(stderr, "bartizan: %s: %s\n", WORKLOAD_ENDPOINT_VARIABLE, why); /* the other was read already */
    return EXIT_DATA;
}
