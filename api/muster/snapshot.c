/* SPDX-License-Identifier: Apache-2.0 */
/* /snapshot: the whole state as bytes that `muster snapshot` verifies and restores. */
#include "api/error.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "api/stream.h"

static enum stream_step snapshot_next(struct stream_source *source, struct buf *out)
{
    return node_snapshot_next(source->arg, out) ? STREAM_ITEM : STREAM_END;
}

static void snapshot_close(struct stream_source *source)
{
    node_snapshot_close(source->arg);
}

void snapshot_get(struct call *call)
{
    struct node_status status;
    node_status(call->api->node, &status);
    if (status.role == NODE_FORMING) {
        struct err err; /* a file without any task would pass for a copy of them */
        err_set(&err, ERR_UNAVAILABLE, "this node is in no cluster yet: %s",
                status.trouble);
        error_reply(call, &err);
        return;
    }
    struct node_snapshot *snapshot = node_snapshot_open(call->api->node);
    call->sequence = node_snapshot_sequence(snapshot);
    struct stream_source source = {
        .form = STREAM_BYTES,
        .next = snapshot_next,
        .close = snapshot_close,
        .arg = snapshot,
    };
    stream_start(call, &source);
}
