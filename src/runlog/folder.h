/* SPDX-License-Identifier: Apache-2.0 */
/* What a log's folder holds: its segments in order, and whether it has ended. */
#ifndef RUNLOG_FOLDER_H
#define RUNLOG_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RUNLOG_NAME_SIZE 32 /* of any file in it, with the terminator */

struct runlog_segment {
    uint64_t start;
    uint64_t len;
};

struct runlog_listing {
    struct runlog_segment *segments; /* by start */
    size_t count;
    bool ended;
    uint64_t end; /* offset behind the last byte, of one that has ended; else what is
                   * known so far */
};

/* Lists the folder; to be closed, also after an error. */
int runlog_list(int folder_fd, struct runlog_listing *listing, struct err *err);
void runlog_listing_close(struct runlog_listing *listing);

void runlog_segment_name(uint64_t start, char name[RUNLOG_NAME_SIZE]);
void runlog_end_name(uint64_t end, char name[RUNLOG_NAME_SIZE]);

#endif
