/* SPDX-License-Identifier: Apache-2.0 */
/* How blank nodes become a cluster.
 *
 *              offer due, or                      every pledge in hand,
 *              offered one      synced            or a member has founded
 *   WAITING ───────────────▶ PLEDGING ──▶ PLEDGED ────────────────────▶ FOUNDING
 *      ▲  └─────────── expect = 1 ───────────┼───────────────────────────▲  │
 *      │                                     │ its members are           │  │ synced
 *      │ synced                              ▼ not those present         │  ▼
 *   DROPPING ◀──── everybody vowed ──── WITHDRAWING ──a member has founded FOUNDED
 *                                                                           ▲
 *   WAITING ──a cluster that exists lets it in──▶ JOINING ──────synced──────┘
 *
 *   PLEDGING, DROPPING, FOUNDING, JOINING ──the disk fails──▶ FAILED
 *
 * Happy path: everybody is present and blank. The lowest id makes the charter, syncs it
 * as its pledge and offers it; each of the others sees the same company, syncs its
 * pledge and tells everybody. Who has every pledge in hand founds: it syncs that it has
 * decided, writes the store with entry 1, syncs the cluster id. Each does this for
 * itself. One that misses a pledge and sees a member with the cluster id founds as
 * well: that member had them all.
 *
 * Messages may be lost: each state says again what it has to say at every tick. What a
 * peer said in frames is forgotten with its connection.
 *
 * Crashes: a pledge is on disk before it is told, and is told again after a restart.
 * The decision is on disk before the first byte of the store, so a restart goes on in
 * FOUNDING, whoever else is there.
 *
 * A pledge that cannot be kept, because a member was wiped, got a new address or never
 * belonged here, must fall, or nobody ever founds. But somebody may be founding on it
 * at this moment. So the holder first stops counting as a holder (WITHDRAWING) and asks
 * everybody present to vow that they will not found that cluster. A holder that is
 * asked withdraws too, before it vows; one that is founding does not vow, and soon
 * shows the cluster id, which everybody who withdraws then follows. WITHDRAWING has no
 * way back to PLEDGED but a restart, after which what the others said has to be said
 * again. The members that are not present cannot found it either: it takes the pledges
 * of those that are. A pledge that falls without asking was rejected: a node that has
 * every pledge in hand would found a cluster whose other members have just let go of
 * it.
 *
 * Never: founding beside a node that has another cluster; a second pledge beside one
 * that is held. */
#include "raft/forming_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/plant.h"
#include "raft/forming_wire.h"

#define FORMING_TICK_MS        200 /* after this, say again what may have been lost */
#define FORMING_TICK_JITTER_MS 50
#define FORMING_HELLO_MS       1000

#define FORMING_BIT(state) (1u << (state))
static const unsigned forming_moves[] = {
    [FORMING_WAITING] = FORMING_BIT(FORMING_PLEDGING) | FORMING_BIT(FORMING_FOUNDING) |
                        FORMING_BIT(FORMING_JOINING),
    [FORMING_PLEDGING] = FORMING_BIT(FORMING_PLEDGED) | FORMING_BIT(FORMING_FAILED),
    [FORMING_PLEDGED] =
        FORMING_BIT(FORMING_WITHDRAWING) | FORMING_BIT(FORMING_FOUNDING),
    [FORMING_WITHDRAWING] =
        FORMING_BIT(FORMING_DROPPING) | FORMING_BIT(FORMING_FOUNDING),
    [FORMING_DROPPING] = FORMING_BIT(FORMING_WAITING) | FORMING_BIT(FORMING_FAILED),
    [FORMING_FOUNDING] = FORMING_BIT(FORMING_FOUNDED) | FORMING_BIT(FORMING_FAILED),
    [FORMING_JOINING] = FORMING_BIT(FORMING_FOUNDED) | FORMING_BIT(FORMING_FAILED),
    [FORMING_FOUNDED] = 0,
    [FORMING_FAILED] = 0,
};

static void forming_step(struct forming *forming);

static void forming_move(struct forming *forming, enum forming_state to)
{
    assert(forming_moves[forming->state] & FORMING_BIT(to));
    forming->state = to;
}

