/* SPDX-License-Identifier: Apache-2.0 */
#include "runlog/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FOLDER_DIGITS 20
#define FOLDER_END    "end-"

void runlog_segment_name(uint64_t start, char name[RUNLOG_NAME_SIZE])
{
    snprintf(name, RUNLOG_NAME_SIZE, "%020" PRIu64, start);
}

void runlog_end_name(uint64_t end, char name[RUNLOG_NAME_SIZE])
{
    snprintf(name, RUNLOG_NAME_SIZE, FOLDER_END "%020" PRIu64, end);
}

/* Exactly 20 digits that are a number; else false. */
static bool folder_number(const char *text, uint64_t *out)
{
    if (strlen(text) != FOLDER_DIGITS || strspn(text, "0123456789") != FOLDER_DIGITS) {
        return false;
    }
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

static void folder_add(struct runlog_listing *listing, int folder_fd, const char *name)
{
    uint64_t number = 0;
    if (strncmp(name, FOLDER_END, strlen(FOLDER_END)) == 0 &&
        folder_number(name + strlen(FOLDER_END), &number)) {
        listing->ended = true;
        listing->end = number;
        return;
    }
    struct stat status;
    if (!folder_number(name, &number) ||
        fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode)) {
        return; /* not ours, or removed to make room since it was listed */
    }
    if ((listing->count & (listing->count + 1)) == 0) { /* 0, 1, 3, 7 … */
        listing->segments = mem_realloc(
            listing->segments, 2 * (listing->count + 1) * sizeof *listing->segments);
    }
    listing->segments[listing->count++] =
        (struct runlog_segment){.start = number, .len = (uint64_t)status.st_size};
}

static int folder_order(const void *a, const void *b)
{
    uint64_t left = ((const struct runlog_segment *)a)->start;
    uint64_t right = ((const struct runlog_segment *)b)->start;
    return left < right ? -1 : left > right;
}

int runlog_list(int folder_fd, struct runlog_listing *listing, struct err *err)
{
    *listing = (struct runlog_listing){0};
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(err, ERR_IO, "log: list: %s", strerror(number));
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        folder_add(listing, folder_fd, entry->d_name);
    }
    closedir(dir);
    if (listing->count > 0) {
        qsort(listing->segments, listing->count, sizeof *listing->segments,
              folder_order);
        const struct runlog_segment *last = &listing->segments[listing->count - 1];
        if (!listing->ended) {
            listing->end = last->start + last->len;
        }
    }
    return 0;
}

void runlog_listing_close(struct runlog_listing *listing)
{
    mem_free(listing->segments);
    *listing = (struct runlog_listing){0};
}
