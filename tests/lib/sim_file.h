/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders of the simulated disk: a written and a synced image of each file.
 *
 * An image is a list of sectors, as many in both; NULL is a sector of zeros, a sector
 * that both images (or files) hold is shared until one of them changes it. Past its
 * size an image is zero. `dirty` lists the sectors whose written content has not
 * reached the synced image. */
#ifndef LIB_SIM_FILE_H
#define LIB_SIM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sim_disk.h"

struct sim_sector;

struct sim_file {
    uint32_t refs;
    struct sim_sector **written;
    struct sim_sector **synced;
    size_t sectors; /* in each of the two */
    size_t size;
    size_t synced_size;
    uint8_t *is_dirty; /* one byte a sector */
    size_t *dirty;
    size_t dirty_count;
    uint8_t *flat;         /* of sim_file_content() */
    struct sim_file *copy; /* while cloning */
};

struct sim_entry {
    char *name;
    struct sim_file *file;
};

struct sim_folder {
    struct sim_entry *entry; /* ascending by name */
    size_t count;
};

struct sim_file *sim_file_new(void);
struct sim_file *sim_file_ref(struct sim_file *file);
void sim_file_unref(struct sim_file *file); /* NULL is fine */
void sim_file_write(struct sim_file *file, size_t offset, const void *data, size_t len);
/* [offset, offset + len) lies within the written size. */
void sim_file_read(const struct sim_file *file, size_t offset, void *data, size_t len);
/* The written image in one piece, valid until the next call. */
const uint8_t *sim_file_content(struct sim_file *file);
void sim_file_sync(struct sim_file *file);
/* A failed sync: some sectors arrived, the rest may be forgotten by the cache. */
void sim_file_sync_badly(struct sim_file *file, struct sim_random *random);
/* The synced image becomes what a loss of power leaves, then the written one is it. */
void sim_file_lose(struct sim_file *file, struct sim_random *random,
                   enum sim_disk_loss loss);
/* Damage, in both images; the offset and the new size lie within the written size. */
void sim_file_flip(struct sim_file *file, size_t offset, uint8_t mask);
void sim_file_cut(struct sim_file *file, size_t size);

/* The file of that name, borrowed, or NULL. */
struct sim_file *sim_folder_get(const struct sim_folder *folder, const char *name);
void sim_folder_put(struct sim_folder *folder, const char *name, struct sim_file *file);
void sim_folder_delete(struct sim_folder *folder, const char *name);
void sim_folder_rename(struct sim_folder *folder, const char *from, const char *to);
void sim_folder_clear(struct sim_folder *folder);
void sim_folder_copy(struct sim_folder *to, const struct sim_folder *from);

/* The copy of a file, made once; sim_file_cloned() ends that. */
struct sim_file *sim_file_clone(struct sim_file *file);
void sim_folder_clone(struct sim_folder *to, const struct sim_folder *from);
void sim_file_cloned(struct sim_file *file);

#endif
