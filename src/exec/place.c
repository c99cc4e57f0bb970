/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "exec/files.h"
#include "exec/starter.h"
#include "runlog/writer.h"

#define PLACE_RUNS  "runs"
#define PLACE_WORK  "work"
#define PLACE_DEPTH 8 /* of a run's folder; ours have two levels */

/* --- the folders
 * -------------------------------------------------------------------------- */

static char *make_folder(const char *data_dir, const char *name, struct err *err)
{
    char *path = mem_printf("%s/%s", data_dir, name);
    /* 0711: data_dir is 0700 unless runs have a user of their own, who must get
     * through. */
    if ((mkdir(path, 0711) != 0 && errno != EEXIST) || chmod(path, 0711) != 0) {
        err_set(err, ERR_IO, "%s: create: %s", path, strerror(errno));
        mem_free(path);
        return NULL;
    }
    return path;
}

int place_open(struct place *place, const struct exec_options *options, struct err *err)
{
    *place = (struct place){
        .runs_fd = -1,
        .node = options->node,
        .log_bytes = options->log_bytes > 0 ? options->log_bytes : EXEC_LOG_BYTES,
        .containment = options->containment,
        .cgroup = mem_strdup(options->cgroup != NULL ? options->cgroup : ""),
        .pid_namespace = process_pid_namespace(),
    };
    if (place->log_bytes < RUNLOG_MIN_BYTES) {
        place->log_bytes = RUNLOG_MIN_BYTES;
    }
    process_boot_id(place->boot);
    char *data_dir = realpath(options->data_dir, NULL);
    if (data_dir == NULL) {
        err_set(err, ERR_IO, "%s: %s", options->data_dir, strerror(errno));
        place_close(place);
        return ERR_IO;
    }
    place->runs = make_folder(data_dir, PLACE_RUNS, err);
    place->work = place->runs != NULL ? make_folder(data_dir, PLACE_WORK, err) : NULL;
    free(data_dir);
    if (place->work != NULL) {
        place->runs_fd = open(place->runs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        place->starter =
            starter_new(options->program != NULL ? options->program : "/proc/self/exe",
                        place->runs);
    }
    if (place->runs_fd < 0) {
        int failed = place->work == NULL ? ERR_IO
                                         : err_set(err, ERR_IO, "%s: open: %s",
                                                   place->runs, strerror(errno));
        place_close(place);
        return failed;
    }
    return 0;
}

void place_close(struct place *place)
{
    if (place->runs_fd >= 0) {
        close(place->runs_fd);
    }
    mem_free(place->runs);
    mem_free(place->work);
    starter_free(place->starter);
    mem_free(place->cgroup);
    *place = (struct place){.runs_fd = -1};
}

static void run_name(uint64_t run, char name[32])
{
    snprintf(name, 32, "%" PRIu64, run);
}

int place_folder(const struct place *place, uint64_t run)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    char name[32];
    run_name(run, name);
    int fd = openat(place->runs_fd, name, flags);
    if (fd < 0 && errno == EACCES && /* a program of the node's own user can do that */
        fchmodat(place->runs_fd, name, FILES_MODE, 0) == 0) {
        fd = openat(place->runs_fd, name, flags);
    }
    return fd;
}

bool place_has_none(int number)
{
    return number == ENOENT || number == ENOTDIR || number == ELOOP;
}

char *exec_log_folder(const char *data_dir, uint64_t run)
{
    return mem_printf("%s/" PLACE_RUNS "/%" PRIu64 "/" FILES_LOG, data_dir, run);
}

