/* SPDX-License-Identifier: Apache-2.0 */
/* The question to another node and its answer are specified in raft/README.md, "Small
 * questions". */
#include "api/log_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/server_internal.h"
#include "base/mem.h"
#include "runlog/folder.h"
#include "runlog/reader.h"

bool log_piece_last(const struct log_piece *piece)
{
    return piece->ended && piece->from + piece->data.len >= piece->end;
}

/* --- a file of this node -------------------------------------------------------------
 */

static char *log_folder(const struct api *api, uint64_t run)
{
    return mem_printf("%s/%" PRIu64 "/log", api->runs != NULL ? api->runs : "", run);
}

/* How far the log goes, as far as it is known. */
static int folder_end(const char *folder, uint64_t run, struct log_piece *piece,
                      struct err *err)
{
    struct runlog_listing listing;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return err_set(err, ERR_NOT_FOUND,
                       "the log of run %" PRIu64 " is not kept any more", run);
    }
    if (fd < 0) {
        return err_set(err, ERR_IO, "the log of run %" PRIu64 " cannot be read: %s",
                       run, strerror(errno));
    }
    int rv = runlog_list(fd, &listing, err);
    piece->end = listing.end;
    piece->ended = listing.ended;
    runlog_listing_close(&listing);
    close(fd);
    return rv;
}

/* The bytes at `after`, or those behind what is missing there. In the pool; `piece` is
 * fresh. */
static void folder_read(const char *folder, uint64_t run, uint64_t after,
                        struct log_piece *piece, struct err *err)
{
    struct runlog_piece read = {.kind = RUNLOG_MISSING, .offset = after};
    if (folder_end(folder, run, piece, err) != 0) {
        return;
    }
    buf_reserve(&piece->data, LOG_PIECE_BYTES);
    while (read.kind == RUNLOG_MISSING) {
        piece->from = read.offset + read.len;
        runlog_read(folder, piece->from, piece->data.data, LOG_PIECE_BYTES, &read);
    }
    if (read.kind == RUNLOG_DATA) {
        piece->data.len = (size_t)read.len;
    } else if (read.kind == RUNLOG_FAILED) {
        *err = read.err;
    }
    if (piece->end < piece->from + piece->data.len) { /* it has grown */
        piece->end = piece->from + piece->data.len;
    }
}

static struct log_fetch *fetch_of(struct work *work)
{
    return (struct log_fetch *)(void *)((char *)work -
                                        offsetof(struct log_fetch, work));
}

static void local_run(struct work *work)
{
    struct log_fetch *fetch = fetch_of(work);
    folder_read(fetch->folder, fetch->run, fetch->after, &fetch->piece, &fetch->err);
}

static void local_done(struct work *work)
{
    struct log_fetch *fetch = fetch_of(work);
    mem_free(fetch->folder);
    fetch->folder = NULL;
    fetch->done(fetch, &fetch->piece, &fetch->err);
}

static void local_start(struct api *api, struct log_fetch *fetch)
{
    fetch->folder = log_folder(api, fetch->run);
    fetch->work = (struct work){.run = local_run, .done = local_done};
    work_start(api, &fetch->work);
}

/* --- another node's ------------------------------------------------------------------
 */

static void put_piece(struct buf *out, const struct log_piece *piece)
{
    buf_put_u64(out, piece->from);
    buf_put_u64(out, piece->end);
    buf_put_u8(out, piece->ended ? 1 : 0);
    buf_put_blob(out, piece->data.data, piece->data.len);
}

static void take_piece(struct log_fetch *fetch, const uint8_t *data, size_t len)
{
    struct log_piece *piece = &fetch->piece;
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    piece->from = cursor_u64(&cursor);
    piece->end = cursor_u64(&cursor);
    piece->ended = cursor_u8(&cursor) == 1;
    size_t bytes_len = 0;
    const uint8_t *bytes = cursor_blob(&cursor, LOG_PIECE_BYTES, &bytes_len);
    if (!cursor_done(&cursor) || piece->from < fetch->after) {
        err_set(&fetch->err, ERR_CORRUPT, "the answer is damaged");
    } else if (bytes_len > 0) {
        buf_put(&piece->data, bytes, bytes_len);
    }
}

