/* SPDX-License-Identifier: Apache-2.0 */
/* The folder's two lists name files; `change` holds what was done to the written list
 * and not synced. */
#include "lib/sim_disk.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "lib/sim_file.h"

enum sim_change_kind { SIM_CREATED, SIM_RENAMED, SIM_REMOVED };

struct sim_change {
    enum sim_change_kind kind;
    char *name;
    char *to;              /* renamed */
    struct sim_file *file; /* created */
};

struct sim_job {
    struct sim_event event;
    struct sim_disk *sim;
    struct disk_job *job;
    bool worked;
    bool held; /* its moment came while the disk was paused */
    struct sim_job *next;
};

struct sim_disk {
    struct disk disk; /* first: a struct disk * is a struct sim_disk * */
    char *path;
    struct sim_time *time;
    struct sim_random random;
    struct sim_folder live;
    struct sim_folder durable;
    struct sim_change *change;
    size_t change_count;
    struct sim_job *jobs;
    uint64_t latency_min_us;
    uint64_t latency_max_us;
    uint64_t generation; /* of the process; handles of an older one are stale */
    uint64_t operations;
    uint64_t off_at;
    uint64_t fail_from;
    uint64_t fail_until;
    const char *fail_what; /* the next `fail_times` of this kind; NULL: none */
    uint64_t fail_times;
    uint64_t limit;
    void (*before)(void *ctx);
    void *before_ctx;
    bool has_failed;
    bool powered;
    bool paused;
    bool locked;
};

struct disk_file {
    struct sim_disk *sim;
    struct sim_file *file;
    char *name;
    uint64_t generation;
};

static struct sim_disk *sim_disk_of(struct disk *disk)
{
    return (struct sim_disk *)disk;
}

/* --- the folder's changes -----------------------------------------------------------
 */

static void sim_disk_change(struct sim_disk *sim, enum sim_change_kind kind,
                            const char *name, const char *to, struct sim_file *file)
{
    sim->change =
        mem_realloc(sim->change, (sim->change_count + 1) * sizeof *sim->change);
    sim->change[sim->change_count++] = (struct sim_change){
        .kind = kind,
        .name = mem_strdup(name),
        .to = to != NULL ? mem_strdup(to) : NULL,
        .file = file != NULL ? sim_file_ref(file) : NULL,
    };
}

static void sim_disk_forget_changes(struct sim_disk *sim)
{
    for (size_t i = 0; i < sim->change_count; i++) {
        mem_free(sim->change[i].name);
        mem_free(sim->change[i].to);
        sim_file_unref(sim->change[i].file);
    }
    mem_free(sim->change);
    sim->change = NULL;
    sim->change_count = 0;
}

static void sim_folder_apply(struct sim_folder *folder, const struct sim_change *change)
{
    switch (change->kind) {
    case SIM_CREATED:
        sim_folder_put(folder, change->name, change->file);
        break;
    case SIM_RENAMED:
        sim_folder_rename(folder, change->name, change->to);
        break;
    case SIM_REMOVED:
        sim_folder_delete(folder, change->name);
        break;
    }
}

static void sim_disk_lose_changes(struct sim_disk *sim, enum sim_disk_loss loss)
{
    size_t kept = sim->change_count;
    if (loss == SIM_LOSE) {
        kept = 0;
    } else if (loss == SIM_TEAR) {
        kept = (size_t)sim_random_below(&sim->random, sim->change_count + 1);
    }
    for (size_t i = 0; i < kept; i++) {
        if (loss != SIM_REORDER || sim_random_chance(&sim->random, 50)) {
            sim_folder_apply(&sim->durable, &sim->change[i]);
        }
    }
    sim_disk_forget_changes(sim);
    sim_folder_copy(&sim->live, &sim->durable);
}

/* --- operations --------------------------------------------------------------------
 */

/* Is this operation one that is to fail? */
static bool sim_disk_fault(struct sim_disk *sim, uint64_t number, const char *what)
{
    bool due = number >= sim->fail_from && number < sim->fail_until;
    if (!due && sim->fail_times > 0 && strcmp(what, sim->fail_what) == 0) {
        sim->fail_times--;
        due = true;
    }
    sim->has_failed |= due;
    return due;
}

