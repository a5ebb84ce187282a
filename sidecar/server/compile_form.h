/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that compiles is given and gives back, each in a file without a name
 * (memfd_create(2)). Both ends are one program: the numbers are the machine's own.
 *
 *   sources = u32 count, { text name, text text }
 *   result  = u32 error, u32 count of findings, { finding }, text image
 *   finding = u32 severity, line, column, end_column; text code, file, path, message, hint
 *   text    = u32 size and the bytes, or UINT32_MAX: absent */
#ifndef BARTIZAN_COMPILE_FORM_H
#define BARTIZAN_COMPILE_FORM_H

#include "policy.h"

/* ERR_IO: errno says why. */
MUST_CHECK enum err compile_form_write_sources(int fd, const struct policy_source *sources, size_t count);

/* Views borrow from `arena`. ERR_MALFORMED, ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err compile_form_read_sources(int fd, struct arena *arena, struct policy_source **sources,
                                              size_t *count);

struct compile_result {
    enum err error;
    struct view image; /* ERR_NONE alone */
};

/* With the findings of `diags`. ERR_IO. */
MUST_CHECK enum err compile_form_write_result(int fd, const struct compile_result *result,
                                              const struct diag_list *diags);

/* Adds the findings to `diags`, without the lines that they stand in (diag_list_locate). ERR_MALFORMED: also for a file
 * that was never written. ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err compile_form_read_result(int fd, struct arena *arena, struct diag_list *diags,
                                             struct compile_result *out);

#endif
