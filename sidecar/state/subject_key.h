/* SPDX-License-Identifier: Apache-2.0 */
/* The key under which users are hashed in records (`audit.subject_key`): the bytes of
 * its file without the line end that an editor leaves. */
#ifndef BARTIZAN_SUBJECT_KEY_H
#define BARTIZAN_SUBJECT_KEY_H

#include "config.h"

enum { SUBJECT_KEY_MIN = 16, SUBJECT_KEY_MAX = 4096 };

/* Absent in *out when the configuration names none. ERR_NOT_FOUND, ERR_IO, ERR_INVALID
 * or ERR_NO_MEMORY with a diag. The bytes live in `arena`. */
MUST_CHECK enum err subject_key_read(const struct config *config, struct arena *arena, struct diag_list *diags,
                                     struct view *out);

#endif
