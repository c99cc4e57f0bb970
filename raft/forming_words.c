/* SPDX-License-Identifier: Apache-2.0 */
/* Why there is no cluster yet, in words. */
#include <inttypes.h>

#include "raft/forming_inside.h"

/* Everybody is present, blank and fits; it is up to whom? */
static const struct forming_place *forming_slowest(const struct forming *forming)
{
    const struct forming_place *found = NULL;
    for (size_t i = 0; found == NULL && i < forming->view.place_count; i++) {
        const struct forming_place *place = &forming->view.places[i];
        const struct forming_node *node = place->node;
        const struct charter *pledge = &forming->identity->pledge;
        bool waits = false;
        if (forming->state == FORMING_WAITING) {
            waits = node->pledge != 0;
        } else if (forming->state == FORMING_PLEDGED) {
            waits = node->charter == NULL ||
                    node->charter->cluster_id != pledge->cluster_id;
        } else if (forming->state == FORMING_WITHDRAWING) {
            waits = node->vow_token != forming->token;
        }
        found = waits ? place : NULL;
    }
    return found;
}

static void forming_say_waiting(struct forming *forming)
{
    const struct forming_place *place = forming_slowest(forming);
    struct charter members;
    forming_view_members(&forming->view, &members);
    if (place != NULL) {
        buf_printf(&forming->words,
                   "%s (%s) holds a pledge to cluster %" PRIu64
                   " that is not for the nodes seen here",
                   place->node->row.name, place->address, place->node->pledge);
    } else {
        buf_printf(&forming->words, "waiting for the offer of %s (%s)",
                   members.rows[0].name, members.rows[0].peer_address);
    }
}

static void forming_say_pledged(struct forming *forming, const char *what)
{
    const struct forming_place *place = forming_slowest(forming);
    buf_printf(&forming->words, "%s cluster %" PRIu64 ": waiting for %s (%s)", what,
               forming->identity->pledge.cluster_id,
               place != NULL ? place->node->row.name : "this node",
               place != NULL ? place->address : forming->view.self.peer_address);
}

const char *forming_trouble(struct forming *forming)
{
    buf_clear(&forming->words);
    switch (forming->state) {
    case FORMING_FAILED:
        buf_printf(&forming->words, "%s", forming->save_err.text);
        break;
    case FORMING_PLEDGING:
    case FORMING_DROPPING:
    case FORMING_FOUNDING:
    case FORMING_JOINING:
        buf_printf(&forming->words, "writing to %s", forming->disk->path);
        break;
    case FORMING_WAITING:
        if (forming_view_look(&forming->view, &forming->words) == COMPANY_COMPLETE) {
            forming_say_waiting(forming);
        }
        break;
    case FORMING_PLEDGED:
        if (forming_view_look(&forming->view, &forming->words) == COMPANY_COMPLETE) {
            forming_say_pledged(forming, "pledged to");
        }
        break;
    case FORMING_WITHDRAWING:
        if (forming_view_look(&forming->view, &forming->words) == COMPANY_COMPLETE) {
            forming_say_pledged(forming, "giving up");
        }
        break;
    case FORMING_FOUNDED:
        break;
    }
    if (forming->refusal != NULL && forming->state == FORMING_WAITING) {
        buf_printf(&forming->words, ": %s", forming->refusal);
    }
    buf_put_u8(&forming->words, '\0');
    return (const char *)forming->words.data;
}
