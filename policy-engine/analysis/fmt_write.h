/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of fmt: a sheet back into text. */
#ifndef BARTIZAN_FMT_WRITE_H
#define BARTIZAN_FMT_WRITE_H

#include "layout.h"

/* Orders the keys of `sheet` in place and writes it. ERR_NO_MEMORY; ERR_UNSUPPORTED: a
 * scalar has a form that this does not lay out. */
MUST_CHECK enum err fmt_write(const struct sheet *sheet, struct arena *arena, struct view *out);

#endif
