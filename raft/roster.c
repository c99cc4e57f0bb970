/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/roster.h"

#include <inttypes.h>
#include <string.h>

static const struct roster_step roster_nothing = {.action = ROSTER_NOTHING};

uint64_t roster_silence_ms(const struct roster_view *view,
                           const struct roster_member *member)
{
    if (member->self || member->linked) {
        return 0;
    }
    return member->heard_ms != UINT64_MAX ? member->heard_ms : view->leading_ms;
}

static bool roster_heard(const struct roster_view *view,
                         const struct roster_member *member)
{
    return member->self ||
           (member->linked && member->heard_ms <= 2 * view->election_timeout_ms);
}

static bool roster_gone(const struct roster_view *view,
                        const struct roster_member *member)
{
    return roster_silence_ms(view, member) >= view->replace_after_ms;
}

static const struct roster_member *roster_find(const struct roster_view *view,
                                               uint64_t id)
{
    for (size_t i = 0; i < view->member_count; i++) {
        if (view->members[i].id == id) {
            return &view->members[i];
        }
    }
    return NULL;
}

/* Would a node `id` called `name` at `address` take the place of `member`? It has that
 * name, or that address and nothing was ever heard of its name. */
static bool roster_rivals(const struct roster_member *member, uint64_t id,
                          const char *name, const char *address)
{
    bool same = member->name[0] != '\0' ? strcmp(member->name, name) == 0
                                        : strcmp(member->address, address) == 0;
    return member->id != id && same;
}

/* The first member whose place it would take, of those that are gone or of those that
 * are not; or NULL. */
static const struct roster_member *roster_holder(const struct roster_view *view,
                                                 uint64_t id, const char *name,
                                                 const char *address, bool gone)
{
    for (size_t i = 0; i < view->member_count; i++) {
        const struct roster_member *member = &view->members[i];
        if (roster_rivals(member, id, name, address) &&
            roster_gone(view, member) == gone) {
            return member;
        }
    }
    return NULL;
}

static const struct roster_member *roster_at(const struct roster_view *view,
                                             const char *address)
{
    for (size_t i = 0; i < view->member_count; i++) {
        if (strcmp(view->members[i].address, address) == 0) {
            return &view->members[i];
        }
    }
    return NULL;
}

/* The voters after a change, and how many of them were heard just now. */
struct roster_tally {
    size_t voters;
    size_t heard;
};

static struct roster_tally roster_tally(const struct roster_view *view,
                                        uint64_t without)
{
    struct roster_tally tally = {0};
    for (size_t i = 0; i < view->member_count; i++) {
        const struct roster_member *member = &view->members[i];
        if (member->voter && member->id != without) {
            tally.voters++;
            tally.heard += roster_heard(view, member);
        }
    }
    return tally;
}

/* --- the three changes ---------------------------------------------------------------
 */

static struct roster_step roster_remove(const struct roster_view *view,
                                        const struct roster_member *member,
                                        struct err *why)
{
    struct roster_tally left = roster_tally(view, member->id);
    bool shrinks = member->voter && roster_heard(view, member);
    if (member->self) {
        err_set(why, ERR_CONFLICT, "a leader is not removed: it gives the lead away");
    } else if (left.voters == 0) {
        err_set(why, ERR_CONFLICT, "the last voter is not removed");
    } else if (2 * left.heard <= left.voters) {
        err_set(why, ERR_CONFLICT,
                "without %s only %zu of %zu voters would be there: no majority",
                member->name, left.heard, left.voters);
    } else if (shrinks && left.heard < left.voters) {
        err_set(why, ERR_CONFLICT,
                "only %zu of the %zu voters that would be left are heard: remove or "
                "restart the dead ones first",
                left.heard, left.voters);
    } else {
        return (struct roster_step){.action = ROSTER_REMOVE, .id = member->id};
    }
    return roster_nothing;
}

/* Not asked for by anybody, so two voters do not become one. */
static struct roster_step roster_replace(const struct roster_view *view,
                                         const struct roster_member *member)
{
    bool leaves_one = member->voter && roster_tally(view, 0).voters == 2;
    return leaves_one ? roster_nothing : roster_remove(view, member, NULL);
}

static struct roster_step roster_add(const struct roster_view *view,
                                     const struct roster_blank *blank)
{
    struct roster_tally now = roster_tally(view, 0);
    if (2 * now.heard <= now.voters) {
        return roster_nothing;
    }
    return (struct roster_step){
        .action = ROSTER_ADD, .id = blank->id, .address = blank->address};
}

