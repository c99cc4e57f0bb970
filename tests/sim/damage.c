/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that are not as their node left them: bytes are flipped while it is down, an
 * old copy is put back. Either takes a folder's data away, so both share the allowance
 * of the wiped (world->wipes_left), and end in an empty folder.
 *
 * Flipped: the node does not start, and says which file it is and where; or nothing of
 * what it had is lost: the flip was in what a crash may leave, or in one of two copies.
 *
 * Put back: peers remember more of the node than the copy says, and refuse it. They
 * forget when all are restarted, so none is while that is to be seen. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "raft/node_inside.h"
#include "sim/inside.h"
#include "sim/machine.h"

#define FLIPS_MAX         3
#define TRIES             16 /* for a byte that is not zero */
#define PUT_BACK_LIMIT_US 5000000

/* --- may a folder be lost?
 * ------------------------------------------------------ */

/* The first founder of a cluster whose folder is lost before there is another takes the
 * cluster with it, and nobody knows that there was one. */
static bool damage_is_only_founder(const struct world *world,
                                   const struct sim_node *member)
{
    size_t founders = 0;
    for (size_t i = 0; i < world->count; i++) {
        founders += world->members[i].founded;
    }
    return member->founded && founders == 1;
}

/* Never so many that the members left are no majority; once all vote again, as many as
 * before. */
bool damage_allowed(struct world *world, const struct sim_node *member)
{
    if (world_is_complete(world)) {
        world->wipes_left = (world->count - 1) / 2;
        for (size_t i = 0; i < world->count; i++) {
            world->members[i].wiped = false;
            world->members[i].flipped = false;
        }
    }
    return world->wipes_left > 0 && member->state == SIM_NODE_UP && !member->wiped &&
           !damage_is_only_founder(world, member);
}

/* What is alive on the machine has lost its folder. */
static void damage_runs(struct sim_node *member)
{
    if (member->machine != NULL) {
        machine_lose_folder(member->machine);
    }
}

/* It is down, and its folder is good for nothing: it comes back as a stranger. */
static void damage_empty(struct sim_node *member)
{
    transcript_note(member->world->transcript, "%s: its folder is emptied",
                    member->name);
    sim_disk_wipe(member->disk);
    damage_runs(member);
    member->world->result->wipes++;
    member->wiped = true;
    member->flipped = false;
    member->founded = false;
}

/* --- flipped bytes
 * ------------------------------------------------------------------ */

void damage_flip(struct sim_node *member, uint64_t seed, enum sim_node_end end,
                 uint64_t down_us)
{
    struct world *world = member->world;
    world->wipes_left--;
    member->wiped = true; /* it may be, and counts as one already */
    member->flip_due = true;
    sim_random_init(&member->flip_random, seed);
    sim_node_end(member, end, down_us);
}

static void damage_flip_one(struct sim_node *member)
{
    struct sim_random *random = &member->flip_random;
    size_t count = sim_disk_count(member->disk);
    if (count == 0) {
        return;
    }
    const char *name = sim_disk_name(member->disk, sim_random_below(random, count));
    size_t len = 0;
    const uint8_t *content = sim_disk_content(member->disk, name, &len);
    if (len == 0) {
        return;
    }
    bool any = sim_random_chance(random, 30);
    uint64_t at = sim_random_below(random, len);
    for (size_t i = 0; i < TRIES && !any && content[at] == 0; i++) {
        at = sim_random_below(random, len);
    }
    uint8_t mask = (uint8_t)(1 + sim_random_below(random, 255));
    transcript_note(member->world->transcript,
                    "%s: %s: byte %" PRIu64 " is flipped, %02x", member->name, name, at,
                    mask);
    (void)sim_disk_flip(member->disk, name, at, mask);
    member->flipped = true;
}

void damage_at_start(struct sim_node *member)
{
    if (member->flip_due) {
        member->flip_due = false;
        uint64_t flips = 1 + sim_random_below(&member->flip_random, FLIPS_MAX);
        for (uint64_t i = 0; i < flips; i++) {
            damage_flip_one(member);
        }
    }
}

/* "n2/log-...: offset 512: ...", "n2/identity is damaged at byte 17: ..." */
static bool damage_is_told(const struct sim_node *member, const char *text)
{
    char folder[16];
    snprintf(folder, sizeof folder, "%s/", member->name);
    const char *at = strstr(text, "offset ");
    at = at != NULL ? at + strlen("offset ") : strstr(text, "at byte ");
    return strstr(text, folder) != NULL && at != NULL;
}

