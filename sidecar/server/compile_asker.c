/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
#include "compile_asker.h"

#include "clock.h"
#include "compile_broker.h"
#include "compile_form.h"
#include "folder_file.h"
#include "log.h"
#include "policy_image.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum {
    RESULT_MAX = POLICY_IMAGE_BYTES_MAX + (1 << 20),
    REPLY_LEAST = 10000, /* milliseconds, and ten times the limit of CPU time: others may need the processors */
};

/* ---- findings ---- */

/* About all texts together: the place is the first one's file. */
static enum err refuse(struct diag_list *diags, const struct policy_source *sources, enum err error,
                       const struct diag *what)
{
    struct diag diag = *what;
    diag.code = VIEW("E0907");
    diag.span.file = sources[0].name;
    diag_add(diags, &diag);
    return error;
}

static enum err refuse_memory(const struct config *config, const struct policy_source *sources, struct diag_list *diags)
{
    struct view message = arena_print(diags->arena, "compiling the policy takes more than %llu MiB of memory",
                                      (unsigned long long)(config->policy.compile.memory >> 20));
    return refuse(diags, sources, ERR_LIMIT,
                  &(struct diag){.message = message, .hint = VIEW("policy.compile.memory sets the limit")});
}

/* ---- here ---- */

bool compile_is_large(const struct config *config, const struct policy_source *sources, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += sources[i].text.size;
    return bytes > config->policy.compile.child_above;
}

enum err compile_limited(const struct config *config, const struct policy_source *sources, size_t count,
                         struct diag_list *diags, struct policy **out)
{
    const struct rlimit memory = {config->policy.compile.memory, config->policy.compile.memory};
    const struct rlimit time = {config->policy.compile.seconds, config->policy.compile.seconds + 1};
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    if (setrlimit(RLIMIT_DATA, &memory) != 0 || setrlimit(RLIMIT_CPU, &time) != 0)
        return refuse(diags, sources, ERR_IO, &(struct diag){.message = VIEW("the limits of a compile cannot be set")});
    enum err result = policy_build(sources, count, diags, out);
    return result == ERR_NO_MEMORY ? refuse_memory(config, sources, diags) : result;
}

enum err compile_limited_image(const struct config *config, const struct policy_source *sources, size_t count,
                               struct arena *arena, struct diag_list *diags, struct view *image)
{
    struct policy *policy = NULL;
    TRY(compile_limited(config, sources, count, diags, &policy));
    enum err error = policy_image_write(policy, arena, image);
    policy_free(policy);
    if (error == ERR_NO_MEMORY)
        return refuse_memory(config, sources, diags);
    if (error != ERR_NONE)
        return refuse(diags, sources, error,
                      &(struct diag){.message = VIEW("the policy is too large to be handed over compiled"),
                                     .hint = VIEW("raise policy.compile.child_above: it is then compiled in place")});
    return ERR_NONE;
}

/* ---- elsewhere ---- */

/* Never waits: a supervisor that takes nothing must not keep revocations from being read. */
static enum err send_request(const struct compile_asker *asker, int sources, int result)
{
    const struct compile_request request = {.number = asker->number};
    const int files[2] = {sources, result};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(files))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)&request, .iov_len = sizeof(request)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(files));
    memcpy(CMSG_DATA(head), files, sizeof(files));
    return sendmsg(asker->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(request) ? ERR_NONE : ERR_IO;
}

/* Waits for the reply to this request. ERR_NOT_FOUND: it did not come in time. */
static enum err wait_reply(const struct compile_asker *asker, int32_t *status)
{
    int64_t until = clock_ms(CLOCK_MONOTONIC) + REPLY_LEAST + 10000 * (int64_t)asker->config->policy.compile.seconds;
    for (;;) {
        struct compile_reply reply = {0};
        struct pollfd ready = {.fd = asker->fd, .events = POLLIN};
        int64_t left = until - clock_ms(CLOCK_MONOTONIC);
        if (left <= 0)
            return ERR_NOT_FOUND;
        if (poll(&ready, 1, (int)left) <= 0)
            continue;
        ssize_t size = recv(asker->fd, &reply, sizeof(reply), 0);
        if (size == 0 || (size < 0 && errno != EINTR))
            return ERR_IO;
        if (size != (ssize_t)sizeof(reply) || reply.number != asker->number)
            continue;
        *status = reply.status;
        return ERR_NONE;
    }
}

static enum err refuse_death(const struct compile_asker *asker, int32_t status, const struct policy_source *sources,
                             struct diag_list *diags)
{
    struct view message = VIEW("the process that compiles the policy could not be started");
    struct view hint = {0};
    if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        message = arena_print(diags->arena, "compiling the policy takes more than %u s of CPU time",
                              asker->config->policy.compile.seconds);
        hint = VIEW("policy.compile.seconds sets the limit");
    } else if (status >= 0 && WIFSIGNALED(status)) {
        message =
            arena_print(diags->arena, "the process that compiles the policy was killed by signal %d", WTERMSIG(status));
    } else if (status >= 0) {
        message = arena_print(diags->arena, "the process that compiles the policy ended with %d", WEXITSTATUS(status));
    }
    return refuse(diags, sources, ERR_IO, &(struct diag){.message = message, .hint = hint});
}

static enum err read_result(const struct policy_source *sources, size_t count, int fd, struct diag_list *diags,
                            struct policy **out)
{
    AUTO(arena_free) struct arena arena;
    struct compile_result result;
    size_t before = diags->count;
    arena_init(&arena, RESULT_MAX);
    enum err error = compile_form_read_result(fd, &arena, diags, &result);
    for (size_t i = 0; i < count; i++)
        diag_list_locate(diags, before, sources[i].name, sources[i].text);
    if (error != ERR_NONE)
        return refuse(diags, sources, error,
                      &(struct diag){.message = VIEW("the process that compiles the policy left no result")});
    if (result.error != ERR_NONE)
        return result.error;
    return policy_image_read(sources[0].name, result.image, diags, out);
}

static enum err build_elsewhere(struct compile_asker *asker, const struct policy_source *sources, size_t count,
                                struct diag_list *diags, struct policy **out)
{
    AUTO(descriptor_close) int from = memfd_create("policy", MFD_CLOEXEC);
    AUTO(descriptor_close) int to = memfd_create("compiled policy", MFD_CLOEXEC);
    int32_t status = -1;
    log_line(LOG_DEBUG, log_say("a policy is compiled by a process of its own"), log_text("file", sources[0].name));
    asker->number = (uint64_t)clock_ns(CLOCK_MONOTONIC);
    enum err error = from < 0 || to < 0 ? ERR_IO : compile_form_write_sources(from, sources, count);
    if (error == ERR_NONE)
        error = send_request(asker, from, to);
    if (error == ERR_NONE)
        error = wait_reply(asker, &status);
    if (error == ERR_NOT_FOUND)
        return refuse(diags, sources, ERR_IO,
                      &(struct diag){.message = VIEW("the process that compiles the policy did not end in time")});
    if (error != ERR_NONE)
        return refuse(diags, sources, error,
                      &(struct diag){.message = VIEW("the supervisor cannot be asked to compile the policy")});
    if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return refuse_death(asker, status, sources, diags);
    return read_result(sources, count, to, diags, out);
}

enum err compile_asker_build(void *context, const struct policy_source *sources, size_t count, struct diag_list *diags,
                             struct policy **out)
{
    struct compile_asker *asker = context;
    if (asker->fd < 0 || !compile_is_large(asker->config, sources, count))
        return policy_build(sources, count, diags, out);
    return build_elsewhere(asker, sources, count, diags, out);
}
