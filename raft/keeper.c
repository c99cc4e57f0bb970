/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of the membership. On a leader it looks, at each tick and whenever
 * something was applied or heard, and does the next thing that is due, one at a time:
 *
 *   1. the member rows are made true: what a member says of itself, and none of a node
 *      that is no member
 *   2. the one change of the membership that raft/roster.c says comes next
 *   3. what an operator asked for is answered once it is committed
 *   4. who is let in, has to wait, or was removed is told so
 *   5. how far each member has acknowledged is told to all: whoever comes back with
 *      less has an old copy of its folder, and is refused
 *
 * Before a standby votes, new writes are held for the few milliseconds in which it gets
 * the end of the log, so that its vote never waits for what it lacks.
 *
 * A node that does not lead only tells newcomers who does. Nothing is kept between two
 * leaders but what is replicated: the setting `voters` (seats), the membership, the
 * rows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "raft/keeper.h"

#define KEEPER_TICK_MS    200
#define KEEPER_HOLD_MS    5    /* how often to look while writes are held */
#define KEEPER_PAUSE_MS   1000 /* after something did not go */
#define KEEPER_RELIEVE_MS 5000

bool keeper_settled(const struct node *node)
{
    return node->phase == NODE_PHASE_MEMBER && engine_settled(node->engine);
}

void keeper_arm(struct node *node, uint64_t after_ms)
{
    clock_timer_start(node->options.clock, &node->keeper.tick,
                      node_now(node) + after_ms);
}

/* --- what it sees ------------------------------------------------------------------
 */

/* What a member is called: by its own word, else by its row; "" if not known. */
const char *keeper_name(struct node *node, uint64_t id)
{
    struct member_draft draft;
    const struct member *row = registry_member(fsm_registry(node->fsm), id);
    if (node_draft(node, id, &draft)) {
        return draft.name;
    }
    return row != NULL ? row->name : "";
}

bool keeper_is_blank(const struct acquaintance *other)
{
    return other->id != 0 && other->up && other->cluster_id == 0 && !other->stale &&
           charter_name_valid(other->name) &&
           charter_address_valid(other->peer_address) && other->peer_address[0] != '\0';
}

static uint64_t keeper_voters_wanted(const struct node *node)
{
    uint64_t set = registry_setting(fsm_registry(node->fsm), SETTING_VOTERS);
    return set != 0 ? set : node->options.expect;
}

static void keeper_see_member(struct node *node, const struct membership_row *row,
                              struct roster_member *out)
{
    const struct acquaintance *other = acquaintances_find(&node->others, row->id);
    *out = (struct roster_member){
        .id = row->id,
        .voter = row->voter,
        .self = row->id == node->identity.node_id,
        .linked = other != NULL && other->up && !other->stale,
        .name = keeper_name(node, row->id),
        .address = row->address,
        .heard_ms = engine_heard_age_ms(node->engine, row->id),
        .match = engine_match(node->engine, row->id),
    };
}

void keeper_see(struct node *node, struct membership *members, struct roster_view *view)
{
    engine_membership(node->engine, members);
    *view = (struct roster_view){
        .member_count = members->count,
        .wish = node->keeper.wish,
        .voters_wanted = keeper_voters_wanted(node),
        .level = keeper_level(node),
        .last = engine_last(node->engine),
        .leading_ms = engine_leading_ms(node->engine),
        .election_timeout_ms = node->options.election_timeout_ms,
        .replace_after_ms = node->options.replace_after_ms,
    };
    if (propose_level(node->propose) > view->level) {
        view->level = propose_level(node->propose); /* it is on its way */
    }
    for (size_t i = 0; i < members->count; i++) {
        keeper_see_member(node, &members->rows[i], &view->members[i]);
    }
    for (size_t i = 0; i < ACQUAINTANCE_MAX && view->blank_count < LIMIT_MEMBERS; i++) {
        const struct acquaintance *other = &node->others.rows[i];
        if (keeper_is_blank(other)) {
            view->blanks[view->blank_count++] = (struct roster_blank){
                .id = other->id,
                .name = other->name,
                .address = other->peer_address,
                .pledged = other->pledge != 0,
                .level = other->level,
            };
        }
    }
}

/* --- 1. the member rows ------------------------------------------------------------
 */

static bool keeper_row_differs(const struct member *row,
                               const struct member_draft *draft)
{
    return row == NULL || row->level != draft->level ||
           strcmp(row->name, draft->name) != 0 ||
           strcmp(row->address, draft->address) != 0 ||
           strcmp(row->peer_address, draft->peer_address) != 0 ||
           strcmp(row->version, draft->version) != 0;
}