static void forming_introduce(struct forming *forming)
{
    if (forming->link == NULL) {
        return;
    }
    const struct identity *identity = forming->identity;
    struct hello self = {
        .protocol = LINK_PROTOCOL,
        .cluster_id = identity->cluster_id,
        .node_id = identity->node_id,
        .start_counter = identity->start_counter,
        .session = forming->session,
        .pledge = identity->pledged ? identity->pledge.cluster_id : 0,
        .expect = forming->view.expect,
        .level = forming->level,
        .name = identity->name,
        .peer_address = forming->view.self.peer_address,
        .api_address = forming->view.self.api_address,
        .version = forming->version,
    };
    forming->link->ops->set_self(forming->link, &self);
    forming->introduced_ms = clock_now_ms(forming->clock);
}

/* --- what we say ---------------------------------------------------------------------
 */

static void forming_send(struct forming *forming, uint64_t to,
                         struct forming_message *message)
{
    message->start_counter = forming->identity->start_counter;
    message->serial = ++forming->serial;
    struct bytes *frame = forming_encode(message);
    forming->link->ops->send(forming->link, to, frame);
    bytes_unref(frame);
}

/* What this state has to say, to the node `to`. */
static void forming_tell(struct forming *forming, uint64_t to)
{
    const struct identity *identity = forming->identity;
    struct forming_message message;
    if (forming->state == FORMING_PLEDGED) {
        message.kind = identity_offers(identity) ? FRAME_OFFER : FRAME_PLEDGE;
        message.charter = identity->pledge;
        forming_send(forming, to, &message);
    } else if (forming->state == FORMING_WITHDRAWING) {
        message.kind = FRAME_WITHDRAW;
        message.cluster_id = identity->pledge.cluster_id;
        message.token = forming->token;
        forming_send(forming, to, &message);
    }
}

static void forming_tell_all(struct forming *forming)
{
    forming_view_look(&forming->view, NULL);
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (node != NULL) {
            forming_tell(forming, node->id);
        }
    }
}

static void forming_start_tick(struct forming *forming)
{
    uint64_t jitter = clock_random_below(forming->clock, FORMING_TICK_JITTER_MS);
    clock_timer_start(forming->clock, &forming->tick,
                      clock_now_ms(forming->clock) + FORMING_TICK_MS + jitter);
}

static bool forming_sees_cluster(const struct forming *forming)
{
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (node != NULL && node->cluster_id != 0) {
            return true;
        }
    }
    return forming->refusal != NULL;
}

/* Who waits to be let in has nothing to say but its hello. A leader that has lost its
 * own connection to this node, while ours to it stands, thinks that it is gone. */
static void forming_hello_again(struct forming *forming)
{
    uint64_t now = clock_now_ms(forming->clock);
    if (forming->state == FORMING_WAITING && forming_sees_cluster(forming) &&
        now - forming->introduced_ms >= FORMING_HELLO_MS) {
        forming_introduce(forming);
    }
}

static void forming_on_tick(struct clock_timer *timer)
{
    struct forming *forming = timer->owner;
    forming_start_tick(forming);
    forming_step(forming);
    forming_tell_all(forming);
    forming_hello_again(forming);
}

/* --- what goes to disk ---------------------------------------------------------------
 */

/* In the pool: the decision, then the store, then the cluster id, in this order (see
 * the top). */
static int forming_work_found(struct forming *forming)
{
    struct identity *next = &forming->next;
    struct err *err = &forming->save_err;
    bool joins = next->joining != 0;
    uint64_t cluster_id = joins ? next->joining : next->pledge.cluster_id;
    int code = identity_save(next, forming->disk, err);
    if (code == 0) {
        struct store_options options = {
            .disk = forming->disk,
            .clock = forming->clock,
            .node_id = next->node_id,
            .cluster_id = cluster_id,
            .segment_bytes = forming->segment_bytes,
        };
        struct entry entry = {1, ENTRY_CONFIGURATION, forming->first_payload};
        code = joins ? forming->store_create(&options, next->joining_term, NULL, err)
                     : forming->store_create(&options, 1, &entry, err);
    }
    if (code != 0) {
        return code;
    }
    next->cluster_id = cluster_id;
    next->pledged = false;
    next->decided = false;
    next->joining = 0;
    next->joining_term = 0;
    return identity_save(next, forming->disk, err);
}

