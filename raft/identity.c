/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/identity.h"

#include <isa-l.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"

#define IDENTITY_FILE       "identity"
#define IDENTITY_TEMP       "identity.new"
#define IDENTITY_MAGIC      "MUSTERID"
#define IDENTITY_VERSION    1
#define IDENTITY_HEAD_BYTES 16
#define IDENTITY_BODY_MAX   65536

enum identity_flag {
    IDENTITY_PLEDGED = 1,
    IDENTITY_DECIDED = 2,
    IDENTITY_JOINING = 4,
    IDENTITY_RESTORING = 8,
};

bool identity_offers(const struct identity *identity)
{
    return identity->pledged && identity->pledge.rows[0].id == identity->node_id;
}

/* Could a node have written it? */
static bool identity_valid(const struct identity *identity)
{
    if (identity->node_id == 0 || identity->node_id > INT64_MAX ||
        identity->cluster_id > INT64_MAX || identity->start_counter == 0 ||
        !charter_name_valid(identity->name)) {
        return false;
    }
    if (identity->joining != 0 &&
        (identity->joining > INT64_MAX || identity->joining_term == 0 ||
         identity->cluster_id != 0 || identity->pledged)) {
        return false;
    }
    if (identity->restoring) {
        return identity->cluster_id == 0 && !identity->pledged && !identity->decided &&
               identity->joining == 0;
    }
    if (!identity->pledged) {
        return !identity->decided;
    }
    const struct charter_row *self = charter_find(&identity->pledge, identity->node_id);
    return identity->cluster_id == 0 && self != NULL &&
           strcmp(self->name, identity->name) == 0;
}

static uint32_t identity_checksum(uint8_t *data, size_t len)
{
    return ~crc32_iscsi(data, (int)len, UINT32_MAX);
}

static void identity_put(struct buf *buf, const struct identity *identity)
{
    buf_put(buf, IDENTITY_MAGIC, 8);
    buf_put_u32(buf, IDENTITY_VERSION);
    buf_put_u32(buf, 0); /* the body's length, below */
    buf_put_u64(buf, identity->node_id);
    buf_put_u64(buf, identity->cluster_id);
    buf_put_u64(buf, identity->start_counter);
    buf_put_text(buf, identity->name);
    buf_put_u8(buf, (uint8_t)((identity->pledged ? IDENTITY_PLEDGED : 0) |
                              (identity->decided ? IDENTITY_DECIDED : 0) |
                              (identity->joining != 0 ? IDENTITY_JOINING : 0) |
                              (identity->restoring ? IDENTITY_RESTORING : 0)));
    if (identity->pledged) {
        charter_put(buf, &identity->pledge);
    }
    if (identity->joining != 0) {
        buf_put_u64(buf, identity->joining);
        buf_put_u64(buf, identity->joining_term);
    }
    buf_set_u32(buf, 12, (uint32_t)(buf->len - IDENTITY_HEAD_BYTES));
    buf_put_u32(buf, identity_checksum(buf->data, buf->len));
}

/* Of an interrupted save. Synced, or a power loss could leave the old one's bytes under
 * the name that the new one is renamed to. */
static int identity_remove_temp(struct disk *disk, struct err *err)
{
    struct err removing;
    int code = disk_remove(disk, IDENTITY_TEMP, &removing);
    if (code == ERR_NOT_FOUND) {
        return 0;
    }
    return code == 0 ? disk_sync_folder(disk, err)
                     : err_set(err, removing.code, "%s", removing.text);
}

static int identity_write_temp(const struct buf *buf, struct disk *disk,
                               struct err *err)
{
    int code = identity_remove_temp(disk, err);
    if (code != 0) {
        return code;
    }
    struct disk_file *file = NULL;
    code = disk_open(disk, IDENTITY_TEMP, DISK_CREATE, &file, err);
    if (code != 0) {
        return code;
    }
    code = disk_write(disk, file, 0, buf->data, buf->len, err);
    if (code == 0) {
        code = disk_sync(disk, file, err);
    }
    disk_close(disk, file);
    return code;
}

int identity_save(const struct identity *identity, struct disk *disk, struct err *err)
{
    struct buf buf;
    buf_init(&buf);
    identity_put(&buf, identity);
    int code = identity_write_temp(&buf, disk, err);
    buf_close(&buf);
    if (code == 0) {
        code = disk_rename(disk, IDENTITY_TEMP, IDENTITY_FILE, err);
    }
    if (code == 0) {
        code = disk_sync_folder(disk, err);
    }
    return code;
}

