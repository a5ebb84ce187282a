/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "test_ca.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLAIMS_MAX = 4096, TEXT_MAX = 1024 * 1024 };

struct world_authority {
    struct test_cert root;
};

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

void world_write(const char *path, const char *text)
{
    char beside[WORLD_PATH_MAX + 8];
    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *file = fopen(beside, "w");
    must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && rename(beside, path) == 0);
}

void world_write_revocations(const struct world *world, const char *name, int sequence, const char *entries)
{
    char path[WORLD_PATH_MAX + 32], text[1024];
    must(snprintf(path, sizeof(path), "%s/%s", world->revocations, name) < (int)sizeof(path));
    must(snprintf(text, sizeof(text),
                  "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: %d}\nentries:%s%s",
                  sequence, entries != NULL ? "\n" : " []\n", entries != NULL ? entries : "") < (int)sizeof(text));
    world_write(path, text);
}

char *world_read(const char *path)
{
    char *text = calloc(1, TEXT_MAX);
    FILE *file = fopen(path, "r");
    must(text != NULL && file != NULL);
    size_t size = fread(text, 1, TEXT_MAX - 1, file);
    must(size < TEXT_MAX - 1);
    (void)fclose(file);
    return text;
}

void world_replace_authority(struct world *world)
{
    if (world->authority != NULL)
        test_cert_free(&world->authority->root);
    else
        world->authority = calloc(1, sizeof(*world->authority));
    must(world->authority != NULL);
    world->authority->root = test_ca_root(NULL);
    char *pem = test_cert_pem_one(&world->authority->root);
    world_write(world->bundle, pem);
    free(pem);
}

static void name(const struct world *world, char path[WORLD_PATH_MAX], const char *what)
{
    must(snprintf(path, WORLD_PATH_MAX, "%s/%s", world->folder, what) < WORLD_PATH_MAX);
}

static void fill_config(struct world *world)
{
    world->domain = (struct trust_domain_config){.name = VIEW("prod.example"), .bundle = world->bundle};
    world->issuer_config = (struct issuer_config){.url = VIEW("https://sso.example"), .keys_file = world->keys};
    world->revocation_folder = world->revocations;
    struct config *config = &world->config;
    config->file = "sidecar.yaml";
    config->identity.sources[0].kind = SOURCE_CERTIFICATE;
    config->identity.source_count = 1;
    config->identity.domains = &world->domain;
    config->identity.domain_count = 1;
    config->identity.revocations = &world->revocation_folder;
    config->identity.revocation_count = 1;
    config->tokens.issuers = &world->issuer_config;
    config->tokens.issuer_count = 1;
    config->policy.path = world->policy;
    config->audit.journal.path = world->journal;
    config->limits.headers = 100;
    config->limits.header_bytes = 64 * 1024;
    config->limits.request_bytes = 1024 * 1024;
    config->limits.connections = 64;
    config->limits.streams = 256;
    config->limits.queue = 1024;
    config->limits.caller_cache = config->limits.token_cache = 4 * 1024 * 1024;
    config->instance = VIEW("test-pod");
}

void world_make(struct world *world)
{
    const char *base = getenv("TMPDIR");
    memset(world, 0, sizeof(*world));
    (void)snprintf(world->folder, sizeof(world->folder), "%s/world-XXXXXX", base != NULL ? base : "/tmp");
    must(mkdtemp(world->folder) != NULL);
    name(world, world->policy, "policy.yaml");
    name(world, world->bundle, "bundle.pem");
    name(world, world->keys, "jwks.json");
    name(world, world->revocations, "revocations");
    name(world, world->journal, "journal");
    must(mkdir(world->revocations, 0700) == 0);
    char *policy = world_read("policy/inference-gateway.yaml");
    world_write(world->policy, policy);
    free(policy);
    world_replace_authority(world);
    world->issuer = world_issuer_make();
    char *keys = world_issuer_keys(world->issuer);
    world_write(world->keys, keys);
    free(keys);
    fill_config(world);
}

static void empty(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing != NULL)
        (void)closedir(listing);
    (void)rmdir(path);
}

void world_remove(struct world *world)
{
    empty(world->revocations);
    empty(world->journal);
    empty(world->folder);
    test_cert_free(&world->authority->root);
    free(world->authority);
    world_issuer_free(world->issuer);
}

static char *certificate(const struct world *world, const struct test_cert_options *options)
{
    struct test_cert leaf = test_ca_leaf(&world->authority->root, options);
    char *text = test_cert_urlencoded_one(&leaf);
    test_cert_free(&leaf);
    return text;
}

char *world_certificate(const struct world *world, const char *spiffe_id)
{
    const struct test_cert_options options = {.uri = spiffe_id};
    return certificate(world, &options);
}

char *world_expired_certificate(const struct world *world, const char *spiffe_id)
{
    const struct test_cert_options options = {.uri = spiffe_id, .not_after = TEST_NOW - 60};
    return certificate(world, &options);
}

char *world_token(const struct world *world, const char *claims)
{
    char all[CLAIMS_MAX];
    int size =
        snprintf(all, sizeof(all),
                 "{\"iss\":\"https://sso.example\",\"aud\":[\"inference\"],\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",%s}",
                 WORLD_NOW - 10, WORLD_NOW + 600, claims);
    must(size > 0 && (size_t)size < sizeof(all));
    return world_issuer_sign(world->issuer, all);
}

char *world_bearer(const struct world *world, int age)
{
    char claims[CLAIMS_MAX];
    (void)snprintf(claims, sizeof(claims),
                   "\"sub\":\"alice\",\"azp\":\"ml-console\",\"roles\":[\"ml-operator\"],\"purpose\":\"incident\","
                   "\"amr\":[\"pwd\",\"hwk\"],\"acr\":\"mfa\",\"jti\":\"j-1\",\"auth_time\":%" PRId64
                   ",\"cnf\":{\"spiffe_id\":\"" WORLD_CONSOLE "\"}",
                   WORLD_NOW - age);
    char *token = world_token(world, claims);
    char *bearer = malloc(strlen(token) + sizeof("Bearer "));
    must(bearer != NULL);
    memcpy(bearer, "Bearer ", 7);
    memcpy(bearer + 7, token, strlen(token) + 1);
    free(token);
    return bearer;
}
