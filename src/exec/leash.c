/* SPDX-License-Identifier: Apache-2.0 */
/* The node's end of a supervisor's socket.
 *
 * What is sent is a few bytes and is either taken at once or tried again with the next
 * tick: a supervisor that does not read must not make a queue grow. When it ends
 * without a result, what became of the run is looked for in its folder. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "exec/machine.h"

struct leash {
    uv_pipe_t pipe;
    struct exec *exec;
    struct exec_run *run; /* NULL: nobody's any more, being closed */
    struct buf received;
    char bytes[4096];
};

static void leash_closed(uv_handle_t *handle)
{
    struct leash *leash = handle->data;
    struct exec *exec = leash->exec;
    buf_close(&leash->received);
    mem_free(leash);
    exec->leashes_count--;
    exec_may_close(exec);
}

void leash_close(struct exec_run *run)
{
    struct leash *leash = run->leash;
    if (leash != NULL) {
        run->leash = NULL;
        leash->run = NULL;
        uv_close((uv_handle_t *)&leash->pipe, leash_closed);
    }
}

/* --- out
 * -------------------------------------------------------------------------------- */

/* True: it was taken. What was taken in part cannot be repeated: it begins anew. */
static bool send_frame(struct exec_run *run, const struct buf *frame)
{
    uv_buf_t bytes = uv_buf_init((char *)frame->data, (unsigned)frame->len);
    int sent = uv_try_write((uv_stream_t *)&run->leash->pipe, &bytes, 1);
    if (sent > 0 && (size_t)sent < frame->len) {
        exec_look(run, false, "its supervisor was lost");
        return false;
    }
    return sent > 0;
}

static void send_stop(struct exec_run *run)
{
    struct buf frame;
    buf_init(&frame);
    talk_put_head(&frame, TALK_STOP, 0);
    run->told_stop = send_frame(run, &frame);
    buf_close(&frame);
}

void leash_feed(struct exec_run *run)
{
    if (run->leash == NULL || run->state != EXEC_LIVE) {
        return;
    }
    if (run->wanted_ms > run->sent_ms) {
        struct buf frame;
        buf_init(&frame);
        talk_put_feed(&frame, run->wanted_ms);
        if (send_frame(run, &frame)) {
            run->sent_ms = run->wanted_ms;
        }
        buf_close(&frame);
    }
    if (run->stop && !run->told_stop && run->leash != NULL) {
        send_stop(run);
    }
}

void leash_bye(struct exec_run *run)
{
    if (run->leash != NULL) {
        struct buf frame;
        buf_init(&frame);
        talk_put_head(&frame, TALK_BYE, 0);
        uv_buf_t bytes = uv_buf_init((char *)frame.data, (unsigned)frame.len);
        uv_try_write((uv_stream_t *)&run->leash->pipe, &bytes, 1);
        buf_close(&frame);
    }
}

/* --- in
 * --------------------------------------------------------------------------------- */

static bool take_state(struct exec_run *run, struct cursor *payload)
{
    struct talk_state state;
    if (!talk_get_state(payload, &state)) {
        return false;
    }
    run->granted_ms = state.deadline_ms;
    run->gone = state.phase == TALK_GONE;
    if (state.started_ms != 0) {
        exec_started(run, state.started_ms);
    }
    return true;
}

static bool take_result(struct exec_run *run, struct cursor *payload)
{
    bool on_disk = false;
    struct driver_result result;
    if (!talk_get_result(payload, &on_disk, &result)) {
        return false;
    }
    if (run->state == EXEC_LIVE) {
        if (!on_disk) {
            log_warn("run %llu: its result cannot be written; its supervisor keeps it",
                     (unsigned long long)run->run);
        }
        exec_end(run, &result);
    }
    return true;
}

static bool take_frame(struct exec_run *run, uint8_t kind, struct cursor *payload)
{
    if (run->state == EXEC_LIVE && kind == TALK_STATE) {
        return take_state(run, payload);
    }
    return kind != TALK_RESULT || take_result(run, payload);
}

/* False: it was closed, or has to be. Callbacks may close it. */
static bool take_received(struct leash *leash)
{
    uint8_t kind = 0;
    struct cursor payload;
    int len = 0;
    while (leash->run != NULL &&
           (len = talk_frame(&leash->received, &kind, &payload)) > 0) {
        if (!take_frame(leash->run, kind, &payload)) {
            return false;
        }
        talk_drop(&leash->received, (size_t)len);
    }
    return len >= 0;
}

static void ended(struct leash *leash)
{
    struct exec_run *run = leash->run;
    if (run == NULL) {
        return;
    }
    if (run->state == EXEC_LIVE) {
        exec_look(run, false, "its supervisor died, and with it the run");
    } else {
        leash_close(run);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    (void)suggested;
    struct leash *leash = handle->data;
    *bytes = uv_buf_init(leash->bytes, sizeof leash->bytes);
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
    struct leash *leash = stream->data;
    if (len > 0) {
        buf_put(&leash->received, bytes->base, (size_t)len);
    }
    if (len < 0 || (len > 0 && !take_received(leash))) {
        ended(leash);
    }
}

void leash_open(struct exec_run *run, int fd)
{
    struct leash *leash = mem_zalloc(sizeof *leash);
    leash->exec = run->exec;
    leash->run = run;
    leash->pipe.data = leash;
    buf_init(&leash->received);
    run->exec->leashes_count++;
    run->leash = leash;
    uv_pipe_init(run->exec->loop, &leash->pipe, 0);
    if (uv_pipe_open(&leash->pipe, fd) != 0) {
        close(fd);
        exec_look(run, false, "its supervisor was lost");
        return;
    }
    uv_read_start((uv_stream_t *)&leash->pipe, give_room, received);
}
