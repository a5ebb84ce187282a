/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"
#include "document.h"
#include "invariant.h"
#include "load.h"
#include "policy_internal.h"
#include "program.h"
#include "shape.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { MODEL_MAX = 512 * 1024 * 1024 };

/* ---- digest ----------------------------------------------------------------------------- */

/* The meaning, not the bytes: the tree of every document, each value with its kind
 * and length, so that comments, quotes, indentation and the order of the language's
 * own keys do not count and no two meanings read the same. */
static bool digest_node(EVP_MD_CTX *context, const struct node *node, const struct shape *shape);

/* A map's pairs: of a block in the order of its table, of any other as they stand. */
static bool digest_pairs(EVP_MD_CTX *context, const struct node *node, const struct shape *shape)
{
    const struct shape *part = shape_for(shape, NODE_MAP);
    const struct block *block = part && part->kind == SHAPE_BLOCK ? part->block : NULL;
    bool is_good = true;
    for (size_t rank = 0; is_good && rank <= (block ? block->count : 0); rank++)
        for (size_t i = 0; is_good && i < node->count; i++) {
            const struct field *field = block ? block_field(block, node->keys[i]->text) : NULL;
            if (block && (field ? (size_t)(field - block->fields) : block->count) != rank)
                continue;
            is_good = digest_node(context, node->keys[i], NULL) &&
                      digest_node(context, node->items[i], shape_below(shape, NODE_MAP, node->keys[i]->text));
        }
    return is_good;
}

static bool digest_node(EVP_MD_CTX *context, const struct node *node, const struct shape *shape)
{
    uint64_t size = node->kind == NODE_SCALAR ? node->text.size : node->count;
    unsigned char head[9] = {(unsigned char)"slm"[node->kind]};
    for (size_t i = 0; i < 8; i++)
        head[i + 1] = (unsigned char)(size >> 8 * i & 0xff);
    bool is_good = EVP_DigestUpdate(context, head, sizeof(head)) == 1 &&
                   EVP_DigestUpdate(context, node->text.data, node->text.size) == 1;
    if (node->kind == NODE_MAP)
        return is_good && digest_pairs(context, node, shape);
    for (size_t i = 0; is_good && i < node->count; i++)
        is_good = digest_node(context, node->items[i], shape_below(shape, NODE_LIST, (struct view){0}));
    return is_good;
}

static enum err digest_documents(const struct document *documents, size_t count, char hex[64])
{
    static const struct shape document = {.kind = SHAPE_BLOCK, .block = &load_document_block};
    unsigned char bytes[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; is_good && i < count; i++)
        for (size_t j = 0; is_good && j < documents[i].count; j++)
            is_good = digest_node(context, documents[i].roots[j], &document);
    is_good = is_good && EVP_DigestFinal_ex(context, bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    for (size_t i = 0; is_good && i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return is_good ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- build -------------------------------------------------------------------------------- */

/* Every source is read, so that all errors come at once; ERR_INVALID at the end. */
static enum err parse_sources(const struct policy_source *sources, size_t count, struct arena *scratch,
                              struct diag_list *diags, struct document *documents)
{
    enum err result = ERR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum err err = document_parse(sources[i].name, sources[i].text, scratch, diags, &documents[i]);
        if (err == ERR_NO_MEMORY)
            return err;
        result = err != ERR_NONE ? err : result;
    }
    return result;
}

enum err policy_issuers_make(struct policy *policy)
{
    const struct model *model = &policy->model;
    policy->issuers = arena_take_array(&policy->arena, model->issuer_count, sizeof(*policy->issuers));
    if (policy->issuers == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->issuer_count; i++)
        policy->issuers[i] = (struct policy_issuer){.name = model->issuers[i].name,
                                                    .url = model->issuers[i].url,
                                                    .audiences = model->issuers[i].audiences.items,
                                                    .audience_count = model->issuers[i].audiences.count,
                                                    .clock_skew = model->issuers[i].clock_skew,
                                                    .max_lifetime = model->issuers[i].max_lifetime};
    return ERR_NONE;
}

static enum err fill(struct policy *policy, const struct policy_source *sources, size_t count, struct arena *scratch,
                     struct diag_list *diags)
{
    struct document *documents = arena_take_array(scratch, count, sizeof(*documents));
    if (documents == NULL)
        return ERR_NO_MEMORY;
    TRY(parse_sources(sources, count, scratch, diags, documents));
    TRY(load_documents(documents, count, &policy->arena, scratch, diags, &policy->model, &policy->tests,
                       &policy->test_count));
    TRY(digest_documents(documents, count, policy->digest));
    arena_free(scratch); /* before the program needs memory: the trees are the largest part */
    TRY(policy_issuers_make(policy));
    size_t before = diags->count;
    enum err err = program_build(&policy->model, &policy->arena, diags, &policy->program);
    if (err == ERR_NONE && policy->model.invariant_count > 0)
        err = invariants_check(policy, diags);
    for (size_t i = 0; i < count; i++)
        diag_list_locate(diags, before, sources[i].name, sources[i].text);
    return err;
}

struct policy *policy_open(void)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    if (policy != NULL)
        arena_init(&policy->arena, MODEL_MAX);
    return policy;
}

enum err policy_build(const struct policy_source *sources, size_t count, struct diag_list *diags, struct policy **out)
{
    struct arena scratch;
    struct policy *policy = policy_open();
    if (policy == NULL)
        return ERR_NO_MEMORY;
    arena_init(&scratch, MODEL_MAX);
    enum err err = fill(policy, sources, count, &scratch, diags);
    arena_free(&scratch);
    if (err != ERR_NONE) {
        policy_free(policy);
        return err;
    }
    *out = policy;
    return ERR_NONE;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    arena_free(&policy->arena);
    free(policy);
}

/* ---- what others ask ------------------------------------------------------------------------ */

struct view policy_digest(const struct policy *policy)
{
    return (struct view){.data = policy->digest, .size = sizeof(policy->digest)};
}

size_t policy_rule_count(const struct policy *policy)
{
    return policy->model.rule_count;
}

const struct model *policy_model(const struct policy *policy)
{
    return &policy->model;
}

const struct policy_issuer *policy_issuer(const struct policy *policy, struct view url)
{
    for (size_t i = 0; i < policy->model.issuer_count; i++)
        if (view_equals(policy->issuers[i].url, url))
            return &policy->issuers[i];
    return NULL;
}

const struct policy_issuer *policy_issuer_at(const struct policy *policy, size_t index)
{
    return index < policy->model.issuer_count ? &policy->issuers[index] : NULL;
}

bool policy_reads_body(const struct policy *policy)
{
    return policy->model.reads_body;
}