/* Counts; 0, or what hinders. `*fault` = a failure is due, the caller spoils first. */
static int sim_disk_begin(struct sim_disk *sim, const char *name, const char *what,
                          bool *fault, struct err *err)
{
    *fault = false;
    if (sim->powered && sim->operations >= sim->off_at) {
        sim_disk_power_off(sim);
    }
    if (!sim->powered) {
        return err_set(err, ERR_IO, "%s/%s: %s: the power is off", sim->path, name,
                       what);
    }
    if (sim->before != NULL) {
        sim->before(sim->before_ctx);
    }
    uint64_t number = sim->operations++;
    if (sim_disk_fault(sim, number, what)) {
        *fault = true;
        return err_set(err, ERR_IO, "%s/%s: %s: Input/output error", sim->path, name,
                       what);
    }
    return 0;
}

static int sim_file_begin(struct disk_file *file, const char *what, bool *fault,
                          struct err *err)
{
    int result = sim_disk_begin(file->sim, file->name, what, fault, err);
    if (result == 0 && file->generation != file->sim->generation) {
        return err_set(err, ERR_IO, "%s/%s: %s: opened by an earlier process",
                       file->sim->path, file->name, what);
    }
    return result;
}

static int sim_disk_full(struct sim_disk *sim, const char *name, const char *what,
                         struct err *err)
{
    return err_set(err, ERR_FULL, "%s/%s: %s: No space left on device", sim->path, name,
                   what);
}

uint64_t sim_disk_used(const struct sim_disk *sim)
{
    uint64_t used = 0;
    for (size_t i = 0; i < sim->live.count; i++) {
        used += sim->live.entry[i].file->size;
    }
    return used;
}

static uint64_t sim_disk_room(const struct sim_disk *sim)
{
    uint64_t used = sim_disk_used(sim);
    return used < sim->limit ? sim->limit - used : 0;
}

static int sim_disk_open(struct disk *disk, const char *name, enum disk_open_mode mode,
                         struct disk_file **out, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, name, "open", &fault, err);
    if (result != 0) {
        return result;
    }
    struct sim_file *file = sim_folder_get(&sim->live, name);
    if (mode == DISK_CREATE) {
        if (file != NULL) {
            return err_set(err, ERR_IO, "%s/%s: open: File exists", sim->path, name);
        }
        if (sim_disk_room(sim) == 0) {
            return sim_disk_full(sim, name, "open", err);
        }
        file = sim_file_new();
        sim_folder_put(&sim->live, name, file);
        sim_disk_change(sim, SIM_CREATED, name, NULL, file);
        sim_file_unref(file);
    } else if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND, "%s/%s: open: No such file or directory",
                       sim->path, name);
    }
    struct disk_file *handle = mem_zalloc(sizeof *handle);
    *handle = (struct disk_file){
        .sim = sim,
        .file = sim_file_ref(file),
        .name = mem_strdup(name),
        .generation = sim->generation,
    };
    *out = handle;
    return 0;
}

static void sim_disk_close(struct disk_file *file)
{
    if (file != NULL) {
        sim_file_unref(file->file);
        mem_free(file->name);
        mem_free(file);
    }
}

static int sim_disk_size(struct disk_file *file, uint64_t *out, struct err *err)
{
    bool fault = false;
    int result = sim_file_begin(file, "stat", &fault, err);
    if (result == 0) {
        *out = file->file->size;
    }
    return result;
}

static int sim_disk_read(struct disk_file *file, uint64_t offset, void *data,
                         size_t len, struct err *err)
{
    bool fault = false;
    int result = sim_file_begin(file, "read", &fault, err);
    if (result != 0) {
        return result;
    }
    if (offset > file->file->size || len > file->file->size - offset) {
        return err_set(err, ERR_CORRUPT, "%s/%s: ends at offset %zu, a read wants more",
                       file->sim->path, file->name, file->file->size);
    }
    sim_file_read(file->file, (size_t)offset, data, len);
    return 0;
}

