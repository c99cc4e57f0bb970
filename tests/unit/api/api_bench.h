/* SPDX-License-Identifier: Apache-2.0 */
/* The API on a real listener, in front of a node that does as it is told, on virtual
 * time; and clients of it, in the same thread. */
#ifndef UNIT_API_BENCH_H
#define UNIT_API_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "api/server.h"
#include "base/buf.h"
#include "lib/sim_clock.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/node.h"
#include "raft/propose.h"
#include "raft/request.h"

struct bench;

/* What doors 1 and 2 are told to say. */
struct node {
    struct node_status status;
    struct fsm *fsm;
    int refusal;      /* propose_submit() returns it, if not 0 */
    bool first_level; /* the cluster is at it: n2 is too old for more */
    bool hands_on;    /* writes, while it does not lead */
    struct {
        struct buf batch; /* the command, as the only one of a batch */
        propose_cb done;
        void *owner;
    } waiting[16];
    size_t waiting_count;
    char asked[80]; /* the last change of the cluster: "add n4" */
    node_change_cb change_done;
    void *change_owner;
    const char *unfit;        /* NULL: it serves */
    struct node_watch *lead;  /* who is told who leads: bench_led() */
    struct read_waiter *read; /* waits to be confirmed */
    size_t reads;             /* that were asked for */
    uint64_t place;           /* who is to carry out a run; 0: nobody can */
    const struct request_handler *handler; /* of what peers ask */
    struct buf asked_peer;                 /* the last question to one */
    request_cb told;
    void *told_owner;
    struct buf answered; /* what a peer was answered, its code first (u32) */
    bool unlinked;       /* no peer can be asked */
};

struct bench {
    uv_loop_t loop;
    struct sim_time *time;
    struct clock *clock;
    struct node node; /* leads, at first */
    struct api *api;
    bool stopped;
    char runs[32]; /* the folder of its runs; it goes with the bench */
};

void bench_open(struct bench *bench);
void bench_close(struct bench *bench); /* whatever waits is decided unknown */
/* The same as cmocka wants it: *state is the bench. */
int bench_setup(void **state);
int bench_teardown(void **state);

void bench_led(struct bench *bench,
               uint64_t leader_id);   /* another leads now; 0: nobody */
void bench_turn(struct bench *bench); /* of the loop, without waiting */
void bench_advance(struct bench *bench, uint64_t ms);
void bench_wait(struct bench *bench, bool (*condition)(struct bench *bench));

/* A proposal waits. */
bool bench_proposed(struct bench *bench);
/* Decide the one that waits longest: 0 applies it. Its owner is told at once. */
void bench_decide(struct bench *bench, int code);
/* Apply all that wait as one batch, then tell their owners. */
void bench_decide_all(struct bench *bench);

/* Apply a command that another node has proposed, and tell who listens. */
struct result bench_apply_other(struct bench *bench, const struct command *command);

/* Stop the api as the daemon does. */
void bench_stop(struct bench *bench, uint64_t drain_ms);

struct client {
    int fd;
    struct buf in; /* received, not yet taken */
};

struct answer {
    int status; /* 0: the connection ended instead */
    char head[4096];
    struct buf body; /* terminated, not counted */
};

void client_open(struct bench *bench, struct client *client);
void client_close(struct client *client);
void client_reset(struct client *client); /* the connection is aborted */
void client_send(struct client *client, const char *text);
/* "METHOD PATH" with Host, and a JSON body unless it is NULL. */
void client_ask(struct client *client, const char *line, const char *body);
/* The next answer, however long it takes. Close the body. */
void client_answer(struct bench *bench, struct client *client, struct answer *answer);

/* Ask on a connection of its own and take the answer; waits for a proposal in between
 * and decides it with `code`, unless there is none. */
void bench_exchange(struct bench *bench, const char *line, const char *body, int code,
                    struct answer *answer);

#endif