static void forming_work(struct disk_job *job)
{
    struct forming *forming = job->owner;
    forming->save_code =
        forming->first_payload != NULL || forming->next.joining != 0
            ? forming_work_found(forming)
            : identity_save(&forming->next, forming->disk, &forming->save_err);
}

static void forming_free(struct forming *forming)
{
    clock_timer_stop(forming->clock, &forming->tick);
    clock_defer_cancel(forming->clock, &forming->turn);
    forming_view_close(&forming->view);
    buf_close(&forming->words);
    mem_free(forming->refusal);
    mem_free(forming->leader);
    mem_free(forming->version);
    mem_free(forming);
}

static void forming_finish(struct clock_task *task)
{
    struct forming *forming = task->owner;
    void (*stopped)(void *owner) = forming->stopped;
    void *owner = forming->stopped_owner;
    forming_free(forming);
    stopped(owner);
}

static void forming_founded(struct forming *forming)
{
    clock_timer_stop(forming->clock, &forming->tick);
    struct charter charter = forming->identity->pledge;
    charter.cluster_id = forming->identity->cluster_id;
    log_info("forming: cluster %" PRIu64 " of %u is founded", charter.cluster_id,
             charter.count);
    forming->formed(forming->owner, &charter); /* may have called forming_stop() */
}

static void forming_joined(struct forming *forming)
{
    clock_timer_stop(forming->clock, &forming->tick);
    log_info("forming: joined cluster %" PRIu64, forming->identity->cluster_id);
    forming->formed(forming->owner, NULL); /* may have called forming_stop() */
}

/* The save is durable. */
static void forming_saved(struct forming *forming)
{
    *forming->identity = forming->next;
    forming_introduce(forming);
    if (forming->state == FORMING_FOUNDING) {
        forming_move(forming, FORMING_FOUNDED);
        forming_founded(forming);
        return;
    }
    if (forming->state == FORMING_JOINING) {
        forming_move(forming, FORMING_FOUNDED);
        forming_joined(forming);
        return;
    }
    forming_move(forming, forming->state == FORMING_PLEDGING ? FORMING_PLEDGED
                                                             : FORMING_WAITING);
    forming_tell_all(forming); /* before the step may found: it says nothing then */
    forming_step(forming);
}

static void forming_done(struct disk_job *job)
{
    struct forming *forming = job->owner;
    forming->saving = false;
    bytes_unref(forming->first_payload);
    forming->first_payload = NULL;
    if (forming->stopping) {
        clock_defer(forming->clock, &forming->turn);
        return;
    }
    if (forming->save_code == 0) {
        forming_saved(forming);
        return;
    }
    forming_move(forming, FORMING_FAILED);
    clock_timer_stop(forming->clock, &forming->tick);
    err_prefix(&forming->save_err, "while the cluster forms");
    forming->failed(forming->owner, &forming->save_err);
}

/* `next` is filled in. */
static void forming_submit(struct forming *forming, enum forming_state state)
{
    assert(!forming->saving);
    if (forming->state != state) { /* a restart begins in FOUNDING */
        forming_move(forming, state);
    }
    forming->saving = true;
    forming->job =
        (struct disk_job){.work = forming_work, .done = forming_done, .owner = forming};
    disk_submit(forming->disk, &forming->job);
}

static void forming_pledge(struct forming *forming, const struct charter *charter)
{
    forming->next = *forming->identity;
    forming->next.pledged = true;
    forming->next.pledge = *charter;
    log_info("forming: %s cluster %" PRIu64 " of %u",
             identity_offers(&forming->next) ? "offering" : "pledging to",
             charter->cluster_id, charter->count);
    forming_submit(forming, FORMING_PLEDGING);
}

static void forming_found(struct forming *forming, const struct charter *charter)
{
    forming->next = *forming->identity;
    forming->next.pledged = true;
    forming->next.decided = true;
    forming->next.pledge = *charter;
    forming->first_payload = charter_membership(charter);
    forming_submit(forming, FORMING_FOUNDING);
}

static void forming_drop(struct forming *forming)
{
    log_info("forming: giving up the pledge to cluster %" PRIu64,
             forming->identity->pledge.cluster_id);
    forming->next = *forming->identity;
    forming->next.pledged = false;
    forming->next.pledge = (struct charter){0};
    forming_submit(forming, FORMING_DROPPING);
}

