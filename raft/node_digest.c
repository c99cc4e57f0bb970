/* SPDX-License-Identifier: Apache-2.0 */
/* A node and the digests of the others (raft/digest_watch.h): it tells its own when
 * there is a new one, to whoever says hello, and again each second to who has not said
 * as much; and it does what follows from the comparison.
 *
 * A node that differs from a majority has the right log and the wrong state. So it goes
 * on to vote and to acknowledge entries, which are what the others have, and nobody who
 * dies beside it takes the majority along. It serves nothing, leads nobody (it does not
 * stand for election, and gives the lead away), takes no snapshot of its state, for its
 * log may still lead to the right one, and sends none. A leader's snapshot that is
 * installed takes the place of the wrong state, and with it of the verdict; so does a
 * restart, until the comparison says so again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "raft/keeper.h"

#define DIGEST_AGAIN_MS 1000

void node_start_digests(struct node *node)
{
    digest_watch_init(&node->digests.watch, node->identity.node_id,
                      node->options.digest_every);
    node->applier.digests = &node->digests.watch;
}

static void digests_send(struct node *node, uint64_t to, struct bytes *frame)
{
    struct link *link = node->options.link;
    if (link != NULL && to != node->identity.node_id) {
        (void)link->ops->send(link, to, frame);
    }
}

/* `all` false: those that have not said as much as this node can. */
static void digests_tell(struct node *node, bool all)
{
    struct bytes *frame = digest_watch_encode(&node->digests.watch);
    struct membership members;
    engine_membership(node->engine, &members);
    for (size_t i = 0; frame != NULL && i < members.count; i++) {
        uint64_t id = members.rows[i].id;
        if (all || !digest_watch_heard(&node->digests.watch, id)) {
            digests_send(node, id, frame);
        }
    }
    if (frame != NULL) {
        bytes_unref(frame);
    }
    node->digests.told_ms = node_now(node);
}

/* --- what follows ------------------------------------------------------------------
 */

static void digests_stand_back(struct node *node, const struct digest_finding *finding)
{
    struct node_digests *digests = &node->digests;
    snprintf(
        digests->why, sizeof digests->why,
        "the state of this node differs from that of a majority since entry %" PRIu64
        " at the latest: it serves nothing; see \"A node that differs\" in README.md",
        finding->index);
    log_error("%s: %s (digest %016" PRIx64 "%016" PRIx64 ", theirs %016" PRIx64
              "%016" PRIx64 ")",
              node->options.name, digests->why, finding->own.high, finding->own.low,
              finding->right.high, finding->right.low);
    digests->differs = true;
    engine_abstain(node->engine, true);
    node->keeper.relieve_after_ms = 0;
    node->leadership_changed = true;
    node_set_door(node);
    node_wake(node);
}

static void digests_name(struct node *node, const struct digest_finding *finding)
{
    for (size_t i = 0; i < finding->different_count; i++) {
        uint64_t id = finding->different[i];
        if (!node_member_differs(node, id)) {
            log_error("%s: the state of %s (%" PRIu64
                      ") differs from that of a majority "
                      "at entry %" PRIu64,
                      node->options.name, keeper_name(node, id), id, finding->index);
        }
    }
}

static void digests_judge(struct node *node)
{
    struct membership members;
    struct digest_finding finding;
    engine_membership(node->engine, &members);
    digest_watch_judge(&node->digests.watch, &members, &finding);
    if (finding.verdict == DIGEST_DIFFERENT && !node->digests.differs) {
        digests_stand_back(node, &finding);
    }
    digests_name(node, &finding);
    node->digests.finding = finding;
}

/* --- when --------------------------------------------------------------------------
 */

void node_look_digests(struct node *node)
{
    uint64_t newest = digest_watch_newest(&node->digests.watch);
    if (newest != 0 && newest != node->digests.told) {
        node->digests.told = newest;
        digests_tell(node, true);
        digests_judge(node);
    }
}

/* Who differs while no majority has the same is said only if it lasts: the others may
 * just not have come so far. */
void node_beat_digests(struct node *node)
{
    struct node_digests *digests = &node->digests;
    if (node_now(node) - digests->told_ms < DIGEST_AGAIN_MS) {
        return;
    }
    digests_tell(node, false);
    digests_judge(node); /* the membership may be another one */
    if (digests->finding.verdict == DIGEST_OPEN &&
        digests->finding.index != digests->open_told) {
        digests->open_told = digests->finding.index;
        log_warn("%s: states differ at entry %" PRIu64
                 ", and no majority of the voters says which is right: nobody stops",
                 node->options.name, digests->open_told);
    }
}

void node_meet_digests(struct node *node, uint64_t id, uint64_t session)
{
    const struct acquaintance *other = acquaintances_find(&node->others, id);
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    if (other == NULL || other->session != session) {
        digest_watch_drop(&node->digests.watch, id);
    }
    struct bytes *frame = digest_watch_encode(&node->digests.watch);
    if (frame != NULL) {
        digests_send(node, id, frame);
        bytes_unref(frame);
    }
}

int node_digest_frame(struct node *node, uint64_t from, const uint8_t *data, size_t len,
                      struct err *err)
{
    struct membership members;
    engine_membership(node->engine, &members);
    int rv = digest_watch_hear(&node->digests.watch, from, &members, data, len, err);
    if (rv == 0) {
        digests_judge(node);
    }
    return rv;
}

void node_renew_digests(struct node *node)
{
    digest_watch_forget(&node->digests.watch);
    if (node->digests.differs) {
        log_warn("%s: the state is the leader's now: this node serves again",
                 node->options.name);
        node->digests.differs = false;
        engine_abstain(node->engine, false);
        node->leadership_changed = true;
    }
}

/* --- questions ---------------------------------------------------------------------
 */

bool node_member_differs(const struct node *node, uint64_t id)
{
    const struct digest_finding *finding = &node->digests.finding;
    for (size_t i = 0; i < finding->different_count; i++) {
        if (finding->different[i] == id) {
            return true;
        }
    }
    return node->digests.differs && id == node->identity.node_id;
}

bool node_sees_difference(const struct node *node)
{
    const struct node_digests *digests = &node->digests;
    return digests->differs || digests->finding.verdict == DIGEST_OPEN ||
           digests->finding.different_count > 0;
}

const char *node_unfit(const struct node *node)
{
    return node->digests.differs ? node->digests.why : "";
}
