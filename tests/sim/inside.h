/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a world share. */
#ifndef SIM_INSIDE_H
#define SIM_INSIDE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/place.h"
#include "lib/sim_clock.h"
#include "lib/sim_disk.h"
#include "lib/sim_network.h"
#include "raft/node.h"
#include "sim/history.h"
#include "sim/transcript.h"
#include "sim/truth.h"
#include "sim/world.h"

#define NODES_MAX  5
#define LEASED_MAX 64

struct control;
struct draft;
struct machine;
struct runner;
struct witness;
struct world;

/*   DOWN ──sim_node_start()──▶ UP ──sim_node_end()──▶ DYING ──taken apart──▶ DOWN
 *     ▲── it does not start: a fault of ours ──┘                                */
enum sim_node_state { SIM_NODE_DOWN, SIM_NODE_UP, SIM_NODE_DYING };

enum sim_node_end {
    SIM_NODE_KILLED,    /* SIGKILL: the page cache stays */
    SIM_NODE_POWER_OFF, /* what was not synced is lost, torn, reordered or kept */
    SIM_NODE_STOPPED,   /* node_stop(), as on SIGTERM */
};

/* What leases a node id had (leases.c). */
struct leased {
    uint64_t id;
    uint32_t life;       /* of its node, that had the last one */
    uint64_t until_ms;   /* of that, by its boot clock */
    uint64_t until_us;   /* latest end of any, in the time of the world */
    uint64_t lost_index; /* its runs were last called lost there; 0: never */
    bool renewed;        /* since then */
};

struct sim_node {
    struct world *world;
    size_t slot;
    enum sim_node_state state;
    enum sim_node_end end; /* how its last life ended */
    bool founded;          /* its folder holds a cluster */
    bool wiped;            /* it lost its folder: a stranger to its cluster */
    bool wipe_due;         /* ... as soon as it is down */
    bool flip_due;         /* bytes of its files, before its next start */
    bool flipped;          /* it may not start for that */
    bool copy_due;         /* of its folder, as soon as it is down */
    bool put_back_due;     /* that copy, likewise */
    bool dead;             /* for good, as the others must think */
    bool put_back;         /* its folder is an old copy */
    bool paused;
    bool faulty;  /* a disk fault is set in this life: it may end by itself */
    bool limited; /* its disk has a limit now */
    bool full;    /* ... or had one in this life: what failed may be told later */
    uint32_t life;
    uint32_t level;   /* feature level it claims to know */
    int32_t boot_ppm; /* by so much its boot clock is faster than the world's */
    struct sim_random random;
    struct sim_disk *disk;
    struct clock *clock;
    struct link *link;
    struct node *node;
    struct machine *machine; /* NULL, as the next two: nobody carries out runs */
    struct runner *runner;
    struct control *control;
    struct place_now place_now; /* whom runs go to that are asked for here */
    size_t parts;               /* of this life that are not gone yet */
    struct node_watch watch;
    uint64_t commit;     /* in this life */
    uint64_t membership; /* index of the newest one in its log, likewise */
    uint64_t applied;
    uint64_t read_us; /* after this the last consistent read that it answered began */
    struct sim_event failed;  /* it cannot go on */
    struct sim_event bury;    /* it is taken apart */
    struct sim_event restart; /* a new life begins */
    struct sim_event resume;  /* a pause ends */
    struct sim_event retired; /* it has nothing to do any more: it is stopped */
    bool retiring;
    struct sim_event give_up; /* its peers had time enough to refuse an old copy */
    struct sim_random flip_random;
    struct sim_disk *copy; /* of its folder; NULL: none */
    int forming_state;     /* enum forming_state, when it was last looked at */
    bool aimed;            /* at it, in a moment, this: */
    enum fault aim;
    struct sim_event strike;
    char name[8];
    char address[16];
    char api_address[16];
};

struct world {
    const struct world_options *options;
    struct world_result *result;
    struct sim_time *time;
    struct sim_random random; /* what the world is like; who acts has a stream each */
    struct sim_random chaos_random; /* which fault, and when */
    struct sim_random fault_random; /* the rest of the one that is being made */
    struct sim_random client_random;
    struct sim_random operator_random;
    struct sim_random run_random;
    struct sim_network *network;
    struct transcript *transcript;
    struct truth *truth;
    struct history *history;
    const struct registry *drawing; /* of the node that a write is made for */
    struct sim_node members[NODES_MAX];
    size_t count;
    size_t founders; /* the first so many; who comes later is a standby */
    bool forming;    /* the disks were empty */
    bool formation;  /* faults are aimed at the moments of forming */
    struct sim_random formation_random;
    bool calm;  /* healed: no more faults */
    bool mixed; /* some nodes know an older feature level only, until their upgrade */

