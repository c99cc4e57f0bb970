/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sim_file.h"

#include <string.h>

#include "base/mem.h"

/* --- sectors -----------------------------------------------------------------------
 */

static const uint8_t sim_zeros[SIM_SECTOR];

struct sim_sector {
    uint32_t refs;
    uint8_t data[SIM_SECTOR];
};

static struct sim_sector *sim_sector_ref(struct sim_sector *sector)
{
    if (sector != NULL) {
        sector->refs++;
    }
    return sector;
}

static void sim_sector_unref(struct sim_sector *sector)
{
    if (sector != NULL && --sector->refs == 0) {
        mem_free(sector);
    }
}

static void sim_sector_set(struct sim_sector **place, struct sim_sector *sector)
{
    sim_sector_ref(sector);
    sim_sector_unref(*place);
    *place = sector;
}

/* The sector at `place`, nobody else's, to be written. `keep`: with its content. */
static uint8_t *sim_sector_own(struct sim_sector **place, bool keep)
{
    struct sim_sector *sector = *place;
    if (sector != NULL && sector->refs == 1) {
        return sector->data;
    }
    struct sim_sector *own = mem_alloc(sizeof *own);
    own->refs = 1;
    if (keep) {
        memcpy(own->data, sector != NULL ? sector->data : sim_zeros, SIM_SECTOR);
    }
    sim_sector_unref(sector);
    *place = own;
    return own->data;
}

static const uint8_t *sim_sector_data(const struct sim_sector *sector)
{
    return sector != NULL ? sector->data : sim_zeros;
}

/* Zero from `size` on. */
static void sim_sectors_cut(struct sim_sector **sectors, size_t count, size_t size)
{
    size_t part = size % SIM_SECTOR;
    size_t at = size / SIM_SECTOR;
    if (part > 0 && at < count && sectors[at] != NULL) {
        memset(sim_sector_own(&sectors[at], true) + part, 0, SIM_SECTOR - part);
    }
    for (at += part > 0; at < count; at++) {
        sim_sector_set(&sectors[at], NULL);
    }
}

/* --- files -------------------------------------------------------------------------
 */

struct sim_file *sim_file_new(void)
{
    struct sim_file *file = mem_zalloc(sizeof *file);
    file->refs = 1;
    return file;
}

struct sim_file *sim_file_ref(struct sim_file *file)
{
    file->refs++;
    return file;
}

void sim_file_unref(struct sim_file *file)
{
    if (file == NULL || --file->refs > 0) {
        return;
    }
    for (size_t i = 0; i < file->sectors; i++) {
        sim_sector_unref(file->written[i]);
        sim_sector_unref(file->synced[i]);
    }
    mem_free(file->written);
    mem_free(file->synced);
    mem_free(file->is_dirty);
    mem_free(file->dirty);
    mem_free(file->flat);
    mem_free(file);
}

static void sim_file_reserve(struct sim_file *file, size_t size)
{
    size_t old = file->sectors;
    size_t sectors = old > 0 ? old : 1;
    while (sectors * SIM_SECTOR < size) {
        sectors *= 2;
    }
    if (sectors == old) {
        return;
    }
    size_t more = sectors - old;
    file->written = mem_realloc(file->written, sectors * sizeof(struct sim_sector *));
    file->synced = mem_realloc(file->synced, sectors * sizeof(struct sim_sector *));
    file->is_dirty = mem_realloc(file->is_dirty, sectors);
    file->dirty = mem_realloc(file->dirty, sectors * sizeof *file->dirty);
    memset(file->written + old, 0, more * sizeof(struct sim_sector *));
    memset(file->synced + old, 0, more * sizeof(struct sim_sector *));
    memset(file->is_dirty + old, 0, more);
    file->sectors = sectors;
}

static void sim_file_write_sector(struct sim_file *file, size_t at, size_t from,
                                  const uint8_t *data, size_t len)
{
    if (file->written[at] != NULL || memcmp(data, sim_zeros, len) != 0) {
        memcpy(sim_sector_own(&file->written[at], len < SIM_SECTOR) + from, data, len);
    }
    if (!file->is_dirty[at]) {
        file->is_dirty[at] = 1;
        file->dirty[file->dirty_count++] = at;
    }
}

