/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/read_round.h"

#include "base/plant.h"

void read_round_begin(struct read_round *round, const struct membership *members,
                      uint64_t self)
{
    round->newer = false;
    round->voter_count = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct membership_row *row = &members->rows[i];
        if (row->voter || PLANTED(COUNT_STANDBY)) { /* a standby's word proves nothing:
                                                       it votes for nobody */
            round->voters[round->voter_count++] =
                (struct read_voter){.id = row->id, .yes = row->id == self};
        }
    }
}

void read_round_hear(struct read_round *round, uint64_t from, uint64_t number,
                     uint64_t asked_term, uint64_t term)
{
    if (number != round->number || asked_term != round->term) {
        return; /* it was asked before those who wait now came */
    }
    for (size_t i = 0; i < round->voter_count; i++) {
        if (round->voters[i].id == from) {
            /* an older term is no yes: it has not heard of this leader yet */
            round->voters[i].yes = round->voters[i].yes || term == round->term;
            round->newer = round->newer || term > round->term;
        }
    }
}

enum read_verdict read_round_verdict(const struct read_round *round)
{
    size_t yes = 0;
    for (size_t i = 0; i < round->voter_count; i++) {
        yes += round->voters[i].yes;
    }
    if (2 * yes > round->voter_count || PLANTED(READ_ALONE)) {
        return READ_PROVED;
    }
    return round->newer ? READ_NEWER : READ_OPEN;
}
