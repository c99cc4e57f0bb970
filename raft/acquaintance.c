/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/acquaintance.h"

#include <inttypes.h>

#include "base/mem.h"

void acquaintances_init(struct acquaintances *all)
{
    *all = (struct acquaintances){0};
}

static void acquaintance_clear(struct acquaintance *row)
{
    mem_free(row->name);
    mem_free(row->peer_address);
    mem_free(row->api_address);
    mem_free(row->version);
    *row = (struct acquaintance){0};
}

void acquaintances_close(struct acquaintances *all)
{
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        acquaintance_clear(&all->rows[i]);
    }
}

struct acquaintance *acquaintances_find(struct acquaintances *all, uint64_t id)
{
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        if (all->rows[i].id == id) {
            return &all->rows[i];
        }
    }
    return NULL;
}

static struct acquaintance *acquaintances_room(struct acquaintances *all)
{
    struct acquaintance *oldest = NULL;
    for (size_t i = 0; i < ACQUAINTANCE_MAX; i++) {
        struct acquaintance *row = &all->rows[i];
        if (row->id == 0) {
            return row;
        }
        if (!row->up && (oldest == NULL || row->heard_ms < oldest->heard_ms)) {
            oldest = row;
        }
    }
    return oldest;
}

/* Is the hello of another start than the one that is known from an old copy of that
 * node's folder? */
static int acquaintance_judge(const struct acquaintance *row, const struct hello *hello,
                              struct err *why)
{
    if (hello->start_counter <= row->start_counter) {
        return err_set(why, ERR_CONFLICT,
                       "it was started %" PRIu64
                       " times before, and its folder counts %" PRIu64 " with this one",
                       row->start_counter, hello->start_counter);
    }
    if (hello->last_index < row->acked && hello->start_counter > row->acked_counter) {
        return err_set(why, ERR_CONFLICT,
                       "it has acknowledged the log up to %" PRIu64
                       ", and its folder ends at %" PRIu64,
                       row->acked, hello->last_index);
    }
    return 0;
}

void acquaintances_acked(struct acquaintances *all, uint64_t id, uint64_t counter,
                         uint64_t index)
{
    struct acquaintance *row = acquaintances_find(all, id);
    if (row != NULL && id != 0 && row->acked < index) {
        row->acked = index;
        row->acked_counter = counter;
    }
}

/* What the newest start of a node says of itself. */
static void acquaintance_note(struct acquaintance *row, const struct hello *hello,
                              uint64_t now_ms)
{
    bool known = row->id == hello->node_id;
    struct acquaintance next = {
        .id = hello->node_id,
        .cluster_id = hello->cluster_id,
        .start_counter = hello->start_counter,
        .session = hello->session,
        .pledge = hello->pledge,
        .acked = known ? row->acked : 0,
        .acked_counter = known ? row->acked_counter : 0,
        .forwarded = known && row->session == hello->session ? row->forwarded : 0,
        .level = hello->level,
        .up = true,
        .heard_ms = now_ms,
        .name = mem_strdup(hello->name),
        .peer_address = mem_strdup(hello->peer_address),
        .api_address = mem_strdup(hello->api_address),
        .version = mem_strdup(hello->version),
    };
    acquaintance_clear(row);
    *row = next;
}

int acquaintances_hello(struct acquaintances *all, const struct hello *hello,
                        uint64_t now_ms, struct err *why)
{
    struct acquaintance *row = acquaintances_find(all, hello->node_id);
    if (row == NULL) {
        row = acquaintances_room(all);
        if (row != NULL) {
            acquaintance_note(row, hello, now_ms);
        }
        return 0;
    }
    bool same_start = row->session == hello->session;
    int rv = same_start ? 0 : acquaintance_judge(row, hello, why);
    if (rv == 0 && !(same_start && row->condemned)) {
        acquaintance_note(row, hello, now_ms);
        return 0;
    }
    if (same_start) {
        rv = err_set(why, ERR_CONFLICT, "its folder is an old copy");
    } else if (hello->start_counter > row->start_counter) {
        acquaintance_note(row, hello, now_ms);
        row->condemned = true; /* whatever it says later in this start */
    }
    /* Else it may be late, from a process that is gone: the newest start, told of this,
     * says its hello again. */
    row->stale = true;
    return rv;
}

void acquaintances_down(struct acquaintances *all, uint64_t id, bool refused)
{
    struct acquaintance *row = acquaintances_find(all, id);
    if (row != NULL && id != 0) {
        row->up = false;
        row->refused = refused;
    }
}
