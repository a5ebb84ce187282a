/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that compiles is given and gives back, of any bytes. */
#define _GNU_SOURCE /* memfd_create */
#include "compile_form.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct compile_result result = {0};
    struct policy_source *sources = NULL;
    size_t count = 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    arena_init(&arena, 1 << 22);
    struct diag_list *diags = arena_take(&arena, sizeof *diags);
    assert(diags && write(fd, data, size) == (ssize_t)size);
    diag_list_init(diags, &arena);
    if (compile_form_read_result(fd, &arena, diags, &result) == ERR_NONE)
        assert(result.error <= ERR_INVALID && diags->count <= DIAG_CAP && result.image.size <= size);
    if (compile_form_read_sources(fd, &arena, &sources, &count) == ERR_NONE)
        for (size_t i = 0; i < count; i++)
            assert(sources[i].name.size + sources[i].text.size <= size);
    (void)close(fd);
    arena_free(&arena);
    return 0;
}
