/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a set of documents: SHA-256 of what they mean, not of their bytes.
 *
 * Every value counts with its kind and length, so that comments, quotes, indentation
 * and the order of the language's own keys do not, and no two meanings read the same. */
#ifndef BARTIZAN_POLICY_DIGEST_H
#define BARTIZAN_POLICY_DIGEST_H

#include "tape.h"

enum { POLICY_DIGEST_HEX = 64 };

/* Over the documents of `tapes` in their order, as lower case hex. ERR_NO_MEMORY. */
MUST_CHECK enum err policy_digest_make(const struct tape *tapes, size_t count, char hex[POLICY_DIGEST_HEX]);

#endif
