/* SPDX-License-Identifier: Apache-2.0 */
/* Peers refuse a pre-vote while they still take the dead leader for alive, so every
 * survivor has to try: by rank, 5 ms apart, again and again, a bounded number of times.
 * Ranks keep them from splitting the vote.
 *
 * Once pre-votes are won the votes go through two disks, one after the other: to try
 * again before they are there would void them. Each election begun is therefore left
 * alone, twice as long as the one before it, and longer by rank if the vote was split.
 */
#include "raft/vigil.h"

#define VIGIL_DEATH_STEP_MS   5
#define VIGIL_DEATH_TRIES     12
#define VIGIL_SILENCE_STEP_MS 30
#define VIGIL_VOTE_MS         60
#define VIGIL_VOTE_DOUBLINGS  5

/* This node's place among the voters other than `without`, by id; *count: how many. */
static uint64_t vigil_rank(const struct vigil *vigil, uint64_t without, uint64_t *count)
{
    struct membership members;
    engine_membership(vigil->engine, &members);
    uint64_t rank = 0;
    *count = 0;
    for (size_t i = 0; i < members.count; i++) {
        if (members.rows[i].voter && members.rows[i].id != without) {
            ++*count;
            rank += members.rows[i].id < vigil->self;
        }
    }
    return rank;
}

/* Are this node's votes of an election still to be waited for? */
static bool vigil_votes_awaited(struct vigil *vigil, uint64_t rank)
{
    uint64_t now = clock_now_ms(vigil->clock);
    if (!engine_voting(vigil->engine)) {
        return false;
    }
    if (engine_term(vigil->engine) != vigil->ballot_term) {
        vigil->ballot_term = engine_term(vigil->engine);
        vigil->ballot_ms = now;
        vigil->ballots += vigil->ballots < VIGIL_VOTE_DOUBLINGS;
    }
    uint64_t patience = (VIGIL_VOTE_MS * (rank + 1)) << (vigil->ballots - 1);
    return now < vigil->ballot_ms + patience;
}

static void vigil_death_fired(struct clock_timer *timer)
{
    struct vigil *vigil = timer->owner;
    uint64_t leader = engine_leader(vigil->engine);
    if (vigil->tries == 0 || (leader != 0 && leader != vigil->dead)) {
        return;
    }
    uint64_t count = 0;
    uint64_t rank = vigil_rank(vigil, vigil->dead, &count);
    if (!vigil_votes_awaited(vigil, rank)) {
        vigil->tries--;
        engine_elect_now(vigil->engine);
    }
    clock_timer_start(vigil->clock, timer,
                      clock_now_ms(vigil->clock) + (count + 1) * VIGIL_DEATH_STEP_MS);
}

void vigil_death(struct vigil *vigil, uint64_t id)
{
    if (vigil->engine == NULL || id == 0 || engine_leader(vigil->engine) != id) {
        return;
    }
    vigil->dead = id;
    vigil->tries = VIGIL_DEATH_TRIES;
    vigil->ballot_term = 0;
    vigil->ballots = 0;
    uint64_t count = 0;
    uint64_t rank = vigil_rank(vigil, id, &count);
    clock_timer_start(vigil->clock, &vigil->death,
                      clock_now_ms(vigil->clock) + rank * VIGIL_DEATH_STEP_MS);
}

static uint64_t vigil_silence_due(const struct vigil *vigil, uint64_t heard_ms)
{
    uint64_t count = 0;
    uint64_t rank = vigil_rank(vigil, engine_leader(vigil->engine), &count);
    return heard_ms + vigil->election_timeout_ms + rank * VIGIL_SILENCE_STEP_MS;
}

/* One silence is answered once: after that the engine's own timers, which are random,
 * decide. A fixed period on two nodes would split the vote for ever. */
static void vigil_silence_fired(struct clock_timer *timer)
{
    struct vigil *vigil = timer->owner;
    uint64_t now = clock_now_ms(vigil->clock);
    uint64_t heard_ms = engine_leader_heard_ms(vigil->engine);
    uint64_t due = vigil_silence_due(vigil, heard_ms);
    if (due > now) {
        clock_timer_start(vigil->clock, timer, due);
        return;
    }
    if (heard_ms != vigil->answered_ms) {
        vigil->answered_ms = heard_ms;
        engine_elect_now(vigil->engine);
    }
    clock_timer_start(vigil->clock, timer, now + vigil->election_timeout_ms);
}

void vigil_start(struct vigil *vigil, struct clock *clock, struct engine *engine,
                 uint64_t self, uint32_t election_timeout_ms)
{
    *vigil = (struct vigil){
        .clock = clock,
        .engine = engine,
        .self = self,
        .election_timeout_ms = election_timeout_ms,
        .death = {.fire = vigil_death_fired, .owner = vigil},
        .silence = {.fire = vigil_silence_fired, .owner = vigil},
    };
    clock_timer_start(clock, &vigil->silence,
                      vigil_silence_due(vigil, engine_leader_heard_ms(engine)));
}

void vigil_stop(struct vigil *vigil)
{
    if (vigil->engine != NULL) {
        clock_timer_stop(vigil->clock, &vigil->death);
        clock_timer_stop(vigil->clock, &vigil->silence);
        vigil->engine = NULL;
    }
}
