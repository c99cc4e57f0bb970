/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/digest_watch.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/plant.h"
#include "raft/frame.h"

void digest_watch_init(struct digest_watch *watch, uint64_t self, uint64_t every)
{
    *watch = (struct digest_watch){
        .every = every != 0 ? every : DIGEST_WATCH_EVERY,
        .own = {.id = self},
    };
}

/* --- its own -----------------------------------------------------------------------
 */

bool digest_watch_wants(const struct digest_watch *watch, uint64_t index)
{
    return index % watch->every == 0;
}

void digest_watch_note(struct digest_watch *watch, uint64_t index, struct digest digest)
{
    struct digest_report *own = &watch->own;
    assert(own->count == 0 || index > own->points[0].index);
    memmove(&own->points[1], &own->points[0],
            sizeof own->points - sizeof own->points[0]);
    own->points[0] = (struct digest_point){index, digest};
    own->count += own->count < DIGEST_WATCH_POINTS;
}

void digest_watch_forget(struct digest_watch *watch)
{
    watch->own.count = 0;
}

uint64_t digest_watch_newest(const struct digest_watch *watch)
{
    return watch->own.count > 0 ? watch->own.points[0].index : 0;
}

/* --- of the others -----------------------------------------------------------------
 */

static struct digest_report *report_of(struct digest_watch *watch, uint64_t id)
{
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        if (watch->others[i].id == id) {
            return &watch->others[i];
        }
    }
    return NULL;
}

/* Its own, a free one, or that of who is no member; there are as many as members. */
static struct digest_report *report_for(struct digest_watch *watch, uint64_t id,
                                        const struct membership *members)
{
    struct digest_report *report = report_of(watch, id);
    for (size_t i = 0; report == NULL && i < LIMIT_MEMBERS; i++) {
        struct digest_report *other = &watch->others[i];
        report = other->id == 0 || membership_find(members, other->id) == NULL ? other
                                                                               : NULL;
    }
    return report;
}

bool digest_watch_heard(const struct digest_watch *watch, uint64_t id)
{
    for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
        const struct digest_report *other = &watch->others[i];
        if (other->id == id) {
            return other->count > 0 &&
                   other->points[0].index >= digest_watch_newest(watch);
        }
    }
    return false;
}

void digest_watch_drop(struct digest_watch *watch, uint64_t id)
{
    struct digest_report *report = report_of(watch, id);
    if (report != NULL && id != 0) {
        *report = (struct digest_report){.id = 0};
    }
}

/* --- bytes -------------------------------------------------------------------------
 */

struct bytes *digest_watch_encode(const struct digest_watch *watch)
{
    const struct digest_report *own = &watch->own;
    struct buf out;
    if (own->count == 0) {
        return NULL;
    }
    buf_init(&out);
    buf_put_u8(&out, FRAME_DIGEST);
    buf_put_u8(&out, (uint8_t)own->count);
    for (size_t i = 0; i < own->count; i++) {
        buf_put_u64(&out, own->points[i].index);
        buf_put_u64(&out, own->points[i].digest.low);
        buf_put_u64(&out, own->points[i].digest.high);
    }
    struct bytes *frame = bytes_new(out.data, out.len);
    buf_close(&out);
    return frame;
}

static int digest_decode(struct digest_report *out, const uint8_t *data, size_t len,
                         struct err *err)
{
    struct cursor cursor;
    cursor_init(&cursor, data, len);
    uint8_t kind = cursor_u8(&cursor);
    uint8_t count = cursor_u8(&cursor);
    if (kind != FRAME_DIGEST || count == 0 || count > DIGEST_WATCH_POINTS) {
        cursor_fail(&cursor);
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct digest_point *point = &out->points[i];
        point->index = cursor_u64(&cursor);
        point->digest.low = cursor_u64(&cursor);
        point->digest.high = cursor_u64(&cursor);
        if (point->index == 0 || (i > 0 && point->index >= point[-1].index)) {
            cursor_fail(&cursor);
        }
    }
    out->count = count;
    return cursor_done(&cursor)
               ? 0
               : err_set(err, ERR_CORRUPT, "a frame of kind %u that is damaged", kind);
}

int digest_watch_hear(struct digest_watch *watch, uint64_t id,
                      const struct membership *members, const uint8_t *data, size_t len,
                      struct err *err)
{
    struct digest_report said = {.id = id};
    int rv = digest_decode(&said, data, len, err);
    struct digest_report *report =
        rv == 0 && id != 0 ? report_for(watch, id, members) : NULL;
    if (report != NULL) {
        *report = said;
    }
    return rv;
}

/* --- comparing ---------------------------------------------------------------------
 */

/* NULL: it has said nothing of that index. */
static const struct digest *digest_at(const struct digest_report *report,
                                      uint64_t index)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->points[i].index == index || PLANTED(DIGEST_ANY_INDEX)) {
            return &report->points[i].digest;
        }
    }
    return NULL;
}

/* What everybody says of one index, the node itself first. */
struct digest_round {
    size_t count;
    uint64_t ids[LIMIT_MEMBERS + 1];
    bool voters[LIMIT_MEMBERS + 1];
    struct digest digests[LIMIT_MEMBERS + 1];
};

static void round_add(struct digest_round *round, const struct membership *members,
                      const struct digest_report *report, uint64_t index)
{
    const struct membership_row *row = membership_find(members, report->id);
    const struct digest *digest = digest_at(report, index);
    if (report->id != 0 && row != NULL && digest != NULL) {
        round->ids[round->count] = report->id;
        round->voters[round->count] = row->voter;
        round->digests[round->count++] = *digest;
    }
}

/* The digest that a majority of the voters has, or NULL. */
static const struct digest *round_majority(const struct digest_round *round,
                                           const struct membership *members)
{
    size_t voters = membership_voter_count(members);
    for (size_t i = 0; i < round->count; i++) {
        size_t same = 0;
        for (size_t k = 0; k < round->count; k++) {
            same +=
                round->voters[k] && digest_equal(round->digests[k], round->digests[i]);
        }
        if (2 * same > voters) {
            return &round->digests[i];
        }
    }
    return NULL;
}

static void round_judge(const struct digest_round *round,
                        const struct membership *members, struct digest_finding *out)
{
    const struct digest *right = round_majority(round, members);
    const struct digest *own = &out->own;
    size_t unlike = 0;
    if (right != NULL && !digest_equal(*right, *own)) {
        out->verdict = DIGEST_DIFFERENT;
        out->right = *right;
        return;
    }
    for (size_t i = 0; i < round->count; i++) {
        if (!digest_equal(round->digests[i], *own)) {
            unlike++;
            if (right != NULL) {
                out->different[out->different_count++] = round->ids[i];
            }
        }
    }
    if (right != NULL) {
        out->verdict = DIGEST_SAME;
    } else {
        out->verdict = unlike > 0 ? DIGEST_OPEN : DIGEST_ALONE;
    }
}

void digest_watch_judge(const struct digest_watch *watch,
                        const struct membership *members, struct digest_finding *out)
{
    for (size_t at = 0; at < watch->own.count; at++) {
        uint64_t index = watch->own.points[at].index;
        struct digest_round round = {.count = 0};
        *out = (struct digest_finding){.index = index,
                                       .own = watch->own.points[at].digest};
        round_add(&round, members, &watch->own, index);
        for (size_t i = 0; i < LIMIT_MEMBERS; i++) {
            round_add(&round, members, &watch->others[i], index);
        }
        round_judge(&round, members, out);
        if (out->verdict != DIGEST_ALONE) {
            return;
        }
    }
    *out = (struct digest_finding){.verdict = DIGEST_ALONE};
}
