/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_session.h"

#include <errno.h>

enum { GIVEN_MAX = 1024 * 1024, POLICY_FILE_MAX = 8 * 1024 * 1024 };

void session_close(struct session *session)
{
    policy_free(session->policy);
    arena_free(&session->arena);
}

enum err session_open(struct session *session, const char *path)
{
    arena_init(&session->arena, COMMAND_MEMORY);
    diag_list_init(&session->diags, &session->arena);
    return policy_read(path, &session->diags, &session->policy);
}

void session_locate(struct session *session)
{
    struct diag_list *diags = &session->diags;
    for (size_t i = 0; i < diags->count; i++) {
        struct view file = arena_copy(&session->arena, diags->items[i].span.file), text = {0};
        bool is_done = view_is_present(diags->items[i].span.text) || !view_is_present(file);
        if (!is_done && read_whole(file.data, POLICY_FILE_MAX, &session->arena, &text) == ERR_NONE)
            diag_list_locate(diags, i, file, text);
    }
}

int session_given(struct session *session, const char *file, bool is_json, const struct facts **facts)
{
    struct policy_source given = {.name = view_of(file)};
    enum err err = read_whole(file, GIVEN_MAX, &session->arena, &given.text);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", file, err == ERR_IO ? strerror(errno) : err_text(err));
        return exit_code_of(err);
    }
    err = policy_given(session->policy, &given, now_seconds(), &session->arena, &session->diags, facts);
    return err == ERR_NONE ? EXIT_GOOD : print_findings(&session->diags, is_json, err);
}
