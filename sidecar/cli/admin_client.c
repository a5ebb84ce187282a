/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_client.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct deadline {
    int64_t at_ms; /* CLOCK_MONOTONIC */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum err wait_for(int fd, short events, const struct deadline *deadline)
{
    for (;;) {
        int64_t left = deadline->at_ms - clock_ms(CLOCK_MONOTONIC);
        struct pollfd poller = {.fd = fd, .events = events};
        int ready = left > 0 ? poll(&poller, 1, (int)left) : 0;
        if (ready > 0)
            return ERR_NONE;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return ERR_IO;
        }
        if (errno != EINTR)
            return ERR_IO;
    }
}

/* A unix connect does not wait unless the backlog is full, which is EAGAIN here and as good as nobody listening. */
static enum err connect_to(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return ERR_IO;
    }
    memcpy(address.sun_path, path, size + 1);
    AUTO(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ERR_IO;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return errno == ENOENT || errno == ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO;
    *out = fd;
    fd = -1;
    return ERR_NONE;
}

static enum err send_all(int fd, struct view bytes, const struct deadline *deadline)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent > 0)
            bytes = view_slice(bytes, (size_t)sent, bytes.size);
        else if (errno == EAGAIN)
            TRY(wait_for(fd, POLLOUT, deadline));
        else if (errno != EINTR)
            return ERR_IO;
    }
    return ERR_NONE;
}

static enum err receive_all(int fd, char *buffer, size_t *size, const struct deadline *deadline)
{
    *size = 0;
    for (;;) {
        ssize_t got = recv(fd, buffer + *size, ADMIN_ANSWER_MAX + 1 - *size, 0);
        if (got == 0)
            return ERR_NONE;
        if (got > 0)
            *size += (size_t)got;
        else if (errno == EAGAIN)
            TRY(wait_for(fd, POLLIN, deadline));
        else if (errno != EINTR)
            return ERR_IO;
        if (*size > ADMIN_ANSWER_MAX)
            return ERR_LIMIT;
    }
}

/* The value of Content-Length among the header lines, if there is one: what is shorter broke off. */
static bool length_fits(struct view head, size_t size)
{
    size_t at = view_index_of(head, '\n', 0) + 1;
    while (at < head.size) {
        size_t end = view_index_of(head, '\n', at);
        struct view line = view_slice(head, at, end);
        static const struct view name = {"content-length:", 15};
        at = end + 1;
        if (!view_equals_ignoring_case(view_slice(line, 0, name.size), name))
            continue;
        struct view value = view_slice(line, name.size, line.size);
        while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
            value = view_slice(value, 1, value.size);
        while (value.size > 0 && (value.data[value.size - 1] == '\r' || value.data[value.size - 1] == ' '))
            value = view_slice(value, 0, value.size - 1);
        uint64_t length = 0;
        if (!view_to_u64(value, &length) || length != size)
            return false;
    }
    return true;
}

enum err admin_answer_parse(struct view bytes, struct admin_answer *out)
{
    /* status-line = "HTTP/1." DIGIT SP 3DIGIT SP ... CRLF */
    struct view start = VIEW("HTTP/1.");
    if (!view_starts_with(bytes, start) || bytes.size < 13 || bytes.data[8] != ' ')
        return ERR_MALFORMED;
    uint64_t status = 0;
    if (!view_to_u64(view_slice(bytes, 9, 12), &status) || status < 100 || status > 599 ||
        (bytes.data[12] != ' ' && bytes.data[12] != '\r'))
        return ERR_MALFORMED;
    const char *end = memmem(bytes.data, bytes.size, "\r\n\r\n", 4);
    if (end == NULL)
        return ERR_MALFORMED;
    size_t head = (size_t)(end - bytes.data) + 2;
    struct view body = view_slice(bytes, head + 2, bytes.size);
    if (!length_fits(view_slice(bytes, 0, head), body.size))
        return ERR_MALFORMED;
    *out = (struct admin_answer){.status = (int)status, .body = body};
    return ERR_NONE;
}

enum err admin_request(const char *socket, const char *method, const char *path, int timeout_ms, struct arena *arena,
                       struct admin_answer *out)
{
    const struct deadline deadline = {clock_ms(CLOCK_MONOTONIC) + timeout_ms};
    struct view request = arena_print(
        arena, "%s %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, path);
    char *buffer = arena_take(arena, ADMIN_ANSWER_MAX + 1);
    if (!view_is_present(request) || buffer == NULL)
        return ERR_NO_MEMORY;
    AUTO(close_fd) int fd = -1;
    size_t size = 0;
    TRY(connect_to(socket, &fd));
    TRY(send_all(fd, request, &deadline));
    TRY(receive_all(fd, buffer, &size, &deadline));
    return admin_answer_parse((struct view){buffer, size}, out);
}
