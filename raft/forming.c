/* SPDX-License-Identifier: Apache-2.0 */
/*   WAITING ──all here, blank; ours the lowest id, or its offer came──▶ PLEDGING
 *   PLEDGING ──pledge durable──▶ PLEDGED
 *   PLEDGED ──every member holds it, or one has founded it──▶ DECIDING
 *   PLEDGED ──all here and blank, but other members than its──▶ DROPPING ──▶ WAITING
 *   DECIDING ──decision durable──▶ FOUNDING ──store and identity durable──▶ FORMED
 *
 * A pledge is the whole charter, so who offers does not matter any more once it is
 * held: everybody tells it to everybody (the cluster id in each hello, the charter in
 * frames) and each node sees by itself that all hold it. Who has decided says so in its
 * hello as if it had the cluster already: from then on nobody near it drops the pledge.
 *
 * Every turn looks at everything again, some times a second: a lost message costs time,
 * a crash anywhere goes on from what the identity says.
 *
 * Failure modes: a peer away, of another size, of the same name, or in a cluster
 * already: nobody forms and forming_trouble() says whom it waits for. A disk error ends
 * the node. */
#include "raft/forming.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/frame.h"

#define FORMING_TURN_MS 100

enum forming_state {
    FORMING_WAITING,
    FORMING_PLEDGING,
    FORMING_PLEDGED,
    FORMING_DROPPING,
    FORMING_DECIDING,
    FORMING_FOUNDING,
    FORMING_FORMED,
};

static const char *const state_names[] = {
    "waiting", "pledging", "pledged", "dropping", "deciding", "founding", "formed",
};

static const uint32_t state_moves[] = {
    [FORMING_WAITING] = 1u << FORMING_PLEDGING | 1u << FORMING_DECIDING,
    [FORMING_PLEDGING] = 1u << FORMING_PLEDGED,
    [FORMING_PLEDGED] = 1u << FORMING_DECIDING | 1u << FORMING_DROPPING,
    [FORMING_DROPPING] = 1u << FORMING_WAITING,
    [FORMING_DECIDING] = 1u << FORMING_FOUNDING,
    [FORMING_FOUNDING] = 1u << FORMING_FORMED,
    [FORMING_FORMED] = 0,
};

/* A configured peer, as it introduced itself last. */
struct forming_peer {
    const char *address; /* of options.peers */
    bool up;
    bool known;
    uint64_t cluster_id;
    uint64_t pledge;
    uint32_t expect;
    struct charter_row row;
};

