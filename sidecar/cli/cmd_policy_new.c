/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy new`: a policy to begin with, with tests, from a few flags. */
#include "policy_session.h"

#include <stdlib.h>

enum { VALUE_MAX = 512 };

/* What one protocol's policy speaks of. */
struct protocol {
    const char *name;
    const char *use;     /* body of the action that workloads may take */
    const char *guarded; /* body of the action that is for users, freshly proved; with no issuer nobody's */
    const char *all;     /* with no issuer: what workloads may take, NULL as `use` */
    const char *health;  /* public; NULL when the protocol has none */
    const char *use_request, *guarded_request, *health_request; /* keys of a test's `given` */
};

static const struct protocol PROTOCOLS[] = {
    {.name = "http",
     .use = "{http: [{methods: [GET, HEAD], paths: [\"/{**}\"]}]}",
     .guarded = "{http: [{methods: [POST, PUT, PATCH, DELETE], paths: [\"/{**}\"]}]}",
     .use_request = "path: /items/1",
     .guarded_request = "method: POST, path: /items"},
    {.name = "kserve-v1",
     .use = "{uses: [kserve-v1.predict, kserve-v1.list, kserve-v1.ready]}",
     .guarded = "{uses: [kserve-v1.explain]}",
     .use_request = "method: POST, path: \"/v1/models/m:predict\"",
     .guarded_request = "method: POST, path: \"/v1/models/m:explain\""},
    {.name = "kserve-v2",
     .use = "{uses: [kserve-v2.infer, kserve-v2.metadata, kserve-v2.ready, kserve-v2.server-metadata]}",
     .guarded = "{uses: [kserve-v2.repository]}",
     .health = "{uses: [kserve-v2.health, grpc.health]}",
     .use_request = "method: POST, path: /v2/models/m/infer",
     .guarded_request = "method: POST, path: /v2/repository/models/m/load",
     .health_request = "path: /v2/health/ready"},
    {.name = "openai",
     .use = "{uses: [openai.models, openai.embeddings]}",
     .guarded = "{uses: [openai.chat, openai.completions, openai.responses]}",
     .all = "{uses: [openai.models, openai.embeddings, openai.chat, openai.completions, openai.responses]}",
     .use_request = "method: POST, path: /v1/embeddings, body: {model: m}",
     .guarded_request = "method: POST, path: /v1/chat/completions, body: {model: m}"},
    {.name = "mcp",
     .use = "{uses: [mcp.initialize, mcp.tools-list, mcp.resources-list, mcp.prompts-list]}",
     .guarded = "{uses: [mcp.tools-call, mcp.resources-read, mcp.prompts-get]}",
     .all = "{uses: [mcp.initialize, mcp.tools-list, mcp.tools-call, mcp.resources-list, mcp.resources-read,\n"
            "                 mcp.prompts-list, mcp.prompts-get]}",
     .use_request = "method: POST, path: /mcp, body: {call: tools/list}",
     .guarded_request = "method: POST, path: /mcp, body: {call: tools/call, tool: t}"},
};
enum { PROTOCOL_COUNT = sizeof PROTOCOLS / sizeof PROTOCOLS[0] };

struct start {
    const char *name, *issuer, *audience, *domain, *namespace, *protocol_name;
    const struct protocol *protocol;
};

static const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        if (view_equals(view_of(PROTOCOLS[i].name), view_of(name)))
            return &PROTOCOLS[i];
    return NULL;
}

/* What can stand between double quotes as it is: printable ASCII without `"` and `\`. */
static bool is_quotable(const char *text)
{
    struct view value = view_of(text);
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < 0x20 || value.data[i] > 0x7e || value.data[i] == '"' || value.data[i] == '\\')
            return false;
    return value.size > 0 && value.size <= VALUE_MAX;
}

/* ---- the text ---- */

