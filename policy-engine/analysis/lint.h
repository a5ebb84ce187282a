/* SPDX-License-Identifier: Apache-2.0 */
/* What compiles and is probably not meant: warnings with stable codes, places and hints.
 *
 * A finding is about the text of a policy, never about one request. Codes: lint_codes.def. */
#ifndef BARTIZAN_LINT_H
#define BARTIZAN_LINT_H

#include "diag.h"
#include "model.h"

enum lint_code {
#define X(symbol, code, sentence) symbol,
#include "lint_codes.def"
#undef X
    LINT_CODES,
};

/* "W1001" */
const char *lint_code_text(enum lint_code code);

/* Adds every finding about `model` to `diags`, as warnings without the text of their
 * files (diag_list_locate gives it). */
void lint(const struct model *model, struct diag_list *diags);

#endif
