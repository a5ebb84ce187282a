/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

const char *err_text(enum err e)
{
    switch (e) {
    case ERR_NONE: return "no error";
    case ERR_NO_MEMORY: return "out of memory";
    case ERR_MALFORMED: return "malformed";
    case ERR_LIMIT: return "over a limit";
    case ERR_UNSUPPORTED: return "unsupported";
    case ERR_NOT_FOUND: return "not found";
    case ERR_CONFLICT: return "conflict";
    case ERR_STALE: return "older than what is in force";
    case ERR_IO: return "input/output error";
    case ERR_INVALID: return "invalid";
    }
    return "unknown error";
}
