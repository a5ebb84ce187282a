/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a decider reads, in a folder of its own: policy, bundle, keys,
 * revocations, journal, with an authority and an issuer that can sign. Failures
 * abort. The world's time is TEST_NOW of test_ca.h. */
#ifndef BARTIZAN_WORLD_H
#define BARTIZAN_WORLD_H

#include "check_request_builder.h"
#include "config.h"

enum { WORLD_PATH_MAX = 256 };
#define WORLD_NOW INT64_C(1800000000)
#define WORLD_WEB "spiffe://prod.example/ns/search/sa/web"
#define WORLD_CONSOLE "spiffe://prod.example/ns/ops/sa/console"

struct world_authority;
struct world_issuer;

struct world {
    char folder[WORLD_PATH_MAX];
    char policy[WORLD_PATH_MAX], bundle[WORLD_PATH_MAX], keys[WORLD_PATH_MAX];
    char revocations[WORLD_PATH_MAX], journal[WORLD_PATH_MAX];
    struct world_authority *authority;
    struct world_issuer *issuer;
    struct config config;
    /* what config points to */
    struct trust_domain_config domain;
    struct issuer_config issuer_config;
    const char *revocation_folder;
};

void world_make(struct world *world);
void world_remove(struct world *world);

/* Replaces a file as a whole: written beside it, then renamed over it. */
void world_write(const char *path, const char *text);
/* A deny list `name` of that sequence; `entries` are lines of YAML, NULL for none. */
void world_write_revocations(const struct world *world, const char *name, int sequence, const char *entries);
/* The text of a file; freed by free(). */
char *world_read(const char *path);

/* A new authority's certificate in the bundle file, in place of the one before. */
void world_replace_authority(struct world *world);

/* An SVID's PEM with Envoy's escapes; freed by free(). */
char *world_certificate(const struct world *world, const char *spiffe_id);
char *world_expired_certificate(const struct world *world, const char *spiffe_id);

/* A token of the issuer with these claims beside iss, aud, iat and exp; freed by free().
 * `claims` is text such as "\"sub\":\"alice\"". */
char *world_token(const struct world *world, const char *claims);
/* `Bearer TOKEN` of alice, who authenticated `age` seconds ago with two factors. */
char *world_bearer(const struct world *world, int age);

/* world_issuer.c */
struct world_issuer *world_issuer_make(void);
void world_issuer_free(struct world_issuer *issuer);
char *world_issuer_keys(const struct world_issuer *issuer);
char *world_issuer_sign(const struct world_issuer *issuer, const char *claims);

#endif