static void forming_withdraw(struct forming *forming)
{
    forming_move(forming, FORMING_WITHDRAWING);
    if (PLANTED(PLEDGE_TWICE)) {
        forming_drop(forming);
        return;
    }
    forming->token = clock_random(forming->clock) | 1;
    for (size_t i = 0; i < FORMING_NODES_MAX; i++) {
        forming->view.nodes[i].vow_token = 0;
    }
    forming_tell_all(forming);
}

/* --- what is due ---------------------------------------------------------------------
 */

/* Has a member of `charter` founded it? */
static bool forming_member_founded(const struct forming *forming,
                                   const struct charter *charter)
{
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (node != NULL && node->cluster_id == charter->cluster_id &&
            charter_find(charter, node->id) != NULL) {
            return true;
        }
    }
    return false;
}

/* Did somebody present let go of that cluster, and not pledge to it anew? */
static bool forming_withdrawn(const struct forming *forming, uint64_t cluster_id)
{
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (node != NULL && node->withdrawn == cluster_id) {
            return true;
        }
    }
    return false;
}

/* Of the pledges to just this company that somebody present holds, and nobody lets go
 * of, the one with the lowest cluster id; NULL: none. */
static const struct charter *forming_offered(const struct forming *forming,
                                             const struct charter *company)
{
    const struct charter *lowest = NULL;
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        const struct charter *charter = node->charter;
        if (charter != NULL && charter_same_members(charter, company) &&
            !forming_withdrawn(forming, charter->cluster_id) &&
            (lowest == NULL || charter->cluster_id < lowest->cluster_id)) {
            lowest = charter;
        }
    }
    return lowest;
}

static bool forming_somebody_pledged(const struct forming *forming)
{
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (node->pledge != 0 || node->charter != NULL) {
            return true;
        }
    }
    return false;
}

/* Everybody is present, blank and fits. */
static void forming_step_waiting(struct forming *forming, struct charter *company)
{
    const struct charter *offered = forming_offered(forming, company);
    if (offered != NULL) {
        forming_pledge(forming, offered);
        return;
    }
    /* A pledge to another company has to fall first, by its holder's doing. */
    if (company->rows[0].id != forming->view.self.id ||
        forming_somebody_pledged(forming)) {
        return;
    }
    while (company->cluster_id == 0) {
        company->cluster_id = clock_random(forming->clock) >> 1;
    }
    if (company->count == 1) {
        forming_found(forming, company);
    } else {
        forming_pledge(forming, company);
    }
}

static bool forming_every_pledge(const struct forming *forming)
{
    const struct charter *pledge = &forming->identity->pledge;
    for (size_t i = 0; i < forming->view.place_count; i++) {
        const struct forming_node *node = forming->view.places[i].node;
        if (PLANTED(FOUND_WITHOUT_PLEDGES)) {
            continue;
        }
        if (node->charter == NULL || node->charter->cluster_id != pledge->cluster_id ||
            !charter_same_members(node->charter, pledge)) {
            return false;
        }
    }
    return true;
}

/* Everybody is present, blank and fits. */
static void forming_step_pledged(struct forming *forming, const struct charter *company)
{
    const struct charter *pledge = &forming->identity->pledge;
    if (!charter_same_members(pledge, company)) {
        forming_withdraw(forming);
        return;
    }
    if (forming_every_pledge(forming)) {
        forming_found(forming, pledge);
        return;
    }
    /* Two charters for one company: all but the holders of the lowest let go. */
    const struct charter *offered = forming_offered(forming, company);
    if (offered != NULL && offered->cluster_id < pledge->cluster_id) {
        forming_withdraw(forming);
    }
}

/* Everybody is present, blank and fits. */
static void forming_step_withdrawing(struct forming *forming)
{
    for (size_t i = 0; i < forming->view.place_count; i++) {
        if (forming->view.places[i].node->vow_token != forming->token) {
            return;
        }
    }
    forming_drop(forming);
}