    /* by seed */
    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    uint32_t replace_after_ms;
    uint64_t segment_bytes;
    uint64_t snapshot_bytes; /* 0: no snapshots in this world */
    uint64_t snapshot_entries;
    uint64_t snapshot_trailing;
    uint64_t disk_max_us;
    struct sim_wire wire;
    uint32_t weights[FAULT_COUNT];
    uint64_t fault_gap_us; /* mean time between two faults */
    uint64_t down_max_us;
    uint64_t write_gap_us;
    uint64_t name_count;  /* of the tasks; 0: each write has its own */
    bool forward_writes;  /* followers hand on what they are asked */
    uint32_t big_percent; /* of the writes */
    uint64_t big_left;    /* bytes that may still go into big ones */
    size_t wipes_left;

    uint64_t fault_number; /* of the next one */
    struct sim_event chaos;
    struct sim_event client;
    uint64_t contents;       /* that were made up */
    bool leaving;            /* ... the clients: nothing is repeated any more */
    struct draft *repeats;   /* writes that wait to be asked again */
    uint64_t chaos_us;       /* faults until then; 0: by chance */
    struct sim_node *absent; /* cut off for a while; NULL: none is */
    bool absent_says_nothing;
    bool absent_hears_nothing;
    struct sim_event absent_ends;
    bool strikes; /* faults are aimed at the moments of runs */
    struct sim_random strike_random;
    struct witness *witness; /* NULL: there are no programs in this world */
    struct sim_event run_client;
    uint64_t run_gap_us; /* mean time between two of its asks */
    uint64_t run_ops;    /* that were asked */
    uint64_t run_key;    /* the one that was used last */
    struct sim_event reader;
    uint64_t told; /* highest sequence acknowledged, or shown by a consistent read */
    struct sim_event operator;
    bool sets; /* ... sets settings, several at once */
    struct sim_random settings_random;
    struct sim_node *put_back; /* an old copy of its folder is to be refused; NULL */
    struct sim_random lease_random;
    uint32_t lease_ms; /* 0: nobody wants a lease in this world */
    uint32_t grace_ms;
    bool lease_quiet; /* few faults beside */
    struct leased leased[LEASED_MAX];
    size_t leased_count;
    uint64_t led_term; /* the newest that anybody led in */
    struct sim_event loser;
    struct sim_node *away; /* it is not heard for a while; NULL: none is so */
    bool away_is_cut;
    bool away_is_deaf;
    uint64_t away_after_us; /* not before that */
    struct sim_event away_begins;
    struct sim_event away_ends;
    bool asked; /* a leader was asked for a change and has not answered */
    jmp_buf broken;
};

/* Something is not as it must be: ends the run. */
__attribute__((format(printf, 2, 3), noreturn)) void world_break(struct world *world,
                                                                 const char *format,
                                                                 ...);
/* Likewise, but for a world in which nothing but histories is judged. */
__attribute__((format(printf, 2, 3))) void world_doubt(struct world *world,
                                                       const char *format, ...);
uint64_t world_below(struct world *world, uint64_t limit);
/* Are its worlds of all sorts? */
bool world_is_of_all(const struct world *world);
bool world_chance(struct world *world, uint32_t percent);
void world_queue(struct world *world, struct sim_event *event, uint64_t delay_us);

/* Decided by the seed and `what` alone, for what was thought of later: the other worlds
 * stay as they were. */
bool world_later(const struct world *world, uint64_t what, uint32_t percent);
void world_step(struct world *world);
/* All is healed: every node that is not dead has to get well. */
void world_get_well(struct world *world);

/* --- outlive.c: all are well before and after it */
void world_outlive(struct world *world);
void world_succeed(struct world *world);
void world_promote(struct world *world);
/* The first node that leads and is not `but`; NULL. */
struct sim_node *world_leader(struct world *world, const struct sim_node *but);
/* Nothing passes between it and the others, until the network is healed. */
void world_isolate(struct world *world, const struct sim_node *member);

/* --- sim_node.c */
void sim_node_init(struct world *world, size_t slot);
void sim_node_close(struct sim_node *member); /* it is DOWN */
void sim_node_start(struct sim_node *member);
/* Its life ends now; the next begins after `down_us` (UINT64_MAX: when somebody says
 * so). */
void sim_node_end(struct sim_node *member, enum sim_node_end end, uint64_t down_us);
void sim_node_wipe(struct sim_node *member, uint64_t down_us);
void sim_node_upgrade(struct sim_node *member, uint64_t down_us);
/* As on SIGTERM; it may take a while. `wait`: as behind a balancer. */
void sim_node_retire(struct sim_node *member, bool wait);
void sim_node_pause(struct sim_node *member, uint64_t for_us);
void sim_node_resume(struct sim_node *member);
bool sim_node_leads(const struct sim_node *member);
/* Look at it: what it applied, where it stands. */
void sim_node_observe(struct sim_node *member);
/* Write a founded cluster onto the empty disks. */
void world_found(struct world *world);

