/* SPDX-License-Identifier: Apache-2.0 */
/* What sim_network.c (hosts, connections, what travels on them) and sim_link.c (the
 * process at an end: its dialling, and the link that its node sees) share.
 *
 * A connection has two ends (0 dialled, 1 accepted) and a pipe from each; what is in a
 * pipe arrives in order. An end that closes puts a CLOSE into its pipe and is empty
 * from then on; a connection is freed when both ends and both pipes are empty.
 *
 *   IDLE ──timer──▶ DIALLING ──their hello──▶ UP ──closed──▶ IDLE, and dials at once
 *    ▲                 └── refused, no answer ──┐
 *    └────────── back-off, 20 .. 500 ms ◀───────┘
 */
#ifndef LIB_SIM_WIRES_H
#define LIB_SIM_WIRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "lib/sim_network.h"

#define SIM_BACKOFF_MIN 20
#define SIM_HOSTS       16

enum sim_item_kind { SIM_ITEM_HELLO, SIM_ITEM_FRAME, SIM_ITEM_CLOSE };

struct sim_item {
    struct sim_item *next;
    enum sim_item_kind kind;
    uint64_t due_us;
    struct bytes *frame; /* FRAME */
    struct hello hello;  /* HELLO; its strings are owned */
};

struct sim_connection;

struct sim_pipe {
    struct sim_connection *connection;
    unsigned from; /* the end that sends */
    struct sim_item *first;
    struct sim_item **last;
    uint64_t last_due_us;
    size_t bytes; /* of the frames in it */
    bool held;    /* its first item waits for a cut to heal or a process to go on */
    struct sim_event event;
};

struct sim_connection {
    struct sim_network *network;
    struct sim_connection *next;
    struct sim_remote *remote; /* at end 0 */
    struct sim_link *end[2];   /* NULL: closed */
    size_t host[2];
    uint64_t node_id[2]; /* who introduced itself at that end; 0 = nobody yet */
    struct sim_pipe pipe[2];
};

enum sim_remote_phase { SIM_REMOTE_IDLE, SIM_REMOTE_DIALLING, SIM_REMOTE_UP };

struct sim_remote {
    struct sim_link *link;
    struct sim_remote *next;
    char address[LIMIT_ADDRESS_BYTES];
    size_t host;
    enum sim_remote_phase phase;
    uint64_t node_id;
    bool was_up; /* and its loss has not been explained yet */
    bool refused;
    uint32_t backoff_ms;
    uint64_t attempt_ms;
    struct clock_timer timer;
    struct sim_event attempt;
    struct sim_connection *connection;
    char reason[128];
};

/* A frame that has arrived and will again. */
struct sim_echo {
    struct sim_network *network;
    struct sim_echo *next;
    struct sim_event event;
    size_t from; /* hosts */
    size_t to;
    uint64_t process; /* the receiver's; 0: any that is `to_id` */
    uint64_t node_id; /* the sender's */
    uint64_t to_id;
    struct bytes *frame;
};

struct sim_link {
    struct link link; /* first */
    struct sim_network *network;
    struct clock *clock;
    size_t host;
    uint64_t process;                 /* a number of its own */
    const struct link_events *events; /* NULL: not started, or gone */
    void *owner;
    struct hello self;
    bool has_self;
    bool paused;
    bool gone;
    struct sim_remote *remotes;
    struct sim_event stop_event;
    void (*stopped)(void *owner);
    void *stopped_owner;
};

struct sim_host {
    char *address;
    struct sim_link *link; /* NULL: nobody listens */
    bool dark;             /* without power: it does not even refuse */
};

struct sim_network {
    struct sim_time *time;
    struct sim_random random;
    struct sim_wire wire;
    uint32_t repeat_permille;
    uint64_t repeat_late_us;
    struct sim_echo *echoes;
    struct sim_past *past; /* NULL: nothing is remembered */
    uint64_t processes;    /* so far */
    struct sim_host hosts[SIM_HOSTS];
    size_t host_count;
    bool cut[SIM_HOSTS][SIM_HOSTS];
    struct sim_connection *connections; /* in the order they were made */
    struct sim_connection **last_connection;
    struct sim_network_watch watch;
};

/* --- sim_network.c */
size_t sim_network_host(struct sim_network *network, const char *address);
uint64_t sim_network_latency(struct sim_network *network);
void sim_network_tell(struct sim_network *network, enum sim_frame_fate fate,
                      size_t from, size_t to, const struct bytes *frame);
/* A cut healed or a process goes on: what was held is looked at again. */
void sim_network_kick(struct sim_network *network);
struct hello sim_hello_copy(const struct hello *hello);
void sim_hello_free(struct hello *hello);
/* In order: nothing is due before what was put in earlier. */
void sim_pipe_put(struct sim_pipe *pipe, struct sim_item *item, uint64_t delay_us);
void sim_pipe_clear(struct sim_pipe *pipe); /* all in it is lost */
void sim_pipe_hello(struct sim_pipe *pipe, const struct hello *hello);
struct sim_connection *sim_connection_new(struct sim_remote *remote,
                                          struct sim_link *acceptor);
/* An end goes; the other one hears of it after `delay_us` and after what was sent. */
void sim_connection_leave(struct sim_connection *connection, unsigned end,
                          uint64_t delay_us);

/* It comes after `delay_us`; takes the echo, which is filled in. */
void sim_echo_queue(struct sim_echo *echo, uint64_t delay_us);

/* --- sim_past.c; all but the last do nothing unless the network remembers */
void sim_past_note(struct sim_link *link, size_t to, uint64_t to_id,
                   struct bytes *frame);
void sim_past_delivered(struct sim_network *network, size_t to);
void sim_past_connected(struct sim_network *network, size_t from, size_t to);
void sim_past_free(struct sim_past *past);

/* --- sim_link.c */
void sim_remote_dial(struct sim_remote *remote); /* nothing unless it is idle */
/* The connection of a remote is gone (its end is left already). */
void sim_remote_lost(struct sim_remote *remote, const char *reason);

#endif
