/* SPDX-License-Identifier: Apache-2.0 */
/* identity ──▶ store, looked at ──▶ snapshot ──▶ log, entry by entry ──▶ a restore
 *
 * All of the log is applied. What is behind the last index known as committed may have
 * been acknowledged by a majority this copy was part of, and then must not be lost; or
 * it never was, and then its client was told that the outcome is not known, or, if a
 * later leader wrote something else there, that it never happened. The last is why the
 * copy that is furthest ahead is to be taken: it holds what the later leader wrote.
 *
 * Failure modes: an entry that cannot be decoded ends it, unless it is named to be left
 * out; every node of the cluster stops at that entry, so what comes behind it was never
 * applied by anybody, and its outcome told to nobody. */
#include "raft/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/plant.h"
#include "raft/command.h"
#include "raft/compaction.h"
#include "raft/fsm.h"
#include "raft/identity.h"
#include "raft/membership.h"
#include "raft/store/store.h"

/* An opened folder. */
struct recovery {
    struct store *store;
    struct store_found found;
    struct fsm *fsm;
};

static void recovery_close(struct recovery *recovery)
{
    entry_log_close(&recovery->found.log);
    bytes_unref(recovery->found.snapshot.configuration);
    store_look_close(recovery->store);
    if (recovery->fsm != NULL) {
        fsm_free(recovery->fsm);
    }
}

/* --- the folder --------------------------------------------------------------------
 */

static int recovery_identity(struct disk *disk, struct identity *identity,
                             struct err *err)
{
    int rv = identity_read(identity, disk, err);
    if (rv == ERR_NOT_FOUND) {
        return err_set(err, ERR_NOT_FOUND, "%s: no node has run in this folder",
                       disk->path);
    }
    if (rv == 0 && identity->restoring) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: a restore into this folder was cut off: there is no node "
                       "in it",
                       disk->path);
    }
    if (rv == 0 && identity->cluster_id == 0) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: node \"%s\" has never belonged to a cluster", disk->path,
                       identity->name);
    }
    return rv;
}

static void recovery_tell(const struct recovery *recovery,
                          const struct identity *identity, struct recover_copy *copy)
{
    const struct store_found *found = &recovery->found;
    uint64_t last = entry_log_last(&found->log);
    *copy = (struct recover_copy){
        .node_id = identity->node_id,
        .cluster_id = identity->cluster_id,
        .term = found->term,
        .last = last,
        .commit = found->commit,
    };
    snprintf(copy->name, sizeof copy->name, "%s", identity->name);
    if (found->has_snapshot) {
        copy->snapshot_index = found->snapshot.index;
        copy->snapshot_term = found->snapshot.term;
    }
    const struct entry *entry = entry_log_get(&found->log, last);
    copy->last_term = entry != NULL ? entry->term : copy->snapshot_term;
    const struct bytes *bytes = found->snapshot.configuration;
    struct membership members;
    if (!membership_newest(&found->log, &members) &&
        (bytes == NULL ||
         membership_decode(&members, bytes->data, bytes->len, NULL) != 0)) {
        members.count = 0;
    }
    for (size_t i = 0; i < members.count; i++) {
        struct recover_member *member = &copy->members[copy->member_count++];
        member->id = members.rows[i].id;
        member->voter = members.rows[i].voter;
        memcpy(member->peer_address, members.rows[i].address, LIMIT_ADDRESS_BYTES);
    }
}

/* Names and addresses stand in the state. */
static void recovery_name(const struct recovery *recovery, struct recover_copy *copy)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        struct recover_member *member = &copy->members[i];
        const struct member *row =
            registry_member(fsm_registry(recovery->fsm), member->id);
        if (row != NULL) {
            snprintf(member->name, sizeof member->name, "%s", row->name);
            snprintf(member->address, sizeof member->address, "%s", row->address);
        }
    }
}

static int recovery_open(struct recovery *recovery, struct disk *disk,
                         struct recover_copy *copy, struct err *err)
{
    struct identity identity;
    int rv = recovery_identity(disk, &identity, err);
    if (rv != 0) {
        return rv;
    }
    struct store_options options = {
        .disk = disk,
        .node_id = identity.node_id,
        .cluster_id = identity.cluster_id,
    };
    *recovery = (struct recovery){.store = NULL};
    rv = store_look(&recovery->store, &options, &recovery->found, err);
    if (rv == 0) {
        recovery_tell(recovery, &identity, copy);
    }
    return rv;
}

