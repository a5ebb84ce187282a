/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

enum { SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };

static enum err refuse(const char **why, const char *phrase)
{
    *why = phrase;
    return ERR_MALFORMED;
}

/* Moves *text behind `scheme`, which may be in either case. */
static bool take_scheme(struct view *text, struct view scheme)
{
    bool is_there = view_equals_ignoring_case(view_slice(*text, 0, scheme.size), scheme);
    *text = is_there ? view_slice(*text, scheme.size, text->size) : *text;
    return is_there;
}

static bool is_printable(struct view text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return false;
    return true;
}

static bool has(struct view text, char byte)
{
    return view_index_of(text, byte, 0) < text.size;
}

static enum err read_unix(struct view rest, char target[WORKLOAD_ENDPOINT_TARGET_MAX], const char **why)
{
    if (has(rest, '?') || has(rest, '#'))
        return refuse(why, "a unix address has no query and no fragment");
    if (has(rest, '%'))
        return refuse(why, "the path of a unix address is written without escapes");
    if (view_is_empty(rest) || rest.data[0] != '/' || rest.size == 1)
        return refuse(why, "a unix address is unix:// and an absolute path, without a host");
    if (rest.size > SOCKET_PATH_MAX)
        return refuse(why, "the path is too long for a unix socket");
    (void)snprintf(target, WORKLOAD_ENDPOINT_TARGET_MAX, "unix:%.*s", VIEW_ARG(rest));
    return ERR_NONE;
}

static bool is_ip(struct view host, int family)
{
    char literal[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.size >= sizeof literal)
        return false;
    memcpy(literal, view_bytes(host), host.size);
    literal[host.size] = '\0';
    return inet_pton(family, literal, bytes) == 1;
}

static enum err read_tcp(struct view rest, char target[WORKLOAD_ENDPOINT_TARGET_MAX], const char **why)
{
    if (has(rest, '@'))
        return refuse(why, "a tcp address names no user");
    if (has(rest, '/') || has(rest, '?') || has(rest, '#'))
        return refuse(why, "a tcp address is tcp://IP:PORT alone, without path, query or fragment");
    bool is_ipv6 = view_starts_with(rest, VIEW("["));
    size_t end = is_ipv6 ? view_index_of(rest, ']', 0) : view_index_of(rest, ':', 0);
    struct view host = view_slice(rest, is_ipv6 ? 1 : 0, end);
    if (!is_ip(host, is_ipv6 ? AF_INET6 : AF_INET))
        return refuse(why, "the host of a tcp address is an IP address");
    struct view port = view_slice(rest, end + (is_ipv6 ? 1 : 0), rest.size);
    uint64_t number = 0;
    if (!view_starts_with(port, VIEW(":")) || !view_to_u64(view_slice(port, 1, port.size), &number) || number < 1 ||
        number > 65535)
        return refuse(why, "a tcp address has a port from 1 to 65535");
    (void)snprintf(target, WORKLOAD_ENDPOINT_TARGET_MAX, is_ipv6 ? "ipv6:[%.*s]:%u" : "ipv4:%.*s:%u", VIEW_ARG(host),
                   (unsigned)number);
    return ERR_NONE;
}

enum err workload_endpoint_parse(struct view text, char target[WORKLOAD_ENDPOINT_TARGET_MAX], const char **why)
{
    if (!is_printable(text))
        return refuse(why, "an address is printable ASCII without spaces");
    if (take_scheme(&text, VIEW("unix://")))
        return read_unix(text, target, why);
    if (take_scheme(&text, VIEW("tcp://")))
        return read_tcp(text, target, why);
    return refuse(why, "an address begins with unix:// or tcp://");
}