void sim_file_write(struct sim_file *file, size_t offset, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    sim_file_reserve(file, offset + len);
    const uint8_t *next = data;
    size_t end = offset + len;
    for (size_t at = offset; at < end;) {
        size_t from = at % SIM_SECTOR;
        size_t part = SIM_SECTOR - from < end - at ? SIM_SECTOR - from : end - at;
        sim_file_write_sector(file, at / SIM_SECTOR, from, next, part);
        next += part;
        at += part;
    }
    if (file->size < end) {
        file->size = end;
    }
}

void sim_file_read(const struct sim_file *file, size_t offset, void *data, size_t len)
{
    uint8_t *next = data;
    size_t end = offset + len;
    for (size_t at = offset; at < end;) {
        size_t from = at % SIM_SECTOR;
        size_t part = SIM_SECTOR - from < end - at ? SIM_SECTOR - from : end - at;
        memcpy(next, sim_sector_data(file->written[at / SIM_SECTOR]) + from, part);
        next += part;
        at += part;
    }
}

const uint8_t *sim_file_content(struct sim_file *file)
{
    mem_free(file->flat);
    file->flat = mem_alloc(file->size + 1);
    sim_file_read(file, 0, file->flat, file->size);
    return file->flat;
}

static void sim_file_clean(struct sim_file *file)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        file->is_dirty[file->dirty[i]] = 0;
    }
    file->dirty_count = 0;
}

static void sim_file_sync_sector(struct sim_file *file, size_t at)
{
    sim_sector_set(&file->synced[at], file->written[at]);
}

void sim_file_sync(struct sim_file *file)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        sim_file_sync_sector(file, file->dirty[i]);
    }
    sim_file_clean(file);
    file->synced_size = file->size;
}

void sim_file_sync_badly(struct sim_file *file, struct sim_random *random)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        if (sim_random_chance(random, 30)) {
            sim_file_sync_sector(file, file->dirty[i]);
        }
    }
    sim_file_clean(file);
}

/* What arrived of the file's growth. */
static void sim_file_lose_size(struct sim_file *file, struct sim_random *random,
                               enum sim_disk_loss loss)
{
    size_t grown = file->size - file->synced_size;
    if (loss == SIM_KEEP) {
        file->synced_size = file->size;
    } else if (loss != SIM_LOSE) {
        uint64_t kept = sim_random_below(random, 3);
        file->synced_size += kept == 0   ? 0
                             : kept == 1 ? grown
                                         : sim_random_below(random, grown);
    }
}

void sim_file_lose(struct sim_file *file, struct sim_random *random,
                   enum sim_disk_loss loss)
{
    static const uint32_t share[] = {0, 10, 50, 90, 100};
    uint32_t percent = share[sim_random_below(random, 5)];
    if (loss == SIM_LOSE) {
        percent = 0;
    } else if (loss == SIM_KEEP) {
        percent = 100;
    }
    for (size_t i = 0; i < file->dirty_count; i++) {
        if (sim_random_chance(random, percent)) {
            sim_file_sync_sector(file, file->dirty[i]);
        }
    }
    if (file->size > file->synced_size) {
        sim_file_lose_size(file, random, loss);
    }
    sim_sectors_cut(file->synced, file->sectors, file->synced_size);
    for (size_t i = 0; i < file->sectors; i++) {
        sim_sector_set(&file->written[i], file->synced[i]);
    }
    file->size = file->synced_size;
    sim_file_clean(file);
}

void sim_file_flip(struct sim_file *file, size_t offset, uint8_t mask)
{
    size_t at = offset / SIM_SECTOR;
    sim_sector_own(&file->written[at], true)[offset % SIM_SECTOR] ^= mask;
    if (offset < file->synced_size) {
        sim_sector_own(&file->synced[at], true)[offset % SIM_SECTOR] ^= mask;
    }
}

void sim_file_cut(struct sim_file *file, size_t size)
{
    sim_file_sync(file);
    sim_sectors_cut(file->written, file->sectors, size);
    sim_sectors_cut(file->synced, file->sectors, size);
    file->size = size;
    file->synced_size = size;
}