/* --- the log -----------------------------------------------------------------------
 */

/* What of a batch can be read, for whoever has to decide about it. */
static void recovery_describe(const struct entry *entry, const struct err *why,
                              char *out, size_t size)
{
    struct cursor cursor;
    struct batch_header header;
    struct command command;
    struct buf text;
    buf_init(&text);
    cursor_init(&cursor, entry->data->data, entry->data->len);
    if (batch_open(&cursor, &header, NULL) == 0) {
        buf_printf(&text, "%" PRIu32 " commands of %" PRIu64 " ms:", header.count,
                   header.wall_ms);
        uint32_t read = 0;
        while (read < header.count && text.len < 160 &&
               batch_next(&cursor, &command, NULL) == 0) {
            buf_printf(&text, " %s", command_name(command.type));
            read++;
        }
        buf_printf(&text, read < header.count ? " ...; " : "; ");
    } else {
        buf_printf(&text, "begins with");
        for (size_t i = 0; i < entry->data->len && i < 8; i++) {
            buf_printf(&text, " %02x", entry->data->data[i]);
        }
        buf_printf(&text, "; ");
    }
    snprintf(out, size, "%.*s%.200s", (int)text.len, (const char *)text.data,
             why->text);
    buf_close(&text);
}

static bool recovery_skips(const struct recover_order *order, uint64_t index)
{
    for (size_t i = 0; i < order->skip_count; i++) {
        if (order->skip[i] == index) {
            return true;
        }
    }
    return false;
}

static int recovery_apply(struct recovery *recovery, const struct recover_order *order,
                          uint64_t index, struct err *err)
{
    const struct entry *entry = entry_log_get(&recovery->found.log, index);
    bool skips = recovery_skips(order, index);
    struct err why = {.text = ""};
    size_t count = 0;
    int rv = entry->type == ENTRY_COMMAND
                 ? fsm_apply(recovery->fsm, entry->data->data, entry->data->len, NULL,
                             0, &count, &why)
                 : 0;
    if (rv == 0) {
        return skips ? err_set(err, ERR_INVALID,
                               "entry %" PRIu64
                               " can be applied: only what cannot is left out",
                               index)
                     : 0;
    }
    struct recover_skipped skipped = {
        .index = index, .term = entry->term, .bytes = entry->data->len};
    recovery_describe(entry, &why, skipped.what, sizeof skipped.what);
    if (!skips) {
        return err_set(err, (enum err_code)rv,
                       "entry %" PRIu64 " of term %" PRIu64
                       " (%zu bytes) cannot be applied: %.300s",
                       index, entry->term, skipped.bytes, skipped.what);
    }
    order->skipped(order->owner, &skipped);
    return 0;
}

static int recovery_replay(struct recovery *recovery, const struct recover_order *order,
                           struct err *err)
{
    const struct store_found *found = &recovery->found;
    uint64_t first = found->has_snapshot ? found->snapshot.index + 1 : 1;
    uint64_t last =
        PLANTED_OR(RECOVER_KNOWN, found->commit, entry_log_last(&found->log));
    int rv = 0;
    for (size_t i = 0; i < order->skip_count; i++) {
        if (order->skip[i] < first || order->skip[i] > last) {
            return err_set(err, ERR_INVALID,
                           "there is no entry %" PRIu64 " to leave out: the log holds "
                           "%" PRIu64 " to %" PRIu64,
                           order->skip[i], first, last);
        }
    }
    recovery->fsm = fsm_new();
    if (found->has_snapshot) {
        rv = compaction_load(recovery->store, recovery->fsm, err);
    }
    for (uint64_t index = first; rv == 0 && index <= last; index++) {
        rv = recovery_apply(recovery, order, index, err);
    }
    return rv;
}

int recover_read(struct disk *disk, const struct recover_order *order,
                 struct recover_copy *copy, struct restore **out,
                 struct restore_summary *summary, struct err *err)
{
    struct recovery recovery;
    copy->cluster_id = 0;
    int rv = recovery_open(&recovery, disk, copy, err);
    if (rv != 0) {
        return rv;
    }
    rv = recovery_replay(&recovery, order, err);
    if (recovery.fsm != NULL) {
        recovery_name(&recovery, copy); /* as far as it came */
    }
    if (rv == 0) {
        *out = restore_of(recovery.fsm, summary);
        recovery.fsm = NULL; /* it is the restore's */
    }
    recovery_close(&recovery);
    return rv;
}
