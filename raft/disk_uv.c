/* SPDX-License-Identifier: Apache-2.0 */
/* The real disk: a folder held by a descriptor, so that a renamed parent does not
 * matter; jobs run in libuv's pool. The lock is flock() on a file LOCK, which list()
 * hides. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "raft/disk.h"

#define DISK_LOCK_NAME "LOCK"

struct disk_uv {
    struct disk disk; /* first: a struct disk * is a struct disk_uv * */
    uv_loop_t *loop;
    char *path;
    int folder_fd;
    int lock_fd; /* -1 = not held */
};

struct disk_file {
    struct disk_uv *disk;
    char *name;
    int fd;
    uint64_t size;
    bool grown; /* since the last sync: its metadata must reach the disk as well */
};

static struct disk_uv *disk_uv_of(struct disk *disk)
{
    return (struct disk_uv *)disk;
}

static int disk_uv_fail(const struct disk_uv *disk, const char *name, const char *what,
                        struct err *err)
{
    int number = errno;
    enum err_code code = ERR_IO;
    if (number == ENOSPC || number == EDQUOT) {
        code = ERR_FULL;
    } else if (number == ENOENT) {
        code = ERR_NOT_FOUND;
    }
    return err_set(err, code, "%s/%s: %s: %s", disk->path, name, what,
                   strerror(number));
}

static int disk_uv_open_file(struct disk *base, const char *name,
                             enum disk_open_mode mode, struct disk_file **out,
                             struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    assert(strchr(name, '/') == NULL);
    int flags = O_CLOEXEC | O_NOFOLLOW;
    switch (mode) {
    case DISK_READ:
        flags |= O_RDONLY;
        break;
    case DISK_WRITE:
        flags |= O_RDWR;
        break;
    case DISK_CREATE:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    int fd = openat(disk->folder_fd, name, flags, 0600);
    if (fd < 0) {
        return disk_uv_fail(disk, name, "open", err);
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        int result = disk_uv_fail(disk, name, "stat", err);
        close(fd);
        return result;
    }
    struct disk_file *file = mem_zalloc(sizeof *file);
    *file = (struct disk_file){
        .disk = disk,
        .name = mem_strdup(name),
        .fd = fd,
        .size = (uint64_t)status.st_size,
        .grown = mode == DISK_CREATE,
    };
    *out = file;
    return 0;
}

static void disk_uv_close_file(struct disk_file *file)
{
    if (file == NULL) {
        return;
    }
    close(file->fd);
    mem_free(file->name);
    mem_free(file);
}

static int disk_uv_size(struct disk_file *file, uint64_t *out, struct err *err)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        return disk_uv_fail(file->disk, file->name, "stat", err);
    }
    *out = (uint64_t)status.st_size;
    return 0;
}

static int disk_uv_read(struct disk_file *file, uint64_t offset, void *data, size_t len,
                        struct err *err)
{
    uint8_t *at = data;
    size_t left = len;
    uint64_t from = offset;
    while (left > 0) {
        ssize_t got = pread(file->fd, at, left, (off_t)from);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return disk_uv_fail(file->disk, file->name, "read", err);
        }
        if (got == 0) {
            return err_set(
                err, ERR_CORRUPT, "%s/%s: ends at offset %llu, %zu bytes are missing",
                file->disk->path, file->name, (unsigned long long)from, left);
        }
        at += got;
        left -= (size_t)got;
        from += (uint64_t)got;
    }
    return 0;
}

static int disk_uv_write(struct disk_file *file, uint64_t offset, const void *data,
                         size_t len, struct err *err)
{
    const uint8_t *at = data;
    size_t left = len;
    uint64_t to = offset;
    while (left > 0) {
        ssize_t put = pwrite(file->fd, at, left, (off_t)to);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return disk_uv_fail(file->disk, file->name, "write", err);
        }
        at += put;
        left -= (size_t)put;
        to += (uint64_t)put;
    }
    if (to > file->size) {
        file->size = to;
        file->grown = true;
    }
    return 0;
}

static int disk_uv_sync(struct disk_file *file, struct err *err)
{
    int result = file->grown ? fsync(file->fd) : fdatasync(file->fd);
    if (result != 0) {
        return disk_uv_fail(file->disk, file->name, "sync", err);
    }
    file->grown = false;
    return 0;
}

static int disk_uv_rename(struct disk *base, const char *from, const char *to,
                          struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    if (renameat(disk->folder_fd, from, disk->folder_fd, to) != 0) {
        return disk_uv_fail(disk, from, "rename", err);
    }
    return 0;
}

static int disk_uv_remove(struct disk *base, const char *name, struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    if (unlinkat(disk->folder_fd, name, 0) != 0) {
        return disk_uv_fail(disk, name, "remove", err);
    }
    return 0;
}

static int disk_uv_sync_folder(struct disk *base, struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    if (fsync(disk->folder_fd) != 0) {
        return disk_uv_fail(disk, ".", "sync", err);
    }
    return 0;
}

struct disk_uv_names {
    char **name;
    size_t count;
};

static int disk_uv_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int disk_uv_collect(struct disk_uv *disk, DIR *folder,
                           struct disk_uv_names *names, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            return errno != 0 ? disk_uv_fail(disk, ".", "list", err) : 0;
        }
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            strcmp(name, DISK_LOCK_NAME) == 0) {
            continue;
        }
        struct stat status;
        if (fstatat(disk->folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            return disk_uv_fail(disk, name, "stat", err);
        }
        if (!S_ISREG(status.st_mode)) {
            return err_set(err, ERR_INVALID, "%s/%s: is not a regular file", disk->path,
                           name);
        }
        names->name = mem_realloc(names->name, (names->count + 1) * sizeof(char *));
        names->name[names->count++] = mem_strdup(name);
    }
}

