/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as SARIF 2.1.0 (OASIS), which code-scanning services and editors read.
 * Columns count code points. Findings over DIAG_CAP are told in a notification. */
#ifndef BARTIZAN_SARIF_PRINT_H
#define BARTIZAN_SARIF_PRINT_H

#include "diag.h"

/* One log with one run, on standard output. */
void sarif_print(const struct diag_list *diags, struct arena *arena);

#endif
