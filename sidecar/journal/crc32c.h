/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), RFC 3720 appendix B.4. */
#ifndef BARTIZAN_CRC32C_H
#define BARTIZAN_CRC32C_H

#include "view.h"

/* With the processor's own instruction where it has one. */
uint32_t crc32c(const void *bytes, size_t size);

/* The same by table, on any machine; tests hold the two against each other. */
uint32_t crc32c_portable(const void *bytes, size_t size);

#endif
