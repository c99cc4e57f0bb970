/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/peer/refusals.h"

#include <stdio.h>
#include <string.h>

#define SAME_WORDS_MS 60000
#define SAME_PLACE_MS 1000
#define NEW_PLACE_MS  5000

static struct refusal *refusals_row(struct refusals *refusals, const char *address)
{
    struct refusal *row = &refusals->rows[0];
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *at = &refusals->rows[i];
        if (strcmp(at->address, address) == 0) {
            return at;
        }
        bool freer = at->address[0] == '\0' || at->at_ms < row->at_ms;
        row = freer && row->address[0] != '\0' ? at : row;
    }
    return row; /* a free one, else the oldest */
}

bool refusals_note(struct refusals *refusals, const char *address, const char *text,
                   uint64_t now_ms)
{
    struct refusal *row = refusals_row(refusals, address);
    uint64_t quiet_ms = 0;
    if (row->address[0] == '\0') {
        quiet_ms = 0;
    } else if (strcmp(row->address, address) != 0) {
        quiet_ms = NEW_PLACE_MS;
    } else {
        size_t shown = sizeof row->text - 1;
        bool same = strncmp(row->text, text, shown) == 0;
        quiet_ms = same ? SAME_WORDS_MS : SAME_PLACE_MS;
    }
    if (row->address[0] != '\0' && now_ms - row->at_ms < quiet_ms) {
        return false;
    }
    snprintf(row->address, sizeof row->address, "%s", address);
    snprintf(row->text, sizeof row->text, "%s", text);
    row->at_ms = now_ms;
    return true;
}
