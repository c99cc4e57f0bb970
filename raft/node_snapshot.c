/* SPDX-License-Identifier: Apache-2.0 */
/* Door 2, the state as a whole: what an operator puts away. */
#include "raft/node.h"

#include "base/mem.h"
#include "raft/snapshot.h"

struct node_snapshot {
    const struct registry *frozen;
    struct snapshot_encoder *encoder;
};

struct node_snapshot *node_snapshot_open(const struct node *node)
{
    struct node_snapshot *snapshot = mem_zalloc(sizeof *snapshot);
    snapshot->frozen = registry_freeze(node_registry(node));
    snapshot->encoder = snapshot_encoder_new(snapshot->frozen);
    return snapshot;
}

uint64_t node_snapshot_sequence(const struct node_snapshot *snapshot)
{
    return registry_sequence(snapshot->frozen);
}

bool node_snapshot_next(struct node_snapshot *snapshot, struct buf *out)
{
    return snapshot_encoder_next(snapshot->encoder, out);
}

void node_snapshot_close(struct node_snapshot *snapshot)
{
    snapshot_encoder_free(snapshot->encoder);
    registry_thaw(snapshot->frozen);
    mem_free(snapshot);
}
