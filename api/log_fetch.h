/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of what a run has printed, from wherever it is kept: a file of this node, or
 * one of the node that carries the run out, which is asked for it. */
#ifndef API_LOG_FETCH_H
#define API_LOG_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/work.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "raft/clock.h"

struct api;

#define LOG_PIECE_BYTES (64 * 1024)

struct log_piece {
    uint64_t from; /* offset of its first byte: above the one that was asked for if what
                      lies between is not kept */
    uint64_t end;  /* of what there is, as far as it is known */
    bool ended;    /* nothing comes after `end`, ever */
    struct buf data;
};

/* The piece reaches the end of a log that has one. */
bool log_piece_last(const struct log_piece *piece);

/* Embedded in its owner, who lives until `done` and sets the first part. It cannot be
 * taken back: `done` is called exactly once, later, perhaps when the api is gone. */
struct log_fetch {
    uint64_t run;
    uint64_t node; /* whose run it is */
    uint64_t after;
    /* err->code 0; ERR_NOT_FOUND: there is no log of that run; ERR_UNAVAILABLE: that
     * node does not answer, or is no member; ERR_IO. The piece is the owner's to keep:
     * he closes its data. */
    void (*done)(struct log_fetch *fetch, struct log_piece *piece,
                 const struct err *err);
    /* log_fetch.c's: */
    struct work work;
    struct clock_task refusal;
    char *folder;
    char name[LIMIT_NAME_BYTES + 1]; /* of that node */
    struct log_piece piece;
    struct err err;
};

void log_fetch_start(struct api *api, struct log_fetch *fetch);

/* Peers that ask for pieces of this node's logs are answered until the stop. */
void log_fetch_serve(struct api *api);
void log_fetch_stop(struct api *api);

#endif
