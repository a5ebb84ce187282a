/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes of every fallible call, and the one macro with control flow.
 *
 * A function that can fail for a reason other than a bug returns `enum err`.
 * A bug asserts; input never does. Files add a `struct diag` (diag.h); the
 * request path adds a reason (reason.h). */
#ifndef BARTIZAN_ERR_H
#define BARTIZAN_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_NONE = 0,
    ERR_NO_MEMORY,   /* an allocation failed, or an arena reached its ceiling */
    ERR_MALFORMED,   /* the bytes are not what the grammar says */
    ERR_LIMIT,       /* well formed, but over a documented limit */
    ERR_UNSUPPORTED, /* well formed, but not a thing this build understands */
    ERR_NOT_FOUND,
    ERR_CONFLICT, /* exists already, is in use, or contradicts another value */
    ERR_STALE,    /* an older sequence or generation than the one in force */
    ERR_IO,       /* the operating system refused; errno says why */
    ERR_INVALID,  /* a configuration, policy or data file was refused; see its diags */
};

/* A short lower-case phrase for `e`, static, never NULL. */
const char *err_text(enum err e);

/* Returns from the calling function with the error of `call`, if it has one. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum err try_err_ = (call);                                                                                    \
        if (try_err_ != ERR_NONE)                                                                                      \
            return try_err_;                                                                                           \
    } while (0)

/* Runs `function(&variable)` when the variable leaves its scope. */
#define AUTO(function) __attribute__((cleanup(function)))

#endif
