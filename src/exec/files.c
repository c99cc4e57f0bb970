/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define FILES_MAX_BYTES    (64 * 1024)
#define FILES_RESULT_BYTES 8192 /* reserved; more than any result has */
#define FILES_MAGIC_BYTES  8

/* --- bytes --------------------------------------------------------------------------
 */

static void cursor_magic(struct cursor *cursor, const char *magic)
{
    const uint8_t *bytes = cursor_bytes(cursor, FILES_MAGIC_BYTES);
    if (bytes != NULL && memcmp(bytes, magic, FILES_MAGIC_BYTES) != 0) {
        cursor_fail(cursor);
    }
}

/* A text without a NUL in it into `out`. */
static void cursor_into(struct cursor *cursor, char *out, size_t size)
{
    uint32_t len = cursor_u32(cursor);
    const uint8_t *bytes = cursor_bytes(cursor, len);
    if (bytes == NULL || len >= size || memchr(bytes, 0, len) != NULL) {
        cursor_fail(cursor);
        out[0] = '\0';
        return;
    }
    memcpy(out, bytes, len);
    out[len] = '\0';
}

static const char *cursor_copy(struct cursor *cursor)
{
    uint32_t len = cursor_u32(cursor);
    const uint8_t *bytes = cursor_bytes(cursor, len);
    if (bytes == NULL || memchr(bytes, 0, len) != NULL) {
        cursor_fail(cursor);
        return mem_strdup("");
    }
    return mem_strndup((const char *)bytes, len);
}

static int cursor_end(const struct cursor *cursor, const char *name, struct err *err)
{
    return cursor_done(cursor) ? 0 : err_set(err, ERR_CORRUPT, "%s: damaged", name);
}

void files_put_claim(struct buf *buf, const struct files_claim *claim)
{
    buf_put_literal(buf, "MUSTERC1");
    buf_put_text(buf, claim->boot);
    buf_put_u64(buf, claim->pid_namespace);
    buf_put_u64(buf, claim->node);
    buf_put_u64(buf, claim->run);
    buf_put_u64(buf, claim->mark);
}

int files_get_claim(const struct buf *buf, struct files_claim *claim, struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, buf->data, buf->len);
    cursor_magic(&cursor, "MUSTERC1");
    cursor_into(&cursor, claim->boot, sizeof claim->boot);
    claim->pid_namespace = cursor_u64(&cursor);
    claim->node = cursor_u64(&cursor);
    claim->run = cursor_u64(&cursor);
    claim->mark = cursor_u64(&cursor);
    return cursor_end(&cursor, FILES_CLAIM, err);
}

static void put_limits(struct buf *buf, const struct driver_limits *limits)
{
    buf_put_u64(buf, limits->memory_bytes);
    buf_put_u32(buf, limits->cpu_percent);
    buf_put_u32(buf, limits->cpu_seconds);
    buf_put_u32(buf, limits->files_count);
    buf_put_u32(buf, limits->processes_count);
}

void files_put_order(struct buf *buf, const struct files_order *order)
{
    buf_put_literal(buf, "MUSTERO1");
    buf_put_u64(buf, order->run);
    buf_put_u64(buf, order->mark);
    buf_put_text(buf, order->task);
    buf_put_text(buf, order->program);
    buf_put_text(buf, order->module);
    buf_put_text(buf, order->work);
    buf_put_text(buf, order->cgroup);
    buf_put_u8(buf, order->inspect);
    buf_put_u64(buf, order->deadline_ms);
    buf_put_u32(buf, order->grace_ms);
    buf_put_u32(buf, order->tries);
    buf_put_u64(buf, order->time_limit_ms);
    buf_put_u32(buf, order->uid);
    buf_put_u32(buf, order->gid);
    put_limits(buf, &order->limits);
    buf_put_u64(buf, order->log_bytes);
    buf_put_u8(buf, (uint8_t)order->containment);
}

static enum exec_containment cursor_containment(struct cursor *cursor)
{
    uint8_t value = cursor_u8(cursor);
    if (value > EXEC_CONTAIN_WALK) {
        cursor_fail(cursor);
        return EXEC_CONTAIN_WALK;
    }
    return (enum exec_containment)value;
}

