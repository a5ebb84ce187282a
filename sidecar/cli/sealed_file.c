/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_file.h"

#include "cli.h"
#include "commands.h"
#include "folder_file.h"

#include <errno.h>
#include <stdio.h>

enum { KEY_FILE_MAX = 16 * 1024, FILE_MODE = 0644 };

static int complain(const char *path, enum err err)
{
    fprintf(stderr, "bartizan: %s: %s\n", path, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

int sealed_file_key(const char *path, struct arena *arena, struct policy_key **out)
{
    struct view pem;
    enum err err = read_whole(path, KEY_FILE_MAX, arena, &pem);
    if (err != ERR_NONE)
        return complain(path, err);
    err = policy_key_read_private(pem, out);
    if (err == ERR_MALFORMED || err == ERR_UNSUPPORTED) {
        fprintf(stderr, "bartizan: %s: an unencrypted Ed25519 private key in PEM is expected here\n", path);
        return EXIT_SIGNATURE;
    }
    return err == ERR_NONE ? EXIT_GOOD : complain(path, err);
}

void sealed_file_key_free(struct policy_key **key)
{
    policy_key_free(*key);
}

static enum err replace(const char *path, struct view bytes)
{
    AUTO(descriptor_close) int folder = -1;
    const char *name = NULL;
    TRY(folder_file_open(path, &folder, &name));
    return folder_file_replace(folder, name, FILE_MODE, bytes);
}

int sealed_file_write(const char *path, struct view bytes)
{
    enum err err = replace(path, bytes);
    return err == ERR_NONE ? EXIT_GOOD : complain(path, err);
}