/* --- the folder --------------------------------------------------------------------
 */

/* Where `name` is, or where it would have to be put. */
static size_t sim_folder_find(const struct sim_folder *folder, const char *name,
                              bool *found)
{
    size_t at = 0;
    int order = -1;
    while (at < folder->count && (order = strcmp(folder->entry[at].name, name)) < 0) {
        at++;
    }
    *found = at < folder->count && order == 0;
    return at;
}

struct sim_file *sim_folder_get(const struct sim_folder *folder, const char *name)
{
    bool found = false;
    size_t at = sim_folder_find(folder, name, &found);
    return found ? folder->entry[at].file : NULL;
}

void sim_folder_delete(struct sim_folder *folder, const char *name)
{
    bool found = false;
    size_t at = sim_folder_find(folder, name, &found);
    if (!found) {
        return;
    }
    sim_file_unref(folder->entry[at].file);
    mem_free(folder->entry[at].name);
    folder->count--;
    memmove(&folder->entry[at], &folder->entry[at + 1],
            (folder->count - at) * sizeof folder->entry[0]);
}

/* Takes a reference of its own. */
void sim_folder_put(struct sim_folder *folder, const char *name, struct sim_file *file)
{
    sim_file_ref(file);
    sim_folder_delete(folder, name);
    bool found = false;
    size_t at = sim_folder_find(folder, name, &found);
    folder->entry =
        mem_realloc(folder->entry, (folder->count + 1) * sizeof folder->entry[0]);
    memmove(&folder->entry[at + 1], &folder->entry[at],
            (folder->count - at) * sizeof folder->entry[0]);
    folder->entry[at] = (struct sim_entry){.name = mem_strdup(name), .file = file};
    folder->count++;
}

void sim_folder_rename(struct sim_folder *folder, const char *from, const char *to)
{
    struct sim_file *file = sim_folder_get(folder, from);
    if (file != NULL && strcmp(from, to) != 0) {
        sim_folder_put(folder, to, file);
        sim_folder_delete(folder, from);
    }
}

void sim_folder_clear(struct sim_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        sim_file_unref(folder->entry[i].file);
        mem_free(folder->entry[i].name);
    }
    mem_free(folder->entry);
    folder->entry = NULL;
    folder->count = 0;
}

/* `from` is in order already. */
void sim_folder_copy(struct sim_folder *to, const struct sim_folder *from)
{
    size_t count = from->count;
    struct sim_entry *copy = mem_array(count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i].name = mem_strdup(from->entry[i].name);
        copy[i].file = sim_file_ref(from->entry[i].file);
    }
    sim_folder_clear(to);
    to->entry = copy;
    to->count = count;
}

struct sim_file *sim_file_clone(struct sim_file *file)
{
    if (file->copy != NULL) {
        return file->copy;
    }
    struct sim_file *copy = sim_file_new();
    sim_file_reserve(copy, file->sectors * SIM_SECTOR);
    for (size_t i = 0; i < file->sectors; i++) {
        copy->written[i] = sim_sector_ref(file->written[i]);
        copy->synced[i] = sim_sector_ref(file->synced[i]);
    }
    if (file->sectors > 0) {
        memcpy(copy->is_dirty, file->is_dirty, file->sectors);
        memcpy(copy->dirty, file->dirty, file->dirty_count * sizeof *file->dirty);
    }
    copy->dirty_count = file->dirty_count;
    copy->size = file->size;
    copy->synced_size = file->synced_size;
    file->copy = copy;
    return copy;
}

void sim_folder_clone(struct sim_folder *to, const struct sim_folder *from)
{
    for (size_t i = 0; i < from->count; i++) {
        sim_folder_put(to, from->entry[i].name, sim_file_clone(from->entry[i].file));
    }
}

/* Gives up the reference that sim_file_clone() kept. */
void sim_file_cloned(struct sim_file *file)
{
    if (file != NULL && file->copy != NULL) {
        sim_file_unref(file->copy);
        file->copy = NULL;
    }
}
