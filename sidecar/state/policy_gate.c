/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_gate.h"

#include "policy_image.h"
#include "rfc3339.h"

#include <inttypes.h>

enum { LEAVE_OF_CONFIG = 0, LEAVE_OF_FILE };

static struct span file_span(struct view file)
{
    return (struct span){.file = file};
}

static void time_text(int64_t seconds, char out[RFC3339_BYTES + 1])
{
    if (!rfc3339_write(seconds, out))
        memcpy(out, "(no time)", sizeof("(no time)"));
    else
        out[RFC3339_BYTES] = '\0';
}

/* ---- what it judges by --------------------------------------------------- */

/* A leave that cannot be read is none: nothing is taken because of it. */
static enum err read_leaves(const struct config *config, struct arena *arena, struct diag_list *diags,
                            struct policy_gate *gate)
{
    const char *folder = config->audit.journal.path;
    gate->leaves[LEAVE_OF_CONFIG] = (struct policy_leave){.revision = config->policy.accept.revision,
                                                          .until = config->policy.accept.until,
                                                          .author = view_of(config->file),
                                                          .reason = config->policy.accept.reason};
    struct policy_leave *leave = &gate->leaves[LEAVE_OF_FILE];
    enum err error = policy_leave_read(folder, arena, leave);
    if (error == ERR_NO_MEMORY)
        return error;
    if (error != ERR_NONE && error != ERR_NOT_FOUND) {
        const struct diag diag = {
            .severity = DIAG_WARNING,
            .code = VIEW("W0929"),
            .span = file_span(arena_print(arena, "%s/" POLICY_LEAVE_FILE, folder)),
            .message = VIEW("this is not what `bartizan policy accept` wrote: nothing is taken because of it")};
        diag_add(diags, &diag);
    }
    char text[2 * VIEW_U64_DIGITS + 2];
    int size = snprintf(text, sizeof(text), "%" PRIu64 " %" PRId64, leave->revision, leave->until);
    TRY(signers_mix(gate->fingerprint, (struct view){text, (size_t)size}));
    TRY(signers_mix(gate->fingerprint, leave->author));
    return signers_mix(gate->fingerprint, leave->reason);
}

/* At the start, from the file beside the journal. Where a decider has run, it is there. */
static enum err read_floor(const struct config *config, struct policy_gate *gate)
{
    const char *folder = config->audit.journal.path;
    enum err error = policy_mark_read(folder, &gate->floor);
    if (error == ERR_NO_MEMORY)
        return error;
    gate->is_floor_lost = error == ERR_NOT_FOUND ? policy_mark_has_journal(folder) : error != ERR_NONE;
    return ERR_NONE;
}

enum err policy_gate_open(const struct config *config, const struct policy_standing *before, int64_t now,
                          struct arena *arena, struct diag_list *diags, struct policy_gate *out)
{
    *out = (struct policy_gate){.now = now};
    if (config->policy.signer_count == 0)
        return ERR_NONE;
    TRY(signers_read(config->policy.signers, config->policy.signer_count, "policy.signers", arena, diags,
                     &out->signers));
    memcpy(out->fingerprint, out->signers.fingerprint, SHA256_BYTES);
    TRY(read_leaves(config, arena, diags, out));
    if (before == NULL)
        return read_floor(config, out);
    out->floor = before->revision;
    return ERR_NONE;
}

void policy_gate_close(struct policy_gate *gate)
{
    signers_free(&gate->signers);
    *gate = (struct policy_gate){0};
}

enum err policy_gate_mix(const struct policy_gate *gate, uint8_t fingerprint[SHA256_BYTES])
{
    if (gate->signers.count == 0)
        return ERR_NONE;
    return signers_mix(fingerprint, (struct view){(const char *)gate->fingerprint, SHA256_BYTES});
}

/* ---- judging ------------------------------------------------------------- */

/* The one that lasts longest, or NULL. */
static const struct policy_leave *find_leave(const struct policy_gate *gate, uint64_t revision)
{
    const struct policy_leave *found = NULL;
    for (size_t i = 0; i < 2; i++) {
        const struct policy_leave *leave = &gate->leaves[i];
        if (leave->revision == revision && gate->now < leave->until && (found == NULL || leave->until > found->until))
            found = leave;
    }
    return found;
}

/* The code of what is in its way, and the same in words; NULL: nothing is. */
static const char *find_objection(const struct policy_gate *gate, const struct policy_seal *seal, char *why,
                                  size_t size)
{
    char when[RFC3339_BYTES + 1];
    if (gate->is_floor_lost) {
        (void)snprintf(why, size, "the highest revision that was in force here is not known any more");
        return "E0924";
    }
    if (seal->revision < gate->floor) {
        (void)snprintf(why, size, "revision %" PRIu64 " was in force", gate->floor);
        return "E0922";
    }
    time_text(seal->expires, when);
    (void)snprintf(why, size, "its time %s at %s", gate->now >= seal->expires ? "ran out" : "runs out", when);
    return gate->now >= seal->expires ? "E0923" : NULL;
}

