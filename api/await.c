/* SPDX-License-Identifier: Apache-2.0 */
#include "api/await.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "api/server_internal.h"
#include "base/hash.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "raft/fsm.h"

#define AWAIT_BUCKETS   256
#define AWAIT_LOOKED_AT 1000 /* events, to find whether a noun has changed */

struct await_room {
    struct api *api;
    struct fsm_watch watch;
    struct node_watch lead;
    uint64_t leader_id; /* 0: nobody leads */
    size_t count;
    struct await *nouns[NOUN_COUNT];    /* SEQUENCE: the lowest index first */
    struct await *names[AWAIT_BUCKETS]; /* TASK and TASK_STATUS, by name */
    struct await *ready;
    struct await **last_ready;
    struct clock_timer turn;
    struct clock_timer look;
};

/* --- what an event changes ---------------------------------------------------------
 */

static bool type_is(const char *type, const char *family)
{
    return strncmp(type, family, strlen(family)) == 0;
}

/* A new epoch. */
static bool changes_all(const struct event *event)
{
    const char *type = event_type_name(event->type);
    return type == NULL || type_is(type, "cluster.");
}

/* By the families of spec/muster.md 6. */
static bool noun_changed_by(enum noun noun, const struct event *event)
{
    const char *type = event_type_name(event->type);
    bool all = changes_all(event);
    switch (noun) {
    case NOUN_NONE:
    case NOUN_SEQUENCE:
        return false;
    case NOUN_EVENTS:
        return true;
    case NOUN_TASKS:
    case NOUN_TASK:
        return all || type_is(type, "task.");
    case NOUN_STATUS:
    case NOUN_TASK_STATUS:
        return all || type_is(type, "task.") || type_is(type, "run.");
    case NOUN_MEMBERS:
        return all || type_is(type, "member.");
    case NOUN_SETTINGS:
        return all || type_is(type, "setting.");
    case NOUN_RUNS:
    case NOUN_RUN:
        return all || type_is(type, "run.");
    }
    return true;
}

static bool noun_has_name(enum noun noun)
{
    return noun == NOUN_TASK || noun == NOUN_TASK_STATUS;
}

/* The data of an event of a run tells its number. */
static bool is_of_run(const struct event *event, const char *number)
{
    size_t len = 0;
    const char *run = jsontext_member(event->data, strlen(event->data), "run", &len);
    return run == NULL || (len == strlen(number) && memcmp(run, number, len) == 0);
}

/* An event without a task is about all of them. */
static bool changed_by(enum noun noun, const char *name, const struct event *event)
{
    return noun_changed_by(noun, event) &&
           (noun != NOUN_RUN || is_of_run(event, name)) &&
           (!noun_has_name(noun) || event->task[0] == '\0' ||
            strcmp(event->task, name) == 0);
}

bool await_changed(const struct registry *registry, enum noun noun, const char *name,
                   uint64_t index)
{
    uint64_t sequence = registry_sequence(registry);
    if (noun == NOUN_SEQUENCE) {
        return sequence >= index;
    }
    const struct event_log *log = registry_events(registry);
    if (index >= sequence) {
        return false;
    }
    if (index + 1 < log->first) {
        return true; /* what happened in between is not kept */
    }
    const struct event *event = NULL;
    for (uint64_t at = index; at < index + AWAIT_LOOKED_AT; at = event->seq) {
        event = event_log_after(log, at);
        if (event == NULL || changed_by(noun, name, event)) {
            return event != NULL;
        }
    }
    return true;
}

/* --- lists -------------------------------------------------------------------------
 */

static struct await **bucket_of(struct await_room *room, const char *name)
{
    return &room->names[hash_bytes(name, strlen(name), 0) % AWAIT_BUCKETS];
}

static void await_link(struct await *await, struct await **slot)
{
    await->next = *slot;
    await->slot = slot;
    if (await->next != NULL) {
        await->next->slot = &await->next;
    }
    *slot = await;
}

