/* SPDX-License-Identifier: Apache-2.0 */
/* Half of what a log may hold is its head, one file that is written first and then
 * never touched. The other half is a ring of files: before one more is begun the oldest
 * goes, so that the sum never passes max_bytes.
 *
 * A write that fails ends the file it was for: the bytes are missing, and the next ones
 * begin a file of their own. An empty file is removed at once, or a full disk would
 * push out, one empty file at a time, the part that was kept. */
#include "runlog/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runlog/folder.h"

static uint64_t head_bytes(const struct runlog_writer *writer)
{
    return writer->max_bytes / 2;
}

static uint64_t segment_bytes(const struct runlog_writer *writer)
{
    return writer->max_bytes / 2 / RUNLOG_TAIL_SEGMENTS;
}

static void remove_segment(struct runlog_writer *writer, uint64_t start)
{
    char name[RUNLOG_NAME_SIZE];
    runlog_segment_name(start, name);
    unlinkat(writer->folder_fd, name, 0);
}

static void drop_oldest(struct runlog_writer *writer)
{
    remove_segment(writer, writer->tail[0]);
    writer->tail_count--;
    memmove(writer->tail, writer->tail + 1,
            writer->tail_count * sizeof writer->tail[0]);
}

int runlog_writer_open(struct runlog_writer *writer, int folder_fd, uint64_t max_bytes,
                       struct err *err)
{
    assert(max_bytes >= RUNLOG_MIN_BYTES);
    *writer = (struct runlog_writer){
        .folder_fd = folder_fd,
        .fd = -1,
        .max_bytes = max_bytes,
    };
    struct runlog_listing listing;
    int failed = runlog_list(folder_fd, &listing, err);
    writer->offset = listing.end;
    for (size_t i = 0; i < listing.count; i++) {
        if (listing.segments[i].start == 0) {
            continue; /* the head */
        }
        if (writer->tail_count == RUNLOG_TAIL_SEGMENTS) {
            drop_oldest(writer);
        }
        writer->tail[writer->tail_count++] = listing.segments[i].start;
    }
    runlog_listing_close(&listing);
    if (failed != 0) {
        close(folder_fd);
        writer->folder_fd = -1;
    }
    return failed;
}

/* Room in the file that is being written; 0: none is. */
static uint64_t room(const struct runlog_writer *writer)
{
    if (writer->fd < 0) {
        return 0;
    }
    uint64_t len = writer->offset - writer->start;
    uint64_t most = writer->start == 0 ? head_bytes(writer) : segment_bytes(writer);
    return len < most ? most - len : 0;
}

static void close_segment(struct runlog_writer *writer)
{
    if (writer->fd < 0) {
        return;
    }
    close(writer->fd);
    writer->fd = -1;
    if (writer->offset == writer->start) {
        remove_segment(writer, writer->start);
        if (writer->start != 0) {
            writer->tail_count--;
        }
    }
}

static bool open_segment(struct runlog_writer *writer)
{
    close_segment(writer);
    if (writer->offset != 0 && writer->tail_count == RUNLOG_TAIL_SEGMENTS) {
        drop_oldest(writer);
    }
    char name[RUNLOG_NAME_SIZE];
    runlog_segment_name(writer->offset, name);
    writer->fd = openat(writer->folder_fd, name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (writer->fd < 0) {
        return false;
    }
    writer->start = writer->offset;
    if (writer->start != 0) {
        writer->tail[writer->tail_count++] = writer->start;
    }
    return true;
}

static ssize_t write_some(int fd, const void *data, size_t len)
{
    ssize_t written;
    do {
        written = write(fd, data, len);
    } while (written < 0 && errno == EINTR);
    return written;
}

void runlog_writer_put(struct runlog_writer *writer, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        uint64_t fits = room(writer);
        if (fits == 0) {
            if (!open_segment(writer)) {
                break;
            }
            continue;
        }
        ssize_t written = write_some(writer->fd, at, fits < len ? (size_t)fits : len);
        if (written <= 0) {
            close_segment(writer);
            break;
        }
        at += written;
        len -= (size_t)written;
        writer->offset += (uint64_t)written;
    }
    writer->offset += len;
    writer->missing += len;
}

static void note_end(int folder_fd, uint64_t end)
{
    /* In the name, not in the file: on a full disk an empty one can still be made. */
    char name[RUNLOG_NAME_SIZE];
    runlog_end_name(end, name);
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
}

void runlog_writer_end(struct runlog_writer *writer)
{
    close_segment(writer);
    note_end(writer->folder_fd, writer->offset);
    runlog_writer_close(writer);
}

void runlog_writer_close(struct runlog_writer *writer)
{
    close_segment(writer);
    close(writer->folder_fd);
    writer->folder_fd = -1;
}

void runlog_end(int folder_fd)
{
    struct runlog_listing listing;
    if (runlog_list(folder_fd, &listing, NULL) == 0 && !listing.ended) {
        note_end(folder_fd, listing.end);
    }
    runlog_listing_close(&listing);
}