static enum err refuse_revision(const struct policy_seal *seal, struct view file, const char *code, const char *why,
                                struct diag_list *diags)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "revision %" PRIu64 " is refused: %s", seal->revision, why);
    const struct diag diag = {.code = view_of(code),
                              .span = file_span(file),
                              .message = view_of(text),
                              .hint = VIEW("sign it anew with a higher revision, or give leave for a time: `bartizan "
                                           "policy accept`, or `policy.accept` of the configuration")};
    diag_add(diags, &diag);
    return ERR_STALE;
}

static void tell_override(const struct policy_gate *gate, const struct policy_seal *seal,
                          const struct policy_leave *leave, const char *why, struct policy_standing *out)
{
    char until[RFC3339_BYTES + 1];
    bool is_of_config = leave == &gate->leaves[LEAVE_OF_CONFIG];
    time_text(leave->until, until);
    (void)snprintf(out->override, sizeof(out->override),
                   "revision %" PRIu64 " is accepted until %s, although %s; by %s%.*s: %.*s", seal->revision, until,
                   why, is_of_config ? "policy.accept of " : "", VIEW_ARG(leave->author), VIEW_ARG(leave->reason));
}

/* The signature holds. */
static enum err judge(const struct policy_gate *gate, const struct policy_seal *seal, struct view file,
                      struct diag_list *diags, struct policy_standing *out)
{
    char why[160];
    const struct policy_leave *leave = find_leave(gate, seal->revision);
    const char *objection = find_objection(gate, seal, why, sizeof(why));
    if (objection != NULL && leave == NULL)
        return refuse_revision(seal, file, objection, why, diags);
    out->is_signed = true;
    out->revision = seal->revision;
    out->issued = seal->issued;
    out->expires = seal->expires;
    out->good_until = leave != NULL && leave->until > seal->expires ? leave->until : seal->expires;
    memcpy(out->signer, seal->key_id, sizeof(out->signer));
    if (objection != NULL || out->good_until > seal->expires)
        tell_override(gate, seal, leave, why, out);
    return ERR_NONE;
}

static enum err refuse_open(struct view file, bool is_compiled, struct diag_list *diags)
{
    const struct diag diag = {
        .code = VIEW("E0920"),
        .span = file_span(file),
        .message = is_compiled ? VIEW("this compiled policy is not signed, and policy.signers "
                                      "lets only a signed one pass")
                               : VIEW("this is no compiled policy, and policy.signers lets only a "
                                      "signed, compiled one pass"),
        .hint = VIEW("bartizan policy compile PATH -o FILE --sign KEY.pem --revision N --expires T")};
    diag_add(diags, &diag);
    return ERR_INVALID;
}

static void warn_unasked(const struct policy_gate *gate, struct view file, struct diag_list *diags)
{
    const struct diag diag = {
        .severity = DIAG_WARNING,
        .code = VIEW("W0928"),
        .span = file_span(file),
        .message = gate->is_of_shadow ? VIEW("this shadow policy is signed, and nobody looks: of a policy that "
                                             "decides nothing, signature, revision and expiry are not asked for")
                                      : VIEW("this policy is signed, and nobody looks: its signature, revision and "
                                             "expiry count for nothing without policy.signers")};
    diag_add(diags, &diag);
}

enum err policy_gate_pass(const struct policy_gate *gate, struct view file, struct view text, struct diag_list *diags,
                          struct view *image, struct policy_standing *out)
{
    struct policy_seal seal;
    struct span span = file_span(file);
    *image = (struct view){0};
    *out = (struct policy_standing){.good_until = INT64_MAX};
    if (!policy_seal_is(text)) {
        bool is_compiled = policy_image_is(text);
        if (gate->signers.count > 0)
            return refuse_open(file, is_compiled, diags);
        out->is_compiled = is_compiled;
        *image = is_compiled ? text : *image;
        return ERR_NONE;
    }
    enum err error = policy_seal_parse(text, &seal);
    if (error != ERR_NONE) {
        diag_error(diags, "E0926", &span,
                   error == ERR_UNSUPPORTED ? "its signature envelope is of a version that this release does not know"
                                            : "its signature envelope is damaged");
        return ERR_INVALID;
    }
    out->is_compiled = true;
    *image = seal.image;
    if (gate->signers.count == 0) {
        warn_unasked(gate, file, diags);
        return ERR_NONE;
    }
    TRY(signers_check(&gate->signers, &seal, "E0921", file, diags));
    return judge(gate, &seal, file, diags, out);
}
