/* SPDX-License-Identifier: Apache-2.0 */
#include "text/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int refuse(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no time zone '%s' in %s", name,
                   ZONE_FOLDER);
}

/* A folder (America) and a device are no zones either: the kind is looked at before
 * anything is read. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* How many bytes were read, up to `capacity`; -1 on an error. */
static ssize_t read_all(int fd, uint8_t *data, size_t capacity)
{
    size_t len = 0;
    while (len < capacity) {
        ssize_t got = read(fd, data + len, capacity - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    return (ssize_t)len;
}

int zone_load(const char *name, struct zone **out, struct err *err)
{
    *out = NULL;
    if (!zone_name_sound(name, strlen(name))) {
        return err_set(err, ERR_INVALID, "not a name of a time zone: '%.64s'", name);
    }
    if (strcmp(name, "UTC") == 0) {
        return 0;
    }
    char path[sizeof ZONE_FOLDER + 1 + ZONE_NAME_MAX];
    snprintf(path, sizeof path, ZONE_FOLDER "/%s", name);
    int fd = open_file(path);
    if (fd < 0) {
        return refuse(name, err);
    }
    uint8_t *data = mem_alloc(ZONE_FILE_BYTES_MAX + 1);
    ssize_t len = read_all(fd, data, ZONE_FILE_BYTES_MAX + 1);
    close(fd);
    int rc = len < 0 ? refuse(name, err) : zone_parse(data, (size_t)len, out, err);
    mem_free(data);
    return rc == ERR_INVALID ? err_prefix(err, "time zone '%s'", name) : rc;
}
