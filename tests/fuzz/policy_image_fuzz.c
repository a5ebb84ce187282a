/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled policy that was changed and got its digest mended is refused, or decides, is interpreted and explained
 * without harm.
 *
 * Bytes that begin as a compiled policy are one: its lengths, layout and digest are mended and it is read. Anything
 * else is the documents of a policy, which is compiled and changed in places that its own bytes choose: so the seeds
 * never go stale. */
#include "lint.h"
#include "policy_image.h"
#include "why_not.h"

#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    DIGEST = POLICY_IMAGE_DIGEST_BYTES,
    AT_SECTION_COUNT = 28,
    AT_LENGTH = 32,
    AT_LAYOUT = 48,
    AT_SECTIONS = 176,
    NAME_BYTES = 24,
    SECTION_BYTES = 40,
    SCRATCH = 1 << 20,
    LINT_RULES_MAX = 32,
    CHANGES_MAX = 4,
    VARIANTS = 6,
};

static char scratch_memory[SCRATCH];

static uint64_t get_le(const char *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    return number;
}

static void put_le(char *bytes, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(number >> 8 * i & 0xff);
}

/* Sections one behind the other, as long as the table says as far as there are bytes; then lengths and digests. */
static void mend(char *bytes, size_t size)
{
    size_t count = get_le(bytes + AT_SECTION_COUNT, 4);
    if (count <= POLICY_IMAGE_SECTIONS_MAX && size >= AT_SECTIONS + count * SECTION_BYTES + DIGEST) {
        uint64_t at = AT_SECTIONS + count * SECTION_BYTES;
        for (size_t i = 0; i < count; i++) {
            char *entry = bytes + AT_SECTIONS + i * SECTION_BYTES + NAME_BYTES;
            uint64_t length = get_le(entry + 8, 4), room = size - DIGEST - at;
            length = i + 1 == count || length > room ? room : length;
            put_le(entry, at, 8);
            put_le(entry + 8, length, 4);
            at += length;
        }
    }
    put_le(bytes + AT_LENGTH, size, 8);
    if (policy_image_layout((uint8_t *)bytes + AT_LAYOUT) != ERR_NONE)
        abort();
    (void)EVP_Digest(bytes, size - DIGEST, (unsigned char *)bytes + size - DIGEST, NULL, EVP_sha256(), NULL);
}

static void decide_one(const struct policy *policy, const struct facts *facts)
{
    struct decision decision;
    struct why_not why;
    struct arena scratch;
    arena_init_fixed(&scratch, scratch_memory, SCRATCH);
    policy_decide(policy, facts, &scratch, &decision);
    arena_init_fixed(&scratch, scratch_memory, SCRATCH);
    policy_interpret(policy, facts, &scratch, &decision);
    arena_init_fixed(&scratch, scratch_memory, SCRATCH);
    if (why_not(policy_model(policy), facts, &scratch, &why) != ERR_NONE)
        return; /* the scratch is full */
}

static void judge(void *context, const struct policy_test_result *result)
{
    (void)context;
    (void)result;
}

/* `requests` (NULL: none) is a policy whose tests are asked as well: its own may have been changed with it. */
static void use(const struct policy *policy, const struct policy *requests, struct diag_list *diags)
{
    const struct facts *facts;
    for (size_t i = 0; requests != NULL && (facts = policy_test_facts(requests, i)) != NULL; i++)
        decide_one(policy, facts);
    for (size_t i = 0; (facts = policy_test_facts(policy, i)) != NULL; i++)
        decide_one(policy, facts);
    (void)policy_test(policy, judge, NULL);
    if (policy_rule_count(policy) <= LINT_RULES_MAX)
        lint(policy_model(policy), diags);
}

static void read_one(const char *bytes, size_t size, const struct policy *requests)
{
    static struct diag_list diags;
    struct arena arena;
    struct policy *policy = NULL;
    arena_init(&arena, (size_t)16 << 20);
    diag_list_init(&diags, &arena);
    enum err err = policy_image_read(VIEW("fuzz"), (struct view){.data = bytes, .size = size}, &diags, &policy);
    if ((err == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (err == ERR_NONE)
        use(policy, requests, &diags);
    policy_free(policy);
    arena_free(&arena);
}

static char *copy_of(const void *bytes, size_t size)
{
    char *copy = malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    return copy;
}

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* A byte of some section becomes another; numbers mostly become their neighbours. */
static void change(char *bytes, size_t size, uint64_t *state)
{
    size_t first = AT_SECTIONS + get_le(bytes + AT_SECTION_COUNT, 4) * SECTION_BYTES;
    size_t count = get_le(bytes + AT_SECTION_COUNT, 4);
    const char *entry = bytes + AT_SECTIONS + next(state) % count * SECTION_BYTES + NAME_BYTES;
    uint64_t offset = get_le(entry, 8), length = get_le(entry + 8, 4);
    size_t at = length > 0 ? offset + next(state) % length : first + next(state) % (size - DIGEST - first);
    switch (next(state) % 5) {
    case 0: bytes[at] = (char)(bytes[at] + 1); break;
    case 1: bytes[at] = (char)(bytes[at] - 1); break;
    case 2: bytes[at] = (char)(bytes[at] ^ 1 << next(state) % 8); break;
    case 3: bytes[at] = (char)next(state); break;
    default: bytes[at] = 0; break;
    }
}

static void compile_and_change(const uint8_t *data, size_t size)
{
    static struct diag_list diags;
    struct arena arena;
    struct policy *policy = NULL;
    struct view image = {0};
    uint64_t state = size;
    for (size_t i = 0; i < size; i++)
        state = (state ^ data[i]) * 1099511628211u;
    arena_init(&arena, (size_t)64 << 20);
    diag_list_init(&diags, &arena);
    struct policy_source source = {VIEW("fuzz"), {.data = (const char *)data, .size = size}};
    if (policy_build(&source, 1, &diags, &policy) == ERR_NONE) {
        if (policy_image_write(policy, &arena, &image) != ERR_NONE)
            abort();
        for (int variant = 0; variant < VARIANTS; variant++) {
            char *copy = copy_of(image.data, image.size);
            for (uint64_t i = next(&state) % CHANGES_MAX + 1; variant > 0 && i > 0; i--)
                change(copy, image.size, &state);
            mend(copy, image.size);
            read_one(copy, image.size, policy);
            free(copy);
        }
    }
    policy_free(policy);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!policy_image_is((struct view){.data = (const char *)data, .size = size})) {
        compile_and_change(data, size);
        return 0;
    }
    if (size < AT_SECTIONS + DIGEST)
        return 0;
    char *copy = copy_of(data, size);
    mend(copy, size);
    read_one(copy, size, NULL);
    free(copy);
    return 0;
}
