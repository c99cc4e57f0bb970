/* SPDX-License-Identifier: Apache-2.0 */
/* Event s lives in chunk s / EVENT_CHUNK, in slot s % EVENT_CHUNK. A chunk that a
 * frozen copy shares is still filled in place: a copy reads numbers below its own
 * `next` only, and a slot is written once, when its number is given. (So only one of
 * the logs that share chunks may be appended to.) Letting the oldest go only moves
 * `first`; a chunk leaves the map when its last event has gone, its events are freed
 * with it. */
#include "registry/event_log.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define EVENT_CHUNK          64
#define EVENT_OVERHEAD_BYTES 64
#define EVENT_DROPS_A_WRITE  1024

typedef void digest_fn(struct digest *digest, const struct digest_item *item);

struct event_chunk {
    uint32_t refs;
    struct event *slot[EVENT_CHUNK]; /* NULL: not yet, or gone before a restore */
};

const char *event_type_name(enum event_type type)
{
    switch (type) {
#define X(symbol, number, text)                                                        \
    case EVENT_##symbol:                                                               \
        return text;
#include "registry/events.def"
#undef X
    }
    return NULL;
}

enum event_type event_type_from(const char *text, size_t len)
{
#define X(symbol, number, name)                                                        \
    if (len == sizeof name - 1 && memcmp(text, name, len) == 0) {                      \
        return EVENT_##symbol;                                                         \
    }
#include "registry/events.def"
#undef X
    return (enum event_type)0;
}

/* --- events and chunks
 * ------------------------------------------------------------------ */

static const char *event_copy(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t event_text_len(const struct event *event)
{
    return strlen(event->task) + strlen(event->actor) + strlen(event->request_id) +
           strlen(event->data) + 4; /* with their terminators, which stand in a row */
}

/* What an event counts as: not sizeof, for every replica must let the same ones go. */
static size_t event_bytes(const struct event *event)
{
    return EVENT_OVERHEAD_BYTES + event_text_len(event);
}

static void event_digest(struct event_log *log, digest_fn *apply,
                         const struct event *event)
{
    uint64_t numbers[] = {event->seq, event->wall_ms, (uint64_t)event->type};
    struct digest_item item = {
        .kind = DIGEST_EVENT,
        .numbers = numbers,
        .number_count = 3,
        .content = event->task,
        .len = event_text_len(event),
    };
    apply(&log->digest, &item);
}

static struct event *event_new(const struct event *from, uint64_t seq)
{
    struct event *event = mem_alloc(sizeof *event + event_text_len(from));
    char *at = (char *)(event + 1);
    *event = (struct event){
        .type = from->type,
        .seq = seq,
        .wall_ms = from->wall_ms,
    };
    event->task = event_copy(&at, from->task);
    event->actor = event_copy(&at, from->actor);
    event->request_id = event_copy(&at, from->request_id);
    event->data = event_copy(&at, from->data);
    return event;
}

static void *chunk_ref(void *value)
{
    struct event_chunk *chunk = value;
    chunk->refs++;
    return chunk;
}

static void chunk_unref(void *value)
{
    struct event_chunk *chunk = value;
    if (--chunk->refs > 0) {
        return;
    }
    for (size_t i = 0; i < EVENT_CHUNK; i++) {
        mem_free(chunk->slot[i]);
    }
    mem_free(chunk);
}

static const struct map_type event_chunks = {chunk_ref, chunk_unref};

/* Big-endian, so that chunks stand in order. */
static void chunk_key(uint64_t seq, uint8_t key[8])
{
    uint64_t number = seq / EVENT_CHUNK;
    for (int i = 7; i >= 0; i--) {
        key[i] = (uint8_t)number;
        number >>= 8;
    }
}

static struct event_chunk *chunk_find(const struct event_log *log, uint64_t seq)
{
    uint8_t key[8];
    chunk_key(seq, key);
    return map_get(&log->chunks, key, sizeof key);
}

/* The chunk that number log->next goes into. */
static struct event_chunk *chunk_for_next(struct event_log *log)
{
    struct event_chunk *chunk = chunk_find(log, log->next);
    if (chunk == NULL) {
        uint8_t key[8];
        chunk_key(log->next, key);
        chunk = mem_zalloc(sizeof *chunk);
        chunk->refs = 1;
        map_put(&log->chunks, key, sizeof key, chunk);
    }
    return chunk;
}

/* --- the log
 * ------------------------------------------------------------------------------ */

void event_log_init(struct event_log *log, uint64_t next)
{
    *log = (struct event_log){.first = next, .next = next};
    map_init(&log->chunks, &event_chunks);
}

void event_log_close(struct event_log *log)
{
    map_close(&log->chunks);
    log->first = log->next;
    log->bytes = 0;
}

struct event_log event_log_ref(const struct event_log *log)
{
    struct event_log copy = *log;
    copy.chunks = map_ref(&log->chunks);
    return copy;
}

static const struct event *event_log_get(const struct event_log *log, uint64_t seq)
{
    return chunk_find(log, seq)->slot[seq % EVENT_CHUNK];
}

static void event_log_drop_first(struct event_log *log)
{
    const struct event *gone = event_log_get(log, log->first);
    log->bytes -= event_bytes(gone);
    event_digest(log, digest_remove, gone);
    log->first++;
    if (log->first % EVENT_CHUNK == 0) {
        uint8_t key[8];
        chunk_key(log->first - 1, key);
        map_delete(&log->chunks, key, sizeof key);
    }
}

const struct event *event_log_append(struct event_log *log, const struct event *event,
                                     uint64_t max_count, uint64_t max_bytes)
{
    struct event_chunk *chunk = chunk_for_next(log);
    struct event *stored = event_new(event, log->next);
    assert(chunk->slot[log->next % EVENT_CHUNK] == NULL);
    chunk->slot[log->next % EVENT_CHUNK] = stored;
    log->next++;
    log->bytes += event_bytes(stored);
    event_digest(log, digest_add, stored);
    for (int i = 0; i < EVENT_DROPS_A_WRITE && log->next - log->first > 1 &&
                    (log->next - log->first > max_count || log->bytes > max_bytes);
         i++) {
        event_log_drop_first(log);
    }
    return stored;
}

const struct event *event_log_after(const struct event_log *log, uint64_t after)
{
    if (log->first == log->next || after >= log->next - 1) {
        return NULL;
    }
    return event_log_get(log, after < log->first ? log->first : after + 1);
}
