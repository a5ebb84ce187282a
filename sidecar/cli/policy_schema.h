/* SPDX-License-Identifier: Apache-2.0 */
/* The policy language for other programs and for readers, made from the loader's own
 * tables (shape.h): JSON Schema 2020-12, and a reference of keys in Markdown.
 *
 * The schema refuses nothing that the loader takes, but for a null that is written
 * without quotes; the loader looks at more. */
#ifndef BARTIZAN_POLICY_SCHEMA_H
#define BARTIZAN_POLICY_SCHEMA_H

#include <jansson.h>

/* The schema, the caller's; NULL when out of memory. */
json_t *policy_schema_build(void);

/* One section per block, on standard output. */
void policy_schema_print_keys(void);

#endif
