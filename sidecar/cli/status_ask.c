/* SPDX-License-Identifier: Apache-2.0 */
#include "status_ask.h"

#include "admin_client.h"
#include "commands.h"

#include <errno.h>

struct view status_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return (struct view){json_string_value(value), json_string_length(value)};
}

int64_t status_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int status_ask(const char *socket, struct arena *arena, struct view *body, json_t **status)
{
    struct admin_answer answer;
    enum err err = admin_request(socket, "GET", "/status", ADMIN_TIMEOUT_MS, arena, &answer);
    if (err == ERR_NOT_FOUND) {
        fprintf(stderr, "bartizan: no decider answers at %s\n", socket);
        return EXIT_IO;
    }
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", socket, err == ERR_IO ? strerror(errno) : err_text(err));
        return EXIT_IO;
    }
    if (answer.status != 200) {
        fprintf(stderr, "bartizan: the decider answers HTTP %d\n", answer.status);
        return EXIT_IO;
    }
    *status = json_loadb(answer.body.data, answer.body.size, JSON_REJECT_DUPLICATES, NULL);
    *body = answer.body;
    if (json_is_object(*status))
        return EXIT_GOOD;
    fputs("bartizan: the decider's answer is not what docs/admin-api.md says\n", stderr);
    return EXIT_DATA;
}