static void await_unlink(struct await_room *room, struct await *await)
{
    *await->slot = await->next;
    if (await->next != NULL) {
        await->next->slot = await->slot;
    } else if (await->ready) {
        room->last_ready = await->slot;
    }
    await->slot = NULL;
}

static void await_file(struct await_room *room, struct await *await)
{
    struct await **slot = noun_has_name(await->noun) ? bucket_of(room, await->name)
                                                     : &room->nouns[await->noun];
    while (await->noun == NOUN_SEQUENCE && *slot != NULL &&
           (*slot)->index < await->index) {
        slot = &(*slot)->next;
    }
    await_link(await, slot);
}

static void await_wake(struct await_room *room, struct await *await)
{
    if (await->ready) {
        return;
    }
    await_unlink(room, await);
    await->ready = true;
    await_link(await, room->last_ready);
    room->last_ready = &await->next;
    if (!clock_timer_active(&room->turn)) {
        clock_timer_start(room->api->options.clock, &room->turn,
                          clock_now_ms(room->api->options.clock));
    }
}

static void await_turn(struct clock_timer *timer)
{
    struct await_room *room = timer->owner;
    for (size_t i = 0; i < AWAIT_TURN && room->ready != NULL; i++) {
        struct await *await = room->ready;
        await_cancel(await);
        await->woken(await);
    }
    if (room->ready != NULL) {
        clock_timer_start(room->api->options.clock, timer,
                          clock_now_ms(room->api->options.clock));
    }
}

/* --- news --------------------------------------------------------------------------
 */

/* Those that wait for something after an index below `sequence`: one that has seen more
 * than this node, at another one, waits on. */
static void await_wake_list(struct await_room *room, struct await *list,
                            uint64_t sequence)
{
    struct await *next = NULL;
    for (struct await *await = list; await != NULL; await = next) {
        next = await->next;
        if (await->index < sequence) {
            await_wake(room, await);
        }
    }
}

static void await_wake_changed(struct await_room *room, struct await *list,
                               const struct event *event)
{
    struct await *next = NULL;
    for (struct await *await = list; await != NULL; await = next) {
        next = await->next;
        if (await->index < event->seq && changed_by(await->noun, await->name, event)) {
            await_wake(room, await);
        }
    }
}

static void await_wake_everybody(struct await_room *room, uint64_t sequence)
{
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        await_wake_list(room, room->nouns[i], sequence);
    }
    for (size_t i = 0; i < AWAIT_BUCKETS; i++) {
        await_wake_list(room, room->names[i], sequence);
    }
}

static void await_wake_sequence(struct await_room *room, uint64_t sequence)
{
    struct await *next = NULL;
    for (struct await *await = room->nouns[NOUN_SEQUENCE];
         await != NULL && await->index <= sequence; await = next) {
        next = await->next;
        await_wake(room, await);
    }
}

static void await_event(struct await_room *room, const struct event *event)
{
    for (size_t noun = 0; noun < NOUN_COUNT; noun++) {
        if (room->nouns[noun] != NULL && noun_changed_by((enum noun)noun, event)) {
            await_wake_changed(room, room->nouns[noun], event);
        }
    }
    if (event->task[0] != '\0') {
        await_wake_changed(room, *bucket_of(room, event->task), event);
    }
}

/* A gap is a snapshot in the place of the state: everything may have changed. */
static void await_news(struct fsm_watch *watch, uint64_t from, uint64_t to)
{
    struct await_room *room = watch->owner;
    const struct registry *registry = node_registry(room->api->node);
    uint64_t at = from;
    if (room->count == 0) {
        return;
    }
    while (at < to) {
        const struct event *event = event_log_after(registry_events(registry), at);
        if (event == NULL || event->seq != at + 1 || changes_all(event)) {
            await_wake_everybody(room, to);
            break;
        }
        await_event(room, event);
        at = event->seq;
    }
    await_wake_sequence(room, registry_sequence(registry));
}