static struct roster_step roster_promote(const struct roster_view *view,
                                         const struct roster_member *member,
                                         struct err *why)
{
    struct roster_tally now = roster_tally(view, 0);
    if (!roster_heard(view, member)) {
        err_set(why, ERR_UNAVAILABLE, "%s is not heard yet", member->name);
    } else if (member->match + ROSTER_CLOSE_ENTRIES < view->last) {
        err_set(why, ERR_UNAVAILABLE, "%s still lacks %" PRIu64 " entries of the log",
                member->name, view->last - member->match);
    } else if (now.heard < now.voters) {
        err_set(why, ERR_CONFLICT,
                "only %zu of %zu voters are heard: remove or restart the dead ones "
                "first",
                now.heard, now.voters);
    } else {
        return (struct roster_step){.action = ROSTER_PROMOTE, .id = member->id};
    }
    return roster_nothing;
}

/* --- what comes next -----------------------------------------------------------------
 */

void roster_judge(const struct roster_view *view, const struct roster_blank *blank,
                  struct err *why)
{
    const struct roster_member *holder =
        roster_holder(view, blank->id, blank->name, blank->address, false);
    const struct roster_member *dead =
        roster_holder(view, blank->id, blank->name, blank->address, true);
    const struct roster_member *neighbour = roster_at(view, blank->address);
    why->code = ERR_NONE;
    why->text[0] = '\0';
    if (blank->pledged) {
        err_set(why, ERR_CONFLICT, "it holds a pledge to another cluster");
    } else if (blank->level < view->level) {
        err_set(
            why, ERR_CONFLICT,
            "the cluster is at feature level %u, the muster of %s knows %u: upgrade "
            "it",
            view->level, blank->name, blank->level);
    } else if (holder != NULL) {
        err_set(why, ERR_CONFLICT,
                "name %s is held by member %" PRIu64 " at %s, %s %" PRIu64
                " ms ago; a member that is silent for %" PRIu64 " ms is replaced",
                blank->name, holder->id, holder->address,
                holder->heard_ms == UINT64_MAX ? "perhaps heard" : "heard",
                roster_silence_ms(view, holder), view->replace_after_ms);
    } else if (neighbour != NULL && neighbour->id != blank->id &&
               !roster_rivals(neighbour, blank->id, blank->name, blank->address)) {
        err_set(why, ERR_CONFLICT,
                "address %s is held by member %s: remove that one first",
                blank->address, neighbour->name);
    } else if (view->member_count == LIMIT_MEMBERS && dead == NULL) {
        err_set(why, ERR_CONFLICT, "the cluster has %d members already", LIMIT_MEMBERS);
    }
}

static struct roster_step roster_for_wish(const struct roster_view *view,
                                          struct err *why)
{
    const struct roster_member *member = roster_find(view, view->wish.id);
    switch (view->wish.kind) {
    case ROSTER_WISH_REMOVE:
        return member != NULL ? roster_remove(view, member, why) : roster_nothing;
    case ROSTER_WISH_ADD:
        return member != NULL && !member->voter ? roster_promote(view, member, why)
                                                : roster_nothing;
    case ROSTER_WISH_NOTHING:
        break;
    }
    return roster_nothing;
}

/* It comes in. A dead member of its name leaves first where it has the address, as no
 * two members have one, or the last place: a dead voter's leaving costs no majority. */
static struct roster_step roster_for_blank(const struct roster_view *view,
                                           const struct roster_blank *blank)
{
    struct err why;
    const struct roster_member *neighbour = roster_at(view, blank->address);
    roster_judge(view, blank, &why);
    if (why.code != ERR_NONE || roster_find(view, blank->id) != NULL) {
        return roster_nothing;
    }
    if (neighbour != NULL) {
        return roster_replace(view, neighbour);
    }
    if (view->member_count == LIMIT_MEMBERS) {
        return roster_replace(
            view, roster_holder(view, blank->id, blank->name, blank->address, true));
    }
    return roster_add(view, blank);
}

/* The dead member whose name it has leaves; then it votes, if a seat is free. */
static struct roster_step roster_for_standby(const struct roster_view *view,
                                             const struct roster_member *standby)
{
    const struct roster_member *holder =
        roster_holder(view, standby->id, standby->name, standby->address, true);
    bool close = standby->match + ROSTER_CLOSE_ENTRIES >= view->last;
    if (!roster_heard(view, standby) || !close) {
        return roster_nothing;
    }
    if (holder != NULL) {
        return roster_replace(view, holder);
    }
    bool seat = roster_tally(view, 0).voters < view->voters_wanted;
    return seat ? roster_promote(view, standby, NULL) : roster_nothing;
}

struct roster_step roster_next(const struct roster_view *view, struct err *why)
{
    struct roster_step step = roster_for_wish(view, why);
    for (size_t i = 0; step.action == ROSTER_NOTHING && i < view->member_count; i++) {
        if (!view->members[i].voter) {
            step = roster_for_standby(view, &view->members[i]);
        }
    }
    for (size_t i = 0; step.action == ROSTER_NOTHING && i < view->blank_count; i++) {
        step = roster_for_blank(view, &view->blanks[i]);
    }
    return step;
}