static void remote_told(void *owner, const struct err *err, const uint8_t *data,
                        size_t len)
{
    struct log_fetch *fetch = owner;
    if (err->code == ERR_NONE) {
        take_piece(fetch, data, len);
    } else {
        fetch->err = *err;
    }
    if (fetch->err.code != ERR_NONE) {
        err_prefix(&fetch->err, "node '%.64s', which has the log of run %" PRIu64,
                   fetch->name, fetch->run);
    }
    fetch->done(fetch, &fetch->piece, &fetch->err);
}

static void remote_refused(struct clock_task *task)
{
    struct log_fetch *fetch = task->owner;
    fetch->done(fetch, &fetch->piece, &fetch->err);
}

static void remote_start(struct api *api, struct log_fetch *fetch)
{
    const struct registry *registry = node_registry(api->node);
    const struct member *member = registry_member(registry, fetch->node);
    struct err *err = &fetch->err;
    struct buf question;
    buf_init(&question);
    buf_put_u64(&question, fetch->run);
    buf_put_u64(&question, fetch->after);
    int rv = ERR_UNAVAILABLE;
    if (member == NULL) {
        err_set(err, ERR_UNAVAILABLE,
                "the node that has the log of run %" PRIu64 " is no member any more",
                fetch->run);
    } else {
        snprintf(fetch->name, sizeof fetch->name, "%s", member->name);
        rv = node_ask(api->node, fetch->node, REQUEST_RUN_LOG, question.data,
                      question.len, remote_told, fetch, err);
        if (rv != 0) {
            err_prefix(err, "node '%.64s', which has the log of run %" PRIu64,
                       fetch->name, fetch->run);
        }
    }
    buf_close(&question);
    if (rv != 0) {
        fetch->refusal = (struct clock_task){.run = remote_refused, .owner = fetch};
        clock_defer(api->options.clock, &fetch->refusal);
    }
}

void log_fetch_start(struct api *api, struct log_fetch *fetch)
{
    struct node_status status;
    node_status(api->node, &status);
    fetch->err = (struct err){0};
    fetch->piece = (struct log_piece){.from = fetch->after, .end = fetch->after};
    buf_init(&fetch->piece.data);
    if (fetch->node == status.id) {
        local_start(api, fetch);
    } else {
        remote_start(api, fetch);
    }
}

/* --- for the others ------------------------------------------------------------------
 */

struct log_favour {
    struct work work; /* first */
    struct request_asker asker;
    uint64_t run;
    uint64_t after;
    char *folder;
    struct log_piece piece;
    struct err err;
};

static void favour_run(struct work *work)
{
    struct log_favour *favour = (struct log_favour *)(void *)work;
    folder_read(favour->folder, favour->run, favour->after, &favour->piece,
                &favour->err);
}

static void favour_done(struct work *work)
{
    struct log_favour *favour = (struct log_favour *)(void *)work;
    struct node *node = work->api->node;
    struct buf answer;
    buf_init(&answer);
    if (work->api->stopping) {
        /* the node may be gone; who asked finds that out */
    } else if (favour->err.code != ERR_NONE) {
        node_answer(node, &favour->asker, favour->err.code, favour->err.text,
                    strlen(favour->err.text));
    } else {
        put_piece(&answer, &favour->piece);
        node_answer(node, &favour->asker, ERR_NONE, answer.data, answer.len);
    }
    buf_close(&answer);
    buf_close(&favour->piece.data);
    mem_free(favour->folder);
    mem_free(favour);
}

static void favour_asked(void *owner, const struct request_asker *asker,
                         const uint8_t *data, size_t len)
{
    static const char wrong[] = "the question is not understood";
    struct api *api = owner;
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint64_t run = cursor_u64(&cursor);
    uint64_t after = cursor_u64(&cursor);
    if (!cursor_done(&cursor)) {
        node_answer(api->node, asker, ERR_INVALID, wrong, sizeof wrong - 1);
        return;
    }
    struct log_favour *favour = mem_zalloc(sizeof *favour);
    favour->work = (struct work){.run = favour_run, .done = favour_done};
    favour->asker = *asker;
    favour->run = run;
    favour->after = after;
    favour->folder = log_folder(api, run);
    buf_init(&favour->piece.data);
    work_start(api, &favour->work);
}

void log_fetch_serve(struct api *api)
{
    api->log_answers = (struct request_handler){favour_asked, api};
    node_answers(api->node, REQUEST_RUN_LOG, &api->log_answers);
}

void log_fetch_stop(struct api *api)
{
    node_answers(api->node, REQUEST_RUN_LOG, NULL);
}