/* Look around and do what is due. */
static void forming_step(struct forming *forming)
{
    bool settled = forming->state == FORMING_WAITING ||
                   forming->state == FORMING_PLEDGED ||
                   forming->state == FORMING_WITHDRAWING;
    if (!settled || forming->stopping) {
        return;
    }
    enum forming_company company = forming_view_look(&forming->view, NULL);
    if (forming->identity->pledged &&
        forming_member_founded(forming, &forming->identity->pledge)) {
        forming_found(forming, &forming->identity->pledge);
        return;
    }
    if (company != COMPANY_COMPLETE) {
        return;
    }
    struct charter members;
    forming_view_members(&forming->view, &members);
    switch (forming->state) {
    case FORMING_WAITING:
        forming_step_waiting(forming, &members);
        break;
    case FORMING_PLEDGED:
        forming_step_pledged(forming, &members);
        break;
    case FORMING_WITHDRAWING:
        forming_step_withdrawing(forming);
        break;
    case FORMING_PLEDGING:
    case FORMING_DROPPING:
    case FORMING_FOUNDING:
    case FORMING_JOINING:
    case FORMING_FOUNDED:
    case FORMING_FAILED:
        break;
    }
}

/* --- a cluster that exists -----------------------------------------------------------
 */

static void forming_join(struct forming *forming, uint64_t cluster_id, uint64_t term)
{
    forming->next = *forming->identity;
    forming->next.joining = cluster_id;
    forming->next.joining_term = term;
    log_info("forming: joining cluster %" PRIu64, cluster_id);
    forming_submit(forming, FORMING_JOINING);
}

void forming_welcome(struct forming *forming, uint64_t cluster_id, uint64_t term)
{
    if (forming->state == FORMING_WAITING && !forming->stopping && !forming->saving) {
        forming_join(forming, cluster_id, term);
    }
}

void forming_refused(struct forming *forming, const char *leader, const char *text)
{
    const char *known = forming->leader != NULL ? forming->leader : "";
    if (forming->stopping || forming->link == NULL) {
        return;
    }
    mem_free(forming->refusal);
    forming->refusal = mem_strdup(text);
    if (leader[0] == '\0' || strcmp(leader, known) == 0) {
        return;
    }
    mem_free(forming->leader);
    forming->leader = mem_strdup(leader);
    const char *addresses[LIMIT_MEMBERS];
    size_t count = 0;
    for (; count < forming->view.place_count; count++) {
        addresses[count] = forming->view.places[count].address;
        if (strcmp(addresses[count], leader) == 0) {
            return; /* it is dialled already */
        }
    }
    addresses[count++] = forming->leader;
    forming->link->ops->set_peers(forming->link, addresses, count);
}

/* --- what the others say -------------------------------------------------------------
 */

void forming_hello(struct forming *forming, const struct hello *hello)
{
    if (forming->stopping) {
        return;
    }
    const struct forming_node *node = forming_view_hello(&forming->view, hello);
    forming_step(forming);
    if (node != NULL && forming_view_present(&forming->view, node->id) != NULL) {
        forming_tell(forming, node->id);
    }
}

void forming_down(struct forming *forming, uint64_t node_id, bool refused)
{
    (void)refused;
    if (forming->stopping) {
        return;
    }
    forming_view_down(&forming->view, node_id);
    forming_step(forming);
}

static void forming_vow(struct forming *forming, uint64_t to, uint64_t cluster_id,
                        uint64_t token)
{
    struct forming_message vow = {
        .kind = FRAME_VOW, .cluster_id = cluster_id, .token = token};
    forming_send(forming, to, &vow);
}

/* A node will not found `cluster_id` and asks whether we shall. */
static void forming_asked(struct forming *forming, struct forming_node *node,
                          uint64_t cluster_id, uint64_t token)
{
    node->withdrawn = cluster_id;
    if (node->charter != NULL && node->charter->cluster_id == cluster_id) {
        forming_node_set_charter(node, NULL);
    }
    bool ours = false; /* do we hold the pledge, or shall we in a moment? */
    switch (forming->state) {
    case FORMING_PLEDGING:
        ours = forming->next.pledge.cluster_id == cluster_id;
        break;
    case FORMING_PLEDGED:
        if (forming->identity->pledge.cluster_id == cluster_id) {
            forming_withdraw(forming);
        }
        break;
    case FORMING_FOUNDING:
    case FORMING_FOUNDED:
    case FORMING_FAILED:
        ours = true;
        break;
    case FORMING_WAITING:
    case FORMING_JOINING:
    case FORMING_WITHDRAWING:
    case FORMING_DROPPING:
        break;
    }
    if (!ours) {
        forming_vow(forming, node->id, cluster_id, token);
    }
}