bool damage_refused(struct sim_node *member, const struct err *err)
{
    if (!member->flipped || err->code != ERR_CORRUPT) {
        return false;
    }
    if (!damage_is_told(member, err->text)) {
        world_break(member->world, "%s: a damaged file, and not which and where: %s",
                    member->name, err->text);
    }
    member->flipped = false;
    member->wipe_due = true;
    return true;
}

/* --- an old copy
 * -------------------------------------------------------------------- */

static struct sim_disk *damage_clone(struct sim_node *member)
{
    struct sim_disk *copy = sim_disk_new(member->world->time, 1, member->name);
    for (size_t i = 0; i < sim_disk_count(member->disk); i++) {
        const char *name = sim_disk_name(member->disk, i);
        size_t len = 0;
        const uint8_t *content = sim_disk_content(member->disk, name, &len);
        sim_disk_put(copy, name, content, len);
    }
    return copy;
}

void damage_forget_copy(struct sim_node *member)
{
    if (member->copy != NULL) {
        sim_disk_free(member->copy);
        member->copy = NULL;
    }
}

static void damage_replace(struct sim_node *member)
{
    transcript_note(member->world->transcript, "%s: an old copy is put back",
                    member->name);
    sim_disk_wipe(member->disk);
    damage_runs(member);
    for (size_t i = 0; i < sim_disk_count(member->copy); i++) {
        const char *name = sim_disk_name(member->copy, i);
        size_t len = 0;
        const uint8_t *content = sim_disk_content(member->copy, name, &len);
        sim_disk_put(member->disk, name, content, len);
    }
}

/* It has been taken apart, and is down. */
void damage_when_down(struct sim_node *member)
{
    if (member->copy_due) {
        member->copy_due = false;
        damage_forget_copy(member);
        member->copy = damage_clone(member);
    }
    if (member->put_back_due) {
        member->put_back_due = false;
        damage_replace(member);
    }
    if (member->wipe_due) {
        member->wipe_due = false;
        damage_forget_copy(member);
        damage_empty(member);
    }
}

/* Does everybody else know this start of it, and will nobody end by itself? */
static bool damage_is_known(const struct world *world, const struct sim_node *member)
{
    const struct identity *self = &member->node->identity;
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_node *other = &world->members[i];
        if (other->state != SIM_NODE_UP || other->faulty || other->full ||
            other->retiring || other->level < COMMAND_LEVEL) {
            return false;
        }
        if (other == member) {
            continue;
        }
        const struct acquaintance *row =
            acquaintances_find(&other->node->others, self->node_id);
        if (row == NULL || row->start_counter != self->start_counter) {
            return false;
        }
    }
    return !world->asked && world_is_complete(world);
}

void damage_copy(struct sim_node *member, uint64_t down_us)
{
    if (member->state == SIM_NODE_UP && node_engine(member->node) != NULL) {
        transcript_note(member->world->transcript, "%s: its folder is copied",
                        member->name);
        member->copy_due = true;
        sim_node_end(member, SIM_NODE_STOPPED, down_us);
    }
}

bool damage_put_back(struct world *world, size_t first)
{
    for (size_t i = 0; world->put_back == NULL && i < world->count; i++) {
        struct sim_node *member = &world->members[(first + i) % world->count];
        if (member->copy != NULL && member->state == SIM_NODE_UP &&
            damage_is_known(world, member) && damage_allowed(world, member)) {
            world->wipes_left--;
            member->wiped = true;
            member->put_back_due = true;
            member->put_back = true;
            world->put_back = member;
            sim_node_end(member, SIM_NODE_KILLED, 1000);
            world_queue(world, &member->give_up, PUT_BACK_LIMIT_US);
        }
    }
    return world->put_back != NULL;
}

/* Its peers refused it, or could not be reached for so long. */
void damage_put_back_over(struct sim_node *member)
{
    struct world *world = member->world;
    member->put_back = false;
    world->put_back = NULL;
    sim_time_cancel(world->time, &member->give_up);
    member->wipe_due = true;
    if (member->state == SIM_NODE_UP) {
        sim_node_end(member, SIM_NODE_KILLED, 1000);
    } else if (member->state == SIM_NODE_DOWN) {
        damage_when_down(member);
    }
}

void damage_gave_up(struct sim_event *event)
{
    struct sim_node *member = event->owner;
    if (member->world->calm) {
        world_break(member->world, "%s: an old copy of its folder is not refused",
                    member->name);
    }
    damage_put_back_over(member);
}
