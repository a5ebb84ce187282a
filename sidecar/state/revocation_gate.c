/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_gate.h"

#include "revocation_mark.h"

enum err revocation_gate_open(const struct config *config, struct arena *arena, struct diag_list *diags,
                              struct revocation_gate *out)
{
    *out = (struct revocation_gate){0};
    return signers_read(config->identity.revocation_signers, config->identity.revocation_signer_count,
                        "identity.revocation_signers", arena, diags, &out->signers);
}

void revocation_gate_close(struct revocation_gate *gate)
{
    signers_free(&gate->signers);
}

enum err revocation_gate_mix(const struct revocation_gate *gate, uint8_t fingerprint[SHA256_BYTES])
{
    if (gate->signers.count == 0)
        return ERR_NONE;
    return signers_mix(fingerprint, (struct view){(const char *)gate->signers.fingerprint, SHA256_BYTES});
}

static enum err refuse_open(struct view file, struct diag_list *diags)
{
    const struct diag diag = {
        .code = VIEW("E1106"),
        .span = {.file = file},
        .message = VIEW("this deny list is not signed, and identity.revocation_signers lets only a signed one pass"),
        .hint = VIEW("bartizan revoke sign FILE --key KEY.pem, and a name that ends in .revocations")};
    diag_add(diags, &diag);
    return ERR_INVALID;
}

static void warn_unasked(struct view file, struct diag_list *diags)
{
    const struct diag diag = {.severity = DIAG_WARNING,
                              .code = VIEW("W1110"),
                              .span = {.file = file},
                              .message = VIEW("this deny list is signed, and nobody looks: its signature counts for "
                                              "nothing without identity.revocation_signers")};
    diag_add(diags, &diag);
}

enum err revocation_gate_pass(const struct revocation_gate *gate, struct view file, struct view text,
                              struct diag_list *diags, struct view *list, uint64_t *revision)
{
    struct policy_seal seal;
    struct span span = {.file = file};
    *list = text;
    *revision = 0;
    if (!policy_seal_is_of_denial(text))
        return gate->signers.count == 0 ? ERR_NONE : refuse_open(file, diags);
    enum err error = policy_seal_parse_denial(text, &seal);
    if (error != ERR_NONE) {
        diag_error(diags, "E1107", &span,
                   error == ERR_UNSUPPORTED ? "its signature envelope is of a version that this release does not know"
                                            : "its signature envelope is damaged");
        return ERR_INVALID;
    }
    *list = seal.image;
    *revision = seal.revision;
    if (gate->signers.count > 0)
        return signers_check(&gate->signers, &seal, "E1108", file, diags);
    warn_unasked(file, diags);
    return ERR_NONE;
}

enum err revocation_gate_compare(const struct revocations *revocations, size_t i, uint64_t revision,
                                 struct diag_list *diags)
{
    uint64_t sequence = 0;
    struct span span = {.file = revocations_source(revocations, i, &sequence)};
    if (revision == 0 || revision == sequence)
        return ERR_NONE;
    diag_error(diags, "E1107", &span, "its envelope is of sequence %llu, and the list in it of %llu",
               (unsigned long long)revision, (unsigned long long)sequence);
    return ERR_INVALID;
}

enum err revocation_gate_remember(const struct revocation_gate *gate, const struct config *config,
                                  const struct revocations *revocations, struct arena *arena, struct diag_list *diags)
{
    struct revocation_mark mark;
    if (gate->signers.count == 0 || config->audit.journal.path == NULL)
        return ERR_NONE;
    enum err error = revocation_mark_read(config->audit.journal.path, arena, &mark);
    if (error == ERR_NOT_FOUND || error == ERR_NO_MEMORY)
        return error == ERR_NOT_FOUND ? ERR_NONE : error;
    if (error == ERR_NONE)
        return revocation_mark_check(&mark, revocations, diags);
    const struct diag diag = {
        .code = VIEW("E1109"),
        .span = {.file = arena_print(arena, "%s/" REVOCATION_MARK_FILE, config->audit.journal.path)},
        .message = VIEW("what was kept of the deny lists in force cannot be read: an older one could not be told"),
        .hint = VIEW("look at the lists' sequences; with this file gone they are taken as they are")};
    diag_add(diags, &diag);
    return ERR_INVALID;
}