/* Refused or lost: the next look sees it. */
static void keeper_row_decided(void *owner, const struct outcome *outcome)
{
    struct node *node = owner;
    (void)outcome;
    node->keeper.row_proposed = false;
    node->keeper.due = true;
    if (node->phase == NODE_PHASE_MEMBER) {
        node_wake(node);
    }
}

static void keeper_propose_row(struct node *node, struct command *command)
{
    command->request_id = text_of("");
    command->actor = text_of("muster");
    node->keeper.row_proposed =
        propose_submit_here(node->propose, command, keeper_row_decided, node, NULL) ==
        0;
}

/* Every member that has said who it is has its row. */
static bool keeper_set_row(struct node *node, const struct membership *members)
{
    for (size_t i = 0; i < members->count; i++) {
        struct member_draft draft;
        uint64_t id = members->rows[i].id;
        if (!node_draft(node, id, &draft) ||
            !keeper_row_differs(registry_member(fsm_registry(node->fsm), id), &draft)) {
            continue;
        }
        struct command command = {
            .type = COMMAND_MEMBER_SET,
            .member_set =
                {
                    .id = draft.id,
                    .level = draft.level,
                    .name = text_of(draft.name),
                    .address = text_of(draft.address),
                    .peer_address = text_of(draft.peer_address),
                    .version = text_of(draft.version),
                },
        };
        keeper_propose_row(node, &command);
        return true;
    }
    return false;
}

/* No row is of a node that is no member, as far as that is committed. */
static void keeper_drop_row(struct node *node, const struct membership *members)
{
    struct map_cursor cursor;
    const struct member *row = NULL;
    if (engine_changing(node->engine)) {
        return;
    }
    registry_member_seek(fsm_registry(node->fsm), &cursor);
    while ((row = registry_member_next(&cursor)) != NULL) {
        if (membership_find(members, row->id) == NULL) {
            struct command command = {.type = COMMAND_MEMBER_DELETE,
                                      .member_delete.id = row->id};
            keeper_propose_row(node, &command);
            return;
        }
    }
}

static void keeper_keep_rows(struct node *node)
{
    struct membership members;
    if (node->keeper.row_proposed) {
        return; /* its outcome starts the next look */
    }
    engine_membership(node->engine, &members);
    if (!keeper_set_row(node, &members)) {
        keeper_drop_row(node, &members);
    }
}

/* --- 2. the next change ------------------------------------------------------------
 */

static void membership_remove(struct membership *members, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < members->count; i++) {
        if (members->rows[i].id != id) {
            members->rows[kept++] = members->rows[i];
        }
    }
    members->count = kept;
}

static void membership_apply(struct membership *members, const struct roster_step *step)
{
    if (step->action == ROSTER_REMOVE) {
        membership_remove(members, step->id);
    } else if (step->action == ROSTER_ADD) {
        struct membership_row *row = &members->rows[members->count++];
        *row = (struct membership_row){.id = step->id};
        snprintf(row->address, sizeof row->address, "%s", step->address);
    }
    for (size_t i = 0; step->action == ROSTER_PROMOTE && i < members->count; i++) {
        members->rows[i].voter |= members->rows[i].id == step->id;
    }
}

static void keeper_change(struct node *node, const struct membership *members,
                          const struct roster_step *step)
{
    static const char *const words[] = {
        [ROSTER_ADD] = "comes in as a standby",
        [ROSTER_REMOVE] = "is removed",
        [ROSTER_PROMOTE] = "becomes a voter",
    };
    struct membership next = *members;
    struct err err;
    membership_apply(&next, step);
    if (engine_change(node->engine, &next, &err) == 0) {
        log_info("%s: member %s (%" PRIu64 ") %s", node->options.name,
                 keeper_name(node, step->id), step->id, words[step->action]);
    }
}

bool keeper_due(const struct node *node)
{
    const struct keeper *keeper = &node->keeper;
    return keeper->due || keeper->promoting != 0 ||
           keeper->wish.kind != ROSTER_WISH_NOTHING;
}

bool keeper_holds(const struct node *node)
{
    return node->keeper.promoting != 0;
}

static void keeper_release(struct node *node)
{
    if (node->keeper.promoting != 0) {
        node->keeper.promoting = 0;
        node_set_door(node);
    }
}

/* A standby votes from an entry on that it gets at once: until it has all before it,
 * writes are held. */