int files_get_order(const struct buf *buf, struct files_order *order, struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, buf->data, buf->len);
    cursor_magic(&cursor, "MUSTERO1");
    order->run = cursor_u64(&cursor);
    order->mark = cursor_u64(&cursor);
    order->task = cursor_copy(&cursor);
    order->program = cursor_copy(&cursor);
    order->module = cursor_copy(&cursor);
    order->work = cursor_copy(&cursor);
    order->cgroup = cursor_copy(&cursor);
    order->inspect = cursor_u8(&cursor) != 0;
    order->deadline_ms = cursor_u64(&cursor);
    order->grace_ms = cursor_u32(&cursor);
    order->tries = cursor_u32(&cursor);
    order->time_limit_ms = cursor_u64(&cursor);
    order->uid = cursor_u32(&cursor);
    order->gid = cursor_u32(&cursor);
    order->limits.memory_bytes = cursor_u64(&cursor);
    order->limits.cpu_percent = cursor_u32(&cursor);
    order->limits.cpu_seconds = cursor_u32(&cursor);
    order->limits.files_count = cursor_u32(&cursor);
    order->limits.processes_count = cursor_u32(&cursor);
    order->log_bytes = cursor_u64(&cursor);
    order->containment = cursor_containment(&cursor);
    int failed = cursor_end(&cursor, FILES_ORDER, err);
    if (failed != 0) {
        files_order_close(order);
    }
    return failed;
}

static void free_text(const char **text)
{
    mem_free((char *)(uintptr_t)*text);
    *text = NULL;
}

void files_order_close(struct files_order *order)
{
    free_text(&order->task);
    free_text(&order->program);
    free_text(&order->module);
    free_text(&order->work);
    free_text(&order->cgroup);
}

void files_put_record(struct buf *buf, const struct files_record *record)
{
    buf_put_literal(buf, "MUSTERS1");
    buf_put_u64(buf, record->pid);
    buf_put_u64(buf, record->start_ticks);
    buf_put_u64(buf, record->guard);
    buf_put_u64(buf, record->guard_ticks);
    buf_put_u8(buf, (uint8_t)record->containment);
    buf_put_text(buf, record->cgroup);
}

int files_get_record(const struct buf *buf, struct files_record *record,
                     struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, buf->data, buf->len);
    cursor_magic(&cursor, "MUSTERS1");
    record->pid = cursor_u64(&cursor);
    record->start_ticks = cursor_u64(&cursor);
    record->guard = cursor_u64(&cursor);
    record->guard_ticks = cursor_u64(&cursor);
    record->containment = cursor_containment(&cursor);
    cursor_into(&cursor, record->cgroup, sizeof record->cgroup);
    return cursor_end(&cursor, FILES_RECORD, err);
}

void files_put_result(struct buf *buf, const struct driver_result *result)
{
    buf_put_literal(buf, "MUSTERR1");
    buf_put_u8(buf, (uint8_t)result->outcome);
    buf_put_u32(buf, result->exit_code);
    buf_put_u32(buf, result->signal);
    buf_put_u8(buf, result->changes);
    buf_put_u64(buf, result->started_ms);
    buf_put_u64(buf, result->ended_ms);
    buf_put_text(buf, result->text);
}

int files_get_result(const struct buf *buf, struct driver_result *result,
                     struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, buf->data, buf->len);
    cursor_magic(&cursor, "MUSTERR1");
    uint8_t outcome = cursor_u8(&cursor);
    if (outcome < DRIVER_SUCCESS || outcome > DRIVER_LOST) {
        cursor_fail(&cursor);
        outcome = DRIVER_LOST;
    }
    result->outcome = (enum driver_outcome)outcome;
    result->exit_code = cursor_u32(&cursor);
    result->signal = cursor_u32(&cursor);
    result->changes = cursor_u8(&cursor) != 0;
    result->unable = false;
    result->started_ms = cursor_u64(&cursor);
    result->ended_ms = cursor_u64(&cursor);
    cursor_into(&cursor, result->text, sizeof result->text);
    return cursor_end(&cursor, FILES_RESULT, err);
}

/* --- files
 * ----------------------------------------------------------------------------- */

static int files_fail(const char *name, const char *what, struct err *err)
{
    int number = errno;
    enum err_code code = ERR_IO;
    if (number == ENOSPC || number == EDQUOT) {
        code = ERR_FULL;
    } else if (number == ENOENT) {
        code = ERR_NOT_FOUND;
    } else if (number == EEXIST) {
        code = ERR_EXISTS;
    } else if (number == EMFILE || number == ENFILE || number == ENOMEM) {
        code = ERR_UNAVAILABLE;
    }
    return err_set(err, code, "%s: %s: %s", name, what, strerror(number));
}

