/* SPDX-License-Identifier: Apache-2.0 */
/* What the compilation of operations hands to the check of them. */
#ifndef BARTIZAN_COMPILE_OPERATIONS_H
#define BARTIZAN_COMPILE_OPERATIONS_H

#include "program_internal.h"

/* A literal child of a node; `word` says which text, in the order of the texts. */
struct trie_literal {
    uint32_t parent, child, word;
};

/* ERR_INVALID when two operations can give one request two ids of one type, see the compiler's diags;
 * ERR_NO_MEMORY. The program has its nodes, entries, shapes and captures; literals[starts[n] ..
 * starts[n + 1]) are those of node n, in the order of their texts. */
MUST_CHECK enum err compile_ambiguity(struct compiler *compiler, const struct trie_literal *literals,
                                      const uint32_t *starts);

#endif
