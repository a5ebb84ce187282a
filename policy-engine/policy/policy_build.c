/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"
#include "invariant.h"
#include "load.h"
#include "policy_digest.h"
#include "policy_image.h"
#include "policy_internal.h"
#include "program.h"

#include <stdlib.h>

enum { MODEL_MAX = 512 * 1024 * 1024 };

/* ---- build -------------------------------------------------------------------------------- */

/* Every source is read, so that all errors come at once; ERR_INVALID at the end. */
static enum err read_sources(const struct policy_source *sources, size_t count, struct diag_list *diags,
                             struct tape *tapes)
{
    enum err result = ERR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum err err = tape_read(sources[i].name, sources[i].text, diags, &tapes[i]);
        if (err == ERR_NO_MEMORY)
            return err;
        result = err != ERR_NONE ? err : result;
    }
    return result;
}

static enum err load(struct policy *policy, const struct policy_source *sources, size_t count, struct tape *tapes,
                     struct arena *scratch, struct diag_list *diags)
{
    TRY(read_sources(sources, count, diags, tapes));
    TRY(policy_digest_make(tapes, count, policy->digest));
    return load_documents(tapes, count, &policy->arena, scratch, diags, &policy->model, &policy->tests,
                          &policy->test_count);
}

/* Nothing that only the load needs is there any more when the program needs memory. */
static enum err load_alone(struct policy *policy, const struct policy_source *sources, size_t count,
                           struct diag_list *diags)
{
    struct arena scratch;
    struct tape *tapes = calloc(count > 0 ? count : 1, sizeof(*tapes));
    if (tapes == NULL)
        return ERR_NO_MEMORY;
    arena_init(&scratch, MODEL_MAX);
    enum err err = load(policy, sources, count, tapes, &scratch, diags);
    arena_free(&scratch);
    for (size_t i = 0; i < count; i++)
        tape_free(&tapes[i]);
    free(tapes);
    return err;
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

static enum err fill(struct policy *policy, const struct policy_source *sources, size_t count, struct diag_list *diags)
{
    TRY(load_alone(policy, sources, count, diags));
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

static enum err refuse_company(const struct policy_source *source, struct diag_list *diags)
{
    struct span span = {.file = source->name};
    diag_error(diags, code_text(CODE_IMAGE), &span, "a compiled policy is a whole policy: it stands alone");
    return ERR_INVALID;
}

enum err policy_build(const struct policy_source *sources, size_t count, struct diag_list *diags, struct policy **out)
{
    for (size_t i = 0; i < count; i++)
        if (policy_image_is(sources[i].text))
            return count == 1 ? policy_image_read(sources[i].name, sources[i].text, diags, out)
                              : refuse_company(&sources[i], diags);
    struct policy *policy = policy_open();
    if (policy == NULL)
        return ERR_NO_MEMORY;
    enum err err = fill(policy, sources, count, diags);
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
