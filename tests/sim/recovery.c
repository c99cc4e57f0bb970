/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a world: all are down, and all folders but one are lost. What is left
 * holds all that anybody applied, and becomes the first member of a new cluster,
 * however often that is cut off. */
#include <inttypes.h>
#include <stdio.h>

#include "raft/recover.h"
#include "sim/inside.h"

#define NODE_ID    0x1111
#define CLUSTER_ID 0x2222
#define CUTS_MAX   3

static void recovery_skipped(void *owner, const struct recover_skipped *skipped)
{
    world_break(owner, "an entry is left out: %s", skipped->what);
}

static struct restore *recovery_read(struct world *world, struct sim_disk *disk,
                                     struct recover_copy *copy,
                                     struct restore_summary *summary)
{
    struct recover_order order = {.skipped = recovery_skipped, .owner = world};
    struct restore *restore = NULL;
    struct err err = {.text = ""};
    if (recover_read(sim_disk_base(disk), &order, copy, &restore, summary, &err) != 0) {
        world_break(world, "a folder cannot be recovered: %s", err.text);
    }
    return restore;
}

/* What it holds is what everybody had there; a node may have applied what the others
 * had on their disks and it had not yet. Then its own may still end with what another
 * leader wrote there in vain, of an older term or of a newer one: who led after that
 * one may have had the older entry there. */
static void recovery_check_copy(struct world *world, const struct recover_copy *copy,
                                const struct restore *restore)
{
    if (copy->last > truth_last(world->truth) || copy->last < copy->commit) {
        world_break(world, "a folder's last entry is %" PRIu64, copy->last);
    }
    if (copy->last > 0 && copy->last_term != truth_term(world->truth, copy->last)) {
        return;
    }
    const char *wrong =
        truth_state(world->truth, copy->last, restore_registry(restore));
    if (wrong != NULL) {
        world_break(world, "recovered: %s", wrong);
    }
}

/* The one that an operator takes, who compares their last entries. It has all that
 * anybody applied. */
static struct sim_node *recovery_choose(struct world *world)
{
    struct sim_node *best = NULL;
    struct recover_copy most = {.last = 0};
    for (size_t i = 0; i < world->count; i++) {
        struct recover_copy copy;
        struct restore_summary summary;
        struct restore *restore =
            recovery_read(world, world->members[i].disk, &copy, &summary);
        recovery_check_copy(world, &copy, restore);
        restore_free(restore);
        if (copy.last_term > most.last_term ||
            (copy.last_term == most.last_term && copy.last > most.last)) {
            best = &world->members[i];
            most = copy;
        }
    }
    if (best == NULL || most.last != truth_last(world->truth)) {
        world_break(world,
                    "the folder furthest ahead ends with entry %" PRIu64
                    ", and %" PRIu64 " was applied",
                    most.last, truth_last(world->truth));
    }
    return best;
}

static bool recovery_write(struct restore *restore, struct sim_disk *disk,
                           const struct world *world)
{
    struct restore_target target = {
        .disk = sim_disk_base(disk),
        .node_id = NODE_ID,
        .cluster_id = CLUSTER_ID,
        .wall_ms = 1,
        .name = "n1",
        .peer_address = "n1:8658",
        .api_address = "",
        .segment_bytes = world->segment_bytes,
    };
    struct err err; /* that its disk has no power */
    return restore_write(restore, &target, &err) == 0;
}

static void recovery_check_epoch(struct world *world, struct sim_disk *disk,
                                 const struct restore_summary *before)
{
    struct recover_copy copy;
    struct restore_summary after;
    restore_free(recovery_read(world, disk, &copy, &after));
    if (copy.cluster_id != CLUSTER_ID || copy.member_count != 1 || after.live != 0 ||
        after.tasks != before->tasks - before->deleting ||
        (before->deleting == 0 && after.enabled != before->enabled) ||
        after.members != 0 || after.events != 1 + before->live + before->deleting ||
        after.first != before->next + REGISTRY_EPOCH) {
        world_break(world, "a new epoch begins with event %" PRIu64 " after %" PRIu64,
                    after.first, before->next - 1);
    }
}

void recovery_check(struct world *world)
{
    static const enum sim_disk_loss losses[] = {SIM_LOSE, SIM_KEEP, SIM_TEAR,
                                                SIM_REORDER};
    struct sim_node *left = recovery_choose(world);
    struct sim_disk *disk = sim_disk_new(world->time, world_below(world, 1000), "new");
    struct recover_copy copy;
    struct restore_summary summary;
    uint64_t cuts = world_below(world, CUTS_MAX + 1);
    bool whole = false;
    for (uint64_t i = 0; !whole; i++) {
        struct restore *restore = recovery_read(world, left->disk, &copy, &summary);
        if (i < cuts) {
            sim_disk_power_off_after(disk, world_below(world, 40));
        }
        whole = recovery_write(restore, disk, world);
        restore_free(restore);
        if (!whole && i >= cuts) {
            world_break(world, "a recovery that was cut off cannot be done again");
        }
        sim_disk_power_off(disk);
        sim_disk_power_on(disk, losses[world_below(world, 4)]);
    }
    recovery_check_epoch(world, disk, &summary);
    sim_disk_free(disk);
}
