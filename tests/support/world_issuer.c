/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from world.c, since test_ca.h and test_tokens.h each have a `test_key`. */
#include "test_tokens.h"
#include "world.h"

struct world_issuer *world_issuer_make(void)
{
    return (struct world_issuer *)test_key_ec("key-1");
}

void world_issuer_free(struct world_issuer *issuer)
{
    test_key_free((struct test_key *)issuer);
}

char *world_issuer_keys(const struct world_issuer *issuer)
{
    struct test_key *key = (struct test_key *)(uintptr_t)issuer;
    return test_jwks(&key, 1);
}

char *world_issuer_sign(const struct world_issuer *issuer, const char *claims)
{
    return test_token((const struct test_key *)issuer, claims);
}
