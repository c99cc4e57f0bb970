/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/contact.h"

void contact_init(struct contact *contact, uint64_t now_ms)
{
    *contact = (struct contact){.leader_heard_ms = now_ms};
}

void contact_from_leader(struct contact *contact, uint64_t now_ms, uint64_t age_ms,
                         uint64_t leader_commit)
{
    contact->leader_heard_ms = now_ms;
    contact->leader_commit = leader_commit;
    if (age_ms <= now_ms) { /* else what an earlier leader told still holds */
        contact->majority_known = true;
        contact->majority_ms = now_ms - age_ms;
    }
}

void contact_lead(struct contact *contact, uint64_t now_ms)
{
    contact->leading_since_ms = now_ms;
    contact->peer_count = 0;
}

void contact_leads_no_more(struct contact *contact, uint64_t now_ms, uint64_t age_ms)
{
    if (age_ms <= now_ms) {
        contact->majority_known = true;
        contact->majority_ms = now_ms - age_ms;
    }
}

/* Its place; else a free one; else that of who was heard longest ago: members come and
 * go. */
static struct contact_peer *contact_place(struct contact *contact, uint64_t id)
{
    struct contact_peer *oldest = &contact->peers[0];
    for (size_t i = 0; i < contact->peer_count; i++) {
        struct contact_peer *peer = &contact->peers[i];
        if (peer->id == id) {
            return peer;
        }
        oldest = peer->heard_ms < oldest->heard_ms ? peer : oldest;
    }
    bool room = contact->peer_count < LIMIT_MEMBERS;
    return room ? &contact->peers[contact->peer_count++] : oldest;
}

void contact_from_peer(struct contact *contact, uint64_t now_ms, uint64_t id, bool full)
{
    *contact_place(contact, id) = (struct contact_peer){id, now_ms, full};
}

static const struct contact_peer *contact_peer(const struct contact *contact,
                                               uint64_t id)
{
    for (size_t i = 0; i < contact->peer_count; i++) {
        if (contact->peers[i].id == id) {
            return &contact->peers[i];
        }
    }
    return NULL;
}

uint64_t contact_peer_age_ms(const struct contact *contact, uint64_t id,
                             uint64_t now_ms)
{
    const struct contact_peer *peer = contact_peer(contact, id);
    return peer != NULL ? now_ms - peer->heard_ms : UINT64_MAX;
}

bool contact_peer_full(const struct contact *contact, uint64_t id)
{
    const struct contact_peer *peer = contact_peer(contact, id);
    return peer != NULL && peer->full;
}

uint64_t contact_majority_age_ms(const struct contact *contact,
                                 const struct membership *members, uint64_t self,
                                 uint64_t now_ms)
{
    uint64_t ages[LIMIT_MEMBERS]; /* of the voters, youngest first */
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct membership_row *row = &members->rows[i];
        if (!row->voter) {
            continue;
        }
        uint64_t age =
            row->id == self ? 0 : contact_peer_age_ms(contact, row->id, now_ms);
        size_t at = count++;
        for (; at > 0 && ages[at - 1] > age; at--) {
            ages[at] = ages[at - 1];
        }
        ages[at] = age;
    }
    uint64_t led = now_ms - contact->leading_since_ms;
    return count > 0 && ages[count / 2] < led ? ages[count / 2] : led;
}

uint64_t contact_leader_age_ms(const struct contact *contact, uint64_t now_ms)
{
    return contact->majority_known ? now_ms - contact->majority_ms : UINT64_MAX;
}
