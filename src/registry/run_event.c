/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/run_event.h"

#include <inttypes.h>
#include <string.h>

#include "text/jsonpiece.h"
#include "text/rfc3339.h"

/* A terminated text as a JSON string. */
static void put_string(struct buf *out, const char *text)
{
    jsonpiece_put_string(out, text, strlen(text));
}

static void put_error(struct buf *out, const struct run *run)
{
    if (run->outcome == RUN_SUCCESS) {
        buf_put_literal(out, ",\"error\":null");
        return;
    }
    buf_put_literal(out, ",\"error\":{\"message\":");
    put_string(out, run->text[0] != '\0' ? run->text : run_outcome_name(run->outcome));
    buf_put_u8(out, '}');
}

void run_event_put_cts(struct buf *out, const struct run *run)
{
    char id[ID_UUID_SIZE];
    char from[RFC3339_TEXT_SIZE];
    char to[RFC3339_TEXT_SIZE];
    uint64_t began_ms = run->started_ms != 0 ? run->started_ms : run->placed_ms;
    run_event_id(run, id);
    buf_printf(out,
               "\"id\":\"%s\",\"success\":%s,\"start_time\":\"%s\",\"end_time\":\"%s\","
               "\"task_name\":",
               id, run->outcome == RUN_SUCCESS ? "true" : "false",
               rfc3339_format_ms(began_ms, from), rfc3339_format_ms(run->ended_ms, to));
    put_string(out, run->task);
    put_error(out, run);
    buf_put_literal(out, ",\"config\":");
    buf_put(out, run->config, strlen(run->config));
}

static void put_place(struct buf *out, const struct run *run)
{
    buf_printf(out, "\"run\":%" PRIu64 ",\"node\":\"%" PRIu64 "\"", run->id, run->node);
}

void run_event_put_open(struct buf *out, const struct run *run)
{
    buf_put_u8(out, '{');
    put_place(out, run);
    buf_printf(out, ",\"purpose\":\"%s\",\"cause\":\"%s\"",
               run_purpose_name(run->purpose), run_cause_name(run->cause));
    if (run->stop != RUN_STOP_NONE) {
        buf_printf(out, ",\"stop\":\"%s\"", run_stop_name(run->stop));
    }
    buf_put_u8(out, '}');
}

void run_event_put_end(struct buf *out, const struct run *run)
{
    buf_put_u8(out, '{');
    run_event_put_cts(out, run);
    buf_put_u8(out, ',');
    put_place(out, run);
    buf_printf(out,
               ",\"purpose\":\"%s\",\"outcome\":\"%s\",\"exit_code\":%u,"
               "\"signal\":%u,\"changes\":%s}",
               run_purpose_name(run->purpose), run_outcome_name(run->outcome),
               run->exit_code, run->signal, run->changes ? "true" : "false");
}

/* The names of the services that a condition or a module input lists; NULL: none. */
static const char *service_names(const char *text, size_t len, const char *home,
                                 size_t *names_len)
{
    size_t part_len = 0;
    const char *part = jsonpiece_member(text, len, home, &part_len);
    if (part != NULL) {
        part = jsonpiece_member(part, part_len, "services", &part_len);
    }
    return part != NULL ? jsonpiece_member(part, part_len, "names", names_len) : NULL;
}

static void put_member(struct buf *out, const char *key, const char *value, size_t len,
                       const char *none)
{
    buf_printf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", key);
    if (value != NULL && len > 0) {
        buf_put(out, value, len);
    } else {
        buf_put(out, none, strlen(none));
    }
}

void run_event_put_config(struct buf *out, const char *text, size_t len)
{
    size_t providers_len = 0;
    size_t services_len = 0;
    size_t module_len = 0;
    const char *providers = jsonpiece_member(text, len, "providers", &providers_len);
    const char *module = jsonpiece_member(text, len, "module", &module_len);
    const char *services = service_names(text, len, "condition", &services_len);
    if (services == NULL) {
        services = service_names(text, len, "module_input", &services_len);
    }
    size_t start = out->len;
    buf_put_u8(out, '{');
    put_member(out, "providers", providers, providers_len, "[]");
    put_member(out, "services", services, services_len, "[]");
    put_member(out, "module", module, module_len, "\"\"");
    buf_put_u8(out, '}');
    if (out->len - start > RUN_CONFIG_BYTES_MAX) { /* nobody reads that many names */
        out->len = start;
        buf_put_literal(out, "{\"providers\":[],\"services\":[],\"module\":\"\"}");
    }
}
