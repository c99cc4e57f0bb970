/* SPDX-License-Identifier: Apache-2.0 */
#include "json/run_json.h"

#include <inttypes.h>

#include "json/jsontext.h"
#include "text/rfc3339.h"

/* A word of ours, or null. */
static void put_word(struct buf *out, const char *key, const char *word)
{
    if (word[0] != '\0') {
        buf_printf(out, ",\"%s\":\"%s\"", key, word);
    } else {
        buf_printf(out, ",\"%s\":null", key);
    }
}

static void put_time(struct buf *out, const char *key, uint64_t wall_ms)
{
    char text[RFC3339_TEXT_SIZE];
    put_word(out, key, wall_ms != 0 ? rfc3339_format_ms(wall_ms, text) : "");
}

static void put_node(struct buf *out, const struct registry *registry, uint64_t id)
{
    const struct member *member = registry_member(registry, id);
    buf_put_literal(out, ",\"node\":");
    if (member != NULL) {
        jsontext_put_text(out, member->name);
    } else {
        buf_put_literal(out, "null");
    }
    buf_printf(out, ",\"node_id\":\"%" PRIu64 "\"", id);
}

static void put_end(struct buf *out, const struct run *run)
{
    if (run->state != RUN_ENDED) {
        buf_put_literal(out, ",\"exit_code\":null,\"signal\":null,\"changes\":null");
        return;
    }
    buf_printf(out, ",\"exit_code\":%u,\"signal\":%u,\"changes\":%s", run->exit_code,
               run->signal, run->changes ? "true" : "false");
}

void run_json_put(struct buf *out, const struct registry *registry,
                  const struct run *run)
{
    buf_printf(out, "{\"id\":%" PRIu64 ",\"task\":", run->id);
    jsontext_put_text(out, run->task);
    put_word(out, "state", run_state_name(run->state));
    put_word(out, "outcome", run_outcome_name(run->outcome));
    put_word(out, "purpose", run_purpose_name(run->purpose));
    put_word(out, "cause", run_cause_name(run->cause));
    put_word(out, "stop", run_stop_name(run->stop));
    put_node(out, registry, run->node);
    put_time(out, "placed", run->placed_ms);
    put_time(out, "started", run->started_ms);
    put_time(out, "ended", run->state == RUN_ENDED ? run->ended_ms : 0);
    put_end(out, run);
    buf_put_literal(out, ",\"message\":");
    jsontext_put_text(out, run->text);
    buf_printf(out, ",\"lease_ms\":%u,\"grace_ms\":%u,\"tries\":%u}", run->lease_ms,
               run->grace_ms, run->tries);
}