static int identity_damaged(const struct disk *disk, size_t offset, const char *what,
                            struct err *err)
{
    return err_set(err, ERR_CORRUPT,
                   "%s/" IDENTITY_FILE " is damaged at byte %zu: %s. Put this folder "
                   "away and start with an empty one: the node then joins as a new one",
                   disk->path, offset, what);
}

/* `len` is at least the head and the checksum. */
static int identity_parse(struct identity *out, uint8_t *data, size_t len,
                          const struct disk *disk, struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    if (memcmp(cursor_bytes(&cursor, 8), IDENTITY_MAGIC, 8) != 0) {
        return identity_damaged(disk, 0, "it does not begin with " IDENTITY_MAGIC, err);
    }
    uint32_t version = cursor_u32(&cursor);
    uint32_t body_len = cursor_u32(&cursor);
    if (body_len != len - IDENTITY_HEAD_BYTES - 4) {
        return identity_damaged(disk, 12, "the length is not that of the file", err);
    }
    if (get_u32(data + len - 4) != identity_checksum(data, len - 4)) {
        return identity_damaged(disk, len - 4, "the checksum does not match", err);
    }
    if (version != IDENTITY_VERSION) { /* undamaged, so somebody meant it */
        return err_set(err, ERR_UNSUPPORTED,
                       "%s/" IDENTITY_FILE " has version %u: a newer muster wrote it",
                       disk->path, version);
    }
    cursor_init(&cursor, data, len - 4);
    cursor_bytes(&cursor, IDENTITY_HEAD_BYTES);
    *out = (struct identity){
        .node_id = cursor_u64(&cursor),
        .cluster_id = cursor_u64(&cursor),
        .start_counter = cursor_u64(&cursor),
    };
    size_t name_len = 0;
    const uint8_t *name = cursor_blob(&cursor, LIMIT_NAME_BYTES, &name_len);
    if (name != NULL) {
        memcpy(out->name, name, name_len);
    }
    uint8_t flags = cursor_u8(&cursor);
    out->pledged = (flags & IDENTITY_PLEDGED) != 0;
    out->decided = (flags & IDENTITY_DECIDED) != 0;
    out->restoring = (flags & IDENTITY_RESTORING) != 0;
    if (out->pledged) {
        charter_get(&cursor, &out->pledge);
    }
    if (flags & IDENTITY_JOINING) {
        out->joining = cursor_u64(&cursor);
        out->joining_term = cursor_u64(&cursor);
        if (out->joining == 0) {
            cursor_fail(&cursor);
        }
    }
    if (!cursor_done(&cursor) || strlen(out->name) != name_len ||
        flags > (IDENTITY_PLEDGED | IDENTITY_DECIDED | IDENTITY_JOINING |
                 IDENTITY_RESTORING) ||
        !identity_valid(out)) {
        return identity_damaged(disk, cursor.at, "the content makes no sense", err);
    }
    return 0;
}

int identity_read(struct identity *out, struct disk *disk, struct err *err)
{
    struct disk_file *file = NULL;
    int code = disk_open(disk, IDENTITY_FILE, DISK_READ, &file, err);
    if (code != 0) {
        return code;
    }
    uint64_t size = 0;
    uint8_t *data = NULL;
    code = disk_size(disk, file, &size, err);
    if (code == 0 && (size < IDENTITY_HEAD_BYTES + 4 ||
                      size > IDENTITY_HEAD_BYTES + IDENTITY_BODY_MAX + 4)) {
        code = identity_damaged(disk, (size_t)size, "no identity has this size", err);
    }
    if (code == 0) {
        data = mem_alloc((size_t)size);
        code = disk_read(disk, file, 0, data, (size_t)size, err);
    }
    if (code == 0) {
        code = identity_parse(out, data, (size_t)size, disk, err);
    }
    mem_free(data);
    disk_close(disk, file);
    return code;
}

/* What is in the folder beside the identity and its temporary file. */
struct identity_folder {
    bool identity;
    char other[256]; /* the first other file, "" = none */
};

