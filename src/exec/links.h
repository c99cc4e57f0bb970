/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's end of its socket: nodes come, one after the other, and go. */
#ifndef EXEC_LINKS_H
#define EXEC_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "exec/talk.h"

#define LINKS_MAX 8

struct link {
    int fd; /* -1: free */
    struct buf received;
};

struct links {
    int listen_fd;
    struct link link[LINKS_MAX];
};

struct links_news {
    uint64_t feed_ms; /* the latest deadline that was fed, or 0 */
    bool stop;
    bool bye;
    bool asked; /* somebody came or spoke: tell the state */
};

/* Binds and listens in the current folder, where the name is short enough whatever the
 * folder's is. ERR_EXISTS, ERR_IO. */
int links_open(struct links *links, const char *name, struct err *err);
void links_close(struct links *links);

/* What was said since the last call, without waiting. */
void links_read(struct links *links, struct links_news *news);

/* Is a node there? */
bool links_any(const struct links *links);

/* To all; who does not take it at once is cut off, and comes again. */
void links_tell(struct links *links, const struct buf *frame);

#endif
