/* SPDX-License-Identifier: Apache-2.0 */
/* One folder on a disk, as the durable core sees it. disk_uv is the real one; tests/lib
 * has one that tears, loses, reorders, flips and fails.
 *
 * Work is *asynchronous*: disk_submit() hands a job to the pool, where job->work() may
 * call the file operations below one after the other; when it returned, job->done()
 * runs on the loop, later, exactly once, never from inside disk_submit(). At start-up,
 * before the loop runs, the operations may also be called directly. Operations on
 * different files may run in several jobs at once; a file belongs to one job at a time.
 *
 * Names are relative to the folder and have no '/'. A failed operation leaves ERR_IO
 * (ERR_FULL for no space, ERR_NOT_FOUND for no such file) and a sentence with the path.
 */
#ifndef RAFT_DISK_H
#define RAFT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct disk;
struct disk_file;

struct disk_job {
    void (*work)(
        struct disk_job *job); /* in the pool: touches only what the job owns */
    void (*done)(struct disk_job *job); /* on the loop */
    void *owner;
    void *backend; /* the disk's own use */
};

enum disk_open_mode {
    DISK_READ,   /* must exist */
    DISK_WRITE,  /* must exist; read and write */
    DISK_CREATE, /* must not exist; read and write */
};

struct disk_ops {
    int (*open)(struct disk *disk, const char *name, enum disk_open_mode mode,
                struct disk_file **out, struct err *err);
    void (*close)(struct disk_file *file); /* NULL is fine */
    int (*size)(struct disk_file *file, uint64_t *out, struct err *err);
    /* Exactly `len` bytes or an error; reading past the end is ERR_CORRUPT. */
    int (*read)(struct disk_file *file, uint64_t offset, void *data, size_t len,
                struct err *err);
    int (*write)(struct disk_file *file, uint64_t offset, const void *data, size_t len,
                 struct err *err);
    int (*sync)(struct disk_file *file, struct err *err); /* data and what finds it */
    int (*rename)(struct disk *disk, const char *from, const char *to, struct err *err);
    int (*remove)(struct disk *disk, const char *name, struct err *err);
    int (*sync_folder)(struct disk *disk,
                       struct err *err); /* creates, renames, removes */
    /* Every regular file's name, in ascending byte order; a folder in it is
     * ERR_INVALID. */
    int (*list)(struct disk *disk, void (*name)(void *ctx, const char *name), void *ctx,
                struct err *err);
    int (*free_bytes)(struct disk *disk, uint64_t *out, struct err *err);
    /* Hold the folder for this process; ERR_CONFLICT when another one does. */
    int (*lock)(struct disk *disk, struct err *err);
    void (*submit)(struct disk *disk, struct disk_job *job);
};

struct disk {
    const struct disk_ops *ops;
    const char *path; /* for messages */
};

/* The real disk: creates the folder (0700) if it is not there; jobs run in the pool of
 * `loop` (a uv_loop_t, named so to keep <uv.h> out of the core). */
struct uv_loop_s;
int disk_uv_open(struct disk **out, struct uv_loop_s *loop, const char *path,
                 struct err *err);
/* The folders that lead to `path`, and that one: made if they are not there, each
 * synced in its parent. */
int disk_uv_make_folders(const char *path, struct err *err);
void disk_uv_close(struct disk *disk); /* no job may be pending; releases the lock */

/* Thin calls through disk->ops, so that callers read well. */
int disk_open(struct disk *disk, const char *name, enum disk_open_mode mode,
              struct disk_file **out, struct err *err);
void disk_close(struct disk *disk, struct disk_file *file);
int disk_size(struct disk *disk, struct disk_file *file, uint64_t *out,
              struct err *err);
int disk_read(struct disk *disk, struct disk_file *file, uint64_t offset, void *data,
              size_t len, struct err *err);
int disk_write(struct disk *disk, struct disk_file *file, uint64_t offset,
               const void *data, size_t len, struct err *err);
int disk_sync(struct disk *disk, struct disk_file *file, struct err *err);
int disk_rename(struct disk *disk, const char *from, const char *to, struct err *err);
int disk_remove(struct disk *disk, const char *name, struct err *err);
int disk_sync_folder(struct disk *disk, struct err *err);
int disk_list(struct disk *disk, void (*name)(void *ctx, const char *name), void *ctx,
              struct err *err);
int disk_free_bytes(struct disk *disk, uint64_t *out, struct err *err);
int disk_lock(struct disk *disk, struct err *err);
void disk_submit(struct disk *disk, struct disk_job *job);

#endif