static void keeper_promote(struct node *node, const struct membership *members,
                           const struct roster_step *step)
{
    struct keeper *keeper = &node->keeper;
    uint64_t now = node_now(node);
    if (engine_match(node->engine, step->id) == engine_last(node->engine)) {
        keeper_change(node, members, step);
        keeper_release(node);
    } else if (keeper->promoting == 0 && now >= keeper->promote_after_ms) {
        keeper->promoting = step->id;
        keeper->promote_limit_ms = now + node->options.election_timeout_ms;
        node_set_door(node);
        keeper_arm(node, KEEPER_HOLD_MS);
    } else if (keeper->promoting != 0 && now >= keeper->promote_limit_ms) {
        keeper->promote_after_ms = now + KEEPER_PAUSE_MS;
        keeper_release(node);
    }
}

static void keeper_step(struct node *node, struct err *why)
{
    struct membership members;
    struct roster_view view;
    why->code = ERR_NONE;
    keeper_see(node, &members, &view);
    struct roster_step step = roster_next(&view, why);
    if (step.action == ROSTER_PROMOTE && node_member_differs(node, step.id)) {
        step.action = ROSTER_NOTHING;
        err_set(why, ERR_CONFLICT, "the state of '%s' differs from that of a majority",
                keeper_name(node, step.id));
    }
    if (node->keeper.promoting != 0 &&
        (step.action != ROSTER_PROMOTE || step.id != node->keeper.promoting)) {
        keeper_release(node);
    }
    switch (step.action) {
    case ROSTER_NOTHING:
        break;
    case ROSTER_ADD:
    case ROSTER_REMOVE:
        keeper_change(node, &members, &step);
        break;
    case ROSTER_PROMOTE:
        keeper_promote(node, &members, &step);
        break;
    }
}

/* --- 3. what an operator asked for -------------------------------------------------
 */

void keeper_answer(struct node *node, enum err_code code, const char *text)
{
    struct keeper *keeper = &node->keeper;
    struct err result = {.code = ERR_NONE};
    if (keeper->wish.kind == ROSTER_WISH_NOTHING) {
        return;
    }
    if (code != ERR_NONE) {
        err_set(&result, code, "%s", text);
    }
    keeper->wish = (struct roster_wish){.kind = ROSTER_WISH_NOTHING};
    keeper->wish_done(keeper->wish_owner, &result);
}

static void keeper_setting_decided(void *owner, const struct outcome *outcome)
{
    struct node *node = owner;
    (void)outcome;
    node->keeper.setting_proposed = false;
    if (node->phase == NODE_PHASE_MEMBER) {
        node_wake(node);
    }
}

/* Make the number of seats `wanted`; true once it is. */
static bool keeper_seats(struct node *node, uint64_t wanted)
{
    struct keeper *keeper = &node->keeper;
    if (keeper_voters_wanted(node) == wanted) {
        return true;
    }
    if (!keeper->setting_proposed) {
        struct command command = {
            .type = COMMAND_SETTING_SET,
            .request_id = text_of(""),
            .actor = text_of("muster"),
            .setting_set = {.name = text_of(setting_name(SETTING_VOTERS)),
                            .value = wanted},
        };
        keeper->setting_proposed =
            propose_submit_here(node->propose, &command, keeper_setting_decided, node,
                                NULL) == 0;
    }
    return false;
}

/* Is it done, with as many seats as there are voters now? */
static bool keeper_wish_done(struct node *node)
{
    const struct keeper *keeper = &node->keeper;
    struct membership members;
    engine_membership(node->engine, &members);
    const struct membership_row *row = membership_find(&members, keeper->wish.id);
    size_t voters = membership_voter_count(&members);
    if (engine_changing(node->engine)) {
        return false;
    }
    if (keeper->wish.kind == ROSTER_WISH_REMOVE) {
        return row == NULL && (!keeper->wish_voter || keeper_seats(node, voters));
    }
    return row != NULL && row->voter &&
           (keeper_voters_wanted(node) >= voters || keeper_seats(node, voters));
}

static void keeper_attend_wish(struct node *node, const struct err *why)
{
    struct keeper *keeper = &node->keeper;
    if (keeper->wish.kind == ROSTER_WISH_NOTHING) {
        return;
    }
    bool early = engine_leading_ms(node->engine) <
                 2 * (uint64_t)node->options.election_timeout_ms;
    if (keeper_wish_done(node)) {
        keeper_answer(node, ERR_NONE, "");
    } else if (why->code == ERR_CONFLICT && !early) {
        keeper_answer(node, ERR_CONFLICT, why->text);
    } else if (node_now(node) >= keeper->wish_limit_ms) {
        bool waits = why->code != ERR_NONE;
        keeper_answer(node, waits ? why->code : ERR_TIMEOUT,
                      waits ? why->text : "it was not confirmed in time");
    }
}

/* --- a full disk -------------------------------------------------------------------
 */

