/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/nodes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

static size_t nodes_find(const struct nodes *nodes, const char *address)
{
    size_t node = 0;
    while (node < nodes->count &&
           strcasecmp(nodes->items[node].address, address) != 0) {
        node++;
    }
    return node;
}

/* The place of a usable address, new or old; NODES_MAX: no room. */
static size_t nodes_add(struct nodes *nodes, const char *address)
{
    size_t node = nodes_find(nodes, address);
    if (node < nodes->count || node == NODES_MAX) {
        return node;
    }
    struct nodes_one *one = &nodes->items[nodes->count++];
    *one = (struct nodes_one){.pause_ms = PAUSE_MIN_MS};
    snprintf(one->address, sizeof one->address, "%s", address);
    return node;
}

static bool usable(const char *address)
{
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    return address_split(address, host, &port) && port[strspn(port, "0")] != '\0' &&
           strpbrk(host, "?#@%") == NULL;
}

static int nodes_parse_one(struct nodes *nodes, const char *text, size_t len,
                           struct err *err)
{
    static const char scheme[] = "http://";
    const char *shown = text;
    int shown_len = len < 100 ? (int)len : 100;
    if (len > strlen(scheme) && strncasecmp(text, scheme, strlen(scheme)) == 0) {
        text += strlen(scheme);
        len -= strlen(scheme);
        len -= text[len - 1] == '/' ? 1 : 0;
    }
    char address[LIMIT_ADDRESS_BYTES] = "";
    if (len < sizeof address) {
        memcpy(address, text, len);
        address[len] = '\0';
    }
    if (!usable(address)) {
        return err_set(err, ERR_INVALID,
                       "the address '%.*s' must be HOST:PORT or http://HOST:PORT, such "
                       "as 127.0.0.1:8558 or [::1]:8558",
                       shown_len, shown);
    }
    if (nodes_add(nodes, address) == NODES_MAX) {
        return err_set(err, ERR_INVALID, "more than %d addresses are given", NODES_MAX);
    }
    return 0;
}

int nodes_parse(struct nodes *nodes, const char *list, struct err *err)
{
    *nodes = (struct nodes){.preferred = NODES_MAX};
    while (true) {
        list += strspn(list, " \t");
        size_t len = strcspn(list, ",");
        const char *comma = list + len;
        while (len > 0 && strchr(" \t", list[len - 1]) != NULL) {
            len--;
        }
        int rv = nodes_parse_one(nodes, list, len, err);
        if (rv != 0 || *comma == '\0') {
            return rv;
        }
        list = comma + 1;
    }
}

size_t nodes_next(const struct nodes *nodes, uint64_t now_ms)
{
    if (nodes->preferred < nodes->count &&
        nodes->items[nodes->preferred].due_ms <= now_ms) {
        return nodes->preferred;
    }
    size_t first = 0;
    for (size_t node = 1; node < nodes->count; node++) {
        if (nodes->items[node].due_ms < nodes->items[first].due_ms) {
            first = node;
        }
    }
    return first;
}

void nodes_failed(struct nodes *nodes, size_t node, uint64_t now_ms,
                  uint64_t retry_after_ms, const char *reason)
{
    struct nodes_one *one = &nodes->items[node];
    one->due_ms =
        now_ms + (retry_after_ms > one->pause_ms ? retry_after_ms : one->pause_ms);
    one->pause_ms = 2 * one->pause_ms < PAUSE_MAX_MS ? 2 * one->pause_ms : PAUSE_MAX_MS;
    snprintf(one->reason, sizeof one->reason, "%s", reason);
    if (nodes->preferred == node) {
        nodes->preferred = NODES_MAX;
    }
}

bool nodes_leader(struct nodes *nodes, const char *address)
{
    size_t node = usable(address) ? nodes_add(nodes, address) : NODES_MAX;
    if (node == NODES_MAX) {
        return false;
    }
    nodes->preferred = node;
    return true;
}

void nodes_answered(struct nodes *nodes, size_t node)
{
    nodes->preferred = node;
    nodes->items[node].due_ms = 0;
    nodes->items[node].pause_ms = PAUSE_MIN_MS;
    nodes->items[node].reason[0] = '\0';
}

void nodes_put_reasons(const struct nodes *nodes, struct buf *out)
{
    const char *separator = "";
    for (size_t node = 0; node < nodes->count; node++) {
        const struct nodes_one *one = &nodes->items[node];
        if (one->reason[0] != '\0') {
            buf_printf(out, "%s%s: %s", separator, one->address, one->reason);
            separator = "; ";
        }
    }
}
