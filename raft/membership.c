/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/membership.h"

#include <raft.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct bytes *membership_encode(const struct membership *membership)
{
    assert(membership->count <= LIMIT_MEMBERS);
    struct raft_configuration raft;
    raft_configuration_init(&raft);
    for (size_t i = 0; i < membership->count; i++) {
        const struct membership_row *row = &membership->rows[i];
        int rv = raft_configuration_add(&raft, row->id, row->address,
                                        row->voter ? RAFT_VOTER : RAFT_STANDBY);
        assert(rv == 0);
    }
    struct raft_buffer buf;
    int rv = raft_configuration_encode(&raft, &buf);
    assert(rv == 0);
    struct bytes *bytes = bytes_new(buf.base, buf.len);
    raft_free(buf.base);
    raft_configuration_close(&raft);
    return bytes;
}

/* One server into a row; what is wrong, or NULL. */
static const char *membership_take(struct membership *out,
                                   const struct raft_server *server)
{
    struct membership_row *row = &out->rows[out->count];
    if (server->role != RAFT_VOTER && server->role != RAFT_STANDBY) {
        return "has a role that muster does not give";
    }
    if (server->id == 0 || strlen(server->address) >= sizeof row->address) {
        return "has no id or too long an address";
    }
    if (membership_find(out, server->id) != NULL) {
        return "is there twice";
    }
    row->id = server->id;
    row->voter = server->role == RAFT_VOTER;
    snprintf(row->address, sizeof row->address, "%s", server->address);
    out->count++;
    return NULL;
}

/* libraft's decoder follows lengths that it reads: before it runs, its bytes are walked
 * here. Format 1: u8 version, u64 count, then {u64 id, text with terminator, u8 role};
 * zeros pad it to a multiple of 8. */
static bool membership_bytes_sound(const uint8_t *data, size_t len)
{
    if (len < 9 || len % 8 != 0 || data[0] != 1) {
        return false;
    }
    uint64_t count = 0;
    for (size_t i = 8; i > 0; i--) {
        count = count << 8 | data[i];
    }
    if (count > LIMIT_MEMBERS) {
        return false;
    }
    size_t at = 9;
    for (uint64_t i = 0; i < count; i++) {
        if (len - at < 8) {
            return false;
        }
        at += 8;
        const uint8_t *end = memchr(data + at, 0, len - at);
        if (end == NULL || (size_t)(end - data) + 2 > len) {
            return false;
        }
        at = (size_t)(end - data) + 2; /* the terminator and the role */
    }
    for (; at < len; at++) {
        if (data[at] != 0) {
            return false;
        }
    }
    return true;
}

int membership_decode(struct membership *out, const void *data, size_t len,
                      struct err *err)
{
    *out = (struct membership){0};
    if (!membership_bytes_sound(data, len)) {
        return err_set(err, ERR_CORRUPT, "a membership of %zu bytes that is none", len);
    }
    struct bytes *copy =
        bytes_new(data, len); /* the decoder wants bytes it may change */
    struct raft_buffer buf = {copy->data, len};
    struct raft_configuration raft;
    int rv = raft_configuration_decode(&buf, &raft);
    bytes_unref(copy);
    if (rv != 0) {
        return err_set(err, ERR_CORRUPT, "a membership that libraft refuses: %s",
                       raft_strerror(rv));
    }
    const char *wrong = NULL;
    for (unsigned i = 0; wrong == NULL && i < raft.n; i++) {
        wrong = membership_take(out, &raft.servers[i]);
        if (wrong != NULL) {
            err_set(err, ERR_CORRUPT, "member %u of %u %s", i + 1, raft.n, wrong);
        }
    }
    raft_configuration_close(&raft);
    return wrong == NULL ? 0 : ERR_CORRUPT;
}

const struct membership_row *membership_find(const struct membership *membership,
                                             uint64_t id)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->rows[i].id == id) {
            return &membership->rows[i];
        }
    }
    return NULL;
}

bool membership_newest(const struct entry_log *log, struct membership *out)
{
    for (uint64_t index = entry_log_last(log); index >= log->first && index > 0;
         index--) {
        const struct entry *entry = entry_log_get(log, index);
        if (entry->type == ENTRY_CONFIGURATION) {
            return membership_decode(out, entry->data->data, entry->data->len, NULL) ==
                   0;
        }
    }
    return false;
}

size_t membership_voter_count(const struct membership *membership)
{
    size_t count = 0;
    for (size_t i = 0; i < membership->count; i++) {
        count += membership->rows[i].voter;
    }
    return count;
}