static int sim_disk_write(struct disk_file *file, uint64_t offset, const void *data,
                          size_t len, struct err *err)
{
    struct sim_disk *sim = file->sim;
    bool fault = false;
    int result = sim_file_begin(file, "write", &fault, err);
    if (fault) {
        size_t part = (size_t)sim_random_below(&sim->random, len + 1);
        part -= part % SIM_SECTOR; /* kernels copy page by page */
        if (offset + part <= file->file->size || sim_disk_room(sim) > part) {
            sim_file_write(file->file, (size_t)offset, data, part);
        }
    }
    if (result != 0) {
        return result;
    }
    size_t end = (size_t)offset + len;
    if (end > file->file->size && end - file->file->size > sim_disk_room(sim)) {
        size_t fits = file->file->size + (size_t)sim_disk_room(sim);
        if (fits > offset) {
            sim_file_write(file->file, (size_t)offset, data, fits - (size_t)offset);
        }
        return sim_disk_full(sim, file->name, "write", err);
    }
    sim_file_write(file->file, (size_t)offset, data, len);
    return 0;
}

static int sim_disk_sync(struct disk_file *file, struct err *err)
{
    bool fault = false;
    int result = sim_file_begin(file, "sync", &fault, err);
    if (fault) {
        sim_file_sync_badly(file->file, &file->sim->random);
    } else if (result == 0) {
        sim_file_sync(file->file);
    }
    return result;
}

static int sim_disk_rename(struct disk *disk, const char *from, const char *to,
                           struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, from, "rename", &fault, err);
    if (result != 0) {
        return result;
    }
    if (sim_folder_get(&sim->live, from) == NULL) {
        return err_set(err, ERR_NOT_FOUND, "%s/%s: rename: No such file or directory",
                       sim->path, from);
    }
    sim_folder_rename(&sim->live, from, to);
    sim_disk_change(sim, SIM_RENAMED, from, to, NULL);
    return 0;
}

static int sim_disk_remove(struct disk *disk, const char *name, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, name, "remove", &fault, err);
    if (result != 0) {
        return result;
    }
    if (sim_folder_get(&sim->live, name) == NULL) {
        return err_set(err, ERR_NOT_FOUND, "%s/%s: remove: No such file or directory",
                       sim->path, name);
    }
    sim_folder_delete(&sim->live, name);
    sim_disk_change(sim, SIM_REMOVED, name, NULL, NULL);
    return 0;
}

static int sim_disk_sync_folder(struct disk *disk, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, ".", "sync", &fault, err);
    if (result == 0) {
        sim_folder_copy(&sim->durable, &sim->live);
        sim_disk_forget_changes(sim);
    }
    return result;
}

static int sim_disk_list(struct disk *disk, void (*name)(void *ctx, const char *name),
                         void *ctx, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, ".", "list", &fault, err);
    for (size_t i = 0; result == 0 && i < sim->live.count; i++) {
        name(ctx, sim->live.entry[i].name);
    }
    return result;
}

static int sim_disk_free_bytes(struct disk *disk, uint64_t *out, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, ".", "statvfs", &fault, err);
    if (result == 0) {
        *out = sim->limit == UINT64_MAX ? (uint64_t)1 << 40 : sim_disk_room(sim);
    }
    return result;
}

static int sim_disk_lock(struct disk *disk, struct err *err)
{
    struct sim_disk *sim = sim_disk_of(disk);
    bool fault = false;
    int result = sim_disk_begin(sim, "LOCK", "lock", &fault, err);
    if (result != 0) {
        return result;
    }
    if (sim->locked) {
        return err_set(err, ERR_CONFLICT, "%s: another process holds this data folder",
                       sim->path);
    }
    sim->locked = true;
    return 0;
}

/* --- jobs --------------------------------------------------------------------------
 */

static void sim_job_queue(struct sim_job *job)
{
    struct sim_disk *sim = job->sim;
    uint64_t spread = sim->latency_max_us - sim->latency_min_us + 1;
    uint64_t latency = sim->latency_min_us + sim_random_below(&sim->random, spread);
    sim_time_queue(sim->time, &job->event, sim_time_now_us(sim->time) + latency);
}

static void sim_job_unlink(struct sim_job *job)
{
    struct sim_job **link = &job->sim->jobs;
    while (*link != job) {
        link = &(*link)->next;
    }
    *link = job->next;
}

