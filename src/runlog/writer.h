/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the log of one run: its beginning and its newest part, however much there is.
 *
 * Every byte has an offset, which counts from the run's first byte and never changes.
 * The log is a folder of plain files, named by the offset of their first byte in 20
 * digits; what lies between two of them is missing. src/runlog/README.md has the
 * format. A log is written by one writer at a time and read by any number of readers.
 */
#ifndef RUNLOG_WRITER_H
#define RUNLOG_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RUNLOG_TAIL_SEGMENTS 8 /* at the most, of max_bytes / 16 each */
#define RUNLOG_MIN_BYTES     1024

struct runlog_writer {
    int folder_fd;
    int fd;           /* of the segment that is being written, or -1 */
    uint64_t start;   /* its offset */
    uint64_t offset;  /* of the next byte */
    uint64_t missing; /* bytes that could not be written */
    uint64_t max_bytes;
    uint64_t tail[RUNLOG_TAIL_SEGMENTS]; /* starts of tail segments, oldest first */
    size_t tail_count;
};

/* A log that goes on where the folder's ends (an empty one: at 0). Takes `folder_fd`
 * over, whatever is returned. `max_bytes` is at least RUNLOG_MIN_BYTES. */
int runlog_writer_open(struct runlog_writer *writer, int folder_fd, uint64_t max_bytes,
                       struct err *err);

/* Append. It cannot fail: what cannot be written (a full disk) is missing from the log,
 * and what comes after it is tried again. */
void runlog_writer_put(struct runlog_writer *writer, const void *data, size_t len);

/* Nothing more comes. */
void runlog_writer_end(struct runlog_writer *writer);
void runlog_writer_close(struct runlog_writer *writer); /* without ending it */

/* End a log whose writer is no more; nothing if it has ended. */
void runlog_end(int folder_fd);

#endif
