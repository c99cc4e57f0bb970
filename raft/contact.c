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
    contact->majority_known = age_ms <= now_ms;
    contact->majority_ms = contact->majority_known ? now_ms - age_ms : 0;
}

void contact_lead(struct contact *contact)
{
    contact->peer_count = 0;
}

void contact_from_peer(struct contact *contact, uint64_t now_ms, uint64_t id)
{
    size_t at = 0;
    while (at < contact->peer_count && contact->peers[at].id != id) {
        at++;
    }
    if (at == LIMIT_MEMBERS) {
        return;
    }
    contact->peers[at] = (struct contact_peer){id, now_ms};
    if (at == contact->peer_count) {
        contact->peer_count++;
    }
}

static uint64_t contact_peer_age_ms(const struct contact *contact, uint64_t id,
                                    uint64_t now_ms)
{
    for (size_t i = 0; i < contact->peer_count; i++) {
        if (contact->peers[i].id == id) {
            return now_ms - contact->peers[i].heard_ms;
        }
    }
    return UINT64_MAX;
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
    return count > 0 ? ages[count / 2] : UINT64_MAX;
}

uint64_t contact_leader_age_ms(const struct contact *contact, uint64_t now_ms)
{
    return contact->majority_known ? now_ms - contact->majority_ms : UINT64_MAX;
}
