/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by name, from the machine's copy of the IANA database. Each is read
 * once for a set and embedded in its model. */
#include "folder_file.h"
#include "load.h"
#include "tzif.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* The whole file into `scratch`. Some files are symbolic links to others. */
static enum err read_bytes(const char *path, struct arena *scratch, struct view *out)
{
    AUTO(descriptor_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    char *bytes = arena_take(scratch, TZIF_BYTES_MAX + 1);
    size_t size = 0;
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    if (fd < 0 || fstat(fd, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_FOUND;
    while (size <= TZIF_BYTES_MAX) {
        ssize_t got = read(fd, bytes + size, TZIF_BYTES_MAX + 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *out = (struct view){.data = bytes, .size = size};
    return ERR_NONE;
}

static void refuse(struct load *load, const struct node *node, enum err err)
{
    bool has_database = access(ZONE_FOLDER, X_OK) == 0;
    if (err == ERR_NOT_FOUND && !has_database)
        load_refuse(load, CODE_TIME_ZONE, node, "install tzdata, or write tz: UTC and the times in UTC",
                    "tz `%.*s`: this machine has no " ZONE_FOLDER, VIEW_ARG(node->text));
    else if (err == ERR_NOT_FOUND)
        load_refuse(load, CODE_TIME_ZONE, node, "write a name of the IANA database, such as Europe/Paris, or UTC",
                    "tz `%.*s`: this machine's database has no such zone", VIEW_ARG(node->text));
    else
        load_refuse(load, CODE_TIME_ZONE, node, NULL, "tz `%.*s`: " ZONE_FOLDER "/%.*s cannot be used: %s",
                    VIEW_ARG(node->text), VIEW_ARG(node->text), err_text(err));
}

static const struct time_zone *read_zone(struct load *load, const struct node *node)
{
    char path[sizeof(ZONE_FOLDER) + 80];
    struct view bytes;
    struct time_zone *zone = load_take(load, 1, sizeof(*zone));
    if (zone == NULL)
        return NULL;
    (void)snprintf(path, sizeof(path), ZONE_FOLDER "/%.*s", VIEW_ARG(node->text));
    enum err err = read_bytes(path, load->scratch, &bytes);
    if (err == ERR_NONE)
        err = tzif_parse(bytes, load->arena, zone);
    if (err == ERR_NO_MEMORY)
        load->is_exhausted = true;
    else if (err != ERR_NONE)
        refuse(load, node, err);
    zone->name = load_keep(load, node->text);
    return err == ERR_NONE ? zone : NULL;
}

void load_zone(struct load *load, const struct node *node, void *out)
{
    const struct time_zone **zone = out;
    if (!load_is(load, node, NODE_SCALAR, "tz") || view_equals(node->text, VIEW("UTC")))
        return;
    if (!time_zone_is_name(node->text)) {
        load_refuse(load, CODE_TIME_ZONE, node, "write a name of the IANA database, such as Europe/Paris, or UTC",
                    "`%.*s` is not the name of a time zone", VIEW_ARG(node->text));
        return;
    }
    for (const struct zone_node *known = load->zones; known != NULL; known = known->next)
        if (view_equals(known->zone->name, node->text)) {
            *zone = known->zone;
            return;
        }
    struct zone_node *made = arena_take(load->scratch, sizeof(*made));
    *zone = made != NULL ? read_zone(load, node) : NULL;
    if (made == NULL)
        load->is_exhausted = true;
    if (*zone == NULL)
        return;
    *made = (struct zone_node){.zone = *zone, .next = load->zones};
    load->zones = made;
}
