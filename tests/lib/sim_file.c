/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sim_file.h"

#include <string.h>

#include "base/mem.h"

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
    mem_free(file->written);
    mem_free(file->synced);
    mem_free(file->is_dirty);
    mem_free(file->dirty);
    mem_free(file);
}

static void sim_file_reserve(struct sim_file *file, size_t size)
{
    if (size <= file->capacity) {
        return;
    }
    size_t capacity = file->capacity > 0 ? file->capacity : SIM_SECTOR;
    while (capacity < size) {
        capacity *= 2;
    }
    size_t sectors = capacity / SIM_SECTOR;
    size_t old_sectors = file->capacity / SIM_SECTOR;
    file->written = mem_realloc(file->written, capacity);
    file->synced = mem_realloc(file->synced, capacity);
    file->is_dirty = mem_realloc(file->is_dirty, sectors);
    file->dirty = mem_realloc(file->dirty, sectors * sizeof *file->dirty);
    memset(file->written + file->capacity, 0, capacity - file->capacity);
    memset(file->synced + file->capacity, 0, capacity - file->capacity);
    memset(file->is_dirty + old_sectors, 0, sectors - old_sectors);
    file->capacity = capacity;
}

void sim_file_write(struct sim_file *file, size_t offset, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    sim_file_reserve(file, offset + len);
    memcpy(file->written + offset, data, len);
    for (size_t at = offset / SIM_SECTOR; at <= (offset + len - 1) / SIM_SECTOR; at++) {
        if (!file->is_dirty[at]) {
            file->is_dirty[at] = 1;
            file->dirty[file->dirty_count++] = at;
        }
    }
    if (file->size < offset + len) {
        file->size = offset + len;
    }
}

static void sim_file_clean(struct sim_file *file)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        file->is_dirty[file->dirty[i]] = 0;
    }
    file->dirty_count = 0;
}

void sim_file_sync(struct sim_file *file)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        size_t at = file->dirty[i] * SIM_SECTOR;
        memcpy(file->synced + at, file->written + at, SIM_SECTOR);
    }
    sim_file_clean(file);
    file->synced_size = file->size;
}

void sim_file_sync_badly(struct sim_file *file, struct sim_random *random)
{
    for (size_t i = 0; i < file->dirty_count; i++) {
        size_t at = file->dirty[i] * SIM_SECTOR;
        if (sim_random_chance(random, 30)) {
            memcpy(file->synced + at, file->written + at, SIM_SECTOR);
        }
    }
    sim_file_clean(file);
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
        size_t at = file->dirty[i] * SIM_SECTOR;
        if (sim_random_chance(random, percent)) {
            memcpy(file->synced + at, file->written + at, SIM_SECTOR);
        }
    }
    if (file->size > file->synced_size) {
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
    if (file->capacity > 0) {
        memset(file->synced + file->synced_size, 0, file->capacity - file->synced_size);
        memcpy(file->written, file->synced, file->capacity);
    }
    file->size = file->synced_size;
    sim_file_clean(file);
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
    sim_file_reserve(copy, file->capacity);
    if (file->capacity > 0) {
        size_t sectors = file->capacity / SIM_SECTOR;
        memcpy(copy->written, file->written, file->capacity);
        memcpy(copy->synced, file->synced, file->capacity);
        memcpy(copy->is_dirty, file->is_dirty, sectors);
        memcpy(copy->dirty, file->dirty, sectors * sizeof *file->dirty);
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
