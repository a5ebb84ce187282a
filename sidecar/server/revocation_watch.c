/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_watch.h"

#include "log.h"
#include "revocation_mark.h"

#include <errno.h>

enum { ARENA_BYTES = 1024 * 1024 };

/* At the start the lists were judged before the journal's lock was had: whoever held it may have written since. */
static enum err check_again(const char *folder, const struct snapshot *snapshot)
{
    AUTO(arena_free) struct arena arena;
    struct revocation_mark mark;
    arena_init(&arena, ARENA_BYTES);
    struct diag_list *diags = arena_take(&arena, sizeof(*diags));
    if (diags == NULL)
        return ERR_NO_MEMORY;
    diag_list_init(diags, &arena);
    enum err error = revocation_mark_read(folder, &arena, &mark);
    if (error == ERR_NOT_FOUND)
        return ERR_NONE;
    return error == ERR_NONE ? revocation_mark_check(&mark, snapshot->revocations, diags) : error;
}

static enum err write_mark(const struct revocation_watch *watch, const struct snapshot *snapshot)
{
    const char *folder = watch->config->audit.journal.path;
    if (watch->marked == 0)
        TRY(check_again(folder, snapshot));
    return revocation_mark_write(folder, snapshot->revocations);
}

enum err revocation_watch_mark(struct revocation_watch *watch, const struct snapshot *snapshot)
{
    if (watch->config->identity.revocation_signer_count == 0 || watch->config->audit.journal.path == NULL ||
        watch->marked == snapshot->revocation_generation)
        return ERR_NONE;
    enum err result = write_mark(watch, snapshot);
    if (result == ERR_NONE)
        watch->marked = snapshot->revocation_generation;
    if (result != ERR_NONE && !watch->is_failing)
        log_line(LOG_ERROR,
                 log_say("the sequences of the deny lists cannot be kept: after a restart older ones would be taken"),
                 log_text("folder", view_of(watch->config->audit.journal.path)),
                 log_text("why", view_of(result == ERR_IO ? strerror(errno) : err_text(result))));
    watch->is_failing = result != ERR_NONE;
    return result;
}