static void sim_job_fired(struct sim_event *event)
{
    struct sim_job *job = event->owner;
    if (job->sim->paused) {
        job->held = true;
        return;
    }
    if (!job->worked) {
        job->worked = true;
        job->job->work(job->job);
        sim_job_queue(job);
        return;
    }
    struct disk_job *ended = job->job;
    sim_job_unlink(job);
    mem_free(job);
    ended->backend = NULL;
    ended->done(ended);
}

static void sim_disk_submit(struct disk *disk, struct disk_job *disk_job)
{
    struct sim_disk *sim = sim_disk_of(disk);
    struct sim_job *job = mem_zalloc(sizeof *job);
    job->sim = sim;
    job->job = disk_job;
    job->event = (struct sim_event){.fire = sim_job_fired, .owner = job};
    job->next = sim->jobs;
    sim->jobs = job;
    disk_job->backend = job;
    sim_job_queue(job);
}

void sim_disk_drop_jobs(struct sim_disk *sim)
{
    while (sim->jobs != NULL) {
        struct sim_job *job = sim->jobs;
        sim->jobs = job->next;
        sim_time_cancel(sim->time, &job->event);
        job->job->backend = NULL;
        mem_free(job);
    }
}

void sim_disk_pause(struct sim_disk *sim, bool paused)
{
    sim->paused = paused;
    for (struct sim_job *job = sim->jobs; job != NULL && !paused; job = job->next) {
        if (job->held) {
            job->held = false;
            sim_job_queue(job);
        }
    }
}

bool sim_disk_idle(const struct sim_disk *sim)
{
    return sim->jobs == NULL;
}

static const struct disk_ops sim_disk_ops = {
    .open = sim_disk_open,
    .close = sim_disk_close,
    .size = sim_disk_size,
    .read = sim_disk_read,
    .write = sim_disk_write,
    .sync = sim_disk_sync,
    .rename = sim_disk_rename,
    .remove = sim_disk_remove,
    .sync_folder = sim_disk_sync_folder,
    .list = sim_disk_list,
    .free_bytes = sim_disk_free_bytes,
    .lock = sim_disk_lock,
    .submit = sim_disk_submit,
};

/* --- the disk ----------------------------------------------------------------------
 */

struct sim_disk *sim_disk_new(struct sim_time *time, uint64_t seed, const char *path)
{
    struct sim_disk *sim = mem_zalloc(sizeof *sim);
    sim->path = mem_strdup(path);
    sim->disk = (struct disk){.ops = &sim_disk_ops, .path = sim->path};
    sim->time = time;
    sim_random_init(&sim->random, seed);
    sim->latency_min_us = 100;
    sim->latency_max_us = 2000;
    sim->off_at = UINT64_MAX;
    sim->fail_from = UINT64_MAX;
    sim->fail_until = UINT64_MAX;
    sim->limit = UINT64_MAX;
    sim->powered = true;
    return sim;
}

void sim_disk_free(struct sim_disk *sim)
{
    sim_disk_drop_jobs(sim);
    sim_disk_forget_changes(sim);
    sim_folder_clear(&sim->live);
    sim_folder_clear(&sim->durable);
    mem_free(sim->path);
    mem_free(sim);
}

struct disk *sim_disk_base(struct sim_disk *sim)
{
    return &sim->disk;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *sim, struct sim_time *time,
                                uint64_t seed)
{
    struct sim_disk *clone = sim_disk_new(time, seed, sim->path);
    sim_folder_clone(&clone->live, &sim->live);
    sim_folder_clone(&clone->durable, &sim->durable);
    for (size_t i = 0; i < sim->change_count; i++) {
        const struct sim_change *change = &sim->change[i];
        sim_disk_change(clone, change->kind, change->name, change->to,
                        change->file != NULL ? sim_file_clone(change->file) : NULL);
    }
    for (size_t i = 0; i < sim->live.count; i++) {
        sim_file_cloned(sim->live.entry[i].file);
    }
    for (size_t i = 0; i < sim->durable.count; i++) {
        sim_file_cloned(sim->durable.entry[i].file);
    }
    for (size_t i = 0; i < sim->change_count; i++) {
        sim_file_cloned(sim->change[i].file);
    }
    return clone;
}

void sim_disk_watch(struct sim_disk *sim, void (*before)(void *ctx), void *ctx)
{
    sim->before = before;
    sim->before_ctx = ctx;
}

