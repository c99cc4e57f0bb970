/* SPDX-License-Identifier: Apache-2.0 */
/* What clients asked and what they were told, task by task, in the order of one count
 * of moments: the only thing sim/linear.h looks at. */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/command.h"
#include "raft/propose.h"
#include "sim/transcript.h"

enum history_kind {
    HISTORY_READ,
    HISTORY_CREATE,
    HISTORY_PUT,
    HISTORY_MERGE,
    HISTORY_ENABLE, /* or disable */
    HISTORY_DELETE,
};

enum history_state {
    HISTORY_OPEN,    /* not answered: for the checker the same as unknown */
    HISTORY_KNOWN,   /* `told` says what came of it */
    HISTORY_UNKNOWN, /* it may take effect at any moment after it was asked, or never */
    HISTORY_NEVER,   /* it has no effect, ever */
};

/* A task as somebody is shown it. What its text says is one number: that of the
 * content, another one for each that a client makes up. */
struct history_task {
    bool there;
    bool enabled;
    uint64_t revision;
    uint64_t content;
};

struct history_op {
    enum history_kind kind;
    enum history_state state;
    uint64_t task;
    uint64_t number;   /* of a write: "op<number>" */
    uint64_t key;      /* of those with one key only one has an effect; 0: none */
    uint64_t asked;    /* moments; 0: a read that may show any older state */
    uint64_t answered; /* UINT64_MAX: not, or not with an outcome */
    uint64_t place;    /* a hint: the sequence an unknown one came at; 0: none */
    uint64_t asked_us; /* for people */
    size_t slot;       /* node n<slot + 1> */

    /* asked */
    uint32_t condition; /* of enum task_condition */
    uint64_t expected;  /* revision, for TASK_CONDITION_REVISION */
    uint64_t base;      /* of a merge: the revision it was made of */
    uint64_t content;
    bool enabled;
    bool keep_enabled;

    /* told, if it is known */
    int code;
    bool created;
    uint64_t sequence;
    struct history_task shown; /* of a write only `revision`, 0: there is none */
};

struct history;

struct history *history_new(const struct sim_time *time);
void history_free(struct history *history);

/* An operation begins; only what was asked has to be set. Returns its place. */
size_t history_ask(struct history *history, const struct history_op *op);
/* Likewise a read that may show any state of before. */
size_t history_ask_stale(struct history *history, const struct history_op *op);
/* The last one that was asked was refused at the door. */
void history_forget_last(struct history *history);
void history_decided(struct history *history, size_t at, const struct outcome *outcome);
/* A read ends: it shows this state of the task at this sequence. */
void history_shows(struct history *history, size_t at, uint64_t sequence,
                   const struct history_task *shown);
/* The newest state of a task that any client was told of, if any. */
struct history_task history_seen(const struct history *history, uint64_t task);

struct history_totals {
    uint64_t operations; /* that were judged */
    uint64_t tasks;
    uint64_t gave_up; /* tasks whose history was too much to judge; that breaks too */
};

/* Where the write of this number came to pass, if it changed anything: the sequence; 0:
 * nowhere. Only a hint to the search. */
struct history_hints {
    uint64_t (*place)(const void *owner, uint64_t number);
    const void *owner;
};

/* Is the history of each task linearizable? NULL, or a sentence (valid until the next
 * call); then the operations whose answers cannot all be true are in the transcript. */
const char *history_check(struct history *history, const struct history_hints *hints,
                          struct transcript *transcript, struct history_totals *totals);

/* One line for people. */
void history_describe(const struct history_op *op, char *out, size_t size);

#endif
