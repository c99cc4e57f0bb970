/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a network: of each class of frames between two nodes it keeps the
 * newest ones and, of all before them, an even choice. */
#include <assert.h>

#include "base/mem.h"
#include "lib/sim_wires.h"

#define PAST_OLD     16            /* chosen among all */
#define PAST_NEW     8             /* the newest */
#define PAST_BYTES   (128u * 1024) /* longer frames are not remembered */
#define PAST_AT_ONCE 4

struct past_frame {
    struct bytes *frame;
    uint64_t from_id;
    uint64_t to_id;
};

struct past_shelf {
    uint64_t seen;
    struct past_frame newest[PAST_NEW]; /* frame number n in place n modulo */
    struct past_frame old[PAST_OLD];
};

struct sim_past {
    unsigned (*class_of)(const struct bytes *frame);
    struct sim_random random;
    uint32_t permille;
    uint64_t late_us;
    struct past_shelf *shelves[SIM_HOSTS][SIM_HOSTS][SIM_PAST_CLASSES];
};

void sim_network_remember(struct sim_network *network, uint64_t seed,
                          unsigned (*class_of)(const struct bytes *frame))
{
    assert(network->past == NULL);
    network->past = mem_zalloc(sizeof *network->past);
    network->past->class_of = class_of;
    sim_random_init(&network->past->random, seed);
}

void sim_network_recall_often(struct sim_network *network, uint32_t permille,
                              uint64_t late_us)
{
    network->past->permille = permille;
    network->past->late_us = late_us;
}

/* --- remembering
 * ------------------------------------------------------------------- */

static void past_put(struct past_frame *place, const struct past_frame *frame)
{
    bytes_unref(place->frame);
    *place = *frame;
    bytes_ref(place->frame);
}

/* What falls out of the newest ones is chosen or not, each as likely as all others. */
static void past_grow_old(struct sim_past *past, struct past_shelf *shelf,
                          const struct past_frame *frame)
{
    uint64_t older = shelf->seen - PAST_NEW;
    uint64_t place =
        older < PAST_OLD ? older : sim_random_below(&past->random, older + 1);
    if (place < PAST_OLD) {
        past_put(&shelf->old[place], frame);
    }
}

void sim_past_note(struct sim_link *link, size_t to, uint64_t to_id,
                   struct bytes *frame)
{
    struct sim_past *past = link->network->past;
    unsigned class =
        past != NULL && frame->len <= PAST_BYTES ? past->class_of(frame) : 0;
    if (class == 0) {
        return;
    }
    assert(class < SIM_PAST_CLASSES);
    struct past_shelf **shelf = &past->shelves[link->host][to][class];
    if (*shelf == NULL) {
        *shelf = mem_zalloc(sizeof **shelf);
    }
    struct past_frame *place = &(*shelf)->newest[(*shelf)->seen % PAST_NEW];
    if (place->frame != NULL) {
        past_grow_old(past, *shelf, place);
    }
    past_put(place, &(struct past_frame){frame, link->self.node_id, to_id});
    (*shelf)->seen++;
}

/* --- recalling
 * --------------------------------------------------------------------- */

static void past_recall(struct sim_network *network, size_t from, size_t to,
                        const struct past_frame *past, uint64_t delay_us)
{
    struct sim_echo *echo = mem_zalloc(sizeof *echo);
    echo->network = network;
    echo->from = from;
    echo->to = to;
    echo->node_id = past->from_id;
    echo->to_id = past->to_id;
    echo->frame = bytes_ref(past->frame);
    sim_echo_queue(echo, delay_us);
}

static const struct past_frame *past_frame_at(const struct past_shelf *shelf, size_t at)
{
    const struct past_frame *frame =
        at < PAST_OLD ? &shelf->old[at] : &shelf->newest[at - PAST_OLD];
    return frame->frame != NULL ? frame : NULL;
}

/* One to this host, of any class, from `from`, or from anybody (SIM_HOSTS). */
static void past_recall_one(struct sim_network *network, size_t from, size_t to)
{
    struct sim_past *past = network->past;
    size_t first = (size_t)sim_random_below(&past->random, SIM_PAST_CLASSES);
    size_t other = (size_t)sim_random_below(&past->random, network->host_count);
    size_t at = (size_t)sim_random_below(&past->random, PAST_OLD + PAST_NEW);
    uint64_t delay = sim_random_below(&past->random, past->late_us + 1);
    from = from < SIM_HOSTS ? from : other;
    for (size_t i = 0; i < SIM_PAST_CLASSES; i++) {
        const struct past_shelf *shelf =
            past->shelves[from][to][(first + i) % SIM_PAST_CLASSES];
        const struct past_frame *frame =
            shelf != NULL ? past_frame_at(shelf, at) : NULL;
        if (frame != NULL) {
            past_recall(network, from, to, frame, delay);
            return;
        }
    }
}

void sim_past_delivered(struct sim_network *network, size_t to)
{
    struct sim_past *past = network->past;
    if (past != NULL && past->permille > 0 &&
        sim_random_below(&past->random, 1000) < past->permille) {
        past_recall_one(network, SIM_HOSTS, to);
    }
}

void sim_past_connected(struct sim_network *network, size_t from, size_t to)
{
    struct sim_past *past = network->past;
    if (past != NULL && past->permille > 0 && sim_random_chance(&past->random, 50)) {
        uint64_t count = 1 + sim_random_below(&past->random, PAST_AT_ONCE);
        for (uint64_t i = 0; i < count; i++) {
            past_recall_one(network, from, to);
        }
    }
}

size_t sim_network_recall(struct sim_network *network, const char *address,
                          unsigned class)
{
    size_t to = sim_network_host(network, address);
    size_t count = 0;
    for (size_t from = 0; network->past != NULL && from < network->host_count; from++) {
        const struct past_shelf *shelf = network->past->shelves[from][to][class];
        for (size_t i = 0; shelf != NULL && i < PAST_OLD + PAST_NEW; i++) {
            const struct past_frame *frame = past_frame_at(shelf, i);
            if (frame != NULL) {
                past_recall(network, from, to, frame, ++count);
            }
        }
    }
    return count;
}

/* --- forgetting
 * -------------------------------------------------------------------- */

static void past_shelf_free(struct past_shelf *shelf)
{
    for (size_t i = 0; shelf != NULL && i < PAST_OLD + PAST_NEW; i++) {
        const struct past_frame *frame = past_frame_at(shelf, i);
        if (frame != NULL) {
            bytes_unref(frame->frame);
        }
    }
    mem_free(shelf);
}

void sim_past_free(struct sim_past *past)
{
    for (size_t from = 0; past != NULL && from < SIM_HOSTS; from++) {
        for (size_t to = 0; to < SIM_HOSTS; to++) {
            for (size_t class = 0; class < SIM_PAST_CLASSES; class ++) {
                past_shelf_free(past->shelves[from][to][class]);
            }
        }
    }
    mem_free(past);
}
