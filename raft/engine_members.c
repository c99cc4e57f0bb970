/* SPDX-License-Identifier: Apache-2.0 */
/* The engine and who is a member: the newest membership, what a leader knows of each
 * member, and the two things that it can be asked for: a change (rule 4: alone, and
 * only when the one before it is committed) and to give the lead away. */
#include "raft/engine_inside.h"

#include <assert.h>
#include <string.h>

#include "raft/rules.h"

bool engine_sole_voter(const struct engine *engine)
{
    const struct raft_configuration *now = &engine->raft.configuration;
    unsigned voters = 0;
    bool self = false;
    for (unsigned i = 0; i < now->n; i++) {
        if (now->servers[i].role == RAFT_VOTER) {
            voters++;
            self = self || now->servers[i].id == engine->options.id;
        }
    }
    return voters == 1 && self;
}

void engine_membership(const struct engine *engine, struct membership *out)
{
    out->count = 0; /* the rows behind it mean nothing: 4 KiB not cleared */
    const struct raft_configuration *now = &engine->raft.configuration;
    for (unsigned i = 0; engine->raft_open && i < now->n && i < LIMIT_MEMBERS; i++) {
        struct membership_row *row = &out->rows[out->count++];
        row->id = now->servers[i].id;
        row->voter = now->servers[i].role == RAFT_VOTER;
        size_t len = strnlen(now->servers[i].address, sizeof row->address - 1);
        memcpy(row->address, now->servers[i].address, len);
        row->address[len] = '\0';
    }
}

uint64_t engine_configuration_index(const struct engine *engine)
{
    uint64_t uncommitted = engine->raft.configuration_uncommitted_index;
    return uncommitted != 0 ? uncommitted : engine->raft.configuration_committed_index;
}

uint64_t engine_match(const struct engine *engine, uint64_t id)
{
    raft_index match = 0;
    bool known = engine->phase == ENGINE_RUNNING && engine->role == ENGINE_LEADER &&
                 raft_match_index(&engine->raft, id, &match) == 0;
    return known ? match : 0;
}

uint64_t engine_heard_age_ms(const struct engine *engine, uint64_t id)
{
    if (id == engine->options.id) {
        return 0;
    }
    return contact_peer_age_ms(&engine->contact, id, engine_now(engine));
}

bool engine_peer_full(const struct engine *engine, uint64_t id)
{
    return contact_peer_full(&engine->contact, id);
}

uint64_t engine_leading_ms(const struct engine *engine)
{
    return engine->role == ENGINE_LEADER
               ? engine_now(engine) - engine->contact.leading_since_ms
               : 0;
}

bool engine_changing(const struct engine *engine)
{
    return !engine_settled(engine) ||
           engine->raft.configuration_uncommitted_index != 0 ||
           raft_transferee(&engine->raft) != 0;
}

int engine_change(struct engine *engine, const struct membership *members,
                  struct err *err)
{
    struct bytes *payload = membership_encode(members);
    uint64_t index = 0;
    uint64_t term = 0;
    int rv = engine_submit(engine, ENTRY_CONFIGURATION, payload, &index, &term, err);
    bytes_unref(payload);
    return rv;
}

int engine_transfer(struct engine *engine, uint64_t to, struct err *err)
{
    struct membership members;
    engine_membership(engine, &members);
    const struct membership_row *row = membership_find(&members, to);
    if (engine->phase != ENGINE_RUNNING || engine->role != ENGINE_LEADER) {
        return err_set(err, ERR_NOT_LEADER, "this node does not lead");
    }
    if (engine_changing(engine)) {
        return err_set(err, ERR_CONFLICT, "a change of the membership is under way");
    }
    if (row == NULL || !row->voter || to == engine->options.id) {
        return err_set(err, ERR_INVALID, "the lead goes to another voter only");
    }
    struct engine_input input = {.event.type = RAFT_TRANSFER};
    input.event.transfer.server_id = to;
    if (engine_step(engine, &input) != 0) {
        return err_set(err, ERR_CONFLICT, "the lead cannot be given away now");
    }
    return 0;
}

bool engine_transferring(const struct engine *engine)
{
    return engine->phase == ENGINE_RUNNING && engine->role == ENGINE_LEADER &&
           raft_transferee(&engine->raft) != 0;
}
