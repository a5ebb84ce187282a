/* SPDX-License-Identifier: Apache-2.0 */
/* The stable codes of findings about policies: one table (codes.def, and
 * document_codes.def for YAML), from which messages and documentation are made. */
#ifndef BARTIZAN_CODES_H
#define BARTIZAN_CODES_H

#include "view.h"

enum code {
#define X(symbol, code, title) symbol,
#include "document_codes.def"

#include "codes.def"
#undef X
    CODE_COUNT
};

/* "E0214", static. */
const char *code_text(enum code code);

/* What it means, one sentence, static. */
const char *code_title(enum code code);

#endif
