/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with one segment of any bytes: the reader ends, and gives payloads of
 * 1 to JOURNAL_RECORD_MAX bytes with consecutive numbers. */
#include "journal_format.h"
#include "journal_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[256], file[512], lock[512];

static void clean_up(void)
{
    unlink(file);
    unlink(lock);
    rmdir(folder);
}

static void prepare(void)
{
    uint8_t epoch[JOURNAL_EPOCH_BYTES];
    char name[JOURNAL_NAME_BYTES + 1];
    const char *base = getenv("TMPDIR");
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof(folder), "%s/journal-fuzz-XXXXXX", base != NULL ? base : P_tmpdir);
    if (mkdtemp(folder) == NULL)
        abort();
    memset(epoch, 0x42, sizeof(epoch));
    journal_name_write(epoch, 0, name);
    snprintf(file, sizeof(file), "%s/%s", folder, name);
    snprintf(lock, sizeof(lock), "%s/lock", folder);
    atexit(clean_up);
}

static void read_all(void)
{
    struct journal_reader *reader = NULL;
    struct journal_position position, last = {.sequence = 0};
    struct view payload;
    bool has_last = false;
    enum err error;
    if (journal_reader_open(folder, false, &reader) != ERR_NONE)
        abort();
    for (int calls = 0; (error = journal_reader_next(reader, &position, &payload)) != ERR_NOT_FOUND; calls++) {
        if (calls > 1000000)
            abort();
        if (error != ERR_NONE)
            continue;
        if (payload.size == 0 || payload.size > JOURNAL_RECORD_MAX)
            abort();
        if (has_last && position.sequence != last.sequence + 1)
            abort();
        last = position;
        has_last = true;
        /* Every byte is there. */
        unsigned sum = 0;
        for (size_t i = 0; i < payload.size; i++)
            sum += (unsigned char)payload.data[i];
        if (sum == UINT32_MAX)
            abort();
    }
    journal_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    int fd = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    read_all();
    return 0;
}
