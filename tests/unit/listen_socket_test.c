/* SPDX-License-Identifier: Apache-2.0 */
#include "listen_socket.h"

#include "small_folder.h"

#include <arpa/inet.h>
#include <sys/socket.h>

struct fixture {
    struct small_folder folder;
    struct listener_config config;
    struct listen_socket first, second;
    char path[160];
    char why[LISTEN_WHY_MAX];
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){.first = {.fd = -1}, .second = {.fd = -1}};
    small_folder_make(&f.folder);
    (void)snprintf(f.path, sizeof(f.path), "%s/s", f.folder.path);
    f.config = (struct listener_config){.kind = LISTENER_UNIX, .path = f.path, .mode = 0640};
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    listen_socket_close(&f->first);
    listen_socket_close(&f->second);
    small_folder_remove(&f->folder);
    return 0;
}

static void a_socket_has_the_mode_asked_for_and_goes_with_its_owner(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    assert_int_equal(lstat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    listen_socket_close(&f->first);
    assert_int_equal(f->first.fd, -1);
    assert_int_not_equal(lstat(f->path, &info), 0);
}

static void a_live_server_keeps_its_socket(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    assert_int_equal(listen_socket_open(&f->config, &f->second, f->why), ERR_CONFLICT);
    assert_int_equal(f->second.fd, -1);
    assert_non_null(strstr(f->why, "another server is listening"));
    assert_int_equal(access(f->path, F_OK), 0);
}

static void a_dead_servers_socket_is_replaced_and_not_removed_by_the_dead_ones_owner(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    assert_int_equal(shutdown(f->first.fd, SHUT_RDWR), 0);
    assert_int_equal(listen_socket_open(&f->config, &f->second, f->why), ERR_NONE);
    f->first.inode = f->second.inode + 1; /* a file system may give the number again */
    listen_socket_close(&f->first);
    assert_int_equal(access(f->path, F_OK), 0);
}

static void a_plain_file_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    small_folder_put_bytes(&f->folder, "s", "x", 1);
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_CONFLICT);
    assert_int_equal(lstat(f->path, &info), 0);
    assert_int_equal(info.st_size, 1);
}

static void an_unknown_group_is_not_found_and_leaves_no_socket(void **state)
{
    struct fixture *f = *state;
    f->config.group = "no-such-group-here";
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NOT_FOUND);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void the_folder_is_made_but_not_the_one_above_it(void **state)
{
    struct fixture *f = *state;
    (void)snprintf(f->path, sizeof(f->path), "%s/a/s", f->folder.path);
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    listen_socket_close(&f->first);
    (void)snprintf(f->path, sizeof(f->path), "%s/b/c/s", f->folder.path);
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_IO);
}

static void a_path_of_107_bytes_is_taken_and_of_108_refused(void **state)
{
    struct fixture *f = *state;
    size_t size = strlen(f->path);
    memset(f->path + size, 's', 108 - size);
    f->path[107] = '\0';
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    listen_socket_close(&f->first);
    f->path[107] = 's';
    f->path[108] = '\0';
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_CONFLICT);
}

static void a_loopback_port_is_had_once_and_a_name_is_no_address(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {0};
    socklen_t size = sizeof(address);
    f->config = (struct listener_config){.kind = LISTENER_TCP, .host = "127.0.0.1"};
    assert_int_equal(listen_socket_open(&f->config, &f->first, f->why), ERR_NONE);
    assert_int_equal(getsockname(f->first.fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
    f->config.port = ntohs(address.sin_port);
    assert_int_equal(listen_socket_open(&f->config, &f->second, f->why), ERR_CONFLICT);
    f->config.host = "localhost";
    assert_int_equal(listen_socket_open(&f->config, &f->second, f->why), ERR_CONFLICT);
    assert_non_null(strstr(f->why, "is no IP address"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_socket_has_the_mode_asked_for_and_goes_with_its_owner),
        CASE(a_live_server_keeps_its_socket),
        CASE(a_dead_servers_socket_is_replaced_and_not_removed_by_the_dead_ones_owner),
        CASE(a_plain_file_is_left_alone),
        CASE(an_unknown_group_is_not_found_and_leaves_no_socket),
        CASE(the_folder_is_made_but_not_the_one_above_it),
        CASE(a_path_of_107_bytes_is_taken_and_of_108_refused),
        CASE(a_loopback_port_is_had_once_and_a_name_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