int place_connect(int folder_fd)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* A name of its own for the folder: its path may be longer than a socket's may. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path,
             "/proc/self/fd/%d/" FILES_SOCKET, folder_fd);
    int failed = connect(fd, (struct sockaddr *)&address, sizeof address);
    if (failed != 0 && errno == EACCES && fchmod(folder_fd, FILES_MODE) == 0) {
        failed = connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    if (failed != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

void place_end_log(int folder_fd)
{
    int fd =
        openat(folder_fd, FILES_LOG, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        runlog_end(fd);
        close(fd);
    }
}

/* --- the list
 * ------------------------------------------------------------------------------- */

/* A folder's name that is a run's id; 0: it is not. */
static uint64_t run_of(const char *name)
{
    if (name[0] < '1' || name[0] > '9' || strspn(name, "0123456789") != strlen(name) ||
        strlen(name) > 20) {
        return 0;
    }
    errno = 0;
    uint64_t run = strtoull(name, NULL, 10);
    return errno == 0 ? run : 0;
}

static uint64_t bytes_below(int folder_fd, int depth)
{
    uint64_t bytes = 0;
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct stat status;
        if (strcmp(entry->d_name, "..") == 0 ||
            fstatat(folder_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        bytes += (uint64_t)status.st_blocks * 512;
        if (S_ISDIR(status.st_mode) && entry->d_name[0] != '.' && depth > 0) {
            int below = openat(folder_fd, entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0) {
                bytes += bytes_below(below, depth - 1);
                close(below);
            }
        }
    }
    if (dir != NULL) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    return bytes;
}

static bool measure(int folder_fd, uint64_t run, struct place_kept *kept)
{
    struct stat status;
    if (fstatat(folder_fd, FILES_REPORTED, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    *kept = (struct place_kept){
        .run = run,
        .bytes = bytes_below(folder_fd, PLACE_DEPTH),
        .wall_ms = (uint64_t)status.st_mtim.tv_sec * 1000,
    };
    return true;
}

bool place_is_kept(const struct place *place, uint64_t run)
{
    char name[64];
    snprintf(name, sizeof name, "%" PRIu64 "/" FILES_REPORTED, run);
    return faccessat(place->runs_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool place_put_away(const struct place *place, uint64_t run, struct place_kept *kept)
{
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        return false;
    }
    int fd = openat(folder_fd, FILES_REPORTED,
                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    bool there = measure(folder_fd, run, kept);
    close(folder_fd);
    return there;
}

#define GROW(array, count)                                                             \
    do {                                                                               \
        if (((count) & ((count) + 1)) == 0) { /* 0, 1, 3, 7 … */                     \
            (array) = mem_realloc((array), 2 * ((count) + 1) * sizeof *(array));       \
        }                                                                              \
    } while (0)

static int list_one(const struct place *place, uint64_t run, struct place_list *list,
                    struct err *err)
{
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0 && place_has_none(errno)) {
        return 0;
    }
    if (folder_fd < 0) {
        return err_set(err, ERR_IO, "%s/%" PRIu64 ": open: %s", place->runs, run,
                       strerror(errno));
    }
    struct place_kept kept;
    if (measure(folder_fd, run, &kept)) {
        GROW(list->kept, list->kept_count);
        list->kept[list->kept_count++] = kept;
    } else {
        GROW(list->open, list->open_count);
        list->open[list->open_count++] = run;
    }
    close(folder_fd);
    return 0;
}

static int order_of_runs(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static int order_of_kept(const void *a, const void *b)
{
    return order_of_runs(&((const struct place_kept *)a)->run,
                         &((const struct place_kept *)b)->run);
}

/* All of them, or an error: what is left out could be alive. */
static int list_all(const struct place *place, DIR *dir, struct place_list *list,
                    struct err *err)
{
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        uint64_t run = run_of(entry->d_name);
        int failed = run != 0 ? list_one(place, run, list, err) : 0;
        if (failed != 0) {
            return failed;
        }
    }
    return errno == 0
               ? 0
               : err_set(err, ERR_IO, "%s: list: %s", place->runs, strerror(errno));
}

int place_scan(const struct place *place, struct place_list *list, struct err *err)
{
    *list = (struct place_list){0};
    int fd = openat(place->runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(err, ERR_IO, "%s: list: %s", place->runs, strerror(number));
    }
    int failed = list_all(place, dir, list, err);
    closedir(dir);
    if (failed != 0) {
        return failed;
    }
    if (list->open_count > 0) {
        qsort(list->open, list->open_count, sizeof *list->open, order_of_runs);
    }
    if (list->kept_count > 0) {
        qsort(list->kept, list->kept_count, sizeof *list->kept, order_of_kept);
    }
    return 0;
}

void place_list_close(struct place_list *list)
{
    mem_free(list->open);
    mem_free(list->kept);
    *list = (struct place_list){0};
}

/* --- removing
 * --------------------------------------------------------------------------------- */

static void empty_folder(int folder_fd, int depth)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, FILES_REPORTED) == 0) {
            continue; /* that one last: a folder that is half gone was reported */
        }
        int below = depth > 0 ? openat(folder_fd, entry->d_name,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                              : -1;
        if (below >= 0) {
            empty_folder(below, depth - 1);
            close(below);
            unlinkat(folder_fd, entry->d_name, AT_REMOVEDIR);
        } else {
            unlinkat(folder_fd, entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
}

void place_remove(const struct place *place, uint64_t run)
{
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        return;
    }
    empty_folder(folder_fd, PLACE_DEPTH);
    unlinkat(folder_fd, FILES_REPORTED, 0);
    close(folder_fd);
    char name[32];
    run_name(run, name);
    unlinkat(place->runs_fd, name, AT_REMOVEDIR);
}