struct forming {
    struct forming_options options;
    struct identity *identity;
    enum forming_state state;
    struct forming_peer peers[LIMIT_MEMBERS];
    char trouble[256];
    struct clock_timer timer;
    struct clock_task later; /* the end of a job or a stop, in a turn of its own */
    struct disk_job job;
    bool busy;
    struct identity saved; /* what the job writes */
    struct err job_err;
    int job_code;
    bool stopping;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

static void forming_look(struct forming *forming);

static void forming_move(struct forming *forming, enum forming_state state)
{
    assert((state_moves[forming->state] & 1u << state) != 0);
    log_debug("forming: %s -> %s", state_names[forming->state], state_names[state]);
    forming->state = state;
}

static struct charter_row forming_self(const struct forming *forming)
{
    struct charter_row row = {.id = forming->identity->node_id};
    snprintf(row.name, sizeof row.name, "%s", forming->identity->name);
    snprintf(row.peer_address, sizeof row.peer_address, "%s",
             forming->options.peer_address);
    snprintf(row.api_address, sizeof row.api_address, "%s",
             forming->options.api_address);
    return row;
}

static void forming_introduce(struct forming *forming)
{
    const struct identity *identity = forming->identity;
    struct link *link = forming->options.link;
    if (link == NULL) {
        return;
    }
    struct hello hello = {
        .protocol = LINK_PROTOCOL,
        .cluster_id =
            identity->decided ? identity->pledge.cluster_id : identity->cluster_id,
        .node_id = identity->node_id,
        .start_counter = identity->start_counter,
        .pledge = identity->pledged ? identity->pledge.cluster_id : 0,
        .expect = forming->options.expect,
        .level = forming->options.level,
        .name = identity->name,
        .peer_address = forming->options.peer_address,
        .api_address = forming->options.api_address,
        .version = forming->options.version,
    };
    link->ops->set_self(link, &hello);
}

/* --- work on the disk
 * ------------------------------------------------------------------------ */

/* In the pool: the store first, then the identity that says it is whole. */
static void forming_work(struct disk_job *job)
{
    struct forming *forming = job->owner;
    struct identity *saved = &forming->saved;
    if (forming->state == FORMING_FOUNDING) {
        struct store_options options = {
            .disk = forming->options.disk,
            .clock = forming->options.clock,
            .node_id = saved->node_id,
            .cluster_id = saved->pledge.cluster_id,
            .segment_bytes = forming->options.segment_bytes,
        };
        struct entry entry = {1, ENTRY_CONFIGURATION,
                              charter_membership(&saved->pledge)};
        forming->job_code =
            forming->options.store_create(&options, 1, &entry, &forming->job_err);
        bytes_unref(entry.data);
        if (forming->job_code != 0) {
            return;
        }
        saved->cluster_id = saved->pledge.cluster_id;
        saved->pledged = false;
        saved->decided = false;
    }
    forming->job_code = identity_save(saved, forming->options.disk, &forming->job_err);
}

static void forming_formed(struct forming *forming)
{
    struct charter charter = forming->identity->pledge;
    *forming->identity = forming->saved;
    forming_move(forming, FORMING_FORMED);
    forming_introduce(forming);
    clock_timer_stop(forming->options.clock, &forming->timer);
    log_info("forming: cluster %" PRIu64 " of %u members is founded",
             charter.cluster_id, charter.count);
    forming->options.formed(forming->options.owner, &charter);
}

static void forming_worked(struct disk_job *job)
{
    struct forming *forming = job->owner;
    forming->busy = false;
    if (forming->stopping) {
        clock_defer(forming->options.clock, &forming->later);
        return;
    }
    if (forming->job_code != 0) {
        clock_timer_stop(forming->options.clock, &forming->timer);
        forming->options.failed(forming->options.owner, &forming->job_err);
        return;
    }
    switch (forming->state) {
    case FORMING_PLEDGING:
        *forming->identity = forming->saved;
        forming_move(forming, FORMING_PLEDGED);
        break;
    case FORMING_DROPPING:
        *forming->identity = forming->saved;
        forming_move(forming, FORMING_WAITING);
        break;
    case FORMING_DECIDING:
        *forming->identity = forming->saved;
        forming_introduce(forming);
        forming_move(forming, FORMING_FOUNDING);
        forming->busy = true;
        disk_submit(forming->options.disk, &forming->job);
        return;
    case FORMING_FOUNDING:
        forming_formed(forming);
        return;
    case FORMING_WAITING:
    case FORMING_PLEDGED:
    case FORMING_FORMED:
        assert(!"nothing was saved");
        break;
    }
    forming_introduce(forming);
    forming_look(forming);
}

static void forming_save(struct forming *forming, enum forming_state state)
{
    assert(!forming->busy);
    forming_move(forming, state);
    forming->busy = true;
    disk_submit(forming->options.disk, &forming->job);
}

static void forming_pledge(struct forming *forming, const struct charter *charter)
{
    forming->saved = *forming->identity;
    forming->saved.pledged = true;
    forming->saved.pledge = *charter;
    forming_save(forming, FORMING_PLEDGING);
}

static void forming_drop(struct forming *forming)
{
    log_warn("forming: the pledge to cluster %" PRIu64
             " falls: its members are not those that are here",
             forming->identity->pledge.cluster_id);
    forming->saved = *forming->identity;
    forming->saved.pledged = false;
    forming->saved.pledge = (struct charter){0};
    forming_save(forming, FORMING_DROPPING);
}

static void forming_decide(struct forming *forming)
{
    forming->saved = *forming->identity;
    forming->saved.decided = true;
    forming_save(forming, FORMING_DECIDING);
}

/* --- frames
 * ------------------------------------------------------------------------------------
 */

static void forming_send(struct forming *forming, uint64_t to, enum frame_kind kind)
{
    struct buf out;
    buf_init(&out);
    buf_put_u8(&out, (uint8_t)kind);
    charter_put(&out, &forming->identity->pledge);
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    forming->options.link->ops->send(forming->options.link, to, frame);
    bytes_unref(frame);
}

/* An offerer offers; who has pledged tells it. Both carry the charter. */
static void forming_tell(struct forming *forming)
{
    enum frame_kind kind =
        identity_offers(forming->identity) ? FRAME_OFFER : FRAME_PLEDGE;
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (forming->peers[i].up) {
            forming_send(forming, forming->peers[i].row.id, kind);
        }
    }
}

/* Are the charter's members just those that are here, ourselves as we are among them?
 */
