/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of the Workload API, from protobuf to the files that they would become. The first byte
 * chooses which answer. */
#include "feed_files.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct trust_domain_config domains[] = {
    {.name = {"a", 1}, .bundle = "map", .is_map = true, .is_from_workload_api = true},
    {.name = {"b", 1},
     .bundle = "map",
     .is_map = true,
     .is_from_workload_api = true,
     .crl = "b.crl.pem",
     .crl_is_from_workload_api = true},
};
static const struct issuer_config issuers[] = {{.url = {"i", 1}, .keys_file = "keys", .workload_api = {"a", 1}}};
static const struct config config = {.identity = {.domains = domains, .domain_count = 2},
                                     .tokens = {.issuers = issuers, .issuer_count = 1}};

static bool is_within(struct view part, struct view whole)
{
    return part.data >= whole.data && part.data + part.size <= whole.data + whole.size;
}

static void check_files(enum workload_kind kind, const struct workload_message *message, struct arena *arena)
{
    struct diag_list diags;
    struct feed_files files;
    diag_list_init(&diags, arena);
    enum err result = feed_files_build(&config, kind, message, arena, &diags, &files);
    if ((result == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (result == ERR_NONE && files.count > 3)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct workload_message message;
    const char *why = NULL;
    if (size == 0)
        return 0;
    struct view bytes = {.data = (const char *)data + 1, .size = size - 1};
    enum workload_kind kind = data[0] % 2 == 0 ? WORKLOAD_X509 : WORKLOAD_JWT;
    arena_init(&arena, (size_t)64 << 20);
    enum err result = workload_message_parse(kind, bytes, &arena, &message, &why);
    if (result != ERR_NONE && why == NULL)
        abort();
    if (result == ERR_NONE) {
        if (message.bundle_count == 0)
            abort();
        for (size_t i = 0; i < message.bundle_count; i++)
            if (!is_within(message.bundles[i].bytes, bytes) || view_is_empty(message.bundles[i].bytes))
                abort();
        check_files(kind, &message, &arena);
    }
    arena_free(&arena);
    return 0;
}
