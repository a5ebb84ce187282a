/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_space.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the walk ------------------------------------------------------------ */

/* How many atoms a dimension has where the walk stands. */
static size_t count_here(const struct policy_space *space, enum dimension dimension)
{
    bool is_of_user = dimension >= DIM_SUBJECT && dimension <= DIM_CLIENT_ID;
    if ((dimension != DIM_FAULT && space->at[DIM_FAULT] != 0) || (is_of_user && !space_has_user(space)) ||
        (dimension == DIM_PROOF && !space_has_caller(space)))
        return 1;
    return space->counts[dimension];
}

bool policy_space_next(struct policy_space *space)
{
    uint64_t changed = 0;
    for (size_t i = space->walked_count; i-- > 0;) {
        enum dimension dimension = space->walked[i];
        bool is_end = space->at[dimension] + 1 >= count_here(space, dimension);
        if (is_end && space->at[dimension] == 0)
            continue;
        space->at[dimension] = is_end ? 0 : space->at[dimension] + 1;
        if (dimension == DIM_FAULT) {
            space_fill(space, changed);
            space_fault_fill(space);
            return !is_end;
        }
        changed |= (uint64_t)1 << dimension;
        if (!is_end) {
            space_fill(space, changed);
            return true;
        }
    }
    return false;
}

void policy_space_stray(struct policy_space *space, struct random *random)
{
    bool is_fault = random_below(random, 64) == 0 || space->at[DIM_FAULT] != 0;
    enum dimension dimension =
        is_fault ? DIM_FAULT : space->walked[1 + random_below(random, (uint32_t)(space->walked_count - 1))];
    if (is_fault && space->at[DIM_FAULT] != 0)
        space->at[DIM_FAULT] = 0;
    else
        space->at[dimension] = random_below(random, (uint32_t)space->counts[dimension]);
    if (is_fault)
        space_fault_fill(space);
    else
        space_fill(space, (uint64_t)1 << dimension);
}

/* ---- the space of a policy ------------------------------------------------ */

static void path_add(struct policy_space *space, const char *template, const char *model, const char *data)
{
    size_t count = space->counts[DIM_PATH], size = 0;
    if (count == SPACE_PATHS_MAX)
        abort();
    char *text = space->path_text[count];
    for (; *template; template ++) {
        char plain[2] = {*template, '\0'};
        const char *piece = *template == '$' ? model : *template == '&' ? data : plain;
        size_t piece_size = strlen(piece);
        if (size + piece_size > sizeof space->path_text[count])
            abort();
        memcpy(text + size, piece, piece_size);
        size += piece_size;
    }
    struct view path = {.data = text, .size = size};
    for (size_t i = 0; i < count; i++)
        if (view_equals(space->paths[i], path))
            return;
    space->paths[count] = path;
    space->counts[DIM_PATH]++;
}

static void template_add(struct policy_space *space, const char *template)
{
    static const char *const models[] = {"m1", "zzz", "m2", "m2x", "mx"}, *const sets[] = {"d1", "d2"};
    size_t most = !strchr(template, '$') ? 1 : space->policy.has_types ? COUNT(models) : 2;
    for (size_t i = 0; i < most; i++)
        for (size_t k = 0; k < (strchr(template, '&') ? COUNT(sets) : 1); k++)
            path_add(space, template, models[i], sets[k]);
}

static void method_add(struct policy_space *space, const char *method)
{
    for (size_t i = 0; i < space->counts[DIM_METHOD]; i++)
        if (view_equals(space->methods[i], view_of(method)))
            return;
    if (space->counts[DIM_METHOD] == COUNT(space->methods))
        abort();
    space->methods[space->counts[DIM_METHOD]++] = view_of(method);
}

static void lines_build(struct policy_space *space)
{
    for (unsigned action = 0; action < 32; action++) {
        if (!(space->policy.actions >> action & 1))
            continue;
        for (size_t i = 0; space_action_path(action, i); i++)
            template_add(space, space_action_path(action, i));
        for (size_t i = 0; space_action_method(action, i); i++)
            method_add(space, space_action_method(action, i));
    }
    path_add(space, "/zz", "", "");
    method_add(space, "DELETE");
}

static void ages_build(struct policy_space *space)
{
    size_t count = 1;
    space->ages[count++] = 0;
    for (size_t issuer = 0; issuer < (space->policy.has_other_issuer ? 2 : 1); issuer++) {
        int64_t skew = issuer == 0 ? 30 : 10;
        space->ages[count++] = -skew;
        space->ages[count++] = -skew - 1;
        for (size_t i = 0; i < space->policy.max_age_count; i++) {
            space->ages[count++] = space->policy.max_ages[i] + skew;
            space->ages[count++] = space->policy.max_ages[i] + skew + 1;
        }
    }
    space->counts[DIM_AGE] = count;
}

static void counts_build(struct policy_space *space)
{
    space_counts_fill(space);
    space->counts[DIM_NOW] = space->policy.instant_count;
    ages_build(space);
    /* What the policy does not look at stands still. */
    for (enum dimension i = DIM_HOST; i < DIMENSIONS; i++)
        if (!(space->policy.reads >> i & 1) && i != DIM_USER)
            space->counts[i] = i == DIM_ACTORS ? SPACE_ACTORS_SILENT : 1;
    space->counts[DIM_PATH] = 0;
    space->counts[DIM_METHOD] = 0;
    lines_build(space);
}

static uint64_t times_count(uint64_t size, uint64_t count)
{
    uint64_t product = 0;
    return __builtin_mul_overflow(size, count, &product) ? UINT64_MAX : product;
}

static uint64_t size_of(const struct policy_space *space)
{
    uint64_t rest = 1, user = 1;
    for (enum dimension i = DIM_PATH; i < DIMENSIONS; i++) {
        bool is_of_user = i >= DIM_SUBJECT && i <= DIM_CLIENT_ID;
        if (is_of_user)
            user = times_count(user, space->counts[i]);
        else if (i != DIM_USER && i != DIM_CALLER && i != DIM_PROOF)
            rest = times_count(rest, space->counts[i]);
    }
    user = times_count(user, space->counts[DIM_USER] - SPACE_NO_USERS);
    uint64_t callers_there = space->counts[DIM_CALLER] == 1 ? 1 : space->counts[DIM_CALLER] - 1;
    uint64_t caller = callers_there * space->counts[DIM_PROOF] + (space->counts[DIM_CALLER] > 1);
    uint64_t size = times_count(times_count(rest, caller), user == UINT64_MAX ? user : user + SPACE_NO_USERS);
    return size > UINT64_MAX / 2 ? UINT64_MAX : size + space->counts[DIM_FAULT] - 1;
}

static void space_draw(struct random *random, struct policy_space *out)
{
    space_policy_generate(random, &out->policy);
    memset(out->at, 0, sizeof out->at);
    counts_build(out);
    out->size = size_of(out);
}

void policy_space_build(struct random *random, uint64_t most, struct policy_space *out)
{
    enum { DRAWS_MAX = 32 };
    space_draw(random, out);
    for (int i = 1; i < DRAWS_MAX && out->size > most; i++)
        space_draw(random, out);
    out->walked_count = 0;
    for (enum dimension i = DIM_FAULT; i < DIMENSIONS; i++)
        if (out->counts[i] > 1)
            out->walked[out->walked_count++] = i;
    out->facts = (struct facts){.request_failure = REASON_NONE, .is_raw_path = out->policy.is_raw_path};
    space_fill(out, ((uint64_t)1 << DIMENSIONS) - 1);
}