int files_read(int folder_fd, const char *name, struct buf *out, struct err *err)
{
    buf_init(out);
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return files_fail(name, "open", err);
    }
    buf_reserve(out, FILES_MAX_BYTES + 1);
    ssize_t got = 1;
    while (got > 0 && out->len <= FILES_MAX_BYTES) {
        got = read(fd, out->data + out->len, FILES_MAX_BYTES + 1 - out->len);
        out->len += got > 0 ? (size_t)got : 0;
    }
    int failed = 0;
    if (got < 0) {
        failed = files_fail(name, "read", err);
    } else if (out->len > FILES_MAX_BYTES) {
        failed = err_set(err, ERR_TOO_LARGE, "%s: larger than it can be", name);
    }
    close(fd);
    return failed;
}

static int write_all(int fd, const char *name, const struct buf *data, struct err *err)
{
    size_t at = 0;
    while (at < data->len) {
        ssize_t written = pwrite(fd, data->data + at, data->len - at, (off_t)at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return files_fail(name, "write", err);
        }
        at += (size_t)written;
    }
    return 0;
}

static int sync_fd(int fd, const char *name, struct err *err)
{
    return fsync(fd) == 0 ? 0 : files_fail(name, "sync", err);
}

int files_create(int folder_fd, const char *name, const struct buf *data,
                 struct err *err)
{
    int fd = openat(folder_fd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return files_fail(name, "create", err);
    }
    int failed = write_all(fd, name, data, err);
    if (failed == 0) {
        failed = sync_fd(fd, name, err);
    }
    close(fd);
    return failed != 0 ? failed : sync_fd(folder_fd, name, err);
}

int files_link(int folder_fd, const char *name, const struct buf *data, struct err *err)
{
    char part[64];
    snprintf(part, sizeof part, "%s.%d" FILES_PART, name, (int)getpid());
    int fd = openat(folder_fd, part,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return files_fail(part, "create", err);
    }
    int failed = write_all(fd, part, data, err);
    close(fd);
    if (failed == 0 && linkat(folder_fd, part, folder_fd, name, 0) != 0) {
        failed = files_fail(name, "link", err);
    }
    unlinkat(folder_fd, part, 0);
    return failed;
}

int files_reserve_result(int folder_fd, struct err *err)
{
    struct buf zeros;
    buf_init(&zeros);
    buf_put_zeros(&zeros, FILES_RESULT_BYTES);
    int failed = files_create(folder_fd, FILES_RESULT FILES_PART, &zeros, err);
    buf_close(&zeros);
    return failed;
}

int files_write_result(int folder_fd, const struct driver_result *result,
                       struct err *err)
{
    static const char part[] = FILES_RESULT FILES_PART;
    int fd = openat(folder_fd, part, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return files_fail(part, "open", err);
    }
    struct buf data;
    buf_init(&data);
    files_put_result(&data, result);
    int failed = write_all(fd, part, &data, err);
    if (failed == 0 && ftruncate(fd, (off_t)data.len) != 0) {
        failed = files_fail(part, "truncate", err);
    }
    if (failed == 0) {
        failed = sync_fd(fd, part, err);
    }
    close(fd);
    buf_close(&data);
    if (failed == 0 && renameat(folder_fd, part, folder_fd, FILES_RESULT) != 0) {
        failed = files_fail(FILES_RESULT, "rename", err);
    }
    return failed != 0 ? failed : sync_fd(folder_fd, FILES_RESULT, err);
}

int files_read_result(int folder_fd, struct driver_result *result, struct err *err)
{
    struct buf data;
    int failed = files_read(folder_fd, FILES_RESULT, &data, err);
    if (failed == 0) {
        failed = files_get_result(&data, result, err);
    }
    buf_close(&data);
    return failed;
}

int files_read_claim(int folder_fd, struct files_claim *claim, struct err *err)
{
    struct buf data;
    int failed = files_read(folder_fd, FILES_CLAIM, &data, err);
    if (failed == 0) {
        failed = files_get_claim(&data, claim, err);
    }
    buf_close(&data);
    return failed;
}

int files_read_record(int folder_fd, struct files_record *record, struct err *err)
{
    struct buf data;
    int failed = files_read(folder_fd, FILES_RECORD, &data, err);
    if (failed == 0) {
        failed = files_get_record(&data, record, err);
    }
    buf_close(&data);
    return failed;
}