static bool forming_present(const struct forming *forming,
                            const struct charter *charter)
{
    if (charter->count != forming->options.expect) {
        return false;
    }
    const struct charter_row *own = charter_find(charter, forming->identity->node_id);
    struct charter_row self = forming_self(forming);
    if (own == NULL || !charter_row_equal(own, &self)) {
        return false;
    }
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (!forming->peers[i].known ||
            charter_find(charter, forming->peers[i].row.id) == NULL) {
            return false;
        }
    }
    return true;
}

void forming_frame(struct forming *forming, uint64_t from, const uint8_t *data,
                   size_t len)
{
    struct cursor cursor;
    struct charter charter;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    if (forming->stopping || forming->busy ||
        (kind != FRAME_OFFER && kind != FRAME_PLEDGE)) {
        return;
    }
    charter_get(&cursor, &charter);
    if (!cursor_done(&cursor)) {
        log_warn("forming: node %" PRIu64 " sent a charter that is none", from);
        return;
    }
    if (forming->state == FORMING_WAITING && forming_present(forming, &charter)) {
        forming_pledge(forming, &charter);
    } else if (forming->state == FORMING_PLEDGED && kind == FRAME_OFFER &&
               charter.cluster_id != forming->identity->pledge.cluster_id) {
        forming_send(forming, from, FRAME_PLEDGE);
    }
}

/* --- looking at everything
 * ------------------------------------------------------------------------ */

/* Is everybody here, and alike enough? Else the trouble says who and what. */
static bool forming_all_here(struct forming *forming)
{
    size_t away = 0;
    size_t len = 0;
    char list[160] = "";
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        struct forming_peer *peer = &forming->peers[i];
        if (peer->up) {
            continue;
        }
        struct link_status status;
        forming->options.link->ops->status(forming->options.link, peer->address,
                                           &status);
        int more = snprintf(list + len, sizeof list - len, "%s%s %s",
                            away > 0 ? ", " : "", peer->address,
                            status.connected ? "introduces itself by another address"
                                             : status.reason);
        len += more > 0 && (size_t)more < sizeof list - len ? (size_t)more : 0;
        away++;
    }
    if (away > 0) {
        snprintf(forming->trouble, sizeof forming->trouble, "waiting for %zu of %u: %s",
                 away, forming->options.expect, list);
    }
    return away == 0;
}

static bool forming_alike(struct forming *forming)
{
    struct charter_row self = forming_self(forming);
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        const struct forming_peer *peer = &forming->peers[i];
        if (peer->expect != forming->options.expect) {
            snprintf(forming->trouble, sizeof forming->trouble,
                     "%.64s expects %u members, %.64s expects %u: they must be equal",
                     self.name, forming->options.expect, peer->row.name, peer->expect);
            return false;
        }
        const struct charter_row *same =
            strcmp(peer->row.name, self.name) == 0 ? &self : NULL;
        for (size_t j = 0; j < i && same == NULL; j++) {
            if (strcmp(forming->peers[j].row.name, peer->row.name) == 0) {
                same = &forming->peers[j].row;
            }
        }
        if (same != NULL) {
            snprintf(forming->trouble, sizeof forming->trouble,
                     "two nodes are called '%.64s': %.64s and %.64s", peer->row.name,
                     same->peer_address, peer->row.peer_address);
            return false;
        }
    }
    return true;
}

/* A peer that is in a cluster, or has decided to found one; NULL: all are blank. */
static const struct forming_peer *forming_member_near(const struct forming *forming)
{
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (forming->peers[i].known && forming->peers[i].cluster_id != 0) {
            return &forming->peers[i];
        }
    }
    return NULL;
}

static bool forming_all_pledged(const struct forming *forming)
{
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (forming->peers[i].pledge != forming->identity->pledge.cluster_id) {
            return false;
        }
    }
    return true;
}

static bool forming_lowest(const struct forming *forming)
{
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (forming->peers[i].row.id < forming->identity->node_id) {
            return false;
        }
    }
    return true;
}

static void forming_offer(struct forming *forming)
{
    struct charter charter = {.count = 1};
    charter.cluster_id = 1 + clock_random_below(forming->options.clock, INT64_MAX - 1);
    charter.rows[0] = forming_self(forming);
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        uint32_t at = charter.count++;
        for (; at > 0 && charter.rows[at - 1].id > forming->peers[i].row.id; at--) {
            charter.rows[at] = charter.rows[at - 1];
        }
        charter.rows[at] = forming->peers[i].row;
    }
    forming_pledge(forming, &charter);
}

