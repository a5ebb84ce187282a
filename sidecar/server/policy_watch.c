/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_watch.h"

#include "log.h"
#include "rfc3339.h"

#include <errno.h>

void policy_watch_init(struct policy_watch *watch, const struct config *config)
{
    *watch = (struct policy_watch){.config = config};
    (void)pthread_mutex_init(&watch->lock, NULL);
}

/* At the start the gate has read the file before the journal's lock was had: whoever held it may have written since. */
static bool has_risen(const char *folder, const struct policy_standing *standing)
{
    uint64_t known = 0;
    return standing->override[0] == '\0' && policy_mark_read(folder, &known) == ERR_NONE && known > standing->revision;
}

static enum err write_mark(struct policy_watch *watch, const struct policy_standing *standing)
{
    const char *folder = watch->config->audit.journal.path;
    uint64_t known = 0;
    if (standing->is_signed && watch->marked == 0 && has_risen(folder, standing))
        return ERR_STALE;
    if (standing->is_signed)
        return policy_mark_write(folder, standing->revision);
    enum err error = policy_mark_read(folder, &known);
    return error == ERR_NOT_FOUND ? policy_mark_write(folder, 0) : ERR_NONE; /* any other is for who signs again */
}

enum err policy_watch_mark(struct policy_watch *watch, const struct policy_standing *standing)
{
    enum err result = ERR_NONE;
    if (watch->config->audit.journal.path == NULL)
        return ERR_NONE;
    if (!standing->is_signed || watch->marked != standing->revision)
        result = write_mark(watch, standing);
    if (result == ERR_NONE && standing->is_signed)
        watch->marked = standing->revision;
    if (result != ERR_NONE && !watch->is_failing)
        log_line(LOG_ERROR,
                 log_say("the policy's revision cannot be kept: after a restart an older one would be taken"),
                 log_text("folder", view_of(watch->config->audit.journal.path)),
                 log_text("why", view_of(result == ERR_IO ? strerror(errno) : err_text(result))));
    watch->is_failing = result != ERR_NONE;
    return result;
}

void policy_watch_look(struct policy_watch *watch, const struct policy_standing *standing, int64_t now)
{
    bool has_expired = policy_standing_has_expired(standing, now);
    char when[RFC3339_BYTES];
    if (has_expired && !watch->has_told && rfc3339_write(standing->good_until, when))
        log_line(LOG_ERROR,
                 log_say(watch->config->policy.enforcement == REPORT
                             ? "the policy has expired: no rule is asked until a newer one is there, and every check "
                               "is allowed, since enforcement is `report`"
                             : "the policy has expired: every check is denied until a newer one is there"),
                 log_number("revision", standing->revision),
                 log_text("at", (struct view){.data = when, .size = sizeof(when)}));
    watch->has_told = has_expired;
}
