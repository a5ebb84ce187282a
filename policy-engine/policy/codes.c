/* SPDX-License-Identifier: Apache-2.0 */
#include "codes.h"

static const struct {
    const char *text, *title;
} CODES[CODE_COUNT] = {
#define X(symbol, code, sentence) [symbol] = {.text = (code), .title = (sentence)},
#include "document_codes.def"

#include "codes.def"
#undef X
};

const char *code_text(enum code code)
{
    return CODES[code].text;
}

const char *code_title(enum code code)
{
    return CODES[code].title;
}