static bool keeper_drains(const struct node *node, uint64_t id)
{
    const struct member *row = registry_member(fsm_registry(node->fsm), id);
    return row != NULL && row->duty.draining;
}

/* It was heard of late and can be told: whose connection has ended cannot. */
static bool keeper_hears(struct node *node, uint64_t id)
{
    const struct acquaintance *other = acquaintances_find(&node->others, id);
    uint64_t recent = 2 * (uint64_t)node->options.election_timeout_ms;
    return other != NULL && other->up &&
           engine_heard_age_ms(node->engine, id) <= recent;
}

static uint64_t keeper_best(struct node *node, bool draining)
{
    struct membership members;
    uint64_t best = 0;
    uint64_t best_match = 0;
    engine_membership(node->engine, &members);
    for (size_t i = 0; i < members.count; i++) {
        uint64_t id = members.rows[i].id;
        uint64_t match = engine_match(node->engine, id);
        if (members.rows[i].voter && id != node->identity.node_id &&
            keeper_drains(node, id) == draining && keeper_hears(node, id) &&
            !engine_peer_full(node->engine, id) && !node_member_differs(node, id) &&
            match >= best_match) {
            best = id;
            best_match = match;
        }
    }
    return best;
}

uint64_t keeper_successor(struct node *node)
{
    uint64_t best = keeper_best(node, false);
    return best != 0 ? best : keeper_best(node, true);
}

static void keeper_relieved(void *owner, const struct err *result)
{
    struct node *node = owner;
    if (result->code != ERR_NONE) {
        log_warn("%s: the lead stays here: %s", node->options.name, result->text);
    }
}

/* A leader without room gives the lead to a voter that has some; one that drains, to
 * one that does not; one whose state differs, to any. */
static void keeper_relieve(struct node *node)
{
    struct keeper *keeper = &node->keeper;
    uint64_t now = node_now(node);
    bool full = store_full(node->store);
    bool drains = keeper_drains(node, node->identity.node_id);
    bool differs = node->digests.differs;
    if ((!full && !drains && !differs) || now < keeper->relieve_after_ms ||
        handover_holds(&node->handover)) {
        return;
    }
    keeper->relieve_after_ms = now + (differs ? KEEPER_PAUSE_MS : KEEPER_RELIEVE_MS);
    uint64_t to =
        drains && !differs ? keeper_best(node, false) : keeper_successor(node);
    if (to != 0) {
        log_info("%s: %s: %s is to lead", node->options.name,
                 differs ? "the state differs"
                 : full  ? "the disk is full"
                         : "this node drains",
                 keeper_name(node, to));
        (void)handover_start(&node->handover, to, keeper_relieved, node, NULL);
    }
}

/* --- its turns ---------------------------------------------------------------------
 */

void keeper_look(struct node *node)
{
    struct err why = {.code = ERR_NONE};
    if (node->phase != NODE_PHASE_MEMBER) {
        return;
    }
    if (!keeper_settled(node)) {
        keeper_release(node);
        if (engine_role(node->engine) != ENGINE_LEADER) {
            keeper_answer(node, ERR_NOT_LEADER, "this node leads no more");
        }
        return;
    }
    if (node->digests.differs) { /* what it would do rests on its state */
        keeper_release(node);
        keeper_answer(node, ERR_UNAVAILABLE, node_unfit(node));
        return;
    }
    node->keeper.due = false;
    keeper_keep_rows(node);
    keeper_raise_level(node);
    if (!engine_changing(node->engine) && !handover_holds(&node->handover)) {
        keeper_step(node, &why);
    }
    keeper_attend_wish(node, &why);
}

static void keeper_ticked(struct clock_timer *timer)
{
    struct node *node = timer->owner;
    keeper_arm(node, KEEPER_TICK_MS);
    if (keeper_holds(node)) {
        keeper_arm(node, KEEPER_HOLD_MS);
        keeper_look(node);
        return;
    }
    keeper_look(node);
    if (node->phase == NODE_PHASE_MEMBER) {
        keeper_dial(node);
        keeper_tell(node);
        node_beat_digests(node);
        if (keeper_settled(node)) {
            keeper_relieve(node);
        }
    }
}

void keeper_start(struct node *node)
{
    node->keeper = (struct keeper){
        .due = true,
        .tick = {.fire = keeper_ticked, .owner = node},
    };
    keeper_arm(node, KEEPER_TICK_MS);
}

void keeper_stop(struct node *node)
{
    clock_timer_stop(node->options.clock, &node->keeper.tick);
    keeper_answer(node, ERR_OUTCOME_UNKNOWN, "this node stops");
}