void forming_frame(struct forming *forming, uint64_t from, const uint8_t *data,
                   size_t len)
{
    struct forming_message message;
    struct forming_node *node = forming_view_find(&forming->view, from);
    forming_view_look(&forming->view, NULL);
    if (forming->stopping || node == NULL ||
        forming_view_present(&forming->view, from) == NULL ||
        !forming_decode(&message, data, len) ||
        message.start_counter != node->start_counter ||
        message.serial <= node->serial) {
        return;
    }
    node->serial = message.serial;
    if (message.kind == FRAME_WITHDRAW) {
        forming_asked(forming, node, message.cluster_id, message.token);
    } else if (message.kind == FRAME_VOW) {
        if (forming->state == FORMING_WITHDRAWING &&
            message.cluster_id == forming->identity->pledge.cluster_id) {
            node->vow_token = message.token;
        }
    } else if (charter_find(&message.charter, from) != NULL) {
        forming_node_set_charter(node, &message.charter);
        if (node->withdrawn == message.cluster_id) {
            node->withdrawn = 0; /* it fell, and was made anew */
        }
    }
    forming_step(forming);
    if (message.kind == FRAME_OFFER) {
        forming_tell(forming, from); /* our pledge is the answer to any offer */
    }
}

/* --- start and stop ------------------------------------------------------------------
 */

static void forming_begin(struct clock_task *task)
{
    struct forming *forming = task->owner;
    if (forming->state == FORMING_FOUNDING) {
        const struct charter charter = forming->identity->pledge;
        forming_found(forming, &charter);
        return;
    }
    if (forming->state == FORMING_JOINING) {
        forming_join(forming, forming->identity->joining,
                     forming->identity->joining_term);
        return;
    }
    forming_start_tick(forming);
    forming_step(forming);
}

static struct charter_row forming_self(const struct forming_options *options)
{
    struct charter_row row = {.id = options->identity->node_id};
    snprintf(row.name, sizeof(row.name), "%s", options->identity->name);
    snprintf(row.peer_address, sizeof(row.peer_address), "%s", options->peer_address);
    snprintf(row.api_address, sizeof(row.api_address), "%s", options->api_address);
    return row;
}

struct forming *forming_start(const struct forming_options *options)
{
    const struct identity *identity = options->identity;
    assert(identity->cluster_id == 0);
    assert(options->expect > 0 && options->peer_count == options->expect - 1);
    assert(options->expect == 1 || options->link != NULL);
    assert(options->expect == 1 || options->peer_address[0] != '\0');
    assert(charter_address_valid(options->peer_address));
    assert(charter_address_valid(options->api_address));
    struct forming *forming = mem_zalloc(sizeof(*forming));
    forming->disk = options->disk;
    forming->clock = options->clock;
    forming->link = options->link;
    forming->identity = options->identity;
    forming->version = mem_strdup(options->version);
    forming->level = options->level;
    forming->session = options->session;
    forming->segment_bytes = options->segment_bytes;
    forming->store_create = options->store_create;
    forming->owner = options->owner;
    forming->formed = options->formed;
    forming->failed = options->failed;
    forming->state = identity->joining != 0 ? FORMING_JOINING
                     : identity->decided    ? FORMING_FOUNDING
                     : identity->pledged    ? FORMING_PLEDGED
                                            : FORMING_WAITING;
    struct charter_row self = forming_self(options);
    forming_view_init(&forming->view, options->link, options->expect, &self,
                      options->peers, options->peer_count);
    buf_init(&forming->words);
    forming->tick = (struct clock_timer){.fire = forming_on_tick, .owner = forming};
    forming->turn = (struct clock_task){.run = forming_begin, .owner = forming};
    forming_introduce(forming);
    clock_defer(forming->clock, &forming->turn);
    return forming;
}

void forming_stop(struct forming *forming, void (*stopped)(void *owner), void *owner)
{
    assert(!forming->stopping);
    forming->stopping = true;
    forming->stopped = stopped;
    forming->stopped_owner = owner;
    clock_timer_stop(forming->clock, &forming->tick);
    clock_defer_cancel(forming->clock, &forming->turn);
    forming->turn.run = forming_finish;
    if (!forming->saving) { /* else when it is done */
        clock_defer(forming->clock, &forming->turn);
    }
}
