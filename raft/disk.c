/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/disk.h"

int disk_open(struct disk *disk, const char *name, enum disk_open_mode mode,
              struct disk_file **out, struct err *err)
{
    return disk->ops->open(disk, name, mode, out, err);
}

void disk_close(struct disk *disk, struct disk_file *file)
{
    disk->ops->close(file);
}

int disk_size(struct disk *disk, struct disk_file *file, uint64_t *out, struct err *err)
{
    return disk->ops->size(file, out, err);
}

int disk_read(struct disk *disk, struct disk_file *file, uint64_t offset, void *data,
              size_t len, struct err *err)
{
    return disk->ops->read(file, offset, data, len, err);
}

int disk_write(struct disk *disk, struct disk_file *file, uint64_t offset,
               const void *data, size_t len, struct err *err)
{
    return disk->ops->write(file, offset, data, len, err);
}

int disk_sync(struct disk *disk, struct disk_file *file, struct err *err)
{
    return disk->ops->sync(file, err);
}

int disk_rename(struct disk *disk, const char *from, const char *to, struct err *err)
{
    return disk->ops->rename(disk, from, to, err);
}

int disk_remove(struct disk *disk, const char *name, struct err *err)
{
    return disk->ops->remove(disk, name, err);
}

int disk_sync_folder(struct disk *disk, struct err *err)
{
    return disk->ops->sync_folder(disk, err);
}

int disk_list(struct disk *disk, void (*name)(void *ctx, const char *name), void *ctx,
              struct err *err)
{
    return disk->ops->list(disk, name, ctx, err);
}

int disk_free_bytes(struct disk *disk, uint64_t *out, struct err *err)
{
    return disk->ops->free_bytes(disk, out, err);
}

int disk_lock(struct disk *disk, struct err *err)
{
    return disk->ops->lock(disk, err);
}

void disk_submit(struct disk *disk, struct disk_job *job)
{
    disk->ops->submit(disk, job);
}