/* One step, if there is one to make. */
static void forming_look(struct forming *forming)
{
    if (forming->busy || forming->stopping || forming->state == FORMING_FORMED) {
        return;
    }
    if (forming->identity->decided) {
        forming_decide(forming); /* a restart in the middle: say it again, then found */
        return;
    }
    forming->trouble[0] = '\0';
    const struct forming_peer *member = forming_member_near(forming);
    if (member != NULL) {
        bool ours = forming->state == FORMING_PLEDGED &&
                    member->cluster_id == forming->identity->pledge.cluster_id;
        snprintf(forming->trouble, sizeof forming->trouble,
                 "cluster %" PRIu64
                 " exists at %.64s (%.64s); this node is not a member",
                 member->cluster_id, member->row.name, member->row.peer_address);
        if (ours) {
            forming_decide(forming);
        }
        return;
    }
    if (forming->state == FORMING_PLEDGED) {
        forming_tell(forming);
    }
    if (!forming_all_here(forming) || !forming_alike(forming)) {
        return;
    }
    if (forming->state == FORMING_WAITING) {
        snprintf(forming->trouble, sizeof forming->trouble, "all are here: forming");
        if (forming_lowest(forming)) {
            forming_offer(forming);
        }
    } else if (!forming_present(forming, &forming->identity->pledge)) {
        forming_drop(forming);
    } else if (forming_all_pledged(forming)) {
        forming_decide(forming);
    } else {
        snprintf(forming->trouble, sizeof forming->trouble,
                 "waiting for every pledge to cluster %" PRIu64,
                 forming->identity->pledge.cluster_id);
    }
}

static void forming_turn(struct clock_timer *timer)
{
    struct forming *forming = timer->owner;
    clock_timer_start(forming->options.clock, timer,
                      clock_now_ms(forming->options.clock) + FORMING_TURN_MS);
    forming_look(forming);
}

/* --- from the link
 * -----------------------------------------------------------------------------------
 */

void forming_hello(struct forming *forming, const struct hello *hello)
{
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        struct forming_peer *peer = &forming->peers[i];
        if (strcmp(peer->address, hello->peer_address) != 0) {
            continue;
        }
        peer->up = true;
        peer->known = true;
        peer->cluster_id = hello->cluster_id;
        peer->pledge = hello->pledge;
        peer->expect = hello->expect;
        peer->row = (struct charter_row){.id = hello->node_id};
        snprintf(peer->row.name, sizeof peer->row.name, "%s", hello->name);
        snprintf(peer->row.peer_address, sizeof peer->row.peer_address, "%s",
                 hello->peer_address);
        snprintf(peer->row.api_address, sizeof peer->row.api_address, "%s",
                 hello->api_address);
    }
    forming_look(forming);
}

void forming_down(struct forming *forming, uint64_t node_id, bool refused)
{
    (void)refused;
    for (size_t i = 0; i < forming->options.peer_count; i++) {
        if (forming->peers[i].known && forming->peers[i].row.id == node_id) {
            forming->peers[i].up = false;
        }
    }
}

/* --- life
 * ---------------------------------------------------------------------------------------------
 */

static void forming_later(struct clock_task *task)
{
    struct forming *forming = task->owner;
    void (*stopped)(void *owner) = forming->stopped;
    void *owner = forming->stopped_owner;
    mem_free(forming);
    stopped(owner);
}

struct forming *forming_start(const struct forming_options *options)
{
    struct forming *forming = mem_zalloc(sizeof *forming);
    assert(options->peer_count <= LIMIT_MEMBERS && options->identity->cluster_id == 0);
    forming->options = *options;
    forming->identity = options->identity;
    forming->state = options->identity->pledged ? FORMING_PLEDGED : FORMING_WAITING;
    for (size_t i = 0; i < options->peer_count; i++) {
        forming->peers[i].address = options->peers[i];
    }
    forming->job = (struct disk_job){
        .work = forming_work,
        .done = forming_worked,
        .owner = forming,
    };
    forming->timer = (struct clock_timer){.fire = forming_turn, .owner = forming};
    forming->later = (struct clock_task){.run = forming_later, .owner = forming};
    forming_introduce(forming);
    clock_timer_start(options->clock, &forming->timer, clock_now_ms(options->clock));
    return forming;
}

const char *forming_trouble(struct forming *forming)
{
    return forming->state == FORMING_FORMED ? "" : forming->trouble;
}

void forming_stop(struct forming *forming, void (*stopped)(void *owner), void *owner)
{
    assert(!forming->stopping);
    forming->stopping = true;
    forming->stopped = stopped;
    forming->stopped_owner = owner;
    clock_timer_stop(forming->options.clock, &forming->timer);
    if (!forming->busy) {
        clock_defer(forming->options.clock, &forming->later);
    }
}
