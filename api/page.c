/* SPDX-License-Identifier: Apache-2.0 */
/* A token is the set it goes on in, the number of what it goes on with (the creation of
 * a task, a run), and a sum over both, in 40 hex digits: so that what is no token at
 * all (400) is told from one whose set is not here (410). */
#include "api/page.h"

#include <inttypes.h>
#include <string.h>

#include "api/param.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "base/hash.h"

#define PAGE_MOST     1000
#define TOKEN_DIGITS  40
#define TOKEN_SEED    0x6d757374
#define QUESTION_SEED 0x70616765

/* --- tokens --------------------------------------------------------------------- */

static uint32_t token_sum(uint64_t set, uint64_t from)
{
    uint64_t numbers[2] = {set, from};
    return (uint32_t)hash_bytes(numbers, sizeof numbers, TOKEN_SEED);
}

static const char digits_of_16[] = "0123456789abcdef";

/* `digits` hex digits; false: it is something else. */
static bool token_number(const char *text, size_t digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *digit = memchr(digits_of_16, text[i], 16);
        if (digit == NULL) {
            return false;
        }
        *number = *number << 4 | (uint64_t)(digit - digits_of_16);
    }
    return true;
}

static bool token_read(const char *token, struct page *page)
{
    uint64_t sum = 0;
    return strlen(token) == TOKEN_DIGITS && token_number(token, 16, &page->set) &&
           token_number(token + 16, 16, &page->from) &&
           token_number(token + 32, 8, &sum) && page->set != 0 &&
           sum == token_sum(page->set, page->from);
}

/* --- what is asked for ------------------------------------------------------------ */

/* Which list, and every filter of it: the pages of a listing have them in common. */
static uint64_t question_of(const struct call *call)
{
    static const char *const filters[] = {"prefix", "status", "include",
                                          "task",   "state",  "node"};
    const char *path = call->route->path;
    uint64_t hash = hash_bytes(path, strlen(path), QUESTION_SEED);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        const char *values[CALL_QUERY_MAX];
        size_t count = call_query(call, filters[i], values, CALL_QUERY_MAX);
        for (size_t j = 0; j < count; j++) {
            hash = hash_bytes(values[j], strlen(values[j]) + 1, hash + i);
        }
    }
    return hash;
}

static bool is_list(const struct route *route)
{
    return route->handler == cts_tasks_list || route->handler == cts_status_tasks ||
           route->handler == runs_list;
}

/* None of the parameters that ask for another moment than that of the first page. */
static bool judge_moment(struct call *call)
{
    static const char *const others[] = {"consistent", "min_index", "max_stale",
                                         "index"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (call_query(call, others[i], NULL, 0) > 0) {
            reply_error(call, 400, NULL,
                        "parameter '%s' does not go with 'next_token': every page "
                        "shows the state of the first",
                        others[i]);
            return false;
        }
    }
    return true;
}

static bool judge_values(struct call *call, struct page *page)
{
    const char *token = NULL;
    const char *prefix = NULL;
    if (!param_number(call, "per_page", 1, PAGE_MOST, &page->per_page) ||
        !param_text(call, "next_token", &token) ||
        !param_text(call, "prefix", &prefix)) {
        return false;
    }
    page->prefix = prefix != NULL ? prefix : "";
    page->prefix_len = strlen(page->prefix);
    page->paged = page->per_page > 0 || token != NULL;
    if (token != NULL && !token_read(token, page)) {
        reply_error(call, 400, NULL,
                    "parameter 'next_token' must be one that a page before has given");
        return false;
    }
    return token == NULL || judge_moment(call);
}

bool page_judge(struct call *call)
{
    static const char *const names[] = {"per_page", "next_token", "prefix"};
    const char *given = NULL;
    for (size_t i = 0; call->param_count > 0 && i < 3 && given == NULL; i++) {
        given = call_query(call, names[i], NULL, 0) > 0 ? names[i] : NULL;
    }
    if (given == NULL) {
        return true;
    }
    if (!is_list(call->route)) {
        reply_error(call, 400, NULL,
                    "parameter '%s' does not go here: only the lists of tasks, of "
                    "their states and of runs have it",
                    given);
        return false;
    }
    struct page *page = h2o_mem_alloc_pool(&call->req->pool, sizeof *page);
    *page = (struct page){.question = question_of(call)};
    call->page = page;
    return judge_values(call, page);
}

/* --- sets ----------------------------------------------------------------------- */

static struct page_set *set_find(struct page_room *room, uint64_t id)
{
    for (size_t i = 0; i < room->count; i++) {
        if (room->sets[i].id == id) {
            return &room->sets[i];
        }
    }
    return NULL;
}