static void put_head(FILE *out, const struct start *start)
{
    const struct protocol *protocol = start->protocol;
    fprintf(out,
            "# A policy to begin with. After each change:\n"
            "#   bartizan policy check PATH && bartizan policy test PATH && bartizan policy lint PATH\n"
            "apiVersion: bartizan.dev/v1alpha1\n"
            "kind: AccessPolicy\n"
            "metadata: {name: \"%s\", namespace: \"%s\"}\n"
            "spec:\n",
            start->name, start->namespace);
    if (start->issuer != NULL)
        fprintf(out,
                "  issuers:\n"
                "    # twoFactors: what to ask this issuer for when a user has to prove more, its acr value.\n"
                "    sso: {url: \"%s\", audiences: [\"%s\"], profile: generic, stepUp: {twoFactors: [mfa]}}\n"
                "  assurance:\n"
                "    # Two factors, at most five minutes old, in a token that names the workload which carries it.\n"
                "    fresh: {factors: 2, maxAge: 5m, bound: workload}\n",
                start->issuer, start->audience);
    fprintf(out,
            "  roles:\n"
            "    clients: {members: [{workload: {trustDomain: \"%s\", namespace: \"%s\"}}]}\n",
            start->domain, start->namespace);
    if (start->issuer != NULL)
        fputs("    operators: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [operator]}}}}]}\n", out);
    fprintf(out, "  actions:\n    use: %s\n",
            start->issuer == NULL && protocol->all != NULL ? protocol->all : protocol->use);
    if (start->issuer != NULL)
        fprintf(out, "    operate: %s\n", protocol->guarded);
    if (protocol->health != NULL)
        fprintf(out, "    health: %s\n", protocol->health);
}

static void put_rules(FILE *out, const struct start *start)
{
    fputs("  rules:\n", out);
    if (start->protocol->health != NULL)
        fputs("    - {allow: health-is-public, subjects: any, actions: [health], obligations: {audit: minimal}}\n",
              out);
    fputs("    - {allow: clients-use, subjects: {workload: [clients]}, actions: [use]}\n", out);
    if (start->issuer != NULL)
        fputs("    - allow: operators-operate\n"
              "      subjects: {workload: [clients], user: [operators]}\n"
              "      actions: [operate]\n"
              "      assurance: fresh\n"
              "      obligations: {audit: full}\n",
              out);
}

static void put_test(FILE *out, const char *name, const char *request, const char *rest, const char *expect)
{
    fprintf(out, "    - name: %s\n      given: {%s%s}\n      expect: %s\n", name, request, rest, expect);
}

static void put_workload_tests(FILE *out, const struct start *start, const char *client, const char *stranger)
{
    const struct protocol *protocol = start->protocol;
    fputs("  tests:\n", out);
    put_test(out, "a workload of the namespace is allowed", protocol->use_request, client, "{allow: clients-use}");
    put_test(out, "a workload of another namespace is refused", protocol->use_request, stranger, "{deny: default}");
    put_test(out, "a caller without a certificate is refused", protocol->use_request, ", certificate: none",
             "{deny: default}");
    if (protocol->health != NULL)
        put_test(out, "health is public", protocol->health_request, ", certificate: none", "{allow: health-is-public}");
    if (start->issuer == NULL && protocol->all == NULL)
        put_test(out, "what no rule speaks of is refused", protocol->guarded_request, client, "{deny: default}");
    if (start->issuer == NULL && protocol->all != NULL)
        put_test(out, "it may make the other requests of the protocol too", protocol->guarded_request, client,
                 "{allow: clients-use}");
}

static void put_user_tests(FILE *out, const struct start *start, struct arena *arena, const char *client,
                           const char *stranger)
{
    const char *request = start->protocol->guarded_request;
    static const char jwt[] =
        "%s,\n              jwt: {iss: \"%s\", sub: ada, roles: [%s], amr: [%s], auth_time: \"%s\", cnf: peer}";
    put_test(out, "without a token an operator is told that one is needed", request, client,
             "{deny: default, reason: no_user}");
    put_test(out, "an operator who just signed in is allowed", request,
             arena_print(arena, jwt, client, start->issuer, "operator", "pwd, otp", "-1m").data,
             "{allow: operators-operate}");
    put_test(out, "a sign-in that is too old is challenged", request,
             arena_print(arena, jwt, client, start->issuer, "operator", "pwd, otp", "-20m").data,
             "{challenge: operators-operate, acr_values: mfa, max_age: 300}");
    put_test(out, "a password alone is challenged", request,
             arena_print(arena, jwt, client, start->issuer, "operator", "pwd", "-1m").data,
             "{challenge: operators-operate, acr_values: mfa, max_age: 300}");
    put_test(out, "somebody who is no operator is refused", request,
             arena_print(arena, jwt, client, start->issuer, "reader", "pwd, otp", "-1m").data, "{deny: default}");
    put_test(out, "an operator from another namespace is refused", request,
             arena_print(arena, jwt, stranger, start->issuer, "operator", "pwd, otp", "-1m").data, "{deny: default}");
}

