/* SPDX-License-Identifier: Apache-2.0 */
/* Names of HTTP headers. */
#ifndef BARTIZAN_HEADER_NAME_H
#define BARTIZAN_HEADER_NAME_H

#include "view.h"

/* RFC 9110 section 5.6.2 token, lower case only: what Envoy writes. */
bool header_name_is_valid(struct view name);

#endif
