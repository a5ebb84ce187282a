/* SPDX-License-Identifier: Apache-2.0 */
#include "config_reader.h"

#include "spiffe_id.h"
#include "workload_endpoint.h"

/* "DOMAIN.jwks.json", and the temporary name that it is written under, fit a file's name. */
enum { DOMAIN_MOST = 200 };

/* duration = number ( "s" / "m" / "h" / "d" ) */
void config_read_duration(const struct task *task, void *target)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    if (!config_expect_text(task))
        return;
    struct view text = task->node->text;
    uint64_t number = 0, seconds = 0;
    bool is_number = view_to_u64(view_slice(text, 0, text.size - 1), &number) && number <= UINT32_MAX;
    for (size_t i = 0; is_number && i < sizeof units / sizeof units[0]; i++)
        seconds = text.data[text.size - 1] == units[i].unit ? number * units[i].seconds : seconds;
    if (!is_number || (seconds == 0 && number > 0))
        config_complain(task, "C0201", VIEW("write 90s, 15m, 1h or 7d"), "`%.*s` is not a length of time",
                        VIEW_ARG(text));
    else if (seconds < task->field->low || seconds > task->field->high)
        config_complain(task, "C0202", (struct view){0}, "%llu s is outside the range of %llu to %llu s",
                        (unsigned long long)seconds, (unsigned long long)task->field->low,
                        (unsigned long long)task->field->high);
    else
        *(uint32_t *)target = (uint32_t)seconds;
}

void config_read_trust_domain(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    if (trust_domain_is_valid(task->node->text))
        *(struct view *)target = arena_copy(task->reader->arena, task->node->text);
    else
        config_complain(task, "C0206", VIEW("lower-case letters, digits, `.`, `-` and `_`"),
                        "`%.*s` is not the name of a trust domain", VIEW_ARG(task->node->text));
}

void config_read_workload_endpoint(const struct task *task, void *target)
{
    char ignored[WORKLOAD_ENDPOINT_TARGET_MAX];
    const char *why = NULL;
    if (!config_expect_text(task))
        return;
    if (workload_endpoint_parse(task->node->text, ignored, &why) == ERR_NONE)
        *(struct view *)target = arena_copy(task->reader->arena, task->node->text);
    else
        config_complain(task, "C0205", VIEW("write unix:///run/spire/sockets/agent.sock or tcp://127.0.0.1:8081"),
                        "`%.*s`: %s", VIEW_ARG(task->node->text), why);
}

void config_read_crl_origin(const struct task *task, void *target)
{
    struct trust_domain_config *domain = target;
    config_read_constant(task, NULL);
    domain->crl_is_from_workload_api = true;
}

static const char *place(const struct task *root, const struct config *config, struct view domain, const char *name)
{
    if (domain.size > DOMAIN_MOST)
        config_complain(root, "C0204", (struct view){0},
                        "the name of a trust domain whose files `feed` writes has at most %d bytes: %.*s",
                        (int)DOMAIN_MOST, VIEW_ARG(domain));
    return config_print(root->reader, "%s/%.*s%s", config->workload_api.folder, VIEW_ARG(domain), name).data;
}

void config_place_feed(const struct task *root, struct config *config)
{
    const struct view none = {0};
    /* Read by this reader, and nobody's yet. */
    struct trust_domain_config *domains = (struct trust_domain_config *)(uintptr_t)config->identity.domains;
    struct issuer_config *issuers = (struct issuer_config *)(uintptr_t)config->tokens.issuers;
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        if (!domains[i].is_from_workload_api)
            continue;
        config->workload_api.needs_x509 = true;
        domains[i].bundle = place(root, config, none, "bundles.json");
        if (domains[i].crl_is_from_workload_api)
            domains[i].crl = place(root, config, domains[i].name, ".crl.pem");
    }
    for (size_t i = 0; i < config->tokens.issuer_count; i++) {
        if (!view_is_present(issuers[i].workload_api))
            continue;
        config->workload_api.needs_jwt = issuers[i].is_owned_by_feed = true;
        issuers[i].keys_file = place(root, config, issuers[i].workload_api, ".jwks.json");
    }
    config->workload_api.stamp = place(root, config, none, "feed.json");
}
