/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot written by hand, a record at a time, with checksums that are right. A
 * number behind a name is that of the format, where the record is another one in it. */
#ifndef UNIT_RAFT_SNAPSHOT_HAND_H
#define UNIT_RAFT_SNAPSHOT_HAND_H

#include <stdint.h>

#include "base/buf.h"

#define TEXT "{\"condition\":{},\"module\":\"m\"}"

extern struct buf bytes;      /* of the snapshot under way */
extern uint64_t record_count; /* in it */

/* A run as it stands in a record; what is left out is 0, or what put_run() says. */
struct run_row {
    uint64_t id;
    uint64_t task_created;
    uint64_t revision;
    uint8_t state;
    uint8_t outcome;
    uint8_t purpose;
    uint8_t stop;
    const char *task;
    const char *draft;
    uint64_t started_ms;
    uint8_t no_cause;
    uint8_t no_lease;
    uint8_t bad_flag;
};

struct key_row {
    uint64_t at_ms;
    const char *scope;
    const char *key;
    uint8_t code;
    uint64_t revision;
    uint8_t created;
};

/* A record of that kind: what lies between is put into `bytes`. */
void record_begin(uint8_t kind);
void record_end(void);

void put_head(uint32_t format, uint64_t first, uint64_t next);
void put_head_2(uint32_t level, uint64_t first, uint64_t next);
void put_head_3(uint64_t first, uint64_t next);
void put_setting(const char *name, uint64_t value);
void put_member(uint64_t id, uint64_t revision);
void put_member_2(uint64_t id, uint64_t revision, uint8_t draining);
void put_member_3(uint64_t id, uint8_t draining, uint64_t drain_ms, uint32_t drivers);
void put_task(const char *name, uint64_t created, uint64_t revision);
void put_task_3(const char *name, uint64_t created, uint8_t deleting);
void put_run(const struct run_row *row);
void put_due(uint64_t task, uint64_t at_ms, uint64_t until_ms, uint8_t cause);
void put_zone(const char *zone);
void put_runs_from(uint64_t clock_ms);
void put_fire(uint64_t task, uint64_t at_ms);
void put_event(uint16_t type);
void put_key(const struct key_row *row);
void put_end(void);

#endif