static int disk_uv_list(struct disk *base, void (*name)(void *ctx, const char *name),
                        void *ctx, struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    int fd = openat(disk->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        int result = disk_uv_fail(disk, ".", "list", err);
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    struct disk_uv_names names = {.name = NULL};
    int result = disk_uv_collect(disk, folder, &names, err);
    closedir(folder);
    if (result == 0 && names.count > 0) {
        qsort(names.name, names.count, sizeof(char *), disk_uv_compare);
    }
    for (size_t i = 0; i < names.count; i++) {
        if (result == 0) {
            name(ctx, names.name[i]);
        }
        mem_free(names.name[i]);
    }
    mem_free(names.name);
    return result;
}

static int disk_uv_free_bytes(struct disk *base, uint64_t *out, struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    struct statvfs status;
    if (fstatvfs(disk->folder_fd, &status) != 0) {
        return disk_uv_fail(disk, ".", "statvfs", err);
    }
    *out = (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return 0;
}

static int disk_uv_lock(struct disk *base, struct err *err)
{
    struct disk_uv *disk = disk_uv_of(base);
    if (disk->lock_fd >= 0) {
        return 0;
    }
    int fd = openat(disk->folder_fd, DISK_LOCK_NAME,
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return disk_uv_fail(disk, DISK_LOCK_NAME, "open", err);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int result =
            errno == EWOULDBLOCK
                ? err_set(err, ERR_CONFLICT,
                          "%s: another process holds this data folder", disk->path)
                : disk_uv_fail(disk, DISK_LOCK_NAME, "lock", err);
        close(fd);
        return result;
    }
    disk->lock_fd = fd;
    return 0;
}

static void disk_uv_work(uv_work_t *work)
{
    struct disk_job *job = work->data;
    job->work(job);
}

static void disk_uv_done(uv_work_t *work, int status)
{
    assert(status == 0); /* nobody cancels */
    struct disk_job *job = work->data;
    mem_free(work);
    job->backend = NULL;
    job->done(job); /* may free the job */
}

static void disk_uv_submit(struct disk *base, struct disk_job *job)
{
    uv_work_t *work = mem_zalloc(sizeof *work);
    work->data = job;
    job->backend = work;
    int result =
        uv_queue_work(disk_uv_of(base)->loop, work, disk_uv_work, disk_uv_done);
    assert(result == 0); /* fails only without a work callback */
    (void)result;
}

static const struct disk_ops disk_uv_ops = {
    .open = disk_uv_open_file,
    .close = disk_uv_close_file,
    .size = disk_uv_size,
    .read = disk_uv_read,
    .write = disk_uv_write,
    .sync = disk_uv_sync,
    .rename = disk_uv_rename,
    .remove = disk_uv_remove,
    .sync_folder = disk_uv_sync_folder,
    .list = disk_uv_list,
    .free_bytes = disk_uv_free_bytes,
    .lock = disk_uv_lock,
    .submit = disk_uv_submit,
};

/* A folder made here must not vanish with a crash after its files were reported synced.
 */
static int disk_uv_make(const char *path, bool *made, struct err *err)
{
    *made = mkdir(path, 0700) == 0;
    if (!*made && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: create: %s", path, strerror(errno));
    }
    return 0;
}

static int disk_uv_sync_parent(int folder_fd, const char *path, struct err *err)
{
    int fd = openat(folder_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int result = err_set(err, ERR_IO, "%s/..: sync: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    close(fd);
    return 0;
}

static int disk_uv_make_folder(const char *path, struct err *err)
{
    bool made = false;
    int result = disk_uv_make(path, &made, err);
    if (result != 0 || !made) {
        return result;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s: open: %s", path, strerror(errno));
    }
    result = disk_uv_sync_parent(fd, path, err);
    close(fd);
    return result;
}

int disk_uv_make_folders(const char *path, struct err *err)
{
    char *copy = mem_strdup(path);
    int result = 0;
    for (char *at = copy; result == 0 && *at != '\0';) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char kept = *at;
        *at = '\0';
        result = disk_uv_make_folder(copy, err);
        *at = kept;
    }
    mem_free(copy);
    return result;
}

int disk_uv_open(struct disk **out, struct uv_loop_s *loop, const char *path,
                 struct err *err)
{
    bool made = false;
    int result = disk_uv_make(path, &made, err);
    if (result != 0) {
        return result;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s: open: %s", path, strerror(errno));
    }
    if (made) {
        result = disk_uv_sync_parent(fd, path, err);
        if (result != 0) {
            close(fd);
            return result;
        }
    }
    struct disk_uv *disk = mem_zalloc(sizeof *disk);
    disk->path = mem_strdup(path);
    disk->disk = (struct disk){.ops = &disk_uv_ops, .path = disk->path};
    disk->loop = loop;
    disk->folder_fd = fd;
    disk->lock_fd = -1;
    *out = &disk->disk;
    return 0;
}

void disk_uv_close(struct disk *base)
{
    struct disk_uv *disk = disk_uv_of(base);
    if (disk->lock_fd >= 0) {
        close(disk->lock_fd);
    }
    close(disk->folder_fd);
    mem_free(disk->path);
    mem_free(disk);
}