static enum err write_text(const struct start *start, struct arena *arena, struct view *out)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&bytes, &size);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    struct view client =
        arena_print(arena, ", workload: \"spiffe://%s/ns/%s/sa/client\"", start->domain, start->namespace);
    struct view stranger =
        arena_print(arena, ", workload: \"spiffe://%s/ns/%s-other/sa/client\"", start->domain, start->namespace);
    put_head(memory, start);
    put_rules(memory, start);
    put_workload_tests(memory, start, client.data, stranger.data);
    if (start->issuer != NULL)
        put_user_tests(memory, start, arena, client.data, stranger.data);
    bool is_good = fclose(memory) == 0;
    *out = arena_copy(arena, (struct view){.data = bytes, .size = size});
    free(bytes);
    return is_good && view_is_present(*out) ? ERR_NONE : ERR_NO_MEMORY;
}

/* What is printed has been checked and tested: what the flags said can be no name or no domain. */
static int make(const struct start *start)
{
    AUTO(session_close) struct session session = {0};
    struct policy_source source = {.name = VIEW("(new policy)")};
    arena_init(&session.arena, COMMAND_MEMORY);
    diag_list_init(&session.diags, &session.arena);
    enum err err = write_text(start, &session.arena, &source.text);
    if (err == ERR_NONE)
        err = policy_build(&source, 1, &session.diags, &session.policy);
    if (err != ERR_NONE)
        return print_findings(&session.diags, false, err);
    if (policy_test(session.policy, NULL, NULL) > 0) {
        fputs("bartizan: these values make a policy that fails its own tests\n", stderr);
        return EXIT_DATA;
    }
    fwrite(source.text.data, 1, source.text.size, stdout);
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_IO;
}

int policy_new_command(int argc, char **argv)
{
    struct start start = {.protocol_name = NULL};
    size_t count = 0;
    const struct option_spec options[] = {
        {"name", "NAME", "of the policy", &start.name},
        {"trust-domain", "DOMAIN", "of the callers, e.g. prod.example", &start.domain},
        {"namespace", "NAMESPACE", "of the callers", &start.namespace},
        {"protocol", "NAME", "http (when left out), kserve-v1, kserve-v2, openai or mcp", &start.protocol_name},
        {"issuer", "URL", "of the users' tokens, as in `iss`; left out: no users", &start.issuer},
        {"audience", "NAME", "that tokens must be for; with --issuer", &start.audience},
    };
    const struct usage usage = {
        .line = "bartizan policy new --name NAME --trust-domain DOMAIN --namespace NAMESPACE [OPTIONS]",
        .summary = "Prints a policy to begin with, with tests: workloads of one namespace may use a\n"
                   "service, and with --issuer users may do more, freshly signed in. It has been checked\n"
                   "and tested before it is printed.",
        .options = options,
        .option_count = sizeof options / sizeof options[0]};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (start.name == NULL || start.domain == NULL || start.namespace == NULL)
        return usage_error(&usage, "`--name`, `--trust-domain` and `--namespace` are needed");
    if ((start.issuer == NULL) != (start.audience == NULL))
        return usage_error(&usage, "`--issuer` and `--audience` come together");
    const char *values[] = {start.name, start.domain, start.namespace, start.issuer, start.audience};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i] != NULL && !is_quotable(values[i]))
            return usage_error(&usage, "`%s` cannot stand in a policy", values[i]);
    start.protocol = protocol_find(start.protocol_name != NULL ? start.protocol_name : "http");
    if (start.protocol == NULL)
        return usage_error(&usage, "unknown protocol `%s`", start.protocol_name);
    return make(&start);
}
