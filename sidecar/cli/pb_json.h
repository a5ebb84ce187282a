/* SPDX-License-Identifier: Apache-2.0 */
/* A message written as JSON, to its protobuf bytes: the proto3 JSON mapping, led by
 * protobuf-c's descriptors. Field names in lowerCamelCase or as in the .proto file;
 * bytes in base64 of either alphabet, padded or not; 64-bit integers as numbers or
 * strings; Timestamp, Struct, Value, ListValue and BoolValue in their own forms.
 * null leaves a field out. Unknown fields are errors: a typo must not look like an
 * absent fact. Source: protobuf.dev, "ProtoJSON Format". */
#ifndef BARTIZAN_PB_JSON_H
#define BARTIZAN_PB_JSON_H

#include "arena.h"
#include "pb_writer.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

struct pb_json {
    struct arena *arena;
    struct pb_writer *writer;
    struct view path;    /* of what is wrong: "attributes.request.http.size"; empty for the whole */
    struct view message; /* what is wrong */
};

/* Writes the fields of `value` to json->writer. False: json->path and ->message. A
 * writer that is full shows there only. */
bool pb_json_write(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type);

#endif
