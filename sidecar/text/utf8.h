/* SPDX-License-Identifier: Apache-2.0 */
/* Is it text? UTF-8 as RFC 3629 section 4 has it: no overlong form, no
 * surrogate, nothing above U+10FFFF; and no NUL, where C strings end early and
 * two readers see two values. */
#ifndef BARTIZAN_UTF8_H
#define BARTIZAN_UTF8_H

#include "view.h"

/* True for valid UTF-8 without NUL; true for the absent and the empty view. */
bool utf8_is_text(struct view v);

#endif
