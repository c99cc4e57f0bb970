/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop of the leader is, and what it may use. Private to this module.
 *
 * To add one: a file with one `const struct control_loop`, a row in control.c's table.
 */
#ifndef CONTROL_LOOP_H
#define CONTROL_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "control/control.h"
#include "raft/command.h"
#include "raft/propose.h"
#include "registry/registry.h"

struct control_loop {
    const char *name;
    /* It is looked at after events of the registry too, not only at its time. */
    bool on_change;
    /* This node leads and knows all there is: the state of this leadership, on the
     * heap. */
    void *(*start)(struct control *control);
    void (*stop)(void *state); /* frees it */
    /* Do what is to be done now; when it wants to look again at the latest, on
     * clock_now_ms(): UINT64_MAX when only an event can give it work. */
    uint64_t (*look)(void *state, uint64_t now_ms);
};

extern const struct control_loop control_placement;
extern const struct control_loop control_lost;
extern const struct control_loop control_drain;
extern const struct control_loop control_schedule;

struct clock *control_clock(const struct control *control);
struct node *control_node(const struct control *control);
const struct registry *control_registry(const struct control *control);
/* The replicated clock as what is proposed now would carry it. */
uint64_t control_clock_ms(const struct control *control);

/* `tag` is what the caller gave with the command. Called on the loop, later, and never
 * after the loops were stopped. */
typedef void (*control_done)(void *state, uint64_t tag, const struct outcome *outcome);

/* Propose as leader: it is never handed on. `state` is the loop's own, or something in
 * it. 0, or why not (propose_submit_here()): then `done` is not called. */
int control_propose(struct control *control, const struct command *command,
                    control_done done, void *state, uint64_t tag);

/* Have every loop look soon, at the end of this turn. */
void control_wake(struct control *control);

#endif
