/* SPDX-License-Identifier: Apache-2.0 */
/* A CheckRequest from a file: JSON as protobuf has it, or the bytes themselves. */
#ifndef BARTIZAN_REQUEST_READ_H
#define BARTIZAN_REQUEST_READ_H

#include "diag.h"

/* *out is the encoded request, in `arena` or borrowed from `text`. JSON that is no
 * CheckRequest: ERR_INVALID with diags; bytes are not looked at. */
MUST_CHECK enum err request_read(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                                 struct view *out);

#endif
