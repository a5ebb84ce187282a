/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include "lint.h"

#include <strings.h>

enum { KIND_COUNT = (int)CODE_COUNT + (int)LINT_CODES };

#define E(symbol, wrong, right, how) [symbol] = {.mistake = (wrong), .mended = (right), .mend = (how)},
static const struct code_example LINT_EXAMPLES[LINT_CODES] = {
#include "lint_examples.def"
};
#undef E

#define X(symbol, text, sentence) [symbol] = (sentence),
static const char *const LINT_MEANINGS[LINT_CODES] = {
#include "lint_codes.def"
};
#undef X

const struct finding_kind *finding_kinds(size_t *count)
{
    static struct finding_kind kinds[KIND_COUNT];
    *count = KIND_COUNT;
    for (size_t i = 0; i < CODE_COUNT; i++)
        kinds[i] = (struct finding_kind){code_text((enum code)i), code_title((enum code)i), code_example((enum code)i)};
    for (size_t i = 0; i < LINT_CODES; i++)
        kinds[CODE_COUNT + i] =
            (struct finding_kind){lint_code_text((enum lint_code)i), LINT_MEANINGS[i], LINT_EXAMPLES[i]};
    return kinds;
}

const struct finding_kind *finding_kind_find(struct view code)
{
    size_t count;
    const struct finding_kind *kinds = finding_kinds(&count);
    for (size_t i = 0; i < count; i++)
        if (strlen(kinds[i].code) == code.size && strncasecmp(kinds[i].code, code.data, code.size) == 0)
            return &kinds[i];
    return NULL;
}
