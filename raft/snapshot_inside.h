/* SPDX-License-Identifier: Apache-2.0 */
/* What writing and reading a snapshot have in common: raft/snapshot_encode.c and
 * raft/snapshot_decode.c.
 *
 * Records in a fixed order: head, settings, members by id, tasks by creation, events by
 * number, keys as they came, runs by number, due marks and next fires by the creation
 * of their tasks, the zone, when runs may begin, end. Each is checked by itself; the
 * end says how many there were. */
#ifndef RAFT_SNAPSHOT_INSIDE_H
#define RAFT_SNAPSHOT_INSIDE_H

#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_FORMAT_1   1 /* of feature level 1 */
#define SNAPSHOT_FORMAT_2   2 /* of the second: the level, and who drains */
#define SNAPSHOT_FORMAT_3   3 /* of every higher one: who is being deleted, and runs */
#define SNAPSHOT_HEAD_BYTES 5 /* u8 kind, u32 length */
#define SNAPSHOT_CRC_BYTES  4
#define SNAPSHOT_RECORD_MAX (4u * 1024 * 1024)

enum record_kind {
    RECORD_HEAD = 1,
    RECORD_SETTING = 2,
    RECORD_MEMBER = 3,
    RECORD_TASK = 4,
    RECORD_EVENT = 5,
    RECORD_KEY = 6,
    RECORD_RUN = 7,
    RECORD_DUE = 8,
    RECORD_FIRE = 9,
    RECORD_ZONE = 10,
    RECORD_RUNS_FROM = 11,
    RECORD_END = 255,
};

/* Of kind, length and what is in it, as it stands behind each record. */
uint32_t snapshot_crc(const uint8_t *data, size_t len);

/* The format that a cluster of that feature level writes. */
uint32_t snapshot_format_of(uint32_t level);

#endif