static void identity_see_file(void *ctx, const char *name)
{
    struct identity_folder *folder = ctx;
    if (strcmp(name, IDENTITY_FILE) == 0) {
        folder->identity = true;
    } else if (strcmp(name, IDENTITY_TEMP) != 0 && folder->other[0] == '\0') {
        snprintf(folder->other, sizeof(folder->other), "%s", name);
    }
}

static void identity_make(struct identity *out, struct clock *clock, const char *name)
{
    *out = (struct identity){0};
    while (out->node_id == 0) {
        out->node_id = PLANTED_OR(KEEP_ID, plant_id(name), clock_random(clock) >> 1);
    }
    snprintf(out->name, sizeof(out->name), "%s", name);
}

int identity_open(struct identity *out, struct disk *disk, struct clock *clock,
                  const char *name, struct err *err)
{
    if (!charter_name_valid(name)) {
        return err_set(err, ERR_INVALID,
                       "a node's name has 1 to %d bytes, none a control character",
                       LIMIT_NAME_BYTES);
    }
    struct identity_folder folder = {0};
    int code = disk_list(disk, identity_see_file, &folder, err);
    if (code != 0) {
        return code;
    }
    if (folder.identity) {
        code = identity_read(out, disk, err);
    } else if (folder.other[0] != '\0') {
        /* A new id here could vote away what the old one had acknowledged. */
        code = err_set(err, ERR_CORRUPT,
                       "%s/" IDENTITY_FILE " is missing (offset 0), but %s is there: "
                       "this is not an empty folder and no node's folder either",
                       disk->path, folder.other);
    } else {
        identity_make(out, clock, name);
    }
    if (code != 0) {
        return code;
    }
    if (out->restoring) {
        return err_set(err, ERR_CONFLICT,
                       "%s: a restore into this folder was cut off: run `muster "
                       "snapshot restore` again",
                       disk->path);
    }
    if (strcmp(out->name, name) != 0) {
        return err_set(err, ERR_CONFLICT,
                       "the folder %s belongs to node \"%s\", but this one is "
                       "configured as \"%s\"",
                       disk->path, out->name, name);
    }
    if (out->start_counter == UINT64_MAX) {
        return identity_damaged(disk, IDENTITY_HEAD_BYTES + 16,
                                "the start counter is at its end", err);
    }
    out->start_counter++;
    return identity_save(out, disk, err);
}

/* --- restoring ---------------------------------------------------------------------
 */

struct identity_names {
    char **name;
    size_t count;
};

static void identity_collect(void *ctx, const char *name)
{
    struct identity_names *names = ctx;
    if (strcmp(name, IDENTITY_FILE) != 0) {
        names->name = mem_realloc(names->name, (names->count + 1) * sizeof(char *));
        names->name[names->count++] = mem_strdup(name);
    }
}

/* May a snapshot be restored into this folder? */
static int identity_free_folder(struct disk *disk, struct err *err)
{
    struct identity_folder folder = {0};
    struct identity found = {0};
    int code = disk_list(disk, identity_see_file, &folder, err);
    if (code != 0) {
        return code;
    }
    if (!folder.identity) {
        return folder.other[0] == '\0'
                   ? 0
                   : err_set(err, ERR_EXISTS, "the folder %s is not empty: %s is in it",
                             disk->path, folder.other);
    }
    code = identity_read(&found, disk, err);
    if (code == 0 && !found.restoring) {
        code = err_set(err, ERR_EXISTS, "the folder %s belongs to node \"%s\" already",
                       disk->path, found.name);
    }
    return code;
}

int identity_begin_restore(struct identity *identity, struct disk *disk,
                           struct err *err)
{
    if (!charter_name_valid(identity->name)) {
        return err_set(err, ERR_INVALID, "no node can have this name");
    }
    int code = identity_free_folder(disk, err);
    if (code != 0) {
        return code;
    }
    identity->restoring = true;
    code = identity_save(identity, disk, err);
    struct identity_names names = {.name = NULL};
    if (code == 0) {
        code = disk_list(disk, identity_collect, &names, err);
    }
    for (size_t i = 0; i < names.count; i++) {
        if (code == 0) {
            code = disk_remove(disk, names.name[i], err);
        }
        mem_free(names.name[i]);
    }
    mem_free(names.name);
    return code == 0 && names.count > 0 ? disk_sync_folder(disk, err) : code;
}
