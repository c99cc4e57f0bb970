/* SPDX-License-Identifier: Apache-2.0 */
/* The engine and snapshots (rule 7): its own, which lets the log forget its beginning,
 * and a leader's, which replaces log and state.
 *
 *   running ──engine_install()──▶ installing
 *      ▲                            │
 *      └── engine_installed() ──────┘ durable and loaded
 *
 * While it is installing the log is void, appends are heartbeats (raft/rules.c), and
 * the commit index may already point behind what is here: it is not looked at. */
#include "raft/engine_inside.h"

#include <assert.h>

#include "base/mem.h"
#include "raft/rules.h"

static struct raft_configuration engine_configuration(const struct bytes *bytes)
{
    struct bytes *copy = bytes_new(bytes->data, bytes->len);
    struct raft_buffer buf = {copy->data, copy->len};
    struct raft_configuration configuration;
    int code = raft_configuration_decode(&buf, &configuration);
    assert(code == 0); /* it was decoded once before it came here */
    bytes_unref(copy);
    return configuration;
}

struct raft_snapshot_metadata engine_metadata(const struct snapshot_meta *meta)
{
    return (struct raft_snapshot_metadata){
        .index = meta->index,
        .term = meta->term,
        .configuration = engine_configuration(meta->configuration),
        .configuration_index = meta->configuration_index,
    };
}

static struct snapshot_meta meta_copy(const struct snapshot_meta *meta)
{
    struct snapshot_meta copy = *meta;
    copy.configuration = bytes_ref(meta->configuration);
    return copy;
}

uint64_t engine_term_at(const struct engine *engine, uint64_t index)
{
    const struct entry *entry = entry_log_get(&engine->log, index);
    if (entry != NULL) {
        return entry->term;
    }
    return index > 0 && index == engine->snapshot.index ? engine->snapshot.term : 0;
}

/* --- our own -------------------------------------------------------------------------
 */

bool engine_snapshot_meta(const struct engine *engine, uint64_t applied,
                          struct snapshot_meta *meta)
{
    const struct entry *last = entry_log_get(&engine->log, applied);
    /* After a start the state is ahead of what libraft takes for committed: it is not
     * to forget entries that it has not seen committed, a membership among them. */
    if (engine->phase != ENGINE_RUNNING || engine->installing || last == NULL ||
        applied > raft_commit_index(&engine->raft) || applied > engine->stored ||
        applied <= engine->snapshot.index) {
        return false;
    }
    *meta = (struct snapshot_meta){
        .index = applied,
        .term = last->term,
        .configuration_index = engine->snapshot.configuration_index,
        .configuration = engine->snapshot.configuration,
    };
    for (uint64_t index = applied; index >= entry_log_first(&engine->log); index--) {
        const struct entry *entry = entry_log_get(&engine->log, index);
        if (entry->type == ENTRY_CONFIGURATION &&
            index > engine->snapshot.configuration_index) {
            meta->configuration_index = index;
            meta->configuration = entry->data;
            break;
        }
    }
    if (meta->configuration == NULL) {
        return false;
    }
    bytes_ref(meta->configuration);
    return true;
}

void engine_snapshot_taken(struct engine *engine, const struct snapshot_meta *meta,
                           uint64_t trailing)
{
    if (engine->phase != ENGINE_RUNNING || engine->installing ||
        meta->index <= engine->snapshot.index) {
        return; /* a leader's snapshot came before ours was durable */
    }
    bytes_unref(engine->snapshot.configuration);
    engine->snapshot = meta_copy(meta);
    struct engine_input input = {.event.type = RAFT_SNAPSHOT};
    input.event.snapshot.metadata = engine_metadata(meta);
    input.event.snapshot.trailing = (unsigned)trailing;
    if (meta->index > trailing) {
        entry_log_drop_prefix(&engine->log, meta->index - trailing);
    }
    engine_step(engine, &input);
}

/* --- a leader's
 * ------------------------------------------------------------------------ */

/* The engine has decided to take it: what is here is void. */
void engine_take_snapshot(struct engine *engine, const struct raft_update *update)
{
    engine->installing = true;
    engine->incoming = update->snapshot.metadata; /* its configuration is ours now */
    engine->stored = 0;
    outbox_cancel(&engine->outbox);
    entry_log_reset(&engine->log, engine->incoming.index + 1);
}

bool engine_install(struct engine *engine, uint64_t from, uint64_t term,
                    const struct snapshot_meta *meta)
{
    if (engine->phase != ENGINE_RUNNING || engine->installing ||
        meta->index <= engine->commit) {
        return false;
    }
    struct raft_snapshot_metadata metadata = engine_metadata(meta);
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT,
        .server_id = from,
        .server_address = "",
        .install_snapshot =
            {
                .version = 0,
                .term = term,
                .last_index = meta->index,
                .last_term = meta->term,
                .conf = metadata.configuration,
                .conf_index = meta->configuration_index,
            },
    };
    struct engine_input input = {
        .event = {.type = RAFT_RECEIVE, .receive.message = &message},
        .request_term = term,
    };
    engine_step(engine, &input);
    if (!engine->installing) {
        return false;
    }
    bytes_unref(engine->snapshot.configuration);
    engine->snapshot = meta_copy(meta);
    return true;
}

void engine_installed(struct engine *engine)
{
    assert(engine->phase == ENGINE_RUNNING && engine->installing);
    uint64_t index = engine->snapshot.index;
    engine->installing = false;
    engine->applied = index;
    engine->configuration_fed = index;
    engine->stored = index;
    engine->commit = index > engine->commit ? index : engine->commit;
    struct engine_input input = {.event.type = RAFT_PERSISTED_SNAPSHOT};
    input.event.persisted_snapshot.metadata = engine->incoming;
    input.event.persisted_snapshot.last = true;
    engine->incoming = (struct raft_snapshot_metadata){0};
    engine_step(engine, &input);
}

bool engine_installing(const struct engine *engine)
{
    return engine->installing;
}

uint64_t engine_snapshot_index(const struct engine *engine)
{
    return engine->snapshot.index;
}
