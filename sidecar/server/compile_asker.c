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
#include <unistd.h>

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

bool compile_is_large(const struct config *config, const struct policy_order *order)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < order->count; i++)
        bytes += order->sources[i].text.size;
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

/* Never waits. Without files: the process that compiles is to end. */
static enum err send_request(const struct compile_asker *asker, uint64_t number, const int *files, size_t count)
{
    const struct compile_request request = {.number = number};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)&request, .iov_len = sizeof(request)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), files, count * sizeof(int));
    }
    return sendmsg(asker->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(request) ? ERR_NONE : ERR_IO;
}

static void drop(struct compile_asker *asker, struct compile_job *job)
{
    /* A supervisor that takes nothing now ends it with the next job. */
    enum err told = job->state == COMPILE_RUNS ? send_request(asker, job->number, NULL, 0) : ERR_NONE;
    (void)told;
    if (job->state != COMPILE_NONE)
        (void)close(job->result);
    *job = (struct compile_job){0};
}

/* Waits until then at most for the reply to this job. ERR_NOT_FOUND: it did not come. */
static enum err wait_reply(const struct compile_asker *asker, struct compile_job *job, int64_t until)
{
    for (;;) {
        struct compile_reply reply = {0};
        struct pollfd ready = {.fd = asker->fd, .events = POLLIN};
        int64_t left = until - clock_ms(CLOCK_MONOTONIC);
        int count = poll(&ready, 1, left > 0 ? (int)left : 0);
        if (count == 0 && left <= 0)
            return ERR_NOT_FOUND;
        if (count <= 0)
            continue;
        ssize_t size = recv(asker->fd, &reply, sizeof(reply), 0);
        if (size == 0 || (size < 0 && errno != EINTR))
            return ERR_IO;
        if (size != (ssize_t)sizeof(reply) || reply.number != job->number)
            continue;
        job->status = reply.status;
        job->state = COMPILE_ENDED;
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

static enum err refuse_request(const struct policy_order *order, enum err error, struct diag_list *diags)
{
    return refuse(diags, order->sources, error,
                  &(struct diag){.message = VIEW("the supervisor cannot be asked to compile the policy")});
}

static enum err refuse_delay(const struct policy_order *order, struct diag_list *diags)
{
    return refuse(diags, order->sources, ERR_IO,
                  &(struct diag){.message = VIEW("the process that compiles the policy did not end in time")});
}

static enum err start(struct compile_asker *asker, const struct policy_order *order, struct compile_job *job)
{
    AUTO(descriptor_close) int from = memfd_create("policy", MFD_CLOEXEC);
    AUTO(descriptor_close) int to = memfd_create("compiled policy", MFD_CLOEXEC);
    int64_t most = REPLY_LEAST + 10000 * (int64_t)asker->config->policy.compile.seconds;
    log_line(LOG_DEBUG, log_say("a policy is compiled by a process of its own"),
             log_text("file", order->sources[0].name));
    if (from < 0 || to < 0)
        return ERR_IO;
    TRY(compile_form_write_sources(from, order->sources, order->count));
    TRY(send_request(asker, ++asker->number, (const int[]){from, to}, 2));
    *job = (struct compile_job){
        .state = COMPILE_RUNS, .number = asker->number, .result = to, .until = clock_ms(CLOCK_MONOTONIC) + most};
    memcpy(job->fingerprint, order->fingerprint, sizeof(job->fingerprint));
    to = -1;
    return ERR_NONE;
}

static enum err read_end(const struct compile_asker *asker, const struct compile_job *job,
                         const struct policy_order *order, struct diag_list *diags, struct policy **out)
{
    if (job->status < 0 || !WIFEXITED(job->status) || WEXITSTATUS(job->status) != 0)
        return refuse_death(asker, job->status, order->sources, diags);
    return read_result(order->sources, order->count, job->result, diags, out);
}

/* For whoever waits. */
static enum err build_now(struct compile_asker *asker, const struct policy_order *order, struct diag_list *diags,
                          struct policy **out)
{
    struct compile_job job = {0};
    enum err error = start(asker, order, &job);
    if (error != ERR_NONE)
        return refuse_request(order, error, diags);
    error = wait_reply(asker, &job, job.until);
    if (error == ERR_NONE)
        error = read_end(asker, &job, order, diags, out);
    else
        error = error == ERR_NOT_FOUND ? refuse_delay(order, diags) : refuse_request(order, error, diags);
    drop(asker, &job);
    return error;
}

static bool is_of(const struct compile_job *job, const struct policy_order *order)
{
    return job->state != COMPILE_NONE && memcmp(job->fingerprint, order->fingerprint, sizeof(job->fingerprint)) == 0;
}

/* One at a time: the supervisor ends what runs for what is asked next. */
static enum err begin(struct compile_asker *asker, const struct policy_order *order, struct compile_job *job,
                      struct diag_list *diags)
{
    struct compile_job *other = &asker->jobs[order->is_shadow ? 0 : 1];
    if (order->is_shadow && other->state == COMPILE_RUNS && other->is_wanted)
        return ERR_NONE; /* its turn comes */
    drop(asker, job);
    if (other->state == COMPILE_RUNS)
        drop(asker, other);
    enum err error = start(asker, order, job);
    job->is_wanted = true;
    return error == ERR_NONE ? error : refuse_request(order, error, diags);
}

/* For whoever comes again. */
static enum err build_later(struct compile_asker *asker, const struct policy_order *order, struct diag_list *diags,
                            struct policy **out)
{
    struct compile_job *job = &asker->jobs[order->is_shadow ? 1 : 0];
    if (!is_of(job, order))
        return begin(asker, order, job, diags);
    job->is_wanted = true;
    enum err error = job->state == COMPILE_RUNS ? wait_reply(asker, job, 0) : ERR_NONE;
    if (error == ERR_NONE)
        return read_end(asker, job, order, diags, out);
    if (error == ERR_NOT_FOUND && clock_ms(CLOCK_MONOTONIC) < job->until)
        return ERR_NONE;
    drop(asker, job);
    return error == ERR_NOT_FOUND ? refuse_delay(order, diags) : refuse_request(order, error, diags);
}

enum err compile_asker_build(void *context, const struct policy_order *order, struct diag_list *diags,
                             struct policy **out)
{
    struct compile_asker *asker = context;
    if (asker->fd < 0 || !compile_is_large(asker->config, order))
        return policy_build(order->sources, order->count, diags, out);
    return order->is_later ? build_later(asker, order, diags, out) : build_now(asker, order, diags, out);
}

/* An end is kept as long as anything runs: the same order must not begin anew each time that another is looked for. */
void compile_asker_rest(void *context)
{
    struct compile_asker *asker = context;
    bool is_running = false;
    for (size_t i = 0; i < COMPILE_JOBS; i++) {
        struct compile_job *job = &asker->jobs[i];
        if (!job->is_wanted)
            drop(asker, job);
        job->is_wanted = false;
        is_running = is_running || job->state == COMPILE_RUNS;
    }
    for (size_t i = 0; i < COMPILE_JOBS && !is_running; i++)
        drop(asker, &asker->jobs[i]);
}

void compile_asker_close(struct compile_asker *asker)
{
    for (size_t i = 0; i < COMPILE_JOBS; i++)
        drop(asker, &asker->jobs[i]);
}