static void set_drop_oldest(struct page_room *room)
{
    registry_thaw(room->sets[0].frozen);
    room->count--;
    memmove(room->sets, room->sets + 1, room->count * sizeof room->sets[0]);
}

/* What is over goes, and the timer is set to the next end. */
static void room_tidy(struct api *api)
{
    struct page_room *room = &api->pages;
    struct clock *clock = api->options.clock;
    while (room->count > 0 && room->sets[0].due_ms <= clock_now_ms(clock)) {
        set_drop_oldest(room);
    }
    clock_timer_stop(clock, &room->timer);
    if (room->count > 0) {
        clock_timer_start(clock, &room->timer, room->sets[0].due_ms);
    }
}

static void room_due(struct clock_timer *timer)
{
    room_tidy(timer->owner);
}

/* Hold the view of a first page. Its id is drawn: no token of another node, or of this
 * one before it was started anew, is taken for one of this set. */
static uint64_t set_new(struct api *api, const struct page *page,
                        const struct registry *frozen)
{
    struct page_room *room = &api->pages;
    struct clock *clock = api->options.clock;
    uint64_t id = clock_random_below(clock, UINT64_MAX) + 1;
    if (api->stopping) {
        return id; /* nobody comes for it any more */
    }
    if (room->count == LIMIT_PAGE_SETS) {
        set_drop_oldest(room);
    }
    room->sets[room->count++] = (struct page_set){
        .id = id,
        .question = page->question,
        .per_page = page->per_page,
        .due_ms = clock_now_ms(clock) + LIMIT_PAGE_MS,
        .frozen = registry_freeze(frozen),
    };
    room_tidy(api);
    return id;
}

void page_open(struct api *api)
{
    api->pages.timer = (struct clock_timer){.fire = room_due, .owner = api};
}

void page_stop(struct api *api)
{
    while (api->pages.count > 0) {
        set_drop_oldest(&api->pages);
    }
    clock_timer_stop(api->options.clock, &api->pages.timer);
}

/* --- a page ---------------------------------------------------------------------- */

static bool begin_at(struct call *call, struct page *page, const struct registry **view)
{
    const struct page_set *set = set_find(&call->api->pages, page->set);
    if (set == NULL) {
        reply_error(call, 410, "gone",
                    "the listing that this next_token belongs to is not held here any "
                    "more: only the node that began it has it, for %d s, and no more "
                    "than the newest %d. Begin again without next_token",
                    LIMIT_PAGE_MS / 1000, LIMIT_PAGE_SETS);
        return false;
    }
    if (set->question != page->question) {
        reply_error(call, 400, NULL,
                    "this next_token belongs to another listing: path, 'prefix' and "
                    "all filters must be those of the first page");
        return false;
    }
    page->per_page = page->per_page > 0 ? page->per_page : set->per_page;
    call->sequence = registry_sequence(set->frozen);
    *view = set->frozen;
    return true;
}

bool page_begin(struct call *call, struct stream_source *source)
{
    const struct registry *view = node_registry(call->api->node);
    struct page *page = call->page;
    if (page == NULL) {
        page = h2o_mem_alloc_pool(&call->req->pool, sizeof *page);
        *page = (struct page){.prefix = ""};
    } else if (page->set != 0 && !begin_at(call, page, &view)) {
        return false;
    }
    page->left = page->paged ? page->per_page : UINT64_MAX;
    source->arg = page;
    source->frozen = registry_freeze(view);
    registry_task_seek(source->frozen, page->from, &source->cursor);
    return true;
}

enum page_step page_step(struct page *page, const struct task *task, bool fits)
{
    return page_step_named(page, task != NULL ? task->name : NULL, fits);
}

enum page_step page_step_named(struct page *page, const char *name, bool fits)
{
    if (name == NULL) {
        return PAGE_END;
    }
    if (!fits || strncmp(name, page->prefix, page->prefix_len) != 0) {
        return PAGE_SKIP;
    }
    if (page->left == 0) {
        return PAGE_END;
    }
    page->left--;
    page->shown++;
    return PAGE_SHOW;
}

void page_put_next(struct stream_source *source, const struct page *page,
                   const struct task *next, struct buf *out)
{
    page_put_next_at(source, page, next != NULL ? next->created : 0, out);
}

void page_put_next_at(struct stream_source *source, const struct page *page,
                      uint64_t next, struct buf *out)
{
    if (next == 0) {
        return;
    }
    uint64_t set =
        page->set != 0 ? page->set : set_new(source->api, page, source->frozen);
    buf_printf(out, ",\"next_token\":\"%016" PRIx64 "%016" PRIx64 "%08" PRIx32 "\"",
               set, next, token_sum(set, next));
}