void sim_disk_latency(struct sim_disk *sim, uint64_t min_us, uint64_t max_us)
{
    assert(min_us <= max_us);
    sim->latency_min_us = min_us;
    sim->latency_max_us = max_us;
}

void sim_disk_power_off(struct sim_disk *sim)
{
    sim->powered = false;
    sim->generation++;
}

void sim_disk_power_off_after(struct sim_disk *sim, uint64_t operations)
{
    sim->off_at = sim->operations + operations;
}

bool sim_disk_powered(const struct sim_disk *sim)
{
    return sim->powered;
}

static void sim_disk_lose(struct sim_disk *sim, const struct sim_folder *folder,
                          enum sim_disk_loss loss)
{
    for (size_t i = 0; i < folder->count; i++) {
        sim_file_lose(folder->entry[i].file, &sim->random, loss);
    }
}

void sim_disk_power_on(struct sim_disk *sim, enum sim_disk_loss loss)
{
    sim_disk_power_off(sim);
    if (loss != SIM_STAYS) {
        sim_disk_lose_changes(sim, loss);
        sim_disk_lose(sim, &sim->durable, loss);
    }
    sim->off_at = UINT64_MAX;
    sim->powered = true;
    sim->locked = false;
}

void sim_disk_kill(struct sim_disk *sim)
{
    sim->generation++;
    sim->locked = false;
}

uint64_t sim_disk_operations(const struct sim_disk *sim)
{
    return sim->operations;
}

void sim_disk_fail(struct sim_disk *sim, uint64_t skip, uint64_t times)
{
    sim->fail_from = sim->operations + skip;
    sim->fail_until = sim->fail_from + times;
    sim->fail_times = 0;
    sim->has_failed = false;
}

void sim_disk_fail_kind(struct sim_disk *sim, const char *what, uint64_t times)
{
    sim_disk_fail(sim, 0, 0);
    sim->fail_what = what;
    sim->fail_times = times;
}

bool sim_disk_failed(const struct sim_disk *sim)
{
    return sim->has_failed;
}

void sim_disk_limit(struct sim_disk *sim, uint64_t bytes)
{
    sim->limit = bytes;
}

/* --- damage ------------------------------------------------------------------------
 */

bool sim_disk_flip(struct sim_disk *sim, const char *name, uint64_t offset,
                   uint8_t mask)
{
    struct sim_file *file = sim_folder_get(&sim->live, name);
    if (file == NULL || offset >= file->size) {
        return false;
    }
    sim_file_flip(file, (size_t)offset, mask);
    return true;
}

bool sim_disk_cut(struct sim_disk *sim, const char *name, uint64_t size)
{
    struct sim_file *file = sim_folder_get(&sim->live, name);
    if (file == NULL || size > file->size) {
        return false;
    }
    sim_file_cut(file, (size_t)size);
    return true;
}

static void sim_disk_settle(struct sim_disk *sim)
{
    sim_folder_copy(&sim->durable, &sim->live);
    sim_disk_forget_changes(sim);
}

bool sim_disk_delete(struct sim_disk *sim, const char *name)
{
    if (sim_folder_get(&sim->live, name) == NULL) {
        return false;
    }
    sim_folder_delete(&sim->live, name);
    sim_disk_settle(sim);
    return true;
}

bool sim_disk_put(struct sim_disk *sim, const char *name, const void *data, size_t len)
{
    bool existed = sim_folder_get(&sim->live, name) != NULL;
    struct sim_file *file = sim_file_new();
    sim_file_write(file, 0, data, len);
    sim_file_sync(file);
    sim_folder_put(&sim->live, name, file);
    sim_file_unref(file);
    sim_disk_settle(sim);
    return existed;
}

void sim_disk_wipe(struct sim_disk *sim)
{
    sim_folder_clear(&sim->live);
    sim_disk_settle(sim);
}

const uint8_t *sim_disk_content(const struct sim_disk *sim, const char *name,
                                size_t *len)
{
    struct sim_file *file = sim_folder_get(&sim->live, name);
    if (file == NULL) {
        return NULL;
    }
    *len = file->size;
    return sim_file_content(file);
}

size_t sim_disk_count(const struct sim_disk *sim)
{
    return sim->live.count;
}

const char *sim_disk_name(const struct sim_disk *sim, size_t at)
{
    return sim->live.entry[at].name;
}
