/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include "listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, FOLDER_MODE = 0755 };

static enum err fail(enum err error, const char *path, const char *what, char why[LISTEN_WHY_MAX])
{
    if (error == ERR_IO)
        (void)snprintf(why, LISTEN_WHY_MAX, "%s: %s: %s", path, what, strerror(errno));
    else
        (void)snprintf(why, LISTEN_WHY_MAX, "%s: %s", path, what);
    return error;
}

static enum err fill_address(const char *path, struct sockaddr_un *address, char why[LISTEN_WHY_MAX])
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof(address->sun_path))
        return fail(ERR_CONFLICT, path, "the path of a unix socket is at most 107 bytes", why);
    memcpy(address->sun_path, path, size);
    return ERR_NONE;
}

static void make_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;
    if (size == 0 || size >= sizeof(folder))
        return;
    memcpy(folder, path, size);
    folder[size] = '\0';
    (void)mkdir(folder, FOLDER_MODE); /* what is wrong with it, bind will say */
}

/* Makes way: a socket file that nobody listens at is left over from a death. */
static enum err clear_path(const char *path, const struct sockaddr_un *address, char why[LISTEN_WHY_MAX])
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? ERR_NONE : fail(ERR_IO, path, "cannot be looked at", why);
    if (!S_ISSOCK(info.st_mode))
        return fail(ERR_CONFLICT, path, "something that is not a socket stands there; it is left alone", why);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return fail(ERR_IO, path, "no socket", why);
    int result = connect(probe, (const struct sockaddr *)address, sizeof(*address));
    int reason = result == 0 ? 0 : errno;
    (void)close(probe);
    errno = reason;
    if (result == 0 || reason == EAGAIN)
        return fail(ERR_CONFLICT, path, "another server is listening there; stop it first", why);
    if (reason != ECONNREFUSED)
        return fail(ERR_IO, path, "cannot tell whether a server is listening there", why);
    return unlink(path) == 0 || errno == ENOENT ? ERR_NONE
                                                : fail(ERR_IO, path, "a left-over socket cannot be removed", why);
}

static enum err set_owner(const struct listener_config *config, char why[LISTEN_WHY_MAX])
{
    if (config->group != NULL) {
        const struct group *group = getgrnam(config->group);
        if (group == NULL)
            return fail(ERR_NOT_FOUND, config->path, "there is no such group on this machine", why);
        if (lchown(config->path, (uid_t)-1, group->gr_gid) != 0)
            return fail(ERR_IO, config->path, "its group cannot be set", why);
    }
    if (chmod(config->path, config->mode) != 0)
        return fail(ERR_IO, config->path, "its mode cannot be set", why);
    return ERR_NONE;
}

static enum err open_unix(const struct listener_config *config, struct listen_socket *out, char why[LISTEN_WHY_MAX])
{
    struct sockaddr_un address;
    struct stat info;
    TRY(fill_address(config->path, &address, why));
    make_folder(config->path);
    TRY(clear_path(config->path, &address, why));
    out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0)
        return fail(ERR_IO, config->path, "no socket", why);
    mode_t before = umask(0177); /* never wider than asked for, not even for a moment */
    int bound = bind(out->fd, (const struct sockaddr *)&address, sizeof(address));
    (void)umask(before);
    if (bound != 0)
        return fail(ERR_IO, config->path, "cannot be made", why);
    if (lstat(config->path, &info) == 0) {
        out->device = info.st_dev;
        out->inode = info.st_ino;
    }
    TRY(set_owner(config, why));
    return listen(out->fd, BACKLOG) == 0 ? ERR_NONE : fail(ERR_IO, config->path, "cannot listen", why);
}

static enum err open_tcp(const struct listener_config *config, struct listen_socket *out, char why[LISTEN_WHY_MAX])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(config->port)};
    char name[128];
    int one = 1;
    (void)snprintf(name, sizeof(name), "%s port %u", config->host[0] != '\0' ? config->host : "every address",
                   config->port);
    bool is_v4 = config->host[0] == '\0' || inet_pton(AF_INET, config->host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, config->host, &v6.sin6_addr) != 1)
        return fail(ERR_CONFLICT, name, "is no IP address", why);
    out->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0 || setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
        return fail(ERR_IO, name, "no socket", why);
    const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    if (bind(out->fd, address, is_v4 ? sizeof(v4) : sizeof(v6)) != 0)
        return errno == EADDRINUSE ? fail(ERR_CONFLICT, name, "another server is listening there; stop it first", why)
                                   : fail(ERR_IO, name, "cannot be bound", why);
    return listen(out->fd, BACKLOG) == 0 ? ERR_NONE : fail(ERR_IO, name, "cannot listen", why);
}

enum err listen_socket_open(const struct listener_config *config, struct listen_socket *out, char why[LISTEN_WHY_MAX])
{
    *out = (struct listen_socket){.fd = -1, .config = config};
    enum err result = config->kind == LISTENER_UNIX ? open_unix(config, out, why) : open_tcp(config, out, why);
    if (result != ERR_NONE)
        listen_socket_close(out);
    return result;
}

void listen_socket_close(struct listen_socket *socket)
{
    struct stat info;
    if (socket->fd < 0)
        return;
    (void)close(socket->fd);
    socket->fd = -1;
    if (socket->inode != 0 && lstat(socket->config->path, &info) == 0 && info.st_dev == socket->device &&
        info.st_ino == socket->inode)
        (void)unlink(socket->config->path);
}
