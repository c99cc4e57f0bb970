/* SPDX-License-Identifier: Apache-2.0 */
/* One job in the pool at a time: it marks what was reported since the last one and
 * removes what is over the limits. */
#include "exec/keep.h"

#include <assert.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "exec/process.h"

#define KEEP_REMOVE_MAX 16 /* folders a job: the pool has others to serve */

struct keep {
    uv_work_t work;
    uv_loop_t *loop;
    const struct place *place;
    struct exec_keep limits;
    struct place_kept *kept; /* oldest first */
    size_t count;
    uint64_t bytes;
    uint64_t *added; /* to be marked */
    size_t added_count;
    bool busy;
    bool closing;
    void (*closed)(void *ctx);
    void *ctx;
    /* the job's */
    struct place_kept
        *marked; /* in: run; out: what it takes, bytes 0 if it is not there */
    size_t marked_count;
    uint64_t removed[KEEP_REMOVE_MAX];
    size_t removed_count;
};

struct keep *keep_new(struct uv_loop_s *loop, const struct place *place,
                      const struct exec_keep *limits)
{
    struct keep *keep = mem_zalloc(sizeof *keep);
    keep->loop = loop;
    keep->place = place;
    keep->limits = *limits;
    keep->work.data = keep;
    return keep;
}

static void keep_free(struct keep *keep)
{
    void (*closed)(void *ctx) = keep->closed;
    void *ctx = keep->ctx;
    mem_free(keep->kept);
    mem_free(keep->added);
    mem_free(keep);
    closed(ctx);
}

static void work(uv_work_t *request)
{
    struct keep *keep = request->data;
    for (size_t i = 0; i < keep->marked_count; i++) {
        struct place_kept *kept = &keep->marked[i];
        if (!place_put_away(keep->place, kept->run, kept)) {
            kept->run = 0;
        }
    }
    for (size_t i = 0; i < keep->removed_count; i++) {
        if (place_is_kept(keep->place, keep->removed[i])) { /* else begun anew */
            place_remove(keep->place, keep->removed[i]);
        }
    }
}

static void append(struct keep *keep, const struct place_kept *kept, size_t count)
{
    keep->kept =
        mem_realloc(keep->kept, (keep->count + count + 1) * sizeof *keep->kept);
    for (size_t i = 0; i < count; i++) {
        if (kept[i].run != 0) {
            keep->kept[keep->count++] = kept[i];
            keep->bytes += kept[i].bytes;
        }
    }
}

/* The oldest ones that are too much, off the list. */
static void choose(struct keep *keep)
{
    uint64_t now_ms = process_wall_ms();
    size_t count = 0;
    while (count < keep->count && count < KEEP_REMOVE_MAX) {
        const struct place_kept *oldest = &keep->kept[count];
        if (keep->bytes <= keep->limits.bytes &&
            keep->count - count <= keep->limits.count &&
            (now_ms < oldest->wall_ms ||
             now_ms - oldest->wall_ms <= keep->limits.age_ms)) {
            break;
        }
        keep->bytes -= oldest->bytes;
        keep->removed[count++] = oldest->run;
    }
    keep->removed_count = count;
    keep->count -= count;
    if (count > 0) {
        memmove(keep->kept, keep->kept + count, keep->count * sizeof *keep->kept);
    }
}

static void after(uv_work_t *request, int status);

static void submit(struct keep *keep)
{
    if (keep->busy) {
        return;
    }
    choose(keep);
    if (keep->added_count == 0 && keep->removed_count == 0) {
        return;
    }
    keep->marked_count = keep->added_count;
    keep->marked = mem_array(keep->added_count + 1, sizeof *keep->marked);
    for (size_t i = 0; i < keep->added_count; i++) {
        keep->marked[i].run = keep->added[i];
    }
    keep->added_count = 0;
    keep->busy = true;
    uv_queue_work(keep->loop, &keep->work, work, after);
}

static void after(uv_work_t *request, int status)
{
    (void)status; /* it is never cancelled */
    struct keep *keep = request->data;
    keep->busy = false;
    append(keep, keep->marked, keep->marked_count);
    mem_free(keep->marked);
    keep->marked = NULL;
    if (keep->closing && keep->added_count == 0) {
        keep_free(keep);
    } else {
        submit(keep);
    }
}

void keep_load(struct keep *keep, struct place_kept *kept, size_t count)
{
    append(keep, kept, count);
    mem_free(kept);
    submit(keep);
}

void keep_add(struct keep *keep, uint64_t run)
{
    keep->added =
        mem_realloc(keep->added, (keep->added_count + 1) * sizeof *keep->added);
    keep->added[keep->added_count++] = run;
    submit(keep);
}

void keep_trim(struct keep *keep)
{
    submit(keep);
}

void keep_close(struct keep *keep, void (*closed)(void *ctx), void *ctx)
{
    assert(!keep->closing);
    keep->closing = true;
    keep->closed = closed;
    keep->ctx = ctx;
    if (!keep->busy) {
        keep_free(keep);
    }
}
