/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format, read field by field without a copy.
 *
 *   message = *( tag value )          ; tag = varint( number << 3 | wire type )
 *   value   = varint / 8 bytes / varint-length bytes / 4 bytes
 * Source: protobuf.dev, "Encoding". Stricter where encoders agree and attackers do
 * not: refused are field number 0 and above 2^29 - 1, tags of more than 5 bytes,
 * varints of more than 64 bits, groups, wire types 6 and 7, and a length past the
 * end. Knows no schema: the caller looks at number and wire type. */
#ifndef BARTIZAN_PB_READER_H
#define BARTIZAN_PB_READER_H

#include "err.h"
#include "view.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_field {
    uint32_t number; /* 1 to 2^29 - 1 */
    enum pb_wire wire;
    uint64_t scalar;   /* PB_VARINT, PB_FIXED64, PB_FIXED32; else 0 */
    struct view bytes; /* PB_BYTES: present, maybe empty; borrows from the message. Else absent */
};

struct pb_reader {
    const char *at;
    const char *end;
    bool is_broken; /* sticky: the bytes are no message */
};

/* Reads `message`, which may be absent or empty: a message without fields. */
void pb_reader_init(struct pb_reader *reader, struct view message);

/* True and *out for the next field; false at the end, or with is_broken set. */
bool pb_reader_next(struct pb_reader *reader, struct pb_field *out);

#endif
