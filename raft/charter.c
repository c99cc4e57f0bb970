/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/charter.h"

#include <stdio.h>
#include <string.h>

#include "raft/membership.h"

void charter_put(struct buf *buf, const struct charter *charter)
{
    buf_put_u64(buf, charter->cluster_id);
    buf_put_u32(buf, charter->count);
    for (uint32_t i = 0; i < charter->count; i++) {
        const struct charter_row *row = &charter->rows[i];
        buf_put_u64(buf, row->id);
        buf_put_text(buf, row->name);
        buf_put_text(buf, row->peer_address);
        buf_put_text(buf, row->api_address);
    }
}

/* A text of at most `size` - 1 bytes into `out`, terminated. */
static void charter_get_text(struct cursor *cursor, char *out, size_t size)
{
    size_t len = 0;
    const uint8_t *text = cursor_blob(cursor, size - 1, &len);
    if (text == NULL) {
        out[0] = '\0';
        return;
    }
    if (memchr(text, 0, len) != NULL) {
        cursor_fail(cursor);
        len = 0;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

void charter_get(struct cursor *cursor, struct charter *out)
{
    out->cluster_id = cursor_u64(cursor);
    out->count = cursor_u32(cursor);
    if (out->count > LIMIT_MEMBERS) {
        cursor_fail(cursor);
        out->count = 0;
    }
    for (uint32_t i = 0; i < out->count && cursor_ok(cursor); i++) {
        struct charter_row *row = &out->rows[i];
        row->id = cursor_u64(cursor);
        charter_get_text(cursor, row->name, sizeof(row->name));
        charter_get_text(cursor, row->peer_address, sizeof(row->peer_address));
        charter_get_text(cursor, row->api_address, sizeof(row->api_address));
    }
    if (cursor_ok(cursor) && !charter_valid(out)) {
        cursor_fail(cursor);
    }
}

static bool charter_id_valid(uint64_t id)
{
    return id > 0 && id <= INT64_MAX;
}

bool charter_name_valid(const char *name)
{
    size_t len = strnlen(name, LIMIT_NAME_BYTES + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < ' ' || c == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= LIMIT_NAME_BYTES;
}

bool charter_address_valid(const char *address)
{
    size_t len = strnlen(address, LIMIT_ADDRESS_BYTES);
    for (size_t i = 0; i < len; i++) {
        if (address[i] <= ' ' || address[i] > '~') {
            return false;
        }
    }
    return len < LIMIT_ADDRESS_BYTES;
}

static bool charter_row_valid(const struct charter *charter, uint32_t at)
{
    const struct charter_row *row = &charter->rows[at];
    if (!charter_id_valid(row->id) || !charter_name_valid(row->name) ||
        !charter_address_valid(row->peer_address) ||
        !charter_address_valid(row->api_address) ||
        (row->peer_address[0] == '\0' && charter->count > 1)) {
        return false;
    }
    for (uint32_t i = 0; i < at; i++) {
        const struct charter_row *before = &charter->rows[i];
        if (before->id >= row->id || strcmp(before->name, row->name) == 0 ||
            strcmp(before->peer_address, row->peer_address) == 0) {
            return false;
        }
    }
    return true;
}

bool charter_valid(const struct charter *charter)
{
    if (!charter_id_valid(charter->cluster_id) || charter->count == 0 ||
        charter->count > LIMIT_MEMBERS) {
        return false;
    }
    for (uint32_t i = 0; i < charter->count; i++) {
        if (!charter_row_valid(charter, i)) {
            return false;
        }
    }
    return true;
}

bool charter_row_equal(const struct charter_row *a, const struct charter_row *b)
{
    return a->id == b->id && strcmp(a->name, b->name) == 0 &&
           strcmp(a->peer_address, b->peer_address) == 0 &&
           strcmp(a->api_address, b->api_address) == 0;
}

bool charter_same_members(const struct charter *a, const struct charter *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!charter_row_equal(&a->rows[i], &b->rows[i])) {
            return false;
        }
    }
    return true;
}

const struct charter_row *charter_find(const struct charter *charter, uint64_t id)
{
    for (uint32_t i = 0; i < charter->count; i++) {
        if (charter->rows[i].id == id) {
            return &charter->rows[i];
        }
    }
    return NULL;
}

struct bytes *charter_membership(const struct charter *charter)
{
    struct membership membership = {.count = charter->count};
    for (uint32_t i = 0; i < charter->count; i++) {
        struct membership_row *row = &membership.rows[i];
        row->id = charter->rows[i].id;
        row->voter = true;
        snprintf(row->address, sizeof(row->address), "%s",
                 charter->rows[i].peer_address);
    }
    return membership_encode(&membership);
}
