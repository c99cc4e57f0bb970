/* SPDX-License-Identifier: Apache-2.0 */
/* A question is a job in the pool that lists the folder, finds the file that the offset
 * is in, and reads. One that finds nothing new and is to follow waits until the kernel
 * says that something in the folder has changed; it was told to watch before the last
 * look, so nothing falls in between. A timer looks as well: where the kernel has no
 * watch to give, and for file systems that tell nothing. */
#include "runlog/reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "runlog/folder.h"

#define READER_LOOKS   4    /* a file may be removed while it is looked for */
#define READER_LOOK_MS 1000 /* without any word from the kernel */

/* --- one look
 * ----------------------------------------------------------------------------- */

static void fail(struct runlog_piece *piece, const char *folder, int number)
{
    piece->kind = RUNLOG_FAILED;
    err_set(&piece->err, number == ENOENT ? ERR_NOT_FOUND : ERR_IO, "log %.256s: %s",
            folder, strerror(number));
}

/* What is at the offset, by the list alone; the segment if it has bytes there. */
static const struct runlog_segment *locate(const struct runlog_listing *listing,
                                           struct runlog_piece *piece)
{
    uint64_t next = listing->end;
    for (size_t i = 0; i < listing->count; i++) {
        const struct runlog_segment *segment = &listing->segments[i];
        if (piece->offset < segment->start) {
            next = segment->start;
            break;
        }
        if (piece->offset < segment->start + segment->len) {
            return segment;
        }
    }
    if (piece->offset < next) {
        piece->kind = RUNLOG_MISSING;
        piece->len = next - piece->offset;
    } else {
        piece->kind = RUNLOG_END;
        piece->offset = next;
        piece->ended = listing->ended;
    }
    return NULL;
}

/* False: the file is gone, look again. */
static bool read_segment(int folder_fd, const struct runlog_segment *segment,
                         void *data, size_t most, struct runlog_piece *piece)
{
    char name[RUNLOG_NAME_SIZE];
    runlog_segment_name(segment->start, name);
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    uint64_t left = segment->start + segment->len - piece->offset;
    ssize_t got = pread(fd, data, left < most ? (size_t)left : most,
                        (off_t)(piece->offset - segment->start));
    close(fd);
    if (got <= 0) {
        return false;
    }
    piece->kind = RUNLOG_DATA;
    piece->data = data;
    piece->len = (uint64_t)got;
    return true;
}

void runlog_read(const char *folder, uint64_t offset, void *data, size_t most,
                 struct runlog_piece *piece)
{
    *piece = (struct runlog_piece){.offset = offset};
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fail(piece, folder, errno);
        return;
    }
    bool done = false;
    for (int i = 0; i < READER_LOOKS && !done; i++) {
        struct runlog_listing listing;
        piece->offset = offset;
        if (runlog_list(fd, &listing, &piece->err) != 0) {
            piece->kind = RUNLOG_FAILED;
            done = true;
        } else {
            const struct runlog_segment *segment = locate(&listing, piece);
            done = segment == NULL || read_segment(fd, segment, data, most, piece);
        }
        runlog_listing_close(&listing);
    }
    if (!done) {
        fail(piece, folder, EIO);
    }
    close(fd);
}

/* --- a reader
 * ------------------------------------------------------------------------------ */

struct runlog_reader {
    uv_loop_t *loop;
    char *folder;
    uint64_t offset;
    uv_work_t work;
    uv_fs_event_t watch;
    uv_timer_t timer;
    bool watching; /* tried to: once */
    bool working;
    bool asked;
    bool follow;
    bool changed; /* since the look that is under way began */
    bool waiting; /* at the end, for a change */
    runlog_piece_cb piece;
    void *owner;
    size_t most;
    char *data;
    struct runlog_piece found;
    bool closing;
    int handles; /* open */
    void (*closed)(void *ctx);
    void *ctx;
};

struct runlog_reader *runlog_reader_new(struct uv_loop_s *loop, const char *folder,
                                        uint64_t offset)
{
    struct runlog_reader *reader = mem_zalloc(sizeof *reader);
    reader->loop = loop;
    reader->folder = mem_strdup(folder);
    reader->offset = offset;
    reader->work.data = reader;
    reader->watch.data = reader;
    reader->timer.data = reader;
    uv_fs_event_init(loop, &reader->watch);
    uv_timer_init(loop, &reader->timer);
    reader->handles = 2;
    return reader;
}

static void look_work(uv_work_t *request)
{
    struct runlog_reader *reader = request->data;
    runlog_read(reader->folder, reader->offset, reader->data, reader->most,
                &reader->found);
}

static void looked(uv_work_t *request, int status);

static void look(struct runlog_reader *reader)
{
    reader->waiting = false;
    reader->changed = false;
    reader->working = true;
    uv_queue_work(reader->loop, &reader->work, look_work, looked);
}

static void something_changed(struct runlog_reader *reader)
{
    reader->changed = true;
    if (reader->waiting) {
        uv_timer_stop(&reader->timer);
        look(reader);
    }
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    something_changed(watch->data);
}

static void on_timer(uv_timer_t *timer)
{
    something_changed(timer->data);
}

/* At the end. The first time the watch is set up, and then there is one more look. */
static void wait_for_more(struct runlog_reader *reader)
{
    if (!reader->watching) {
        reader->watching = true;
        uv_fs_event_start(&reader->watch, on_change, reader->folder, 0); /* or not */
        look(reader);
    } else if (reader->changed) {
        look(reader);
    } else {
        reader->waiting = true;
        uv_timer_start(&reader->timer, on_timer, READER_LOOK_MS, 0);
    }
}

static void free_if_done(struct runlog_reader *reader)
{
    if (!reader->closing || reader->working || reader->handles > 0) {
        return;
    }
    void (*closed)(void *ctx) = reader->closed;
    void *ctx = reader->ctx;
    mem_free(reader->folder);
    mem_free(reader->data);
    mem_free(reader);
    if (closed != NULL) {
        closed(ctx);
    }
}

static void looked(uv_work_t *request, int status)
{
    (void)status; /* it is never cancelled */
    struct runlog_reader *reader = request->data;
    const struct runlog_piece *found = &reader->found;
    reader->working = false;
    if (reader->closing) {
        free_if_done(reader);
        return;
    }
    if (found->kind == RUNLOG_END && !found->ended && reader->follow) {
        wait_for_more(reader);
        return;
    }
    reader->asked = false;
    if (found->kind != RUNLOG_FAILED) {
        reader->offset = found->offset + found->len;
    }
    reader->piece(reader->owner, found);
}

void runlog_reader_next(struct runlog_reader *reader, size_t most, bool follow,
                        runlog_piece_cb piece, void *owner)
{
    assert(!reader->asked && !reader->closing && most > 0);
    reader->asked = true;
    reader->follow = follow;
    reader->piece = piece;
    reader->owner = owner;
    if (most != reader->most) {
        reader->most = most;
        reader->data = mem_realloc(reader->data, most);
    }
    look(reader);
}

static void handle_closed(uv_handle_t *handle)
{
    struct runlog_reader *reader = handle->data;
    reader->handles--;
    free_if_done(reader);
}

void runlog_reader_close(struct runlog_reader *reader, void (*closed)(void *ctx),
                         void *ctx)
{
    assert(!reader->closing);
    reader->closing = true;
    reader->closed = closed;
    reader->ctx = ctx;
    uv_close((uv_handle_t *)&reader->watch, handle_closed);
    uv_close((uv_handle_t *)&reader->timer, handle_closed);
}
