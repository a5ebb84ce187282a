/* SPDX-License-Identifier: Apache-2.0 */
/* Model to program. Nothing is looked at here that the reference interpreter does not
 * look at; only the order differs. */
#include "program_internal.h"

enum err number_add(struct number_pool *pool, uint32_t number)
{
    if (pool->count == UINT32_MAX)
        return ERR_LIMIT;
    if (pool->count == pool->room) {
        size_t room = pool->room == 0 ? 256 : 2 * pool->room;
        uint32_t *items = arena_take_array(pool->arena, room, sizeof *items);
        if (!items)
            return ERR_NO_MEMORY;
        if (pool->count > 0)
            memcpy(items, pool->items, pool->count * sizeof *items);
        pool->items = items;
        pool->room = room;
    }
    pool->items[pool->count++] = number;
    return ERR_NONE;
}

static enum err numbers_close(struct compiler *compiler)
{
    size_t count = compiler->numbers.count;
    uint32_t *numbers = arena_take_array(compiler->arena, count, sizeof *numbers);
    if (!numbers)
        return ERR_NO_MEMORY;
    if (count > 0)
        memcpy(numbers, compiler->numbers.items, count * sizeof *numbers);
    compiler->program->numbers = numbers;
    return ERR_NONE;
}

static enum err compile(struct compiler *compiler)
{
    TRY(compile_rules(compiler));
    arena_free(&compiler->work);
    TRY(compile_operations(compiler));
    arena_free(&compiler->work);
    TRY(compile_subjects(compiler));
    arena_free(&compiler->work);
    TRY(compile_resources(compiler));
    return numbers_close(compiler);
}

enum err program_build(const struct model *model, struct arena *arena, struct diag_list *diags, struct program **out)
{
    struct program *program = arena_take(arena, sizeof *program);
    if (!program)
        return ERR_NO_MEMORY;
    program->model = model;
    program->role_words = (model->role_count + 63) / 64;
    struct compiler compiler = {.model = model, .arena = arena, .diags = diags, .program = program};
    arena_init(&compiler.work, SIZE_MAX);
    arena_init(&compiler.kept, SIZE_MAX);
    compiler.numbers.arena = &compiler.kept;
    enum err result = compile(&compiler);
    arena_free(&compiler.work);
    arena_free(&compiler.kept);
    if (result == ERR_NONE)
        *out = program;
    return result;
}
