/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan compile`: the process that compiles a policy for a running sidecar, started by `serve`. */
#include "cli.h"
#include "commands.h"
#include "compile_asker.h"
#include "compile_broker.h"
#include "compile_form.h"
#include "options.h"
#include "policy_image.h"

#include <sys/prctl.h>

enum { SOURCES_MAX = 128 * 1024 * 1024, FINDINGS_MAX = 8 * 1024 * 1024 };

static enum err compile(const struct config *config, struct arena *arena, struct diag_list *diags, struct view *image)
{
    struct policy_source *sources;
    size_t count;
    TRY(compile_form_read_sources(COMPILE_SOURCES_FD, arena, &sources, &count));
    if (count == 0)
        return ERR_MALFORMED;
    return compile_limited_image(config, sources, count, arena, diags, image);
}

int cmd_compile(int argc, char **argv)
{
    const char *file = NULL;
    const struct option_spec options[] = {{"config", "FILE", "the configuration", &file}};
    const struct usage usage = {
        .line = "bartizan compile --config FILE",
        .summary = "Compiles a policy from one open descriptor to another. `bartizan serve` starts it.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0])};
    size_t operands = 0;
    int code = options_read(&usage, argc, argv, NULL, &operands);
    if (code != OPTIONS_GO_ON)
        return code;
    (void)prctl(PR_SET_NAME, "bartizan");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct arena arena, findings;
    struct config config;
    arena_init(&arena, SOURCES_MAX + POLICY_IMAGE_BYTES_MAX + COMMAND_MEMORY);
    arena_init(&findings, FINDINGS_MAX);
    struct diag_list *diags = arena_take(&findings, sizeof(*diags));
    code = load_config(file, &arena, &config);
    struct compile_result result = {.error = ERR_NO_MEMORY};
    if (code == EXIT_GOOD && diags != NULL) {
        diag_list_init(diags, &findings);
        result.error = compile(&config, &arena, diags, &result.image);
        if (compile_form_write_result(COMPILE_RESULT_FD, &result, diags) != ERR_NONE)
            code = EXIT_IO;
    }
    arena_free(&findings);
    arena_free(&arena);
    return code;
}
