/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/acquaintance.h"

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

struct acquaintance *acquaintances_hello(struct acquaintances *all,
                                         const struct hello *hello, uint64_t now_ms)
{
    struct acquaintance *row = acquaintances_find(all, hello->node_id);
    if (row == NULL) {
        row = acquaintances_room(all);
    }
    if (row == NULL) {
        return NULL;
    }
    acquaintance_clear(row);
    *row = (struct acquaintance){
        .id = hello->node_id,
        .cluster_id = hello->cluster_id,
        .start_counter = hello->start_counter,
        .level = hello->level,
        .up = true,
        .heard_ms = now_ms,
        .name = mem_strdup(hello->name),
        .peer_address = mem_strdup(hello->peer_address),
        .api_address = mem_strdup(hello->api_address),
        .version = mem_strdup(hello->version),
    };
    return row;
}

void acquaintances_down(struct acquaintances *all, uint64_t id, bool refused)
{
    struct acquaintance *row = acquaintances_find(all, id);
    if (row != NULL && id != 0) {
        row->up = false;
        row->refused = refused;
    }
}
