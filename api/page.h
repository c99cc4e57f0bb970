/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of tasks and of runs, a page at a time and by the prefix of a name: ?per_page,
 * ?next_token, ?prefix (spec/muster.md 5).
 *
 * All pages of one listing show the state of its first: a set of pages holds a frozen
 * root. What that costs is the old nodes of whatever changes meanwhile; so a set is
 * kept for LIMIT_PAGE_MS from its first page on, asked for or not, and of more than
 * LIMIT_PAGE_SETS the oldest goes first. It lives on this node and nowhere else. Who
 * comes after its end, or to another node, is told so (410), and begins again. */
#ifndef API_PAGE_H
#define API_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/call.h"
#include "api/stream.h"
#include "base/limits.h"
#include "raft/clock.h"

struct api;

/* What a call has asked for; in its pool. */
struct page {
    const char *prefix; /* of the tasks' names that are shown, "" for all */
    size_t prefix_len;
    bool paged;
    uint64_t per_page; /* 0: as many as the page before */
    uint64_t left;     /* that this page may still show */
    uint64_t shown;
    uint64_t set;      /* 0: this is the first page */
    uint64_t from;     /* the creation, or the run, to begin at */
    uint64_t question; /* what all pages must have asked alike */
};

struct page_set {
    uint64_t id;
    uint64_t question;
    uint64_t per_page;
    uint64_t due_ms; /* its end */
    const struct registry *frozen;
};

/* All sets of one api, the oldest first. */
struct page_room {
    struct page_set sets[LIMIT_PAGE_SETS];
    size_t count;
    struct clock_timer timer; /* at the end of the oldest */
};

/* Judge the three parameters of a read, before anything waits; call->page is there
 * afterwards if one is given. False: answered. */
bool page_judge(struct call *call);

/* Make `source` a walk over the tasks of this page: its view, its place, and the page
 * as its `arg`. False: answered (410). */
bool page_begin(struct call *call, struct stream_source *source);

enum page_step {
    PAGE_SKIP, /* not this one */
    PAGE_SHOW,
    PAGE_END, /* it is the first of the next page, or NULL: the list is at its end */
};

/* What becomes of the task that the walk has come to; NULL at its end. `fits`: the
 * handler's own filter shows it. */
enum page_step page_step(struct page *page, const struct task *task, bool fits);
/* Likewise, of what has the name of a task; NULL at the end. */
enum page_step page_step_named(struct page *page, const char *name, bool fits);

/* Append `,"next_token":"…"` if `next` is the first task of another page, which is held
 * from now on; nothing if it is NULL. */
void page_put_next(struct stream_source *source, const struct page *page,
                   const struct task *next, struct buf *out);
/* Likewise, if `next` is not 0: the number that the next page begins at. */
void page_put_next_at(struct stream_source *source, const struct page *page,
                      uint64_t next, struct buf *out);

/* One room an api. Nothing is held after page_stop(). */
void page_open(struct api *api);
void page_stop(struct api *api);

#endif