/* Who leads is no event, and is shown with the members all the same. */
static void await_led(struct node_watch *watch, const struct node_status *status)
{
    struct await_room *room = watch->owner;
    uint64_t leader_id = status->leader_known ? status->leader_id : 0;
    if (leader_id != room->leader_id) {
        room->leader_id = leader_id;
        await_wake_list(room, room->nouns[NOUN_MEMBERS], UINT64_MAX);
    }
}

/* --- clients that have gone --------------------------------------------------------
 */

static size_t look_list(struct await *list, struct pollfd *fds, struct await **awaits,
                        size_t count)
{
    for (struct await *await = list; await != NULL; await = await->next) {
        fds[count] = (struct pollfd){.fd = await->fd, .events = POLLRDHUP};
        awaits[count++] = await;
    }
    return count;
}

static size_t look_all(struct await_room *room, struct pollfd *fds,
                       struct await **awaits)
{
    size_t count = 0;
    for (size_t i = 0; i < NOUN_COUNT; i++) {
        count = look_list(room->nouns[i], fds, awaits, count);
    }
    for (size_t i = 0; i < AWAIT_BUCKETS; i++) {
        count = look_list(room->names[i], fds, awaits, count);
    }
    return count;
}

/* Who has shut its side is answered with the state as it is: it has gone, or wants no
 * more than that. */
static void await_look(struct clock_timer *timer)
{
    struct await_room *room = timer->owner;
    struct pollfd *fds = mem_array(room->count, sizeof *fds);
    struct await **awaits = mem_array(room->count, sizeof(struct await *));
    size_t count = look_all(room, fds, awaits);
    if (count > 0 && poll(fds, (nfds_t)count, 0) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (fds[i].revents != 0) {
                await_wake(room, awaits[i]);
            }
        }
    }
    mem_free(fds);
    mem_free(awaits);
    if (room->count > 0) {
        clock_timer_start(room->api->options.clock, timer,
                          clock_now_ms(room->api->options.clock) + AWAIT_LOOK_MS);
    }
}

/* --- life --------------------------------------------------------------------------
 */

int await_start(struct api *api, struct await *await, struct err *err)
{
    struct await_room *room = api->awaits;
    if (room->count >= LIMIT_LONG_POLLS) {
        return err_set(err, ERR_BUSY, "%d requests wait for a change already",
                       LIMIT_LONG_POLLS);
    }
    await->api = api;
    await->ready = false;
    await_file(room, await);
    if (room->count++ == 0) {
        clock_timer_start(api->options.clock, &room->look,
                          clock_now_ms(api->options.clock) + AWAIT_LOOK_MS);
    }
    return 0;
}

void await_cancel(struct await *await)
{
    struct await_room *room = await->api->awaits;
    await_unlink(room, await);
    room->count--;
    if (room->count == 0) {
        clock_timer_stop(room->api->options.clock, &room->look);
    }
}

void await_stop(struct api *api)
{
    if (api->awaits != NULL) {
        fsm_unwatch(node_fsm(api->node), &api->awaits->watch);
        node_off_leadership(api->node, &api->awaits->lead);
        await_wake_everybody(api->awaits, UINT64_MAX);
    }
}

void await_open(struct api *api)
{
    struct await_room *room = mem_zalloc(sizeof *room);
    struct node_status status;
    room->api = api;
    room->last_ready = &room->ready;
    room->turn = (struct clock_timer){.fire = await_turn, .owner = room};
    room->look = (struct clock_timer){.fire = await_look, .owner = room};
    room->watch = (struct fsm_watch){.changed = await_news, .owner = room};
    fsm_watch(node_fsm(api->node), &room->watch);
    room->lead = (struct node_watch){.changed = await_led, .owner = room};
    node_status(api->node, &status);
    room->leader_id = status.leader_known ? status.leader_id : 0;
    node_on_leadership(api->node, &room->lead);
    api->awaits = room;
}

void await_close(struct api *api)
{
    struct await_room *room = api->awaits;
    if (room == NULL) {
        return;
    }
    assert(room->count == 0);
    clock_timer_stop(api->options.clock, &room->turn);
    clock_timer_stop(api->options.clock, &room->look);
    mem_free(room);
    api->awaits = NULL;
}
