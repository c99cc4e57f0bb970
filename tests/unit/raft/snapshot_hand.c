/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/raft/snapshot_hand.h"

#include <isa-l.h>
#include <stddef.h>

struct buf bytes;
uint64_t record_count;
static size_t record_at;

void record_begin(uint8_t kind)
{
    record_at = bytes.len;
    buf_put_u8(&bytes, kind);
    buf_put_u32(&bytes, 0);
}

void record_end(void)
{
    buf_set_u32(&bytes, record_at + 1, (uint32_t)(bytes.len - record_at - 5));
    buf_put_u32(&bytes,
                crc32_iscsi(bytes.data + record_at, (int)(bytes.len - record_at), 0));
    record_count++;
}

void put_head(uint32_t format, uint64_t first, uint64_t next)
{
    record_begin(1);
    buf_put_u32(&bytes, format);
    buf_put_u64(&bytes, 77); /* clock */
    buf_put_u64(&bytes, first);
    buf_put_u64(&bytes, next);
    record_end();
}

void put_head_2(uint32_t level, uint64_t first, uint64_t next)
{
    record_begin(1);
    buf_put_u32(&bytes, 2);
    buf_put_u64(&bytes, 77);
    buf_put_u64(&bytes, first);
    buf_put_u64(&bytes, next);
    buf_put_u32(&bytes, level);
    record_end();
}

void put_head_3(uint64_t first, uint64_t next)
{
    record_begin(1);
    buf_put_u32(&bytes, 3);
    buf_put_u64(&bytes, 77);
    buf_put_u64(&bytes, first);
    buf_put_u64(&bytes, next);
    buf_put_u32(&bytes, 3);
    record_end();
}

void put_setting(const char *name, uint64_t value)
{
    record_begin(2);
    buf_put_text(&bytes, name);
    buf_put_u64(&bytes, value);
    record_end();
}

static void put_member_texts(uint64_t id, uint64_t revision)
{
    record_begin(3);
    buf_put_u64(&bytes, id);
    buf_put_u32(&bytes, 1);
    buf_put_u64(&bytes, revision);
    for (int i = 0; i < 4; i++) {
        buf_put_text(&bytes, "x");
    }
}

void put_member(uint64_t id, uint64_t revision)
{
    put_member_texts(id, revision);
    record_end();
}

void put_member_2(uint64_t id, uint64_t revision, uint8_t draining)
{
    put_member_texts(id, revision);
    buf_put_u8(&bytes, draining);
    record_end();
}

void put_member_3(uint64_t id, uint8_t draining, uint64_t drain_ms, uint32_t drivers)
{
    put_member_texts(id, 1);
    buf_put_u8(&bytes, draining);
    buf_put_u64(&bytes, drain_ms);
    buf_put_u32(&bytes, drivers);
    record_end();
}

void put_task(const char *name, uint64_t created, uint64_t revision)
{
    record_begin(4);
    buf_put_u64(&bytes, created);
    buf_put_u64(&bytes, revision);
    buf_put_u8(&bytes, 1);
    buf_put_u32(&bytes, 16);
    buf_put_text(&bytes, name);
    buf_put_text(&bytes, TEXT);
    record_end();
}

void put_task_3(const char *name, uint64_t created, uint8_t deleting)
{
    record_begin(4);
    buf_put_u64(&bytes, created);
    buf_put_u64(&bytes, created);
    buf_put_u8(&bytes, 1);
    buf_put_u32(&bytes, 16);
    buf_put_text(&bytes, name);
    buf_put_text(&bytes, TEXT);
    buf_put_u8(&bytes, deleting);
    record_end();
}

void put_run(const struct run_row *row)
{
    record_begin(7);
    buf_put_u64(&bytes, row->id);
    buf_put_u64(&bytes, row->task_created);
    buf_put_u64(&bytes, row->revision != 0 ? row->revision : row->id);
    buf_put_u64(&bytes, 77); /* node */
    buf_put_u8(&bytes, row->state);
    buf_put_u8(&bytes, row->outcome);
    buf_put_u8(&bytes, row->no_cause ? 0 : 1);
    buf_put_u8(&bytes, row->purpose);
    buf_put_u8(&bytes, row->stop);
    buf_put_u32(&bytes, row->no_lease ? 0 : 4000);
    buf_put_u32(&bytes, 5000);
    buf_put_u32(&bytes, 3);
    buf_put_u64(&bytes, 1000);
    buf_put_u64(&bytes, row->started_ms);
    buf_put_u64(&bytes, 0);
    buf_put_u32(&bytes, 0);
    buf_put_u32(&bytes, 0);
    buf_put_u8(&bytes, row->bad_flag);
    buf_put_u8(&bytes, row->draft != NULL ? 1 : 0);
    buf_put_u32(&bytes, row->draft != NULL ? 16 : 0);
    buf_put_text(&bytes, row->task);
    buf_put_text(&bytes, "");
    buf_put_text(&bytes, "{}");
    buf_put_text(&bytes, row->draft != NULL ? row->draft : "");
    record_end();
}

void put_due(uint64_t task, uint64_t at_ms, uint64_t until_ms, uint8_t cause)
{
    record_begin(8);
    buf_put_u64(&bytes, task);
    buf_put_u64(&bytes, at_ms);
    buf_put_u64(&bytes, until_ms);
    buf_put_u8(&bytes, cause);
    record_end();
}

void put_zone(const char *zone)
{
    record_begin(10);
    buf_put_text(&bytes, zone);
    record_end();
}

void put_runs_from(uint64_t clock_ms)
{
    record_begin(11);
    buf_put_u64(&bytes, clock_ms);
    record_end();
}

void put_fire(uint64_t task, uint64_t at_ms)
{
    record_begin(9);
    buf_put_u64(&bytes, task);
    buf_put_u64(&bytes, at_ms);
    buf_put_u64(&bytes, 7);
    record_end();
}

void put_event(uint16_t type)
{
    record_begin(5);
    buf_put_u16(&bytes, type);
    buf_put_u64(&bytes, 1000);
    for (int i = 0; i < 4; i++) {
        buf_put_text(&bytes, "x");
    }
    record_end();
}

void put_key(const struct key_row *row)
{
    record_begin(6);
    buf_put_u64(&bytes, row->at_ms);
    buf_put_text(&bytes, row->scope);
    buf_put_text(&bytes, row->key);
    buf_put(&bytes, "0123456789abcdef", 16);
    buf_put_u8(&bytes, row->code);
    buf_put_u64(&bytes, row->revision);
    buf_put_u8(&bytes, row->created);
    record_end();
}

void put_end(void)
{
    uint64_t count = record_count;
    record_begin(255);
    buf_put_u64(&bytes, count);
    record_end();
}