/* --- damage.c */
/* May this node lose what it has? If so the caller counts it: wipes_left, wiped. */
bool damage_allowed(struct world *world, const struct sim_node *member);
/* Only if it may. */
void damage_flip(struct sim_node *member, uint64_t seed, enum sim_node_end end,
                 uint64_t down_us);
/* Copies the folder of a member; it is stopped for that. */
void damage_copy(struct sim_node *member, uint64_t down_us);
/* Puts a copy back, if there is one whose node's peers know better. False: there is
 * none. Until world->put_back is NULL again nobody may end. */
bool damage_put_back(struct world *world, size_t first);
void damage_forget_copy(struct sim_node *member);
void damage_when_down(struct sim_node *member);
void damage_at_start(struct sim_node *member);
/* Is that what keeps it from starting, or going on? Then its folder will be emptied. */
bool damage_refused(struct sim_node *member, const struct err *err);
void damage_put_back_over(struct sim_node *member);
void damage_gave_up(struct sim_event *event);

/* --- recovery.c */
/* All are down: each folder can be recovered, and the best one makes a new cluster. */
void recovery_check(struct world *world);

/* --- chaos.c */
void chaos_init(struct world *world);
/* The next fault is due: may it be made? Then it draws from world->fault_random. */
bool chaos_begin(struct world *world, enum fault fault);
/* If it may lose its folder, it does. */
void chaos_wipe(struct world *world, struct sim_node *member);
void chaos_heal(struct world *world);
/* Faults again, of those that take nobody's data, as long as they are to be made. */
void chaos_again(struct world *world);

/* --- chaos_runs.c: the world has a witness */
void chaos_runs_draw(struct world *world);
void chaos_runs_away(struct world *world, struct sim_node *member);
/* All cuts were healed: but those of who is away. */
void chaos_runs_stay_away(struct world *world);
void chaos_runs_heal(struct world *world);
/* Something befalls a run of this node's: now its end would mean much. */
void chaos_runs_moment(struct sim_node *member);
void chaos_runs_placed(struct sim_node *member); /* one is placed on it */

/* --- formation.c */
void formation_init(struct world *world);
/* Look at it, as long as world->formation. */
void formation_observe(struct sim_node *member);

/* --- stale.c */
/* The world has a network now. */
void stale_init(struct world *world);
void stale_observe(struct world *world);
/* All that the network remembers comes again, if it remembers. */
void stale_flood(struct world *world);
/* All are well before and after it. */
void stale_moments(struct world *world);

/* --- operator.c */
void operator_init(struct world *world);
/* NULL: to whomever the leader chooses. */
void operator_transfer(struct world *world, const struct sim_node *to);
void operator_drain(struct world *world, struct sim_node *member, bool undrain);
void operator_remove(struct world *world, struct sim_node *member);
/* Is every node up, and does a leader count it as a voter, those too that lost their
 * folder, with no change under way? */
bool world_is_complete(const struct world *world);

/* --- leases.c */
void leases_draw(struct world *world);
void leases_init(struct world *world);
void leases_end(struct world *world); /* nothing is called lost any more */
void leases_started(struct sim_node *member);
void leases_observe(struct world *world);
/* Somebody is the first to apply this entry. */
void leases_applied(struct world *world, uint64_t index, const struct entry *entry);
/* All cuts were healed: but those. */
void leases_stay_away(struct world *world);
/* A frame is sent. */
void leases_frame(struct world *world, const char *to, const struct bytes *frame);
/* Has every node that is not dead a lease? */
bool leases_are_well(const struct world *world);

/* --- client.c */
void client_init(struct world *world);
/* Nothing more is asked, or asked again. */
void client_close(struct world *world);
/* The task "t<number>" as a client is shown it. */
struct history_task client_view(const struct registry *registry, uint64_t number);

/* --- run_client.c */
void run_client_init(struct world *world);

/* --- sim_node.c: the runs of a node that has begun, and of one that ends */
void sim_node_start_runs(struct sim_node *member);
/* Nobody places anything any more; what was placed is carried out. */
void sim_node_stop_control(struct sim_node *member);

/* --- reader.c */
void reader_init(struct world *world);
/* A client was told of the state of this sequence. */
void reader_told(struct world *world, uint64_t sequence);
/* Has every node answered a consistent read that began after `since_us`? */
bool reader_is_well(const struct world *world, uint64_t since_us);

#endif
